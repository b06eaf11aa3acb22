"""A connection is lent to one lane at a time, and nobody gets one that is broken."""

import asyncio
import time

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, connections, transaction

import asyncdb
from accounts.models.sms_countries import SmsCountry
from asyncdb import pool
from tests.support.lanes import gather, on_loop


def backend():
    """The process of the server that serves this lane."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def sleep(seconds=0.5):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def kill(process):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [process])


async def refusal(function):
    """What running it comes to, by name."""
    try:
        await asyncdb.run(function)
    except Exception as error:
        return type(error).__name__
    return "done"


def test_lanes_after_one_another_have_one_connection():
    async def main():
        return {await asyncdb.run(backend) for _ in range(10)}

    assert len(on_loop(main)) == 1


def test_there_are_no_more_connections_than_the_pool_has_places(pool_of):
    def busy():
        sleep(0.02)
        return backend()

    pool_of(3, patience=5)

    assert len(set(on_loop(lambda: gather(*[busy] * 20)))) == 3


def test_whoever_finds_the_pool_full_is_told_so_in_time(pool_of):
    async def main():
        begun = time.monotonic()
        holders = [asyncio.create_task(asyncdb.run(sleep, 1)) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await refusal(backend)
        took = time.monotonic() - begun
        await asyncio.gather(*holders)
        return refused, took, await refusal(backend)

    pool_of(2)
    refused, took, afterwards = on_loop(main)

    assert refused == "PoolFull"
    assert took < 1
    assert afterwards == "done"


def test_by_itself_it_waits_less_than_two_seconds():
    assert pool.option("POOL_TIMEOUT") < 2


def test_a_place_is_given_back_whatever_happens(pool_of):
    def fail():
        raise ValueError

    async def main():
        outcomes = [await refusal(fail) for _ in range(5)]
        for _ in range(5):
            task = asyncio.create_task(asyncdb.run(sleep, 5))
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.wait([task])
        return outcomes, await refusal(backend)

    pool_of(1)

    assert on_loop(main) == (["ValueError"] * 5, "done")


def test_a_waiter_that_is_cancelled_takes_no_place_along(pool_of):
    async def main():
        holder = asyncio.create_task(asyncdb.run(sleep, 0.2))
        await asyncio.sleep(0.02)
        waiters = [asyncio.create_task(asyncdb.run(backend)) for _ in range(5)]
        await asyncio.sleep(0.02)
        for waiter in waiters:
            waiter.cancel()
        await holder
        return await refusal(backend)

    pool_of(1, patience=5)

    assert on_loop(main) == "done"


def test_an_idle_connection_that_the_server_has_ended_is_replaced():
    async def main():
        first = await asyncdb.run(backend)
        # By the connection of the test, which blocks: not on this loop.
        await asyncio.to_thread(_kill_and_close, first)
        await asyncio.sleep(0.1)
        return first, await asyncdb.run(backend)

    first, second = on_loop(main)

    assert first != second


def _kill_and_close(process):
    kill(process)
    connection.close()


def test_a_connection_that_dies_in_the_middle_is_not_given_to_the_next(pool_of):
    async def main():
        def doomed():
            seen.append(backend())
            with transaction.atomic():
                SmsCountry.objects.create(code="GB")
                sleep(5)

        seen = []
        task = asyncio.create_task(refusal(doomed))
        while not seen:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await asyncdb.run(kill, seen[0])
        return await task, seen[0], {await asyncdb.run(backend) for _ in range(3)}

    pool_of(2)
    outcome, dead, alive = on_loop(main)

    assert outcome == "OperationalError"
    assert dead not in alive
    assert not SmsCountry.objects.filter(code="GB").exists()


def test_a_connection_that_is_left_in_a_transaction_is_closed():
    def leave_open():
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
        SmsCountry.objects.create(code="GB")

    def manual():
        transaction.set_autocommit(False)
        SmsCountry.objects.create(code="IE")

    async def main():
        await asyncdb.run(leave_open)
        await asyncdb.run(manual)
        return await asyncdb.run(transaction.get_autocommit)

    assert on_loop(main)
    assert not SmsCountry.objects.exclude(code="*").exists()


def test_a_connection_grows_as_old_as_django_lets_it(monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)

    async def main():
        return {await asyncdb.run(backend) for _ in range(3)}

    assert len(on_loop(main)) == 3


def test_a_connection_that_lay_idle_is_asked_whether_the_server_is_there(monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "CONN_HEALTH_CHECKS", True)
    asked = []

    def usable(self):
        asked.append(self)
        return False

    async def main():
        first = await asyncdb.run(backend)
        same = await asyncdb.run(backend)
        monkeypatch.setattr(pool, "FRESH_SECONDS", 0)
        monkeypatch.setattr(pool.DatabaseWrapper, "is_usable", usable)
        return first, same, await asyncdb.run(backend)

    first, same, other = on_loop(main)

    assert first == same != other
    assert len(asked) == 1


def test_a_server_that_is_not_there_is_an_error_of_the_database_and_keeps_no_place(
    pool_of, monkeypatch
):
    async def main():
        return [await refusal(backend) for _ in range(3)]

    pool_of(1)
    with monkeypatch.context() as patched:
        patched.setitem(connections.settings["default"], "PORT", 1)
        assert on_loop(main) == [OperationalError.__name__] * 3


def test_an_engine_that_would_block_is_refused(monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "ENGINE", "django.db.backends.postgresql")

    assert not asyncdb.is_native()
    with pytest.raises(ImproperlyConfigured, match="asyncdb.postgresql"):
        on_loop(lambda: asyncdb.run(backend))


def test_when_the_process_ends_no_connection_is_left():
    def others():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
            return cursor.fetchone()[0]

    async def main():
        late = asyncio.create_task(asyncdb.run(sleep, 0.2))
        await gather(*[backend] * 5)
        await asyncdb.close()
        await late

    on_loop(main)
    until = time.monotonic() + 5
    while others() and time.monotonic() < until:
        time.sleep(0.02)

    assert others() == 0
