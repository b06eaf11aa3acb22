"""Usernames are public; whoever wants a list of them gets twenty answers a minute."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import conf
from accounts.flows import registration
from accounts.models import SecurityEvent, User
from accounts.sessions.client import ClientInfo
from ratelimits.models import Bucket
from ratelimits.rates import parse_rates
from tests.support.account import joins
from tests.support.people import PASSWORD, Postbox, Shopper, nowhere, time_passes

NAMES = "/account/names/"
PROBES = 20


@pytest.fixture
def taken(bea):
    """A name that is somebody's."""
    joins(bea, email="bea@example.com", username="bea")
    return "bea"


def begins(browser, username):
    """Step 1, with everything."""
    return browser.identify(f"{Bucket.objects.count()}@example.com", username=username)


def completes(browser, username):
    """Step 3."""
    return browser.complete(username=username)


def renames(browser, username):
    """A member changes the name."""
    return browser.post(NAMES, name="Eve", username=username)


def stranger(browser):
    """Somebody who has not begun."""


def verified(browser):
    """Somebody who has typed the code."""
    browser.identify("eve@example.com")
    browser.verify(Postbox().code("eve@example.com"))


def member(browser):
    """Somebody with an account."""
    joins(browser, email="eve@example.com")


DOORS = {"step 1": (stranger, begins), "step 3": (verified, completes), "names": (member, renames)}


@pytest.mark.parametrize(("ready", "act"), DOORS.values(), ids=DOORS)
def test_twenty_names_a_minute_can_be_tried_and_not_one_more(taken, monkeypatch, ready, act):
    monkeypatch.setattr(conf, "REGISTER_PER_IP", parse_rates("1000/h"))
    eve = Shopper("json")
    ready(eve)

    answers = [act(eve, taken) for _ in range(PROBES + 2)]

    assert all("username" in answer.json()["errors"] for answer in answers[:PROBES])
    assert [answer.status_code for answer in answers] == [400] * PROBES + [429] * 2
    assert "too often" in answers[-1].json()["message"]
    assert SecurityEvent.objects.filter(kind="limit_hit").count() == 1
    # A taken name and a free one are refused alike.
    assert act(eve, "free-name").status_code == 429

    time_passes(minutes=1)
    assert act(eve, taken).status_code == 400


def test_many_accounts_in_one_household_share_the_twenty(taken):
    members = [Shopper("json") for _ in range(3)]
    for number, each in enumerate(members):
        joins(each, email=f"eve{number}@example.com")

    answers = [renames(members[n % 3], taken).status_code for n in range(PROBES + 1)]

    assert answers == [400] * PROBES + [429]


def test_an_owner_chooses_a_free_name_and_keeps_it(ana, taken):
    user = joins(ana)

    assert renames(ana, "ana").to == "/account/"
    for _ in range(PROBES + 5):
        # The name they have is no probe.
        ana.post(NAMES, name="Ana Ng", username="ana")
    user.refresh_from_db()

    assert user.username == "ana"
    assert Bucket.objects.filter(name="username probes").count() == 1


def test_the_third_step_sent_twice_finds_its_own_name_free(ana):  # COD-11
    verified(ana)
    user = User.objects.get()
    said = {"name": "Ana", "password": PASSWORD, "username": "ana", "contact": None}

    for _click in range(2):
        registration.complete(
            user, **said, client=ClientInfo(ip="203.0.113.7"), keep_session=nowhere
        )

    assert User.objects.get().username == "ana"


def test_a_sign_up_without_a_username_asks_nothing_for_it(ana):
    with CaptureQueriesContext(connection) as queries:
        verified(ana)
        ana.complete()

    assert not any("username probes" in query["sql"] for query in queries)
    assert not any('WHERE "accounts_user"."username"' in query["sql"] for query in queries)
