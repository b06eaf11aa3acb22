"""How a request comes to Django: read whole, refused by size, in a lane of its own kind (storefront/handler.py)."""

import asyncio
import threading

import pytest
from django import forms
from django.urls import URLResolver, get_resolver, reverse

from accounts import conf
from accounts.forms import PasswordField
from accounts.password_policy import hashers
from accounts.views.confirm import ConfirmCodeView
from accounts.views.registration import IdentifyView
from storefront import handler as handlers
from storefront.handler import BufferingHandler

RECEIPTS = "/receipts/5f0c3a52-1234-4678-9abc-123456789012/"


@pytest.fixture
def handler():
    return BufferingHandler()


def ask(handler, path="/livez", *pieces, method="GET", endless=False, **headers):
    """Send one request in pieces; returns the status, the headers and the content."""
    return asyncio.run(_ask(handler, path, pieces, method, endless, headers))


async def _ask(handler, path, pieces, method, endless, headers):
    sent, waiting = [], [*pieces] or [b""]

    async def receive():
        if not waiting:
            await asyncio.sleep(60)
        piece = waiting.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        more = endless or bool(waiting)
        return {"type": "http.request", "body": piece, "more_body": more}

    async def send(message):
        sent.append(message)

    given = {"host": "shop.example", "x-forwarded-proto": "https", **headers}
    await handler(scope(path, method, given), receive, send)
    if not sent:
        return None
    start, body = sent
    return start["status"], {k.lower(): v for k, v in start["headers"]}, body["body"]


def scope(path, method, headers):
    path, _mark, query = path.partition("?")
    return {
        "type": "http", "method": method, "path": path, "query_string": query.encode("latin-1"), "scheme": "https",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("203.0.113.7", 1234), "server": ("127.0.0.1", 8000),
    }  # fmt: skip


# Bodies


def test_an_answer_has_a_status_headers_and_a_length(handler):
    status, headers, content = ask(handler)

    assert (status, content) == (200, b"ok\n")
    assert headers[b"content-length"] == b"3"
    assert headers[b"x-request-id"]


def test_a_body_in_pieces_is_one_body(handler, db):
    status, _headers, content = ask(
        handler, "/register/", b'{"identifier"', b": 7", b"}", method="POST",
        content_type="application/json", cookie="csrftoken=a",
    )  # fmt: skip

    assert status == 403  # read as JSON, and refused for want of the token
    assert b"success" in content


@pytest.mark.parametrize(
    ("path", "limit"), [("/register/", conf.MAX_BODY), (RECEIPTS, conf.MAX_RECEIPTS_BODY)]
)
def test_no_more_is_read_than_shows_that_a_body_is_too_large(handler, db, path, limit):  # IDN-09
    pieces = [b"x" * 10_000] * (limit // 10_000 + 1)

    status, headers, _content = ask(handler, path, *pieces, method="POST", endless=True)

    assert status == 413
    assert headers[b"connection"] == b"close"


def test_a_body_that_says_it_is_too_large_is_not_read(handler):  # IDN-09
    status, headers, _content = ask(
        handler, "/register/", None, method="POST", content_length=str(conf.MAX_BODY + 1)
    )

    assert (status, headers[b"connection"]) == (413, b"close")


def test_a_body_that_does_not_come_is_not_waited_for(handler, monkeypatch):
    monkeypatch.setattr(handlers, "BODY_SECONDS", 0.05)

    status, headers, _content = ask(handler, "/register/", b"x", method="POST", endless=True)

    assert (status, headers[b"connection"]) == (408, b"close")


def test_whoever_hangs_up_half_way_has_asked_nothing(handler):
    assert ask(handler, "/register/", b"x", None, method="POST") is None


@pytest.mark.parametrize("path", ["/nowhere/?q=\xff\xfe", "/nowhere/?q=%ff", "/nowh\xe9re/"])
def test_an_address_that_is_no_text_is_an_address(handler, db, path):  # IDN-08
    assert ask(handler, path)[0] == 404


def test_a_header_with_an_underscore_is_nobody_else_s(handler, monkeypatch):  # LIM-06
    monkeypatch.setattr(conf, "TRUSTED_PROXY_COUNT", 1)
    forged = "0123456789abcdef"

    async def receive():
        return {"type": "http.request"}

    sent = []

    async def send(message):
        sent.append(message)

    asked = scope("/livez", "GET", {"host": "shop.example"})
    asked["headers"].append((b"x_request_id", forged.encode()))
    asyncio.run(handler(asked, receive, send))

    assert dict(sent[0]["headers"])[b"X-Request-ID"] != forged.encode()


# Crowds


async def _crowd(handler, paths):
    return await asyncio.gather(*(_ask(handler, path, [], "POST", False, {}) for path in paths))


def test_a_password_that_finds_no_thread_is_turned_away_and_pages_go_on(  # AVL-02
    handler, monkeypatch
):  # LIM-09
    monkeypatch.setattr(handler.passwords, "patience", 0.05)
    busy, done = threading.Event(), threading.Event()
    respond = handler._respond

    def slow(request):
        if request.path_info == "/login/" and not getattr(request, "found_busy", False):
            done.wait(5)
        elif request.path_info == "/livez":
            busy.set()
        return respond(request)

    monkeypatch.setattr(handler, "_respond", slow)

    async def crowd():
        many = asyncio.create_task(_crowd(handler, ["/login/"] * (conf.HASHES_AT_ONCE + 3)))
        await asyncio.sleep(0.2)
        alive = await _ask(handler, "/livez", [], "GET", False, {})
        done.set()
        return alive, await many

    alive, answers = asyncio.run(crowd())

    assert alive[0] == 200
    turned_away = [answer for answer in answers if answer[0] == 503]
    assert len(turned_away) == 3
    assert all(headers[b"retry-after"] for _status, headers, _content in turned_away)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [({}, "text/html"), ({"accept": "application/json"}, "application/json")],
)
def test_whoever_is_turned_away_hears_it_in_their_own_format(
    handler, monkeypatch, headers, kind
):  # WEB-04
    monkeypatch.setattr(handler.pages, "patience", 0.01)
    handler.pages.free = asyncio.Semaphore(0)

    status, answered, content = ask(handler, "/login/", **headers)

    assert status == 503
    assert answered[b"content-type"].decode().startswith(kind)
    assert answered[b"retry-after"] == b"5"
    assert b"Try again in a moment" in content


def test_there_are_only_as_many_hashes_at_once_as_the_machine_is_good_for(monkeypatch):  # LIM-09
    monkeypatch.setattr(hashers, "SLOTS", threading.BoundedSemaphore(1))
    monkeypatch.setattr(hashers, "PATIENCE", 0.01)
    hasher = hashers.Argon2id()

    with hashers._slot(), pytest.raises(hashers.HashersBusy):
        hasher.encode("a", "saltsaltsalt")
    assert hasher.verify("a", hasher.encode("a", "saltsaltsalt"))


def test_a_page_whose_hash_finds_no_slot_says_so(client, monkeypatch, db):
    def busy(*_arguments, **_keywords):
        raise hashers.HashersBusy

    monkeypatch.setattr("accounts.flows.passwords.make_password", busy)

    answer = client.post("/login/", {"identifier": "ana@example.com", "password": "x" * 20})

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def _pages(patterns):
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _pages(pattern.url_patterns)
        else:
            yield getattr(pattern.callback, "view_class", pattern.callback)


def _asks_for_password(view):
    fields = getattr(getattr(view, "form_class", None), "base_fields", {}).values()
    return any(
        isinstance(field, PasswordField) or isinstance(field.widget, forms.PasswordInput)
        for field in fields
    )


def test_every_page_that_asks_for_a_password_has_the_lane_of_passwords():  # LIM-09
    asking = {view for view in _pages(get_resolver().url_patterns) if _asks_for_password(view)}

    # Programs may send a password along with step 1, whose hash waits for a slot by itself; the other asks for none.
    asking -= {IdentifyView, ConfirmCodeView}
    assert asking
    assert not [view for view in asking if not getattr(view, "takes_password", False)]


@pytest.mark.parametrize("name", ["admin:login", "admin:password_change", "accounts:password"])
def test_so_has_a_page_that_chooses_its_form_itself(name):
    assert handlers.takes_password(handlers.ASGIRequest(scope(reverse(name), "POST", {}), None))
