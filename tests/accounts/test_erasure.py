"""Erased means erased: what only the trail still knows to have been somebody's goes too, and what is others' stays."""

from datetime import timedelta

import pytest
from django.core import checks
from django.db.models import F

from accounts import conf, tasks
from accounts.identifiers import fingerprint
from accounts.models import Challenge, SecurityEvent, Session, User
from messaging import tasks as messaging_tasks
from messaging.models import OutboxMessage
from storefront.checks import TAG
from tests.support.account import (
    DELETE,
    EMAIL,
    EMAIL_PAGE,
    LOGIN_CODE,
    OTHER_EMAIL,
    OTHER_PHONE,
    PHONE,
    PHONE_PAGE,
    RESET,
    adds,
    days_pass,
    found_of,
    joins,
    signs_in,
)
from tests.support.people import PASSWORD, REGISTER, Postbox, Shopper, make_shopper, time_passes

STRANGER = "198.51.100.77"
TABLES = (Challenge, OutboxMessage, Session)


def years_pass():
    """Long enough for attempts and messages to be dropped, and for the trail to stay."""
    time_passes(days=200)
    OutboxMessage.objects.update(settled_at=F("created_at"))
    tasks.purge()
    messaging_tasks.purge()


def leaves(shopper, who, password=PASSWORD):
    """Come back, ask to be deleted, and let the time of grace go by."""
    signs_in(shopper, who, password)
    shopper.post(DELETE)
    len(Postbox())
    days_pass(days=14)
    tasks.erase()


def strangers_ask_for(contact):
    """Three browsers that type an address and never come back: for a new password, a code, an account."""
    for page in (RESET, LOGIN_CODE, REGISTER):
        Shopper(ip=STRANGER).post(page, identifier=contact)


@pytest.mark.parametrize(
    ("page", "former", "kept"),
    [(EMAIL_PAGE, EMAIL, OTHER_EMAIL), (PHONE_PAGE, PHONE, OTHER_PHONE)],
    ids=["address", "number"],
)
def test_a_former_contact_that_only_the_trail_knows_is_erased_everywhere(db, page, former, kept):
    me = Shopper()
    joins(me, **{"email": None, "phone": former} if former == PHONE else {})
    adds(me, page.split("/")[-2], kept)
    len(Postbox())
    years_pass()
    assert found_of([former]) == set()
    strangers_ask_for(former)
    assert [table.objects.filter(**_about(table, former)).count() for table in TABLES] == [3, 3, 3]

    leaves(me, kept)

    assert not User.objects.exists()
    assert found_of([former, STRANGER]) == set()


def _about(table, contact):
    return {
        Challenge: {"recipient": contact},
        OutboxMessage: {"address": contact},
        Session: {"challenge__recipient": contact, "user": None},
    }[table]


def test_an_address_of_which_only_attempts_are_left_is_erased(ana):
    joins(ana)
    adds(ana, "email", OTHER_EMAIL)
    strangers_ask_for(EMAIL)
    SecurityEvent.objects.filter(fingerprint=fingerprint(EMAIL)).expire()

    leaves(ana, OTHER_EMAIL)

    assert found_of([EMAIL]) == set()


def test_a_browser_that_signed_in_keeps_nothing_of_the_first_address(ana, bea, postbox):  # REC-09
    joins(ana)
    bea.identify("mistyped@example.com")

    bea.post(LOGIN_CODE, identifier=EMAIL)
    bea.post(f"{LOGIN_CODE}verify/", code=postbox.code(EMAIL))
    assert bea.is_signed_in

    assert found_of(["mistyped@example.com"]) <= {
        f"{column}: mistyped@example.com"
        for column in (
            "accounts_challenge.recipient",
            "accounts_challenge.address",
            "messaging_outboxmessage.address",
        )
    }


def test_what_an_account_verified_meanwhile_stays_its_own(ana, bea, monkeypatch):
    joins(ana, phone=PHONE)
    ana.post(f"{PHONE_PAGE}remove/")
    joins(bea, email="bea@example.com", name="Bea")
    adds(bea, "phone", PHONE)
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", "private")
    Shopper(ip=STRANGER).identify(PHONE)
    assert Challenge.objects.filter(user=None, recipient=PHONE).count() == 1
    before = _rows_about(PHONE)

    leaves(ana, EMAIL)

    assert User.objects.get().name == "Bea"
    assert _rows_about(PHONE) == before
    assert SecurityEvent.objects.filter(ip=STRANGER, fingerprint=fingerprint(PHONE)).exists()


def _rows_about(contact):
    """The attempts of nobody and of others at a contact, their messages and sessions."""
    attempts = Challenge.objects.filter(recipient=contact).exclude(user__email=EMAIL)
    about = list(attempts.values_list("pk", flat=True))
    return (
        sorted(about),
        OutboxMessage.objects.filter(about_id__in=about).count(),
        Session.objects.filter(user=None, challenge__in=attempts).count(),
    )


def test_what_somebody_else_had_before_is_erased_with_the_last_owner(ana, bea):
    joins(bea, email="bea@example.com", phone=PHONE, name="Bea")
    signs_in(bea, PHONE)
    bea.post(f"{PHONE_PAGE}remove/")
    joins(ana)
    adds(ana, "phone", PHONE)
    ana.post(f"{PHONE_PAGE}remove/")
    Shopper(ip=STRANGER).post(RESET, identifier=PHONE)

    leaves(ana, EMAIL)

    assert not Challenge.objects.filter(user=None, recipient=PHONE).exists()
    assert found_of([STRANGER]) == set()


def test_an_address_that_was_only_typed_is_not_taken_from_whoever_has_it(ana, bea):
    joins(ana)
    ana.post(EMAIL_PAGE, contact="carl@example.com")
    bea.identify("carl@example.com")

    leaves(ana, EMAIL)
    bea.verify(Postbox().code("carl@example.com"))

    assert Challenge.objects.filter(recipient="carl@example.com", verified_at=None).count() == 1
    assert not Challenge.objects.filter(recipient=EMAIL).exists()


@pytest.mark.parametrize(
    ("attempts", "trail", "is_refused"),
    [(0, 0, False), (-1, 0, True), (0, -1, True), (1, 0, False)],
)
def test_a_shop_does_not_keep_what_erasure_would_not_find(
    monkeypatch, settings, attempts, trail, is_refused
):
    least = settings.MESSAGES_KEPT + conf.LINK_TTL + conf.NOT_ME_TTL
    kept = least + timedelta(seconds=attempts)
    monkeypatch.setattr(conf, "CHALLENGES_KEPT", kept)
    monkeypatch.setattr(conf, "EVENTS_KEPT", kept + timedelta(seconds=trail))

    told = [problem.id for problem in checks.run_checks(tags=[TAG])]

    assert ("storefront.E021" in told) == is_refused


def test_what_a_stranger_typed_of_the_address_goes_too(db, ana, bea, postbox):  # LOG-07
    """A stranger had begun to add it as a contact of theirs; it was never verified."""
    make_shopper(ana, "ana@example.com")
    make_shopper(bea, "bea@example.com", name="Bea")
    bea.post("/account/contacts/email/", contact="ana@example.com")
    assert Challenge.objects.filter(
        recipient="ana@example.com", user__email="bea@example.com"
    ).exists()
    User.objects.filter(email="ana@example.com").update(deletion_due_at="2020-01-01T00:00Z")

    tasks.erase()

    assert not Challenge.objects.filter(recipient="ana@example.com").exists()
    assert not OutboxMessage.objects.filter(address="ana@example.com").exists()
