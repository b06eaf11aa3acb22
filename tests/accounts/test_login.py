"""Somebody comes back: with a password, or with a code sent to a contact."""

import json
import re
from datetime import timedelta
from itertools import count

import pytest
from django.conf import settings as site
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.db.models.functions import Now

from accounts import conf
from accounts.identifiers import fingerprint, parse
from accounts.models import Challenge, SecurityEvent, Session, User
from accounts.password_policy.hashers import Argon2id
from messaging.models import OutboxMessage
from ratelimits.rates import parse_rates
from storefront import celery_app
from tests.support.account import EMAIL, PHONE, USERNAME
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    COMPLETE,
    HOME,
    LOGIN,
    LOGOUT,
    PASSWORD,
    REGISTER,
    VERIFY,
    Postbox,
    Shopper,
    time_passes,
    wrong,
)

CODE, CODE_VERIFY, CODE_RESEND = "/login/code/", "/login/code/verify/", "/login/code/resend/"
CONTACT_VERIFY = "/account/contact/"
CONFIRM = "/account/confirm/"
RESET, RESET_NEW = "/password-reset/", "/password-reset/new/"
TRUSTED = "__Host-trusted-browsers"

NAMES = {"email": EMAIL, "phone": PHONE, "username": USERNAME}
WAYS = {"email": EMAIL, "phone": PHONE}
NEW_PASSWORD = "purple monkey dishwasher"  # noqa: S105
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0"

MATCHES_NOT = "That does not match an account. Check both, or get a code instead."
TOO_MANY = "There were too many tries with a password. You can use one again at"
ARGON2ID = [
    "accounts.password_policy.hashers.Argon2id",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

addresses = (f"198.51.{number // 250}.{number % 250 + 1}" for number in count(1000))


@pytest.fixture
def _nobody_delivers(settings, monkeypatch):
    """Requests only leave a hint for a worker, and no worker hears it."""
    monkeypatch.setitem(celery_app.conf, "task_always_eager", False)
    monkeypatch.setitem(celery_app.conf, "broker_url", "memory://")
    settings.CELERY_TASK_ALWAYS_EAGER = False


@pytest.fixture
def argon2id(settings):
    """The hashers that production uses."""
    settings.PASSWORD_HASHERS = ARGON2ID


def sign_in(shopper, who=EMAIL, password=PASSWORD, **more):
    """Type a name and the password."""
    return shopper.post(LOGIN, identifier=who, password=password, **more)


def ask(shopper, who=EMAIL, **more):
    """Ask for a code."""
    return shopper.post(CODE, identifier=who, **more)


def verify(shopper, code):
    """Type the code."""
    return shopper.post(CODE_VERIFY, code=code)


def by_code(shopper, who=EMAIL, **more):
    """Sign in with a code; returns the last answer."""
    ask(shopper, who, **more)
    return verify(shopper, Postbox().code(who))


def somebody(**headers):
    """A stranger in a browser of their own, somewhere else every time."""
    return Shopper("json", ip=next(addresses), **headers)


def strangers_fail(times=5, who=EMAIL):
    """Strangers everywhere try a wrong password."""
    for _ in range(times):
        assert sign_in(somebody(), who, "not the password").status_code == 400


def comes_back(shopper):
    """Sign out; the browser stays the same."""
    shopper.post(LOGOUT)
    return shopper


def kinds():
    """What the audit says, in order."""
    return list(SecurityEvent.objects.order_by("pk").values_list("kind", flat=True))


def cookie(response, name="__Host-session"):
    """A cookie that an answer sets."""
    return response.cookies[name]


def refused(face):
    """The status of a form that was refused."""
    return 400 if face == "json" else 422


# With a password


@pytest.mark.parametrize("who", NAMES.values(), ids=NAMES)
def test_every_name_opens_the_account(anyone, owner, who):
    answer = sign_in(anyone, who)

    assert anyone.is_signed_in
    assert answer.to == (None if anyone.face == "json" else HOME)


@pytest.mark.parametrize(("field", "who"), NAMES.items(), ids=NAMES)
def test_a_name_may_come_in_a_field_of_its_own(ana, owner, field, who):
    ana.post(LOGIN, {field: who, "password": PASSWORD})

    assert ana.is_signed_in


SPELLINGS = {
    "email in capitals": "ANA@Example.COM",
    "email with spaces": "  ana@example.com ",
    "email with a full-width domain": "ana@\uff45xample.com",
    "email with a full-width at": "ana\uff20example.com",
    "email with a zero-width space": "a\u200bna@example.com",
    "phone with spaces": "+1 202 555 0123",
    "phone with brackets": "+1 (202) 555-0123",
    "phone with dots": "+1.202.555.0123",
    "phone dialled": "001 202 555 0123",
    "phone as a link": "tel:+1-202-555-0123",
    "phone in full-width digits": "\uff0b\uff11\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff12\uff13",
    "username in capitals": "Ana.Shop",
    "username with spaces": " ana.shop ",
    "username in full width": "\uff21na.shop",
}


@pytest.mark.parametrize("typed", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_the_same_name(ana, owner, typed):  # IDN-01, IDN-04, IDN-06
    sign_in(ana, typed)

    assert ana.is_signed_in


@pytest.mark.parametrize("typed", ["(202) 555-0123", "2025550123", "1 202 555 0123"])
def test_a_number_may_be_typed_as_at_home(ana, owner, monkeypatch, typed):  # IDN-04, ux 22
    monkeypatch.setattr(conf, "PHONE_REGION", "US")

    sign_in(ana, typed)

    assert ana.is_signed_in


def test_a_second_contact_opens_the_account_once_it_is_verified(ana, bea, postbox):  # REG-04
    ana.signs_up(EMAIL, contact=PHONE)
    assert MATCHES_NOT in words(sign_in(bea, PHONE))

    ana.post(CONTACT_VERIFY, code=postbox.code(PHONE))

    sign_in(bea, PHONE)
    assert bea.is_signed_in


def test_a_name_is_of_one_kind_only(ana, bea, owner, settings):  # IDN-07
    other = User.objects.register(parse("bea@example.com"), password=make_password(NEW_PASSWORD))
    User.objects.filter(pk=other.pk).update(username=PHONE)

    assert sign_in(bea, PHONE, NEW_PASSWORD).status_code == 422
    sign_in(ana, PHONE, PASSWORD)

    assert Session.objects.get(user__isnull=False).user == owner


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_what_was_wrong_is_said_and_the_name_stays(owner, face):  # ENU-01, PWD-07, ux 11
    answer = sign_in(Shopper(face), EMAIL, "Wrong-password-9")

    assert answer.status_code == 422
    assert MATCHES_NOT in words(answer)
    fields = Page(answer).inputs
    assert fields["identifier"]["value"] == EMAIL
    assert "Wrong-password-9" not in answer.content.decode()


def test_a_wrong_password_lets_nobody_in(anyone, owner):
    answer = sign_in(anyone, EMAIL, PASSWORD + " ")

    assert answer.status_code == refused(anyone.face)
    assert not answer.cookies.keys() & {"__Host-session", TRUSTED}
    assert not anyone.is_signed_in


MISSING = {
    "name": ({"password": PASSWORD}, "Enter your email address, mobile number or username"),
    "empty name": (
        {"identifier": "  ", "password": PASSWORD},
        "Enter your email address, mobile number or username",
    ),
    "password": ({"identifier": EMAIL}, "Enter your password"),
    "empty password": ({"identifier": EMAIL, "password": ""}, "Enter your password"),
}


@pytest.mark.parametrize(("typed", "sentence"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_said(ana, owner, typed, sentence):  # ux 24
    answer = ana.post(LOGIN, typed)

    assert answer.status_code == 422
    assert sentence in words(answer)
    assert not SecurityEvent.objects.exists()


def test_without_a_name_for_a_code_that_is_said(anyone, owner):  # ux 24
    assert "Enter your email address or mobile number" in words(ask(anyone, ""))


def test_json_says_what_it_promises(owner):  # WEB-05, promise 2.5
    browser = Shopper("json")
    answers = [
        browser.post(LOGIN, {}),
        sign_in(browser, EMAIL, "not the password"),
        sign_in(browser),
    ]

    missing, not_right, done = [json.loads(answer.content) for answer in answers]

    assert [answer.status_code for answer in answers] == [400, 400, 200]
    assert missing["success"] is False
    assert missing["errors"].keys() == {"identifier", "password"}
    assert not_right == {"success": False, "message": MATCHES_NOT}
    assert done == {"success": True, "message": "You are signed in."}


@pytest.mark.parametrize("value", [5, None, [EMAIL], "\ud800", "x" * 400], ids=ascii)
@pytest.mark.parametrize("field", ["identifier", "password"])
def test_json_of_another_type_is_refused(owner, field, value):  # IDN-08, IDN-09
    answer = Shopper("json").post(LOGIN, {"identifier": EMAIL, "password": PASSWORD, field: value})

    assert answer.status_code == 400
    assert answer.json()["message"]


def test_the_page_is_ready_for_password_managers(ana, db):  # PWD-07
    fields = Page(ana.get(LOGIN)).inputs

    assert fields["identifier"]["autocomplete"] == "username"
    assert fields["password"]["autocomplete"] == "current-password"
    assert fields["password"]["type"] == "password"
    assert "maxlength" not in fields["password"]


# Where the shopper came for: WEB-03

AWAY = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example",
    "https://shop.example@evil.example",
    "https://shop.example/account/",
    "@evil.example",
    "evil.example",
    "account/",
    "?next=//evil.example",
    "#//evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/no-such-page/",
    "/account/\u202e",
    "/logout/",
    "/login/code/resend/",
    "/account?" + "a" * 8000,
    "/account",
]
BROKEN = ["/\t/evil.example", "/account/\r\nSet-Cookie: x=1", "/account/\x00"]


@pytest.mark.sample(9)
@pytest.mark.parametrize("away", AWAY, ids=lambda away: ascii(away)[:30])
def test_a_password_leads_nowhere_else(owner, away):  # WEB-03
    assert sign_in(Shopper("htmx"), next=away).to == HOME


@pytest.mark.parametrize("away", AWAY[:3], ids=ascii)
def test_a_code_leads_nowhere_else(owner, away):  # WEB-03
    assert by_code(Shopper("htmx"), next=away).to == HOME


@pytest.mark.parametrize("where", [LOGIN, CODE])
def test_a_link_to_the_door_carries_no_way_elsewhere(ana, db, where):  # WEB-03
    pages = [Page(ana.get(where, query_params={"next": away})) for away in AWAY[::5] + BROKEN]

    assert {page.forms[0]["fields"]["next"] for page in pages} == {""}


@pytest.mark.parametrize("away", BROKEN, ids=ascii)
def test_a_way_on_with_control_characters_is_refused(anyone, owner, away):  # WEB-03, IDN-08
    answer = sign_in(anyone, next=away)

    assert answer.status_code == refused(anyone.face)
    assert answer.to is None


def came_for(response):
    """The way on that a page keeps in its form."""
    forms = [form for form in Page(response).forms if "next" in form["fields"]]
    return forms[0]["fields"]["next"]


@pytest.fixture(params=["page", "htmx"])
def turned_away(request, owner):
    """Somebody who wanted to see the account and was sent to the door."""
    shopper = Shopper(request.param)
    shopper.shown = shopper.client.get(ACCOUNT).headers["Location"]
    return shopper


def test_a_password_leads_where_the_shopper_wanted(turned_away):  # WEB-03, ux 75
    way = came_for(turned_away.get(turned_away.shown))
    again = came_for(sign_in(turned_away, EMAIL, "not the password", next=way))

    assert sign_in(turned_away, next=again).to == ACCOUNT


def test_a_code_leads_where_the_shopper_wanted(turned_away, postbox):  # WEB-03, ux 75
    way = came_for(turned_away.get(turned_away.shown))
    ask(turned_away, next=way)
    verify(turned_away, wrong(postbox.code()))
    time_passes(seconds=61)
    turned_away.post(CODE_RESEND)

    assert verify(turned_away, postbox.code()).to == ACCOUNT


def test_another_address_keeps_the_way_on(turned_away):  # WEB-03
    ask(turned_away, "ana@exmaple.com", next=ACCOUNT)
    way = came_for(turned_away.get(CODE))

    assert way == ACCOUNT
    assert by_code(turned_away, next=way).to == ACCOUNT


def test_a_refused_address_keeps_the_way_on(turned_away):  # WEB-03
    assert came_for(ask(turned_away, "nobody", next=ACCOUNT)) == ACCOUNT


def test_the_way_back_from_the_code_keeps_the_way_on(ana, owner):  # WEB-03
    shown = ana.get(CODE, query_params={"next": ACCOUNT})
    refused_once = ask(ana, "nobody", next=ACCOUNT)

    for page in (shown, refused_once):
        back = Page(page).all("a", id="back")[0]["href"]
        assert came_for(ana.get(back)) == ACCOUNT


def test_whoever_registers_instead_keeps_the_way_on(ana, owner):  # WEB-03, ux 75
    page = Page(ana.get(LOGIN, query_params={"next": ACCOUNT}))

    assert came_for(ana.get(page.all("a", id="create-account")[0]["href"])) == ACCOUNT


def test_a_used_up_code_keeps_the_way_on(turned_away, postbox):  # WEB-03, ux 37
    ask(turned_away, next=ACCOUNT)
    Challenge.objects.update(tries_left=0)
    time_passes(seconds=61)
    turned_away.post(CODE_RESEND)

    assert verify(turned_away, postbox.code()).to == ACCOUNT


# Staying signed in

YES = {"page": "on", "htmx": "on", "json": True}


@pytest.mark.parametrize("way_in", [sign_in, by_code])
def test_whoever_wants_stays_signed_in(anyone, owner, way_in):  # SES-03
    answer = way_in(anyone, remember=YES[anyone.face])

    assert cookie(answer)["max-age"] == site.SESSION_COOKIE_AGE


@pytest.mark.parametrize("way_in", [sign_in, by_code])
def test_whoever_does_not_is_signed_in_until_the_browser_closes(anyone, owner, way_in):
    session = cookie(way_in(anyone))

    assert (session["max-age"], session["expires"]) == ("", "")
    assert anyone.is_signed_in


def test_json_says_no_in_its_own_way(owner):
    assert cookie(sign_in(Shopper("json"), remember=False))["max-age"] == ""


def test_a_session_for_now_stays_one(ana, owner):  # SES-01
    sign_in(ana)
    renewed = ana.post(CONFIRM, current=PASSWORD)

    assert cookie(renewed).value != ""
    assert cookie(renewed)["max-age"] == ""


def test_the_server_lets_no_session_idle_for_ever(ana, owner):  # SES-07
    sign_in(ana)
    time_passes(days=14, seconds=1)

    assert not ana.is_signed_in


def test_the_box_is_ticked_at_first_and_stays_as_it_was_left(ana, owner):
    assert "checked" in Page(ana.get(LOGIN)).inputs["remember"]

    answer = sign_in(ana, EMAIL, "not the password")

    assert "checked" not in Page(answer).inputs["remember"]


# The session


@pytest.mark.parametrize("way_in", [sign_in, by_code])
def test_the_session_gets_a_new_name(ana, owner, way_in):  # SES-01
    ana.identify("bea@example.com")
    before = ana.session_key
    copy = Shopper()
    copy.client.cookies["__Host-session"] = before

    way_in(ana)

    assert ana.session_key != before
    assert not copy.is_signed_in
    assert copy.client.get(VERIFY).headers["Location"] == REGISTER


@pytest.mark.parametrize("way_in", [sign_in, by_code])
def test_what_was_planted_before_is_gone(ana, owner, way_in):  # SES-02, REG-10
    ana.identify("bea@example.com", name="Planted")

    way_in(ana)

    kept = Session.objects.get(user=owner)
    assert kept.challenge is None
    assert {key.strip("_") for key in kept.get_decoded()} <= {
        "auth_user_id",
        "auth_user_backend",
        "auth_user_hash",
        "session_expiry",
    }


@pytest.mark.parametrize("chosen", ["0" * 40, "a" * 32, "x"])
def test_nobody_chooses_the_name_of_a_session(ana, owner, chosen):  # SES-02
    ana.client.cookies["__Host-session"] = chosen

    sign_in(ana)

    assert ana.session_key != chosen
    assert Session.objects.get().pk == ana.session_key


def test_whoever_is_signed_in_goes_home(anyone, owner):  # ux 47
    sign_in(anyone)

    for page in (LOGIN, CODE, CODE_VERIFY):
        shown, posted = (
            anyone.get(page),
            anyone.post(page, identifier=EMAIL, password="x", code="1"),
        )
        assert shown.status_code == posted.status_code == (303 if anyone.face == "page" else 409)
        assert posted.to == (None if anyone.face == "json" else HOME)
    assert anyone.is_signed_in


def test_a_second_click_on_the_button_changes_nothing(anyone, owner):  # COD-11
    sign_in(anyone)
    key = anyone.session_key

    sign_in(anyone)

    assert anyone.session_key == key
    assert kinds().count("signed_in") == 1


# With a code


@pytest.mark.parametrize("who", WAYS.values(), ids=WAYS)
def test_a_code_opens_the_account(anyone, owner, postbox, who):
    asked = ask(anyone, who)
    page = words(anyone.get(CODE_VERIFY))
    verified = verify(anyone, postbox.code(who))

    assert anyone.is_signed_in
    if anyone.face != "json":
        assert (asked.to, verified.to) == (CODE_VERIFY, HOME)
        assert f"If there is an account for {who}" in page


def test_json_says_what_it_promises_of_codes(owner, postbox):  # WEB-05, promise 1.9, promise 1.10
    browser = Shopper("json")

    asked, verified = ask(browser), verify(browser, postbox.code())

    assert asked.json() == {
        "success": True,
        "message": "If there is an account, we have sent a code to it.",
    }
    assert verified.json() == {"success": True, "message": "You are signed in."}


def test_the_message_is_a_code_and_nothing_else(ana, owner, postbox):  # COD-13
    ask(ana)
    message = postbox.messages(EMAIL)[0]

    assert "is your Storefront code" in message["subject"]
    assert "https://" not in message["text"]
    assert "welcome" not in message["text"].lower()


@pytest.mark.parametrize(
    "typed", ["ANA@EXAMPLE.com", "ana@\uff45xample.com", "a\u200bna@example.com"]
)
def test_the_code_goes_to_the_address_as_it_was_verified(ana, owner, postbox, typed):  # IDN-02
    User.objects.update(email="Ana@example.com")
    ask(ana, typed)

    assert [message["to"] for message in postbox.messages()] == ["Ana@example.com"]


@pytest.mark.parametrize(
    "typed",
    ["\u0131na@example.com", "ana@example.c\u03bfm", "an\u0430@example.com", "ana+1@example.com"],
)
@pytest.mark.parametrize("where", [CODE, RESET])
def test_a_lookalike_reaches_nobody(ana, owner, postbox, typed, where):  # IDN-02
    ana.post(where, identifier=typed)

    assert not postbox.messages(EMAIL)
    assert not any(message["text"].count("is your") for message in postbox.messages())


def test_a_wrong_code_is_said(anyone, owner, postbox):  # ux 35
    ask(anyone)
    answer = verify(anyone, wrong(postbox.code()))

    assert answer.status_code == refused(anyone.face)
    assert "That is not the code we sent. Check it and try again." in words(answer)
    assert not anyone.is_signed_in


def test_after_five_wrong_codes_the_right_one_is_dead(ana, owner, postbox):  # COD-06
    ask(ana)
    code = postbox.code()
    answers = [verify(ana, wrong(code)) for _ in range(5)]

    assert "tried too often" in words(answers[-1])
    assert "tried too often" in words(verify(ana, code))
    assert not ana.is_signed_in


def test_a_used_up_code_is_replaced_by_a_new_one(ana, owner, postbox):  # ux 37
    ask(ana)
    Challenge.objects.update(tries_left=0)
    time_passes(seconds=61)
    ana.post(CODE_RESEND)

    verify(ana, postbox.code())

    assert ana.is_signed_in


def test_a_code_that_is_too_old_is_renewed(ana, owner, postbox):  # COD-04, ux 36
    ask(ana)
    code = postbox.code()
    time_passes(minutes=10, seconds=1)

    assert "The code has expired. We sent you a new one." in words(verify(ana, code))
    assert not ana.is_signed_in
    verify(ana, postbox.code())
    assert ana.is_signed_in


def test_a_new_code_kills_the_older_one(ana, owner, postbox):  # COD-09, promise 1.11
    ask(ana)
    first = postbox.code()
    assert ana.post(CODE_RESEND).status_code == 429
    time_passes(seconds=61)
    ana.post(CODE_RESEND)

    assert "That is an earlier code." in words(verify(ana, first))
    verify(ana, postbox.code())
    assert ana.is_signed_in


def test_asking_twice_sends_one_code(ana, owner, postbox):  # ux 48
    ask(ana)
    ask(ana)

    assert len(postbox) == 1


@pytest.mark.parametrize("destination", ["", ACCOUNT], ids=["home", "the account"])
def test_a_double_click_ends_where_one_click_does(owner, postbox, destination):  # COD-11
    browser = Shopper()
    ask(browser, next=destination)
    before, code = browser.session_key, postbox.code()
    verify(browser, code)
    other = Shopper()
    other.client.cookies["__Host-session"] = before

    late = verify(other, code)
    again = verify(browser, code)

    assert "__Host-session" not in late.cookies
    assert again.to == HOME
    assert browser.is_signed_in


def test_a_code_works_once(ana, owner, postbox):  # COD-05
    ask(ana)
    code = postbox.code()
    verify(ana, code)
    comes_back(ana)

    verify(ana, code)

    assert not ana.is_signed_in


def test_a_code_is_for_the_browser_that_asked(ana, bea, owner, postbox):  # COD-08
    ask(ana)
    code = postbox.code()
    ask(bea)

    assert verify(bea, code).status_code == 422
    assert not bea.is_signed_in


def test_a_code_for_signing_in_does_nothing_else(ana, owner, postbox):  # COD-08
    ask(ana)

    assert ana.verify(postbox.code()).to == REGISTER
    assert ana.post("/password-reset/verify/", code=postbox.code()).to == RESET
    assert not ana.is_signed_in


def test_without_having_asked_there_is_no_code_to_type(anyone, owner):
    answer = anyone.get(CODE_VERIFY)

    assert "Start with your email address or mobile number." in words(
        answer if anyone.face == "json" else anyone.client.get(CODE)
    )


def test_looking_at_the_pages_sends_nothing(ana, owner, postbox):  # COD-13, SES-09
    for _ in range(3):
        ana.get(LOGIN)
        ana.get(CODE)

    assert len(postbox) == 0
    assert not Session.objects.exists()


def test_a_contact_that_moved_away_meanwhile_opens_nothing(ana, owner, postbox):  # SES-06
    ask(ana)
    code = postbox.code()
    User.objects.update(email="other@example.com", email_key="other@example.com")

    assert "already been used or replaced" in words(verify(ana, code))
    assert not ana.is_signed_in


def test_whoever_was_shut_out_gets_no_code(ana, owner, postbox):  # REC-07, ENU-03
    User.objects.update(is_active=False)

    ask(ana)

    assert len(postbox) == 0


def test_a_code_of_somebody_who_is_shut_out_meanwhile_is_dead(ana, owner, postbox):  # SES-06
    ask(ana)
    code = postbox.code()
    User.objects.update(is_active=False)

    assert verify(ana, code).status_code == 422
    assert not ana.is_signed_in
    assert "signed_in" not in kinds()


def test_signing_in_with_a_code_ends_the_other_attempts(ana, bea, owner, postbox):  # REG-03
    ask(bea)
    code = postbox.code()
    by_code(ana)

    verify(bea, code)

    assert not bea.is_signed_in


def test_a_household_may_ask_for_so_many_codes(owner, monkeypatch, anyone):  # LIM-05, promise 1.12
    monkeypatch.setattr(conf, "CODES_PER_IP", parse_rates("3/10m"))
    answers = [ask(anyone, f"person{number}@example.com") for number in range(4)]

    assert [answer.status_code for answer in answers[2:]] == [
        200 if anyone.face != "page" else 303,
        429,
    ]
    assert "That was too often." in words(answers[3])
    assert answers[3].headers["Retry-After"] == "600"


# How the password is kept: PWD-05


class Weak(Argon2id):
    """Argon2id as somebody might have had it years ago."""

    time_cost, memory_cost = 1, 1024


def pbkdf2(password):
    """A hash as Django made it long ago."""
    return PBKDF2PasswordHasher().encode(password, "salt" * 6, iterations=1000)


OLDER = {
    "weaker argon2id": lambda password: Weak().encode(password, "salt" * 6),
    "pbkdf2": pbkdf2,
}


@pytest.fixture(params=OLDER.values(), ids=OLDER)
def older(request, argon2id, owner):
    """Ana's password was hashed when machines were slower."""
    User.objects.update(password=request.param(PASSWORD))
    owner.refresh_from_db()
    return owner


def test_an_older_hash_is_replaced_at_the_sign_in(ana, older):  # PWD-05
    sign_in(ana)

    assert ana.is_signed_in
    assert User.objects.get().password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    sign_in(comes_back(ana))
    assert ana.is_signed_in


def test_a_wrong_password_leaves_an_older_hash_alone(ana, older):  # PWD-05
    sign_in(ana, EMAIL, "not the password")

    assert User.objects.get().password == older.password


def test_a_hash_of_today_stays(ana, argon2id, owner):  # PWD-05
    hashed = make_password(PASSWORD)
    User.objects.update(password=hashed)

    sign_in(ana)

    assert User.objects.get().password == hashed


def test_a_new_hash_makes_no_browser_a_stranger(
    ana, bea, owner, postbox, settings
):  # LIM-04, PWD-05
    sign_in(ana)
    before = len(postbox)
    settings.PASSWORD_HASHERS = [*ARGON2ID, *settings.PASSWORD_HASHERS]

    sign_in(comes_back(ana))

    assert ana.is_signed_in
    assert len(postbox) == before


class Interrupted(PBKDF2PasswordHasher):
    """A hash during whose look something else happens."""

    iterations = 1000
    meanwhile = staticmethod(lambda: None)

    def verify(self, password, encoded):
        """Look, and let it happen."""
        right = super().verify(password, encoded)
        Interrupted.meanwhile()
        return right


@pytest.fixture
def interrupted(settings, monkeypatch, owner):
    """Looking at Ana's password takes so long that her other device sets a new one meanwhile."""
    settings.PASSWORD_HASHERS = [
        *settings.PASSWORD_HASHERS,
        "tests.accounts.test_login.Interrupted",
    ]
    User.objects.update(password=pbkdf2(PASSWORD))
    new = make_password(NEW_PASSWORD)
    monkeypatch.setattr(
        Interrupted, "meanwhile", staticmethod(lambda: User.objects.update(password=new))
    )
    return owner


def test_a_password_that_was_changed_meanwhile_opens_nothing(ana, interrupted, settings):  # SES-06
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[::-1]

    assert sign_in(ana).status_code == 422
    assert not ana.is_signed_in


def test_a_new_hash_never_brings_the_older_password_back(ana, interrupted):  # PWD-05, REC-06
    sign_in(ana)

    assert User.objects.get().check_password(NEW_PASSWORD)
    assert not ana.is_signed_in


# Accounts without a password: PWD-06


NO_PASSWORDS = ["", " ", None, "!", "!" * 41, "None"]


@pytest.mark.parametrize("password", NO_PASSWORDS, ids=ascii)
@pytest.mark.parametrize("kept", ["!nothing fits this", ""], ids=["unusable", "empty"])
def test_without_a_password_none_is_right(owner, password, kept):  # PWD-06
    User.objects.update(password=kept)
    browser = Shopper("json")

    assert browser.post(LOGIN, {"identifier": EMAIL, "password": password}).status_code == 400
    assert not browser.is_signed_in


def test_no_page_takes_nothing_for_a_password(anyone, owner):  # PWD-06
    User.objects.update(password=make_password(None))

    for password in ("", " ", "!"):
        assert sign_in(anyone, EMAIL, password).status_code == refused(anyone.face)
    assert not anyone.is_signed_in


def test_the_hash_itself_is_no_password(ana, owner):  # PWD-06
    User.objects.update(password=make_password(None))

    sign_in(ana, EMAIL, User.objects.get().password)

    assert not ana.is_signed_in


def test_without_a_password_a_code_works(ana, owner):  # PWD-06
    User.objects.update(password=make_password(None))

    by_code(ana)

    assert ana.is_signed_in


def test_whoever_was_shut_out_does_not_get_in(anyone, owner):  # ENU-01, SES-06
    User.objects.update(is_active=False)

    assert MATCHES_NOT in words(sign_in(anyone))
    assert not anyone.is_signed_in


# A browser that is new


def test_the_owner_is_told_of_a_new_browser(owner, postbox):
    sign_in(Shopper(**{"user-agent": FIREFOX}))

    message = postbox.messages(EMAIL)[0]
    assert message["subject"] == "Storefront: New sign-in"
    assert "Somebody signed in to your account on a device that is new to us." in message["text"]
    assert "Firefox on Windows" in message["text"]
    assert re.search(r"https://shop\.example/not-me/\?token=\S+", message["text"])


@pytest.mark.parametrize("way_in", [sign_in, by_code])
def test_it_is_told_once(ana, owner, postbox, way_in):
    way_in(ana)
    way_in(comes_back(ana), PHONE)
    sign_in(comes_back(ana), USERNAME)

    assert kinds().count("new_device") == 1
    assert len([each for each in postbox.messages() if "New sign-in" in each["subject"]]) == 1


def test_whoever_has_no_email_address_is_told_by_text(ana, owner, postbox):
    User.objects.update(email=None, email_key=None, primary="phone")

    sign_in(ana, PHONE)

    [message] = postbox.messages()
    assert (message["channel"], message["to"]) == ("sms", PHONE)
    assert message["text"].startswith(
        "Storefront: New sign-in. Not you? https://shop.example/not-me/?token="
    )


def test_the_browser_of_the_registration_is_not_new(ana, postbox):
    ana.signs_up(EMAIL)
    before = len(postbox)

    sign_in(comes_back(ana))

    assert ana.is_signed_in
    assert len(postbox) == before


def test_a_browser_is_new_to_each_account(ana, owner, postbox):  # LIM-04
    bea = User.objects.register(parse("bea@example.com"), password=owner.password)
    User.objects.filter(pk=bea.pk).update(completed_at=Now())
    sign_in(ana)
    sign_in(comes_back(ana), "bea@example.com")
    sign_in(comes_back(ana))
    sign_in(comes_back(ana), "bea@example.com")

    assert [each["to"] for each in postbox.messages()] == ["bea@example.com", EMAIL]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_nobody_delivers")
def test_the_owner_is_told_of_the_first_and_not_flooded(owner, postbox):  # ABU-01
    for _ in range(8):
        sign_in(somebody())

    assert len(postbox) == 5
    assert kinds().count("new_device") == 8


def test_the_cookie_of_a_known_browser(ana, owner):  # SES-03, LIM-04
    known = cookie(sign_in(ana), TRUSTED)

    assert known["max-age"] == 365 * 24 * 3600
    assert (known["secure"], known["httponly"], known["samesite"]) == (True, True, "Lax")
    assert (known["path"], known["domain"]) == ("/", "")
    assert not any(part in known.value for part in (EMAIL, USERNAME, str(owner.pk), "202555"))


def test_the_cookie_stays_when_the_shopper_signs_out(ana, owner):  # LIM-04
    sign_in(ana)
    before = ana.client.cookies[TRUSTED].value

    comes_back(ana)

    assert ana.client.cookies[TRUSTED].value == before


def test_the_cookie_stays_short(ana, owner):  # SES-03
    for number in range(8):
        User.objects.register(parse(f"fan{number}@example.com"), password=owner.password)
        sign_in(comes_back(ana), f"fan{number}@example.com")

    assert ana.client.cookies[TRUSTED].value.count("~") == 4
    assert len(ana.client.cookies[TRUSTED].value) < 1000


# A deletion that waits, and a profile that was never finished


def test_signing_in_keeps_the_account(anyone, owner, postbox):
    User.objects.update(deletion_due_at=Now() + timedelta(days=3))

    answer = sign_in(anyone)

    said = words(anyone.follow(answer))
    assert "Welcome back. Your account will not be deleted." in said
    assert User.objects.get().deletion_due_at is None
    assert "Storefront: Your account stays" in [each["subject"] for each in postbox.messages(EMAIL)]


def test_a_code_keeps_the_account_too(ana, owner):  # LOG-01
    User.objects.update(deletion_due_at=Now() + timedelta(days=3))

    by_code(ana)

    assert User.objects.get().deletion_due_at is None
    assert kinds().count("deletion_undone") == 1


def test_a_failed_sign_in_keeps_nothing(ana, owner):
    User.objects.update(deletion_due_at=Now() + timedelta(days=3))

    sign_in(ana, EMAIL, "not the password")

    assert User.objects.get().deletion_due_at


def test_a_profile_that_was_left_is_finished_next(anyone, postbox):  # REG-09
    anyone.identify(EMAIL)
    anyone.verify(postbox.code())
    comes_back(anyone)

    verified = by_code(anyone, next=ACCOUNT)

    assert anyone.is_signed_in
    if anyone.face != "json":
        assert verified.to == f"{COMPLETE}?next=%2Faccount%2F"
        assert anyone.complete(next=came_for(anyone.client.get(verified.to))).to == ACCOUNT


# The audit: LOG-01


def told(kind):
    """The columns of the one event of this kind."""
    event = SecurityEvent.objects.get(kind=kind)
    return event.user, event.identifier_kind, event.fingerprint, event.ip


@pytest.mark.parametrize(("kind", "who"), NAMES.items(), ids=NAMES)
def test_a_sign_in_is_recorded(ana, owner, kind, who):  # LOG-01
    sign_in(ana, who)

    assert kinds() == ["signed_in", "new_device"]
    expected = owner, kind, fingerprint(who), "203.0.113.7"
    assert told("signed_in") == told("new_device") == expected


@pytest.mark.parametrize(("kind", "who"), WAYS.items(), ids=WAYS)
def test_a_sign_in_with_a_code_is_recorded(ana, owner, kind, who):  # LOG-01, promise 1.15
    by_code(ana, who)

    assert kinds() == ["code_sent", "signed_in", "new_device"]
    assert told("signed_in") == (owner, kind, fingerprint(who), "203.0.113.7")


def test_failures_and_the_lock_are_recorded(owner):  # LOG-01
    strangers_fail(5, USERNAME)

    assert kinds() == ["sign_in_failed"] * 5 + ["password_locked"]
    assert told("password_locked")[:3] == (owner, "username", fingerprint(USERNAME))


def test_a_failure_for_nobody_is_recorded(ana, db):  # LOG-01
    sign_in(ana, "nobody@example.com", PASSWORD)

    assert told("sign_in_failed")[:3] == (None, "email", fingerprint("nobody@example.com"))


def test_the_audit_and_the_limits_name_nobody(owner):  # LOG-03, ENU-05
    for who in (*NAMES.values(), "nobody@example.com", "nobody"):
        strangers_fail(1, who)
    sign_in(somebody())

    from_the_tables = repr(
        [*SecurityEvent.objects.values("fingerprint", "agent", "kind", "identifier_kind")]
    )
    assert not re.search(r"ana|nobody|202555|example\.com", from_the_tables)


# The lock: LIM-01


def test_five_failures_lock_all_names_of_the_account(owner):  # LIM-01, promise 2.9
    strangers_fail(2, EMAIL)
    strangers_fail(2, "+1 (202) 555-0123")
    strangers_fail(1, "Ana.Shop")

    for who in NAMES.values():
        assert sign_in(somebody(), who).status_code == 400
    assert "signed_in" not in kinds()


@pytest.mark.parametrize("who", NAMES.values(), ids=NAMES)
def test_the_lock_lasts_half_an_hour(ana, owner, who):  # LIM-01
    strangers_fail(2, EMAIL)
    strangers_fail(2, "001 202 555 0123")
    strangers_fail(1, USERNAME)

    time_passes(minutes=29, seconds=55)
    sign_in(ana, who)
    assert not ana.is_signed_in

    time_passes(seconds=10)
    sign_in(ana, who)
    assert ana.is_signed_in


def test_the_lock_runs_from_its_last_failure(ana, owner):  # LIM-01
    strangers_fail(4)
    time_passes(minutes=25)
    strangers_fail(1)

    time_passes(minutes=6)
    assert sign_in(ana).status_code == 429
    time_passes(minutes=24, seconds=5)
    sign_in(ana)
    assert ana.is_signed_in


def test_four_failures_lock_nothing(ana, owner):  # LIM-01
    strangers_fail(4)

    sign_in(ana)

    assert ana.is_signed_in


def test_failures_age(ana, owner):  # LIM-09
    strangers_fail(4)
    time_passes(minutes=30, seconds=1)
    strangers_fail(4)

    sign_in(ana)

    assert ana.is_signed_in


def test_a_success_returns_its_own_try_and_leaves_those_of_strangers(ana, owner):  # LIM-13
    strangers_fail(3)
    for _ in range(3):
        assert sign_in(somebody()).status_code == 200

    strangers_fail(2)

    assert sign_in(ana).status_code == 429
    assert kinds().count("password_locked") == 1


def test_being_told_to_wait_makes_the_wait_no_longer(ana, owner):  # LIM-01
    strangers_fail(5)
    time_passes(minutes=20)
    for _ in range(10):
        assert sign_in(somebody(), EMAIL, "not the password").status_code == 429

    time_passes(minutes=10, seconds=5)
    sign_in(ana)

    assert ana.is_signed_in


def test_what_is_refused_before_the_look_is_no_failure(ana, owner):  # LIM-01, LIM-02
    strangers_fail(2, EMAIL)
    strangers_fail(3, PHONE)  # the account is locked
    time_passes(minutes=20)
    strangers_fail(3, EMAIL)  # and now this name is, for longer
    time_passes(minutes=11)
    for _ in range(5):
        assert sign_in(somebody(), EMAIL, "not the password").status_code == 429

    sign_in(ana, USERNAME)

    assert ana.is_signed_in


# The other ways in stay open: LIM-03


@pytest.mark.parametrize("who", WAYS.values(), ids=WAYS)
def test_a_code_opens_a_locked_account_and_leaves_its_lock(ana, owner, who):  # LIM-03, LIM-13
    strangers_fail(5)

    by_code(ana, who)

    assert ana.is_signed_in
    assert sign_in(somebody()).status_code == 429
    # The browser is trusted from then on, and has tries of its own.
    assert sign_in(comes_back(ana)).to == HOME


def test_a_new_password_opens_the_lock(ana, owner, postbox):  # LIM-03
    strangers_fail(5)
    ana.post(RESET, identifier=EMAIL)
    ana.open(postbox.link(EMAIL))
    ana.post(RESET_NEW, password=NEW_PASSWORD, token=postbox.link(EMAIL).partition("token=")[2])

    sign_in(ana, USERNAME, NEW_PASSWORD)

    assert ana.is_signed_in


def test_a_code_opens_no_lock_of_a_known_browser(ana, owner):  # LIM-03, LIM-04, LIM-13
    sign_in(ana)
    comes_back(ana)
    for _ in range(5):
        sign_in(ana, EMAIL, "not the password")
    assert sign_in(ana).status_code == 429
    by_code(ana)
    assert ana.is_signed_in

    assert sign_in(comes_back(ana)).status_code == 429


def test_asking_for_messages_locks_nothing(ana, owner):  # LIM-03
    for _ in range(50):
        somebody().post(RESET, identifier=EMAIL)
        ask(somebody())

    sign_in(ana)

    assert ana.is_signed_in


# A browser that signed in before: LIM-04


@pytest.fixture
def known(ana, owner):
    """Ana's own browser."""
    sign_in(ana)
    return comes_back(ana)


def test_strangers_lock_nobody_out_of_their_own_browser(known, owner):  # LIM-04
    for number in range(60):
        sign_in(somebody(), list(NAMES.values())[number % 3], "not the password")

    sign_in(known)

    assert known.is_signed_in


def test_what_happens_in_the_own_browser_locks_no_other(known, bea, owner):  # LIM-04
    answers = [sign_in(known, EMAIL, "not the password") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert TOO_MANY in words(answers[5])
    assert sign_in(known, USERNAME).status_code == 429

    sign_in(bea)

    assert bea.is_signed_in


def test_a_stolen_cookie_gains_no_more_tries_than_its_browser_has(known, owner):  # LIM-04
    strangers_fail(5)
    answers = []
    for _ in range(7):
        thief = somebody()
        thief.client.cookies[TRUSTED] = known.client.cookies[TRUSTED].value
        answers.append(sign_in(thief, EMAIL, "not the password").status_code)

    assert answers == [400] * 5 + [429] * 2


def with_cookie(value):
    """A stranger's browser that shows a cookie."""
    stranger = somebody()
    stranger.client.cookies[TRUSTED] = value
    return stranger


FORGED = {
    "nothing": "",
    "a name": "0123456789abcdef",
    "an empty signature": "0123456789abcdef.",
    "any signature": "0123456789abcdef." + "A" * 43,
    "many": "~".join(["0123456789abcdef." + "A" * 43] * 50),
    "marks": "~~..~.~",
    "long": "a" * 5000,
    "other letters": "\u00e4.\u00f6~\u00fc",
}


@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
def test_a_forged_cookie_gains_nothing(owner, value):  # LIM-04, IDN-08
    strangers_fail(5)

    assert sign_in(with_cookie(value)).status_code == 429


def test_a_cookie_of_another_name_gains_nothing(known, owner):  # LIM-04
    name, _dot, signature = known.client.cookies[TRUSTED].value.partition(".")
    strangers_fail(5)

    assert sign_in(with_cookie(f"{name[::-1]}.{signature}")).status_code == 429


def test_the_cookie_of_another_account_gains_nothing(bea, owner):  # LIM-04
    User.objects.register(parse("bea@example.com"), password=owner.password)
    sign_in(bea, "bea@example.com")
    strangers_fail(5)

    assert sign_in(with_cookie(bea.client.cookies[TRUSTED].value)).status_code == 429


def test_a_new_password_makes_every_browser_a_stranger(known, owner):  # LIM-04, REC-06
    User.objects.update(password=make_password(NEW_PASSWORD))
    strangers_fail(5)

    assert sign_in(known, EMAIL, NEW_PASSWORD).status_code == 429


# One household: LIM-05, LIM-06


def test_one_household_tries_thirty_passwords(owner):  # LIM-05
    stranger = Shopper("json")
    answers = [sign_in(stranger, f"person{number}") for number in range(40)]

    assert [answer.status_code for answer in answers] == [400] * 30 + [429] * 10


@pytest.fixture
def _small_households(monkeypatch):
    """Six tries for each, so that filling one takes no time."""
    monkeypatch.setattr(conf, "LOGIN_FAILURES_PER_IP", parse_rates("6/10m"))


@pytest.mark.usefixtures("_small_households")
def test_a_full_household_locks_nobody(ana, owner):  # LIM-05
    stranger = Shopper("json", ip="198.51.100.99")
    for number in range(6):
        sign_in(stranger, f"person{number}")
    for _ in range(8):
        assert sign_in(stranger, EMAIL, "not the password").status_code == 429

    sign_in(ana)

    assert ana.is_signed_in
    assert sign_in(stranger).status_code == 429


def test_many_households_lock_one_account_after_five(owner):  # LIM-05
    answers = [sign_in(somebody(), EMAIL, "not the password") for _ in range(8)]

    assert [answer.status_code for answer in answers] == [400] * 5 + [429] * 3


def test_a_success_of_ones_own_makes_no_room_for_the_household(owner):  # LIM-05
    tries = 0
    for number in count():
        answers = [
            sign_in(Shopper("json"), f"person{number}.{each}").status_code for each in range(4)
        ]
        tries += answers.count(400)
        if 429 in answers:
            break
        assert sign_in(Shopper("json")).status_code == 200

    assert tries == 30


@pytest.mark.usefixtures("_small_households")
def test_a_household_is_one_network_of_ipv6(owner):  # LIM-05
    answers = [
        sign_in(Shopper("json", ip=f"2001:db8:1:2::{number:x}"), f"person{number}").status_code
        for number in range(1, 9)
    ]

    assert answers == [400] * 6 + [429] * 2
    assert sign_in(Shopper("json", ip="2001:db8:1:3::1")).status_code == 200


SPOOFED = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP"]


@pytest.mark.usefixtures("_small_households")
def test_no_header_makes_another_household(owner):  # LIM-06
    answers = [
        sign_in(
            Shopper("json", **dict.fromkeys(SPOOFED, f"192.0.2.{number}")), f"person{number}"
        ).status_code
        for number in range(7)
    ]

    assert answers == [400] * 6 + [429]
    assert set(SecurityEvent.objects.values_list("ip", flat=True)) == {"203.0.113.7"}


@pytest.mark.usefixtures("_small_households")
def test_the_household_may_try_again_ten_minutes_later(ana, owner):  # LIM-05, LIM-09
    for number in range(6):
        sign_in(Shopper("json"), f"person{number}")
    assert sign_in(ana).status_code == 429

    time_passes(minutes=10, seconds=1)
    sign_in(ana)

    assert ana.is_signed_in


# What a limit says: LIM-08


def test_a_lock_says_when_and_offers_a_code(anyone, owner):  # LIM-08, LIM-03
    strangers_fail(5)
    answer = sign_in(anyone)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1800"
    assert re.search(TOO_MANY + r" \d\d:\d\d UTC, or get a code now\.", words(answer))
    if anyone.face == "json":
        assert answer.json().keys() == {"success", "message"}
    else:
        assert Page(answer).all("button", id="send-code")


@pytest.mark.usefixtures("_small_households")
def test_a_full_household_is_told_when_and_how_else(ana, owner):  # LIM-08
    for number in range(6):
        sign_in(Shopper("json"), f"person{number}")
    answer = sign_in(ana)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "600"
    assert "or get a code now." in words(answer)


@pytest.mark.usefixtures("_small_households")
def test_a_code_is_what_a_full_household_gets(ana, owner):  # LIM-03, LIM-08
    for number in range(6):
        sign_in(Shopper("json"), f"person{number}")

    by_code(ana)

    assert ana.is_signed_in


def test_nothing_is_sent_by_a_failure(owner):  # ENU-02
    strangers_fail(5)

    assert not OutboxMessage.objects.exists()
