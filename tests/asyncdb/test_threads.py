"""What leaves the loop: so many at once, in one place, and without keeping a connection from others."""

import ast
import asyncio
import threading
import time
from pathlib import Path

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, transaction

import asyncdb
from tests.support.lanes import gather, in_one_lane, on_loop

PACKAGE = Path(asyncdb.__file__).parent


def work(seconds=0.1):
    time.sleep(seconds)
    return threading.current_thread()


def thread_of(seconds=0.1):
    return asyncdb.in_thread(work, seconds)


@pytest.fixture
def threads_of(settings):
    """Say how many threads there are, and how patient whoever waits for one is."""

    def set_threads(number, patience=5.0, **more):
        settings.ASYNCDB = {"THREADS": number, "THREAD_TIMEOUT": patience, **more}

    return set_threads


def test_in_a_lane_it_runs_in_another_thread_and_the_loop_goes_on():
    async def main():
        waiting, ticks = asyncio.create_task(asyncdb.run(thread_of)), 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return await waiting, ticks

    thread, ticks = on_loop(main)

    assert thread is not threading.current_thread()
    assert ticks > 2


def test_outside_of_a_loop_it_is_called():
    assert asyncdb.in_thread(work, 0) is threading.current_thread()


def test_on_a_loop_outside_of_a_lane_it_is_refused():
    async def main():
        with pytest.raises(SynchronousOnlyOperation):
            asyncdb.in_thread(work)

    on_loop(main)


def test_no_more_run_at_once_than_may(threads_of):
    running, most = [], []

    def counted():
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()

    threads_of(2)
    on_loop(lambda: gather(*[lambda: asyncdb.in_thread(counted)] * 10))

    assert len(most) == 10
    assert max(most) == 2


def test_whoever_waits_for_too_long_is_told_so(threads_of):
    def refused():
        with pytest.raises(asyncdb.ThreadsFull):
            thread_of()

    async def main():
        busy = asyncio.create_task(asyncdb.run(thread_of, 0.5))
        await asyncio.sleep(0.1)
        await asyncdb.run(refused)
        await busy

    threads_of(1, patience=0.1)
    on_loop(main)


def test_a_queue_for_threads_keeps_no_connection_from_others(threads_of):
    def sign_in():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        thread_of(0.1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 2")
            return cursor.fetchone()[0]

    async def main():
        queue = [asyncio.create_task(asyncdb.run(sign_in)) for _ in range(10)]
        await asyncio.sleep(0.15)
        begun = time.monotonic()
        await asyncdb.run(lambda: connection.ensure_connection())
        took = time.monotonic() - begun
        return took, await asyncio.gather(*queue)

    threads_of(1, POOL_SIZE=1, POOL_TIMEOUT=5)
    took, answers = on_loop(main)

    assert took < 0.4
    assert answers == [2] * 10


def test_in_a_transaction_the_connection_stays(threads_of):
    def backend():
        with connection.cursor() as cursor:
            cursor.execute("SELECT txid_current()")
            return cursor.fetchone()[0]

    def flow():
        with transaction.atomic():
            before = backend()
            thread_of(0)
            return before == backend()

    threads_of(1, POOL_SIZE=1)

    assert in_one_lane(flow)


def test_an_error_in_a_thread_is_the_lanes_and_it_still_has_its_database():
    def fail():
        raise KeyError("x")

    def flow():
        with pytest.raises(KeyError, match="x"):
            asyncdb.in_thread(fail)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 3")
            return cursor.fetchone()[0]

    assert in_one_lane(flow) == 3


def test_a_thread_whose_task_is_gone_keeps_its_place_until_it_is_done(threads_of):
    async def main():
        task = asyncio.create_task(asyncdb.run(thread_of, 0.4))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        begun = time.monotonic()
        await asyncdb.run(thread_of, 0)
        return task.cancelled(), time.monotonic() - begun

    threads_of(1)
    was_cancelled, waited = on_loop(main)

    assert was_cancelled
    assert waited > 0.15


def test_whoever_reserves_a_thread_is_turned_away_before_anything_is_counted(threads_of):  # LIM-09
    counted = []

    def sign_in():
        counted.append(1)
        return thread_of(0.01) is not thread_of(0.3)

    async def reserved():
        async with asyncdb.thread_reserved():
            return await asyncdb.run(sign_in)

    async def main():
        first = asyncio.create_task(reserved())
        await asyncio.sleep(0.1)
        with pytest.raises(asyncdb.ThreadsFull):
            await reserved()
        await first
        assert counted == [1]
        await reserved()

    threads_of(1, patience=0.05)
    on_loop(main)

    assert counted == [1, 1]


def test_a_thread_in_a_reserved_place_keeps_it_when_its_task_is_gone(threads_of):
    async def reserved(seconds):
        async with asyncdb.thread_reserved():
            await asyncdb.run(thread_of, seconds)

    async def main():
        task = asyncio.create_task(reserved(0.4))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        begun = time.monotonic()
        await reserved(0)
        return time.monotonic() - begun

    threads_of(1)

    assert on_loop(main) > 0.15


def test_there_is_one_way_into_a_thread():  # promise 0.16
    ways = {"to_thread", "run_in_executor", "sync_to_async", "Thread", "ThreadPoolExecutor"}
    used = [
        (path.name, node.attr)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ways
    ]

    assert used == [("threads.py", "to_thread")]
