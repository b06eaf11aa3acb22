"""The loop is never held up: lanes wait beside one another in one thread, and what would block it is refused."""

import asyncio
import threading
import time
from contextvars import ContextVar

import pytest
from asgiref.sync import SyncToAsync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, connections, transaction
from django.utils import translation

import asyncdb
from accounts.models.sms_countries import SmsCountry
from asyncdb import bridge
from tests.support.lanes import gather, in_one_lane, on_loop

NAME: ContextVar[str] = ContextVar("name", default="nobody")


def sleep(seconds=0.5):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


@pytest.fixture
def hops(monkeypatch):
    """Each time that something leaves the thread of its loop."""
    made, original = [], SyncToAsync.__call__

    async def counted(self, *args, **kwargs):
        made.append(self)
        return await original(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    return made


def test_ten_slow_queries_take_the_time_of_one_in_one_thread(hops):
    before = threading.active_count()

    async def main():
        await gather(*[lambda: sleep(0)] * 10)
        begun = time.monotonic()
        await gather(*[sleep] * 10)
        return time.monotonic() - begun, threading.active_count()

    took, threads = on_loop(main)

    assert 0.5 <= took < 2.5
    assert threads == before
    assert hops == []


def test_while_a_lane_waits_the_loop_does_other_work():
    async def main():
        waiting, ticks = asyncio.create_task(asyncdb.run(sleep)), 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert on_loop(main) > 10


@pytest.mark.parametrize("is_allowed", ["", "1"])
def test_the_orm_is_refused_on_a_loop_outside_of_a_lane(monkeypatch, is_allowed):
    # Django's own switch does not open ours.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", is_allowed)

    async def main():
        with pytest.raises(SynchronousOnlyOperation):
            SmsCountry.objects.count()
        with pytest.raises(SynchronousOnlyOperation):
            transaction.atomic().__enter__()

    on_loop(main)


def test_a_connection_that_was_smuggled_out_of_its_lane_does_not_wait(monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

    async def main():
        held = await asyncdb.run(lambda: (connection.ensure_connection(), connection.connection)[1])
        with pytest.raises(SynchronousOnlyOperation):
            held.execute("SELECT 1")
        with pytest.raises(SynchronousOnlyOperation):
            held.cancel_safe()
        with pytest.raises(SynchronousOnlyOperation):
            held.cancel()

    on_loop(main)


def test_rows_that_are_not_read_yet_are_not_read_outside():
    async def main():
        rows = await asyncdb.run(SmsCountry.objects.all)
        with pytest.raises(SynchronousOnlyOperation):
            list(rows)

    on_loop(main)


def test_two_lanes_cannot_share_a_connection():
    async def main():
        def lend_out():
            held.append(connections["default"].connection or connection.cursor().connection)
            sleep(0.2)

        held = []
        task = asyncio.create_task(asyncdb.run(lend_out))
        while not held:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        with pytest.raises(SynchronousOnlyOperation, match="share"):
            await asyncdb.run(held[0].execute, "SELECT 1")
        await task

    on_loop(main)


def test_a_lane_without_a_connection_opens_none():
    async def main():
        with pytest.raises(SynchronousOnlyOperation, match="no database"):
            await bridge.run(SmsCountry.objects.count)

    on_loop(main)


def test_outside_of_a_loop_the_engine_is_djangos_own():
    made = connections.create_connection("default")
    try:
        with made.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        assert made.is_usable()
    finally:
        made.close()


def test_a_lane_sees_the_context_of_its_task_and_changes_it():
    def read_and_set():
        before = NAME.get()
        NAME.set("the lane")
        sleep(0)
        return before, NAME.get(), translation.get_language()

    async def main():
        NAME.set("the task")
        with translation.override("de"):
            seen = await asyncdb.run(read_and_set)
        return seen, NAME.get()

    assert on_loop(main) == (("the task", "the lane", "de"), "the lane")


def test_what_lanes_set_beside_one_another_does_not_mix():
    def named(name):
        def work():
            NAME.set(name)
            sleep(0.05)
            return NAME.get()

        return work

    names = [f"lane {number}" for number in range(5)]

    assert on_loop(lambda: gather(*map(named, names))) == names


def test_errors_and_results_pass_through():
    def fail():
        raise KeyError("x")

    assert in_one_lane(lambda: "result") == "result"
    with pytest.raises(KeyError, match="x"):
        in_one_lane(fail)
    assert in_one_lane(bridge.in_lane)
    assert not bridge.in_lane()
