"""Django as an ASGI application without threads: views of both kinds, synchronous middleware, clients that hang up."""

import asyncio
import sys
import time

import pytest
from asgiref.sync import SyncToAsync
from django.core.exceptions import PermissionDenied
from django.core.signals import request_finished
from django.db import connection, transaction
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

import asyncdb
from accounts.models.sms_countries import SmsCountry
from asyncdb.handler import NativeHandler
from tests.support.lanes import on_loop

HERE = sys.modules[__name__].__name__
SEEN = []


def count():
    return SmsCountry.objects.count()


async def awaits(request):
    return JsonResponse({"rows": await asyncdb.run(count), "posted": request.body.decode()})


def plain(request):
    return JsonResponse({"rows": count(), "in_lane": asyncdb.in_lane()})


def sleep(seconds):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


async def slow(request):
    def work():
        with transaction.atomic():
            SmsCountry.objects.create(code="GB")
            sleep(5)

    SEEN.append("begun")
    await asyncdb.run(work)
    return HttpResponse("done")


async def streams(request):
    async def parts():
        try:
            for number in range(1000):
                yield f"{number}\n"
                await asyncio.sleep(0.01)
        finally:
            SEEN.append("stream ended")

    return StreamingHttpResponse(parts(), content_type="text/event-stream")


def streams_plainly(request):
    return StreamingHttpResponse(iter([b"a", b"b"]))


async def fails(request):
    raise ValueError("ours")


def denied(request):
    raise PermissionDenied


urlpatterns = [
    path("awaits", awaits),
    path("plain", plain),
    path("slow", slow),
    path("streams", streams),
    path("streams-plainly", streams_plainly),
    path("fails", fails),
    path("denied", denied),
]


def stamp(get_response):
    def middleware(request):
        SEEN.append(f"before {request.path}")
        response = get_response(request)
        response.headers["X-Stamp"] = "1"
        response.set_cookie("stamp", "1")
        return response

    return middleware


class Catches:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs):
        SEEN.append(view.__name__)

    def process_exception(self, request, exception):
        return HttpResponse("caught", status=503) if isinstance(exception, ValueError) else None


@pytest.fixture
def hops(monkeypatch):
    made = []
    monkeypatch.setattr(SyncToAsync, "__call__", lambda *args, **kwargs: made.append(args))
    SEEN.clear()
    return made


async def ask(handler, address, *pieces, headers=(), gone_after=None):
    """Send one request; returns the status, the headers and the body. Hangs up after so many seconds, if any."""
    sent, waiting = [], list(pieces or [b""])

    async def receive():
        if waiting:
            piece = waiting.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(waiting)}
        await asyncio.sleep(60 if gone_after is None else gone_after)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": address, "raw_path": address.encode(), "root_path": "",
        "query_string": b"", "headers": list(headers), "server": ("shop.example", 443), "scheme": "https",
    }  # fmt: skip
    await handler(scope, receive, send)
    if not sent:
        return None
    body = b"".join(each.get("body", b"") for each in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


def asked(address, *pieces, **options):
    limits = {key: options.pop(key) for key in ("max_body", "body_seconds") if key in options}
    handler = NativeHandler(middleware=[f"{HERE}.stamp", f"{HERE}.Catches"], urlconf=HERE, **limits)
    return on_loop(lambda: ask(handler, address, *pieces, **options))


def test_an_async_view_and_a_plain_one_answer_without_a_thread(hops):  # promise 0.16
    status, headers, body = asked("/awaits", b"he", b"llo")
    assert (status, body) == (200, b'{"rows": 1, "posted": "hello"}')
    assert headers[b"X-Stamp"] == b"1"
    assert headers[b"Set-Cookie"].startswith(b"stamp=1")

    assert asked("/plain")[2] == b'{"rows": 1, "in_lane": true}'
    assert SEEN == ["before /awaits", "awaits", "before /plain", "plain"]
    assert hops == []


def test_errors_become_answers_as_in_django(hops):
    assert asked("/fails")[::2] == (503, b"caught")
    assert asked("/denied")[0] == 403
    assert asked("/nowhere")[0] == 404
    assert hops == []


@pytest.mark.parametrize("address", ["/awaits", "/plain"])
def test_whoever_finds_the_pool_full_is_asked_to_come_again_within_two_seconds(address, pool_of):
    async def main():
        handler = NativeHandler(urlconf=HERE)
        holder = asyncio.create_task(asyncdb.run(sleep, 0.6))
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        status, headers, _body = await ask(handler, address)
        took = time.monotonic() - begun
        await holder
        return status, headers[b"Retry-After"], took < 2, (await ask(handler, address))[0]

    pool_of(1)

    assert on_loop(main) == (503, b"1", True, 200)


def test_a_body_that_is_too_large_or_too_slow_is_refused():
    assert asked("/awaits", b"x" * 10, b"x" * 10, max_body=15)[0] == 413
    assert asked("/awaits", headers=[(b"content-length", b"999999")], max_body=15)[0] == 413

    async def never():
        await asyncio.sleep(60)

    async def main():
        handler = NativeHandler(urlconf=HERE, body_seconds=0.05)
        sent = []

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/awaits",
            "query_string": b"",
            "headers": [],
        }
        await handler(scope, never, send)
        return sent[0]["status"]

    assert on_loop(main) == 408


def test_a_client_that_hangs_up_ends_its_query_and_takes_its_rows_back(hops):
    begun = time.monotonic()

    assert asked("/slow", gone_after=0.3) is None

    assert time.monotonic() - begun < 3
    assert SEEN[-1] == "begun"
    assert not SmsCountry.objects.filter(code="GB").exists()


def test_a_client_that_hangs_up_before_it_has_asked_is_nobody():
    async def main():
        async def receive():
            return {"type": "http.disconnect"}

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/awaits",
            "query_string": b"",
            "headers": [],
        }
        await NativeHandler(urlconf=HERE)(scope, receive, None)

    on_loop(main)


def test_a_stream_goes_out_in_parts_and_ends_with_its_client(hops):
    assert asked("/streams-plainly")[2] == b"ab"

    status, _headers, body = asked("/streams", gone_after=0.2)

    assert status == 200
    assert body.startswith(b"0\n1\n2\n")
    assert SEEN[-1] == "stream ended"


def test_the_end_of_a_request_is_told(hops):
    finished = []

    def note(sender, **kwargs):
        finished.append(sender)

    request_finished.connect(note)
    try:
        asked("/awaits")
    finally:
        request_finished.disconnect(note)

    assert finished == [NativeHandler]


def test_what_is_no_request_is_refused():
    with pytest.raises(ValueError, match="websocket"):
        on_loop(lambda: NativeHandler()({"type": "websocket"}, None, None))
