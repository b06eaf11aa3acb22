"""A task is cancelled, or a statement fails, at any of the waits of a flow: all of its rows are there, or none."""

import asyncio
import random
import time
from contextlib import suppress

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError

import asyncdb
from accounts.models.sms_countries import SmsCountry
from asyncdb.postgresql import connection as connections_of_lanes
from tests.support.lanes import at_wait, on_loop

ALL = {"GB", "IE", "FR"}
# Connecting is no wait of a connection; BEGIN is sent with the first statement.
MOST_WAITS = 40


def write():
    """A flow: a conditional update, rows, a savepoint that is kept and one that is taken back."""
    with transaction.atomic():
        SmsCountry.objects.filter(code="*").update(sent=1)
        SmsCountry.objects.create(code="GB")
        with transaction.atomic():
            SmsCountry.objects.create(code="IE")
        with suppress(ValueError), transaction.atomic():
            SmsCountry.objects.create(code="XX")
            raise ValueError
        SmsCountry.objects.create(code="FR")


def rows():
    """What the flow left: the rows that it wrote, and what it changed."""
    return {row.code for row in SmsCountry.objects.filter(sent=0)} - {"*"}, (
        SmsCountry.objects.get(code="*").sent
    )


def clear():
    SmsCountry.objects.exclude(code="*").delete()
    SmsCountry.objects.update(sent=0)


def running():
    """How many statements the server works on for others."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        return cursor.fetchone()[0]


def is_idle_soon(seconds=2):
    """Whether the server ends what it works on, sooner than any statement here would by itself."""
    until = time.monotonic() + seconds
    while running() and time.monotonic() < until:
        time.sleep(0.01)
    return running() == 0


def sleep(seconds=5):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def count_waits():
    clear()
    with at_wait(None, None) as waits:
        on_loop(lambda: asyncdb.run(write))
    assert rows() == (ALL, 1)
    return len(waits)


def cancel_now(_connection):
    asyncio.current_task().cancel()


def fail_now(_connection):
    raise psycopg.OperationalError("the line is cut")


def hang_up_now(link):
    link.pgconn.finish()


@pytest.mark.parametrize(
    ("do", "errors"),
    [
        (cancel_now, {asyncio.CancelledError}),
        # Where a savepoint cannot be taken back, Django says so at the next statement.
        (fail_now, {OperationalError, TransactionManagementError}),
        (hang_up_now, {OperationalError}),
    ],
)
def test_all_rows_are_there_or_none_wherever_it_ends(do, errors):
    waits = count_waits()
    assert 8 < waits < MOST_WAITS
    ended = []

    async def main(number):
        with at_wait(number, do):
            task = asyncio.ensure_future(asyncdb.run(write))
            (came_to,) = await asyncio.gather(task, return_exceptions=True)
        ended.append(came_to)
        # Whoever comes next has a connection that works, and nothing of the last one.
        assert await asyncdb.run(lambda: connection.in_atomic_block) is False
        return await asyncdb.run(rows)

    for number in range(waits):
        clear()
        left = on_loop(lambda number=number: main(number))
        assert left in ((ALL, 1), (set(), 0)), number
        if left == (ALL, 1):
            assert number >= waits - 2, "only at the last waits it may be done already"
    assert {type(each) for each in ended} - {type(None)} == errors


def test_a_query_that_nobody_waits_for_is_ended_on_the_server():
    async def main():
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncdb.run(sleep)
        return time.monotonic() - begun

    assert on_loop(main) < 1
    assert is_idle_soon()


def test_whoever_waits_for_a_lock_and_is_cancelled_waits_no_more():
    def lock():
        with transaction.atomic():
            SmsCountry.objects.select_for_update().get(code="*")
            sleep(0.4)

    def wait():
        with transaction.atomic():
            SmsCountry.objects.select_for_update().get(code="*")

    async def main():
        holder = asyncio.create_task(asyncdb.run(lock))
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncdb.run(wait)
        still = not holder.done()
        await holder
        return still

    assert on_loop(main)


def test_the_connection_of_a_cancelled_query_is_used_again():
    def backend():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]

    async def main():
        before = await asyncdb.run(backend)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncdb.run(sleep)
        return before, await asyncdb.run(backend)

    before, after = on_loop(main)

    assert before == after


def test_a_server_that_does_not_stop_a_query_loses_the_connection(monkeypatch):
    async def deaf(self, timeout):
        pass

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncdb.run(sleep, 1)
        return await asyncdb.run(lambda: "still here")

    monkeypatch.setattr(connections_of_lanes.Connection, "_cancel_async", deaf)
    monkeypatch.setattr(connections_of_lanes, "CANCEL_SECONDS", 0.1)

    assert on_loop(main) == "still here"


def test_hooks_of_a_transaction_that_was_cancelled_are_nobody_elses():
    heard = []

    def hooked():
        with transaction.atomic():
            transaction.on_commit(lambda: heard.append("hook"))
            sleep()

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncdb.run(hooked)
        await asyncdb.run(write)

    on_loop(main)

    assert heard == []


def test_a_task_that_is_cancelled_again_while_it_rolls_back_ends():
    async def main():
        task = asyncio.create_task(asyncdb.run(write))
        while not task.done():
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncdb.run(rows)

    assert on_loop(main) == (set(), 0)


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_a_flow_whose_coroutine_is_closed_in_the_middle_leaves_nothing(steps):
    async def main():
        flow = asyncdb.run(write)
        for _ in range(steps):
            future = flow.send(None)
            while future and not future.done():
                await asyncio.sleep(0.001)
        flow.close()
        return await asyncdb.run(rows)

    assert on_loop(main) == (set(), 0)


def test_of_many_lanes_that_end_at_any_moment_each_has_all_of_its_rows_or_none(pool_of, is_release):
    """Rows by the many, in pieces, in savepoints: whatever a lane was at, the next ones find nothing of it."""
    draw, pairs = random.Random(14), [a + b for a in "ABCDEFGHIJ" for b in "KLMNOPQRST"]

    def work(code):
        other = code[::-1]
        with transaction.atomic():
            SmsCountry.objects.bulk_create([SmsCountry(code=code), SmsCountry(code=other)])
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE accounts_smscountry SET sent = %s WHERE code = %s",
                    [(number, code) for number in range(20)],
                )
                cursor.execute("SELECT pg_sleep(0.002)")
            list(SmsCountry.objects.order_by("code").iterator(chunk_size=5))
            with transaction.atomic():
                SmsCountry.objects.filter(code=other).update(sent=19)

    async def ended(code):
        with suppress(TimeoutError):
            async with asyncio.timeout(draw.uniform(0, 0.15)):
                await asyncdb.run(work, code)

    async def main():
        for _round in range(20 if is_release else 2):
            await asyncio.gather(*map(ended, pairs))
            await asyncdb.run(check)

    def check():
        sent = dict(SmsCountry.objects.exclude(code="*").values_list("code", "sent"))
        whole = [code for code in pairs if code in sent]
        assert all(sent.get(code) == sent.get(code[::-1]) for code in pairs)
        assert len(sent) == 2 * len(whole)
        found.append(len(whole))
        SmsCountry.objects.exclude(code="*").delete()

    found = []
    pool_of(8, patience=5)
    on_loop(main)

    # Some came through and some did not, or this would show nothing.
    assert 0 < sum(found) < len(found) * len(pairs)
    assert is_idle_soon()
