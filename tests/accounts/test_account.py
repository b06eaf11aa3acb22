"""A shopper looks after the account: who I am, my names, my password, what happened, and proof that it is me."""

import ast
from pathlib import Path

import pytest

from accounts import conf, urls
from accounts.models import EVENT_WORDS, Challenge, SecurityEvent, Session, User
from ratelimits.rates import parse_rates
from tests.support.account import (
    ACTIVITY,
    CONFIRM,
    CONFIRM_CODE,
    CONFIRM_RESEND,
    CONFIRM_VERIFY,
    CONTACT,
    DELETE,
    DEVICES,
    DOWNLOAD,
    EMAIL,
    EMAIL_PAGE,
    LOGIN_CODE,
    NAMES,
    NEW,
    ONE_OUT,
    OTHER_EMAIL,
    OTHER_PHONE,
    OTHERS_OUT,
    PHONE,
    PHONE_PAGE,
    SECRET,
    adds,
    changes_password,
    confirms_by_code,
    copy_of,
    is_refused,
    is_stale,
    joins,
    kinds,
    may_sign_in,
    must_confirm,
    news,
    proof_is,
    signs_in,
)
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    HOME,
    LOGIN,
    LOGOUT,
    PASSWORD,
    Postbox,
    Shopper,
    time_passes,
    wrong,
)
from tests.support.races import at_once, tabs

# What the files about the account share


@pytest.fixture
def me(anyone):
    """Somebody who is signed in, with each of the three faces."""
    joins(anyone, phone=PHONE, username="ana")
    return anyone


@pytest.fixture
def without_password(anyone):
    """The same, who signs in with codes."""
    joins(anyone, phone=PHONE, password=None)
    return anyone


# Who I am


def test_the_overview_says_who_i_am(me):  # promise 2.5
    said = words(me.get(ACCOUNT))

    assert EMAIL in said
    if me.face != "json":
        assert all(fact in said for fact in ("Ana", "ana", PHONE, "Confirmed on", "With us since"))


def test_the_overview_leads_to_everything(ana):
    joins(ana, phone=PHONE)
    links = {link.get("href") for link in Page(ana.get(ACCOUNT)).all("a")}

    pages = {NAMES, SECRET, EMAIL_PAGE, PHONE_PAGE, DEVICES, ACTIVITY, DOWNLOAD, DELETE}
    assert pages <= links
    assert {ana.get(page).status_code for page in pages} == {200}


def test_a_stranger_is_asked_in_and_led_back(anyone):  # ux 75
    shown = anyone.get(DEVICES)

    to = shown.headers.get("Location") or shown.headers.get("HX-Redirect")
    assert shown.status_code == (303 if anyone.face == "page" else 401)
    assert to == (None if anyone.face == "json" else f"{LOGIN}?next=%2Faccount%2Fdevices%2F")


def test_no_cache_keeps_a_page_of_the_account(me):  # SES-08
    urls = [ACCOUNT, NAMES, SECRET, EMAIL_PAGE, DEVICES, ACTIVITY, CONFIRM, DOWNLOAD, DELETE]

    assert {me.get(url).headers["Cache-Control"] for url in urls} == {"no-store"}


# My names


def test_a_shopper_changes_the_names(me):  # IDN-06
    saved = me.post(NAMES, name="Ana María Ng", username="Ana.Maria")

    user = User.objects.get()
    assert saved.to == ACCOUNT or saved.json()["message"] == "Your names are saved."
    assert (user.name, user.username) == ("Ana María Ng", "ana.maria")
    assert kinds(user)[-1] == "username_changed"


def test_a_shopper_may_give_the_username_up(me):
    me.post(NAMES, name="Ana", username="")

    assert User.objects.get().username is None


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"name": ""}, "Enter your name"),
        ({"name": "   "}, "Enter your name"),
        ({"name": "a" * 151}, "150"),
        ({"name": "a\x00b"}, "Use letters, digits and ordinary signs only"),
        ({"username": "admin"}, "That username is reserved."),
        ({"username": "ＡＤＭＩＮ"}, "That username is reserved."),
        ({"username": "ad\u200bmin"}, "A username has 3 to 32 characters"),
        ({"username": "bea@example.com"}, "A username has 3 to 32 characters"),
        ({"username": "12025550123"}, "A username needs at least one letter"),
        ({"username": "a" * 33}, "32"),
        ({"username": "ab"}, "A username has 3 to 32 characters"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_name_that_cannot_be_is_refused(ana, typed, sentence):  # IDN-06, IDN-08
    joins(ana, phone=PHONE, username="ana")
    refused = ana.post(NAMES, {"name": "Eve", "username": "eve"} | typed)

    assert is_refused(refused)
    assert sentence in words(refused)
    assert (User.objects.get().name, User.objects.get().username) == ("Ana", "ana")


def test_what_was_typed_stays(ana):  # ux 66
    joins(ana, username="ana")
    fields = Page(ana.post(NAMES, name="Ana Ng", username="admin")).inputs

    assert (fields["name"]["value"], fields["username"]["value"]) == ("Ana Ng", "admin")


def test_a_username_belongs_to_one_person(me, bea):  # IDN-06
    joins(bea, email="bea@example.com", username="bea")

    refused = me.post(NAMES, name="Ana", username="ＢeA")

    assert is_refused(refused)
    assert "That username is taken. Choose another one." in words(refused)
    assert User.objects.get(email=EMAIL).username == "ana"


@pytest.mark.django_db(transaction=True)
def test_two_who_want_one_username_at_once(ana, bea):  # IDN-06, REG-07
    joins(ana)
    joins(bea, email="bea@example.com", name="Bea")

    answers = at_once(
        lambda: ana.post(NAMES, name="Ana", username="nova"),
        lambda: bea.post(NAMES, name="Bea", username="nova"),
    )

    assert sorted(answer.status_code for answer in answers) == [303, 422]
    assert User.objects.filter(username="nova").count() == 1


MARKUP = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(
    "name", [MARKUP, "</script><script>alert(1)</script>", "{{7*7}}", "<div hx-get=//e>"]
)
def test_markup_in_a_name_is_text(ana, name):  # WEB-08
    joins(ana)
    ana.post(NAMES, name=name)

    pages = [ana.get(url) for url in (HOME, ACCOUNT, NAMES)]

    assert User.objects.get().name == name
    assert all(name in words(page) or name in str(Page(page).inputs) for page in pages)
    assert not any(
        Page(page).all("img", src="x") + Page(page).all("div", hx_get="//e") for page in pages
    )
    assert not any(f">{name}<" in page.content.decode() for page in pages if "<" in name)


def test_the_new_username_signs_in_and_the_older_does_not(me):
    me.post(NAMES, name="Ana", username="nova")

    assert may_sign_in("nova")
    assert not may_sign_in("ana")


def test_the_owner_is_told_of_another_username(me):  # LOG-01, ASVS 6.3.7
    before = len(Postbox())

    me.post(NAMES, name="Ana", username="nova")

    assert len(Postbox()) > before


# Proof that it is me

NEEDS_PROOF = {
    EMAIL_PAGE: EMAIL_PAGE,
    PHONE_PAGE: PHONE_PAGE,
    f"{EMAIL_PAGE}remove/": f"{EMAIL_PAGE}remove/",
    f"{PHONE_PAGE}remove/": f"{PHONE_PAGE}remove/",
    f"{EMAIL_PAGE}primary/": ACCOUNT,
    f"{PHONE_PAGE}primary/": ACCOUNT,
    OTHERS_OUT: DEVICES,
    ONE_OUT: DEVICES,
    DOWNLOAD: DOWNLOAD,
    DELETE: DELETE,
}
NEEDS_NONE = [ACCOUNT, NAMES, SECRET, DEVICES, ACTIVITY, CONFIRM]
PROOFS = [CONTACT, f"{CONTACT}resend/", CONFIRM_CODE, CONFIRM_VERIFY, CONFIRM_RESEND]


def test_every_page_of_the_account_is_sorted_here():  # REC-08
    listed = {*NEEDS_PROOF, *NEEDS_NONE, *PROOFS}
    numbers = {url for url in listed if url.startswith(PHONE_PAGE)}  # one route serves both kinds
    routes = [str(route.pattern).lstrip("^") for route in urls.urlpatterns]

    # The line that follows a message shows nothing of the account.
    pages = [route for route in routes if not route.endswith("/delivery/")]
    assert sum(route.startswith("account/") for route in pages) == len(listed - numbers)


@pytest.mark.parametrize(("url", "back"), NEEDS_PROOF.items(), ids=NEEDS_PROOF)
def test_what_matters_needs_a_proof_not_older_than_ten_minutes(me, url, back):  # REC-08, SES-05
    before = list(User.objects.values())
    is_stale()

    assert must_confirm(me, me.post(url, contact=OTHER_EMAIL), back)
    assert must_confirm(me, me.get(url), back)
    assert list(User.objects.values()) == before
    assert not Challenge.objects.filter(purpose="contact").exists()


@pytest.mark.parametrize("url", NEEDS_PROOF)
def test_a_proof_holds_for_ten_minutes(ana, url):  # REC-08
    joins(ana, phone=PHONE, username="ana")
    proof_is(minutes=9, seconds=55)

    assert ana.get(url).status_code in (200, 405)
    assert ana.get(CONFIRM).status_code == 200


@pytest.mark.parametrize("url", NEEDS_NONE)
def test_what_does_not_matter_needs_no_proof(ana, url):
    joins(ana, phone=PHONE, username="ana")
    is_stale()

    assert ana.get(url).status_code == 200


@pytest.mark.parametrize("password", [PASSWORD, None], ids=["by password", "by code"])
def test_whoever_has_just_signed_in_has_verified_it(anyone, password):  # SES-01
    joins(anyone, password=password)

    assert anyone.get(DELETE).status_code == 200


def test_being_in_use_is_no_proof(ana):  # REC-08
    joins(ana)
    for _ in range(3):
        time_passes(minutes=5)
        proof_is(minutes=11)
        ana.post(NAMES, name="Ana")

    assert must_confirm(ana, ana.get(DELETE), DELETE)


def test_the_password_verifies_it(me):  # SES-01, REC-08
    is_stale()
    before, thief = me.session_key, copy_of(me)

    verified = me.post(CONFIRM, current=PASSWORD, next=DELETE)

    assert verified.to == DELETE or verified.json()["message"] == "Thank you. Go on."
    assert me.get(DELETE).status_code == 200
    assert me.session_key != before
    assert not thief.is_signed_in
    assert kinds()[-1] == "reauthenticated"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (NEW, "That is not your password. Check it and try again."),
        (f"{PASSWORD} ", "That is not your password. Check it and try again."),
        ("", "Enter your password"),
        ("a" * 129, "128"),
    ],
    ids=["another", "with a space", "none", "too long"],
)
def test_a_wrong_password_verifies_nothing(ana, typed, sentence):  # PWD-01, PWD-06
    joins(ana, phone=PHONE, username="ana")
    is_stale()
    before = ana.session_key

    refused = ana.post(CONFIRM, current=typed)

    assert is_refused(refused)
    assert sentence in words(refused)
    assert (ana.session_key, ana.is_signed_in) == (before, True)
    assert must_confirm(ana, ana.get(DELETE), DELETE)


def test_wrong_passwords_count_towards_the_lock(me):  # PWD-07, LIM-01, LIM-03
    is_stale()
    tries = [me.post(CONFIRM, current=NEW) for _ in range(conf.LOGIN_FAILURES.times)]

    locked = me.post(CONFIRM, current=PASSWORD)

    assert all(map(is_refused, tries))
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) == 1800
    assert "There were too many tries with a password." in words(locked)
    assert kinds().count("sign_in_failed") == 5
    assert kinds().count("password_locked") == 1
    assert must_confirm(me, me.get(DELETE), DELETE)


def test_the_right_password_after_four_wrong_ones_counts(me):  # LIM-01
    is_stale()
    for _ in range(conf.LOGIN_FAILURES.times - 1):
        me.post(CONFIRM, current=NEW)

    me.post(CONFIRM, current=PASSWORD)

    assert me.get(DELETE).status_code == 200


def test_a_code_verifies_it_while_the_password_is_locked(me, postbox):  # LIM-03
    is_stale()
    for _ in range(conf.LOGIN_FAILURES.times):
        me.post(CONFIRM, current=NEW)

    me.post(CONFIRM_CODE)
    me.post(CONFIRM_VERIFY, code=postbox.code(EMAIL))

    assert me.get(DELETE).status_code == 200


def test_a_code_to_the_contact_for_messages_verifies_it(me, postbox):  # SES-01, REC-08
    User.objects.update(primary="phone")
    is_stale()
    before, thief = me.session_key, copy_of(me)
    asked = me.post(CONFIRM_CODE, next=DELETE)

    verified = me.post(CONFIRM_VERIFY, code=postbox.code(PHONE))

    assert asked.to == CONFIRM_VERIFY or asked.json()["message"] == "We sent you a code."
    assert verified.to == DELETE or verified.json()["message"] == "Thank you. Go on."
    assert me.get(DELETE).status_code == 200
    assert me.session_key != before
    assert not thief.is_signed_in
    assert kinds()[-2:] == ["code_sent", "reauthenticated"]


def test_the_code_goes_to_nobody_else(ana, postbox):  # REC-08
    joins(ana, phone=PHONE)
    texts = len(postbox.messages(PHONE))

    ana.post(
        CONFIRM_CODE,
        contact="eve@example.com",
        identifier="eve@example.com",
        email="eve@example.com",
    )

    assert not postbox.messages("eve@example.com")
    assert len(postbox.messages(PHONE)) == texts


def test_the_page_names_the_contact_without_giving_it_away(ana):
    joins(ana)
    is_stale()

    said = words(ana.get(CONFIRM))

    assert "Send a code to a•••@example.com" in said


def test_whoever_has_no_password_is_not_asked_for_one(ana):  # PWD-06
    joins(ana, password=None)

    page = Page(ana.get(CONFIRM))

    assert "current" not in page.inputs
    assert "send-code" in page.ids


@pytest.mark.parametrize("typed", ["", " ", "!", None, "x" * 20])
def test_no_password_is_right_for_whoever_has_none(ana, typed):  # PWD-06
    joins(ana, password=None)
    is_stale()
    fields = {} if typed is None else {"current": typed}

    assert is_refused(ana.post(CONFIRM, fields))
    assert must_confirm(ana, ana.get(DELETE), DELETE)


def test_a_wrong_code_verifies_nothing(me, postbox):
    is_stale()
    me.post(CONFIRM_CODE)

    refused = me.post(CONFIRM_VERIFY, code=wrong(postbox.code(EMAIL)))

    assert is_refused(refused)
    assert "That is not the code we sent." in words(refused)
    assert must_confirm(me, me.get(DELETE), DELETE)


def test_the_code_is_guessed_five_times_at_most(me, postbox):  # COD-06
    is_stale()
    me.post(CONFIRM_CODE)
    code = postbox.code(EMAIL)
    for _ in range(conf.CODE_MAX_ATTEMPTS):
        me.post(CONFIRM_VERIFY, code=wrong(code))

    assert "tried too often" in words(me.post(CONFIRM_VERIFY, code=code))
    assert must_confirm(me, me.get(DELETE), DELETE)


def test_an_expired_code_is_replaced(me, postbox):  # ux 36
    is_stale()
    me.post(CONFIRM_CODE, next=DELETE)
    code = postbox.code(EMAIL)
    time_passes(minutes=10, seconds=1)

    refused = me.post(CONFIRM_VERIFY, code=code)

    assert "The code has expired. We sent you a new one." in words(refused)
    assert is_refused(me.post(CONFIRM_VERIFY, code=code))
    me.post(CONFIRM_VERIFY, code=postbox.code(EMAIL))
    assert me.get(DELETE).status_code == 200


def test_a_new_code_replaces_the_earlier_one(me, postbox):  # COD-09
    is_stale()
    me.post(CONFIRM_CODE, next=DELETE)
    assert me.post(CONFIRM_RESEND).status_code == 429
    older = postbox.code(EMAIL)
    time_passes(seconds=61)

    me.post(CONFIRM_RESEND)

    assert "That is an earlier code." in words(me.post(CONFIRM_VERIFY, code=older))
    verified = me.post(CONFIRM_VERIFY, code=postbox.code(EMAIL))
    assert verified.to == DELETE or verified.json()["success"]


def test_a_used_up_code_gets_a_successor(me, postbox):  # ux 37
    is_stale()
    me.post(CONFIRM_CODE, next=DELETE)
    for _ in range(conf.CODE_MAX_ATTEMPTS):
        me.post(CONFIRM_VERIFY, code=wrong(postbox.code(EMAIL)))
    time_passes(seconds=61)

    me.post(CONFIRM_RESEND)
    me.post(CONFIRM_VERIFY, code=postbox.code(EMAIL))

    assert me.get(DELETE).status_code == 200


def test_asking_twice_sends_one_code(me, postbox):  # ux 48
    is_stale()
    before = len(postbox)

    me.post(CONFIRM_CODE)
    me.post(CONFIRM_CODE)

    assert len(postbox) == before + 1


def test_two_clicks_with_the_code_end_signed_in_and_verified(me, postbox):  # COD-11
    is_stale()
    me.post(CONFIRM_CODE, next=DELETE)
    code = postbox.code(EMAIL)
    first, second = tabs(me, 2, [me.face])

    answers = [tab.post(CONFIRM_VERIFY, code=code) for tab in (first, second)]

    assert max(answer.status_code for answer in answers) < 500
    for answer in answers:
        me.client.cookies.update(answer.cookies)
    assert me.get(DELETE).status_code == 200


def test_the_code_again_is_no_dead_end(me, postbox):  # COD-11, ux 38
    is_stale()
    me.post(CONFIRM_CODE, next=DELETE)
    code = postbox.code(EMAIL)
    me.post(CONFIRM_VERIFY, code=code)

    me.post(CONFIRM_VERIFY, code=code)

    assert me.get(DELETE).status_code == 200
    assert kinds().count("reauthenticated") == 1


def test_a_code_for_signing_in_is_no_proof(me, bea, postbox):  # COD-08
    is_stale()
    me.post(CONFIRM_CODE)
    bea.post(LOGIN_CODE, identifier=EMAIL)

    assert is_refused(me.post(CONFIRM_VERIFY, code=postbox.code(EMAIL)))


def test_a_proof_is_good_for_one_browser(me, bea, postbox):  # COD-08
    signs_in(bea)
    is_stale()
    me.post(CONFIRM_CODE)

    turned_away = bea.post(CONFIRM_VERIFY, code=postbox.code(EMAIL))

    assert turned_away.to == CONFIRM
    assert must_confirm(bea, bea.get(DELETE), DELETE)


@pytest.mark.parametrize("url", [CONFIRM_VERIFY, CONFIRM_RESEND])
def test_without_a_code_on_its_way_there_is_nothing_to_type(me, url):  # REG-09
    turned_away = me.post(url, code="123456")

    assert turned_away.status_code == (303 if me.face == "page" else 409)
    assert turned_away.to == (None if me.face == "json" else CONFIRM)


def test_a_contact_that_went_verifies_nothing(me, postbox):  # REC-05
    is_stale()
    me.post(CONFIRM_CODE)
    code = postbox.code(EMAIL)
    User.objects.update(email=None, email_key=None, email_verified_at=None, primary="phone")

    assert is_refused(me.post(CONFIRM_VERIFY, code=code))
    assert must_confirm(me, me.get(DELETE), DELETE)


def test_an_account_without_any_contact_is_told_so(anyone):
    joins(anyone, username="boss", email=None, phone=PHONE)
    User.objects.update(phone=None, phone_verified_at=None)
    anyone.client.raise_request_exception = False

    assert anyone.get(CONFIRM).status_code == 200
    assert anyone.post(CONFIRM_CODE).status_code < 500


AWAY = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "/logout/",
    "/nowhere/",
    OTHERS_OUT,
]


@pytest.mark.parametrize("away", AWAY)
def test_the_way_on_never_leads_elsewhere(ana, postbox, away):  # WEB-03, ux 60
    joins(ana)
    ana.post(CONFIRM_CODE, next=away)

    asked = Page(ana.get(CONFIRM, query_params={"next": away}))

    assert {form["fields"].get("next", "") for form in asked.forms} == {""}
    assert ana.post(CONFIRM_VERIFY, code=postbox.code(EMAIL)).to == ACCOUNT
    assert ana.post(CONFIRM, current=PASSWORD, next=away).to == ACCOUNT


def test_the_way_on_is_kept_on_the_page(ana):  # ux 60
    joins(ana)
    is_stale()
    asked = Page(ana.get(ana.get(DELETE).headers["Location"]))

    assert [form["fields"]["next"] for form in asked.forms if "next" in form["fields"]] == [
        DELETE
    ] * 2
    assert ana.post(CONFIRM, {**asked.forms[0]["fields"], "current": PASSWORD}).to == DELETE


# My password


def test_a_shopper_changes_the_password(me, bea, postbox):  # PWD-07, SES-01
    signs_in(bea)
    is_stale()
    before, thief = me.session_key, copy_of(me)

    saved = changes_password(me)

    assert saved.to == ACCOUNT or "Your password is saved." in saved.json()["message"]
    assert me.is_signed_in
    assert me.session_key != before
    assert (thief.is_signed_in, bea.is_signed_in) == (False, False)
    assert may_sign_in(EMAIL, NEW)
    assert not may_sign_in(EMAIL, PASSWORD)


def test_every_contact_is_told_of_the_new_password(me, postbox):  # PWD-07
    changes_password(me)

    assert "Storefront: Your password was changed" in news(EMAIL)
    assert any("Your password was changed" in said for said in news(PHONE))
    assert "not-me" in postbox.link(EMAIL)


def test_the_current_password_is_a_fresh_proof(me):  # SES-01
    is_stale()

    changes_password(me)

    assert me.get(DELETE).status_code == 200


def test_a_new_password_withdraws_what_waits(me, postbox):  # REG-05, REC-05
    me.post(EMAIL_PAGE, contact=OTHER_EMAIL)
    code = postbox.code(OTHER_EMAIL)

    changes_password(me)
    me.post(CONTACT, code=code)

    assert User.objects.get().email == EMAIL


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"current": NEW}, "That is not your password. Check it and try again."),
        ({"current": ""}, "Enter your current password"),
        ({"password": ""}, "Choose a password"),
    ],
    ids=["wrong", "no current", "no new"],
)
def test_a_password_is_not_changed_without_the_current_one(me, typed, sentence):  # PWD-07
    refused = me.post(SECRET, {"current": PASSWORD, "password": NEW} | typed)

    assert is_refused(refused)
    assert sentence in words(refused)
    assert User.objects.get().check_password(PASSWORD)


def test_whoever_has_a_password_cannot_just_set_one(me):  # PWD-06
    refused = me.post(SECRET, password=NEW)

    assert is_refused(refused)
    assert "Enter your current password" in words(refused)
    assert User.objects.get().check_password(PASSWORD)


def test_guesses_at_the_current_password_are_counted(me):  # PWD-07, LIM-01
    for _ in range(conf.LOGIN_FAILURES.times):
        me.post(SECRET, current=NEW, password=NEW)

    locked = changes_password(me)

    assert locked.status_code == 429
    assert User.objects.get().check_password(PASSWORD)


BAD = {
    "short": "a tiny word",
    "long": "a" * 129,
    "listed": "motherfucker",
    "listed and dressed up": "Motherfucker1987!!",
    "a row": "qwertyuiopasdf",
    "the shop": "storefront2026!!",
    "the address": "ana.maria12345",
    "the name": "Maria Ng Maria Ng",
    "the number": "2025550123 x",
}


@pytest.mark.parametrize("password", BAD.values(), ids=BAD)
def test_the_rules_are_those_of_the_registration(postbox, password):  # PWD-01, PWD-03, PWD-04
    who = "ana.maria@example.com"
    new, old = Shopper("json"), Shopper("json", ip="198.51.100.9")
    new.identify(who)
    new.verify(postbox.code(who))
    there = new.complete(name="Maria Ng", username="maria", password=password)
    User.objects.all().delete()
    joins(old, email=who, name="Maria Ng", username="maria", phone=PHONE)

    here = old.post(SECRET, current=PASSWORD, password=password)

    assert here.status_code == 400
    assert here.json()["errors"]["password"]
    if password != BAD["the number"]:  # at the registration nothing is known of the number
        assert here.json()["errors"]["password"] == there.json()["errors"]["password"]
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize(
    "password", ["x7 Q;" * 25, "пароль на удачу", "  two  spaces  ", "🐴🔋📎🐴🔋📎zq🌍🌍🌍🌍"]
)
def test_any_other_password_will_do(ana, password):  # PWD-01, PWD-02
    joins(ana, phone=PHONE, username="ana")
    ana.post(SECRET, current=PASSWORD, password=password)

    assert User.objects.get().check_password(password)


def test_a_password_is_never_shown_again(me):  # PWD-07, ux 58
    refused = [
        me.post(SECRET, current="not the right one", password="nor is this one"),
        me.post(SECRET, current=PASSWORD, password="motherfucker"),
        me.post(CONFIRM, current="not the right one"),
    ]

    for answer in refused:
        said = answer.content.decode()
        assert not any(typed in said for typed in ("not the right", "nor is", PASSWORD, "motherf"))
        assert 'type="password" value' not in said


def test_a_password_manager_knows_its_way(ana):  # ux 53, ux 54, PWD-07
    joins(ana)
    change, confirm = Page(ana.get(SECRET)), Page(ana.get(CONFIRM))

    assert list(change.inputs) == ["current", "password"]
    assert [box["autocomplete"] for box in change.inputs.values()] == [
        "current-password",
        "new-password",
    ]
    assert confirm.inputs["current"]["autocomplete"] == "current-password"
    for page in (change, confirm):
        assert page.all("input", autocomplete="username", value=EMAIL)
        assert all(box["type"] == "password" for box in page.inputs.values())


def test_a_shopper_without_a_password_sets_one(without_password, bea, postbox):  # PWD-06, SES-01
    signs_in(bea, password=None)
    before, thief = without_password.session_key, copy_of(without_password)

    without_password.post(SECRET, password=NEW)

    assert User.objects.get().check_password(NEW)
    assert without_password.is_signed_in
    assert without_password.session_key != before
    assert (thief.is_signed_in, bea.is_signed_in) == (False, False)
    assert "Storefront: Your account has a password now" in news(EMAIL)
    assert any("Your account has a password now" in said for said in news(PHONE))
    assert kinds()[-1] == "password_set"


def test_setting_a_password_needs_a_fresh_proof(without_password):  # PWD-06
    is_stale()

    assert must_confirm(without_password, without_password.get(SECRET), SECRET)
    assert must_confirm(without_password, without_password.post(SECRET, password=NEW), SECRET)
    assert not User.objects.get().has_usable_password()


@pytest.mark.django_db(transaction=True)
def test_two_new_passwords_at_once_leave_one(ana):  # PWD-07
    joins(ana)
    secrets = [NEW, "another secret altogether"]

    answers = at_once(
        *[
            lambda tab=tab, secret=secret: tab.post(SECRET, current=PASSWORD, password=secret)
            for tab, secret in zip(tabs(ana, 2, ["page"]), secrets, strict=True)
        ]
    )

    assert max(answer.status_code for answer in answers) < 500
    assert [User.objects.get().check_password(secret) for secret in secrets].count(True) == 1
    assert Session.objects.exclude(user=None).count() <= 1


def test_whoever_finishes_later_gets_no_new_password_without_the_current_one(ana):  # PWD-06
    joins(ana)
    User.objects.update(completed_at=None)

    ana.complete(name="Ana", password=NEW)

    assert User.objects.get().check_password(PASSWORD)


# How often

CHANGES = {
    "names": lambda shopper: shopper.post(NAMES, name="Eve"),
    "add": lambda shopper: shopper.post(EMAIL_PAGE, contact=OTHER_EMAIL),
    "remove": lambda shopper: shopper.post(f"{PHONE_PAGE}remove/"),
    "primary": lambda shopper: shopper.post(f"{PHONE_PAGE}primary/"),
    "password": changes_password,
}


@pytest.fixture
def few_changes(monkeypatch):
    """Three changes an hour."""
    monkeypatch.setattr(conf, "CHANGES_PER_ACCOUNT", parse_rates("3/h"))


@pytest.mark.usefixtures("few_changes")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_have_a_limit(me, change):  # LIM-08
    for _ in range(3):
        me.post(NAMES, name="Ana")
    before = list(User.objects.values())

    refused = change(me)

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) == 3600
    assert "That was too often. You can try again at" in words(refused)
    assert 'id=""' not in refused.content.decode()
    assert list(User.objects.values()) == before
    assert not Challenge.objects.filter(purpose="contact").exists()


@pytest.mark.usefixtures("few_changes")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_last_change_within_the_limit_is_made(ana, change):
    joins(ana, phone=PHONE, username="ana")
    for _ in range(2):
        ana.post(NAMES, name="Ana")

    assert change(ana).status_code in (200, 303)


@pytest.mark.usefixtures("few_changes")
def test_a_first_password_counts_as_a_change(without_password):
    for _ in range(3):
        without_password.post(NAMES, name="Ana")

    assert without_password.post(SECRET, password=NEW).status_code == 429
    assert not User.objects.get().has_usable_password()


@pytest.mark.usefixtures("few_changes")
def test_an_hour_later_there_is_room_again(me):
    for _ in range(4):
        me.post(NAMES, name="Ana")
    time_passes(minutes=60, seconds=1)

    assert me.post(NAMES, name="Eve").status_code in (200, 303)


@pytest.mark.usefixtures("few_changes")
def test_one_shopper_spends_nothing_of_another(me, bea):
    joins(bea, email="bea@example.com")
    for _ in range(4):
        me.post(NAMES, name="Ana")

    assert bea.post(NAMES, name="Bea").status_code == 303


# What happened

# Nobody's account: addresses that are taken, outages, the staff's door, and what is left of somebody erased.
NOT_SHOWN = {
    "duplicate_registration",
    "breach_check_failed",
    "staff_sign_in_limited",
    "staff_sign_in_failed",
    "erased",
    "number_refused",
    "sms_stopped",
    "keys_rotated",
    "staff_changed",  # of a provider, by the operator's command
}
WRITERS = ("audit.record", "refusals.record")
# Kinds that reach events.record() as a value, by the expression that stands there.
BY_VALUE = {
    "what": {
        *("profile_changed", "username_changed", "password_changed", "password_set"),
        *("contact_added", "contact_changed"),
    },
    "kinds": {
        *("sign_in_failed", "password_locked", "code_wrong", "code_used_up"),
        *("registered", "signed_in"),
    },
    "news": {"new_device", "deletion_undone"},
    "kind": {
        *("staff_recovery_sent", "staff_ended_sessions", "staff_lifted_lock"),
        *("staff_removed_contact", "staff_deactivated", "staff_reactivated"),
    },
}


def recorded():
    """The name of every kind of event, or of the value that holds it, read from the source."""
    house = Path(urls.__file__).parents[1]
    for path in [*house.glob("accounts/**/*.py"), *house.glob("backoffice/**/*.py")]:
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in WRITERS:
                yield from (ast.unparse(kind).strip("*'") for kind in call.args)


def test_every_event_of_an_account_has_plain_words():  # LOG-01
    values = {name for name in recorded() if name in BY_VALUE}
    named = {name for name in recorded() if name not in BY_VALUE}
    written = named.union(*(BY_VALUE[name] for name in values))

    assert values == set(BY_VALUE)
    assert written - NOT_SHOWN == set(EVENT_WORDS)
    assert not NOT_SHOWN & set(EVENT_WORDS)


def test_what_happened_is_told_in_plain_words(ana):
    user = joins(ana)
    ana.post(CONFIRM, current=NEW)
    ana.post(NAMES, name="Ana Ng")

    said = words(ana.get(ACTIVITY))

    told = [str(EVENT_WORDS[kind]) for kind in reversed(kinds(user))]
    assert told[:2] == ["Your names were changed", "Somebody tried a wrong password"]
    places = [said.index(sentence) for sentence in told]
    assert places == sorted(places)
    assert "_" not in said


def test_the_list_says_when_from_where_and_in_what(db):  # SES-05
    agent = "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36"
    shopper = Shopper(ip="198.51.100.77", **{"user-agent": agent})
    joins(shopper)

    page = Page(shopper.get(ACTIVITY))

    assert "198.51.100.77" in page.text("bdi")
    assert "Chrome on Windows" in page.text("p")
    assert page.all("time")[0]["datetime"]
    assert agent not in page.html


def test_nobody_sees_what_happened_to_somebody_else(me, bea):
    joins(bea, email="bea@example.com")
    bea.post(SECRET, current=PASSWORD, password=NEW)

    seen = words(me.get(ACTIVITY))

    assert "Your password was changed" not in seen
    assert "198.51.100.20" not in seen


@pytest.mark.parametrize(("count", "pages"), [(50, [50]), (51, [50, 1]), (101, [50, 50, 1])])
def test_fifty_events_fill_a_page(ana, count, pages):
    user = joins(ana)
    SecurityEvent.objects.all().expire()
    SecurityEvent.objects.bulk_create(
        SecurityEvent(kind="signed_in", user=user, ip=f"192.0.2.{number + 1}")
        for number in range(count)
    )

    shown = [
        Page(ana.get(ACTIVITY, query_params={"page": number + 1})) for number in range(len(pages))
    ]

    assert [len(page.all("li")) for page in shown] == pages
    assert len({address for page in shown for address in page.text("bdi").split()}) == count
    assert ["older" in page.ids for page in shown] == [True] * (len(pages) - 1) + [False]
    assert ["newer" in page.ids for page in shown] == [False] + [True] * (len(pages) - 1)


@pytest.mark.parametrize("page", ["0", "-1", "99", "abc", "١", "' OR 1=1", "9" * 400])
def test_a_page_that_is_not_there_shows_one_that_is(ana, page):
    joins(ana)

    assert ana.get(ACTIVITY, query_params={"page": page}).status_code == 200


STORY = [
    ("asks for a code", lambda me: me.identify(EMAIL), ["code_sent"]),
    ("mistypes it", lambda me: me.verify(wrong(Postbox().code(EMAIL))), ["code_wrong"]),
    ("types it", lambda me: me.verify(Postbox().code(EMAIL)), ["registered", "signed_in"]),
    ("completes", lambda me: me.complete(), ["profile_completed"]),
    ("renames", lambda me: me.post(NAMES, name="Eve"), ["profile_changed"]),
    ("adds a number", lambda me: adds(me, "phone", PHONE), ["code_sent", "contact_added"]),
    ("changes it", lambda me: adds(me, "phone", OTHER_PHONE), ["code_sent", "contact_changed"]),
    ("prefers it", lambda me: me.post(f"{PHONE_PAGE}primary/"), ["primary_changed"]),
    ("prefers it again", lambda me: me.post(f"{PHONE_PAGE}primary/"), []),
    ("removes the address", lambda me: me.post(f"{EMAIL_PAGE}remove/"), ["contact_removed"]),
    ("guesses", lambda me: me.post(CONFIRM, current=NEW), ["sign_in_failed"]),
    ("confirms", lambda me: me.post(CONFIRM, current=PASSWORD), ["reauthenticated"]),
    ("confirms by code", lambda me: confirms_by_code(me, OTHER_PHONE), ["code_sent", "reauthenticated"]),
    ("takes a new password", changes_password, ["reauthenticated", "password_changed"]),
    ("signs out the others, and there are none", lambda me: me.post(OTHERS_OUT), []),
    ("signs nobody out", lambda me: me.post(ONE_OUT), []),
    ("looks around", lambda me: [me.get(url) for url in NEEDS_NONE], []),
    ("downloads", lambda me: me.post(DOWNLOAD), ["data_downloaded"]),
    ("signs out", lambda me: me.post(LOGOUT), ["signed_out"]),
    ("mistypes the password", lambda me: signs_in(me, OTHER_PHONE, PASSWORD), ["sign_in_failed"]),
    ("comes back", lambda me: signs_in(me, OTHER_PHONE, NEW), ["signed_in"]),
    ("asks to leave", lambda me: me.post(DELETE), ["deletion_asked"]),
    ("stays", lambda me: signs_in(me, OTHER_PHONE, NEW), ["signed_in", "deletion_undone"]),
]  # fmt: skip


def test_everything_that_happens_is_written_down_once(anyone, postbox):  # LOG-01, promise 2.10
    written = {}
    for name, act, _expected in STORY:
        before = SecurityEvent.objects.count()
        act(anyone)
        written[name] = kinds()[before:]

    assert written == {name: expected for name, _act, expected in STORY}
    assert set(SecurityEvent.objects.values_list("ip", flat=True)) == {"203.0.113.7"}


def test_no_event_holds_an_address_or_a_secret(me, postbox):  # LOG-03, ENU-05
    me.post(CONFIRM, current=NEW)
    adds(me, "email", OTHER_EMAIL)

    written = str(list(SecurityEvent.objects.values()))

    assert not any(word in written for word in (EMAIL, OTHER_EMAIL, PHONE, NEW, PASSWORD))
