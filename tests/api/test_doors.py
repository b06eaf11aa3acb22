"""What holds for every call, whatever it is for: bodies, methods, headers, refusals, addresses of nobody's."""

import json

import pytest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.password_policy.hashers import HashersBusy
from api.dialects_v2 import EVERY_SPACE, V2
from api.doors import events
from storefront.handler import takes_password
from tests.support.contract import ANA, GARBAGE, WHOLE, link
from tests.support.people import PASSWORD, make_user
from tests.support.programs import Program

pytestmark = pytest.mark.django_db

CALLS = [
    pytest.param(space, call, id=f"{space.prefix}{call.path}")
    for space in EVERY_SPACE
    for call in space.calls
]
TYPED = [
    pytest.param(space, call, name, id=f"{space.prefix}{call.path} {name}")
    for space in EVERY_SPACE
    for call in space.calls
    for name in call.takes.model_fields
    if "{" not in call.path
]
PROBLEM = "application/problem+json"


def send(space, call, body, *, content_type="application/json", method="", **headers):
    """Send a body as it is to the address of a call."""
    client = Client(REMOTE_ADDR="203.0.113.31")
    url = f"/{space.prefix}{call.path}/".format(sid="x")
    return client.generic(method or call.methods[-1], url, body, content_type, headers=headers)


def is_refusal(answer):
    """Whether the answer is a refusal in the shape of its space."""
    told = answer.json()
    if answer["Content-Type"] == PROBLEM:
        return {"type", "title", "status", "detail", "code"} <= set(told)
    return {"error", "code", "hint"} <= set(told) or all(
        isinstance(value, list) for value in told.values()
    )


def repr_short(value):
    """A name for a case."""
    return repr(value)[:24]


# promise 0.2, 1.1, 1.6, 1.7, 1.9, 1.10
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("register", "/api/v1/auth/register/"),
        ("verify-otp", "/api/v1/auth/verify-otp/"),
        ("resend-otp", "/api/v1/auth/resend-otp/"),
        ("verify-email", "/api/v1/auth/verify-email/"),
        ("resend-verification", "/api/v1/auth/resend-verification/"),
        ("otp-request-otp", "/api/v1/auth/otp/request/"),
        ("otp-verify-otp", "/api/v1/auth/otp/verify/"),
    ],
)
def test_the_designs_reverse_their_addresses(name, url):
    assert reverse(name) == url


@pytest.mark.parametrize(("space", "call", "name"), TYPED)
def test_whatever_a_field_holds_nothing_is_a_fault_of_ours(space, call, name):
    for value in GARBAGE:
        answer = send(space, call, json.dumps({name: value}))

        assert answer.status_code in (200, 400, 401, 404, 429), (value, answer.content)
        if answer.status_code >= 400:
            assert is_refusal(answer), (value, answer.content)


@pytest.mark.parametrize(("space", "call"), CALLS)
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ('"a"', "application/json", 400),
        ("NaN", "application/json", 400),
        ("[" * 30_000, "application/json", 400),
        (b"\xff\xfe{", "application/json", 400),
        ("{", "application/json; charset=base64", 400),
        ("a=b", "application/x-www-form-urlencoded; charset=base64", 400),
        ("x", "multipart/form-data", 400),
        ("<a/>", "text/xml", 415),
        ("a: b", "application/yaml", 415),
        ("x" * (64 * 1024 + 1), "application/json", 413),
    ],
    ids=repr_short,
)
def test_a_body_that_nobody_can_read_is_told_so(space, call, body, content_type, status):
    answer = send(space, call, body, content_type=content_type, method="POST")

    expected = status if "POST" in call.methods or status == 413 else 405
    if expected == 400 and space is V2 and not content_type.startswith("application/json"):
        # New apps send no forms.
        expected = 415
    assert (answer.status_code, is_refusal(answer)) == (expected, True)


@pytest.mark.parametrize(("space", "call"), CALLS)
@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ODD"]
)
def test_a_method_that_is_not_there_is_told_with_those_that_are(space, call, method):
    allowed = [each for row in space.calls if row.path == call.path for each in row.methods]
    if method in allowed:
        return

    answer = send(space, call, "", method=method)

    assert (answer.status_code, answer["Allow"]) == (405, ", ".join(allowed))


@pytest.mark.parametrize(
    "url",
    [
        "/api/",
        "/api/x",
        "/api/v1/auth/",
        "/api/v1/auth/nothing/",
        "/api/auth/\u200b",
        "/api//",
        "/api/v2/auth/nothing",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_of_nobodys_is_told_in_json(url, method):
    # As a program asks: without a cookie, and with no token of a form.
    answer = Client(enforce_csrf_checks=True).generic(method, url, headers={"Accept": "text/html"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer["Content-Type"] == ("application/json" if "v2" not in url else PROBLEM)


@pytest.mark.parametrize(
    "url",
    ["/api/openapi.json", "/api/v1/openapi.json", "/api/v2/openapi.json"],
)
def test_what_is_only_read_says_so_to_whoever_posts(url):
    answer = Client(enforce_csrf_checks=True).post(url)

    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("space", "call"), CALLS)
def test_every_answer_stays_out_of_caches_and_sets_no_cookie(space, call):
    client = Client()
    client.cookies["__Host-session"] = "0" * 40

    with CaptureQueriesContext(connection) as queries:
        answer = client.generic(
            call.methods[0], f"/{space.prefix}{call.path}", "{", "application/json"
        )

    assert answer["Cache-Control"] == "no-store"
    assert len(answer["X-Request-ID"]) == 32
    assert {each.strip().lower() for each in answer["Vary"].split(",")} == {"accept", "origin"}
    assert not answer.cookies
    # Not even read.
    assert not [each for each in queries if "session_key" in each["sql"]]


def test_a_cookie_opens_nothing_and_needs_no_token_of_a_form(ana):
    make_user(ANA)
    ana.post("/login/", identifier=ANA, password=PASSWORD)
    ana.client.handler.enforce_csrf_checks = True
    try:
        mine = ana.client.get("/api/auth/me/")
        login = ana.client.post("/api/auth/login/", {"email": ANA, "password": PASSWORD})
    finally:
        ana.client.handler.enforce_csrf_checks = False

    assert (mine.status_code, login.status_code) == (401, 200)


def test_forms_are_read_like_json():
    told = Program(form="multipart").post("v1", "register/", email=ANA, **WHOLE)

    assert told.status == 201


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_last_slash_may_be_left_out(slash):
    assert Program().post("v1", f"register{slash}", email=ANA, **WHOLE).status == 201


@pytest.mark.parametrize(
    ("path", "sent", "status", "code"),
    [
        ("register/", {}, 400, "invalid"),
        ("verify-otp/", {}, 400, "invalid"),
        ("nothing/", {}, 404, "not_found"),
        ("otp/verify/", {"email": ANA, "code": "123456"}, 400, "code_wrong"),
    ],
)
def test_whoever_asks_for_rfc_9457_gets_it(path, sent, status, code):
    answer = Client().post(
        f"/api/v1/auth/{path}",
        json.dumps(sent),
        content_type="application/json",
        headers={"Accept": f"{PROBLEM}, application/json;q=0.5"},
    )

    told = answer.json()
    assert answer["Content-Type"] == PROBLEM
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert {"type", "title", "detail"} <= set(told)


# promise 0.5, 0.8, 0.19
@pytest.mark.parametrize(
    ("path", "flow", "said"),
    [
        (
            "register/",
            "begin",
            "An error occurred during registration. Please try again or contact support.",
        ),
        ("verify-otp/", "confirm", "An error occurred during verification. Please try again."),
    ],
)
@pytest.mark.parametrize("error", [RuntimeError, OperationalError, HashersBusy])
def test_a_fault_of_ours_is_told_in_the_words_of_the_design(monkeypatch, path, flow, said, error):
    program = Program()
    given = program.post("v1", "register/", email=ANA, **WHOLE)
    sent = {"email": "bea@example.com", **WHOLE, "user_id": given["user_id"], "otp": "123456"}

    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(f"accounts.flows.registration.{flow}", fail)
    program.client.raise_request_exception = False

    told = program.post("v1", path, sent)

    status = 500 if error is RuntimeError else 503
    assert (told.status, told.code) == (status, "unavailable")
    assert (told.sentence == said) == (status == 500)
    assert ("Retry-After" in told.headers) == (status == 503)


@pytest.mark.parametrize(
    "headers", [{"Accept": "text/html,application/xhtml+xml"}, {"Sec-Fetch-Mode": "navigate"}]
)
def test_a_browser_that_opens_the_link_of_a_program_finds_the_page_with_the_button(headers):
    given = link(Program())

    answer = Client().get("/api/v1/auth/verify-email/", {"token": given["token"]}, headers=headers)

    assert (answer.status_code, answer["Location"]) == (
        303,
        f"/verify-email/?token={given['token']}",
    )
    assert Program().get("v1", "verify-email/", token=given["token"])["message"] == (
        "Email verified successfully"
    )


# promise 2.12
def test_pages_of_other_origins_may_ask_and_bring_no_cookie(settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}

    preflight = Client().options("/api/auth/login/", headers=asked)
    answer = Client().post("/api/auth/login/", headers={"Origin": "https://app.example"})
    jwks = Client().get("/.well-known/jwks.json", headers={"Origin": "https://app.example"})
    page = Client().get("/login/", headers={"Origin": "https://app.example"})
    strange = Client().post("/api/auth/login/", headers={"Origin": "https://evil.example"})

    for each in (preflight, answer, jwks):
        assert each["Access-Control-Allow-Origin"] == "https://app.example"
        assert "Access-Control-Allow-Credentials" not in each
    assert preflight.status_code == 200
    assert "Retry-After" in answer["Access-Control-Expose-Headers"]
    for each in (page, strange):
        assert "Access-Control-Allow-Origin" not in each


# promise 2.14
@pytest.mark.parametrize(
    "url", ["/api/v1/openapi.json", "/api/openapi.json", "/api/v2/openapi.json"]
)
def test_a_document_of_each_space_costs_no_statement(url, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = Client().get(url)

    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert answer["Cache-Control"] == "public, max-age=600"
    # Every refusal has an example, in both shapes.
    for path in document["paths"].values():
        for operation in path.values():
            for status, told in operation["responses"].items():
                shown = [each.get("examples") for each in told["content"].values()]
                assert status.startswith("2") or all(shown), (operation["operationId"], status)


def test_what_is_documented_is_what_is_there():
    urls = ("/api/v1/openapi.json", "/api/openapi.json", "/api/v2/openapi.json")
    for space, url in zip(EVERY_SPACE, urls, strict=True):
        document = Client().get(url).json()
        rows = {
            (f"/{space.prefix}{call.path}/", each.lower())
            for call in space.calls
            for each in call.methods
        }
        if space.has_events:
            rows.add((f"/{space.prefix}{events.PATH}/", "get"))

        assert {
            (path, method) for path, found in document["paths"].items() for method in found
        } == rows


def test_a_program_that_a_shop_takes_for_a_bot_is_told_the_same(monkeypatch, postbox):  # ABU-06
    monkeypatch.setattr("accounts.conf.BOT_CHECK", "accounts.honeypot.trap")

    person = Program().post("v1", "register/", email=ANA, **WHOLE)
    bot = Program().post("v1", "register/", email="bot@example.com", memo="x", **WHOLE)

    assert (bot.status, set(bot.body)) == (person.status, set(person.body))
    assert len(postbox) == 1


@pytest.mark.parametrize(("space", "call"), CALLS)
def test_what_hashes_a_password_waits_in_the_lane_of_passwords(space, call):  # LIM-09
    request = RequestFactory().post(f"/{space.prefix}{call.path}/")

    takes = any(name.startswith("password") for name in call.takes.model_fields)
    assert takes_password(request) == takes == call.takes_password
