"""Server-sent events of a code's delivery: for an attempt to register what its page says, for anything else silence.

Who asks for the attempt of a sign-in, or for one that nobody began, gets the same bytes at the same times: what becomes
of a message would else tell who has an account (ENU-01, ENU-03).
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.cache import patch_vary_headers

import asyncdb
from accounts import outages
from accounts.sessions.client import client_info
from api import errors
from api.doors import refused
from api.operations.news import News, read_news
from asyncdb import listen

PATH = "attempts/{id}/events"
EVENT_STREAM = "text/event-stream"
CHANNEL = "outbox_settled"
# A sign of life, for whatever stands between and hangs up on silence.
BEAT_SECONDS = 15.0
# A stream ends with the last code that was asked for, and its client begins another one if it still wants to know.
STREAM_SECONDS = 600.0
# What is said of a message changes with its age alone this long after it was asked for (accounts/delivery.py).
LOOKS = (2.2, 10.5)
# Of a process, and how many of them one household may hold: else a stranger would take the news from everybody else.
MOST_STREAMS, HOUSEHOLD_STREAMS = 5000, 1250
BEGINNING, BEAT = b": hello\nretry: 5000\n\n", b":\n\n"

# The streams of each household.
_open: Counter[str] = Counter()


def patterns(prefix: str, *, is_async: bool) -> list[URLPattern]:
    """The address of the streams, with and without the slash."""
    view = stream if is_async else look
    route = f"{prefix}{PATH.replace('{id}', '<str:handle>')}"
    return [path(f"{route}/", view, name="v2-events"), path(route, view)]


async def stream(request: HttpRequest, handle: str) -> HttpResponseBase:
    """Tell news as they come, on the loop."""
    if request.method != "GET":
        return _not_allowed(request)
    # In IPv6 the widest network that one customer gets.
    household = client_info(request).networks[-1][0]
    if _open.total() >= MOST_STREAMS or _open[household] >= HOUSEHOLD_STREAMS:
        return refused.unavailable(request)
    return _streamed(StreamingHttpResponse(_tell(_parse(handle), household)))


def look(request: HttpRequest, handle: str) -> HttpResponseBase:
    """Tell what there is to tell and end, where a stream would keep a thread; an EventSource asks again by itself."""
    if request.method != "GET":
        return _not_allowed(request)
    news = _read(_parse(handle))
    return _streamed(HttpResponse(BEGINNING + (_event(news) if news else b"")))


def _described_refusals() -> dict[str, Any]:
    """What is answered instead of a stream, by status."""
    problems = [
        errors.unavailable_problem(HTTPStatus.INTERNAL_SERVER_ERROR),
        errors.unavailable_problem(HTTPStatus.SERVICE_UNAVAILABLE),
    ]
    unreadable = errors.find_problem(errors.RequestRefused(HTTPStatus.BAD_REQUEST))
    return {
        str(int(each.status)): {
            "description": HTTPStatus(each.status).phrase,
            "content": {
                errors.PROBLEM_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemOut"},
                    "examples": {
                        each.code: {"summary": each.sentence, "value": errors.render_problem(each)}
                    },
                }
            },
        }
        for each in filter(None, [unreadable, *problems])
    }


def describe() -> dict[str, Any]:
    """How the streams stand in the document of their space."""
    shown = _event(News(about=UUID(int=0), state="delivered", words="Delivered to your phone."))
    schema = {
        "type": "string",
        "description": "One such event for each thing that happens.",
        "examples": [shown.decode()],
    }
    operation = {
        "operationId": "attempt_events",
        "summary": "Hear what becomes of the code of a registration",
        "description": (
            "Server-sent events `delivery`, with `queued`, `delayed`, `sent`, `delivered`, `bounced` or `over`. "
            "Of every other attempt, and of none, the stream is open and says nothing. It ends after ten minutes; "
            "a server without an event loop ends it after what it knows, and an EventSource asks again."
        ),
        "parameters": [
            {
                "in": "path",
                "name": "id",
                "required": True,
                "description": "The `user_id` or `attempt` of the registration.",
                "schema": {"type": "string"},
            }
        ],
        "responses": {
            "200": {
                "description": "OK",
                "content": {EVENT_STREAM: {"schema": schema}},
            },
            **_described_refusals(),
        },
    }
    return {"get": operation}


async def _tell(handle: UUID | None, household: str) -> AsyncIterator[bytes]:
    """What is sent of one stream. Where there is trouble it ends, and its client asks again."""
    _open[household] += 1
    try:
        yield BEGINNING
        async for part in _parts(handle):
            yield part
    except asyncdb.PoolFull:
        return
    except Exception as error:
        if not outages.is_outage(error):
            raise
    finally:
        _open[household] -= 1
        if not _open[household]:
            del _open[household]


async def _parts(handle: UUID | None) -> AsyncIterator[bytes]:
    clock, told = asyncio.get_running_loop().time, None
    begun = clock()
    news = await asyncdb.run(_read, handle)
    looks = [begun + each for each in LOOKS] if news else []
    # Whoever is told nothing waits for what nobody says.
    with listen.listener(CHANNEL).subscribed(str(news.about) if news else "") as word:
        while clock() < begun + STREAM_SECONDS:
            if news and news != told:
                told = news
                yield _event(news)
            is_woken = await _wait(word, looks[0] - clock() if looks else BEAT_SECONDS)
            if not (is_woken or looks):
                yield BEAT
                continue
            if not is_woken:
                looks.pop(0)
            news = await asyncdb.run(_read, handle) or news


async def _wait(word: asyncio.Event, seconds: float) -> bool:
    """Wait for a word; says whether there was one."""
    try:
        async with asyncio.timeout(seconds):
            await word.wait()
    except TimeoutError:
        return False
    word.clear()
    return True


def _read(handle: UUID | None) -> News | None:
    return read_news(handle) if handle else None


def _parse(handle: str) -> UUID | None:
    try:
        return UUID(handle)
    except ValueError:
        return None


def _event(news: News) -> bytes:
    data = json.dumps({"delivery": news.state, "message": news.words})
    return f"event: delivery\ndata: {data}\n\n".encode()


def _streamed(response: HttpResponseBase) -> HttpResponseBase:
    response.headers["Content-Type"] = EVENT_STREAM
    # A proxy that gathers what it passes on would pass on nothing.
    response.headers["X-Accel-Buffering"] = "no"
    patch_vary_headers(response, ["Accept"])
    return response


def _not_allowed(request: HttpRequest) -> HttpResponseBase:
    return refused.refuse(request, HTTPStatus.METHOD_NOT_ALLOWED, "not_found", Allow="GET")
