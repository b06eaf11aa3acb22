"""A username signs in, so it is changed by who has just proven to be the owner, and taken back like a contact."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.db.models.functions import Now
from django.utils.timezone import now

from accounts import conf, retention
from accounts.errors import ReauthenticationNeeded
from accounts.flows import account as flow
from accounts.identifiers import parse
from accounts.models import FormerUsername, Session, User
from accounts.sessions.client import ClientInfo
from tests.support.pages import Page, words
from tests.support.people import ACCOUNT, LOGIN, PASSWORD, Postbox, Shopper
from tests.support.races import at_once, tabs

NAMES, CONFIRM, NOT_ME = "/account/names/", "/account/confirm/", "/not-me/"
EMAIL = "ana@example.com"
TAKEN = "That username is taken"


def account(email=EMAIL, username="ana"):
    """An account with a verified address and a name to sign in with."""
    return User.objects.register(
        parse(email),
        name="Ana",
        username=username,
        completed_at=Now(),
        password=make_password(PASSWORD),
    )


def sign_in(shopper=None, who=EMAIL):
    """A browser in which somebody signs in with the password."""
    shopper = shopper or Shopper(ip="198.51.100.9")
    shopper.post(LOGIN, identifier=who, password=PASSWORD)
    return shopper


def renames(shopper, username, name="Ana"):
    """The names are changed."""
    return shopper.post(NAMES, name=name, username=username)


def stale(shopper):
    """The proof of who is there is older than it may be."""
    old = Now() - conf.REAUTH_WINDOW - timedelta(seconds=1)
    assert Session.objects.filter(pk=shopper.session_key).update(reauthenticated_at=old) == 1


def links(who=EMAIL):
    """The links in the notices, newest first."""
    parts = [
        message["text"].partition("https://shop.example/not-me/")[2]
        for message in Postbox().messages(who)
    ]
    return [NOT_ME + part.split()[0] for part in parts if part]


def press(link):
    """Open the link of a notice and press its button."""
    shopper = Shopper(ip="192.0.2.66")
    shopper.open(link)
    return shopper.post(NOT_ME)


def name_of(who=EMAIL):
    """The username, as it is now."""
    return User.objects.get(email=who).username


def days_pass(**span):
    """Former names grow older."""
    FormerUsername.objects.update(given_up_at=Now() - timedelta(**span))


# A fresh proof


def test_a_username_asks_for_a_fresh_proof(anyone):  # ASVS 6.3.7
    account()
    sign_in(anyone)
    stale(anyone)

    asked = renames(anyone, "mallory")

    assert asked.status_code == {"page": 303, "htmx": 403, "json": 403}[anyone.face]
    assert asked.to == (None if anyone.face == "json" else f"{CONFIRM}?next=%2Faccount%2Fnames%2F")
    assert name_of() == "ana"
    anyone.post(CONFIRM, current=PASSWORD, next=NAMES)
    renames(anyone, "mallory")
    assert name_of() == "mallory"


def test_what_was_typed_is_there_after_the_proof(ana):
    account()
    sign_in(ana)
    stale(ana)
    renames(ana, "another", name="Ana Ng")

    back = ana.post(CONFIRM, current=PASSWORD, next=NAMES).to

    typed = {name: field["value"] for name, field in Page(ana.get(back)).inputs.items()}
    assert typed == {"name": "Ana Ng", "username": "another"}
    # Once: whoever thinks better of it sees the names as they are.
    typed = {name: field["value"] for name, field in Page(ana.get(NAMES)).inputs.items()}
    assert typed == {"name": "Ana", "username": "ana"}


@pytest.mark.parametrize("username", ["ana", "ANA"])
def test_a_name_alone_asks_for_none(anyone, username):
    account()
    sign_in(anyone)
    stale(anyone)

    renames(anyone, username, name="Ana Ng")

    assert (User.objects.get().name, name_of()) == ("Ana Ng", "ana")


def test_the_flow_itself_asks_for_it_whichever_door_comes(db):  # ASVS 6.3.7
    user = account()
    stale_at = now() - conf.REAUTH_WINDOW - timedelta(seconds=1)
    anywhere = Session(user=user, reauthenticated_at=stale_at)

    with pytest.raises(ReauthenticationNeeded):
        flow.rename(user, name="Ana", username="mallory", session=anywhere, client=ClientInfo())

    assert name_of() == "ana"
    flow.rename(user, name="Ana Ng", username="ana", session=anywhere, client=ClientInfo())
    assert User.objects.get().name == "Ana Ng"


# Taken back


def test_a_username_is_taken_back_by_not_me(anyone, postbox):
    account()
    renames(sign_in(), "mallory")

    press(links()[0])

    assert name_of() == "ana"
    assert not FormerUsername.objects.exists()


def test_a_username_that_was_none_is_none_again(db):
    account(username=None)
    renames(sign_in(), "mallory")

    press(links()[0])

    assert name_of() is None


def test_a_username_that_was_taken_off_is_back(db):
    account()
    renames(sign_in(), "")
    assert name_of() is None

    press(links()[0])

    assert name_of() == "ana"


def test_however_many_steps_it_is_the_name_of_when_the_notice_was_sent(db):
    account()
    thief = sign_in()
    for name in ("second", "third", "ana", "fourth"):
        renames(thief, name)
    # The newest notice says that "ana" is "fourth"; the one before, that "third" became "ana".
    newest, _before, second, _first, _sign_in = links()

    press(newest)
    assert name_of() == "ana"
    press(second)
    assert name_of() == "second"


def test_an_older_notice_takes_a_name_back_too(db):
    account()
    thief = sign_in()
    thief.post("/account/password/", current=PASSWORD, password="the password of a thief")
    renames(thief, "mallory")

    press(links()[1])

    assert name_of() == "ana"


def test_a_later_notice_does_not_bring_the_name_of_the_thief_back(db):
    account()
    thief = sign_in()
    renames(thief, "mallory")
    thief.post("/account/password/", current=PASSWORD, password="the password of a thief")
    later, first, *_more = links()

    press(first)
    press(later)

    assert name_of() == "ana"


def test_a_change_before_the_notice_stays(db):
    account()
    mine = sign_in()
    renames(mine, "hers")
    mine.post("/account/password/", current=PASSWORD, password="another good password")

    press(links()[0])

    assert name_of() == "hers"


# Kept for its owner


def by_registration(username):
    """Step 1 brings everything."""
    return Shopper(ip="192.0.2.9").identify(
        "eve@example.com", name="Eve", username=username, password=PASSWORD
    )


def by_completion(username):
    """Step 3."""
    eve = Shopper(ip="192.0.2.9")
    eve.identify("eve@example.com")
    eve.verify(Postbox().code("eve@example.com"))
    return eve.complete(name="Eve", username=username)


def by_renaming(username):
    """An account that has another name."""
    account("eve@example.com", "eve")
    return renames(sign_in(who="eve@example.com"), username)


DOORS = [by_registration, by_completion, by_renaming]


@pytest.mark.parametrize("door", DOORS, ids=lambda do: do.__name__)
@pytest.mark.parametrize("typed", ["ana", "Ana"])
def test_nobody_else_takes_a_former_name(db, door, typed):
    account()
    renames(sign_in(), "another")

    answer = door(typed)

    assert answer.status_code == 422
    assert TAKEN in words(answer)
    assert not User.objects.filter(username="ana").exists()


@pytest.mark.parametrize("door", DOORS, ids=lambda do: do.__name__)
def test_as_long_as_a_notice_works_and_no_longer(db, door):
    account()
    renames(sign_in(), "another")
    days_pass(seconds=conf.NOT_ME_TTL.total_seconds() - 5)
    assert door("ana").status_code == 422
    User.objects.filter(email="eve@example.com").delete()

    days_pass(seconds=conf.NOT_ME_TTL.total_seconds() + 1)

    assert door("ana").status_code == 303


def test_a_registration_that_began_before_loses_the_name_alone(ana, postbox):
    """The name was free when it was typed, taken and given up meanwhile."""
    ana.identify("eve@example.com", name="Eve", username="wanted", password=PASSWORD)
    account(username="wanted")
    renames(sign_in(), "another")

    ana.verify(postbox.code("eve@example.com"))

    assert "has just been taken" in words(ana.get("/register/complete/"))
    assert ana.is_signed_in
    assert name_of("eve@example.com") is None


def test_its_owner_takes_it_back_at_any_time(db):
    account()
    mine = sign_in()
    renames(mine, "another")

    assert renames(mine, "ana").to == ACCOUNT

    assert name_of() == "ana"


def test_a_refused_name_keeps_nothing(db):
    account()
    account("eve@example.com", "eve")
    eve = sign_in(who="eve@example.com")

    refused = renames(eve, "ana")

    assert TAKEN in words(refused)
    assert not FormerUsername.objects.exists()


def test_a_name_alone_keeps_nothing(db):
    account()
    renames(sign_in(), "ana", name="Ana Ng")

    assert not FormerUsername.objects.exists()


def test_a_former_name_signs_nobody_in(db):
    account()
    renames(sign_in(), "another")

    assert not sign_in(Shopper(ip="192.0.2.10"), "ana").is_signed_in


def test_an_account_that_is_erased_keeps_no_name(db):
    user = account()
    renames(sign_in(), "another")

    user.delete()

    assert by_registration("ana").status_code == 303


@pytest.mark.parametrize(("beyond", "left"), [(-5, 1), (1, 0)], ids=["in time", "too late"])
def test_former_names_go_when_no_notice_brings_them_back(db, beyond, left):
    account()
    renames(sign_in(), "another")
    days_pass(seconds=conf.NOT_ME_TTL.total_seconds() + beyond)

    retention.purge()

    assert FormerUsername.objects.count() == left


# Many at once


@pytest.mark.django_db(transaction=True)
def test_race_for_a_name_at_the_moment_it_is_given_up(postbox):
    """Whoever waits for the name of somebody who renames does not get it by waiting at the right moment."""
    for number in range(6):
        name = f"wanted{number}"
        # A household of its own in each round: they ask for more usernames than one may in a minute.
        home = {"ip": f"198.51.100.{number + 100}"}
        account(f"ana{number}@example.com", name)
        mine = sign_in(Shopper("json", **home), f"ana{number}@example.com")
        eve = Shopper("json", ip=f"192.0.2.{number + 20}")
        account(f"eve{number}@example.com", f"eve{number}")
        sign_in(eve, f"eve{number}@example.com")
        new = Shopper("json", ip=f"192.0.2.{number + 30}")
        new.identify(f"new{number}@example.com")
        new.verify(postbox.code(f"new{number}@example.com"))
        ways = [
            lambda mine=mine, number=number: renames(tabs(mine, 1, ["json"])[0], f"other{number}"),
            *[
                lambda tab=tab, name=name: renames(tab, name)
                for tab in tabs(eve, 3, ["json"], **home)
            ],
            lambda new=new, name=name: new.complete(name="New", username=name),
        ]

        answers = at_once(*ways)

        assert answers[0].status_code == 200
        assert not User.objects.filter(username=name).exists()
        assert {answer.status_code for answer in answers[1:]} == {400}


@pytest.mark.django_db(transaction=True)
def test_race_of_a_sign_up_and_a_renaming(postbox):
    for number in range(4):
        name = f"wanted{number}"
        eve = Shopper("json", ip=f"192.0.2.{number + 40}")
        eve.identify(f"eve{number}@example.com", name="Eve", username=name, password=PASSWORD)
        code = postbox.code(f"eve{number}@example.com")
        account(f"ana{number}@example.com", name)
        mine = sign_in(Shopper("json"), f"ana{number}@example.com")

        renamed, verified = at_once(
            lambda mine=mine, number=number: renames(mine, f"other{number}"),
            lambda eve=eve, code=code: eve.verify(code),
        )

        assert (renamed.status_code, verified.status_code) == (200, 200)
        assert not User.objects.filter(username=name).exists()
        assert User.objects.get(email=f"eve{number}@example.com").username is None
