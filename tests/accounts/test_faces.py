"""One address, three faces: a page, an HTMX fragment, JSON. And what is true of every answer, whoever asks."""

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from datetime import timedelta
from importlib import metadata
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import transaction
from django.db.models import F
from django.test import Client
from django.urls import URLPattern, get_resolver, path, resolve
from django.utils.timezone import localtime

from accounts.models import Challenge, Session, User
from storefront import urls
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    CHANGE,
    COMPLETE,
    FACES,
    HOME,
    LINK,
    LOGIN,
    LOGOUT,
    PASSWORD,
    REGISTER,
    RESEND,
    VERIFY,
    Shopper,
    check_tokens,
    make_shopper,
    time_passes,
    wrong,
)

CONTACT, CONTACT_RESEND = "/account/contact/", "/account/contact/resend/"
LOGIN_CODE, LOGIN_VERIFY = "/login/code/", "/login/code/verify/"
LOGIN_RESEND = "/login/code/resend/"
RESET, RESET_VERIFY = "/password-reset/", "/password-reset/verify/"
RESET_RESEND, NEW_PASSWORD = "/password-reset/resend/", "/password-reset/new/"
NOT_ME = "/not-me/"
CONFIRM, CONFIRM_CODE = "/account/confirm/", "/account/confirm/code/"
CONFIRM_VERIFY, CONFIRM_RESEND = "/account/confirm/verify/", "/account/confirm/resend/"
NAMES, PASSWORD_PAGE = "/account/names/", "/account/password/"
MY_EMAIL, MY_PHONE = "/account/contacts/email/", "/account/contacts/phone/"
DEVICES, ACTIVITY = "/account/devices/", "/account/activity/"
SIGN_OUT, SIGN_OUT_ONE = "/account/devices/sign-out/", "/account/devices/nobodys-0123/sign-out/"
DOWNLOAD, DELETE = "/account/download/", "/account/delete/"
MAILBOX = "/mailbox/"
EMAIL, PHONE = "ana@example.com", "+12025550123"
VARY = {"Accept", "HX-Request", "Cookie"}
LARGEST = 64 * 1024
HEADERS = {"page": {}, "htmx": {"HX-Request": "true"}, "json": {"Accept": "application/json"}}


# What a URLconf looks like in which something is broken: the real one, and a page that fails.


def broken(request):
    """A page with a fault nobody foresaw."""
    return {}["what was never there"]


urlpatterns = [path("broken/", broken), *urls.urlpatterns]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500


def patterns(resolver=None, prefix="/"):
    """Every address of the site: what it looks like, and what answers it."""
    for entry in (resolver or get_resolver(urls)).url_patterns:
        at = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLPattern):
            yield at, entry.callback
        else:
            yield from patterns(entry, at)


# Status and headers


AWAY = 409  # sent elsewhere; a page is sent with 303, and so is whoever has to sign in (401) or verify it (403)
ON = 303  # done, and led on; JSON and HTMX have 200
FORM = [200, 422, 415, 405, 405]  # GET, POST nothing, POST text, PUT, TRACE
READ = [200, 405, 405, 405, 405]
BUTTON = [405, ON, 415, 405, 405]
QUESTION = [200, ON, 415, 405, 405]
TOKEN = [410, 410, 415, 405, 405]
MINE = (  # where nobody may go who is not signed in, with a finished profile
    *(ACCOUNT, CONTACT, CONTACT_RESEND, CONFIRM, CONFIRM_CODE, CONFIRM_VERIFY, CONFIRM_RESEND),
    *(NAMES, PASSWORD_PAGE, DEVICES, SIGN_OUT, SIGN_OUT_ONE, ACTIVITY, DOWNLOAD, DELETE),
    *(f"{mine}{what}" for mine in (MY_EMAIL, MY_PHONE) for what in ("", "remove/", "primary/")),
)
FRESH = (  # where a proof of who is there must be young
    *(SIGN_OUT, SIGN_OUT_ONE, DOWNLOAD, DELETE, CONTACT, CONTACT_RESEND),
    *(f"{mine}{what}" for mine in (MY_EMAIL, MY_PHONE) for what in ("", "remove/", "primary/")),
)
STRANGER = {
    HOME: READ,
    REGISTER: FORM,
    VERIFY: [AWAY] * 5,
    RESEND: [AWAY] * 5,
    CHANGE: [AWAY] * 5,
    COMPLETE: [401] * 5,
    LINK: TOKEN,
    LOGIN: FORM,
    LOGIN_CODE: FORM,
    LOGIN_VERIFY: [AWAY] * 5,
    LOGIN_RESEND: [AWAY] * 5,
    LOGOUT: [405, ON, ON, 405, 405],
    RESET: FORM,
    RESET_VERIFY: [AWAY] * 5,
    RESET_RESEND: [AWAY] * 5,
    NEW_PASSWORD: TOKEN,
    NOT_ME: TOKEN,
    **dict.fromkeys(MINE, [401] * 5),
    "/no-such-page/": [404] * 5,
}
BEGUN = {
    **STRANGER,
    VERIFY: FORM,
    RESEND: [405, 429, 429, 405, 405],
    CHANGE: FORM,
}
CODE_PAGES = (VERIFY, RESEND, CHANGE, LOGIN_VERIFY, LOGIN_RESEND, RESET_VERIFY, RESET_RESEND)
COMING_BACK = {  # a code of one journey is none of another (COD-08)
    **dict.fromkeys(CODE_PAGES, [AWAY] * 5),
    LOGIN_VERIFY: FORM,
    LOGIN_RESEND: [405, 429, 429, 405, 405],
}
RECOVERING = {
    **dict.fromkeys(CODE_PAGES, [AWAY] * 5),
    RESET_VERIFY: FORM,
    RESET_RESEND: [405, 429, 429, 405, 405],
}
UNFINISHED = {
    **STRANGER,
    **dict.fromkeys([REGISTER, VERIFY, RESEND, CHANGE], [AWAY] * 5),
    **dict.fromkeys([LOGIN, LOGIN_CODE, LOGIN_VERIFY, LOGIN_RESEND], [AWAY] * 5),
    **dict.fromkeys(MINE, [AWAY] * 5),
    COMPLETE: FORM,
}
SHOPPER = {
    **UNFINISHED,
    COMPLETE: [AWAY] * 5,
    ACCOUNT: READ,
    CONFIRM: FORM,
    CONFIRM_CODE: BUTTON,
    CONFIRM_VERIFY: [AWAY] * 5,
    CONFIRM_RESEND: [AWAY] * 5,
    NAMES: FORM,
    PASSWORD_PAGE: FORM,
    CONTACT: FORM,
    CONTACT_RESEND: [405, 429, 429, 405, 405],
    MY_EMAIL: FORM,
    MY_PHONE: FORM,
    f"{MY_EMAIL}remove/": FORM,  # the only contact stays
    f"{MY_EMAIL}primary/": BUTTON,
    f"{MY_PHONE}remove/": [AWAY] * 5,  # there is none
    f"{MY_PHONE}primary/": [AWAY] * 5,
    DEVICES: READ,
    SIGN_OUT: [405, ON, ON, 405, 405],
    SIGN_OUT_ONE: [405, 404, 404, 405, 405],  # nobody learns whose that name is (SES-05)
    ACTIVITY: READ,
    DOWNLOAD: [200, 200, 415, 405, 405],
    DELETE: [200, ON, 401, 401, 401],  # signed out everywhere
}
STALE = {
    **{url: SHOPPER[url] for url in MINE},
    **dict.fromkeys(FRESH, [403] * 5),
}
VERIFYING = {
    DELETE: [403] * 5,
    CONFIRM_CODE: BUTTON,
    CONFIRM_VERIFY: FORM,
    CONFIRM_RESEND: [405, 429, 429, 405, 405],
}


def begun(shopper, postbox):
    """A code is on its way."""
    shopper.identify(EMAIL)


def unfinished(shopper, postbox):
    """The address is verified, the profile is not complete."""
    begun(shopper, postbox)
    shopper.verify(postbox.code())


def finished(shopper, postbox):
    """All done; a second contact waits for its code."""
    make_shopper(shopper, EMAIL)
    shopper.post(MY_PHONE, contact=PHONE)


def stale(shopper, postbox):
    """All done, and nothing verified for longer than ten minutes."""
    finished(shopper, postbox)
    postbox.messages()
    time_passes(minutes=10, seconds=1)
    Session.objects.update(
        reauthenticated_at=F("reauthenticated_at") - timedelta(minutes=10, seconds=1)
    )


def verifying(shopper, postbox):
    """The code that proves who is there is on its way."""
    stale(shopper, postbox)
    shopper.post(CONFIRM_CODE)


def coming_back(shopper, postbox):
    """A code to sign in with is on its way."""
    shopper.post(LOGIN_CODE, identifier=EMAIL)


def recovering(shopper, postbox):
    """A link to choose a new password with is on its way."""
    shopper.post(RESET, identifier=EMAIL)


def stranger(shopper, postbox):
    """Nothing done yet."""


MATRIX = {
    stranger: STRANGER,
    begun: BEGUN,
    coming_back: COMING_BACK,
    recovering: RECOVERING,
    unfinished: UNFINISHED,
    finished: SHOPPER,
    stale: STALE,
    verifying: VERIFYING,
}


def expected(face, status):
    """The status a face sees: JSON says 400 for 422, a page is led on with 303."""
    if face == "json":
        return {422: 400, ON: 200}.get(status, status)
    if face == "htmx":
        return 200 if status == ON else status
    return 303 if status in (401, 403, AWAY) else status


@contextmanager
def rolled_back(shopper):
    """Let nothing stand of what happens: neither rows nor cookies."""
    cookies = shopper.client.cookies.copy()
    atomic = transaction.atomic()
    # As Django marks those of a test: what is durable for the site ends here.
    atomic._from_testcase = True
    with atomic:
        yield
        transaction.set_rollback(True)
    shopper.client.cookies = cookies


def requests(shopper, url):
    """Five ways to ask; which methods there are changes with no face, so that only one asks for those."""
    headers = HEADERS[shopper.face]
    yield shopper.get(url)
    yield shopper.post(url)
    if shopper.face != "page":
        return
    yield shopper.client.post(url, "hello", content_type="text/plain", headers=headers)
    yield shopper.client.put(url, headers=headers)
    yield shopper.client.generic("TRACE", url, headers=headers)


@pytest.mark.sample(12)
@pytest.mark.every_face
@pytest.mark.parametrize("state", MATRIX, ids=lambda state: state.__name__)
def test_every_answer_has_the_face_of_who_asks(anyone, postbox, state, subtests):  # WEB-04, ux 70
    state(anyone, postbox)

    for url, statuses in MATRIX[state].items():
        with subtests.test(url), rolled_back(anyone):
            answers = list(requests(anyone, url))

            assert [answer.status_code for answer in answers] == [
                expected(anyone.face, status) for status in statuses[: len(answers)]
            ]
            for answer in answers:
                assert_well_made(anyone.face, answer)


def assert_well_made(face, answer):
    """What is true of every answer."""
    if "Content-Disposition" in answer.headers:
        assert_a_file(answer)
        return
    kind = "application/json" if face == "json" else "text/html; charset=utf-8"
    assert answer.headers["Content-Type"] == kind  # WEB-04
    assert {name.strip() for name in answer.headers["Vary"].split(",")} >= VARY
    assert "no-store" in answer.headers["Cache-Control"]  # SES-08
    assert_strict(answer.headers["Content-Security-Policy"])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if face == "json":
        assert_contract(answer)
    elif face == "htmx":
        assert answer.status_code not in (301, 302, 303)
        assert b"<html" not in answer.content
        assert ("HX-Redirect" in answer.headers) is (not answer.content)
    else:
        assert "HX-Redirect" not in answer.headers
        assert answer.headers.get("Location") or b"</html>" in answer.content


def assert_a_file(answer):
    """What is true of the one file there is, whatever the browser (SES-08)."""
    assert answer.headers["Content-Type"] == "application/json"
    assert re.fullmatch(
        r'attachment; filename="account-[\d-]{10}\.json"', answer.headers["Content-Disposition"]
    )
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert_strict(answer.headers["Content-Security-Policy"])


def assert_strict(policy):
    """Nothing inline, nothing from elsewhere, nobody's frame (WEB-06)."""
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert "unsafe" not in policy
    assert "http" not in policy
    assert directives["default-src"] == "'self'"
    assert directives["object-src"] == directives["base-uri"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["form-action"] == "'self'"


def assert_contract(answer):
    """`success`, `message`, `errors`; never an id, a token, an internal (WEB-05)."""
    body = answer.json()
    assert {"success", "message"} <= set(body) <= {"success", "message", "errors"}
    assert body["success"] is (answer.status_code < 400)
    assert isinstance(body["message"], str)
    assert body["message"]
    for field, texts in body.get("errors", {}).items():
        assert field.isidentifier()
        assert texts
        assert all(isinstance(text, str) and text for text in texts)


def test_no_address_was_forgotten(db):
    known = {resolve(url).route for url in set(STRANGER) - {"/no-such-page/"}}
    delivery = {
        f"{page}/delivery/"
        for page in ("register/verify", "account/contact", "account/confirm/verify")
    }
    beside = {
        ".well-known/jwks.json",
        "mailbox/",
        "mailbox/<str:message_id>/html/",
        "receipts/<uuid:provider_id>/",
        *delivery,
    }

    routes = {at.removeprefix("/") for at, _ in patterns()}
    assert {route for route in routes if not route.startswith(("admin/", "api/"))} == known | beside


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "trace"])
def test_a_process_that_lives_says_so_to_readers_only(client, method):  # WEB-10
    answer = client.generic(method.upper(), "/livez")

    assert answer.status_code == (200 if method in ("get", "head") else 405)


READABLE = [COMPLETE, *(url for url in MINE if SHOPPER[url][0] == 200 or url == CONFIRM_VERIFY)]


@pytest.mark.every_face
def test_who_must_sign_in_is_led_there_and_back(anyone, subtests):  # ux 75, WEB-04
    for url in READABLE:
        with subtests.test(url):
            turned_away = anyone.get(url)

            way = f"{LOGIN}?next={url.replace('/', '%2F')}"
            leads = {"page": "Location", "htmx": "HX-Redirect"}
            for face, header in leads.items():
                assert turned_away.headers.get(header) == (way if anyone.face == face else None)
            told = turned_away if anyone.face == "json" else anyone.client.get(way)
            assert "Sign in to go on." in words(told)


def test_json_is_told_who_is_signed_in(postbox):  # WEB-05
    ajax = Shopper("json")
    finished(ajax, postbox)

    assert ajax.get(ACCOUNT).json() == {
        "success": True,
        "message": f"You are signed in as {EMAIL}.",
    }


@pytest.mark.parametrize("url", [SIGN_OUT, SIGN_OUT_ONE, f"{MY_EMAIL}primary/", CONFIRM_CODE])
def test_who_pressed_a_button_signs_in_without_a_way_back_to_it(ana, url):  # WEB-03
    assert ana.post(url).to == f"{LOGIN}?next="


@pytest.mark.sample(8)
@pytest.mark.every_face
@pytest.mark.parametrize("url", [url for url in FRESH if SHOPPER[url][0] == 200])
def test_who_must_verify_who_is_there_is_led_there_and_back(anyone, postbox, url):  # REC-08, SES-05
    stale(anyone, postbox)
    turned_away = anyone.get(url)

    way = f"{CONFIRM}?next={url.replace('/', '%2F')}"
    assert turned_away.headers.get("HX-Redirect") == (way if anyone.face == "htmx" else None)
    assert turned_away.headers.get("Location") == (way if anyone.face == "page" else None)
    told = turned_away if anyone.face == "json" else anyone.client.get(way)
    assert "Confirm that it is you first." in words(told)
    anyone.post(CONFIRM, current=PASSWORD)
    assert anyone.get(url).status_code == 200


@pytest.mark.parametrize("header", ["HX-History-Restore-Request", "HX-Boosted"])
@pytest.mark.parametrize("url", [HOME, REGISTER, LINK, "/no-such-page/"])
def test_history_and_boosted_links_get_whole_pages(client, db, header, url):  # ux 70, WEB-04
    answer = client.get(url, headers={"HX-Request": "true", header: "true"})

    assert answer.content.lstrip().startswith(b"<!DOCTYPE html>")
    assert answer.content.count(b"<main") == 1


@pytest.mark.parametrize("url", [HOME, REGISTER, LINK, "/no-such-page/"])
def test_a_fragment_is_the_card_its_title_and_its_news(client, db, url):  # ux 62, 70
    page = Page(client.get(url, headers={"HX-Request": "true"}))

    assert [element["id"] for element in page.all("section")] == ["card"]
    assert page.text("title").endswith("Storefront")
    assert page.all("div", **{"hx-swap-oob": "innerHTML:#status"})
    assert not page.all("main")


@pytest.mark.parametrize(
    "accept",
    ["application/json", "application/json, text/html;q=0.5", "application/json;q=1, */*;q=0.1"],
)
def test_who_prefers_json_gets_json(client, db, accept):  # WEB-04
    assert client.get(REGISTER, headers={"Accept": accept}).json()["success"]


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html,application/xml;q=0.9,*/*;q=0.8", "x" * 60000, ",;=q"]
)
def test_everybody_else_gets_a_page(client, db, accept):  # WEB-04, IDN-09
    assert b"</html>" in client.get(REGISTER, headers={"Accept": accept}).content


# Requests that cannot be served, in the client's own format (WEB-04)


@pytest.fixture
def frank(anyone):
    """A shopper whose browser shows a failure instead of raising it."""
    anyone.client.raise_request_exception = False
    return anyone


@pytest.mark.every_face
@pytest.mark.urls(__name__)
def test_a_fault_of_ours_is_said_and_nothing_else(frank):  # WEB-04, LOG-05
    answer = frank.get("/broken/")

    assert answer.status_code == 500
    assert "Something went wrong on our side" in words(answer)
    assert "what was never there" not in words(answer)
    assert_well_made(frank.face, answer)


@pytest.mark.every_face
def test_a_strange_host_is_refused(frank):
    answer = frank.client.get(HOME, headers={**HEADERS[frank.face], "Host": "evil.example"})

    assert answer.status_code == 400
    assert "evil.example" not in words(answer)
    assert_well_made(frank.face, answer)


@pytest.mark.every_face
@pytest.mark.parametrize("size", [LARGEST, LARGEST + 1], ids=["largest", "too large"])
def test_a_body_has_a_largest_size(frank, size):  # IDN-09
    kind = "application/json" if frank.face == "json" else "application/x-www-form-urlencoded"
    body = b'{"identifier": ""}' if frank.face == "json" else b"identifier="
    answer = frank.client.post(
        REGISTER, body.ljust(size), content_type=kind, headers=HEADERS[frank.face]
    )

    assert answer.status_code == (413 if size > LARGEST else expected(frank.face, 422))
    assert_well_made(frank.face, answer)


@pytest.mark.every_face
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", '{"identifier": "ana@example.com"}', 415),
        ("application/xml", "<identifier/>", 415),
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", "null", 400),
        ("application/json", b"\xff\xfe\xfd", 400),
        ("multipart/form-data", "identifier=x", 400),
        ("multipart/form-data; boundary=x", "--y", None),
    ],
    ids=["text", "xml", "half an object", "a list", "null", "no UTF-8", "no boundary", "no parts"],
)
def test_a_body_nobody_can_read(frank, kind, body, status):  # WEB-04, IDN-08
    answer = frank.client.post(REGISTER, body, content_type=kind, headers=HEADERS[frank.face])

    assert answer.status_code == (status or expected(frank.face, 422))
    assert_well_made("json" if kind == "application/json" else frank.face, answer)


def test_an_address_without_its_slash_is_found(client, db):
    assert client.get("/register").headers["Location"] == REGISTER


# Forged requests (WEB-01)


POSTS = [url for url in STRANGER if url not in (HOME, ACCOUNT, DEVICES, ACTIVITY, "/no-such-page/")]


def careful(**headers):
    """A browser of a site that checks every form."""
    return Client(enforce_csrf_checks=True, headers=headers)


def token_for(client):
    """The token in a form of the page that `client` was shown."""
    return Page(client.get(REGISTER)).forms[0]["fields"]["csrfmiddlewaretoken"]


@pytest.mark.parametrize("face", FACES)
def test_no_form_is_taken_without_its_token(db, face, subtests):  # WEB-01
    for url in [*POSTS, "/admin/login/"]:
        with subtests.test(url):
            answer = careful().post(url, {"identifier": EMAIL}, headers=HEADERS[face])

            assert answer.status_code == 403
            assert "Your browser sent no cookie" in words(answer)
            assert_well_made(face, answer)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", json.dumps({"identifier": EMAIL})),
        ("text/plain", json.dumps({"identifier": EMAIL})),
        ("application/x-www-form-urlencoded", f"identifier={EMAIL}"),
    ],
)
@pytest.mark.parametrize(
    "headers",
    [{}, {"HX-Request": "true"}, {"X-Requested-With": "XMLHttpRequest"}],
    ids=["bare", "htmx", "ajax"],
)
def test_no_header_and_no_type_excuses_from_the_token(db, kind, body, headers):  # WEB-01
    assert careful().post(REGISTER, body, content_type=kind, headers=headers).status_code == 403
    assert not Challenge.objects.exists()


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://testserver", 303),
        ("https://evil.example", 403),
        ("https://testserver.evil.example", 403),
        ("http://testserver", 403),
        ("null", 403),
    ],
)
def test_a_form_comes_from_our_own_pages(db, origin, status):  # WEB-01
    client = careful()
    fields = {"identifier": EMAIL, "csrfmiddlewaretoken": token_for(client)}

    answer = client.post(REGISTER, fields, secure=True, headers={"Origin": origin})

    assert answer.status_code == status


def test_a_form_without_origin_and_referer_is_refused_over_https(db):  # WEB-01
    client = careful()
    fields = {"identifier": EMAIL, "csrfmiddlewaretoken": token_for(client)}

    assert client.post(REGISTER, fields, secure=True).status_code == 403
    referer = {"Referer": "https://evil.example/register/"}
    assert client.post(REGISTER, fields, secure=True, headers=referer).status_code == 403


def test_the_token_of_another_browser_is_none(db):  # WEB-01
    client = careful()
    client.get(REGISTER)

    forged = {"identifier": EMAIL, "csrfmiddlewaretoken": token_for(careful())}

    assert client.post(REGISTER, forged).status_code == 403


def test_json_sends_the_token_in_a_header(db):  # WEB-01, promise 4.5
    client = careful()
    token = token_for(client)

    answer = client.post(
        REGISTER, {"email": EMAIL}, content_type="application/json", headers={"X-CSRFToken": token}
    )

    assert answer.json()["success"]


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_a_page_that_was_open_for_too_long_keeps_what_was_typed(db, face):  # ux 42, demand 8
    client = careful()
    refused = client.post(REGISTER, {"identifier": EMAIL, "next": ACCOUNT}, headers=HEADERS[face])

    form = Page(refused).forms[0]
    assert (form["fields"]["identifier"], form["fields"]["next"]) == (EMAIL, ACCOUNT)
    again = client.post(form["action"], form["fields"])
    assert again.headers["Location"].partition("?")[0] == VERIFY


@pytest.mark.sample(4)
@pytest.mark.parametrize("state", MATRIX, ids=lambda state: state.__name__)
def test_a_page_that_was_open_for_too_long_is_no_dead_end(
    ana, postbox, state
):  # ux 42, promise 2.4
    state(ana, postbox)
    check_tokens(ana.client)

    answers = [ana.post(url) for url in POSTS]
    # Whoever is signed in is led on at once from what is for strangers.
    ways_on = {
        answer.to or Page(answer).all("a", id="start-again")[0]["href"] for answer in answers
    }

    for way_on in ways_on:
        dead = way_on.partition("?")[0] in (LINK, NEW_PASSWORD, NOT_ME)
        assert ana.client.get(way_on, follow=True).status_code in ((409, 410) if dead else (200,))


def test_no_page_is_exempt_from_the_token():  # WEB-01
    views = dict(patterns())

    assert len(views) > 30
    exempt = [at for at, view in views.items() if getattr(view, "csrf_exempt", False)]
    # Providers sign what they send, and calls of programs read no cookie.
    assert [at for at in exempt if not at.startswith("/api/")] == ["/receipts/<uuid:provider_id>/"]


# HTMX itself (WEB-07)


def test_htmx_is_told_to_be_careful(client, db):  # WEB-07, ux 74
    meta = Page(client.get(HOME)).all("meta", name="htmx-config")
    config = json.loads(meta[0]["content"])

    for switch in (
        "allowEval",
        "allowScriptTags",
        "includeIndicatorStyles",
        "historyRestoreAsHxRequest",
    ):
        assert config[switch] is False
    assert config["selfRequestsOnly"] is True
    assert config["historyCacheSize"] == 0
    assert "inlineScriptNonce" not in config


@pytest.mark.parametrize(
    ("status", "swapped"),
    [(200, True), (204, False), (400, True), (403, True), (409, True), (410, True)]
    + [(422, True), (429, True), (503, True), (500, False), (404, False)],
)
def test_htmx_shows_our_refusals(client, db, status, swapped):  # WEB-07, LIM-08
    meta = Page(client.get(HOME)).all("meta", name="htmx-config")
    handling = json.loads(meta[0]["content"])["responseHandling"]

    rule = next(rule for rule in handling if re.search(rule["code"], str(status)))

    assert rule["swap"] is swapped


def test_htmx_is_the_file_of_its_release(client, db):  # WEB-07
    sources = [script["src"] for script in Page(client.get(HOME)).all("script")]
    source = next(source for source in sources if "htmx" in source)
    served = Path(finders.find(source.removeprefix("/static/"))).read_bytes()

    [released] = [
        file for file in metadata.files("django-htmx") if source.endswith(f"/{file.name}")
    ]
    digest = base64.urlsafe_b64encode(hashlib.sha256(served).digest()).rstrip(b"=").decode()
    assert digest == released.hash.value
    assert b'version:"2.0.' in served
    assert all(source.startswith("/static/") for source in sources)


# Every page a person can see, in every state


def seen_home(shopper, postbox):
    return shopper.get(HOME)


def seen_home_unfinished(shopper, postbox):
    unfinished(shopper, postbox)
    return shopper.get(HOME)


def seen_home_finished(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(HOME)


def seen_identify(shopper, postbox):
    return shopper.get(REGISTER)


def seen_identify_empty(shopper, postbox):
    return shopper.identify("")


def seen_identify_wrong(shopper, postbox):
    return shopper.identify("ana@")


def seen_identify_typo(shopper, postbox):
    return shopper.identify("ana@gmial.com", hints="1")


def seen_identify_hidden(shopper, postbox):
    return shopper.identify(EMAIL, username="admin", phone=PHONE)


def seen_identify_limited(shopper, postbox):
    begun(shopper, postbox)
    for number in range(20):
        limited = shopper.identify(f"ana{number}@example.com")
    return limited


def seen_verify(shopper, postbox):
    begun(shopper, postbox)
    return shopper.get(VERIFY)


def seen_verify_phone(shopper, postbox):
    shopper.identify(PHONE)
    return shopper.get(VERIFY)


def seen_verify_empty(shopper, postbox):
    begun(shopper, postbox)
    return shopper.verify("")


def seen_verify_wrong(shopper, postbox):
    begun(shopper, postbox)
    return shopper.verify(wrong(postbox.code()))


def seen_verify_used_up(shopper, postbox):
    begun(shopper, postbox)
    for _ in range(5):
        last = shopper.verify(wrong(postbox.code()))
    return last


def seen_resend_early(shopper, postbox):
    begun(shopper, postbox)
    return shopper.post(RESEND)


def seen_change(shopper, postbox):
    begun(shopper, postbox)
    return shopper.get(CHANGE)


def seen_change_wrong(shopper, postbox):
    begun(shopper, postbox)
    return shopper.post(CHANGE, identifier="+1")


def seen_complete(shopper, postbox):
    unfinished(shopper, postbox)
    return shopper.get(COMPLETE)


def seen_complete_phone(shopper, postbox):
    shopper.identify(PHONE)
    shopper.verify(postbox.code())
    return shopper.get(COMPLETE)


def seen_complete_wrong(shopper, postbox):
    unfinished(shopper, postbox)
    return shopper.complete(name="", password="short", username="?", contact="x")


def seen_account(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(ACCOUNT)


def seen_contact(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(CONTACT)


def seen_contact_wrong(shopper, postbox):
    finished(shopper, postbox)
    return shopper.post(CONTACT, code="1")


def seen_link(shopper, postbox):
    begun(shopper, postbox)
    return shopper.open(postbox.link())


def seen_link_elsewhere(shopper, postbox):
    begun(Shopper(), postbox)
    return shopper.open(postbox.link())


def seen_link_dead(shopper, postbox):
    return shopper.get(LINK)


def seen_link_carried_dead(shopper, postbox):
    return shopper.open(f"{LINK}?token=x")


def seen_login(shopper, postbox):
    return shopper.get(f"{LOGIN}?next={ACCOUNT}")


def seen_login_empty(shopper, postbox):
    return shopper.post(LOGIN)


def seen_login_wrong(shopper, postbox):
    return shopper.post(LOGIN, identifier=EMAIL, password="not the right one", next=ACCOUNT)


def seen_login_limited(shopper, postbox):
    for _ in range(6):
        limited = seen_login_wrong(shopper, postbox)
    return limited


def seen_login_code(shopper, postbox):
    return shopper.get(LOGIN_CODE)


def seen_login_code_wrong(shopper, postbox):
    return shopper.post(LOGIN_CODE, identifier="ana@")


def seen_login_verify(shopper, postbox):
    coming_back(shopper, postbox)
    return shopper.get(LOGIN_VERIFY)


def seen_login_verify_wrong(shopper, postbox):
    coming_back(shopper, postbox)
    return shopper.post(LOGIN_VERIFY, code="123456")


def seen_reset(shopper, postbox):
    return shopper.get(RESET)


def seen_reset_wrong(shopper, postbox):
    return shopper.post(RESET, identifier="ana@")


def seen_reset_verify(shopper, postbox):
    recovering(shopper, postbox)
    return shopper.get(RESET_VERIFY)


def seen_reset_verify_phone(shopper, postbox):
    shopper.post(RESET, identifier=PHONE)
    return shopper.get(RESET_VERIFY)


def seen_reset_verify_phone_wrong(shopper, postbox):
    shopper.post(RESET, identifier=PHONE)
    return shopper.post(RESET_VERIFY, code="123456")


def seen_new_password(shopper, postbox):
    make_shopper(Shopper(), EMAIL)
    recovering(shopper, postbox)
    return shopper.open(postbox.link(EMAIL))


def seen_new_password_wrong(shopper, postbox):
    seen_new_password(shopper, postbox)
    return shopper.post(NEW_PASSWORD, password="short")


def seen_not_me(shopper, postbox):
    make_shopper(Shopper(), EMAIL)
    Shopper().post(LOGIN, identifier=EMAIL, password=PASSWORD)
    return shopper.open(postbox.link(EMAIL))


def seen_confirm(shopper, postbox):
    stale(shopper, postbox)
    return shopper.client.get(shopper.get(DELETE).headers.get("Location", CONFIRM))


def seen_confirm_wrong(shopper, postbox):
    stale(shopper, postbox)
    return shopper.post(CONFIRM, current="not the right one", next=DELETE)


def seen_confirm_verify(shopper, postbox):
    verifying(shopper, postbox)
    return shopper.get(CONFIRM_VERIFY)


def seen_confirm_verify_wrong(shopper, postbox):
    verifying(shopper, postbox)
    return shopper.post(CONFIRM_VERIFY, code="1")


def seen_names(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(NAMES)


def seen_names_wrong(shopper, postbox):
    finished(shopper, postbox)
    return shopper.post(NAMES, name="", username="?")


def seen_password(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(PASSWORD_PAGE)


def seen_password_wrong(shopper, postbox):
    finished(shopper, postbox)
    return shopper.post(PASSWORD_PAGE, current="not the right one", password="short")


def seen_new_email(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(MY_EMAIL)


def seen_new_email_wrong(shopper, postbox):
    finished(shopper, postbox)
    return shopper.post(MY_EMAIL, contact="ana@")


def seen_new_phone(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(MY_PHONE)


def seen_new_phone_wrong(shopper, postbox):
    finished(shopper, postbox)
    return shopper.post(MY_PHONE, contact="")


def seen_remove(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(f"{MY_EMAIL}remove/")


def seen_remove_wrong(shopper, postbox):
    finished(shopper, postbox)
    return shopper.post(f"{MY_EMAIL}remove/")


def seen_devices(shopper, postbox):
    finished(shopper, postbox)
    Shopper().post(LOGIN, identifier=EMAIL, password=PASSWORD)
    return shopper.get(DEVICES)


def seen_activity(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(ACTIVITY)


def seen_download(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(DOWNLOAD)


def seen_delete(shopper, postbox):
    finished(shopper, postbox)
    return shopper.get(DELETE)


def seen_nothing(shopper, postbox):
    return shopper.get("/no-such-page/")


def seen_method(shopper, postbox):
    return shopper.post(HOME)


def seen_forgery(shopper, postbox):
    check_tokens(shopper.client)
    return shopper.identify(EMAIL)


SIGHTS = {
    name.removeprefix("seen_"): sight
    for name, sight in globals().items()
    if name.startswith("seen_")
}
ERRORS = [name for name in SIGHTS if re.search("empty|wrong|hidden|used_up|early|limited", name)]


@pytest.mark.database
@pytest.mark.parametrize("name", SIGHTS)
def test_every_page_is_well_made(ana, postbox, name):
    sight = Page(SIGHTS[name](ana, postbox))

    assert_whole(sight)
    assert_works_without_scripts(sight)
    assert_no_id_dangles(sight)
    assert_nothing_scolds(sight)
    assert_nobody_types_an_address_twice(sight)


def assert_whole(sight):  # ux 1, 2, 6, 7, 8, 10
    """One heading, one title that says the same, and a way to the main part."""
    assert sight.all("html")[0]["lang"] == "en"
    assert len(sight.all("main")) == len(sight.all("h1")) == 1
    assert sight.text("title").startswith(("Error: " + sight.text("h1"), sight.text("h1")))
    assert sight.text("title").endswith(" - Storefront")
    assert sight.elements[sight.elements.index(sight.all("body")[0]) + 1]["href"] == "#main"
    links = [link for link in sight.all("a") if link["href"].startswith("/")]
    before = sight.elements[: sight.elements.index(sight.all("main")[0])]
    assert len([link for link in links if link in before]) <= 5
    assert (
        len(links) <= 5 or sight.text("h1") == "My account"
    )  # the one page that is a list of ways
    assert not re.search("captcha|turnstile", sight.html, re.IGNORECASE)


def assert_works_without_scripts(sight):  # ux 9, 13, 24, WEB-01, WEB-09
    """A form posts to its own address, with its token and with a label for each box."""
    for form in sight.forms:
        assert form["action"].startswith("/")
        assert (form["method"], "csrfmiddlewaretoken" in form["fields"]) == ("post", True)
        assert "novalidate" in form or not set(form["fields"]) - {"csrfmiddlewaretoken"}
        assert "?" not in form["action"]
    for field in sight.inputs.values():
        assert not {"placeholder", "required", "pattern"} & set(field)
        assert sight.all("label", **{"for": field["id"]})
    assert not [button for button in sight.all("button") if "disabled" in button]  # ux 46


def assert_no_id_dangles(sight):  # ux 64
    """Each id is there once, and whatever points at one finds it."""
    assert len(sight.ids) == len(set(sight.ids))
    pointers = [
        id
        for element in sight.elements
        for name in ("aria-describedby", "aria-labelledby", "aria-controls", "for")
        for id in element.get(name, "").split()
    ]
    pointers += [link["href"][1:] for link in sight.all("a") if link["href"].startswith("#")]

    assert pointers
    assert not set(pointers) - set(sight.ids)


def assert_nothing_scolds(sight):  # ux 65
    """No word that begs or blames."""
    said = re.sub(r"<[^>]*>", " ", sight.html)
    assert not re.search(r"\b(invalid|sorry|please|oops)\b|field is required", said, re.IGNORECASE)


def assert_nobody_types_an_address_twice(sight):  # ux 21
    """No second box for the same."""
    twice = re.compile(r"(email|phone|contact|identifier)(2|_again|_confirm(ation)?)")

    assert not [name for name in sight.inputs if twice.fullmatch(name)]


@pytest.mark.sample(14)
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_said_on_top_and_at_its_field(postbox, name):  # ux 61, 62, 63, 64
    page = Page(SIGHTS[name](Shopper("htmx"), postbox))

    assert page.text("title").startswith("Error: ")
    summary = page.all("div", id="error-summary")[0]
    assert (summary["tabindex"], "autofocus" in summary) == ("-1", True)
    said = re.search(r'id="error-summary".*?</div>\s*</div>', page.html, re.DOTALL).group()
    sentences = re.findall(r"<(?:a|li|p)[^>]*>\s*([^<>\s][^<>]*?)\s*</", said)
    assert sentences
    for field in page.inputs.values():
        at_field = re.findall(
            rf'id="{field.get("id")}_error"[^>]*>(.*?)</div>', page.html, re.DOTALL
        )
        here = re.findall(r"<p>(.*?)</p>", "".join(at_field))
        assert set(here) <= set(sentences)
        assert (field.get("aria-invalid") == "true") is bool(here)
        assert bool(here) is (f"{field.get('id')}_error" in field.get("aria-describedby", ""))


@pytest.mark.parametrize(
    "name",
    "login_wrong login_limited complete_wrong new_password_wrong confirm_wrong password_wrong".split(),
)
def test_no_password_is_ever_given_back(ana, postbox, name):  # ux 58, 66, PWD-07
    boxes = Page(SIGHTS[name](ana, postbox)).all("input", type="password")

    assert boxes
    assert not any("value" in box for box in boxes)


def test_what_was_typed_is_given_back_but_the_password(ana, postbox):  # ux 58, 66, PWD-07
    page = Page(seen_complete_wrong(ana, postbox))

    assert "value" not in page.inputs["password"]
    assert page.inputs["username"]["value"] == "?"
    assert page.inputs["contact"]["value"] == "x"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("identify", "Create an account - Step 1 of 3 - Storefront"),
        ("identify_wrong", "Error: Create an account - Step 1 of 3 - Storefront"),
        ("verify", "Enter the code we sent you - Step 2 of 3 - Storefront"),
        ("verify_wrong", "Error: Enter the code we sent you - Step 2 of 3 - Storefront"),
        ("complete", "Complete your profile - Step 3 of 3 - Storefront"),
        ("complete_wrong", "Error: Complete your profile - Step 3 of 3 - Storefront"),
    ],
)
@pytest.mark.parametrize("face", ["page", "htmx"])
def test_titles_name_the_step(postbox, face, name, title):  # ux 2, 62
    assert Page(SIGHTS[name](Shopper(face), postbox)).text("title") == title


FIELDS = {
    "one box": ("identify", "identifier", {  # ux 16
        "type": "text", "autocomplete": "username", "autocapitalize": "none", "spellcheck": "false",
    }),
    "code": ("verify", "code", {  # ux 25
        "type": "text", "inputmode": "numeric", "autocomplete": "one-time-code", "dir": "ltr",
    }),
    "contact code": ("contact", "code", {
        "type": "text", "inputmode": "numeric", "autocomplete": "one-time-code", "dir": "ltr",
    }),
    "name": ("complete", "name", {"type": "text", "autocomplete": "name", "spellcheck": "false"}),  # ux 57
    "password": ("complete", "password", {"type": "password", "autocomplete": "new-password"}),  # ux 53
    "phone": ("complete", "contact", {"type": "tel", "autocomplete": "tel"}),  # ux 15
    "any name": ("login", "identifier", {
        "type": "text", "autocomplete": "username", "autocapitalize": "none", "spellcheck": "false",
    }),
    "sign-in": ("login", "password", {"type": "password", "autocomplete": "current-password"}),
    "sign-in code": ("login_verify", "code", {
        "type": "text", "inputmode": "numeric", "autocomplete": "one-time-code", "dir": "ltr",
    }),
    "owner's": ("confirm", "current", {"type": "password", "autocomplete": "current-password"}),
    "former": ("password", "current", {"type": "password", "autocomplete": "current-password"}),
    "later": ("password", "password", {"type": "password", "autocomplete": "new-password"}),
    "chosen again": ("new_password", "password", {"type": "password", "autocomplete": "new-password"}),
    "new phone": ("new_phone", "contact", {"type": "tel", "autocomplete": "tel"}),
    "new email": ("new_email", "contact", {"type": "email", "autocomplete": "email"}),
    "email": ("complete_phone", "contact", {  # ux 14
        "type": "email", "autocomplete": "email", "autocapitalize": "none", "spellcheck": "false",
    }),
}  # fmt: skip


@pytest.mark.parametrize(("name", "field", "attributes"), FIELDS.values(), ids=FIELDS)
def test_a_field_says_what_belongs_into_it(ana, postbox, name, field, attributes):
    found = Page(SIGHTS[name](ana, postbox)).inputs[field]

    assert found == {**found, **attributes}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("verify", "code"),
        ("complete", "password"),
        ("login", "password"),
        ("login_verify", "code"),
        ("new_password", "password"),
        ("password", "current"),
        ("password", "password"),
    ],
)
def test_what_is_pasted_is_not_cut(ana, postbox, name, field):  # ux 26, 27, 55
    assert "maxlength" not in Page(SIGHTS[name](ana, postbox)).inputs[field]


def test_a_code_has_one_box(ana, postbox):  # ux 25
    assert list(Page(seen_verify(ana, postbox)).inputs) == ["code"]


def test_a_password_manager_saves_the_pair(ana, postbox):  # ux 54
    page = Page(seen_complete(ana, postbox))
    [kept] = page.all("input", autocomplete="username")

    assert (kept["value"], "readonly" in kept, "name" in kept) == (EMAIL, True, False)
    assert [form["action"] for form in page.forms if "password" in form["fields"]] == [COMPLETE]


def test_sign_in_and_sign_up_are_apart_and_lead_to_each_other(ana):  # ux 4
    sign_up, sign_in = Page(ana.get(REGISTER)), Page(ana.get(LOGIN))

    assert (sign_up.text("h1"), sign_in.text("h1")) == ("Create an account", "Sign in")
    assert sign_up.all("a", id="sign-in", href=LOGIN)
    assert sign_in.all("a", href=REGISTER)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("identify", "Send code"),
        ("verify", "Confirm code"),
        ("complete", "Create account"),
        ("login", "Sign in"),
        ("link_elsewhere", "Confirm and go on here"),
    ],
)
def test_a_button_says_what_it_does(ana, postbox, name, said):  # ux 5
    assert said in Page(SIGHTS[name](ana, postbox)).text("button")


def test_the_code_page_says_where_the_code_went_and_until_when_it_works(ana):  # ux 30
    ana.identify("Ana.Maria+shop@Example.COM")

    page = Page(ana.get(VERIFY))

    assert "Ana.Maria+shop@Example.COM" in page.text("bdi")
    until = Challenge.objects.get().expires_at
    assert page.all("time", datetime=localtime(until).isoformat())
    assert f"{until:%H:%M} UTC" in words(ana.get(VERIFY))


def test_optional_fields_say_so(ana, postbox):  # ux 52
    labels = Page(seen_complete(ana, postbox)).text("label")

    assert labels == "Your name Password Username Mobile number"
    assert Page(seen_complete(Shopper(), postbox)).text("span").count("(optional)") == 2


def test_steps_two_and_change_lead_back(ana, postbox):  # ux 3
    for page, back in ((seen_verify(ana, postbox), REGISTER), (ana.get(CHANGE), VERIFY)):
        (link,) = Page(page).all("a", id="back")
        assert link["href"].partition("?")[0] == back


@pytest.mark.sample(4)
@pytest.mark.parametrize("state", MATRIX, ids=lambda state: state.__name__)
def test_nothing_secret_is_read_from_an_address(ana, postbox, state):  # WEB-09
    state(ana, postbox)
    users = list(User.objects.values())
    code = Challenge.objects.latest("created_at").code if Challenge.objects.exists() else "123456"
    typed = f"code={code}&otp={code}&password=secret-secret&current={PASSWORD}&name=Eve"

    for url in POSTS:
        shown = ana.get(f"{url}?{typed}&identifier={EMAIL}&contact=eve@example.com")
        assert b"secret-secret" not in shown.content

    assert list(User.objects.values()) == users


@pytest.mark.every_face
def test_no_answer_holds_a_code(anyone, postbox):  # COD-12
    answers = [anyone.identify(EMAIL), anyone.get(VERIFY), anyone.post(RESEND), anyone.get(CHANGE)]
    code = postbox.code()

    assert not [answer for answer in answers if code in f"{answer.headers} {words(answer)}"]


@pytest.mark.every_face
def test_no_answer_holds_a_code_that_signs_in(anyone, postbox):  # COD-12
    make_shopper(Shopper(), EMAIL)
    answers = [anyone.post(LOGIN_CODE, identifier=EMAIL), anyone.get(LOGIN_VERIFY)]
    answers += [anyone.post(LOGIN_RESEND), anyone.get(LOGIN_CODE), anyone.get(LOGIN)]
    code = postbox.code(EMAIL)

    assert not [answer for answer in answers if code in f"{answer.headers} {words(answer)}"]


@pytest.mark.every_face
def test_no_answer_holds_what_opens_a_new_password(anyone, postbox):  # COD-12, REC-03
    make_shopper(Shopper(), EMAIL)
    answers = [anyone.post(RESET, identifier=EMAIL), anyone.get(RESET_VERIFY)]
    answers += [anyone.post(RESET_RESEND), anyone.get(RESET)]
    _path, _sign, token = postbox.link(EMAIL).partition("=")
    code = Challenge.objects.latest("created_at").code

    bodies = [f"{answer.headers} {answer.cookies} {answer.content.decode()}" for answer in answers]
    assert not [body for body in bodies if token in body or code in body]
