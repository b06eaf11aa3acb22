"""A notice reaches a mailbox once, and carries a link for whoever is an owner (ABU-07)."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import composers
from accounts.models import Challenge, SmsCountry, User
from messaging.models import OutboxMessage
from tests.support.account import CONFIRM, EMAIL, PHONE
from tests.support.backoffice import USERS
from tests.support.people import PASSWORD, Shopper
from tests.support.strangers import sign_in


@pytest.fixture
def _no_texts(db):
    """Staff have closed the owner's country."""
    SmsCountry.objects.create(code="US", is_open=False)


def told(what):
    """To where a notice was promised, and which of its links work."""
    rows = OutboxMessage.objects.filter(template="notice", part=what)
    links = Challenge.objects.live().filter(purpose="not_me")
    alive = set(links.values_list("pk", flat=True))
    return [(row.address, row.about_id in alive) for row in rows]


@pytest.mark.usefixtures("_no_texts")
def test_who_removes_a_number_that_gets_no_texts_is_told_once_by_email(trusted):  # ABU-07
    sign_in(trusted)
    trusted.post(CONFIRM, current=PASSWORD)

    trusted.post("/account/contacts/phone/remove/")

    assert User.objects.get().phone is None
    assert told("contact_removed") == [(EMAIL, True)]


@pytest.mark.usefixtures("_no_texts")
def test_an_address_that_leaves_is_told_once_though_the_number_gets_no_texts(trusted):  # ABU-07
    sign_in(trusted)
    trusted.post(CONFIRM, current=PASSWORD)

    trusted.post("/account/contacts/email/remove/")

    assert User.objects.get().email is None
    assert told("contact_removed") == [(EMAIL, True)]


@pytest.mark.usefixtures("_no_texts")
def test_an_address_that_staff_removed_gets_no_link_in_place_of_the_text(staff, owner):  # REC-08
    staff.client.post(f"{USERS}{owner.pk}/remove-email/")

    assert User.objects.get(pk=owner.pk).email is None
    assert told("contact_removed") == [(EMAIL, False)]


def test_with_texts_both_are_told_once(trusted):  # ABU-07
    sign_in(trusted)
    trusted.post(CONFIRM, current=PASSWORD)

    trusted.post("/account/contacts/phone/remove/")

    assert sorted(told("contact_removed")) == [(PHONE, True), (EMAIL, True)]


@pytest.mark.parametrize("hours", [-24 * 365, 24 * 365])
def test_the_clock_of_a_worker_decides_on_no_link(trusted, monkeypatch, hours):
    off = now() + timedelta(hours=hours)
    sign_in(Shopper(ip="198.51.100.9"))
    monkeypatch.setattr(composers, "now", lambda: off, raising=False)
    row = OutboxMessage.objects.get(template="notice")
    assert composers.notice(row.about_id, row.part)["link"]
