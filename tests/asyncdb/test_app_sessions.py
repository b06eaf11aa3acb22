"""Apps refresh in lanes: many at once, and cancelled at any wait, after which the same token gets its answer."""

import asyncio

import pytest

import asyncdb
from accounts.errors import TokenNotValid
from accounts.models import Challenge, SecurityEvent, Session
from api.operations import sessions
from messaging.outbox import wakeup
from tests.support.apps import ANDROID, THIEF, App
from tests.support.lanes import at_wait, gather, in_one_lane, on_loop
from tests.support.people import make_user, time_passes


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    """Messages stay in the outbox: where there is no broker, they would be sent here and now."""
    monkeypatch.setattr(wakeup, "nudge", lambda message_id: None)


@pytest.fixture
def app(settings):
    settings.ASYNCDB = {"POOL_TIMEOUT": 30}
    return App(make_user())


def refreshing(token, client=ANDROID):
    def refresh():
        try:
            return sessions.refresh(token, client=client)
        except TokenNotValid:
            return None

    return refresh


def test_fifty_refreshes_with_one_token_get_one_answer(app):
    answers = on_loop(lambda: gather(*[refreshing(app.tokens.refresh)] * 50))

    (answer,) = set(answers)
    assert answer.refresh != app.tokens.refresh
    assert Session.objects.get().generation == 2
    assert in_one_lane(sessions.authenticate, answer.access) == app.session


def test_of_fifty_with_an_old_token_one_tells_the_owner(app):
    before = app.refreshes()
    time_passes(seconds=31)

    answers = on_loop(lambda: gather(*[refreshing(before.refresh, THIEF)] * 50))

    assert set(answers) == {None}
    assert not Session.objects.exists()
    assert SecurityEvent.objects.filter(kind="token_replayed").count() == 1
    assert Challenge.objects.count() == 1


def test_a_refresh_that_is_cancelled_anywhere_gets_its_answer_when_it_is_asked_again(app):
    def cancel(_connection):
        asyncio.current_task().cancel()

    async def cancelled(number):
        with at_wait(number, cancel) as waits:
            task = asyncio.ensure_future(asyncdb.run(refreshing(app.tokens.refresh)))
            await asyncio.gather(task, return_exceptions=True)
        return len(waits)

    number = 0
    while on_loop(lambda number=number: cancelled(number)) > number:
        app.refreshes()
        number += 1

    assert number >= 2
    assert app.is_signed_in
    assert Session.objects.get().generation > number
    assert not SecurityEvent.objects.filter(kind="token_replayed").exists()
