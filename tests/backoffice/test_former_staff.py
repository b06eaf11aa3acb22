"""Who was staff for a while is a shopper again: what they merely typed is not theirs, and what they verified is."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from accounts import audit, tasks
from accounts.flows import deletion
from accounts.identifiers import fingerprint, parse
from accounts.models import Challenge, Purpose, SecurityEvent, User
from accounts.sessions.client import ClientInfo
from messaging import tasks as messaging_tasks
from messaging.models import OutboxMessage
from tests.support.account import DOWNLOAD, PHONE, RESET, adds, file_of, found_of, joins
from tests.support.people import LOGIN, REGISTER, Postbox, Shopper, time_passes
from tests.support.staff import SECRET, Member, code_of, let_in_staff, type_code

BOSS, NEW = "boss@staff.example", "new@staff.example"
STRANGER = "stranger@example.com"
CONTACT_CHANGE, CONTACT_CODE = "/admin/contact_change/", "/admin/contact_change/code/"
NEW_CONTACT, EMAIL_PAGE, NOT_ME = (
    "/admin/contact_change/new/",
    "/account/contacts/email/",
    "/not-me/",
)


@pytest.fixture
def member(boss):
    """The browser of that member of staff, inside."""
    member = Member(ip="192.0.2.1")
    let_in_staff(member.client)
    time_passes(minutes=2)
    return member


def types_a_contact(member, contact):
    """A new contact for codes, up to the code that goes there."""
    member.client.post(CONTACT_CHANGE, {"current": SECRET, "contact": contact})
    type_code(member.client, code_of(), CONTACT_CODE)


def changes_contact(member, contact):
    """The same, and its code."""
    types_a_contact(member, contact)
    type_code(member.client, Postbox().code(contact), NEW_CONTACT)


def leaves_the_staff():
    """Whoever runs the site makes a shopper of them, who signs in to the shop."""
    call_command("staff_role", "boss", "none")
    shopper = Shopper(ip="192.0.2.1")
    shopper.post(LOGIN, identifier="boss", password=SECRET)
    assert shopper.is_signed_in
    return shopper


def is_erased():
    """The account is asked to be deleted, and its time of grace is over."""
    past = {"deletion_due_at": Now() - timedelta(seconds=1)}
    User.objects.filter(username="boss").update(**past)
    tasks.erase()
    assert not User.objects.filter(username="boss").exists()


def years_pass():
    """Attempts and messages are dropped, and the trail stays."""
    time_passes(days=200)
    OutboxMessage.objects.update(settled_at=Now() - timedelta(days=200))
    tasks.purge()
    messaging_tasks.purge()


def test_an_address_that_staff_merely_typed_is_not_erased_as_theirs(member, bea):  # ENU-07
    types_a_contact(member, STRANGER)
    bea.identify(STRANGER)
    call_command("staff_role", "boss", "none")

    is_erased()

    bea.verify(Postbox().code(STRANGER))
    assert bea.is_signed_in


def test_nor_does_their_file_tell_whose_it_is(member, bea):  # ENU-07
    joins(bea, email=STRANGER)
    for contact in (STRANGER, "nobody@example.com"):
        types_a_contact(member, contact)
        len(Postbox())
    me = leaves_the_staff()

    told = file_of(me.post(DOWNLOAD))

    asked = [row["address"] for row in told["confirmations"] if row["purpose"] == "staff_contact"]
    assert asked == [STRANGER, "nobody@example.com"]
    assert {row["address"] for row in told["messages"]} == {BOSS}


def test_a_contact_that_a_notice_brings_back_was_verified_when_it_was(member):  # REC-08
    changes_contact(member, NEW)
    verified_at = Challenge.objects.get(purpose=Purpose.STAFF_CONTACT).verified_at
    me = leaves_the_staff()
    adds(me, "phone", PHONE)
    me.post(f"{EMAIL_PAGE}remove/")
    assert User.objects.get().email is None

    holder = Shopper(ip="192.0.2.66")
    holder.open(Postbox().link(NEW))
    holder.post(NOT_ME)

    user = User.objects.get()
    assert (user.email, user.email_verified_at) == (NEW, verified_at)


def test_the_trail_knows_which_contact_staff_verified_and_erasure_finds_it(member):  # LOG-01
    changes_contact(member, NEW)
    assert SecurityEvent.objects.get(kind="contact_changed").fingerprint == fingerprint(NEW)
    call_command("staff_contact", "boss", BOSS)
    call_command("staff_role", "boss", "none")
    years_pass()
    for page in (RESET, REGISTER):
        Shopper(ip="198.51.100.77").post(page, identifier=NEW)
    assert found_of([NEW])

    is_erased()

    assert found_of([NEW]) == set()


@pytest.mark.parametrize("times", [1, 40])
def test_erasure_reads_no_row_for_each_sign_in(boss, times):
    here = ClientInfo(ip="192.0.2.1")
    for _ in range(times):
        audit.record("signed_in", client=here, identifier=parse(BOSS), user=boss)

    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert deletion._prints(boss) == {fingerprint(BOSS)}

    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            cursor.execute(query["sql"])
            assert len(cursor.fetchall()) <= 1


def test_a_new_role_ends_nobody_elses_way_back(boss, ana):  # REG-05
    """Their former address has become the contact of a member of staff, for a while."""
    joins(ana, email="ana@example.com")
    adds(ana, "email", "thief@example.com")
    link = Postbox().link("ana@example.com")
    call_command("staff_contact", "boss", "ana@example.com")
    call_command("staff_role", "boss", "Support")
    call_command("staff_contact", "boss", BOSS)

    holder = Shopper(ip="192.0.2.66")
    holder.open(link)
    holder.post(NOT_ME)

    assert User.objects.get(name="Ana").email == "ana@example.com"
