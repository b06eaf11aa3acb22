"""Whoever is not the owner cannot tell who has an account: the same bytes, for the same work."""

import re
from itertools import count

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import conf
from accounts.identifiers import parse
from accounts.models import Challenge, SecurityEvent, User
from messaging.models import OutboxMessage
from messaging.tasks import sweep
from ratelimits.rates import parse_rates
from storefront import celery_app
from tests.support.account import EMAIL, PHONE, USERNAME
from tests.support.hashes import Counted
from tests.support.pages import comparable, words
from tests.support.people import LOGIN, PASSWORD, Shopper, time_passes

NAMES = {"email": EMAIL, "phone": PHONE, "username": USERNAME}
# As long as the others, so that lengths can be compared too.
NOBODY = {"email": "new@example.com", "phone": "+12025550177", "username": "new.shop"}
WAYS = ["email", "phone"]

# The time of day, which may have more or fewer digits; the body itself is compared.
VARIES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+-]+|\d\d:\d\d(:\d\d)? UTC|'Content-Length': '\d+'")
MATCHES_NOT = "That does not match an account."

JOURNEYS = {
    "code": ("/login/code/", "/login/code/verify/", "/login/code/resend/"),
    "reset": ("/password-reset/", "/password-reset/verify/", "/password-reset/resend/"),
}

addresses = (f"198.51.{number // 250}.{number % 250 + 1}" for number in count(1000))


@pytest.fixture(autouse=True)
def _hashes_are_counted(settings):
    settings.PASSWORD_HASHERS = ["tests.support.hashes.Counted"]


def somebody(face="json"):
    """A stranger at home somewhere else every time."""
    return Shopper(face, ip=next(addresses))


def seen(who, act, *args, **kwargs):
    """What a stranger sees of one answer without what they typed themselves, and the work it cost."""
    computed, waiting = Counted.computed, OutboxMessage.objects.count()
    events = SecurityEvent.objects.count()
    with CaptureQueriesContext(connection) as queries:
        answer = comparable(act(*args, **kwargs))
    return {
        "answer": VARIES.sub("", repr(answer).replace(who, "<who>")),
        "hashes": Counted.computed - computed,
        "statements": [shape(query["sql"]) for query in queries],
        "messages": OutboxMessage.objects.count() - waiting,
        "events": SecurityEvent.objects.count() - events,
    }


def shape(statement):
    """What a statement does, and to what."""
    return " ".join(re.findall(r"^\w+|(?:FROM|INTO|UPDATE) \S+", statement))


def try_password(face, who, password=PASSWORD):
    """One try of a stranger."""
    return seen(who, somebody(face).post, LOGIN, identifier=who, password=password)


def lock(who, times=5):
    """Strangers lock the password's way of this name."""
    for _ in range(times):
        try_password("json", who, "not the password")


# With a password: ENU-01, ENU-02


def nothing(kind):
    """The password is wrong; see below."""


def shut_out(kind):
    """The owner was shut out."""
    User.objects.update(is_active=False)


def no_password(kind):
    """The owner never chose a password."""
    User.objects.update(password=make_password(None))


def locked_elsewhere(kind):
    """The account is locked through another of its names."""
    lock(next(who for name, who in NAMES.items() if name != kind))


def unfinished(kind):
    """The owner proved to be there and never finished."""
    User.objects.update(password=make_password(None), completed_at=None)


def claimed(kind):
    """Others typed these names and this password, and proved nothing."""
    User.objects.all().delete()
    somebody().identify(EMAIL, name="Ana", username=USERNAME, password=PASSWORD)
    somebody().signs_up("bea@example.com", contact=PHONE)


def staff(kind):
    """The owner works here."""
    User.objects.update(is_staff=True)


STATES = [nothing, shut_out, no_password, locked_elsewhere, unfinished, claimed, staff]


@pytest.mark.sample(9)
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_stranger_cannot_tell_why_a_password_is_refused(owner, state, kind, face):  # ENU-01, 02
    state(kind)
    password = "not the password" if state is nothing else PASSWORD

    known = try_password(face, NAMES[kind], password)
    unknown = try_password(face, NOBODY[kind], password)

    assert known == unknown
    assert (known["hashes"], known["messages"]) == (1, 0)
    assert MATCHES_NOT in known["answer"]


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_that_cannot_be_read_is_a_name_that_nobody_has(owner, kind):  # ENU-01
    odd = {"email": "ana@exam_ple.c", "phone": "+1202555012345", "username": "a\u200d b/c "}[kind]

    assert without_body(try_password("json", odd)) == without_body(
        try_password("json", NOBODY[kind])
    )


def without_body(seen):
    """What does not depend on the length of what was typed."""
    return {**seen, "answer": seen["answer"].partition(",")[0]}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_whoever_has_what_only_costs_one_hash(owner, count):  # ENU-02, IDN-07
    for number in range(count):
        User.objects.register(parse(f"fan{number}@example.com"), password=owner.password)
    User.objects.filter(email="fan0@example.com").update(username="12025550123")

    assert try_password("json", "fan0@example.com")["hashes"] == 1
    assert try_password("json", "12025550123", "not the password")["hashes"] == 1


# The lock: ENU-05


@pytest.mark.parametrize(
    ("kind", "face"),
    [
        ("email", "page"),
        ("email", "htmx"),
        ("email", "json"),
        ("phone", "json"),
        ("username", "json"),
    ],
)
def test_a_name_that_nobody_has_locks_like_any_other(owner, kind, face):  # ENU-05
    known, unknown = (
        [try_password(face, names[kind], "not the password") for _ in range(6)]
        for names in (NAMES, NOBODY)
    )

    assert known == unknown
    assert [each["hashes"] for each in known] == [1] * 5 + [0]
    assert "429" in known[5]["answer"]
    assert "Retry-After" in known[5]["answer"]


@pytest.mark.parametrize(("through", "kind"), [("email", "phone"), ("phone", "username")])
def test_a_lock_tells_not_which_names_are_one_persons(owner, through, kind):  # ENU-05
    lock(NAMES[through])

    tries = [try_password("page", NAMES[kind]) for _ in range(6)]

    assert tries == [try_password("page", NOBODY[kind]) for _ in range(6)]
    assert MATCHES_NOT in tries[0]["answer"]
    assert "429" in tries[5]["answer"]


def test_the_hash_is_saved_when_a_household_is_full(owner, monkeypatch):  # ENU-02, LIM-02
    monkeypatch.setattr(conf, "LOGIN_FAILURES_PER_IP", parse_rates("2/10m"))
    stranger = Shopper("json", ip="203.0.113.99")
    for number in range(2):
        stranger.post(LOGIN, identifier=f"person{number}", password=PASSWORD)

    known, unknown = (
        seen(who, stranger.post, LOGIN, identifier=who, password=PASSWORD)
        for who in (EMAIL, NOBODY["email"])
    )

    assert known == unknown
    assert (known["hashes"], "429" in known["answer"]) == (0, True)


# A code, a new password: ENU-03


def walk(face, who, journey):
    """Everything a stranger can do without reading the messages."""
    start, verify, again = JOURNEYS[journey]
    shopper = somebody(face)
    yield seen(who, shopper.post, start, identifier=who)
    yield seen(who, shopper.get, verify)
    yield seen(who, shopper.post, start, identifier=who)
    yield seen(who, shopper.post, again)
    time_passes(seconds=61)
    yield seen(who, shopper.post, again)
    for number in range(6):
        yield seen(who, shopper.post, verify, code=f"00000{number}")
    yield seen(who, shopper.post, again)
    yield seen(who, shopper.get, start)
    time_passes(minutes=10, seconds=1)
    yield seen(who, shopper.post, verify, code="000000")
    for _ in range(3):
        time_passes(seconds=61)
        yield seen(who, shopper.post, start, identifier=who)


WALKS = [
    (nothing, "page", "code", "email"),
    (nothing, "page", "reset", "phone"),
    (nothing, "htmx", "code", "phone"),
    (nothing, "htmx", "reset", "email"),
    (nothing, "json", "code", "email"),
    (shut_out, "page", "code", "phone"),
    (shut_out, "json", "reset", "email"),
    (unfinished, "json", "reset", "phone"),
    (staff, "page", "code", "email"),
    (staff, "htmx", "code", "phone"),
    (staff, "json", "reset", "email"),
]


@pytest.mark.sample(6)
@pytest.mark.parametrize(
    ("state", "face", "journey", "kind"),
    WALKS,
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_stranger_cannot_tell_who_could_get_a_message(
    owner, state, face, journey, kind
):  # ENU-02, ENU-03, REC-07
    state(kind)

    known, unknown = (list(walk(face, names[kind], journey)) for names in (NAMES, NOBODY))

    assert known == unknown
    assert "429" in known[-1]["answer"]


def ask_twice(journey, who):
    """Ask for a message, and for another one."""
    start, _verify, again = JOURNEYS[journey]
    stranger = somebody()
    stranger.post(start, identifier=who)
    time_passes(seconds=61)
    assert stranger.post(again).status_code == 200


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_number_that_nobody_has_gets_no_text(postbox, journey):  # ABU-03, ENU-03
    ask_twice(journey, NOBODY["phone"])

    assert not len(postbox)


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("journey", JOURNEYS)
def test_whoever_was_shut_out_gets_no_message(owner, postbox, journey, kind):  # REC-07
    shut_out(kind)

    ask_twice(journey, NAMES[kind])

    assert not len(postbox)


def test_an_address_that_nobody_has_hears_of_it_once_a_day(postbox):  # ENU-03, ABU-03
    def letters():
        for start, _verify, _again in JOURNEYS.values():
            somebody().post(start, identifier=NOBODY["email"])
        return len(postbox)

    first = letters()
    time_passes(hours=23, minutes=58)
    same_day = letters()
    time_passes(days=1, seconds=1)

    assert (first, same_day, letters()) == (1, 1, 2)


def test_the_letter_says_that_there_is_no_account(postbox):  # ENU-03, ABU-04
    somebody().post("/login/code/", identifier=NOBODY["email"])

    [message] = postbox.messages(NOBODY["email"])
    assert message["subject"] == "No Storefront account with this address"
    assert "https://shop.example/register/" in message["text"]
    assert not re.search(r"\b\d{6}\b", message["text"])


# Nothing can be sent: ENU-04


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("journey", JOURNEYS)
def test_without_any_way_to_send_all_are_told_the_same(ana, owner, settings, journey, kind):
    settings.MAILBOX = False  # ENU-04, ux 68

    known, unknown = (
        seen(who, ana.post, JOURNEYS[journey][0], identifier=who)
        for who in (NAMES[kind], NOBODY[kind])
    )

    assert known == unknown
    assert "503" in known["answer"]
    assert "at the moment. Use your" in known["answer"]
    assert not Challenge.objects.exists()


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_provider_that_fails_changes_no_answer(owner, settings, journey):  # ENU-04
    settings.EMAIL_URL = "smtp://127.0.0.1:9"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    known, unknown = (
        seen(who, somebody().post, JOURNEYS[journey][0], identifier=who)
        for who in (EMAIL, NOBODY["email"])
    )
    sweep()

    assert known == unknown
    assert OutboxMessage.objects.filter(status="queued", tries__gt=0).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_refuses_changes_no_answer(owner, settings, monkeypatch):  # ENU-04, OUT-01
    monkeypatch.setitem(celery_app.conf, "task_always_eager", False)
    monkeypatch.setitem(celery_app.conf, "broker_url", "redis://127.0.0.1:9/0")
    settings.CELERY_TASK_ALWAYS_EAGER = False

    answers = [
        [seen(who, somebody().post, start, identifier=who)["answer"] for who in pair]
        for start, _verify, _again in JOURNEYS.values()
        for pair in [(EMAIL, NOBODY["email"]), (PHONE, NOBODY["phone"])]
    ]

    assert all(known == unknown for known, unknown in answers)
    assert all("200" in known for known, _unknown in answers)
    assert OutboxMessage.objects.filter(status="queued").count() == 8


# What the pages say


@pytest.mark.parametrize("kind", NAMES)
def test_no_word_tells_what_was_wrong(owner, kind):  # ENU-01
    answer = somebody("page").post(LOGIN, identifier=NAMES[kind], password="not the password")

    said = words(answer).lower()
    assert not any(
        word in said for word in ("locked", "inactive", "disabled", "no account", "exist")
    )
