"""Browsers without cookies, with old pages and several tabs, and programs that write headers their own way."""

import re

import pytest

from accounts import conf
from accounts.forms import CodeForm
from accounts.models import User
from accounts.views.base import StepView
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    HOME,
    LOGIN,
    PASSWORD,
    REGISTER,
    VERIFY,
    Shopper,
    check_tokens,
)

ANA = "ana@example.com"
CODE_PAGE, RESET = "/login/code/", "/password-reset/"
TOO_OLD, NO_COOKIE = "This page was open for too long", "Your browser sent no cookie"
# Where somebody says who they are, and what the form of that page asks for.
JOURNEYS = {
    REGISTER: {"identifier"},
    LOGIN: {"identifier", "password", "remember"},
    CODE_PAGE: {"identifier", "remember"},
    RESET: {"identifier"},
}

pytestmark = pytest.mark.django_db


def careful(shopper):
    """The same browser on a site that checks every form, with a cookie of its own."""
    check_tokens(shopper.client)
    shopper.client.get(LOGIN)
    return shopper


def with_token(shopper, page):
    """The fields that the form of `page` sends along by itself."""
    return Page(shopper.get(page)).forms[0]["fields"]


# Cookies off


@pytest.mark.parametrize("url", [*JOURNEYS, VERIFY, "/account/password/"])
def test_who_keeps_no_cookies_is_told_that_they_are_needed(url, anyone):  # ux 42
    for _attempt in range(2):
        check_tokens(anyone.client)
        refused = anyone.post(url, identifier=ANA)
        anyone.client.cookies.clear()

        assert refused.status_code == 403
        assert NO_COOKIE in words(refused)
        assert "cannot work without cookies" in words(refused)


# Old pages


@pytest.mark.parametrize(("url", "asked"), JOURNEYS.items())
def test_an_old_page_offers_its_own_form(ana, url, asked):  # ux 42, promise 2.4
    refused = careful(ana).post(url, identifier=ANA, next=ACCOUNT, password=PASSWORD)

    assert TOO_OLD in words(refused)
    form = Page(refused).forms[0]
    assert form["action"] == url
    assert {name for name in Page(refused).inputs if name in form["fields"]} == asked
    assert form["fields"]["identifier"] == ANA
    assert form["fields"].get("next", ACCOUNT) == ACCOUNT
    assert PASSWORD not in refused.content.decode()


def test_the_sign_in_form_of_an_old_page_signs_in(ana):  # ux 42
    Shopper(ip="198.51.100.7").signs_up(ANA)
    refused = careful(ana).post(LOGIN, identifier=ANA, password=PASSWORD, next=ACCOUNT)

    done = ana.post(LOGIN, Page(refused).forms[0]["fields"], password=PASSWORD)

    assert done.to == ACCOUNT


def test_an_old_page_of_a_code_leads_back_to_it(ana):  # ux 42
    ana.identify(ANA)
    careful(ana)

    for url in (VERIFY, "/register/resend/"):
        (way_on,) = Page(ana.post(url, code="123456")).all("a", id="start-again")
        assert way_on["href"] == VERIFY
        assert ana.get(way_on["href"]).status_code == 200


def test_an_old_page_of_an_emailed_link_leads_back_to_the_link(ana, postbox):  # ux 42, REC-09
    ana.identify(ANA)
    ana.open(postbox.link())
    careful(ana)

    (way_on,) = Page(ana.post("/verify-email/")).all("a", id="start-again")

    assert ana.get(way_on["href"]).status_code == 200


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("/account/devices/sign-out/", "/account/devices/"),
        ("/account/contacts/email/primary/", ACCOUNT),
        ("/account/confirm/code/", "/account/confirm/"),
        ("/account/names/", "/account/names/"),
        ("/logout/", HOME),
    ],
)
def test_an_old_button_leads_to_the_page_it_stood_on(ana, url, page):  # ux 42
    ana.signs_up(ANA)
    check_tokens(ana.client)

    assert Page(ana.post(url)).all("a", id="start-again")[0]["href"] == page


# Two tabs


@pytest.mark.parametrize("face", ["page", "htmx"])
@pytest.mark.parametrize("url", [REGISTER, LOGIN, CODE_PAGE])
def test_the_second_tab_is_led_on_after_a_sign_in_in_the_first(url, face):  # ux 42, COD-11
    Shopper(ip="198.51.100.7").signs_up(ANA)
    shopper = careful(Shopper(face))
    tab = with_token(shopper, url)
    first = with_token(shopper, LOGIN)
    assert shopper.post(LOGIN, first, identifier=ANA, password=PASSWORD).to == HOME

    led = shopper.post(url, tab, identifier=ANA, password=PASSWORD, next=ACCOUNT)

    assert led.to == ACCOUNT
    assert "You are already signed in." in words(shopper.client.get(ACCOUNT))
    assert shopper.get(f"{url}?next={ACCOUNT}").to == ACCOUNT
    assert shopper.get(f"{url}?next=//evil.example").to == HOME


def test_a_stranger_s_form_is_refused_all_the_same(ana):  # WEB-01
    Shopper(ip="198.51.100.7").signs_up(ANA)

    refused = careful(ana).post(LOGIN, identifier=ANA, password=PASSWORD)

    assert refused.status_code == 403
    assert not ana.is_signed_in


# Programs


@pytest.mark.parametrize(
    "accept",
    [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON; charset=utf-8; q=0.9, text/html; q=0.8",
        "application/json; odata=verbose, */*; q=0.1",
    ],
)
@pytest.mark.parametrize("url", [HOME, REGISTER, "/no-such-page/", "/mailbox/"])
def test_json_with_a_charset_is_json(client, accept, url):  # WEB-04
    answer = client.get(url, headers={"Accept": accept})

    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "accept",
    [
        "text/html; charset=utf-8",
        "application/json; charset=utf-8; q=0.1, text/html",
        "text/html;level=1",
    ],
)
def test_a_page_with_a_charset_is_a_page(client, accept):  # WEB-04
    answer = client.get(REGISTER, headers={"Accept": accept})

    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("said", "secure"), [("HTTPS", True), ("Https", True), ("https", True), ("http", False)]
)
def test_the_scheme_that_a_proxy_tells_has_no_case(
    client, settings, said, secure
):  # LIM-06, WEB-10
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True

    answer = client.get(HOME, headers={"X-Forwarded-Proto": said})

    assert answer.status_code == (200 if secure else 301)


# The cool-down


@pytest.mark.parametrize("again", ["/register/resend/", REGISTER, "/register/change/"])
def test_used_up_tries_skip_no_cool_down(ana, postbox, again):  # COD-09, ABU-01, ux 37
    ana.identify(ANA)
    code = postbox.code()
    for number in range(conf.CODE_MAX_ATTEMPTS):
        ana.verify(f"{(int(code) + number + 1) % 10**6:06d}")

    refused = ana.post(again, identifier=ANA)

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 120
    assert "A message was sent a moment ago" in words(refused)
    assert len(postbox) == 1


@pytest.mark.parametrize("journey", [CODE_PAGE, RESET])
def test_nor_do_they_where_somebody_comes_back(ana, postbox, journey):  # COD-09
    Shopper(ip="198.51.100.7").signs_up("+447400123456", username="ana")
    ana.post(journey, identifier="+447400123456")
    sent, code = len(postbox), postbox.code("+447400123456")
    for number in range(conf.CODE_MAX_ATTEMPTS):
        ana.post(f"{journey}verify/", code=f"{(int(code) + number + 1) % 10**6:06d}")

    for again in (f"{journey}resend/", journey):
        assert ana.post(again, identifier="+447400123456").status_code == 429
    assert len(postbox) == sent
    assert User.objects.count() == 1


def test_every_step_with_a_box_for_who_somebody_is_is_a_journey_here():
    steps, waiting = set(), [StepView]
    while waiting:
        step = waiting.pop()
        waiting += step.__subclasses__()
        form = step.form_class
        if form and form is not CodeForm and "identifier" in getattr(form, "base_fields", {}):
            steps.add(re.sub(r"View$", "", step.__name__))

    assert steps == {"Identify", "Change", "Login", "SendCode", "Reset"}
