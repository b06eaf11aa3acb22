"""Whatever locks somebody out, staff see it on the page of the user and lift it (LIM-12)."""

import pytest

from accounts import limits
from accounts.flows import deletion
from accounts.models import Pool, SecurityEvent, User
from backoffice import roles
from ratelimits.engine import consume
from tests.support.account import CONFIRM, EMAIL
from tests.support.backoffice import LOOKUP, USERS
from tests.support.pages import words
from tests.support.people import ACCOUNT, HOME, PASSWORD, Shopper, time_passes
from tests.support.staff import CODE, Member, knock, let_in_staff, make_staff, sign_in_staff
from tests.support.strangers import WRONG, leaves, sign_in, somebody


def page_of(user, browser):
    """What staff read on the page of a user."""
    return words(browser.client.get(f"{USERS}{user.pk}/change/"))


def lifts(user, browser):
    """Press "Lift lock"."""
    return browser.client.post(f"{USERS}{user.pk}/lift-lock/")


# The owner's own browser


def test_staff_see_and_lift_that_a_trusted_browser_locked_itself(trusted, staff, owner):  # LIM-12
    answers = [sign_in(trusted, EMAIL, WRONG).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    page = page_of(owner, staff)
    assert "passwords tried in a browser of theirs, full until" in page
    assert "Lift lock" in page
    found = words(staff.client.post(LOOKUP, {"who": EMAIL}))
    assert "passwords tried in a browser of theirs, full until" in found

    lifts(owner, staff)

    assert "full until" not in page_of(owner, staff)
    assert sign_in(trusted).to == HOME


def test_staff_see_and_lift_a_browser_that_is_signed_in_without_its_cookie(trusted, staff, owner):
    sign_in(trusted)
    del trusted.client.cookies["__Host-trusted-browsers"]
    answers = [trusted.post(CONFIRM, current=WRONG).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    assert "passwords tried in a browser of theirs, full until" in page_of(owner, staff)

    lifts(owner, staff)

    assert trusted.post(CONFIRM, current=PASSWORD).to == ACCOUNT


def test_one_trusted_browser_still_locks_no_other(trusted, owner):  # LIM-04
    other = Shopper(ip="203.0.113.9")
    sign_in(other)
    leaves(other)

    for _ in range(6):
        sign_in(trusted, EMAIL, WRONG)

    assert sign_in(other).to == HOME


def test_a_trusted_browser_that_is_open_again_is_not_on_the_page(trusted, staff, owner):
    for _ in range(6):
        sign_in(trusted, EMAIL, WRONG)

    time_passes(minutes=31)

    assert "full until" not in page_of(owner, staff)


def test_erasure_forgets_which_browser_it_was(trusted, owner):  # LOG-03
    for _ in range(6):
        sign_in(trusted, EMAIL, WRONG)
    assert SecurityEvent.objects.filter(about__startswith="browser ").count() == 6
    User.objects.update(deletion_due_at="2020-01-01T00:00Z")

    deletion.erase_due()

    assert not SecurityEvent.objects.exclude(about="").exists()


# Staff


@pytest.fixture
def chief(db):
    """A superuser at work, who is not locked out."""
    make_staff("chief")
    browser = Shopper(ip="192.0.2.60")
    let_in_staff(browser.client, "chief")
    return browser


def test_a_member_of_staff_whom_strangers_locked_out_is_let_in_by_another(chief):  # LIM-08, LIM-12
    boss = make_staff("boss")
    for _ in range(5):
        knock(somebody("page").client, "boss", WRONG)
    new = Member(ip="192.0.2.61")
    assert knock(new.client, "boss").headers.get("Location") != CODE
    page = page_of(boss, chief)
    assert "passwords tried on the staff pages, full until" in page
    assert "locked until" in page
    assert "locked until" in words(chief.client.get(f"{USERS}?state=locked"))

    lifts(boss, chief)

    assert "full until" not in page_of(boss, chief)
    assert sign_in_staff(new.client, "boss").status_code == 302
    assert new.is_signed_in


def test_a_member_of_staff_who_locked_their_own_browser_is_let_in_by_another(chief):  # LIM-12
    boss = make_staff("boss")
    own = Member(ip="192.0.2.61")
    let_in_staff(own.client, "boss")
    own.client.post("/admin/logout/")
    for _ in range(5):
        knock(own.client, "boss", WRONG)
    assert knock(own.client, "boss").headers.get("Location") != CODE
    assert "in a browser of theirs, full until" in page_of(boss, chief)

    lifts(boss, chief)

    assert knock(own.client, "boss").headers.get("Location") == CODE


@pytest.mark.parametrize(
    ("full", "said"),
    [
        (lambda to: limits.messages(to, Pool.STAFF), "codes of the staff pages sent"),
        (lambda to: limits.guesses(to, Pool.STAFF), "codes of the staff pages typed"),
    ],
    ids=["messages", "guesses"],
)
def test_what_keeps_a_code_of_the_staff_pages_back_is_lifted(chief, full, said):  # LIM-12
    boss = make_staff("boss")
    every = full(boss.contacts[0])
    for _ in range(min(limit.rate.times for limit in every)):
        consume(*every)
    assert f"{said}, full until" in page_of(boss, chief)

    lifts(boss, chief)

    assert "full until" not in page_of(boss, chief)


def test_support_lifts_no_lock_of_a_colleague(chief):  # ADM-01
    boss = make_staff("boss")
    for _ in range(5):
        knock(somebody("page").client, "boss", WRONG)
    roles.set_role(make_staff("sam"), "Support")
    staff = Shopper(ip="192.0.2.62")
    let_in_staff(staff.client, "sam")

    assert lifts(boss, staff).status_code == 403
