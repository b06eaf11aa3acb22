"""Django as an ASGI application without threads: its own synchronous handler in a lane, and async views awaited.

Django's ASGIHandler takes three threads a request for signals and closing alone, and one for each change between
synchronous and asynchronous middleware.
"""

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.core.signals import request_started
from django.http import HttpResponse, HttpResponseBase
from django.urls import set_script_prefix
from django.utils.module_loading import import_string

from asyncdb import bridge, pool, threads

REQUEST_TIMEOUT, CONTENT_TOO_LARGE, UNAVAILABLE = 408, 413, 503

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
View = Callable[..., Any]


class Disconnected(Exception):
    """The client hung up."""


class NativeHandler(BaseHandler):
    """An ASGI application: `NativeHandler(middleware=[...], urlconf="...")`.

    Middleware is synchronous and must not use the database. An async view is awaited, and calls `asyncdb.run` for
    what does; a plain view runs in a lane of its own with a connection. When the client hangs up, both are cancelled.
    """

    def __init__(
        self,
        *,
        middleware: Sequence[str] = (),
        urlconf: str | None = None,
        max_body: int = 64 * 1024,
        body_seconds: float = 20,
    ) -> None:
        super().__init__()
        self.middleware, self.urlconf = middleware, urlconf
        self.max_body, self.body_seconds = max_body, body_seconds
        self.load_middleware()

    def load_middleware(self, is_async: bool = False) -> None:
        """Put the middleware around the views, as Django does for its synchronous handler."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        chain = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        for path in reversed(self.middleware):
            try:
                instance = import_string(path)(chain)
            except MiddlewareNotUsed:
                continue
            if hasattr(instance, "process_view"):
                self._view_middleware.insert(0, instance.process_view)
            if hasattr(instance, "process_template_response"):
                self._template_response_middleware.append(instance.process_template_response)
            if hasattr(instance, "process_exception"):
                self._exception_middleware.append(instance.process_exception)
            chain = convert_exception_to_response(instance)
        self._middleware_chain = chain

    def resolve_request(self, request: Any) -> Any:
        """Find the view as Django does, and let it run from a lane."""
        callback, arguments, keywords = super().resolve_request(request)
        return self._from_lane(callback), arguments, keywords

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        # Django decodes strictly what HTTP does not promise to be UTF-8.
        query = scope["query_string"].decode(errors="replace")
        body = io.BytesIO()
        request = ASGIRequest({**scope, "query_string": query}, body)
        try:
            refusal = await self._read(request, body, receive)
            if refusal:
                await _send(await bridge.run(self.refuse, request, refusal), send)
            else:
                await _unless_gone(self._answer(request, send), receive)
        except Disconnected:
            return

    async def get_response_in_lane(self, request: ASGIRequest) -> HttpResponseBase:
        """Let Django answer. For an application that reads and sends by itself."""
        return await bridge.run(self._begin, request)

    def refuse(self, request: ASGIRequest, status: int) -> HttpResponseBase:
        """Answer a body that is too large (413) or did not come in time (408), and whoever finds no place (503)."""
        headers = {"Retry-After": "1"} if status == UNAVAILABLE else {"Connection": "close"}
        return HttpResponse(status=status, headers=headers)

    def _from_lane(self, view: View) -> View:
        """Let a lane call the view: an async one is awaited, a plain one has a lane and a connection of its own."""
        run: View = view if iscoroutinefunction(view) else _plain(view)

        @wraps(view)
        def call(request: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return bridge.await_in_lane(run(request, *args, **kwargs))
            except (pool.PoolFull, threads.ThreadsFull):
                return self.refuse(request, UNAVAILABLE)

        return call

    async def _answer(self, request: ASGIRequest, send: Send) -> None:
        response = await self.get_response_in_lane(request)
        try:
            await _send(response, send)
        finally:
            await bridge.run(response.close)

    def _begin(self, request: ASGIRequest) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(request.scope))
        request_started.send(sender=type(self), scope=request.scope)
        if self.urlconf:
            request.urlconf = self.urlconf
        response: HttpResponseBase = self.get_response(request)
        response._handler_class = type(self)  # type: ignore[attr-defined]  # for request_finished
        return response

    async def _read(self, request: ASGIRequest, body: io.BytesIO, receive: Receive) -> int:
        """Read the body; returns a status where it is refused, else 0."""
        stated = request.META.get("CONTENT_LENGTH", "")
        if stated.isdecimal() and int(stated) > self.max_body:
            return CONTENT_TOO_LARGE
        try:
            async with asyncio.timeout(self.body_seconds):
                is_whole = await _read_up_to(self.max_body, body, receive)
        except TimeoutError:
            return REQUEST_TIMEOUT
        body.seek(0)
        return 0 if is_whole else CONTENT_TOO_LARGE


def _plain(view: View) -> View:
    async def run(*args: Any, **kwargs: Any) -> Any:
        return await pool.run(view, *args, **kwargs)

    return run


async def _read_up_to(limit: int, body: io.BytesIO, receive: Receive) -> bool:
    """Read the body; says whether it ended within `limit` bytes."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body.write(message.get("body", b""))
        if body.tell() > limit:
            return False
        if not message.get("more_body"):
            return True


async def _unless_gone(answering: Any, receive: Receive) -> None:
    """Answer, and stop when the client hangs up. Raises Disconnected."""
    work = asyncio.ensure_future(answering)
    gone = asyncio.ensure_future(_disconnection(receive))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Disconnected
        await work
    finally:
        for task in (work, gone):
            task.cancel()
        # A flow that was cancelled rolls back before this request ends.
        await asyncio.gather(work, gone, return_exceptions=True)


async def _disconnection(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(response: HttpResponseBase, send: Send) -> None:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [
        (b"Set-Cookie", cookie.OutputString().encode("latin-1"))
        for cookie in response.cookies.values()
    ]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    async with aclosing(_parts(response)) as parts:
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _parts(response: Any) -> AsyncGenerator[bytes, None]:
    if not response.streaming:
        yield response.content
    elif response.is_async:
        async for part in response.streaming_content:
            yield part
    else:
        for part in response.streaming_content:
            yield part
