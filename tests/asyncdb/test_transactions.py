"""In a lane a transaction is what it is everywhere in Django."""

import asyncio
import time
from contextlib import suppress

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

import asyncdb
from accounts.models.sms_countries import SmsCountry
from tests.support.lanes import gather, in_one_lane, on_loop, outcomes


def codes():
    """The rows that there are."""
    return set(SmsCountry.objects.exclude(code="*").values_list("code", flat=True))


def test_what_a_transaction_wrote_is_there_afterwards():
    def write():
        with transaction.atomic():
            SmsCountry.objects.create(code="GB")
            SmsCountry.objects.create(code="IE")

    in_one_lane(write)

    assert codes() == {"GB", "IE"}


def test_an_error_takes_all_of_it_back():
    def write():
        with transaction.atomic():
            SmsCountry.objects.create(code="GB")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        in_one_lane(write)

    assert codes() == set()


def test_a_savepoint_is_taken_back_alone():
    def write():
        with transaction.atomic():
            SmsCountry.objects.create(code="GB")
            with suppress(IntegrityError), transaction.atomic():
                SmsCountry.objects.create(code="IE")
                SmsCountry.objects.create(code="GB")
            SmsCountry.objects.create(code="FR")

    in_one_lane(write)

    assert codes() == {"GB", "FR"}


def test_hooks_run_when_it_is_committed_and_not_when_it_is_taken_back():
    heard = []

    def write(fails):
        with transaction.atomic():
            transaction.on_commit(lambda: heard.append(codes()))
            SmsCountry.objects.create(code="IE" if fails else "GB")
            if fails:
                raise ValueError

    async def main():
        await asyncdb.run(write, False)
        with pytest.raises(ValueError):  # noqa: PT011  its own
            await asyncdb.run(write, True)
        await asyncdb.run(codes)

    on_loop(main)

    assert heard == [{"GB"}]


def test_a_durable_transaction_must_be_the_outermost():
    def write():
        with transaction.atomic(), transaction.atomic(durable=True):
            pass

    with pytest.raises(RuntimeError, match="durable"):
        in_one_lane(write)


def test_a_transaction_that_is_set_to_roll_back_does():
    def write():
        with transaction.atomic():
            SmsCountry.objects.create(code="GB")
            transaction.set_rollback(True)

    in_one_lane(write)

    assert codes() == set()


def test_of_twenty_lanes_one_takes_what_there_is_once():
    def spend():
        return SmsCountry.objects.filter(code="GB", sent__gt=0).update(sent=F("sent") - 1)

    SmsCountry.objects.create(code="GB", sent=1)

    assert outcomes(on_loop(lambda: gather(*[spend] * 20))) == {1: 1, 0: 19}


def test_a_lane_waits_for_a_row_that_another_one_has_locked():
    story = []

    def first():
        with transaction.atomic():
            SmsCountry.objects.select_for_update().get(code="GB")
            story.append("first has it")
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.3)")
            story.append("first lets go")

    def second():
        with transaction.atomic():
            SmsCountry.objects.select_for_update().get(code="GB")
            story.append("second has it")

    async def main():
        one = asyncio.create_task(asyncdb.run(first))
        while not story:
            await asyncio.sleep(0.01)
        await asyncio.gather(one, asyncdb.run(second))

    SmsCountry.objects.create(code="GB")
    on_loop(main)

    assert story == ["first has it", "first lets go", "second has it"]


def test_each_lane_has_a_connection_of_its_own():
    def backend():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.05), pg_backend_pid()")
            return cursor.fetchone()[1]

    assert len(set(on_loop(lambda: gather(*[backend] * 5)))) == 5


def test_rows_are_read_in_pieces_and_written_by_the_many():
    def write_and_read():
        names = [f"{left}{right}" for left in "ABCDEFGH" for right in "QRSTUVWXYZ"]
        SmsCountry.objects.bulk_create([SmsCountry(code=name) for name in names])
        rows = SmsCountry.objects.exclude(code="*").order_by("code")
        return names, [row.code for row in rows.iterator(chunk_size=7)]

    written, read = in_one_lane(write_and_read)

    assert written == read


def test_executemany_copy_and_streams_wait_in_a_lane_too():
    def work():
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE accounts_smscountry SET sent = %s WHERE code = %s", [(1, "GB"), (2, "IE")]
            )
            with cursor.copy("COPY (SELECT generate_series(1, 1000)) TO STDOUT") as copy:
                copied = sum(int(row[0]) for row in copy.rows())
            streamed = []
            for row in cursor.stream("SELECT generate_series(1, 100000)"):
                streamed.append(row[0])
                if len(streamed) == 3:
                    break
            return copied, streamed

    SmsCountry.objects.bulk_create([SmsCountry(code="GB"), SmsCountry(code="IE")])

    assert in_one_lane(work) == (500500, [1, 2, 3])


def test_an_error_of_the_database_is_djangos():
    def twice():
        SmsCountry.objects.create(code="GB")
        SmsCountry.objects.create(code="GB")

    with pytest.raises(IntegrityError):
        in_one_lane(twice)


def test_a_statement_that_takes_too_long_is_ended_by_the_server():
    def slow():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '100ms'")
            cursor.execute("SELECT pg_sleep(5)")

    begun = time.monotonic()
    with pytest.raises(Exception, match="statement timeout"):
        in_one_lane(slow)

    assert time.monotonic() - begun < 2
