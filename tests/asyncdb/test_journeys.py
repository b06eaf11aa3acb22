"""The shop's own flows in lanes: what its tests hold for threads holds on the loop."""

import threading

import pytest
from asgiref.sync import SyncToAsync
from django.db import connection

import asyncdb
from accounts import conf
from accounts.errors import Refused
from accounts.flows import challenge as challenges
from accounts.flows import registration
from accounts.identifiers import parse
from accounts.models import Challenge, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from messaging.outbox import api as outbox
from tests.support.lanes import gather, on_loop, outcomes

CLIENT = ClientInfo(ip="192.0.2.10")
WHO = parse("ana@example.com")


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    """Messages stay in the outbox: where there is no broker, they would be sent here and now."""
    monkeypatch.setattr(outbox, "nudge", lambda message_id: None)


@pytest.fixture
def challenge(settings):
    """An attempt to register, begun by the real flow in a lane."""
    settings.ASYNCDB = {"POOL_TIMEOUT": 30}
    return on_loop(lambda: asyncdb.run(begin))


def begin():
    return registration.begin(WHO, client=CLIENT)


def guess(challenge, code):
    def check():
        mine = Challenge.objects.get(pk=challenge.pk)
        try:
            challenges.check(mine, code, client=CLIENT)
        except Refused as refusal:
            return type(refusal).__name__
        return "right"

    return check


def test_of_fifty_wrong_codes_at_once_five_are_looked_at(challenge):  # COD-06
    wrong = "000000" if challenge.code != "000000" else "111111"

    came_to = outcomes(on_loop(lambda: gather(*[guess(challenge, wrong)] * 50)))

    row = Challenge.objects.get(pk=challenge.pk)
    assert row.tries_left == 0
    # Who takes the last try is told that they are used up, and so is whoever comes later.
    assert came_to.pop("CodeUsedUp") >= 46
    assert set(came_to) <= {"CodeWrong"}
    assert sum(came_to.values()) <= conf.CODE_MAX_ATTEMPTS - 1


def test_twenty_right_codes_at_once_make_one_user(challenge):  # COD-11
    def confirm():
        mine = Challenge.objects.get(pk=challenge.pk)
        try:
            done = registration.confirm(
                mine,
                challenge.code,
                profile=registration.Profile(),
                visitor=Visitor(CLIENT),
                sign_in=lambda user: None,
            )
        except Refused as refusal:
            return type(refusal).__name__
        return type(done).__name__

    came_to = outcomes(on_loop(lambda: gather(*[confirm] * 20)))

    assert came_to["Registered"] == 1
    assert came_to["CodeClosed"] == 19
    assert User.objects.filter(email_key=WHO.key).count() == 1


def test_a_flow_takes_no_thread(challenge, monkeypatch):  # promise 0.16
    hops = []
    monkeypatch.setattr(SyncToAsync, "__call__", lambda *args, **kwargs: hops.append(args))
    threads = threading.active_count()

    on_loop(lambda: asyncdb.run(guess(challenge, challenge.code)))

    assert hops == []
    assert threading.active_count() == threads


def test_a_flow_asks_the_same_statements_in_a_lane(challenge):
    def statements():
        connection.force_debug_cursor = True
        try:
            guess(challenge, challenge.code)()
            return [query["sql"].split()[0] for query in connection.queries]
        finally:
            connection.force_debug_cursor = False

    blocking = statements()
    connection.queries_log.clear()

    assert on_loop(lambda: asyncdb.run(statements)) == blocking
