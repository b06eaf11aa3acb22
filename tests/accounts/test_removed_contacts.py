"""What a contact opened ends with the contact: sessions, codes that wait, links in notices. An owner and a thief."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.db.models.functions import Now
from django.utils.timezone import now

from accounts import conf
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, SecurityEvent, Session, User
from accounts.sessions import trusted_browsers
from tests.support.pages import words
from tests.support.people import ACCOUNT, LOGIN, LOGOUT, PASSWORD, Postbox, Shopper

RESET, NEW_PASSWORD, NOT_ME = "/password-reset/", "/password-reset/new/", "/not-me/"
RESET_VERIFY = "/password-reset/verify/"
CODE, CODE_VERIFY = "/login/code/", "/login/code/verify/"
CONFIRM, CONFIRM_CODE, CONFIRM_VERIFY = (
    "/account/confirm/",
    "/account/confirm/code/",
    "/account/confirm/verify/",
)
CONTACT, CONTACT_VERIFY, CONTACT_RESEND = (
    "/account/contacts/{}/",
    "/account/contact/",
    "/account/contact/resend/",
)
CHANGE_PASSWORD = "/account/password/"
USERS = "/admin/accounts/user/"

EMAIL, PHONE = "ana@example.com", "+12025550123"
NEW_EMAIL, NEW_PHONE = "new@example.com", "+12025550199"
CHOSEN = "another good password"
LONG = conf.NOT_ME_TTL + timedelta(seconds=5)
SHORT = conf.NOT_ME_TTL - timedelta(seconds=5)


@pytest.fixture
def settled(db):
    """Ana's account: an address and a number that she verified a year ago."""
    user = User.objects.register(
        parse(EMAIL), name="Ana", completed_at=Now(), password=make_password(PASSWORD)
    )
    verified = User.verified_columns(parse(PHONE)) | {"primary": "phone"}
    User.objects.filter(pk=user.pk).update(**verified)
    verified_long_ago("email", days=365)
    verified_long_ago("phone", days=365)
    User.objects.update(date_joined=Now() - timedelta(days=365))
    return user


def verified_long_ago(kind, **span):
    """A contact of the account is that old."""
    User.objects.update(**{f"{kind}_verified_at": Now() - timedelta(**span)})


def by_password(shopper=None, password=PASSWORD, who=EMAIL):
    """A browser in which somebody signs in with the password."""
    shopper = shopper or Shopper(ip="198.51.100.9")
    shopper.post(LOGIN, identifier=who, password=password, remember="on")
    return shopper


def by_code(who, shopper=None):
    """A browser in which somebody signs in with a code."""
    shopper = shopper or Shopper(ip="198.51.100.10")
    shopper.post(CODE, identifier=who)
    shopper.post(CODE_VERIFY, code=Postbox().code(who))
    return shopper


def known(span, password=PASSWORD):
    """A browser that signed in with the password `span` ago, and does so now."""
    shopper, user = Shopper(ip="198.51.100.11"), User.objects.get(email=EMAIL)
    shopper.client.cookies["__Host-trusted-browsers"] = trusted_browsers.add(
        "", owner=str(user.pk), password=user.password, at=lambda: now() - span
    )
    return by_password(shopper, password)


def removes(shopper, kind="email"):
    """The contact of this kind is taken off."""
    return shopper.post(f"{CONTACT.format(kind)}remove/")


def adds(shopper, contact, kind):
    """A contact is put into the account, or in the place of the one of its kind."""
    shopper.post(CONTACT.format(kind), contact=contact)
    return shopper.post(CONTACT_VERIFY, code=Postbox().code(contact))


def links_to(contact):
    """The links in all notices that went there, newest first."""
    texts = [message["text"] for message in Postbox().messages(contact)]
    return [link for text in texts for link in re.findall(r"/not-me/\?token=[\w-]+", text)]


def link_of(news):
    """The link of the notice to the address that says this."""
    (text,) = [each["text"] for each in Postbox().messages(EMAIL) if news in each["text"]]
    return re.search(r"/not-me/\?token=[\w-]+", text)[0]


def press(link, shopper=None):
    """Open the link in a notice and press its button."""
    shopper = shopper or Shopper(ip="192.0.2.66")
    shopper.open(link)
    return shopper.post(NOT_ME)


def comes_back(contact=EMAIL):
    """Try every link that ever went to the contact, until it is the account's again."""
    for link in links_to(contact):
        press(link)
        if has(contact):
            return True
    return has(contact)


def has(contact):
    """Whether the account has it."""
    user = User.objects.get()
    return contact in (user.email, user.phone)


def forgets_password():
    """The owner gets in again by a text, and signs in with the new password in a browser like any other."""
    shopper = Shopper(ip="198.51.100.12")
    shopper.post(RESET, identifier=PHONE)
    shopper.post(RESET_VERIFY, code=Postbox().code(PHONE))
    shopper.post(NEW_PASSWORD, password=CHOSEN)
    return by_password(shopper, CHOSEN, PHONE)


# Sessions end with the contact


def replaces_email(shopper):
    """With one of somebody's."""
    adds(shopper, NEW_EMAIL, "email")


def replaces_phone(shopper):
    """With one of somebody's."""
    adds(shopper, NEW_PHONE, "phone")


def removes_email(shopper):
    """The number is left."""
    removes(shopper, "email")


def removes_phone(shopper):
    """The address is left."""
    removes(shopper, "phone")


@pytest.mark.parametrize(
    "change",
    [replaces_email, replaces_phone, removes_email, removes_phone],
    ids=lambda do: do.__name__,
)
def test_sessions_end_with_the_contact_they_were_made_with(settled, change):  # SES-12
    elsewhere = [by_code(EMAIL), by_code(PHONE, Shopper(ip="198.51.100.13")), by_password()]
    mine = by_password(Shopper())

    change(mine)

    assert mine.is_signed_in
    assert not any(other.is_signed_in for other in elsewhere)


def test_a_contact_that_is_added_ends_no_session(settled):  # SES-12
    User.objects.update(primary="email", **User.removed_columns("phone"))
    elsewhere, mine = by_code(EMAIL), by_password(Shopper())

    adds(mine, NEW_PHONE, "phone")

    assert has(NEW_PHONE)
    assert elsewhere.is_signed_in


def test_a_removal_that_is_refused_ends_no_session(settled):
    User.objects.update(primary="email", **User.removed_columns("phone"))
    elsewhere, mine = by_code(EMAIL), by_password(Shopper())

    assert removes(mine).status_code == 422

    assert elsewhere.is_signed_in


def test_a_notice_says_that_the_others_are_signed_out(settled, postbox):
    removes(by_password())

    assert "All other devices were signed out." in postbox.messages(EMAIL)[0]["text"]


# A contact that waits


def window_closes(shopper):
    """The proof grows too old, as if the browser had been left open."""
    proof_is(shopper, conf.REAUTH_WINDOW + timedelta(seconds=1))


def proof_is(shopper, old):
    """This browser proved who is there that long ago."""
    mine = Session.objects.filter(pk=shopper.session_key)
    assert mine.update(reauthenticated_at=Now() - old) == 1


@pytest.mark.parametrize(
    "act", [("get", CONTACT_VERIFY), ("post", CONTACT_VERIFY), ("post", CONTACT_RESEND)]
)
def test_a_contact_that_waits_too_long_asks_for_a_new_proof(settled, anyone, postbox, act):
    by_password(anyone)
    anyone.post(CONTACT.format("email"), contact=NEW_EMAIL)
    code = postbox.code(NEW_EMAIL)
    sent = len(postbox)
    window_closes(anyone)

    method, page = act
    late = getattr(anyone, method)(page, **({"fields": {"code": code}} if method == "post" else {}))

    back = f"{CONFIRM}?next=%2Faccount%2Fcontact%2F"
    assert (late.status_code, late.to) == {
        "page": (303, back),
        "htmx": (403, back),
        "json": (403, None),
    }[anyone.face]
    assert "Confirm that it is you first" in words(late) + words(anyone.client.get(ACCOUNT))
    assert not has(NEW_EMAIL)
    assert len(postbox) == sent
    # Neither the code nor a try of it is spent.
    anyone.post(CONFIRM, current=PASSWORD, next=CONTACT_VERIFY)
    assert anyone.post(CONTACT_VERIFY, code=code).status_code in (200, 303)
    assert has(NEW_EMAIL)


def test_within_the_window_the_code_is_enough(settled, ana, postbox):
    by_password(ana)
    ana.post(CONTACT.format("email"), contact=NEW_EMAIL)
    proof_is(ana, conf.REAUTH_WINDOW - timedelta(seconds=5))

    ana.post(CONTACT_VERIFY, code=postbox.code(NEW_EMAIL))

    assert has(NEW_EMAIL)


def test_whoever_has_nothing_waiting_is_not_asked_who_they_are(settled, ana):
    by_password(ana)
    window_closes(ana)

    assert ana.get(CONTACT_VERIFY).to == ACCOUNT


# A contact that was removed, and the links in notices


def test_a_removed_address_comes_back_once_and_not_for_ever(settled):  # REC-11
    """Issue 11: the owner removes, the holder is back; twice."""
    removes(by_password())
    first = comes_back()

    removes(forgets_password())
    second = comes_back()

    assert (first, second) == (True, False)
    assert User.objects.get().phone == PHONE


def test_the_notice_of_the_second_removal_has_no_link(settled, postbox):
    removes(by_password())
    comes_back()
    removes(forgets_password())

    message = postbox.messages(EMAIL)[0]

    assert "An email address or mobile number was removed" in message["text"]
    assert "/not-me/" not in message["text"] + message["html"]
    assert "/not-me/" in postbox.messages(PHONE)[0]["text"]


def code_to_the_other(ana):
    """Signed in by a code to the number that stays."""
    return by_code(PHONE, ana)


def confirmed_by_code(ana):
    """Signed in with the password, then verified by a code to the number that stays."""
    by_password(ana)
    ana.post(CONFIRM_CODE)
    ana.post(CONFIRM_VERIFY, code=Postbox().code(PHONE))
    return ana


def known_browser(ana):
    """The password, in a browser that is known for longer than a notice's link lives."""
    return known(LONG)


SURE = [code_to_the_other, confirmed_by_code, known_browser]


@pytest.mark.parametrize("way", SURE, ids=lambda do: do.__name__)
@pytest.mark.parametrize("change", [removes_email, replaces_email], ids=lambda do: do.__name__)
def test_what_the_owner_surely_removed_does_not_come_back(
    settled, ana, postbox, way, change
):  # REC-11
    User.objects.update(primary="email")
    by_password(Shopper(ip="192.0.2.9"))  # a notice of a new device, with a link
    User.objects.update(primary="phone")
    assert links_to(EMAIL)

    change(way(ana))

    assert not has(EMAIL)
    assert "/not-me/" not in postbox.messages(EMAIL)[0]["text"]
    assert not comes_back()


def password_alone(ana):
    """In a browser that is new."""
    return by_password(ana)


def young_browser(ana):
    """One that is known for a little less than it takes."""
    return known(SHORT)


def confirmed_by_password(ana):
    """A code first; the newest proof is the password."""
    by_code(PHONE, ana)
    ana.post(CONFIRM, current=PASSWORD)
    return ana


def code_to_the_same(ana):
    """By a code to the very address that goes: whoever reads that mailbox today."""
    return by_code(EMAIL, ana)


def young_number(ana):
    """By a code to a number that was added a little less long ago than it takes."""
    verified_long_ago("phone", seconds=SHORT.total_seconds())
    return by_code(PHONE, ana)


UNSURE = [password_alone, young_browser, confirmed_by_password, code_to_the_same, young_number]


@pytest.mark.parametrize("way", UNSURE, ids=lambda do: do.__name__)
@pytest.mark.parametrize("change", [removes_email, replaces_email], ids=lambda do: do.__name__)
def test_what_a_thief_may_have_removed_comes_back(settled, ana, way, change):  # REC-11
    change(way(ana))
    assert not has(EMAIL)

    press(links_to(EMAIL)[0])

    assert has(EMAIL)


def test_a_number_that_is_old_enough_counts(settled, ana):
    verified_long_ago("phone", seconds=LONG.total_seconds())

    removes(by_code(PHONE, ana))

    assert not comes_back()


def test_a_thief_who_brings_a_number_of_their_own_gains_nothing(settled, postbox):
    User.objects.update(primary="email", **User.removed_columns("phone"))
    thief = by_password(Shopper(ip="192.0.2.66"))
    adds(thief, NEW_PHONE, "phone")
    removes(by_code(NEW_PHONE, Shopper(ip="192.0.2.67")))
    assert not has(EMAIL)

    press(links_to(EMAIL)[0])
    removes(by_code(NEW_PHONE, Shopper(ip="192.0.2.68")))

    # The second removal ended the links since the return; that of the notice of the thief's number still works.
    press(link_of("was added to your account"))
    assert (has(EMAIL), has(NEW_PHONE)) == (True, False)


def test_a_number_that_came_back_is_no_older_than_it_was(settled, postbox):
    """A thief must not age a number of theirs by removing it and calling it back."""
    User.objects.update(primary="email", **User.removed_columns("phone"))
    thief = by_password(Shopper(ip="192.0.2.66"))
    adds(thief, NEW_PHONE, "phone")
    removes(thief, "phone")
    press(links_to(NEW_PHONE)[0])
    assert has(NEW_PHONE)

    removes(by_code(NEW_PHONE, Shopper(ip="192.0.2.67")))

    assert "/not-me/" in postbox.messages(EMAIL)[0]["text"]
    press(link_of("was added to your account"))
    assert (has(EMAIL), has(NEW_PHONE)) == (True, False)


def test_a_contact_of_an_account_that_came_back_is_as_old_as_it_was(settled):
    removes(by_password())
    press(links_to(EMAIL)[0])

    user = User.objects.get()
    assert user.email_verified_at == user.date_joined


def test_a_contact_verified_anew_after_it_came_back_may_come_back_again(settled, ana):
    removes(by_password())
    comes_back()
    removes(forgets_password())
    mine = by_password(ana, CHOSEN, PHONE)
    adds(mine, EMAIL, "email")

    removes(by_password(Shopper(ip="192.0.2.70"), CHOSEN, PHONE))

    assert comes_back()


def test_links_end_without_taking_the_news_along(settled, ana, settings):
    """A notice that waits for a provider is sent though its link has ended."""
    settings.MAILBOX = False
    by_password(ana)
    ana.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)
    User.objects.get().challenges.cancel_all()
    settings.MAILBOX = True

    message, _new_sign_in = Postbox().messages(EMAIL)

    assert "The password of your account was changed" in message["text"]
    assert "/not-me/" not in message["text"]


def test_a_contact_that_came_back_is_written_down(settled):  # LOG-01
    removes(by_password())
    comes_back()

    event = SecurityEvent.objects.get(kind="contact_restored")
    assert (event.user.pk, event.identifier_kind, bool(event.fingerprint)) == (
        settled.pk,
        "email",
        True,
    )


# Since when a browser is trusted


def test_trust_grows_while_the_password_is_changed_here(settled):
    mine = known(LONG)
    mine.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)
    mine.post(LOGOUT)

    removes(by_password(mine, CHOSEN))

    assert not comes_back()


def test_trust_begins_anew_when_the_password_changes_elsewhere(settled):
    mine = known(LONG)
    by_password().post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)

    removes(by_password(mine, CHOSEN))

    assert comes_back()


def test_the_clock_of_the_web_server_makes_no_browser_trusted_for_long(settled):
    with time_machine.travel(now() - LONG):
        thief = by_password()

    removes(thief)

    assert comes_back()


def test_nobody_writes_their_own_trust(settled):
    thief = by_password()
    cookie = thief.client.cookies["__Host-trusted-browsers"]
    name, since, signature = cookie.value.split(".")
    thief.client.cookies["__Host-trusted-browsers"] = f"{name}.{int(since) - 10**6}.{signature}"

    removes(thief)

    assert comes_back()


# Staff


def run_action(staff, settled, name):
    """Press the button of a support action."""
    return staff.client.post(f"{USERS}{settled.pk}/{name}/", follow=True)


def shoppers():
    """The one account that is not of staff."""
    return User.objects.get(is_staff=False)


@pytest.mark.parametrize(
    ("kind", "gone", "stays"), [("email", EMAIL, PHONE), ("phone", PHONE, EMAIL)]
)
def test_staff_remove_a_contact_for_good(staff, settled, postbox, kind, gone, stays):  # REC-11
    mine = by_password()
    mine.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)
    links = links_to(gone)
    assert links

    answer = run_action(staff, settled, f"remove-{kind}")

    assert "The contact is removed." in words(answer)
    user = shoppers()
    assert [contact.address for contact in user.contacts] == [stays]
    assert not mine.is_signed_in
    assert "/not-me/" not in postbox.messages(gone)[0]["text"]
    assert {press(link).status_code for link in links} == {410}
    assert {press(link).status_code for link in links_to(stays)[1:]} == {410}
    kinds = SecurityEvent.objects.filter(user=settled).values_list("kind", flat=True)
    assert {"staff_removed_contact", "contact_removed"} <= {*kinds}


def test_staff_never_remove_the_last_contact(staff, settled):
    User.objects.filter(pk=settled.pk).update(primary="email", **User.removed_columns("phone"))

    answers = [run_action(staff, settled, f"remove-{kind}") for kind in ("email", "phone")]

    assert all("The account has changed meanwhile" in words(answer) for answer in answers)
    assert shoppers().email == EMAIL
    page = staff.client.get(f"{USERS}{settled.pk}/change/").content.decode()
    assert "remove-email" not in page


@pytest.mark.parametrize("name", ["end-sessions", "deactivate"])
def test_what_staff_end_they_end_for_good(staff, settled, name):  # REC-11
    removes(by_password())
    links = links_to(EMAIL) + links_to(PHONE)
    assert links

    run_action(staff, settled, name)
    run_action(staff, settled, "reactivate")

    assert {press(link).status_code for link in links} == {410}
    assert shoppers().email is None


def test_the_links_of_others_to_the_same_address_are_left_alone(staff, settled, postbox):
    """An address that another account gave up an hour ago may still call that one back."""
    removes(by_password())
    link = links_to(EMAIL)[0]
    other = User.objects.register(parse(EMAIL), name="Bea", completed_at=Now())

    run_action(staff, other, "end-sessions")

    assert (
        Challenge.objects.live()
        .filter(user=settled, purpose=Purpose.NOT_ME, recipient=EMAIL)
        .exists()
    )
    assert Shopper().open(link).status_code == 200


def test_a_contact_that_the_removed_one_had_replaced_stays_away_too(settled, postbox):  # REC-08
    """Whoever was in the account brought one address after the other: links of the first end with the second."""
    adds(by_password(Shopper(ip="198.51.100.66")), NEW_EMAIL, "email")
    assert links_to(EMAIL)

    removes(by_code(PHONE))

    assert not comes_back()
    assert not comes_back(NEW_EMAIL)
