"""How a request comes to the API on the event loop: no thread is taken, and a client that hangs up ends its queries."""

import asyncio
import io
import time
from contextlib import AsyncExitStack
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseBase

import asyncdb
from accounts import conf
from api.dialects_v2 import V2
from api.doors import refused
from asyncdb.handler import (
    CONTENT_TOO_LARGE,
    UNAVAILABLE,
    NativeHandler,
    Receive,
    Scope,
    Send,
)
from storefront.handler import BODY_SECONDS, PASSWORD_PATIENCE, BufferingHandler, takes_password
from storefront.observability import access_log

PREFIX = f"/{V2.prefix}"


class Site:
    """The whole site as one ASGI application: the space for new apps on the loop, everything else in threads."""

    def __init__(self) -> None:
        self.pages = BufferingHandler()
        self.programs = ProgramsHandler(self.pages.passwords.free)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        handler = self.programs if path.startswith(PREFIX) else self.pages
        await handler(scope, receive, send)


class ProgramsHandler(NativeHandler):
    """asyncdb's handler with the site's middleware, its access log and its turns for passwords.

    Whoever brings a password waits for one of `turns` before anything of the request is counted, as on pages (LIM-09):
    a process looks at so many passwords at once, whichever way they come.
    """

    def __init__(self, turns: asyncio.Semaphore | None = None) -> None:
        super().__init__(
            middleware=settings.NATIVE_MIDDLEWARE,
            urlconf="storefront.native_urls",
            max_body=conf.MAX_BODY,
            body_seconds=BODY_SECONDS,
        )
        self.turns = turns or asyncio.Semaphore(conf.HASHES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and write its line."""
        line = Line(scope, send)
        await super().__call__(scope, receive, line.send)

    async def get_response_in_lane(self, request: ASGIRequest) -> HttpResponseBase:
        """Let Django answer, passwords in their turn."""
        if not takes_password(request):
            return await super().get_response_in_lane(request)
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout(PASSWORD_PATIENCE):
                    await turn.enter_async_context(self.turns)
                    # A thread of somebody who hung up may be hashing still.
                    await turn.enter_async_context(asyncdb.thread_reserved())
            except (TimeoutError, asyncdb.ThreadsFull):
                request.found_busy = True  # type: ignore[attr-defined]  # for the middleware
            return await super().get_response_in_lane(request)

    def refuse(self, request: ASGIRequest, status: int) -> HttpResponseBase:
        """503 in the shape of the API; 413 by the middleware that refuses it on pages, too; 408 with nothing."""
        if status == UNAVAILABLE:
            return refused.unavailable(request)
        if status == CONTENT_TOO_LARGE:
            response = self._begin(request)
        else:
            response = HttpResponse(status=status, headers={"Content-Length": "0"})
        response.headers["Connection"] = "close"
        return response


class Line:
    """Writes the line of one answer in the access log, as its last part is sent."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._begun, self._size = time.monotonic(), 0
        self._start: dict[str, Any] = {}

    async def send(self, message: dict[str, Any]) -> None:
        """Pass on what is sent."""
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._size += len(message.get("body", b""))
            if not message.get("more_body"):
                self._write()
        await self._send(message)

    def _write(self) -> None:
        query = self._scope["query_string"].decode(errors="replace")
        request = ASGIRequest({**self._scope, "query_string": query}, io.BytesIO())
        seconds = time.monotonic() - self._begun
        access_log.write(
            request, self._start["status"], self._start["headers"], self._size, seconds
        )
