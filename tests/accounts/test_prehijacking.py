"""The five ways to own an account before its owner does (Sudhodanan and Paverd, 2022), each tried and failed."""

import pytest

from accounts import conf
from accounts.models import Challenge, Purpose, User
from tests.support.pages import words
from tests.support.people import (
    ACCOUNT,
    COMPLETE,
    HOME,
    LINK,
    LOGIN,
    PASSWORD,
    VERIFY,
    Postbox,
    Shopper,
    time_passes,
)
from tests.support.races import at_once, tabs

RESET, RESET_VERIFY = "/password-reset/", "/password-reset/verify/"
NEW_PASSWORD = "/password-reset/new/"
CODE, CODE_VERIFY = "/login/code/", "/login/code/verify/"
CONTACTS, CONTACT_VERIFY = "/account/contacts/{}/", "/account/contact/"
CHANGE_PASSWORD, SIGN_OUT_OTHERS = "/account/password/", "/account/devices/sign-out/"

OWNERS, OWNERS_PHONE = "owner@example.com", "+12025550123"
EVIL, EVIL_PHONE = "evil@example.com", "+12025550199"
KNOWN = "a password the attacker knows"
CHOSEN = "a password of the owner"


@pytest.fixture
def attacker(db):
    """Somebody who is there first, and reads no mail of the owner's."""
    return Shopper(ip="192.0.2.66")


@pytest.fixture
def victim(db):
    """Whose address and number it is; comes later."""
    return Shopper(ip="198.51.100.20")


def sign_in(shopper, who, password):
    """Whether this name and this password let the shopper in."""
    shopper.post("/logout/")
    shopper.post(LOGIN, identifier=who, password=password, remember="on")
    return shopper.is_signed_in


def verifies(shopper, contact, kind="email"):
    """A contact is added to the shopper's account, and verified."""
    shopper.post(CONTACTS.format(kind), contact=contact)
    return shopper.post(CONTACT_VERIFY, code=Postbox().code(contact))


# REG-02 Classic merge: what was typed before the proof must not be in the account after it.


@pytest.mark.parametrize("complete", [True, False], ids=["with a password", "without a password"])
def test_classic_merge(attacker, victim, postbox, complete):
    attacker.identify(OWNERS, name="Mallory", username="wanted", password=KNOWN)

    victim.identify(OWNERS)
    victim.verify(postbox.code(OWNERS))
    if complete:
        victim.complete(name="Olive", password=CHOSEN)

    user = User.objects.get()
    assert (user.name, user.username) == ("Olive" if complete else "", None)
    assert user.has_usable_password() is complete
    assert not sign_in(attacker, OWNERS, KNOWN)
    assert not sign_in(attacker, "wanted", KNOWN)


def test_classic_merge_by_text(attacker, victim, postbox):  # REG-02
    attacker.identify(OWNERS_PHONE, name="Mallory", username="wanted", password=KNOWN)

    victim.signs_up(OWNERS_PHONE, name="Olive", password=CHOSEN, username="wanted")

    assert User.objects.get().username == "wanted"
    assert not sign_in(attacker, OWNERS_PHONE, KNOWN)
    assert sign_in(victim, "wanted", CHOSEN)


def test_classic_merge_with_the_owners_code(attacker, victim, postbox):  # REG-02, COD-08
    attacker.identify(OWNERS, name="Mallory", password=KNOWN)
    victim.identify(OWNERS)

    attacker.verify(postbox.code(OWNERS))

    assert not User.objects.exists()
    assert not attacker.is_signed_in


# REG-03 Unexpired session: what the attacker began before the owner's proof ends with it.


def test_unexpired_session(attacker, victim, postbox):
    attacker.identify(OWNERS, name="Mallory", password=KNOWN)
    code_of_the_attacker = postbox.code(OWNERS)

    victim.signs_up(OWNERS, password=CHOSEN)
    typed = attacker.verify(code_of_the_attacker)

    assert "already been used or replaced" in words(typed)
    assert not attacker.is_signed_in
    assert User.objects.count() == 1
    assert not Challenge.objects.live().filter(purpose=Purpose.REGISTER).exists()


@pytest.mark.parametrize(
    ("ask", "verify"),
    [(CODE, CODE_VERIFY), (RESET, RESET_VERIFY)],
    ids=["sign-in", "new password"],
)
def test_unexpired_session_of_another_kind(attacker, victim, postbox, ask, verify):  # REG-03
    attacker.post(ask, identifier=OWNERS_PHONE)
    code_of_the_attacker = Challenge.objects.get().code

    victim.signs_up(OWNERS_PHONE, password=CHOSEN)
    typed = attacker.post(verify, code=code_of_the_attacker)

    assert typed.status_code == 422
    assert not attacker.is_signed_in
    assert attacker.get(NEW_PASSWORD).status_code == 410


# REG-04 Trojan identifier: a contact that the attacker slipped in opens nothing until it is verified.


@pytest.fixture
def trojan(victim, attacker):
    """The attacker sits at the owner's browser for a minute, and adds a number that is not verified."""
    victim.signs_up(OWNERS, name="Olive", password=CHOSEN)
    victim.post(CONTACTS.format("phone"), contact=EVIL_PHONE)
    return attacker


def test_trojan_identifier_with_a_password(trojan):
    assert not sign_in(trojan, EVIL_PHONE, CHOSEN)


@pytest.mark.parametrize(
    ("ask", "verify"),
    [(CODE, CODE_VERIFY), (RESET, RESET_VERIFY)],
    ids=["sign-in", "new password"],
)
def test_trojan_identifier_with_a_code(trojan, postbox, ask, verify):  # REG-04, REC-07
    code = postbox.code(EVIL_PHONE)
    trojan.post(ask, identifier=EVIL_PHONE)

    trojan.post(verify, code=code)

    assert len(postbox.messages(EVIL_PHONE)) == 1
    assert not trojan.is_signed_in
    assert trojan.get(NEW_PASSWORD).status_code == 410


def test_trojan_identifier_gets_no_notices(trojan, victim, postbox):  # REG-04
    code = postbox.code(EVIL_PHONE)

    victim.post(CHANGE_PASSWORD, current=CHOSEN, password=PASSWORD)

    (only,) = postbox.messages(EVIL_PHONE)
    assert code in only["text"]


def test_trojan_identifier_keeps_nobody_out(trojan, postbox):  # REG-04, REG-06
    trojan.signs_up(EVIL_PHONE, name="Whose number it is")

    assert User.objects.get(phone=EVIL_PHONE).name == "Whose number it is"
    assert User.objects.get(email=OWNERS).phone is None


def test_trojan_identifier_once_verified_is_told_and_can_be_removed(trojan, victim, postbox):
    victim.post(CONTACT_VERIFY, code=postbox.code(EVIL_PHONE))  # REG-04, REC-08
    notice, shown = postbox.messages(OWNERS)[0], words(victim.get(ACCOUNT))

    victim.post(CONTACTS.format("phone") + "remove/")

    assert notice["subject"] == "Storefront: A contact was added to your account"
    assert EVIL_PHONE in shown
    assert not sign_in(trojan, EVIL_PHONE, CHOSEN)
    assert sign_in(victim, OWNERS, CHOSEN)


# REG-05 Unexpired change: a change that waits ends with whatever the owner does to be safe.


def resets_the_password(victim):
    """By link."""
    victim.post(RESET, identifier=OWNERS)
    victim.open(Postbox().link(OWNERS))
    victim.post(NEW_PASSWORD, password=CHOSEN)


def changes_the_password(victim):
    """With the current one."""
    victim.post(CHANGE_PASSWORD, current=KNOWN, password=CHOSEN)


def changes_a_contact(victim):
    """The other one."""
    verifies(victim, OWNERS_PHONE, "phone")


def removes_a_contact(victim):
    """The other one."""
    verifies(victim, OWNERS_PHONE, "phone")
    victim.post(CONTACTS.format("phone") + "remove/")


def signs_out_everywhere(victim):
    """From the list of devices."""
    victim.post(SIGN_OUT_OTHERS)


def says_it_was_somebody_else(victim):
    """With the link in the notice."""
    victim.open(Postbox().link(OWNERS))
    victim.post("/not-me/")


def waits(victim):
    """For the longest time that anything is open."""
    time_passes(seconds=conf.LINK_TTL.total_seconds() + 1)


SAFEGUARDS = [
    resets_the_password,
    changes_the_password,
    changes_a_contact,
    removes_a_contact,
    signs_out_everywhere,
    says_it_was_somebody_else,
    waits,
]


@pytest.fixture
def shared(attacker, victim):
    """Owner and attacker are both signed in to the owner's account."""
    victim.signs_up(OWNERS, name="Olive", password=KNOWN)
    assert sign_in(attacker, OWNERS, KNOWN)
    return User.objects.get()


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda safeguard: safeguard.__name__)
def test_unexpired_change(shared, attacker, victim, postbox, safeguard):
    attacker.post(CONTACTS.format("email"), contact=EVIL)
    code = postbox.code(EVIL)

    safeguard(victim)
    attacker.post(CONTACT_VERIFY, code=code)

    shared.refresh_from_db()
    assert shared.email == OWNERS
    assert not User.objects.filter(email=EVIL).exists()
    assert not Challenge.objects.live().filter(purpose=Purpose.CONTACT).exists()


def test_unexpired_change_with_the_newest_code(shared, attacker, postbox):  # REG-05
    attacker.post(CONTACTS.format("email"), contact=EVIL)
    earlier = postbox.code(EVIL)
    attacker.post(CONTACTS.format("email"), contact="evil2@example.com")

    attacker.post(CONTACT_VERIFY, code=earlier)

    shared.refresh_from_db()
    assert shared.email == OWNERS
    assert Challenge.objects.live().filter(purpose=Purpose.CONTACT).count() == 1


def test_unexpired_change_in_the_owners_browser(shared, attacker, victim, postbox):  # COD-08
    attacker.post(CONTACTS.format("email"), contact=EVIL)

    victim.post(CONTACT_VERIFY, code=postbox.code(EVIL))

    shared.refresh_from_db()
    assert shared.email == OWNERS


def test_a_change_that_nobody_stops_works(shared, attacker, victim, postbox):
    assert verifies(attacker, EVIL).to == ACCOUNT

    shared.refresh_from_db()
    assert shared.email == EVIL
    assert (
        postbox.messages(OWNERS)[0]["subject"]
        == "Storefront: A contact of your account was changed"
    )


# REG-08 The link in another browser: it verifies the address for whoever opened it, and for nobody else.


def test_the_link_in_another_browser(attacker, victim, postbox):
    attacker.identify(OWNERS, name="Mallory", username="wanted", password=KNOWN)

    victim.open(postbox.link(OWNERS))
    pressed = victim.post(LINK)

    user = User.objects.get()
    assert pressed.to == COMPLETE
    assert victim.is_signed_in
    assert (user.name, user.username, user.has_usable_password()) == ("", None, False)
    assert not attacker.is_signed_in
    assert attacker.get(ACCOUNT).headers["Location"].startswith(LOGIN)
    assert not sign_in(attacker, OWNERS, KNOWN)


def test_the_link_in_another_browser_ends_what_was_begun(attacker, victim, postbox):  # REG-08
    attacker.identify(OWNERS, name="Mallory", password=KNOWN)
    code = postbox.code(OWNERS)
    victim.open(postbox.link(OWNERS))
    victim.post(LINK)

    attacker.post(VERIFY, code=code)

    assert not attacker.is_signed_in
    assert User.objects.count() == 1


def test_looking_at_the_link_verifies_nothing(attacker, victim, postbox):  # REG-08, REC-01
    attacker.identify(OWNERS, name="Mallory", password=KNOWN)

    victim.open(postbox.link(OWNERS))

    assert not User.objects.exists()
    assert not attacker.is_signed_in


def test_the_link_in_the_same_browser_completes(victim, postbox):  # REG-08
    victim.identify(OWNERS, name="Olive", password=CHOSEN)
    victim.open(postbox.link(OWNERS))

    assert victim.post(LINK).to == HOME
    assert sign_in(victim, OWNERS, CHOSEN)


# Two who verify the same new address at once.


def waiting_for(contact, *people):
    """Each has an account and a code on its way to `contact`; returns the codes, in order."""
    codes = []
    for number, person in enumerate(people):
        person.signs_up(f"person{number}@example.com", name=f"Person {number}")
        kind = "email" if "@" in contact else "phone"
        person.post(CONTACTS.format(kind), contact=contact)
        codes.append(Postbox().code(contact))
    return codes


@pytest.mark.parametrize("contact", ["new@example.com", EVIL_PHONE], ids=["email", "phone"])
def test_two_who_verify_one_address_one_after_the_other(attacker, victim, contact):  # REG-06
    first, second = waiting_for(contact, attacker, victim)

    won = victim.post(CONTACT_VERIFY, code=second)
    lost = attacker.post(CONTACT_VERIFY, code=first)

    assert won.to == ACCOUNT
    assert lost.status_code in (303, 422)
    assert [user.name for user in _having(contact)] == ["Person 1"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("contact", ["new@example.com", EVIL_PHONE], ids=["email", "phone"])
def test_race_of_two_who_verify_one_address(postbox, contact):  # REG-06, FI-07
    people = [Shopper("json", ip=f"198.51.100.{number}") for number in (1, 2)]
    codes = waiting_for(contact, *people)

    answers = at_once(
        *[
            lambda tab=tab, code=code: tab.post(CONTACT_VERIFY, code=code)
            for person, code in zip(people, codes, strict=True)
            for tab in tabs(person, 3, ["json"])
        ]
    )

    statuses = [answer.status_code for answer in answers]
    (winner,) = _having(contact)
    assert statuses.count(200) == 1
    assert max(statuses) < 500
    assert winner.name == f"Person {statuses.index(200) // 3}"


@pytest.mark.django_db(transaction=True)
def test_race_of_a_registration_and_a_change_to_one_address(postbox):  # REG-06
    victim, attacker = Shopper("json"), Shopper("json", ip="192.0.2.66")
    (code,) = waiting_for(OWNERS, attacker)
    victim.identify(OWNERS)
    (owners,) = Challenge.objects.live().filter(purpose=Purpose.REGISTER)

    answers = at_once(
        lambda: tabs(victim, 1, ["json"])[0].verify(owners.code),
        lambda: tabs(attacker, 1, ["json"])[0].post(CONTACT_VERIFY, code=code),
    )

    assert max(answer.status_code for answer in answers) < 500
    assert len(_having(OWNERS)) == 1


def _having(contact):
    column = "email" if "@" in contact else "phone"
    return list(User.objects.filter(**{column: contact}))
