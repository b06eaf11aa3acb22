"""The link in the email: looking changes nothing, pressing the button verifies the address for whoever presses it."""

import logging
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import Challenge, SecurityEvent, Session, User
from messaging.models import OutboxMessage
from ratelimits.models import Bucket
from storefront.observability.logging import RedactTokens
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    CHANGE,
    COMPLETE,
    HOME,
    LINK,
    PASSWORD,
    REGISTER,
    Shopper,
    link_cookies,
    time_passes,
)

WHO = "ana@example.com"
PROFILE = {"name": "Ana", "username": "ana", "password": PASSWORD}
ROWS = (Bucket, Challenge, OutboxMessage, SecurityEvent, Session, User)


@pytest.fixture
def link(ana, postbox):
    """The link in the email that Ana has just asked for, with everything typed."""
    ana.identify(WHO, **PROFILE)
    return postbox.link(WHO)


def token_of(link):
    """What only the email knows."""
    return link.partition("=")[2]


def press(shopper, link):
    """Open the link and press its button; a JSON client sends the token instead."""
    if shopper.face == "json":
        return shopper.post(LINK, token=token_of(link))
    form = next(form for form in Page(shopper.open(link)).forms if form["action"] == LINK)
    return shopper.post(form["action"], form["fields"])


def everything():
    """Every row there is."""
    return [list(model.objects.order_by("pk").values()) for model in ROWS]


def test_looking_at_the_link_changes_nothing(link, ana):  # ux 81, demand 1
    before = everything()

    looks = [Shopper().open(link) for _ in range(20)] + [ana.open(link), ana.client.head(LINK)]
    heads = [Client().head(link), ana.client.head(link)]

    assert [look.status_code for look in looks] == [200] * 21 + [410]
    assert {head.status_code for head in heads} == {303}
    assert everything() == before
    assert press(ana, link).to == HOME


def test_a_scanner_that_presses_buttons_gains_nothing(link, ana):  # demand 1, WEB-01
    scanner = Client(enforce_csrf_checks=True)
    scanner.get(link, follow=True)

    blind = [scanner.post(LINK), scanner.post(LINK, {"token": token_of(link)})]

    assert [answer.status_code for answer in blind] == [403, 403]
    assert not User.objects.exists()
    assert press(ana, link).to == HOME


def test_in_the_same_browser_the_link_goes_on_with_everything_typed(
    anyone, postbox
):  # ux 81, promise 1.6
    anyone.identify(WHO, next=ACCOUNT, **PROFILE)

    pressed = press(anyone, postbox.link())

    assert pressed.to in (ACCOUNT, None)
    assert anyone.is_signed_in
    user = User.objects.get()
    assert (user.name, user.username, user.email) == ("Ana", "ana", WHO)
    assert user.check_password(PASSWORD)


def test_in_another_browser_it_verifies_the_address_for_who_is_there(
    link, ana, anyone
):  # REG-08, REG-02
    pressed = press(anyone, link)

    assert pressed.to in (COMPLETE, None)
    assert anyone.is_signed_in
    user = User.objects.get()
    assert (user.name, user.username, user.has_usable_password()) == ("", None, False)
    assert not ana.is_signed_in


def test_who_began_is_nobody_after_the_link_was_used_elsewhere(link, ana, bea, postbox):  # REG-08
    press(bea, link)

    too_late = ana.verify(postbox.code())

    # One click from a code to sign in with, and from there to step 3.
    assert too_late.to == f"/login/code/?next={quote(COMPLETE, safe='')}"
    assert "already confirmed" in words(ana.get(too_late.to))
    assert not ana.is_signed_in
    assert User.objects.count() == 1


def test_another_browser_sees_whose_link_it_is_and_not_the_address(link, ana, bea):  # REG-08
    assert WHO in words(ana.open(link))

    there = words(bea.open(link))

    assert WHO not in there
    assert "a•••@example.com" in there
    assert "You began in another browser" in there


def test_somebody_signed_in_elsewhere_becomes_the_person_of_the_link(link, bea):  # REG-08, SES-01
    bea.signs_up("bea@example.com", name="Bea")
    before = bea.session_key

    press(bea, link)

    assert bea.session_key != before
    assert not Session.objects.filter(pk=before).exists()
    assert Session.objects.get(pk=bea.session_key).user.email == WHO
    assert User.objects.get(name="Bea").email == "bea@example.com"


def test_the_link_is_dead_after_the_code(link, ana, anyone, postbox):  # demand 2, COD-05
    ana.verify(postbox.code())

    looked, pressed = anyone.open(link), anyone.post(LINK, token=token_of(link))

    assert (looked.status_code, pressed.status_code) == (410, 410)
    assert "This link no longer works" in words(looked)
    assert not anyone.is_signed_in


def test_the_code_is_dead_after_the_link(link, ana, bea, anyone, postbox):  # demand 2, COD-05
    anyone.identify(WHO)
    code = postbox.code()
    press(bea, link)

    anyone.verify(code)

    assert not anyone.is_signed_in
    assert User.objects.count() == 1


DEAD = {
    "missing": "",
    "short": "abc",
    "invented": "A" * 46,
    "long": "A" * 5000,
    "not letters": "é" * 46,
    "nul": "A" * 45 + "\x00",
}


@pytest.mark.parametrize("token", DEAD.values(), ids=DEAD)
def test_a_link_that_never_was_is_gone(anyone, token):  # ux 67, ux 81, IDN-08, promise 1.6
    looked = anyone.open(LINK, query_params={"token": token})
    pressed = anyone.post(LINK, token=token)

    assert (looked.status_code, pressed.status_code) == (410, 410)
    assert "This link no longer works" in words(looked)
    assert words(looked) == words(pressed)


def test_a_changed_letter_makes_a_link_worthless(link, bea):  # REC-03
    at = link.index("=") + 30
    forged = link[:at] + ("A" if link[at] != "A" else "B") + link[at + 1 :]

    assert bea.open(forged).status_code == 410


@pytest.mark.parametrize(
    ("span", "status"),
    [({"hours": 23, "minutes": 59}, 200), ({"hours": 24, "seconds": 1}, 410)],
    ids=["in time", "too late"],
)
def test_a_link_lives_for_a_day(link, anyone, span, status):  # ux 81, promise 1.8
    time_passes(**span)

    assert anyone.open(link).status_code == status


def test_a_dead_link_offers_a_new_beginning(link, bea):  # ux 81
    time_passes(hours=25)

    page = Page(bea.open(link))

    assert page.all("a", id="start-again", href=REGISTER)
    assert page.all("h1", id="heading")


def test_the_link_survives_a_new_code(link, ana, postbox):  # one link for the whole attempt
    time_passes(seconds=61)
    ana.post("/register/resend/")

    assert postbox.link(WHO) == link
    assert press(ana, link).to == HOME


def test_the_link_dies_with_a_change_of_address(link, ana, bea):  # ux 49
    ana.post(CHANGE, identifier="other@example.com")

    assert bea.open(link).status_code == 410


@pytest.mark.parametrize("letter", ["email", "text"])
def test_a_text_message_has_no_link(anyone, postbox, letter):  # ux 82
    anyone.identify("+12025550123" if letter == "text" else WHO)

    assert (LINK in postbox.messages()[0]["text"]) is (letter == "email")


def test_the_link_survives_mail_apps(link):  # demand 33
    token = parse_qs(urlsplit(link).query)["token"][0]

    assert len(token) < 60
    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_the_token_leaves_the_address_before_anything_is_shown(link, face):  # REC-04
    bea = Shopper(face, ip="198.51.100.20")

    opened = bea.get(link)

    assert opened.to == f"{LINK}?link={bea.link}"
    assert opened.status_code == (303 if face == "page" else 200)
    assert opened.content == b""
    shown = bea.get(opened.to)
    assert shown.status_code == 200
    assert token_of(link) not in f"{shown.headers} {shown.content.decode()}"


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_the_token_travels_in_a_cookie_no_script_can_read(link, face):  # REC-04, SES-03
    bea = Shopper(face)
    bea.get(link)

    (cookie,) = link_cookies(bea).values()
    assert cookie.value == token_of(link)
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    # What is left of the link's own life.
    assert 24 * 3600 - 60 < cookie["max-age"] < 24 * 3600


@pytest.mark.parametrize("state", ["used", "dead"])
@pytest.mark.parametrize("face", ["page", "htmx"])
def test_the_cookie_goes_with_the_link(link, face, state):  # REC-04
    bea = Shopper(face, ip="198.51.100.20")
    bea.open(link)
    (name,) = link_cookies(bea)
    if state == "dead":
        time_passes(hours=25)

    gone = bea.post(LINK).cookies[name]

    assert (gone.value, gone["max-age"], gone["path"], gone["secure"]) == ("", 0, "/", True)


@pytest.mark.parametrize("token", DEAD.values(), ids=DEAD)
def test_what_is_no_token_reaches_no_cookie(ana, token):  # REC-04, IDN-08
    opened = ana.get(LINK, query_params={"token": token})

    assert opened.to == LINK
    assert not opened.cookies


def test_json_is_answered_where_it_asks(link):  # REC-04
    ajax = Shopper("json")

    looked = ajax.get(link)
    pressed = ajax.post(LINK, token=token_of(link))

    assert (looked.status_code, pressed.status_code) == (200, 200)
    assert not looked.cookies
    assert ajax.is_signed_in


@pytest.mark.parametrize("state", ["alive", "dead"])
@pytest.mark.parametrize("face", ["page", "htmx"])
def test_the_address_with_the_token_is_told_to_nobody(link, face, state):  # ux 81, REC-04
    opened = Shopper(face).get(link if state == "alive" else f"{LINK}?token=x")

    assert opened.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in opened.headers["Cache-Control"]


@pytest.mark.parametrize("state", ["alive", "dead"])
def test_the_page_tells_no_other_site_its_address(link, anyone, state):  # ux 81, REC-04
    at = link if state == "alive" else f"{LINK}?token=x"

    answers = [anyone.open(at), press(anyone, link), anyone.post(LINK)]

    # Not "no-referrer": a browser would send the page's own form with "Origin: null".
    assert {answer.headers["Referrer-Policy"] for answer in answers} == {"same-origin"}
    assert all("no-store" in answer.headers["Cache-Control"] for answer in answers)


def test_the_token_is_in_no_log(link, bea, caplog):  # ux 81, REC-03, LOG-03
    caplog.set_level(logging.DEBUG)

    bea.open(link)
    press(bea, link)
    bea.open(link)

    assert caplog.records
    assert token_of(link) not in caplog.text


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("%s %s", ("GET /verify-email/?token=SECRET&x=1", 200)),
        ("GET /verify-email/?token=SECRET", ()),
        ('"GET /verify-email/?a=b&token=SECRET HTTP/1.1" %d', (200,)),
    ],
    ids=["in the values", "in the words", "further on"],
)
def test_a_line_that_quotes_the_address_loses_the_token(message, values):  # REC-03
    record = logging.LogRecord("django.server", logging.INFO, "", 0, message, values, None)

    assert RedactTokens().filter(record)

    assert "SECRET" not in record.getMessage()
    assert "token=..." in record.getMessage()


def test_every_handler_hides_tokens():  # REC-03
    handlers = settings.LOGGING["handlers"].values()

    assert handlers
    assert all("redact_tokens" in handler["filters"] for handler in handlers)


def test_a_shopper_of_the_link_completes_as_usual(link, postbox):
    bea = Shopper(ip="198.51.100.20")
    press(bea, link)

    bea.complete(name="Bea", password="another good password")

    user = User.objects.get()
    assert (user.name, user.email) == ("Bea", WHO)
    assert not user.check_password(PASSWORD)  # REG-02
