"""A visitor becomes a shopper: identify, verify, complete, home."""

import pytest

from accounts import conf
from accounts.models import Challenge, Session, User
from ratelimits.rates import parse_rates
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    CHANGE,
    COMPLETE,
    HOME,
    LOGIN,
    PASSWORD,
    REGISTER,
    RESEND,
    VERIFY,
    Shopper,
    time_passes,
    wrong,
)

CONTACT = "/account/contact/"
CONTACT_RESEND = "/account/contact/resend/"
EMAIL, PHONE = "ana@example.com", "+12025550123"
CHANNELS = {"email": EMAIL, "phone": PHONE}
PROFILE = {"name": "Ana", "username": "ana", "password": PASSWORD}


@pytest.fixture
def ajax(db):
    """A page of the designs' storefront: it speaks JSON."""
    return Shopper("json")


# The journey


@pytest.mark.parametrize("who", CHANNELS.values(), ids=CHANNELS)
def test_a_visitor_becomes_a_shopper(anyone, postbox, who):  # promises 0.20, 2.1, 2.2, 2.3, 4.4
    assert anyone.identify(who).status_code in (200, 303)
    assert not User.objects.exists()  # REG-01

    anyone.verify(postbox.code(who))
    anyone.complete(name="Ana")

    user = User.objects.get()
    assert (user.name, user.email or user.phone) == ("Ana", who)
    assert user.check_password(PASSWORD)
    assert anyone.is_signed_in


def test_each_step_leads_to_the_next(ana, postbox):
    assert ana.identify(EMAIL).to == VERIFY
    assert ana.verify(postbox.code()).to == COMPLETE
    assert ana.complete().to == HOME
    assert b"Ana" in ana.get(ACCOUNT).content


def test_the_proof_rotates_the_session_and_leaves_nothing_in_it(
    ana, postbox
):  # SES-01, REG-10, ux 59
    ana.identify(EMAIL)
    before = ana.session_key

    ana.verify(postbox.code())

    assert ana.session_key != before
    assert not Session.objects.filter(pk=before).exists()
    kept = Session.objects.get().get_decoded()
    assert set(kept) == {"_auth_user_id", "_auth_user_backend", "_auth_user_hash"}


def test_a_stranger_looking_around_leaves_no_row(ana):  # SES-09
    for url in (HOME, REGISTER, VERIFY, COMPLETE, ACCOUNT, "/verify-email/?token=x"):
        ana.get(url)

    assert not Session.objects.exists()
    assert not Challenge.objects.exists()


def test_a_reload_repeats_nothing(anyone, postbox):  # ux 12, COD-13
    anyone.identify(EMAIL)
    for url in (VERIFY, REGISTER, CHANGE, VERIFY):
        anyone.get(url)

    assert len(postbox) == 1
    assert Challenge.objects.get().tries_left == conf.CODE_MAX_ATTEMPTS


def test_the_last_step_shows_what_was_verified_and_does_not_ask_again(ana, postbox):  # ux 11, 54
    ana.identify(EMAIL)
    ana.verify(postbox.code())

    page = Page(ana.get(COMPLETE))

    assert EMAIL in page.text("bdi")
    assert "email" not in page.inputs
    assert page.all("input", autocomplete="username", value=EMAIL)


@pytest.mark.parametrize("typed", ["+1 (202) 555-0123", "Ana@Example.COM"])
def test_what_was_typed_is_shown_as_it_was_typed(ana, typed):  # ux 18
    ana.identify(typed)

    assert typed in Page(ana.get(VERIFY)).text("bdi")
    assert Page(ana.get(REGISTER)).inputs["identifier"]["value"] == typed


def test_the_same_address_twice_in_one_browser_sends_once(anyone, postbox):  # ux 48
    anyone.identify(EMAIL)
    anyone.identify("ANA@example.com")

    assert len(postbox) == 1
    anyone.verify(postbox.code())
    assert anyone.is_signed_in


def test_completing_twice_changes_nothing(anyone, postbox):
    anyone.signs_up(EMAIL, name="Ana")

    again = anyone.complete(name="Eve", password="another good password")

    assert again.status_code in (303, 409)
    user = User.objects.get()
    assert user.name == "Ana"
    assert user.check_password(PASSWORD)
    assert anyone.is_signed_in


# The JSON contract


def test_json_signs_up_in_two_requests(ajax, postbox):  # promises 4.1, 4.3, 4.4, 4.7
    begun = ajax.post(REGISTER, PROFILE, email=EMAIL)
    verified = ajax.post(VERIFY, username="ana", otp=postbox.code())

    assert (begun.status_code, verified.status_code) == (200, 200)
    assert begun.json() == {
        "success": True,
        "message": "Registration successful. Please verify OTP.",
    }
    assert verified.json() == {
        "success": True,
        "message": "OTP verified successfully. You are now logged in!",
    }
    assert ajax.is_signed_in
    assert b"Ana" in ajax.client.get(ACCOUNT).content


@pytest.mark.parametrize(
    ("fields", "pending"), [(PROFILE, "ana"), ({}, EMAIL)], ids=["username", "no username"]
)
def test_the_session_names_who_is_pending(ajax, fields, pending):  # promise 4.2
    ajax.post(REGISTER, fields, email=EMAIL)

    assert Session.objects.get().get_decoded()["pending_verification_username"] == pending


def test_the_session_holds_the_password_only_as_its_hash(ajax):  # REG-10
    ajax.post(REGISTER, PROFILE, email=EMAIL)

    kept = Session.objects.get().get_decoded()
    assert PASSWORD not in str(kept)
    (journey,) = kept["pending"].values()
    assert journey["profile"]["password"].startswith("md5$")


@pytest.mark.parametrize(
    "fields",
    [
        {"email": EMAIL, "name": "Ana Ng"},
        {"phone": PHONE, "name": "Ana Ng"},
        {"identifier": EMAIL, "name": "Ana Ng"},
        {"email": EMAIL, "first_name": "Ana", "last_name": "Ng"},
        {"email": EMAIL, "name": "Ana Ng", "password_confirm": PASSWORD},
        {"email": EMAIL, "name": "Ana Ng", "password2": PASSWORD},
    ],
    ids=lambda fields: "+".join(fields),
)
def test_whoever_says_everything_at_once_skips_the_last_step(
    ana, postbox, fields
):  # promises 0.3, 0.21, 1.1, 2.3
    ana.post(REGISTER, fields, password=PASSWORD)

    assert ana.verify(postbox.code()).to == HOME
    user = User.objects.get()
    assert user.name == "Ana Ng"
    assert user.completed_at
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("missing", ["name", "password"])
def test_whoever_says_less_is_asked_for_the_rest(ajax, postbox, missing):  # promise 2.3
    known = {name: value for name, value in PROFILE.items() if name != missing}
    ajax.post(REGISTER, known, email=EMAIL)
    ajax.verify(postbox.code())
    assert User.objects.get().completed_at is None

    done = ajax.complete(name="Ana")

    assert done.json() == {"success": True, "message": "Your account is ready."}
    assert User.objects.get().completed_at


@pytest.mark.parametrize("name", ["otp", "code"])
def test_a_code_goes_by_two_names(anyone, postbox, name):
    anyone.identify(EMAIL)

    anyone.post(VERIFY, {name: postbox.code()})

    assert anyone.is_signed_in


@pytest.mark.parametrize("named", ["ana", "ANA", EMAIL, ""])
def test_the_username_at_the_code_is_the_pending_one(ajax, postbox, named):  # promise 4.3
    ajax.post(REGISTER, PROFILE, email=EMAIL)

    assert ajax.post(VERIFY, username=named, otp=postbox.code()).json()["success"]


@pytest.mark.parametrize("field", ["otp", "code"])
def test_a_code_for_somebody_else_is_not_even_tried(anyone, postbox, field):  # promise 4.3, COD-08
    anyone.post(REGISTER, PROFILE, email=EMAIL)

    refused = anyone.post(VERIFY, {"username": "bea", field: postbox.code()})

    assert refused.status_code == (400 if anyone.face == "json" else 422)
    assert "That is not the registration in progress" in words(refused)
    assert Challenge.objects.get().tries_left == conf.CODE_MAX_ATTEMPTS
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"email": EMAIL, "phone": PHONE},
            "Enter an email address or a mobile number, not both",
        ),
        (
            {"identifier": EMAIL, "email": EMAIL},
            "Enter an email address or a mobile number, not both",
        ),
        ({}, "Enter your email address or mobile number"),
        ({"email": "", "phone": " "}, "Enter your email address or mobile number"),
    ],
    ids=["both", "twice", "neither", "blank"],
)
def test_one_address_neither_two_nor_none(anyone, postbox, fields, sentence):  # promises 0.3, 0.20
    refused = anyone.post(REGISTER, fields)

    assert refused.status_code == (400 if anyone.face == "json" else 422)
    assert sentence in words(refused)
    assert not len(postbox)


@pytest.mark.parametrize("field", ["password_confirm", "password2"])
def test_two_different_passwords_are_refused(ajax, postbox, field):  # promises 0.20, 0.21, 1.4
    refused = ajax.post(REGISTER, PROFILE, email=EMAIL, **{field: "correct horse batteries"})

    assert refused.status_code == 400
    assert refused.json() == {
        "success": False,
        "message": "Passwords do not match.",
        "errors": {field: ["Passwords do not match."]},
    }
    assert not len(postbox)


def test_a_taken_username_is_said_at_once(ajax, ana, postbox):  # promise 4.6
    ana.signs_up("bea@example.com", username="ana")

    refused = ajax.post(REGISTER, PROFILE, email=EMAIL)

    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["username"]
    assert not postbox.messages(EMAIL)


@pytest.mark.parametrize("field", ["email", "identifier"])
def test_a_taken_address_is_said_in_the_field_it_came_in(ajax, ana, postbox, field):  # promise 4.6
    ana.signs_up(EMAIL)

    refused = ajax.post(REGISTER, PROFILE, **{field: EMAIL})

    assert refused.json()["errors"] == {
        field: ["There is already an account with this email address."]
    }


def test_json_asks_for_a_new_code(ajax, postbox):  # promise 0.10
    ajax.identify(EMAIL)
    older = postbox.code()
    time_passes(seconds=61)

    answer = ajax.post(RESEND)

    assert answer.json() == {
        "success": True,
        "message": "We sent you a new code. The earlier one no longer works.",
    }
    assert postbox.code() != older


# Codes


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Enter the 6-digit code"),
        ("12345", "The code you typed is too short. It has 6 digits."),
        ("1234567", "The code you typed is too long. It has 6 digits."),
        ("abcdef", "The code has 6 digits and nothing else. Check what you typed."),
        ("123 and 456", "The code has 6 digits and nothing else. Check what you typed."),
    ],
    ids=["empty", "short", "long", "letters", "two numbers"],
)
def test_a_misshapen_code_costs_no_try(anyone, typed, sentence):  # ux 35, COD-10
    anyone.identify(EMAIL)

    refused = anyone.verify(typed)

    assert refused.status_code == (400 if anyone.face == "json" else 422)
    assert sentence in words(refused)
    assert Challenge.objects.get().tries_left == conf.CODE_MAX_ATTEMPTS


def test_tries_are_counted_down_and_then_the_code_is_dead(anyone, postbox):  # ux 34, 35, 37; COD-06
    anyone.identify(EMAIL)
    code = postbox.code()

    said = [words(anyone.verify(wrong(code))) for _ in range(5)]

    assert all("That is not the code we sent. Check it and try again." in one for one in said[:4])
    assert not any("left" in one for one in said[:2])
    assert "You have 2 tries left." in said[2]
    assert "You have 1 try left." in said[3]
    assert "That code was tried too often and no longer works. Get a new code." in said[4]
    assert "That code was tried too often" in words(anyone.verify(code))
    assert not anyone.is_signed_in


def test_a_used_up_code_is_replaced_after_the_cool_down(anyone, postbox):  # ux 37, COD-09
    anyone.identify(EMAIL)
    for _ in range(5):
        anyone.verify(wrong(postbox.code()))
    time_passes(seconds=61)

    anyone.post(RESEND)
    anyone.verify(postbox.code())

    assert len(postbox) == 2
    assert anyone.is_signed_in


def test_an_expired_code_brings_a_new_one(anyone, postbox):  # ux 35, 36
    anyone.identify(EMAIL)
    older = postbox.code()
    time_passes(minutes=10, seconds=1)

    assert "The code has expired. We sent you a new one." in words(anyone.verify(older))

    assert len(postbox) == 2
    anyone.verify(postbox.code())
    assert anyone.is_signed_in


def test_a_code_is_good_to_the_last_second(ana, postbox):  # COD-04
    ana.identify(EMAIL)
    time_passes(minutes=9, seconds=55)

    assert ana.verify(postbox.code()).to == COMPLETE


def test_an_expired_code_brings_none_beyond_the_limit(anyone, postbox, monkeypatch):  # ux 36
    monkeypatch.setattr(conf, "RESENDS_PER_RECIPIENT", parse_rates("1/h"))
    anyone.identify(EMAIL)
    time_passes(minutes=2)
    anyone.post(RESEND)
    newest = postbox.code()
    time_passes(minutes=10, seconds=1)

    assert "The code has expired. Get a new code." in words(anyone.verify(newest))
    assert len(postbox) == 1


def test_an_earlier_code_is_recognised_and_costs_a_try(anyone, postbox):  # ux 35, COD-09
    anyone.identify(EMAIL)
    older = postbox.code()
    time_passes(seconds=61)
    anyone.post(RESEND)

    sent_at = Challenge.objects.get().sent_at
    said = f"That is an earlier code. Use the newest one, sent at {sent_at:%H:%M} UTC."
    assert said in words(anyone.verify(older))
    assert Challenge.objects.get().tries_left == conf.CODE_MAX_ATTEMPTS - 1


def test_a_new_code_does_not_give_tries_back(ana, postbox):  # COD-09
    ana.identify(EMAIL)
    for _ in range(3):
        ana.verify(wrong(postbox.code()))
    time_passes(seconds=61)
    ana.post(RESEND)

    assert "You have 1 try left." in words(ana.verify(wrong(postbox.code())))


def test_a_code_used_elsewhere_is_already_used(anyone, bea, postbox):  # ux 35, 38; COD-05
    anyone.identify(EMAIL)
    code, link = postbox.code(), postbox.link()
    bea.post(link, token=link.partition("=")[2])

    assert "already been used or replaced" in words(anyone.verify(wrong(code)))
    assert not anyone.is_signed_in
    assert User.objects.count() == 1


def test_the_right_code_again_leads_on_and_leaves_the_cookie_alone(
    anyone, postbox
):  # COD-05, COD-11
    anyone.identify(EMAIL)
    second_click = Shopper(anyone.face)
    second_click.client.cookies["__Host-session"] = anyone.session_key
    code = postbox.code()
    anyone.verify(code)

    late = second_click.verify(code)

    assert late.status_code in (303, 409)
    assert "__Host-session" not in late.cookies
    assert anyone.is_signed_in
    assert User.objects.count() == 1


def test_a_signed_in_shopper_who_sends_the_code_again_is_told_so(anyone, postbox):  # ux 38
    anyone.identify(EMAIL)
    code = postbox.code()
    anyone.verify(code)

    again = anyone.verify(code)

    assert again.to == COMPLETE or again.json()["message"] == "You are already signed in."
    assert anyone.is_signed_in


def test_a_code_of_one_browser_is_no_code_in_another(ana, bea, postbox):  # ux 39, COD-08
    ana.identify(EMAIL)
    bea.identify("bea@example.com")

    assert ana.verify(postbox.code("bea@example.com")).status_code == 422
    assert bea.verify(postbox.code(EMAIL)).status_code == 422
    assert list(Challenge.objects.values_list("tries_left", flat=True)) == [4, 4]


def test_the_code_decides_for_its_own_address_only(anyone, postbox):  # COD-08
    anyone.identify(EMAIL)

    anyone.post(VERIFY, code=postbox.code(), email="bea@example.com", phone=PHONE, identifier=PHONE)

    assert (User.objects.get().email, User.objects.get().phone) == (EMAIL, None)


# Another code, another address


def test_too_early_says_when(anyone, postbox):  # ux 46, LIM-08
    anyone.identify(EMAIL)

    early = anyone.post(RESEND)

    assert early.status_code == 429
    assert early.headers["Retry-After"] == "60"
    assert "A message was sent a moment ago. You can ask for another one at" in words(early)
    assert " UTC" in words(early)
    assert len(postbox) == 1


def test_too_often_says_when(anyone, postbox):  # ABU-01, LIM-08
    anyone.identify(EMAIL)
    for _ in range(3):
        time_passes(seconds=61)
        anyone.post(RESEND)
    newest = postbox.code()
    time_passes(seconds=61)

    refused = anyone.post(RESEND)

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) % 60 == 0
    assert "That was too often. You can try again at" in words(refused)
    assert postbox.code() == newest


def test_another_address_keeps_what_was_typed_and_kills_the_older_code(
    anyone, bea, postbox
):  # ux 49
    anyone.identify(EMAIL, **PROFILE)
    older, link = postbox.code(EMAIL), postbox.link(EMAIL)

    anyone.post(CHANGE, identifier=PHONE)

    assert anyone.verify(older).status_code in (400, 422)
    assert bea.open(link).status_code == 410
    anyone.verify(postbox.code(PHONE))
    user = User.objects.get()
    assert (user.phone, user.email, user.name, user.username) == (PHONE, None, "Ana", "ana")
    assert user.check_password(PASSWORD)


def test_changing_to_the_same_address_sends_nothing(anyone, postbox):  # ux 49
    anyone.identify(EMAIL)

    anyone.post(CHANGE, identifier=EMAIL)

    assert len(postbox) == 1
    anyone.verify(postbox.code())
    assert anyone.is_signed_in


TYPO, MEANT = "ana@gmial.com", "ana@gmail.com"


@pytest.mark.parametrize(
    ("form", "reached"), [(0, MEANT), (1, TYPO)], ids=["use the other", "keep mine"]
)
@pytest.mark.parametrize("url", [REGISTER, CHANGE])
def test_a_typo_is_pointed_out_and_never_blocks(ana, postbox, url, form, reached):  # ux 19
    ana.identify(EMAIL)
    typed = Page(ana.get(url)).forms[0]["fields"] | {"identifier": TYPO, "next": ACCOUNT}
    asked = ana.post(url, typed)
    assert "Did you mean ana@gmail.com ?" in words(asked)
    assert len(postbox) == 1

    chosen = Page(asked).forms[form]
    ana.post(chosen["action"], chosen["fields"])

    assert postbox.messages()[0]["to"] == reached
    assert chosen["fields"]["next"] == ACCOUNT


def test_json_is_not_asked_about_typos(ajax, postbox):  # ux 19
    assert ajax.identify(TYPO).json()["success"]
    assert postbox.messages(TYPO)


# Two people, one name or one address


def test_a_lost_race_for_a_username_costs_the_name_only(anyone, bea, postbox):  # REG-01, REG-07
    anyone.post(REGISTER, PROFILE, email=EMAIL)
    bea.post(REGISTER, PROFILE, email="bea@example.com")
    bea.verify(postbox.code("bea@example.com"))

    verified = anyone.verify(postbox.code(EMAIL))

    assert verified.to in (COMPLETE, None)
    assert User.objects.get(email=EMAIL).username is None
    shown = anyone.follow(verified)
    assert "That username has just been taken. Choose another one." in words(shown)
    assert "That username is taken." in words(anyone.complete(username="ana"))
    anyone.complete(username="ana2")
    assert User.objects.get(email=EMAIL).username == "ana2"


def test_a_proof_ends_every_other_attempt_at_the_address(anyone, bea, postbox):  # REG-03
    anyone.identify(EMAIL)
    code = postbox.code()
    bea.identify(EMAIL)
    bea.verify(postbox.code())

    anyone.verify(code)

    assert User.objects.count() == 1
    assert not anyone.is_signed_in
    assert bea.is_signed_in


@pytest.mark.parametrize("rule", ["disclose", "private"])
def test_an_unfinished_account_is_finished_from_another_browser(
    ana, bea, postbox, monkeypatch, rule
):  # promise 0.15
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", rule)
    bea.identify(EMAIL)
    bea.verify(postbox.code())

    ana.identify(EMAIL)
    ana.verify(postbox.code())
    ana.complete(name="Ana")

    assert User.objects.get().name == "Ana"
    assert ana.is_signed_in


def test_whoever_comes_back_is_not_told_of_a_lost_username(ajax, bea, postbox):  # REG-02
    bea.identify(EMAIL)
    bea.verify(postbox.code())

    ajax.post(REGISTER, PROFILE, email=EMAIL)

    said = ajax.verify(postbox.code()).json()["message"]
    assert said == "OTP verified successfully. You are now logged in!"


# Steps in their order


def nobody(shopper, postbox):
    """Nothing done yet."""


def begun(shopper, postbox):
    """A code is on its way."""
    shopper.identify(EMAIL)


def verified(shopper, postbox):
    """The profile is not complete."""
    begun(shopper, postbox)
    shopper.verify(postbox.code())


def finished(shopper, postbox):
    """All done."""
    shopper.signs_up(EMAIL)


def waiting(shopper, postbox):
    """All done, but a second contact waits for its code."""
    shopper.signs_up(EMAIL, contact=PHONE)


def back(url):
    """The sign-in, with the way back."""
    return f"{LOGIN}?next=%2F{url.strip('/').replace('/', '%2F')}%2F"


HERE = None
ORDER = [
    (nobody, [HERE, REGISTER, REGISTER, back(COMPLETE), back(ACCOUNT), back(CONTACT)]),
    (begun, [HERE, HERE, HERE, back(COMPLETE), back(ACCOUNT), back(CONTACT)]),
    (verified, [COMPLETE, COMPLETE, COMPLETE, HERE, COMPLETE, COMPLETE]),
    (finished, [HOME, HOME, HOME, HOME, HERE, ACCOUNT]),
    (waiting, [HOME, HOME, HOME, HOME, HERE, HERE]),
]
PAGES = [REGISTER, VERIFY, CHANGE, COMPLETE, ACCOUNT, CONTACT]


@pytest.mark.parametrize(("state", "leads"), ORDER, ids=[state.__name__ for state, _ in ORDER])
def test_steps_are_taken_in_their_order(ana, postbox, state, leads):  # REG-09
    state(ana, postbox)
    before = list(User.objects.values())

    for url, to in zip(PAGES, leads, strict=True):
        shown = ana.get(url)
        sent = ana.post(url)
        assert (shown.status_code, shown.headers.get("Location")) == (303 if to else 200, to), url
        assert (sent.status_code, sent.to) in [(303, to), (422, None), (405, None)], url

    assert list(User.objects.values()) == before


@pytest.mark.parametrize(
    ("state", "url", "to"),
    [
        (nobody, RESEND, REGISTER),
        (verified, RESEND, COMPLETE),
        (finished, RESEND, HOME),
        (nobody, CONTACT_RESEND, LOGIN),
        (verified, CONTACT_RESEND, COMPLETE),
        (finished, CONTACT_RESEND, ACCOUNT),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_nobody_is_sent_a_code_out_of_order(ana, postbox, state, url, to):  # REG-09
    state(ana, postbox)
    before = len(postbox)

    turned_away = ana.post(url)

    assert turned_away.to.partition("?")[0] == to
    assert len(postbox) == before


GREEDY = {
    "is_staff": "1",
    "is_superuser": "1",
    "is_active": "0",
    "id": "00000000-0000-4000-8000-000000000000",
    "email_verified": "1",
    "email_verified_at": "2001-01-01",
    "verified_at": "2001-01-01",
    "completed_at": "2001-01-01",
    "email_key": "eve@example.com",
    "groups": "1",
    "role": "admin",
}


def test_fields_nobody_asked_for_are_ignored(anyone, postbox):  # REG-09
    anyone.identify(EMAIL, **GREEDY)
    anyone.post(VERIFY, GREEDY, code=postbox.code())
    anyone.complete(**GREEDY)

    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)
    assert str(user.pk) != GREEDY["id"]
    assert (user.email_key, user.email_verified_at.year > 2001) == (EMAIL, True)
    assert not user.groups.exists()


# The second contact


def test_a_second_contact_waits_for_its_own_code(anyone, postbox):  # REG-04
    anyone.signs_up(EMAIL, contact=PHONE)
    assert User.objects.get().phone is None
    assert PHONE in words(anyone.client.get(ACCOUNT))

    anyone.post(CONTACT, code=postbox.code(PHONE))

    assert User.objects.get().phone == PHONE
    assert "Waiting for your code" not in words(anyone.client.get(ACCOUNT))


def test_a_second_contact_is_confirmed_in_the_browser_that_asked(
    anyone, bea, postbox
):  # COD-08, REC-08
    anyone.signs_up(EMAIL, contact=PHONE)
    code = postbox.code(PHONE)
    bea.post(LOGIN, identifier=EMAIL, password=PASSWORD)

    elsewhere = bea.post(CONTACT, code=code)

    assert bea.is_signed_in
    assert elsewhere.to == ACCOUNT
    assert User.objects.get().phone is None
    anyone.post(CONTACT, code=code)
    assert User.objects.get().phone == PHONE


def test_a_shopper_with_a_phone_may_add_an_email_address(ana, postbox):
    ana.signs_up(PHONE, contact=EMAIL)

    ana.post(CONTACT, code=postbox.code(EMAIL))

    assert User.objects.get().email_key == EMAIL


def test_a_second_contact_holds_nobody_up_until_it_is_verified(ana, bea, postbox):  # REG-04, REG-06
    bea.signs_up(EMAIL, contact=PHONE)
    code = postbox.code(PHONE)

    ana.signs_up(PHONE)
    refused = bea.post(CONTACT, code=code)

    assert ana.is_signed_in
    assert User.objects.get(phone=PHONE).email is None
    assert refused.status_code in (303, 422)
    assert User.objects.get(email=EMAIL).phone is None


def test_a_contact_that_got_taken_meanwhile_is_refused(ana, bea, postbox):  # REG-06
    ana.signs_up(EMAIL, contact=PHONE)
    bea.signs_up(PHONE)
    time_passes(minutes=61)

    bea.post(CONTACT, code=postbox.code(PHONE))
    ana.post(CONTACT, code=postbox.code(PHONE))

    assert User.objects.get(email=EMAIL).phone is None
    assert User.objects.filter(phone=PHONE).count() == 1


def test_the_code_of_the_contact_is_guessed_five_times_at_most(ana, postbox):  # COD-06, COD-08
    ana.signs_up(EMAIL, contact=PHONE)
    code = postbox.code(PHONE)
    for _ in range(5):
        ana.post(CONTACT, code=wrong(code))

    ana.post(CONTACT, code=code)

    assert User.objects.get().phone is None


def test_a_new_code_for_the_contact(ana, postbox):
    ana.signs_up(EMAIL, contact=PHONE)
    assert ana.post(CONTACT_RESEND).status_code == 429
    time_passes(seconds=61)

    ana.post(CONTACT_RESEND)
    ana.post(CONTACT, code=postbox.code(PHONE))

    assert User.objects.get().phone == PHONE


def test_the_second_contact_is_of_the_other_kind(anyone, postbox):
    anyone.identify(EMAIL)
    anyone.verify(postbox.code())

    refused = anyone.complete(contact="other@example.com")

    assert refused.status_code in (400, 422)
    assert User.objects.get().completed_at is None


# The way on


AWAY = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example",
    "http:///evil.example",
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
    "/register/resend/",
    "/account/contact/resend/",
    "/account/" + "?" + "a" * 8000,
    "/account",
]
BROKEN = ["/\t/evil.example", "/account/\r\nSet-Cookie: x=1", "/account/\x00"]


@pytest.mark.sample(9)
@pytest.mark.parametrize("away", AWAY, ids=lambda away: ascii(away)[:30])
def test_no_way_on_leads_elsewhere(postbox, away):  # WEB-03, ux 60
    shopper = Shopper("htmx")
    shopper.identify(EMAIL, next=away)

    assert shopper.verify(postbox.code()).to == COMPLETE
    assert shopper.complete(next=away).to == HOME


def test_a_link_to_the_beginning_carries_no_way_elsewhere(ana):  # WEB-03
    pages = [Page(ana.get(REGISTER, query_params={"next": away})) for away in AWAY + BROKEN]

    assert {page.forms[0]["fields"]["next"] for page in pages} == {""}


@pytest.mark.parametrize("away", BROKEN, ids=ascii)
def test_a_way_on_with_control_characters_is_refused(anyone, away):  # WEB-03, IDN-08
    refused = anyone.identify(EMAIL, next=away)

    assert refused.status_code in (400, 422)
    assert refused.to is None


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_a_safe_way_on_is_kept_through_all_steps(db, postbox, face):  # WEB-03, ux 60
    shopper = Shopper(face)
    shown = shopper.client.get(ACCOUNT).headers["Location"]
    came_for = Page(shopper.get(shown)).forms[0]["fields"]["next"]
    shopper.identify(EMAIL, next=came_for)

    verified = shopper.verify(postbox.code())

    assert verified.to == f"{COMPLETE}?next=%2Faccount%2F"
    came_for = next(
        form for form in Page(shopper.get(verified.to)).forms if "next" in form["fields"]
    )
    assert shopper.complete(next=came_for["fields"]["next"]).to == ACCOUNT


def test_a_safe_way_on_is_taken_at_once_when_everything_is_said(ana, postbox):  # WEB-03
    ana.identify(EMAIL, next=ACCOUNT, **PROFILE)

    assert ana.verify(postbox.code()).to == ACCOUNT


def test_asking_again_for_a_code_on_its_way_is_counted_too(
    ana, postbox, monkeypatch
):  # LIM-09, IDN-09
    monkeypatch.setattr(conf, "REGISTER_PER_IP", parse_rates("3/h"))
    typed = {"name": "Ana", "password": PASSWORD}

    answers = [ana.identify("ana@example.com", **typed).status_code for _ in range(4)]

    assert answers == [303, 303, 303, 429]
    assert len(postbox) == 1
