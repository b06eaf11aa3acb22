"""Many refreshes at once: real threads, each with a connection of its own."""

import pytest

from accounts.errors import TokenNotValid
from accounts.models import Challenge, SecurityEvent, Session
from api.operations import sessions
from tests.support.apps import ANDROID, THIEF, App
from tests.support.people import make_user, time_passes
from tests.support.races import at_once

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def refreshing(token, client=ANDROID):
    def refresh():
        try:
            return sessions.refresh(token, client=client)
        except TokenNotValid:
            return None

    return refresh


def test_fifty_refreshes_with_one_token_get_one_answer():
    app = App(make_user())

    answers = at_once(*[refreshing(app.tokens.refresh)] * 50)

    assert len(set(answers)) == 1
    assert answers[0] is not None
    assert Session.objects.get().generation == 2
    assert sessions.authenticate(answers[0].access)
    assert not SecurityEvent.objects.filter(kind="token_replayed").exists()


def test_of_fifty_with_an_old_token_one_tells_the_owner():
    app = App(make_user())
    before = app.refreshes()
    time_passes(seconds=31)

    answers = at_once(*[refreshing(before.refresh, THIEF)] * 50)

    assert set(answers) == {None}
    assert not Session.objects.exists()
    assert SecurityEvent.objects.filter(kind="token_replayed").count() == 1
    assert Challenge.objects.count() == 1


def test_whoever_refreshes_while_it_is_signed_out_gets_one_answer_or_none():
    app = App(make_user())

    def end():
        sessions.end(app.tokens.refresh, client=ANDROID)

    acts = [refreshing(app.tokens.refresh)] * 10
    answers = at_once(*acts, end, *acts)

    assert len(set(answers) - {None}) <= 1
    assert not Session.objects.exists()
    assert not SecurityEvent.objects.filter(kind="token_replayed").exists()
