"""How a request comes to Django: a server reads it, and it takes a thread once all of it is there.

Whoever dawdles, with a head, a body or an answer, holds up a socket and nobody else.
"""

import asyncio
import io
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.http import HttpResponseBase
from django.urls import Resolver404, resolve, set_script_prefix

from accounts import conf
from storefront.middleware import body_limit
from storefront.observability import access_log
from storefront.observability.health import PROBES

logger = logging.getLogger(__name__)

# The whole body must be there within so many seconds. Of bodies that only receipts may have, so many are held at once.
BODY_SECONDS, LARGE_BODIES = 20, 16
# So long requests wait for a thread, then they are turned away: those with a password, and all others.
PASSWORD_PATIENCE, PATIENCE = 1.0, 10.0
REQUEST_TIMEOUT = 408
BODILESS = (204, 304)

Result = TypeVar("Result")
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Disconnected(Exception):
    """The client hung up before all of its request was there."""


class Lane:
    """Threads for one kind of request. The others of that kind wait outside, where waiting takes no thread."""

    def __init__(self, name: str, threads: int, patience: float | None = None) -> None:
        self.patience = patience
        self.free = asyncio.Semaphore(threads)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do the work in a thread. Raises TimeoutError when none was free for as long as `patience`."""
        async with asyncio.timeout(self.patience):
            await self.free.acquire()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.pool, work, *arguments)
        finally:
            self.free.release()


class BufferingHandler(BaseHandler):
    """Django's synchronous handler as an ASGI application.

    Passwords have a lane of their own, as wide as there may be hashes at once: however many sign in, pages have
    their threads, and whoever is turned away is turned away before anything of the request was counted (LIM-09).
    """

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()
        self.pages = Lane("page", conf.WEB_THREADS, PATIENCE)
        self.passwords = Lane("password", conf.HASHES_AT_ONCE, PASSWORD_PATIENCE)
        # One for each: whether the process is alive must not wait for figures that a database keeps back.
        self.probes = {path: Lane(path.strip("/"), 1) for path in PROBES}
        self.refusals = Lane("refusal", 1)
        self.large_bodies = asyncio.Semaphore(LARGE_BODIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read one request, answer it and write its line."""
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        begun = time.monotonic()
        body = io.BytesIO()
        # Django decodes strictly what HTTP does not promise to be UTF-8.
        query = scope["query_string"].decode(errors="replace")
        request = ASGIRequest({**scope, "query_string": query}, body)
        try:
            answer = await self._answer(request, body, receive)
        except Disconnected:
            return
        access_log.write(
            request, answer.status, answer.headers, len(answer.content), time.monotonic() - begun
        )
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        )
        await send({"type": "http.response.body", "body": answer.content})

    async def _answer(self, request: ASGIRequest, body: io.BytesIO, receive: Receive) -> "Answer":
        try:
            async with asyncio.timeout(BODY_SECONDS):
                is_whole = await self._read(request, body, receive)
        except TimeoutError:
            return Answer(REQUEST_TIMEOUT, [CLOSE, (b"content-length", b"0")], b"")
        body.seek(0)
        try:
            answer = await self._lane(request).run(self._respond, request)
        except TimeoutError:
            request.found_busy = True  # type: ignore[attr-defined]  # for the middleware
            answer = await self.refusals.run(self._respond, request)
        # What is still to come of a body that is too large nobody waits for.
        return answer if is_whole else answer._replace(headers=[*answer.headers, CLOSE])

    async def _read(self, request: ASGIRequest, body: io.BytesIO, receive: Receive) -> bool:
        """Read the body, and no more than shows that it is too large; says whether this is all of it."""
        limit = body_limit(request)
        stated = request.META.get("CONTENT_LENGTH", "")
        if stated.isdecimal() and int(stated) > limit:
            return False
        more = await _read_up_to(min(limit, conf.MAX_BODY), body, receive)
        if more and body.tell() <= limit:
            async with self.large_bodies:
                more = await _read_up_to(limit, body, receive)
        body.truncate(limit + 1)
        return not more

    def _lane(self, request: ASGIRequest) -> Lane:
        if request.path_info in PROBES:
            return self.probes[request.path_info]
        return self.passwords if takes_password(request) else self.pages

    def _respond(self, request: ASGIRequest) -> "Answer":
        """Let Django answer; in a thread."""
        set_script_prefix(get_script_prefix(request.scope))
        request_started.send(sender=type(self), scope=request.scope)
        response = self.get_response(request)
        try:
            content = b"".join(response)
        finally:
            response.close()
        return Answer(response.status_code, _headers(response, content), content)


class Answer(NamedTuple):
    """What is sent back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


CLOSE = (b"connection", b"close")


async def _read_up_to(limit: int, body: io.BytesIO, receive: Receive) -> bool:
    """Add to `body` until it has more than `limit` bytes; says whether there are more."""
    while body.tell() <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body.write(message.get("body", b""))
        if not message.get("more_body"):
            return False
    return True


def takes_password(request: ASGIRequest) -> bool:
    """Whether its view looks at a password, or makes a hash of one: a view says so by `takes_password`."""
    if request.method != "POST":
        return False
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return False
    return getattr(getattr(view, "view_class", view), "takes_password", False)


def _headers(response: HttpResponseBase, content: bytes) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [
        (b"Set-Cookie", cookie.OutputString().encode("latin-1"))
        for cookie in response.cookies.values()
    ]
    if not response.has_header("Content-Length") and response.status_code not in BODILESS:
        headers.append((b"Content-Length", str(len(content)).encode()))
    return headers
