"""Strangers ask for links, or know the password: the owner's own ways back stay open (LIM-12)."""

import pytest

from accounts.models import Challenge
from tests.support.account import EMAIL, PHONE, RESET, RESET_NEW
from tests.support.backoffice import USERS
from tests.support.pages import words
from tests.support.people import HOME, PASSWORD, Shopper, time_passes
from tests.support.strangers import sign_in, somebody

CHOSEN = "purple monkey dishwasher"


def chooses(browser, link):
    """Open a link and choose a new password with it."""
    browser.open(link)
    return browser.post(RESET_NEW, password=CHOSEN)


def strangers_ask(who=EMAIL):
    """Somebody who knows the address alone asks for a new password."""
    assert somebody().post(RESET, identifier=who).status_code == 200


# A stranger asks


@pytest.mark.parametrize(("way", "who"), [("recover", EMAIL), ("recover-by-text", PHONE)])
def test_a_stranger_ends_no_link_that_staff_sent(owner, staff, postbox, way, who):  # LIM-12
    staff.client.post(f"{USERS}{owner.pk}/{way}/")
    link = postbox.link(who)

    strangers_ask(who)

    assert chooses(Shopper(), link).status_code == 303


def test_a_stranger_ends_no_recovery_after_not_me(trusted, postbox):  # LIM-12, REC-08
    sign_in(somebody())
    reader = Shopper()
    reader.open(postbox.link(EMAIL))
    reader.post("/not-me/")

    strangers_ask()

    assert reader.post(RESET_NEW, password=CHOSEN).status_code == 303


def test_a_stranger_ends_no_link_of_a_trusted_browser(trusted, postbox):  # LIM-12
    trusted.post(RESET, identifier=EMAIL)
    link = postbox.link(EMAIL)

    strangers_ask()

    assert chooses(trusted, link).status_code == 303


def test_the_owner_ends_the_links_that_strangers_asked_for(trusted, postbox):  # REC-05
    strangers_ask()
    first = postbox.link(EMAIL)
    time_passes(seconds=61)

    trusted.post(RESET, identifier=EMAIL)

    assert Shopper().open(first).status_code == 410
    assert chooses(trusted, postbox.link(EMAIL)).status_code == 303


def test_of_two_links_that_were_asked_for_at_one_door_the_newer_one_works(owner, postbox):  # REC-05
    strangers_ask()
    first = postbox.link(EMAIL)
    time_passes(seconds=61)

    strangers_ask()

    assert Shopper().open(first).status_code == 410
    assert Shopper().open(postbox.link(EMAIL)).status_code == 200


def test_a_new_password_ends_all_links_whoever_asked(trusted, staff, owner, postbox):  # REC-06
    staff.client.post(f"{USERS}{owner.pk}/recover/")
    strangers_ask()
    trusted.post(RESET, identifier=EMAIL)

    chooses(trusted, postbox.link(EMAIL))

    assert not Challenge.objects.live().filter(purpose="reset").exists()


# A thief knows the password


@pytest.fixture
def _thief(trusted):
    """Somebody who knows the password comes in as often as it goes, and on until nothing is looked at any more."""
    assert [sign_in(somebody()).status_code for _ in range(20)] == [200] * 20
    answers = [words(sign_in(somebody())) for _ in range(6)]
    assert all("That was too often." in answer for answer in answers[:4])
    assert "too many tries with a password" in answers[-1]


@pytest.mark.usefixtures("_thief")
def test_a_thief_locks_no_trusted_browser(trusted):  # LIM-04, LIM-12
    assert sign_in(trusted).to == HOME


@pytest.mark.usefixtures("_thief")
def test_a_thief_locks_nobody_out_who_is_signed_in(trusted):  # LIM-12
    sign_in(trusted)

    assert trusted.post("/account/confirm/", current=PASSWORD).status_code == 303


@pytest.mark.usefixtures("_thief")
def test_with_a_new_password_the_owner_comes_in_at_once_wherever(owner, postbox):  # LIM-03, LIM-12
    new = Shopper(ip="203.0.113.77")
    assert sign_in(new).status_code == 429
    new.post(RESET, identifier=EMAIL)
    chooses(new, postbox.link(EMAIL))

    assert sign_in(new, password=CHOSEN).to == HOME
