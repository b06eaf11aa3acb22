"""Staff look at a year of people: no page waits, whatever it is asked for."""

import statistics
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Challenge, SecurityEvent, User
from backoffice.modeladmin import is_large
from messaging.models import OutboxMessage, Provider
from tests.scale import plans
from tests.support.people import Shopper
from tests.support.staff import let_in_staff, make_staff

USERS, CHALLENGES = "/admin/accounts/user/", "/admin/accounts/challenge/"
EVENTS, MESSAGES = "/admin/accounts/securityevent/", "/admin/messaging/outboxmessage/"
LOOKUP, DASHBOARD = "/admin/lookup/", "/admin/signups/"
REQUESTS, QUERIES, MILLISECONDS = 20, 12, 150
pytestmark = pytest.mark.scale

# The last page of a list looks at all before it.
ROWS = 50_000

PAGES = {
    "users": lambda: USERS,
    "users, page 2": lambda: f"{USERS}?p=2",
    "users, page 100": lambda: f"{USERS}?p=100",
    "users, active": lambda: f"{USERS}?state=active",
    "users, leaving": lambda: f"{USERS}?state=leaving",
    "users, deactivated": lambda: f"{USERS}?state=closed",
    "users, locked": lambda: f"{USERS}?state=locked",
    "users, by email": lambda: f"{USERS}?verified=email",
    "users, by number": lambda: f"{USERS}?verified=phone",
    "users, by both": lambda: f"{USERS}?verified=both",
    "users, by neither": lambda: f"{USERS}?verified=none",
    "users, staff": lambda: f"{USERS}?is_staff__exact=1",
    "users, of a year": lambda: f"{USERS}?date_joined_from={_month()[0]}-01-01",
    "users, of a month": lambda: f"{USERS}?{_of_month('date_joined')}",
    "users, of a day": lambda: f"{USERS}?{_of_day('date_joined')}",
    "users, any order": lambda: f"{USERS}?o=1.3.-7",
    "users, asked for counts": lambda: f"{USERS}?_facets=True",
    "users named Ana": lambda: f"{USERS}?q=Ana",
    "users named Ana Silva": lambda: f"{USERS}?q=Ana+Silva",
    "users, no such name": lambda: f"{USERS}?q=Nobodyatall",
    "users, a username": lambda: f"{USERS}?q={_user(username__isnull=False).username}",
    "users, an id": lambda: f"{USERS}?q={_user(email__isnull=False).pk}",
    "a user": lambda: f"{USERS}{_busy()}/change/",
    "a user's history": lambda: f"{USERS}{_busy()}/history/",
    "challenges": lambda: CHALLENGES,
    "challenges, page 100": lambda: f"{CHALLENGES}?p=100",
    "challenges, of a month": lambda: f"{CHALLENGES}?{_of_month('created_at')}",
    "challenges, of a day": lambda: f"{CHALLENGES}?{_of_day('created_at')}",
    "challenges, of a user": lambda: f"{CHALLENGES}?q={_busy()}",
    "challenges, an id": lambda: f"{CHALLENGES}?q={Challenge.objects.latest('created_at').pk}",
    "a challenge": lambda: f"{CHALLENGES}{Challenge.objects.latest('created_at').pk}/change/",
    "events": lambda: EVENTS,
    "events, page 100": lambda: f"{EVENTS}?p=100",
    "events, of a month": lambda: f"{EVENTS}?{_of_month('at')}",
    "events, of a user": lambda: f"{EVENTS}?q={_busy()}",
    "events, of a username": lambda: f"{EVENTS}?q={_user(username__isnull=False).username}",
    "events, by email": lambda: f"{EVENTS}?identifier_kind=email",
    "events, by username": lambda: f"{EVENTS}?identifier_kind=username",
    "an event": lambda: f"{EVENTS}{SecurityEvent.objects.latest('at').pk}/change/",
    "messages": lambda: MESSAGES,
    "messages, page 100": lambda: f"{MESSAGES}?p=100",
    "messages, an id": lambda: f"{MESSAGES}?q={OutboxMessage.objects.latest('created_at').pk}",
    "messages, as texts": lambda: f"{MESSAGES}?channel__exact=sms",
    "messages, by Main post": lambda: (
        f"{MESSAGES}?provider={Provider.objects.get(name='Main post').pk}"
    ),
    "messages, by nobody": lambda: f"{MESSAGES}?provider=Nobody",
    "messages, notices": lambda: f"{MESSAGES}?template=notice",
    "a message": lambda: f"{MESSAGES}{OutboxMessage.objects.latest('created_at').pk}/change/",
    "providers": lambda: "/admin/messaging/provider/",
    "countries": lambda: "/admin/accounts/smscountry/",
    "alerts": lambda: "/admin/messaging/alert/",
    "breakers": lambda: "/admin/messaging/breaker/",
    "front page": lambda: "/admin/",
    "dashboard": lambda: DASHBOARD,
    "dashboard, today": lambda: f"{DASHBOARD}?period=1",
    "dashboard, 30 days": lambda: f"{DASHBOARD}?period=30",
    "dashboard, 90 days": lambda: f"{DASHBOARD}?period=90",
    "dashboard, 90 days of texts": lambda: f"{DASHBOARD}?period=90&channel=sms",
    "dashboard, 90 days as CSV": lambda: f"{DASHBOARD}?period=90&format=csv",
}
for (
    kind
) in "signed_in staff_looked_up code_wrong registered password_locked data_downloaded".split():
    PAGES[f"events, {kind}"] = lambda kind=kind: f"{EVENTS}?kind={kind}"
for state in "valid used replaced used_up expired".split():
    PAGES[f"challenges, {state}"] = lambda state=state: f"{CHALLENGES}?state={state}"
for purpose in "register contact login confirm reset not_me".split():
    PAGES[f"challenges, {purpose}"] = lambda purpose=purpose: (
        f"{CHALLENGES}?purpose__exact={purpose}"
    )
for status in "queued sending sent delivered bounced complained failed expired cancelled".split():
    PAGES[f"messages, {status}"] = lambda status=status: f"{MESSAGES}?status__exact={status}"

ASKED = {
    "why no code? an address": lambda: _user(email__isnull=False).email,
    "why no code? a number": lambda: _user(phone__isnull=False).phone,
    "why no code? a stranger": lambda: (
        Challenge.objects.filter(user=None).latest("created_at").address
    ),
    "why no code? nobody": lambda: "nobody@nowhere.example",
}


def _user(**condition):
    return User.objects.filter(is_staff=False, **condition).order_by("-date_joined")[3]


def _busy():
    """Somebody with a long history."""
    return (
        SecurityEvent.objects.filter(kind="password_locked", user__isnull=False)
        .latest("at")
        .user_id
    )


def _month():
    joined = _user(email__isnull=False).date_joined
    return (joined.year, joined.month - 1) if joined.month > 1 else (joined.year - 1, 12)


def _of_month(field):
    year, month = _month()
    return f"{field}_from={year}-{month:02}-01&{field}_to={year}-{month:02}-28"


def _of_day(field):
    year, month = _month()
    return f"{field}_from={year}-{month:02}-03&{field}_to={year}-{month:02}-03"


@pytest.fixture
def staff(db):
    """The browser of a member of staff who may do everything."""
    browser = Shopper(ip="192.0.2.50")
    make_staff()
    let_in_staff(browser.client)
    return browser.client


@pytest.mark.parametrize("name", PAGES)
def test_a_page_answers_at_once(staff, figures, name):
    url = PAGES[name]()

    _holds(name, lambda: staff.get(url), figures)


@pytest.mark.parametrize("name", ASKED)
def test_why_no_code_answers_at_once(staff, figures, name):
    who = ASKED[name]()

    _holds(name, lambda: staff.post(LOOKUP, {"who": who}), figures)


def test_lists_that_were_not_counted_say_so(staff):
    lists = {USERS: User, CHALLENGES: Challenge, EVENTS: SecurityEvent, MESSAGES: OutboxMessage}
    large = [url for url, model in lists.items() if is_large(model)]

    assert {CHALLENGES, EVENTS} <= {*large}
    for url in large:
        assert "about " in staff.get(url).content.decode(), url


def _holds(name, request, figures):
    answer = request()
    assert answer.status_code == 200, answer.headers
    is_timed = plans.is_timed()
    times = sorted(_milliseconds(request) for _time in range(REQUESTS if is_timed else 1))
    with CaptureQueriesContext(connection) as captured:
        request()
    trees = {sql: plans.plan(sql) for sql in plans.selects(captured)}
    whole = {table for nodes in trees.values() for table in plans.whole_tables(nodes)}
    read = max(map(plans.rows_read, trees.values()))
    p95, median = times[int(len(times) * 0.95) - 1], statistics.median(times)
    slow = [
        what
        for what, is_so in {
            f"reads all of {', '.join(whole)}": whole,
            "rows": read > ROWS,
            "slow": is_timed and p95 > MILLISECONDS,
            "queries": len(captured) > QUERIES,
        }.items()
        if is_so
    ]
    figures.append(
        f"{name:44} {len(captured):7}  {median:9.1f}  {p95:6.1f}  {read:9,}  {', '.join(slow)}"
    )
    assert not slow, [sql for sql, nodes in trees.items() if plans.whole_tables(nodes)]


def _milliseconds(request):
    start = time.perf_counter()
    request()
    return (time.perf_counter() - start) * 1000
