"""With HTMX a step is answered with the card of the next one: what its page would show, for less."""

import re

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from accounts import conf
from accounts.flows import challenge as challenges
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, Session, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.store import SessionStore
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    COMPLETE,
    HOME,
    LOGIN,
    PASSWORD,
    REGISTER,
    VERIFY,
    Shopper,
    check_tokens,
    make_shopper,
    make_user,
    time_passes,
    wrong,
)

EMAIL, PHONE = "ana@example.com", "+12025550123"
RESET, RESET_VERIFY, RESET_NEW = (
    "/password-reset/",
    "/password-reset/verify/",
    "/password-reset/new/",
)
LOGIN_CODE, LOGIN_VERIFY = "/login/code/", "/login/code/verify/"
CONFIRM, CONFIRM_CODE, CONFIRM_VERIFY = (
    "/account/confirm/",
    "/account/confirm/code/",
    "/account/confirm/verify/",
)
ADD_PHONE, CONTACT_VERIFY = "/account/contacts/phone/", "/account/contact/"
NAMES, PASSWORD_PAGE, DELETE, ACTIVITY = (
    "/account/names/",
    "/account/password/",
    "/account/delete/",
    "/account/activity/",
)
MINE = 'href="/account/"'


@pytest.fixture
def ana(db):
    """A shopper whose browser speaks HTMX, and whose tokens are checked."""
    shopper = Browser()
    check_tokens(shopper.client)
    return shopper


class Browser(Shopper):
    """Somebody with JavaScript, who sends the forms of the card in front, hidden fields and all."""

    def __init__(self):
        super().__init__("htmx")
        self.forms = {}

    def send(self, action, **typed):
        """Send the form with this action, as it stands on the card."""
        return self.post(action, {**self.forms[action], **typed})

    def _look(self, response):
        for form in Page(response).forms:
            self.forms[form["action"]] = form["fields"]
        return super()._look(response)


def is_card_of(answer, page):
    """Whether `answer` brings the card of `page`, and no page."""
    fragment = answer.status_code == 200 and b"<main" not in answer.content
    led = re.sub(r"\?.*", "", answer.headers.get("HX-Push-Url", ""))
    return fragment and "HX-Redirect" not in answer.headers and led == page


def same_as_reload(shopper, answer, *, but=""):
    """Whether a reload shows what the card did, in its title, its words and its forms; `but` was news."""
    page = shopper.client.get(answer.headers["HX-Push-Url"])
    assert page.status_code == 200
    card, whole = Page(answer), Page(page)
    card_words = card_of(answer)
    assert card.text("title") == whole.text("title")
    assert card_words == card_of(page)
    assert card.inputs == whole.inputs
    if but:
        assert but in words(answer)
        assert but not in words(page)
    return True


def card_of(answer):
    """The card, without its tokens."""
    html = re.search(r'<section id="card".*</section>', answer.content.decode(), re.DOTALL)[0]
    return re.sub(r'(csrfmiddlewaretoken" value=")\w+', r"\1", " ".join(html.split()))


# Registration


def test_a_sign_up_is_one_page_and_three_cards(
    ana, postbox
):  # DESIGN "Registration", ux 71, WEB-02
    ana.get(REGISTER)

    code_asked = ana.send(REGISTER, identifier=EMAIL)
    assert is_card_of(code_asked, VERIFY)
    assert same_as_reload(ana, code_asked)
    verified = ana.send(VERIFY, code=postbox.code(EMAIL))
    assert is_card_of(verified, COMPLETE)
    assert same_as_reload(ana, verified)
    completed = ana.send(COMPLETE, name="Ana", password=PASSWORD)
    assert is_card_of(completed, HOME)
    assert same_as_reload(ana, completed, but="Your account is ready.")

    assert ana.is_signed_in


@pytest.mark.database
def test_the_card_knows_how_long_its_code_works(ana):  # COD-04, ux 30
    ana.get(REGISTER)

    page = Page(ana.send(REGISTER, identifier=EMAIL))

    challenge = Challenge.objects.get()
    times = [element["datetime"] for element in page.all("time")]
    assert times == [
        moment.isoformat(timespec="microseconds")
        for moment in (challenge.expires_at, challenge.resend_at)
    ]


def test_the_card_of_a_replaced_attempt_knows_it_too(ana, postbox):  # ux 37
    ana.get(REGISTER)
    ana.send(REGISTER, identifier=EMAIL)
    for _try in range(conf.CODE_MAX_ATTEMPTS):
        ana.send(VERIFY, code=wrong(postbox.code(EMAIL)))
    time_passes(seconds=61)

    again = ana.send("/register/resend/")

    assert Challenge.objects.count() == 2
    assert "The code works until" in words(again)
    assert "We sent you a new code." in words(again)


def test_the_header_changes_with_who_is_signed_in_and_only_then(ana, postbox):  # WEB-02
    ana.get(REGISTER)
    assert "#sign-account" not in ana.send(REGISTER, identifier=EMAIL).content.decode()
    came = ana.send(VERIFY, code=postbox.code(EMAIL))
    assert MINE in header(came)
    assert not header(ana.send(COMPLETE, name="Ana", password=PASSWORD))
    ana.get(DELETE)

    left = ana.send(DELETE)

    assert is_card_of(left, HOME)
    assert header(left)
    assert MINE not in header(left)
    assert "Create an account" in words(left)


def header(answer):
    """What the answer puts into the header, or ""."""
    found = re.search(
        r'<div hx-swap-oob="innerHTML:#sign-account">.*?</div>', answer.content.decode(), re.DOTALL
    )
    return found[0] if found else ""


def test_a_destination_is_loaded_and_home_is_not(ana, owner_with_password):  # ux 60, WEB-03
    ana.get(f"{LOGIN}?next={ACTIVITY}")
    led = ana.send(LOGIN, identifier=EMAIL, password=PASSWORD)
    assert led.headers["HX-Redirect"] == ACTIVITY
    assert not led.content

    ana.client.cookies.clear()
    ana.get(f"{LOGIN}?next=/")
    assert is_card_of(ana.send(LOGIN, identifier=EMAIL, password=PASSWORD), HOME)


def test_the_destination_comes_along_to_the_end(ana, postbox):  # ux 60
    ana.get(f"{REGISTER}?next={ACTIVITY}")
    ana.send(REGISTER, identifier=EMAIL)
    ana.send(VERIFY, code=postbox.code(EMAIL))

    led = ana.send(COMPLETE, name="Ana", password=PASSWORD)

    assert led.headers["HX-Redirect"] == ACTIVITY
    assert "Your account is ready." in words(ana.client.get(ACTIVITY))


@pytest.fixture
def owner_with_password(db):
    """Ana, who has an account."""
    return make_user(EMAIL, phone=PHONE)


# Coming back


def test_a_code_signs_in_on_one_page(ana, owner_with_password, postbox):
    ana.get(LOGIN_CODE)
    asked = ana.send(LOGIN_CODE, identifier=EMAIL)
    assert is_card_of(asked, LOGIN_VERIFY)
    assert same_as_reload(ana, asked)

    came = ana.send(LOGIN_VERIFY, code=postbox.code(EMAIL))

    assert is_card_of(came, HOME)
    assert same_as_reload(ana, came)
    assert MINE in header(came)


def test_nobody_learns_from_a_card_who_has_an_account(db, owner_with_password):  # ENU-03
    def told(who):
        browser = Browser()
        browser.get(LOGIN_CODE)
        answer = browser.send(LOGIN_CODE, identifier=who)
        body = re.sub(
            r'(token|attempt)" value="\w+|attempt=\w+|\d\d:\d\d\S*|T[\d:.+]+', "", card_of(answer)
        )
        return answer.status_code, body.replace(who, ""), sorted(answer.headers)

    assert told(EMAIL) == told("nobody@example.com")


def test_a_forgotten_password_is_replaced_on_one_page(ana, owner_with_password, postbox):  # REC-04
    ana.get(RESET)
    asked = ana.send(RESET, identifier=PHONE)
    assert is_card_of(asked, RESET_VERIFY)
    chosen = ana.send(RESET_VERIFY, code=postbox.code(PHONE))
    assert is_card_of(chosen, RESET_NEW)
    assert "token" not in chosen.headers["HX-Push-Url"]
    assert same_as_reload(ana, chosen)

    saved = ana.send(RESET_NEW, password="another long password")

    assert is_card_of(saved, LOGIN)
    assert "Your password is changed. Sign in with it." in words(saved)
    assert is_card_of(ana.send(LOGIN, identifier=EMAIL, password="another long password"), HOME)


# The account


def test_every_chain_of_the_account_stays_on_its_page(ana, postbox):  # REC-08, SES-05
    make_shopper(ana, EMAIL)
    Session.objects.update(reauthenticated_at=None)
    ana.get(f"{CONFIRM}?next={ADD_PHONE}")

    code_asked = ana.send(CONFIRM_CODE)
    assert is_card_of(code_asked, CONFIRM_VERIFY)
    assert same_as_reload(ana, code_asked)
    confirmed = ana.send(CONFIRM_VERIFY, code=postbox.code(EMAIL))
    assert is_card_of(confirmed, ADD_PHONE)
    assert same_as_reload(ana, confirmed)
    number_given = ana.send(ADD_PHONE, contact=PHONE)
    assert is_card_of(number_given, CONTACT_VERIFY)
    assert same_as_reload(ana, number_given)
    added = ana.send(CONTACT_VERIFY, code=postbox.code(PHONE))
    assert is_card_of(added, ACCOUNT)
    assert same_as_reload(ana, added, but="Your contact is confirmed.")

    ana.get(NAMES)
    renamed = ana.send(NAMES, name="Ana Maria", username="")
    assert is_card_of(renamed, ACCOUNT)
    assert same_as_reload(ana, renamed, but="Your names are saved.")
    ana.get(PASSWORD_PAGE)
    saved = ana.send(PASSWORD_PAGE, current=PASSWORD, password="another long password")
    assert is_card_of(saved, ACCOUNT)
    assert same_as_reload(ana, saved, but="Other devices are signed out.")


def test_whoever_must_confirm_first_is_led_there(ana):  # REC-08
    make_shopper(ana, EMAIL)
    Session.objects.update(reauthenticated_at=None)
    ana.get(NAMES)

    answer = ana.send(NAMES, name="Ana", username="ana.maria")

    # Refused, and not led on: that page is loaded.
    assert answer.status_code == 403
    assert answer.to.startswith(CONFIRM)


def test_a_card_that_fails_takes_no_step_back(ana, postbox, monkeypatch):  # AVL-01, SES-13
    ana.get(REGISTER)
    ana.send(REGISTER, identifier=EMAIL)
    monkeypatch.setattr("accounts.views.registration.CompleteView.get", fails)

    verified = ana.send(VERIFY, code=postbox.code(EMAIL))

    assert (verified.status_code, verified.headers["HX-Redirect"]) == (200, COMPLETE)
    monkeypatch.undo()
    assert "Complete your profile" in words(ana.client.get(COMPLETE))


def test_a_row_that_cannot_be_read_again_takes_no_step_back(ana, monkeypatch):  # AVL-01
    make_shopper(ana, EMAIL)
    ana.get(NAMES)
    monkeypatch.setattr("accounts.sessions.store.SessionStore.read_row", fails_the_second_time())

    renamed = ana.send(NAMES, name="Ana Maria", username="")

    assert (renamed.status_code, renamed.headers["HX-Redirect"]) == (200, ACCOUNT)
    assert User.objects.get().name == "Ana Maria"


def fails_the_second_time():
    """The database is gone after the step."""
    read_row, asked = SessionStore.read_row, []

    def read(session):
        asked.append(session)
        if len(asked) > 1:
            raise OperationalError
        read_row(session)

    return read


def test_a_boosted_form_is_led_on_to_a_page(ana, owner_with_password):  # WEB-04
    ana.get(LOGIN)

    fields = {**ana.forms[LOGIN], "identifier": EMAIL, "password": PASSWORD}
    answer = ana.client.post(LOGIN, fields, headers={"HX-Request": "true", "HX-Boosted": "true"})

    assert answer.headers["HX-Redirect"] == HOME


def fails(*_request, **_names):
    """A database that is gone in this very moment."""
    raise OperationalError


# What a row that was just written says


@pytest.mark.database
def test_a_new_attempt_says_what_its_row_does(db):  # COD-04, TIM-01
    attempt = challenges.issue(Purpose.REGISTER, parse(EMAIL), client=ClientInfo())

    row = Challenge.objects.with_read_at().get()
    names = [field.attname for field in Challenge._meta.concrete_fields]
    assert {name: getattr(attempt, name) for name in names} == {
        name: getattr(row, name) for name in names
    }
    assert attempt.read_at <= row.read_at


@pytest.mark.database
def test_a_new_user_says_what_the_row_does(db):
    user = User.objects.register(parse(EMAIL), name="Ana", completed_at=Now())

    row, names = User.objects.get(), [field.attname for field in User._meta.concrete_fields]
    assert {name: getattr(user, name) for name in names} == {
        name: getattr(row, name) for name in names
    }
