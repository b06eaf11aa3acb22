"""Somebody registers with an address that has an account. What a stranger may learn depends on one switch."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import conf, identifiers
from accounts.models import Challenge, SecurityEvent, User
from messaging.models import OutboxMessage
from messaging.tasks import sweep
from ratelimits.rates import parse_rates
from tests.support.account import USERNAME
from tests.support.pages import comparable, words
from tests.support.people import (
    LOGOUT,
    PASSWORD,
    REGISTER,
    RESEND,
    TIMES,
    VERIFY,
    Shopper,
    time_passes,
)

EMAIL, PHONE = "ana@example.com", "+12025550123"
NEW_EMAIL, NEW_PHONE = "new@example.com", "+12025550177"
STRANGER = {
    "name": "Win $ http://evil.example",
    "username": "evil.example",
    "password": "stranger danger red",
}
VARIANTS = {
    "same": "ana@example.com",
    "case": "ANA@Example.COM",
    "spaces": "  ana@example.com ",
    "full-width letter": "ana@\uff45xample.com",
    "circled letter": "ana@examp\u24dbe.com",
    "soft hyphen": "ana@ex\u00adample.com",
    "full-width at": "ana\uff20example.com",
    "zero-width space": "a\u200bna@example.com",
}


@pytest.fixture
def disclose(monkeypatch):
    """The designs' contract: a plain error."""
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", "disclose")


# disclose


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        (EMAIL, "There is already an account with this email address."),
        (PHONE, "There is already an account with this mobile number."),
    ],
    ids=["email", "phone"],
)
def test_a_taken_address_is_said(
    anyone, owner, disclose, postbox, who, sentence
):  # ENU-06, promises 0.20, 4.6
    before = len(postbox)

    refused = anyone.identify(who)

    assert refused.status_code == (400 if anyone.face == "json" else 422)
    assert sentence in words(refused)
    assert len(postbox) == before
    assert SecurityEvent.objects.filter(kind="duplicate_registration").count() == 1


@pytest.mark.parametrize("typed", VARIANTS.values(), ids=VARIANTS)
def test_every_spelling_of_a_taken_address_is_taken(ana, owner, disclose, typed):  # IDN-01
    assert "There is already an account" in words(ana.identify(typed))


@pytest.mark.parametrize("typed", ["+1 202 555 0123", "tel:+1-202-555-0123", "+1(202)5550123"])
def test_every_spelling_of_a_taken_number_is_taken(ana, owner, disclose, typed):  # IDN-04
    assert "There is already an account" in words(ana.identify(typed))


@pytest.mark.django_db(transaction=True)
def test_after_ten_taken_addresses_a_household_learns_nothing_and_registers(
    owner, disclose, postbox
):  # ENU-06, LIM-12
    stranger = Shopper("json", ip="198.51.100.99")
    for _ in range(10):
        assert stranger.identify(EMAIL).status_code == 400
    neighbour = Shopper(ip="198.51.100.99")

    eleventh = stranger.identify(PHONE)
    neighbour.signs_up(NEW_EMAIL)

    assert eleventh.status_code == 200
    assert "you already have an account" in postbox.messages(PHONE)[0]["text"].lower()
    assert neighbour.is_signed_in
    assert SecurityEvent.objects.filter(kind="duplicate_registration").count() == 10


@pytest.mark.django_db(transaction=True)
def test_the_household_is_told_again_an_hour_later(ana, owner, disclose):  # ENU-06
    for _ in range(10):
        ana.identify(EMAIL)
    assert ana.identify(EMAIL).to == VERIFY
    time_passes(minutes=60, seconds=1)

    assert "There is already an account" in words(ana.identify(EMAIL))


def test_an_error_tells_nothing_about_the_account(ana, owner, disclose):  # ENU-06
    active = comparable(ana.identify(EMAIL))
    User.objects.update(is_active=False, completed_at="2001-01-01T00:00Z")

    assert comparable(ana.identify(EMAIL)) == active


# private


CASES = {"email": (EMAIL, NEW_EMAIL, STRANGER), "phone": (PHONE, NEW_PHONE, {})}


def answers(face, ip, who, **typed):
    """Everything a stranger can do without reading the messages: each answer, and how many queries it cost."""
    shopper = Shopper(face, ip=ip)
    yield noted(who, shopper.identify, who, **typed)
    yield noted(who, shopper.get, VERIFY)
    yield noted(who, shopper.post, RESEND)
    time_passes(seconds=61)
    yield noted(who, shopper.post, RESEND)
    for number in range(6):
        yield noted(who, shopper.verify, f"00000{number}")
    yield noted(who, shopper.post, RESEND)
    yield noted(who, shopper.get, VERIFY)
    yield noted(who, shopper.get, REGISTER)


def noted(who, act, *args, **kwargs):
    """One answer, without the address that was typed and the time of day, which is not always as long."""
    with CaptureQueriesContext(connection) as queries:
        answer = comparable(act(*args, **kwargs))
    return TIMES.sub("<time>", repr(answer).replace(who, "<who>")), len(queries)


@pytest.mark.parametrize(("known", "unknown", "typed"), CASES.values(), ids=CASES)
def test_a_stranger_cannot_tell_a_known_address(
    owner, private, face, known, unknown, typed
):  # ENU-06, ux 23
    taken = list(answers(face, "198.51.100.1", known, **typed))
    free = list(answers(face, "198.51.100.2", unknown, **typed))

    assert taken == free
    assert User.objects.count() == 1


@pytest.mark.parametrize("who", [EMAIL, NEW_EMAIL], ids=["known", "unknown"])
@pytest.mark.parametrize("rule", ["MESSAGES_PER_RECIPIENT", "RESENDS_PER_RECIPIENT"])
def test_limits_are_the_same_for_all(owner, private, bea, monkeypatch, who, rule):  # ENU-06, ABU-01
    monkeypatch.setattr(conf, rule, parse_rates("1/h"))
    time_passes(hours=1, minutes=1)
    bea.identify(who)
    time_passes(seconds=61)

    assert bea.post(RESEND).status_code == (429 if rule.startswith("MESSAGES") else 303)
    time_passes(seconds=61)
    assert bea.post(RESEND).status_code == 429


@pytest.mark.parametrize(("known", "unknown", "typed"), CASES.values(), ids=CASES)
def test_without_any_way_to_send_all_are_told_the_same(
    owner, private, anyone, settings, known, unknown, typed
):  # ENU-04, ux 68
    settings.MAILBOX = False

    refused, other = (anyone.identify(who, **typed) for who in (known, unknown))

    assert (refused.status_code, other.status_code) == (503, 503)
    assert "at the moment. Use your" in words(refused)
    assert words(refused) == words(other)
    assert not Challenge.objects.exists()


def test_a_message_that_cannot_leave_changes_no_answer(owner, private, settings):  # ENU-04
    settings.EMAIL_URL = "smtp://127.0.0.1:9"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    known, unknown = (noted(who, Shopper().identify, who) for who in (EMAIL, NEW_EMAIL))
    sweep()

    assert known == unknown
    assert OutboxMessage.objects.filter(status="queued", tries__gt=0).count() == 2


@pytest.mark.parametrize("who", [EMAIL, PHONE], ids=["email", "phone"])
def test_the_owner_is_welcomed_back(owner, private, anyone, postbox, who):  # ENU-06
    anyone.identify(who)
    message = postbox.messages(who)[0]
    assert "you already have an account" in message["text"].lower()
    assert "/verify-email/" not in message["text"]

    anyone.verify(postbox.code(who))

    assert anyone.is_signed_in
    assert User.objects.get() == owner


def notices(postbox):
    """What the owner was told about new browsers."""
    sent = [*postbox.messages(EMAIL), *postbox.messages(PHONE)]
    return [message for message in sent if "New sign-in" in message["subject"]]


def test_the_owner_is_told_of_a_browser_that_is_new(owner, private, anyone, postbox):  # REG-02
    anyone.identify(PHONE)
    anyone.verify(postbox.code(PHONE))

    (notice,) = notices(postbox)

    assert notice["to"] == EMAIL
    assert "https://shop.example/not-me/?token=" in notice["text"]
    assert owner.events.filter(kind="new_device").count() == 1


def test_the_owner_is_told_of_a_browser_once(owner, private, anyone, postbox):  # LIM-04
    for _ in range(2):
        anyone.identify(EMAIL)
        anyone.verify(postbox.code(EMAIL))
        anyone.post(LOGOUT)
        assert len(notices(postbox)) == 1

    assert owner.events.filter(kind="signed_in").count() == 2
    assert owner.events.filter(kind="new_device").count() == 1


def test_a_new_address_is_not_welcomed_back(owner, private, bea, postbox):  # ENU-06
    bea.identify(NEW_EMAIL)

    assert "already have an account" not in postbox.messages(NEW_EMAIL)[0]["text"]


def test_what_a_stranger_typed_never_sticks(owner, private, anyone, postbox):  # REG-02, IDN-09
    anyone.identify(EMAIL, **STRANGER)
    anyone.verify(postbox.code(EMAIL))

    after = User.objects.get()
    assert (after.name, after.username) == ("Ana", USERNAME)
    assert after.check_password(PASSWORD)
    assert not User.objects.filter(username=STRANGER["username"]).exists()


@pytest.mark.parametrize("rule", ["disclose", "private"])
def test_what_was_typed_in_an_attempt_that_was_left_never_reaches_the_owner(
    ana, anyone, postbox, monkeypatch, rule
):  # REG-02
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", rule)
    ana.identify(EMAIL, **STRANGER)

    anyone.identify(EMAIL)
    anyone.verify(postbox.code(EMAIL))

    user = User.objects.get()
    assert (user.name, user.username) == ("", None)
    assert not user.has_usable_password()


@pytest.mark.parametrize("letter", ["email", "phone"])
def test_a_message_repeats_nothing_a_stranger_typed(postbox, letter):  # ABU-04
    stranger = Shopper(**{"user-agent": "Mozilla http://evil.example Chrome/1 Linux"})
    who = {"email": NEW_EMAIL, "phone": NEW_PHONE}[letter]

    stranger.identify(who, **STRANGER)

    message = postbox.messages(who)[0]
    assert message["text"]
    assert not any(bait in str(message) for bait in ("evil", "Win", "Mozilla", "danger"))


@pytest.mark.parametrize(
    "typed", ["ANA@Example.COM", "ana@ex\u00adample.com", "a\u200bna@example.com"]
)
def test_a_spelling_makes_no_second_account(owner, private, ana, postbox, typed):  # IDN-01, REG-06
    ana.identify(typed)
    ana.verify(postbox.code(EMAIL))

    assert ana.is_signed_in
    assert User.objects.get() == owner


def test_a_closed_account_is_not_opened_by_its_code(owner, private, anyone, postbox):  # SES-06
    User.objects.update(is_active=False)
    before = len(postbox)

    anyone.identify(EMAIL)

    assert len(postbox) == before
    assert not anyone.is_signed_in


def test_a_verified_key_is_unique_in_the_database(owner):  # REG-06
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.register(identifiers.parse(EMAIL))
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.register(identifiers.parse(PHONE))
