"""Many sign in at once: real threads, each with a connection of its own; and what one sign-in costs."""

from urllib.parse import unquote

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher, PBKDF2PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import conf
from accounts.identifiers import parse
from accounts.models import SecurityEvent, Session, User
from messaging.tasks import sweep
from ratelimits.rates import Rate
from storefront import celery_app
from tests.support.invariants import violated
from tests.support.pages import words
from tests.support.people import (
    ACCOUNT,
    HOME,
    LOGIN,
    LOGOUT,
    PASSWORD,
    Postbox,
    Shopper,
    time_passes,
)
from tests.support.races import assert_nothing_is_broken, at_once, crowd, rows, statuses, tabs

CODE, CODE_VERIFY, CODE_RESEND = "/login/code/", "/login/code/verify/", "/login/code/resend/"
EMAIL, PHONE, USERNAME = "ana@example.com", "+12025550123", "ana.shop"
NAMES = [EMAIL, PHONE, USERNAME]
WRONG = "not the password"

# Statements of one POST. The new browser is told of, and its BEGIN and COMMIT are not counted.
# A new browser's counts the household first and by itself, and the sign-ins of the account (LIM-10, LIM-13); it asks
# the database since when it is trusted.
KNOWN_BROWSER, NEW_BROWSER, RIGHT_CODE = 8, 11, 17

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


class Counted(MD5PasswordHasher):
    """Notes every password it makes a hash of, and every one that is held against somebody's."""

    hashed: list[str] = []  # noqa: RUF012  one for all threads
    evaluated: list[str] = []  # noqa: RUF012

    def encode(self, password, salt):
        """Make a hash."""
        Counted.hashed.append(password)
        return super().encode(password, salt)

    def verify(self, password, encoded):
        """Hold it against the one we know."""
        Counted.evaluated.append(password)
        return super().verify(password, encoded)


@pytest.fixture
def hashed(settings, registered):
    """Every password that a hash was computed of."""
    settings.PASSWORD_HASHERS = ["tests.accounts.test_login_races.Counted"]
    Counted.hashed.clear()
    return Counted.hashed


@pytest.fixture
def evaluated(hashed):
    """Every password that was held against Ana's."""
    Counted.evaluated.clear()
    return Counted.evaluated


@pytest.fixture
def registered(transactional_db):
    """Ana, who registered elsewhere and is signed in there; she has three names."""
    Shopper(ip="192.0.2.1").signs_up(EMAIL, username=USERNAME)
    User.objects.update(**User.verified_columns(parse(PHONE)))
    return User.objects.get()


@pytest.fixture
def _wide(monkeypatch):
    """Nobody is locked out; what remains are the races."""
    monkeypatch.setattr(conf, "LOGIN_FAILURES", Rate(1000, 1800))
    monkeypatch.setattr(conf, "LOGIN_FAILURES_PER_IP", (Rate(1000, 600),))


@pytest.fixture
def _many_come_in(monkeypatch):
    """An account may be signed in to as often as its password allows."""
    monkeypatch.setattr(conf, "SIGN_INS_PER_ACCOUNT", (Rate(1000, 3600),))


def sign_in(shopper, who=EMAIL, password=PASSWORD, **more):
    """Type a name and a password."""
    return shopper.post(LOGIN, identifier=who, password=password, **more)


def strangers(count):
    """A crowd that wants no pages: rendering a hundred only warms the machine."""
    people = crowd(count)
    for person in people:
        person.face = "json"
    return people


def together(people, passwords, names=(EMAIL,)):
    """Everybody types their password at the same moment."""
    return at_once(
        *[
            lambda person=person, password=password, number=number: sign_in(
                person, names[number % len(names)], password
            )
            for number, (person, password) in enumerate(zip(people, passwords, strict=True))
        ]
    )


def recorded(kind):
    """How often the audit says so, besides the registration."""
    return SecurityEvent.objects.filter(kind=kind).count() - (kind == "signed_in")


def succeeded(answers):
    """The answers that let somebody in."""
    return [answer for answer in answers if answer.status_code in (200, 303)]


def assert_whole():
    """The invariants of every race; a password proves nothing, so that I3 is not asked."""
    assert not violated(rows, leave_out=["I3", "I5"])


# Passwords


def test_of_a_hundred_wrong_passwords_at_once_five_are_looked_at(
    evaluated, hashed
):  # LIM-02, FI-04
    answers = together(strangers(100), [WRONG] * 100)

    assert (evaluated, hashed) == ([WRONG] * 5, [WRONG] * 5)
    assert sorted(answer.status_code for answer in answers) == [400] * 5 + [429] * 95
    assert (recorded("sign_in_failed"), recorded("password_locked")) == (5, 1)
    assert sign_in(Shopper(ip="192.0.2.9")).status_code == 429
    assert evaluated == [WRONG] * 5
    assert_whole()


def test_the_right_one_among_a_hundred_makes_no_room(evaluated, hashed, record_property):  # LIM-02
    passwords = [PASSWORD if number == 50 else WRONG for number in range(100)]

    answers = together(strangers(100), passwords)

    lucky = len(succeeded(answers))
    record_property("right one let in, looked at", (lucky, len(evaluated)))
    assert statuses(answers) <= {200, 400, 429}
    assert evaluated.count(WRONG) <= 5
    assert len(hashed) <= 5 + lucky
    assert recorded("password_locked") <= 1
    if not lucky:
        assert sign_in(Shopper(ip="192.0.2.9")).status_code == 429
    assert_whole()


def test_many_right_ones_make_no_room_for_wrong_ones(evaluated, record_property):  # LIM-02
    answers = together(strangers(100), [PASSWORD, WRONG] * 50)

    record_property(
        "let in, wrong ones looked at", (len(succeeded(answers)), evaluated.count(WRONG))
    )
    assert statuses(answers) <= {200, 400, 429}
    assert evaluated.count(WRONG) <= 5
    assert recorded("password_locked") <= 1
    assert len(succeeded(answers)) == recorded("signed_in")
    assert_whole()


def test_three_names_at_once_are_one_account(evaluated, hashed):  # LIM-01, LIM-02, ENU-05
    answers = together(strangers(99), [WRONG] * 99, NAMES)

    assert len(evaluated) == 5
    assert len(hashed) == 15
    assert [answer.status_code for answer in answers].count(400) == 15
    for name in NAMES:
        assert sign_in(Shopper(ip="192.0.2.9"), name).status_code == 429
    assert_whole()


@pytest.mark.usefixtures("_wide")
def test_twenty_right_passwords_at_once_are_twenty_sessions(registered):  # I8
    answers = together(strangers(20), [PASSWORD] * 20)

    assert statuses(answers) == {200}
    assert Session.objects.filter(user=registered).count() == 21
    assert_whole()


def test_five_right_passwords_at_once_are_five_sessions(registered):  # I8, LIM-02
    answers = together(strangers(5), [PASSWORD] * 5)

    assert statuses(answers) == {200}
    assert Session.objects.filter(user=registered).count() == 6
    assert_whole()


@pytest.mark.usefixtures("_many_come_in")
def test_right_passwords_at_once_lock_nobody(registered, record_property):  # LIM-01
    answers = together(strangers(60), [PASSWORD] * 60)

    record_property("let in", len(succeeded(answers)))
    assert statuses(answers) <= {200, 429}
    assert recorded("password_locked") == 0
    assert len(succeeded(answers)) == recorded("signed_in") >= 5
    assert sign_in(Shopper(ip="192.0.2.9")).status_code == 303
    assert_whole()


@pytest.mark.usefixtures("_wide")
@pytest.mark.parametrize("started", [False, True], ids=["fresh", "in the middle of something"])
def test_many_clicks_in_one_browser_end_signed_in(registered, started):  # COD-11, I8
    browser = Shopper()
    if started:
        browser.identify("bea@example.com")
    clicks = tabs(browser, 10)

    answers = at_once(*[lambda click=click: sign_in(click) for click in clicks])

    assert max(statuses(answers)) < 400
    assert any(click.is_signed_in for click in clicks)
    assert_whole()


@pytest.mark.parametrize("started", [False, True], ids=["fresh", "in the middle of something"])
def test_two_clicks_end_signed_in_whichever_answer_comes_last(registered, face, started):  # COD-11
    browser = Shopper(face)
    if started:
        browser.identify("bea@example.com")
    clicks = tabs(browser, 2, [face])

    answers = at_once(*[lambda click=click: sign_in(click, next=ACCOUNT) for click in clicks])

    for order in (answers, answers[::-1]):
        after = Shopper(face)
        for cookies in (browser.client.cookies, *[answer.cookies for answer in order]):
            after.client.cookies.update(cookies)
        assert after.is_signed_in
    assert_whole()


@pytest.mark.usefixtures("_wide")
def test_an_older_hash_is_replaced_under_everybody_at_once(registered, settings):  # PWD-05, SES-06
    older = PBKDF2PasswordHasher().encode(PASSWORD, "salt" * 6, iterations=1000)
    User.objects.update(password=older)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
    people = strangers(12)

    answers = together(people, [PASSWORD] * 12)

    assert statuses(answers) == {200}
    assert all(person.is_signed_in for person in people)


def test_a_lock_and_a_code_at_once_break_nothing(registered):  # LIM-03
    browser = Shopper("json")
    browser.post(CODE, identifier=EMAIL)
    code = Postbox().code(EMAIL)

    answers = at_once(
        *[lambda stranger=stranger: sign_in(stranger, EMAIL, WRONG) for stranger in strangers(12)],
        *[lambda tab=tab: tab.post(CODE_VERIFY, code=code) for tab in tabs(browser, 4)],
        *[lambda tab=tab: tab.post(CODE_RESEND) for tab in tabs(browser, 4)],
    )

    assert max(statuses(answers)) < 500
    assert_whole()


# Codes


def test_fifty_right_codes_at_once_are_one_session(registered):  # COD-05, FI-02
    browser = Shopper()
    browser.post(CODE, identifier=EMAIL)
    code = Postbox().code(EMAIL)
    clicks = tabs(browser, 50)

    answers = at_once(*[lambda click=click: click.post(CODE_VERIFY, code=code) for click in clicks])

    assert statuses(answers) <= {200, 303, 409}
    # None is told that the tries are used up.
    told = {words(answer) for answer in answers if answer.status_code == 409 and not answer.to}
    assert told <= {"Your code is already confirmed."}
    assert {unquote(answer.to) for answer in answers if answer.to} <= {"/login/code/?next=/", "/"}
    assert [click.is_signed_in for click in clicks].count(True) == 1
    assert recorded("signed_in") == 1
    assert recorded("new_device") == 1
    assert_nothing_is_broken()


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_a_double_click_on_a_code_leads_where_the_shopper_wanted(
    registered, face
):  # COD-11, WEB-03
    browser = Shopper(face)
    browser.post(CODE, identifier=EMAIL, next=ACCOUNT)
    code = Postbox().code(EMAIL)

    answers = at_once(
        *[lambda tab=tab: tab.post(CODE_VERIFY, code=code) for tab in tabs(browser, 2, [face])]
    )

    assert ACCOUNT in [answer.to for answer in answers]
    # Whoever signed in is led on by the page that the second click comes to; home, if it came when all was over.
    led_on = {f"{CODE}?next=%2Faccount%2F", f"{CODE}?next=%2F"}
    assert {answer.to for answer in answers} <= {ACCOUNT, *led_on}
    assert_nothing_is_broken()


def test_twenty_requests_for_a_code_send_four_messages(
    registered,
):  # ABU-01, LIM-12: one is kept for the owner
    at_once(
        *[lambda person=person: person.post(CODE, identifier=EMAIL) for person in strangers(20)]
    )
    sweep()

    codes = [each for each in Postbox().messages(EMAIL) if "is your" in each["subject"]]
    assert len(codes) == 4


# What it costs


@pytest.fixture
def _work_is_for_the_worker(settings, monkeypatch):
    """Requests only leave a hint for a worker, and no broker hears it."""
    monkeypatch.setitem(celery_app.conf, "task_always_eager", False)
    monkeypatch.setitem(celery_app.conf, "broker_url", "memory://")
    settings.CELERY_TASK_ALWAYS_EAGER = False


def cost(act, *args, **kwargs):
    """The statements of one request that succeeds."""
    with CaptureQueriesContext(connection) as queries:
        answer = act(*args, **kwargs)
    assert answer.to == HOME
    return [query["sql"] for query in queries]


def work(statements):
    """Statements but for the borders of transactions."""
    return [text for text in statements if text.split(";")[0].split()[0] not in ("BEGIN", "COMMIT")]


@pytest.mark.usefixtures("_work_is_for_the_worker")
def test_a_password_in_a_known_browser_costs_eight_statements_and_a_hash(
    registered, hashed, record_property
):
    browser = Shopper()
    sign_in(browser)
    browser.post(LOGOUT)
    time_passes(seconds=10)
    hashed.clear()

    spent = cost(sign_in, browser)

    record_property("statements", len(spent))
    assert len(spent) <= KNOWN_BROWSER, spent
    assert len(hashed) == 1


@pytest.mark.usefixtures("_work_is_for_the_worker")
def test_a_password_in_a_new_browser_costs_eleven_statements_and_a_hash(
    registered, hashed, record_property
):
    spent = cost(sign_in, Shopper())

    record_property("statements, without borders", (len(spent), len(work(spent))))
    assert len(work(spent)) <= NEW_BROWSER, spent
    assert len(hashed) == 1


@pytest.mark.usefixtures("_work_is_for_the_worker")
def test_a_code_costs_seventeen_statements(registered, hashed, record_property):
    browser = Shopper("htmx")
    with CaptureQueriesContext(connection) as asked:
        browser.post(CODE, identifier=EMAIL)
    code = Postbox().code(EMAIL)

    spent = cost(browser.post, CODE_VERIFY, code=code)

    record_property(
        "statements of both, without borders", (len(asked), len(spent), len(work(spent)))
    )
    assert len(spent) <= RIGHT_CODE, spent
    assert not hashed
