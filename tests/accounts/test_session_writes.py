"""The row of a session is written in the transaction that proves who is there, whatever dies or happens meanwhile."""

import sys
import threading

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection, connections
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from accounts.identifiers import parse
from accounts.models import Challenge, SecurityEvent, Session, User
from accounts.sessions import middleware, pending
from storefront import BASE_DIR
from tests.support.pages import Page, words
from tests.support.people import LINK, LOGIN, PASSWORD, Postbox, Shopper

CODE, CODE_VERIFY = "/login/code/", "/login/code/verify/"
EMAIL_PAGE, CONTACT, NAMES = "/account/contacts/email/", "/account/contact/", "/account/names/"
NEW = "new@example.com"
OURS = tuple(f"{BASE_DIR / app}/" for app in ("accounts", "messaging", "ratelimits", "storefront"))
# How many points of a request it is killed at, spread over all calls of functions of ours; and before a release.
POINTS, RELEASE_POINTS = 12, 50

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process is gone: what was committed stays, and nobody answers."""


def account(email):
    return User.objects.register(
        parse(email), name="Ana", completed_at=Now(), password=make_password(PASSWORD)
    )


def signs_up(shopper, who):
    shopper.identify(who)
    code = Postbox().code(who)
    return lambda: shopper.verify(code)


def opens_a_link(shopper, who):
    shopper.identify(who)
    shopper.open(Postbox().link(who))
    return lambda: shopper.post(LINK)


def signs_in_by_code(shopper, who):
    account(who)
    shopper.post(CODE, identifier=who)
    code = Postbox().code(who)
    return lambda: shopper.post(CODE_VERIFY, code=code)


def signs_in_by_password(shopper, who):
    account(who)
    return lambda: shopper.post(LOGIN, identifier=who, password=PASSWORD)


WAYS_IN = [signs_up, opens_a_link, signs_in_by_code, signs_in_by_password]


def calls_until_killed(act, point=None):
    """Do `act` and say how many calls of functions of ours it took; die at the call of this number."""
    seen = 0

    def count(frame, event, _argument):
        nonlocal seen
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            seen += 1
            if seen == point:
                sys.setprofile(None)
                raise Killed

    sys.setprofile(count)
    try:
        act()
    except Killed:
        pass
    finally:
        sys.setprofile(None)
    return seen


def assert_whoever_came_in_has_a_session():
    """I8: an event of a sign-in without a session, or a verified attempt without one, must not exist."""
    signed_in = SecurityEvent.objects.filter(kind="signed_in").values_list("user_id", flat=True)
    sessions = Session.objects.exclude(user=None).values_list("user_id", flat=True)
    assert sorted(map(str, signed_in)) == sorted(map(str, sessions))


# Dying in what Python calls when it throws an object away is only reported.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way_in", WAYS_IN)
def test_whoever_is_verified_has_a_session_wherever_the_process_dies(  # SES-13, I8
    way_in, is_release
):
    points = RELEASE_POINTS if is_release else POINTS
    calls = calls_until_killed(way_in(Shopper(ip="203.0.113.200"), "first@example.com"))

    for point in range(1, calls, calls // points):
        shopper = Shopper(ip=f"198.51.100.{point % 250 + 1}")
        act = way_in(shopper, f"fan{point}@example.com")
        calls_until_killed(act, point)
        assert_whoever_came_in_has_a_session()


@pytest.mark.parametrize("way_in", WAYS_IN)
def test_the_session_is_written_once_and_in_the_transaction(ana, way_in):  # SES-13
    act = way_in(ana, "ana@example.com")

    with CaptureQueriesContext(connection) as queries:
        assert act().status_code == 303

    done = [query["sql"] for query in queries]
    written = [
        number
        for number, sql in enumerate(done)
        if sql.startswith(('UPDATE "accounts_session"', 'INSERT INTO "accounts_session"'))
    ]
    assert len(written) == 1
    assert "COMMIT" in done[written[0] :]
    assert ana.is_signed_in


@pytest.mark.parametrize("way_in", [signs_up, signs_in_by_code])
def test_who_lost_the_answer_gets_another_code_with_one_click(way_in, monkeypatch):  # SES-13
    ana, who = Shopper(), "ana@example.com"
    act = way_in(ana, who)
    with monkeypatch.context() as patched:
        patched.setattr(middleware, "_save", _die)
        with pytest.raises(Killed):
            act()
    assert not ana.is_signed_in

    led = ana.get(act().page)

    assert "already confirmed" in words(led)
    (form,) = [form for form in Page(led).forms if form.get("action") == CODE]
    ana.post(CODE, {**form["fields"], "identifier": who})
    ana.post(CODE_VERIFY, code=Postbox().code(who))
    assert ana.is_signed_in


def _die(*_arguments):
    raise Killed


# A sign-in and a change of the contact, at once


@pytest.fixture
def owner():
    """Whoever signed up with an address, and has another one that waits for its code."""
    shopper = Shopper(ip="192.0.2.1").signs_up("ana@example.com")
    shopper.post(EMAIL_PAGE, contact=NEW)
    return shopper


def asks_for_code():
    """Somebody else who reads the address: the code is on its way to be typed."""
    reader = Shopper(ip="192.0.2.2")
    reader.post(CODE, identifier="ana@example.com")
    code = Postbox().code("ana@example.com")
    return reader, lambda: reader.post(CODE_VERIFY, code=code)


def in_a_thread(act):
    def run():
        try:
            act()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def assert_only_the_owner_is_in(owner, reader):
    assert User.objects.get().email == NEW
    assert (owner.is_signed_in, reader.is_signed_in) == (True, False)
    assert set(Session.objects.exclude(user=None).values_list("pk", flat=True)) == {
        owner.session_key
    }


def test_no_session_outlives_a_change_that_came_before_its_answer(owner, monkeypatch):  # SES-13
    reader, signs_in = asks_for_code()
    proven, changed, save = threading.Event(), threading.Event(), middleware._save

    def late(session, response):
        if threading.current_thread() is thread:
            proven.set()
            changed.wait(30)
        save(session, response)

    monkeypatch.setattr(middleware, "_save", late)
    thread = threading.Thread(target=lambda: (signs_in(), connections.close_all()))
    thread.start()
    assert proven.wait(30)
    assert owner.post(CONTACT, code=Postbox().code(NEW)).status_code == 303
    changed.set()
    thread.join()

    assert_only_the_owner_is_in(owner, reader)


def test_a_change_waits_for_a_sign_in_and_ends_its_session(owner, monkeypatch):  # SES-13
    reader, signs_in = asks_for_code()
    code = Postbox().code(NEW)
    proven, go_on, sign_in = threading.Event(), threading.Event(), pending.sign_in

    def slow(*args, **kwargs):
        sign_in(*args, **kwargs)
        proven.set()
        go_on.wait(30)

    monkeypatch.setattr(pending, "sign_in", slow)
    entering = in_a_thread(signs_in)
    assert proven.wait(30)
    changing = in_a_thread(lambda: owner.post(CONTACT, code=code))
    changing.join(0.5)
    assert changing.is_alive()
    go_on.set()
    for thread in (entering, changing):
        thread.join()

    assert_only_the_owner_is_in(owner, reader)


def test_a_sign_in_after_the_change_opens_nothing(owner):  # SES-06, SES-13
    reader, signs_in = asks_for_code()

    owner.post(CONTACT, code=Postbox().code(NEW))
    signs_in()

    assert_only_the_owner_is_in(owner, reader)


def test_a_second_click_on_the_last_step_leaves_the_session_as_it_was(ana):  # COD-11, SES-13
    signs_up(ana, "ana@example.com")()
    copy = Shopper()
    copy.client.cookies.load({name: each.value for name, each in ana.client.cookies.items()})
    ana.complete()

    copy.complete()

    assert ana.is_signed_in
    assert not Challenge.objects.filter(verified_at=None, cancelled_at=None).exclude(
        purpose="not_me"
    )
