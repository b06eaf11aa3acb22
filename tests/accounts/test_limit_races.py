"""Limits under many requests at once: neighbours who share networks never break each other's statements off."""

import threading
import time

import pytest
from django.db import connection, transaction

from accounts import limits
from accounts.sessions.client import ClientInfo
from ratelimits import engine
from ratelimits.engine import STAMP, Limit, consume, exhaust, refund, reset
from ratelimits.models import Bucket
from ratelimits.rates import Rate
from tests.support.races import at_once

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

NEIGHBOURS = 6
SECONDS = 3
MANY = 100


def comes_and_goes(number):
    """One home of a /56: right passwords, each of which takes its tries and returns them; how often it went."""
    home = limits.passwords_by_ip(ClientInfo(ip=f"2001:db8:1:2{number:02x}::1"))
    until, rounds = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        refund(*limits.enforce_durably(*home).values())
        rounds += 1
    return rounds


def forgets(number):
    """Staff who lift the same limits in one order or the other, while others take them."""
    every = [Limit(f"limit {each}", "ana", Rate(MANY, 3600)) for each in range(8)]
    mine = every if number % 2 else every[::-1]
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        taken = consume(*mine)
        exhaust(*list(taken.values())[:4])
        reset(*mine)


@pytest.fixture
def _nothing_is_run_again(monkeypatch):
    """A statement that is broken off is seen."""
    monkeypatch.setattr(engine, "BROKEN_OFF", 0)


@pytest.mark.usefixtures("_nothing_is_run_again")
def test_six_homes_of_one_network_break_nobody_off():  # LIM-05, LIM-07
    rounds = at_once(*[lambda home=home: comes_and_goes(home) for home in range(NEIGHBOURS)])

    assert min(rounds) > 0
    # Each returned exactly what it took.
    assert not Bucket.objects.exclude(hits="").exists()


@pytest.mark.usefixtures("_nothing_is_run_again")
def test_limits_are_taken_closed_and_lifted_at_once():  # LIM-07
    at_once(*[lambda each=each: forgets(each) for each in range(NEIGHBOURS)])

    assert not Bucket.objects.exclude(hits="").exists()


def test_limits_that_are_broken_off_half_way_are_taken_again():  # LIM-07
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one write at a time")
    first, last = sorted((Limit(name, "ana", Rate(5, 60)) for name in "ab"), key=lambda it: it.key)
    consume(first, last)

    held = threading.Event()

    def holds_the_last():
        with transaction.atomic(), connection.cursor() as cursor:
            # The other one waits first, and so is the one that PostgreSQL breaks off.
            cursor.execute("SET LOCAL deadlock_timeout = '10s'")
            Bucket.objects.select_for_update().get(key=last.key)
            held.set()
            wait_until(lambda: is_waited_for(cursor))
            Bucket.objects.select_for_update().get(key=first.key)

    def takes_both():
        held.wait(10)
        return len(limits.enforce_durably(first, last))

    assert at_once(holds_the_last, takes_both) == [None, 2]

    assert [len(bucket.hits) for bucket in Bucket.objects.all()] == [2 * STAMP] * 2


def is_waited_for(cursor):
    """Whether somebody waits for a row that this transaction has locked."""
    cursor.execute(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"
    )
    return cursor.fetchone()[0] > 0


def wait_until(condition, seconds=10):
    """Wait for so long at most."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
