"""A new password for whoever reads a verified contact: by link to an email address, by code to a mobile number."""

import logging
import re
from datetime import timedelta
from itertools import permutations
from typing import NamedTuple

import pytest
from django.contrib.auth.hashers import make_password
from django.db.models.functions import Now
from django.test import Client

from accounts import conf
from accounts.models import Challenge, Purpose, SecurityEvent, Session, User
from messaging.models import OutboxMessage
from ratelimits.models import Bucket
from ratelimits.rates import Rate
from tests.support.account import account
from tests.support.pages import Page, comparable, words
from tests.support.people import (
    LINK,
    LOGIN,
    PASSWORD,
    REGISTER,
    VERIFY,
    Postbox,
    Shopper,
    link_cookies,
    time_passes,
    wrong,
)
from tests.support.races import at_once, tabs

RESET, RESET_VERIFY = "/password-reset/", "/password-reset/verify/"
RESET_RESEND, NEW_PASSWORD = "/password-reset/resend/", "/password-reset/new/"
NOT_ME = "/not-me/"
CODE, CODE_VERIFY = "/login/code/", "/login/code/verify/"
CONFIRM_CODE, CONFIRM_VERIFY = "/account/confirm/code/", "/account/confirm/verify/"
CONTACTS, CONTACT_VERIFY = "/account/contacts/{}/", "/account/contact/"
CHANGE_PASSWORD, DELETE = "/account/password/", "/account/delete/"

EMAIL, PHONE = "ana@example.com", "+12025550123"
OTHER_EMAIL, OTHER_PHONE = "bea@example.com", "+12025550199"
CHOSEN = "another good password"
ROWS = (Bucket, Challenge, OutboxMessage, SecurityEvent, Session, User)
SCANNERS = [
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0; SafeLinks)",
    "GoogleImageProxy",
    "Barracuda Sentinel (EE)",
]


@pytest.fixture
def link(owner, postbox):
    """The link in the email that Ana has just asked for."""
    return ask_for_link(postbox)


def ask_for_link(postbox, email=EMAIL):
    """Ask for a link, in a browser that is not used again."""
    Shopper(ip="192.0.2.44").post(RESET, identifier=email)
    return postbox.link(email)


def token_of(link):
    """What only the email knows."""
    return link.partition("=")[2]


def sign_in(who=EMAIL, password=PASSWORD, *, shopper=None, **headers):
    """A browser of somebody who signs in with the password."""
    shopper = shopper or Shopper(ip="198.51.100.9", **headers)
    shopper.post(LOGIN, identifier=who, password=password, remember="on")
    return shopper


def opens(password, who=EMAIL):
    """Whether this password opens the account."""
    return sign_in(who, password).is_signed_in


def choose(shopper, password=CHOSEN, **more):
    """Post the new password."""
    return shopper.post(NEW_PASSWORD, password=password, **more)


def everything():
    """Every row there is."""
    return [list(model.objects.order_by("pk").values()) for model in ROWS]


def is_json(shopper):
    return shopper.face == "json"


# Both ways, in three faces


def test_a_link_by_email_leads_to_a_new_password(owner, anyone, postbox):
    asked = anyone.post(RESET, identifier=EMAIL)
    told = anyone.get(RESET_VERIFY)
    link = postbox.link(EMAIL)
    form = anyone.open(link)
    saved = choose(anyone, **({"token": token_of(link)} if is_json(anyone) else {}))

    assert asked.to == (None if is_json(anyone) else RESET_VERIFY)
    assert "Check your email" in words(told)
    assert "Choose a new password" in words(form)
    assert saved.to == (None if is_json(anyone) else LOGIN)
    assert opens(CHOSEN)
    assert not opens(PASSWORD)


def test_a_code_by_text_leads_to_a_new_password(owner, anyone, postbox):
    asked = anyone.post(RESET, identifier=PHONE)
    told = anyone.get(RESET_VERIFY)
    verified = anyone.post(RESET_VERIFY, code=postbox.code(PHONE))
    on = f"{NEW_PASSWORD}?link={anyone.link}"
    form = anyone.get(on)
    saved = choose(anyone)

    assert asked.to == (None if is_json(anyone) else RESET_VERIFY)
    assert "Enter the code we sent you" in words(told)
    assert verified.to == (None if is_json(anyone) else on)
    assert verified.status_code == (303 if anyone.face == "page" else 200)
    assert "Choose a new password" in words(form)
    assert saved.to == (None if is_json(anyone) else LOGIN)
    assert opens(CHOSEN, PHONE)


def test_the_page_says_what_to_do_and_nobody_is_signed_in(link, anyone):  # REC-06
    anyone.open(link)

    saved = choose(anyone, token=token_of(link))

    assert "Your password is changed. Sign in with it." in words(anyone.follow(saved))
    assert not anyone.is_signed_in


def test_a_link_opens_in_another_browser_than_asked_for_it(owner, ana, bea, postbox):
    ana.post(RESET, identifier=EMAIL)
    bea.open(postbox.link(EMAIL))

    assert choose(bea).to == LOGIN
    assert opens(CHOSEN)


def test_an_account_without_a_password_gets_one(ana, postbox):
    account(password="")
    ana.open(ask_for_link(postbox))

    choose(ana)

    assert opens(CHOSEN)


def test_the_spelling_of_the_address_does_not_matter(owner, ana, postbox):  # IDN-01
    ana.post(RESET, identifier="  ANA@Example.COM ")

    assert postbox.messages(EMAIL)[0]["to"] == EMAIL


def test_a_username_is_no_address(owner, anyone, postbox):
    User.objects.update(username="ana")

    assert anyone.post(RESET, identifier="ana").status_code == (400 if is_json(anyone) else 422)
    assert len(postbox) == 0


@pytest.mark.parametrize("url", [RESET_VERIFY, RESET_RESEND])
def test_nobody_starts_in_the_middle(anyone, url):
    away = anyone.get(url)

    assert away.status_code == (303 if anyone.face == "page" else 409)
    assert (away.headers.get("Location") or RESET) == RESET


def test_the_pages_name_their_buttons(link, ana):
    asked, chosen = Page(ana.get(RESET)), Page(ana.open(link))

    assert asked.all("button", id="send-message")
    assert chosen.all("button", id="save-password")
    assert chosen.inputs["password"]["autocomplete"] == "new-password"
    assert EMAIL in [element.get("value") for element in chosen.all("input")]  # ux 54


# What arrives


def test_the_email_has_one_link_and_no_code(owner, postbox):
    Shopper(**{"User-Agent": "Firefox/130 on Linux, win at evil.example"}).post(
        RESET, identifier=EMAIL
    )

    (message,) = postbox.messages(EMAIL)
    text = message["text"]
    assert message["subject"] == "Choose a new Storefront password"
    assert re.findall(r"https?://\S+", text) == [f"https://shop.example{postbox.link(EMAIL)}"]
    assert not re.search(r"\b\d{6}\b", text)
    assert "It works for 1 hour, and only once." in text
    assert "from Firefox on Linux." in text
    assert "ignore this message; your password stays as it is" in text
    assert "evil" not in text + message["html"] + str(message["headers"])


def test_the_html_of_the_email_has_the_same_link_alone(link, postbox):
    html = postbox.messages(EMAIL)[0]["html"]

    links = set(re.findall(r'href="([^"]*)"', html))
    assert links == {f"https://shop.example{link}"}
    assert "src=" not in html


def test_the_text_message_has_one_code_and_no_link(owner, ana, postbox):
    ana.post(RESET, identifier=PHONE)

    (message,) = postbox.messages(PHONE)
    code = postbox.code(PHONE)
    lines = message["text"].splitlines()
    assert lines[0].startswith(f"{code} is your Storefront code.")
    assert lines[-1] == f"@shop.example #{code}"
    assert "://" not in message["text"]
    assert len(message["text"]) <= 160


def test_an_address_without_an_account_is_told_once_a_day(ana, bea, postbox):  # ENU-03, ABU-03
    for shopper in (ana, bea):
        shopper.post(RESET, identifier=EMAIL)
        shopper.post(RESET, identifier=PHONE)
        assert len(postbox) == 1

    (message,) = postbox.messages()
    assert message["to"] == EMAIL
    assert message["subject"] == "No Storefront account with this address"
    assert NEW_PASSWORD not in message["text"]


# Looking changes nothing


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_scanners_that_open_the_link_use_nothing_up(link, ana, method):  # REC-01
    signed_in = sign_in()
    before = everything()

    for number in range(20):
        scanner = Client(headers={"User-Agent": SCANNERS[number % len(SCANNERS)]})
        assert getattr(scanner, method)(link).status_code in (200, 303)
        assert getattr(scanner, method)(NEW_PASSWORD).status_code in (200, 410)
    getattr(signed_in.client, method)(link, follow=True)

    assert everything() == before
    assert signed_in.is_signed_in
    ana.open(link)
    assert choose(ana).to == LOGIN


def test_a_scanner_that_presses_buttons_gains_nothing(link):  # REC-01, WEB-01
    scanner = Client(enforce_csrf_checks=True)
    scanner.get(link, follow=True)

    blind = scanner.post(NEW_PASSWORD, {"password": CHOSEN, "token": token_of(link)})

    assert blind.status_code == 403
    assert opens(PASSWORD)


def test_the_form_is_not_sent_by_a_script(link, ana):  # REC-01
    page = Page(ana.open(link))

    assert not [element for element in page.elements if element.get("hx-trigger")]
    assert all("src" in script for script in page.all("script"))


# Where the link leads


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "shop.example@evil.example"},
        {"Host": "shop.example:80@evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Server": "evil.example", "Forwarded": "host=evil.example"},
        {"X-Original-Host": "evil.example", "X-Host": "evil.example"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_the_link_leads_to_us_whatever_the_host_header_says(owner, postbox, headers):  # REC-02
    asked = Shopper(**headers).post(RESET, identifier=EMAIL)

    links = [re.findall(r"https?://[^/\s]+", sent["text"]) for sent in postbox.messages()]
    assert (asked.status_code, links) in [(400, []), (303, [["https://shop.example"]])]


# One hour, once, and for nothing else


@pytest.mark.parametrize(
    ("span", "status"),
    [({"minutes": 59, "seconds": 55}, 200), ({"hours": 1, "seconds": 1}, 410)],
    ids=["in time", "too late"],
)
def test_a_link_lives_for_an_hour(link, anyone, span, status):  # REC-03
    time_passes(**span)

    assert anyone.open(link).status_code == status
    assert choose(anyone, token=token_of(link)).status_code in (303, status)
    assert opens(CHOSEN) is (status == 200)


def test_a_form_that_was_open_for_too_long_changes_nothing(link, ana):  # REC-03
    ana.open(link)
    time_passes(hours=1, seconds=1)

    assert choose(ana).status_code == 410
    assert opens(PASSWORD)


@pytest.mark.parametrize(
    ("span", "sentence"),
    [
        ({"minutes": 9, "seconds": 55}, ""),
        ({"minutes": 10, "seconds": 1}, "The code has expired. We sent you a new one."),
    ],
    ids=["in time", "too late"],
)
def test_a_code_lives_for_ten_minutes(owner, anyone, postbox, span, sentence):  # COD-04
    anyone.post(RESET, identifier=PHONE)
    code = postbox.code(PHONE)
    time_passes(**span)

    assert sentence in words(anyone.post(RESET_VERIFY, code=code))
    shown = anyone.get(f"{NEW_PASSWORD}?link={anyone.link}")
    assert (shown.status_code == 200) is not bool(sentence)


def test_a_link_works_once(link, ana, anyone):  # REC-03, COD-05
    ana.open(link)
    choose(ana)

    again = anyone.open(link)
    saved = choose(anyone, "a third good password", token=token_of(link))

    assert (again.status_code, saved.status_code) == (410, 410)
    assert opens(CHOSEN)


def forged(token, at):
    """The token with one bit of one letter turned over."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:at] + letters[letters.index(token[at]) ^ 1] + token[at + 1 :]


@pytest.mark.parametrize("at", [0, 10, 20, 22, 30, 44])
def test_one_bit_makes_a_link_worthless(link, ana, at):  # REC-03
    token = forged(token_of(link), at)

    opened = ana.open(f"{NEW_PASSWORD}?token={token}")

    assert opened.status_code == 410
    assert choose(ana, token=token).status_code == 410


def registration_link(postbox):
    """The link of a registration."""
    Shopper().identify("new@example.com")
    return postbox.link("new@example.com")


def notice_link(postbox):
    """The link with which somebody says "this was not me"."""
    sign_in()
    return postbox.link(EMAIL)


LINKS = {LINK: registration_link, NEW_PASSWORD: ask_for_link, NOT_ME: notice_link}
LINK_PAIRS = list(permutations(LINKS, 2))


@pytest.mark.parametrize(
    ("where", "other"),
    LINK_PAIRS,
    ids=[" <- ".join(pair) for pair in LINK_PAIRS],
)
def test_a_link_is_good_for_its_own_page(owner, anyone, postbox, where, other):  # REC-03, COD-08
    token = token_of(LINKS[other](postbox))
    before = [list(model.objects.order_by("pk").values()) for model in (Challenge, User)]

    opened = anyone.open(f"{where}?token={token}")
    pressed = anyone.post(where, token=token, password=CHOSEN)

    assert (opened.status_code, pressed.status_code) == (410, 410)
    after = [list(model.objects.order_by("pk").values()) for model in (Challenge, User)]
    assert after == before


@pytest.mark.parametrize(("where", "other"), [(NEW_PASSWORD, NOT_ME), (NOT_ME, NEW_PASSWORD)])
def test_a_link_opened_on_one_page_is_none_on_another(owner, ana, postbox, where, other):  # COD-08
    ana.open(LINKS[other](postbox))

    assert ana.get(where).status_code == 410
    assert ana.post(where, password=CHOSEN).status_code == 410


def test_the_token_of_one_account_is_none_of_another(link, ana, postbox):  # REC-03
    bea = account(OTHER_EMAIL, OTHER_PHONE)
    other = token_of(ask_for_link(postbox, OTHER_EMAIL))
    mixed = other[:22] + token_of(link)[22:]

    assert choose(ana, token=mixed).status_code == 410
    assert choose(ana, token=other, user=str(bea.pk), identifier=EMAIL).to == LOGIN
    assert opens(PASSWORD)
    assert opens(CHOSEN, OTHER_EMAIL)


DEAD = {
    "none": "",
    "short": "abc",
    "invented": "A" * 46,
    "long": "A" * 5000,
    "not letters": "é" * 46,
    "nul": "A" * 45 + "\x00",
}


@pytest.mark.parametrize("token", DEAD.values(), ids=DEAD)
def test_a_link_that_never_was_is_gone(anyone, token):  # REC-03, IDN-08
    opened = anyone.open(NEW_PASSWORD, query_params={"token": token})

    assert opened.status_code == 410
    assert choose(anyone, token=token).status_code in (400, 410)


@pytest.mark.parametrize("token", [None, 1, True, ["A" * 46], {"a": 1}], ids=str)
def test_a_token_that_is_no_text_is_none(db, token):  # IDN-08
    answer = Shopper("json").post(NEW_PASSWORD, token=token, password=CHOSEN)

    assert answer.status_code in (400, 410)


def test_a_dead_link_looks_the_same_whatever_it_died_of(link, postbox):  # REC-03
    used, late = link, ask_for_link(postbox)
    time_passes(hours=2)
    never = f"{NEW_PASSWORD}?token={'A' * 46}"
    closed = ask_for_link(postbox)
    open_one = ask_for_link(postbox)
    choose(Shopper(), token=token_of(open_one))
    other = notice_link(postbox)

    ways = [used, late, never, closed, open_one, f"{NEW_PASSWORD}?{other.partition('?')[2]}"]
    pages = [comparable(Shopper().open(way)) for way in ways]

    assert all(page == pages[0] for page in pages)
    assert pages[0][0] == 410


def test_a_dead_link_offers_a_new_beginning(anyone):  # REC-03
    gone = anyone.open(f"{NEW_PASSWORD}?token={'A' * 46}")

    assert "This link no longer works" in words(gone)
    if not is_json(anyone):
        assert Page(gone).all("a", id="start-again", href=RESET)


# Where the token is, and is not


def test_a_page_leaves_the_token_in_a_cookie_and_nowhere_else(link, ana):  # REC-04
    opened = ana.get(link)
    shown = ana.get(opened.to)

    assert (opened.status_code, opened.to) == (303, f"{NEW_PASSWORD}?link={ana.link}")
    (cookie,) = link_cookies(ana).values()
    assert cookie.value == token_of(link)
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    # What is left of the link's own life.
    assert 3600 - 60 < cookie["max-age"] < 3600
    assert token_of(link) not in f"{shown.headers} {shown.content.decode()}"


def test_htmx_leaves_the_token_in_a_cookie_and_nowhere_else(link):  # REC-04
    ajax = Shopper("htmx")

    opened = ajax.get(link)

    assert (opened.status_code, opened.to) == (200, f"{NEW_PASSWORD}?link={ajax.link}")
    assert opened.content == b""
    assert token_of(link) not in ajax.get(opened.to).content.decode()


def test_json_gets_no_cookie_for_its_token(link):  # REC-04
    shown = Shopper("json").get(link)

    assert shown.status_code == 200
    assert not shown.cookies
    assert token_of(link) not in shown.content.decode()


@pytest.mark.parametrize("state", ["alive", "dead"])
@pytest.mark.parametrize("face", ["page", "htmx"])
def test_the_address_with_the_token_is_told_to_nobody(link, face, state):  # REC-04
    opened = Shopper(face).get(link if state == "alive" else f"{NEW_PASSWORD}?token=x")

    assert opened.headers["Referrer-Policy"] == "no-referrer"


def test_no_page_of_a_link_is_kept_or_told_to_other_sites(link, anyone):  # REC-04, SES-08
    sent = {"token": token_of(link)}
    answers = [anyone.get(link), anyone.open(link), choose(anyone, **sent), choose(anyone, **sent)]

    assert {each.headers["Referrer-Policy"] for each in answers} <= {"no-referrer", "same-origin"}
    assert all("no-store" in answer.headers["Cache-Control"] for answer in answers)


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_nothing_on_the_page_comes_from_elsewhere(link, face):  # REC-04
    page = Page(Shopper(face).open(link))

    addresses = [each.get(name, "") for each in page.elements for name in ("src", "href", "action")]
    assert not [address for address in addresses if "//" in address]


@pytest.mark.parametrize("state", ["used", "dead"])
def test_the_cookie_goes_with_the_link(link, ana, state):  # REC-04
    ana.open(link)
    (name,) = link_cookies(ana)
    if state == "dead":
        time_passes(hours=2)

    gone = choose(ana).cookies[name]

    assert (gone.value, gone["max-age"], gone["path"], gone["secure"]) == ("", 0, "/", True)


def test_the_token_is_in_no_log(link, ana, caplog):  # REC-04, LOG-03
    caplog.set_level(logging.DEBUG)

    ana.open(link)
    choose(ana)
    ana.open(link)

    assert caplog.records
    assert token_of(link) not in caplog.text


def test_the_token_stands_in_no_row(link, ana):  # REC-03
    ana.open(link)

    kept = str([everything(), [session.get_decoded() for session in Session.objects.all()]])
    assert token_of(link) not in kept
    assert token_of(link)[22:] not in kept


# What a new password may not be


def test_a_password_that_is_refused_keeps_the_link_alive(link, anyone):
    anyone.open(link)
    sent = {"token": token_of(link)} if is_json(anyone) else {}

    refused = [
        choose(anyone, bad, **sent) for bad in ("", "short", "passwordpassword", "ana@example.com1")
    ]
    saved = choose(anyone, **sent)

    assert {answer.status_code for answer in refused} == {400 if is_json(anyone) else 422}
    assert saved.status_code in (200, 303)
    assert opens(CHOSEN)


@pytest.mark.parametrize(
    ("length", "good"), [(11, False), (12, True), (128, True), (129, False)], ids=str
)
def test_the_length_of_a_password_is_the_same_as_everywhere(link, ana, length, good):  # PWD-01
    password = ("kq zv " * 30)[:length]
    ana.open(link)

    assert (choose(ana, password).to == LOGIN) is good
    assert opens(password) is good


def test_a_refused_password_is_not_shown_again(link, ana):  # PWD-07
    ana.open(link)

    refused = choose(ana, "passwordpassword")

    assert "passwordpassword" not in refused.content.decode()


def test_the_password_that_was_forgotten_may_be_chosen_again(link, ana):
    ana.open(link)

    assert choose(ana, PASSWORD).to == LOGIN
    assert opens(PASSWORD)


# What ends a link and a code before their time


def use(browser, postbox):
    """The password is chosen, with the same link or code."""
    challenge = Challenge.objects.live().get(purpose=Purpose.RESET)
    choose(Shopper(), token=challenge.link_token)


def ask_again(browser, postbox):
    """Somebody asks again, in another browser."""
    challenge = Challenge.objects.live().get(purpose=Purpose.RESET)
    Shopper(ip="192.0.2.99").post(RESET, identifier=challenge.address)


def change_password(browser, postbox):
    """The owner changes the password."""
    browser.post(CHANGE_PASSWORD, current=PASSWORD, password="a third good password")


def change_email(browser, postbox):
    """The owner changes the email address."""
    browser.post(CONTACTS.format("email"), contact="ana2@example.com")
    browser.post(CONTACT_VERIFY, code=postbox.code("ana2@example.com"))


def change_phone(browser, postbox):
    """The owner changes the mobile number."""
    browser.post(CONTACTS.format("phone"), contact=OTHER_PHONE)
    browser.post(CONTACT_VERIFY, code=postbox.code(OTHER_PHONE))


def remove_phone(browser, postbox):
    """The owner takes the mobile number off."""
    browser.post(CONTACTS.format("phone") + "remove/")


def sign_out_elsewhere(browser, postbox):
    """The owner signs out all other devices."""
    browser.post("/account/devices/sign-out/")


def ask_for_deletion(browser, postbox):
    """The owner wants to be deleted."""
    browser.post(DELETE)


def shut_out(browser, postbox):
    """Staff shut the account out."""
    User.objects.update(is_active=False)


TRIGGERS = [
    use,
    ask_again,
    change_password,
    change_email,
    change_phone,
    remove_phone,
    sign_out_elsewhere,
    ask_for_deletion,
    shut_out,
]


@pytest.mark.sample(5)
@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.__name__)
def test_a_link_dies_early(owner, ana, postbox, trigger):  # REC-05
    browser = sign_in()
    link = ask_for_link(postbox)
    ana.open(link)

    trigger(browser, postbox)

    before = User.objects.get().password
    assert choose(ana).status_code == 410
    assert ana.open(link).status_code == 410
    assert User.objects.get().password == before


@pytest.mark.sample(7)
@pytest.mark.parametrize("state", ["sent", "typed"])
@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.__name__)
def test_a_code_dies_early(owner, ana, postbox, trigger, state):  # REC-05
    browser = sign_in()
    ana.post(RESET, identifier=PHONE)
    code = postbox.code(PHONE)
    if state == "typed":
        ana.post(RESET_VERIFY, code=code)

    trigger(browser, postbox)

    before = User.objects.get().password
    if state == "sent":
        ana.post(RESET_VERIFY, code=code)
    assert choose(ana).status_code == 410
    assert User.objects.get().password == before


def test_another_browser_that_asks_again_gets_a_link_that_works(link, ana, bea, postbox):  # REC-05
    newest = ask_for_link(postbox)

    assert newest != link
    assert ana.open(link).status_code == 410
    bea.open(newest)
    assert choose(bea).to == LOGIN


def test_the_same_browser_that_asks_twice_gets_one_message(owner, ana, postbox):  # ux 48
    ana.post(RESET, identifier=EMAIL)
    ana.post(RESET, identifier=EMAIL)

    assert len(postbox) == 1
    assert ana.open(postbox.link(EMAIL)).status_code == 200


# What a new password ends


@pytest.fixture
def reset(owner, postbox):
    """A way to choose a new password, as a function to be called at the right moment."""

    def choose_by_link():
        shopper = Shopper(ip="192.0.2.77")
        shopper.open(ask_for_link(postbox))
        return choose(shopper)

    return choose_by_link


def test_a_new_password_signs_out_every_browser(reset):  # REC-06
    browsers = [sign_in(), sign_in(PHONE), sign_in()]
    assert all(browser.is_signed_in for browser in browsers)

    reset()

    assert not any(browser.is_signed_in for browser in browsers)
    assert not Session.objects.exclude(user=None).exists()


def test_sessions_end_without_the_help_of_the_password(reset):  # REC-06
    User.objects.update(password=make_password(None))
    browser = Shopper()
    browser.post(CODE, identifier=EMAIL)
    browser.post(CODE_VERIFY, code=Postbox().code(EMAIL))
    assert browser.is_signed_in

    reset()

    assert not browser.is_signed_in


def test_whoever_resets_in_a_browser_that_is_signed_in_is_signed_out(link, anyone):  # REC-06
    sign_in(shopper=anyone)
    anyone.open(link)

    choose(anyone, token=token_of(link))

    assert not anyone.is_signed_in
    assert sign_in(password=CHOSEN, shopper=anyone).is_signed_in


def test_a_signed_in_shopper_who_forgot_the_password_asks_like_anybody(owner, anyone, postbox):
    sign_in(shopper=anyone)

    asked = anyone.post(RESET, identifier=PHONE)
    anyone.post(RESET_VERIFY, code=postbox.code(PHONE))

    assert asked.status_code in (200, 303)
    assert choose(anyone).status_code in (200, 303)
    assert not anyone.is_signed_in
    assert opens(CHOSEN)


def test_a_contact_that_waits_is_dropped(reset, postbox):  # REC-06, REG-05
    browser = sign_in()
    browser.post(CONTACTS.format("email"), contact="evil@example.com")
    code = postbox.code("evil@example.com")

    reset()
    browser.post(CONTACT_VERIFY, code=code)
    sign_in(password=CHOSEN, shopper=browser).post(CONTACT_VERIFY, code=code)

    assert User.objects.get().email == EMAIL


def test_every_code_that_is_open_dies(reset, bea, postbox):  # REC-06
    browser = sign_in()
    browser.post(CONFIRM_CODE)
    bea.post(CODE, identifier=PHONE)
    code = postbox.code(PHONE)

    reset()

    assert not Challenge.objects.live().exclude(purpose=Purpose.NOT_ME).exists()
    assert "already been used or replaced" in words(bea.post(CODE_VERIFY, code=code))
    assert not bea.is_signed_in


def test_every_contact_is_told(reset, postbox):  # REC-06, REC-08
    reset()

    email, text = postbox.messages(EMAIL)[0], postbox.messages(PHONE)[0]
    assert email["subject"] == "Storefront: Your password was changed"
    assert "A new password was chosen for your account." in email["text"]
    assert text["text"].startswith("Storefront: Your password was changed. Not you? https://")
    assert {NOT_ME in message["text"] for message in (email, text)} == {True}


def test_a_browser_that_was_known_is_a_stranger_again(reset, postbox):  # REC-06, LIM-04
    browser = sign_in()
    sign_in(shopper=browser)
    known = [sent["subject"] for sent in postbox.messages(EMAIL)].count("Storefront: New sign-in")

    reset()
    sign_in(password=CHOSEN, shopper=browser)

    assert known == 1
    assert postbox.messages(EMAIL)[0]["subject"] == "Storefront: New sign-in"


def test_a_new_password_opens_the_lock(reset):  # REC-06, LIM-03
    for _number in range(conf.LOGIN_FAILURES.times):
        sign_in(password="a wrong password")
    assert not opens(PASSWORD)

    reset()

    assert opens(CHOSEN)


def test_the_lock_does_not_close_recovery(owner, ana, postbox):  # LIM-03
    for _number in range(conf.LOGIN_FAILURES.times):
        sign_in(password="a wrong password")

    ana.open(ask_for_link(postbox))

    assert choose(ana).to == LOGIN
    assert opens(CHOSEN, PHONE)


def test_asking_for_a_link_locks_nobody_out(owner, ana):  # LIM-03
    for _number in range(5):
        ana.post(RESET, identifier=EMAIL)
        ask_for_link(Postbox())

    assert opens(PASSWORD)


def test_the_activity_says_so(reset, ana):  # LOG-01
    reset()
    sign_in(password=CHOSEN, shopper=ana)

    assert "A new password was chosen through a message" in words(ana.get("/account/activity/"))


def test_another_account_is_left_alone(reset, bea):  # REC-06
    account(OTHER_EMAIL, OTHER_PHONE)
    sign_in(OTHER_EMAIL, shopper=bea)

    reset()

    assert bea.is_signed_in
    assert opens(PASSWORD, OTHER_EMAIL)


# Whom it does not help


@pytest.mark.parametrize("contact", [EMAIL, PHONE], ids=["email", "phone"])
def test_somebody_shut_out_gets_no_message_and_the_same_reply(owner, anyone, postbox, contact):
    User.objects.update(is_active=False)  # REC-07, SES-06

    asked, told = anyone.post(RESET, identifier=contact), anyone.get(RESET_VERIFY)

    assert asked.status_code in (200, 303)
    assert "If there is an account" in words(told) or is_json(anyone)
    assert len(postbox) == 0


def test_somebody_shut_out_after_the_message_gets_no_further(link, anyone):  # REC-07, SES-06
    User.objects.update(is_active=False)

    assert anyone.open(link).status_code == 410
    assert choose(anyone, token=token_of(link)).status_code == 410
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize("contact", [EMAIL, PHONE], ids=["email", "phone"])
def test_a_message_that_waits_is_not_sent_to_somebody_shut_out(owner, ana, postbox, contact):
    ana.post(RESET, identifier=contact)  # REC-07

    User.objects.update(is_active=False)

    assert len(postbox) == 0


def test_a_contact_that_waits_for_its_proof_helps_nobody(anyone, postbox):  # REC-07, REG-04
    account(phone="")
    sign_in().post(CONTACTS.format("phone"), contact=PHONE)
    before = len(postbox.messages(PHONE))

    asked = anyone.post(RESET, identifier=PHONE)
    typed = anyone.post(RESET_VERIFY, code=postbox.code(PHONE))

    assert asked.status_code in (200, 303)
    assert typed.status_code in (400, 422)
    assert len(postbox.messages(PHONE)) == before


def test_a_contact_that_was_taken_off_helps_nobody(owner, anyone, postbox):  # REC-07
    sign_in().post(CONTACTS.format("phone") + "remove/")
    before = len(postbox.messages(PHONE))

    anyone.post(RESET, identifier=PHONE)

    assert len(postbox.messages(PHONE)) == before


def test_a_link_of_a_shopper_is_no_link_of_a_member_of_staff(owner, ana, link):  # ADM-04
    User.objects.update(is_staff=True)

    assert ana.open(link).status_code == 410
    assert choose(ana).status_code == 410
    assert User.objects.get().check_password(PASSWORD)


def test_a_deletion_that_waits_goes_on_until_somebody_signs_in(reset):
    User.objects.update(deletion_due_at=Now() + timedelta(days=3))

    reset()

    assert User.objects.get().deletion_due_at
    assert opens(CHOSEN)
    assert not User.objects.get().deletion_due_at


# Strangers learn nothing


def walk(shopper, who):
    """Every answer of the whole way, with a code that is never right; the address itself blanked."""
    steps = [shopper.post(RESET, identifier=who), shopper.get(RESET_VERIFY)]
    steps += [shopper.post(RESET_RESEND), shopper.post(RESET, identifier=who)]
    steps += [shopper.post(RESET_VERIFY, code="000000") for _number in range(6)]
    time_passes(seconds=61)
    steps += [shopper.post(RESET_RESEND), shopper.get(RESET_VERIFY), shopper.get(NEW_PASSWORD)]
    steps += [Shopper(shopper.face).post(RESET, identifier=who) for _number in range(4)]
    return [_blanked(step, who) for step in steps]


def _blanked(response, who):
    status, headers, cookies, body = comparable(response)
    text = re.sub(
        r"(\d\d:\d\d(:\d\d)? UTC|\d{4}-\d\d-\d\dT[\d:.+]+)", "TIME", body.replace(who, "WHO")
    )
    return status, {**headers, "Content-Length": ""}, list(cookies), text


@pytest.mark.sample(4)
@pytest.mark.parametrize("known", [EMAIL, PHONE], ids=["email", "phone"])
@pytest.mark.parametrize(
    ("face", "state"),
    [
        ("page", "unknown"),
        ("htmx", "unknown"),
        ("json", "unknown"),
        ("page", "shut out"),
        ("page", "unverified"),
    ],
)
def test_the_whole_way_looks_the_same_for_an_address_without_account(
    db, face, state, known, monkeypatch
):  # ENU-03, ENU-05, REC-07
    monkeypatch.setattr(Challenge, "code", property(lambda row: "999999"))
    account()
    bea = account(OTHER_EMAIL, OTHER_PHONE, is_active=state != "shut out")
    if state == "unknown":
        bea.delete()
    if state == "unverified":
        User.objects.filter(pk=bea.pk).update(
            **User.removed_columns("email" if known == EMAIL else "phone")
        )
    other = OTHER_EMAIL if known == EMAIL else OTHER_PHONE

    seen = walk(Shopper(face, ip="198.51.100.1"), known)
    unseen = walk(Shopper(face, ip="198.51.100.2"), other)

    for one, two in zip(seen, unseen, strict=True):
        assert one == two


def test_the_email_way_takes_no_code(owner, anyone):
    anyone.post(RESET, identifier=EMAIL)

    anyone.post(
        RESET_VERIFY, code=Challenge.objects.get().code
    )  # a lucky guess: it was sent nowhere

    assert anyone.get(NEW_PASSWORD).status_code == 410


# Limits


def test_three_links_an_hour_for_one_address(owner, postbox):
    limit = conf.RESETS_PER_ID[0]
    people = [Shopper(ip=f"198.51.100.{number + 1}") for number in range(limit.times + 1)]

    asked = []
    for person in people:
        asked.append(person.post(RESET, identifier=EMAIL))
        postbox.messages()

    assert [answer.status_code for answer in asked] == [303] * limit.times + [429]
    assert int(asked[-1].headers["Retry-After"]) <= limit.seconds
    assert "That was too often." in words(asked[-1])
    assert len(postbox) == limit.times


def test_after_an_hour_there_is_room_for_another_link(owner):
    limit = conf.RESETS_PER_ID[0]
    for _number in range(limit.times):
        ask_for_link(Postbox())

    time_passes(seconds=limit.seconds - 10)
    early = Shopper().post(RESET, identifier=EMAIL)
    time_passes(seconds=11)

    assert early.status_code == 429
    assert Shopper().post(RESET, identifier=EMAIL).status_code == 303


def test_a_refused_request_leaves_the_link_before_it_alive(owner, ana, postbox):  # REC-05
    for _number in range(conf.RESETS_PER_ID[0].times):
        newest = ask_for_link(postbox)

    assert Shopper().post(RESET, identifier=EMAIL).status_code == 429

    assert ana.open(newest).status_code == 200


def test_tags_and_dots_are_one_mailbox(owner):  # IDN-07
    addresses = [EMAIL, "an.a@example.com", "ana+1@example.com", "a.n.a@example.com"]

    statuses = [Shopper().post(RESET, identifier=each).status_code for each in addresses]

    assert statuses == [303, 303, 303, 429]


def test_thirty_messages_in_ten_minutes_for_one_household(ana):  # LIM-05
    limit = conf.CODES_PER_IP[0]
    # Three to a prefix: numbers next to each other have a budget of their own (ABU-02).
    phones = [f"+120255{50 + number // 3}{number % 3:03d}" for number in range(limit.times + 1)]

    statuses = [ana.post(RESET, identifier=phone).status_code for phone in phones]

    assert statuses == [303] * limit.times + [429]
    assert Shopper(ip="203.0.113.99").post(RESET, identifier=EMAIL).status_code == 303


def test_five_tries_for_one_code(owner, anyone, postbox):  # COD-06
    anyone.post(RESET, identifier=PHONE)
    code = postbox.code(PHONE)

    for _number in range(conf.CODE_MAX_ATTEMPTS):
        last = anyone.post(RESET_VERIFY, code=wrong(code))
    right = anyone.post(RESET_VERIFY, code=code)

    assert "tried too often" in words(last)
    assert "tried too often" in words(right)
    assert anyone.get(NEW_PASSWORD).status_code == 410


def test_one_try_is_left_for_the_right_code(owner, anyone, postbox):  # COD-06
    anyone.post(RESET, identifier=PHONE)
    code = postbox.code(PHONE)

    for _number in range(conf.CODE_MAX_ATTEMPTS - 1):
        anyone.post(RESET_VERIFY, code=wrong(code))

    assert anyone.post(RESET_VERIFY, code=code).status_code in (200, 303)
    assert choose(anyone).status_code in (200, 303)


# Once more, and elsewhere


def test_a_new_code_replaces_the_earlier_one(owner, anyone, postbox):  # COD-09
    anyone.post(RESET, identifier=PHONE)
    earlier = postbox.code(PHONE)
    time_passes(seconds=61)

    sent = anyone.post(RESET_RESEND)

    assert sent.status_code in (200, 303)
    assert "That is an earlier code." in words(anyone.post(RESET_VERIFY, code=earlier))
    anyone.post(RESET_VERIFY, code=postbox.code(PHONE))
    assert choose(anyone).status_code in (200, 303)


def test_a_used_up_code_can_be_replaced(owner, ana, postbox):  # ux 37
    ana.post(RESET, identifier=PHONE)
    Challenge.objects.update(tries_left=0)
    time_passes(seconds=61)
    ana.post(RESET_RESEND)

    verified = ana.post(RESET_VERIFY, code=postbox.code(PHONE))

    assert verified.to == f"{NEW_PASSWORD}?link={ana.link}"
    assert choose(ana).to == LOGIN


@pytest.mark.parametrize("contact", [EMAIL, PHONE], ids=["email", "phone"])
def test_there_is_a_minute_between_two_messages(owner, anyone, postbox, contact):  # COD-09
    anyone.post(RESET, identifier=contact)
    assert len(postbox) == 1

    early = anyone.post(RESET_RESEND)
    time_passes(seconds=conf.CODE_RESEND_COOLDOWN.total_seconds())
    later = anyone.post(RESET_RESEND)

    assert (early.status_code, early.headers["Retry-After"]) == (429, "60")
    assert later.status_code in (200, 303)
    assert len(postbox) == 2


def test_a_link_sent_again_is_called_a_link(owner, anyone, postbox):  # ux 36
    anyone.post(RESET, identifier=EMAIL)
    time_passes(seconds=61)

    sent = anyone.post(RESET_RESEND)

    told = words(anyone.get(RESET_VERIFY) if anyone.face == "page" else sent)
    assert "We sent you the link again." in told
    assert "new code" not in told
    assert anyone.open(postbox.link(EMAIL)).status_code == 200


def test_a_link_that_was_asked_for_too_soon_is_called_a_link(owner, anyone):
    anyone.post(RESET, identifier=EMAIL)

    assert "A code was sent" not in words(anyone.post(RESET_RESEND))


def test_a_link_sent_again_works_as_long_as_its_email_says(owner, ana, bea, postbox):  # REC-03
    ana.post(RESET, identifier=EMAIL)
    time_passes(minutes=50)
    ana.post(RESET_RESEND)
    said = re.search(r"It works for (\d+) (hour|minute)", postbox.messages(EMAIL)[0]["text"])
    minutes = int(said[1]) * (60 if said[2] == "hour" else 1)

    time_passes(minutes=minutes - 1)

    assert bea.open(postbox.link(EMAIL)).status_code == 200


def test_another_address_can_be_used_instead(owner, anyone, postbox):  # ux 49
    anyone.post(RESET, identifier="anna@example.com")
    back = anyone.post(RESET, identifier=PHONE)

    assert back.status_code in (200, 303)
    anyone.post(RESET_VERIFY, code=postbox.code(PHONE))
    assert choose(anyone).status_code in (200, 303)


@pytest.mark.parametrize("contact", [EMAIL, PHONE], ids=["email", "phone"])
def test_the_page_offers_another_address(owner, ana, contact):  # ux 49
    ana.post(RESET, identifier=contact)

    page = Page(ana.get(RESET_VERIFY))

    (change,) = page.all("a", id="change-identifier")
    assert change["href"].partition("?")[0] == RESET
    assert page.all("form", id="resend-form", action=RESET_RESEND)
    assert contact in page.text("bdi")


def test_the_page_for_a_link_has_no_box_for_a_code(owner, ana):
    ana.post(RESET, identifier=EMAIL)

    assert "code" not in Page(ana.get(RESET_VERIFY)).inputs


def test_the_sign_in_page_leads_here(ana):
    assert Page(ana.get(LOGIN)).all("a", href=RESET)


# A code is good for one thing


class Way(NamedTuple):
    """How a code of one purpose is asked for, and where it is typed."""

    ask: str
    fields: dict
    verify: str
    signed_in: bool = False


NEW_PHONE = "+12025550177"
WAYS = {
    "register": Way(REGISTER, {"identifier": NEW_PHONE}, VERIFY),
    "login": Way(CODE, {"identifier": PHONE}, CODE_VERIFY),
    "reset": Way(RESET, {"identifier": PHONE}, RESET_VERIFY),
    "contact": Way(
        CONTACTS.format("phone"), {"contact": OTHER_PHONE}, CONTACT_VERIFY, signed_in=True
    ),
    "confirm": Way(CONFIRM_CODE, {}, CONFIRM_VERIFY, signed_in=True),
}


PAIRS = list(permutations(WAYS, 2))


def begin(purpose):
    """A browser that has asked for a code of this purpose, and the code."""
    way = WAYS[purpose]
    shopper = Shopper("json", ip="198.51.100.30")
    if way.signed_in:
        sign_in(PHONE, shopper=shopper)
    assert shopper.post(way.ask, way.fields).status_code == 200
    return shopper, Challenge.objects.get(purpose=purpose).code


@pytest.fixture
def phone_owner(db):
    """An account that is reached by text."""
    return account(primary="phone")


@pytest.mark.usefixtures("phone_owner")
@pytest.mark.parametrize("where", WAYS)
def test_a_code_is_good_where_it_belongs(where):  # COD-08
    shopper, code = begin(where)

    assert shopper.post(WAYS[where].verify, code=code).status_code == 200


@pytest.mark.sample(7)
@pytest.mark.usefixtures("phone_owner")
@pytest.mark.parametrize(("where", "other"), PAIRS, ids=[" <- ".join(pair) for pair in PAIRS])
def test_a_code_of_one_purpose_is_none_of_another(where, other):  # COD-08
    there, code = begin(other)
    shopper, right = begin(where)

    refused = shopper.post(WAYS[where].verify, code=code)
    elsewhere = there.post(WAYS[where].verify, code=code)

    assert refused.status_code == 400
    assert "not the code we sent" in words(refused)
    assert elsewhere.status_code in (401, 409)
    assert not Challenge.objects.exclude(verified_at=None).exists()
    assert shopper.post(WAYS[where].verify, code=right).status_code == 200


def test_a_code_in_another_browser_is_none(owner, ana, bea):  # COD-08
    account(OTHER_EMAIL, OTHER_PHONE)
    ana.post(RESET, identifier=PHONE)
    bea.post(RESET, identifier=OTHER_PHONE)
    code = Challenge.objects.get(recipient=OTHER_PHONE).code

    refused = ana.post(RESET_VERIFY, code=code, identifier=OTHER_PHONE, phone=OTHER_PHONE)

    assert refused.status_code == 422
    assert Challenge.objects.get(recipient=PHONE).tries_left == conf.CODE_MAX_ATTEMPTS - 1
    assert Challenge.objects.get(recipient=OTHER_PHONE).tries_left == conf.CODE_MAX_ATTEMPTS


# Many at once


@pytest.mark.django_db(transaction=True)
def test_race_of_twenty_posts_of_one_link_one_wins(postbox):  # COD-05, FI-02
    account()
    ana = Shopper()
    ana.open(ask_for_link(postbox))

    answers = at_once(
        *[
            lambda tab=tab, number=number: choose(tab, f"{CHOSEN} {number:02d}")
            for number, tab in enumerate(tabs(ana, 20, ["page", "htmx", "json"]))
        ]
    )

    assert sorted(answer.status_code for answer in answers)[1:] == [410] * 19
    (winner,) = [number for number, answer in enumerate(answers) if answer.status_code != 410]
    assert User.objects.get().check_password(f"{CHOSEN} {winner:02d}")
    assert all(
        "This link no longer works" in words(each) for each in answers if each.status_code == 410
    )
    assert SecurityEvent.objects.filter(kind="password_reset").count() == 1
    assert len(postbox.messages(PHONE)) == 1


@pytest.mark.django_db(transaction=True)
def test_race_of_a_sign_in_and_a_new_password_leaves_nobody_inside(postbox):  # REC-06
    account()
    ana = Shopper()
    ana.open(ask_for_link(postbox))
    thieves = [Shopper("json", ip=f"198.51.100.{number}") for number in range(6)]
    for thief in thieves:
        thief.client.raise_request_exception = False

    answers = at_once(
        lambda: choose(tabs(ana, 1)[0]),
        *[lambda thief=thief: sign_in(shopper=thief) for thief in thieves],
    )

    assert answers[0].status_code in (200, 303)
    assert not any(thief.is_signed_in for thief in thieves)


@pytest.mark.django_db(transaction=True)
def test_race_of_twenty_requests_sends_three_links(postbox):  # LIM-07
    account()
    people = [Shopper("json", ip=f"198.51.100.{number + 1}") for number in range(20)]

    answers = at_once(
        *[lambda person=person: person.post(RESET, identifier=EMAIL) for person in people]
    )

    assert sorted(each.status_code for each in answers) == [200] * 3 + [429] * 17
    assert Challenge.objects.live().filter(purpose=Purpose.RESET).count() == 1


@pytest.mark.django_db(transaction=True)
def test_race_of_new_links_and_a_change_of_contact_breaks_nothing(postbox, monkeypatch):  # REC-05
    for name in ("RESETS_PER_ID", "MESSAGES_PER_RECIPIENT", "SMS_PER_PREFIX"):
        monkeypatch.setattr(conf, name, (Rate(1000, 3600),))
    account()
    ana = sign_in(shopper=Shopper("json"))
    for number in range(4):
        ask_for_link(postbox, User.objects.get().email)
        ana.post(CONTACTS.format("email"), contact=f"ana{number}@example.com")
        code = postbox.code(f"ana{number}@example.com")
        (tab,) = tabs(ana, 1, ["json"])
        people = [Shopper("json", ip=f"198.51.100.{each + 1}") for each in range(6)]

        answers = at_once(
            lambda tab=tab, code=code: tab.post(CONTACT_VERIFY, code=code),
            *[lambda person=person: person.post(RESET, identifier=PHONE) for person in people[:3]],
            *[lambda person=person: person.post(RESET, identifier=EMAIL) for person in people[3:]],
        )

        assert {answer.status_code for answer in answers} == {200}
        ana.client.cookies.update(answers[0].cookies)
        User.objects.update(email=EMAIL, email_key=EMAIL)
