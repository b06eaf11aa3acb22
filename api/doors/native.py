"""The door for new apps, on django-ninja: each row is one operation, on the event loop or without one.

On a loop a row is awaited by `asyncdb.run`: no thread is taken but for hashes and the look-up of breached passwords.
Without one the same row is called. No rule and no sentence is here.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser

import asyncdb
from api import errors
from api.dialects import Call
from api.dialects_v2 import V2
from api.doors import asked, document, events, refused
from api.doors.bearer import session_of
from api.errors import RequestRefused, ShapeInvalid
from api.shapes import Shape

JSON = "application/json"
View = Callable[..., Any]


class StrictParser(Parser):
    """JSON alone, and an object."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Raise RequestRefused for what is none. Ninja wraps it, and `_tell_unreadable` takes it out."""
        if (request.content_type or "").strip().lower() != JSON:
            raise RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        body = asked.parse_json(request.body)
        if not isinstance(body, dict):
            raise RequestRefused(HTTPStatus.BAD_REQUEST)
        # With the members that no shape has, for whatever looks for programs that nobody wants.
        request.sent = body  # type: ignore[attr-defined]
        return body


class Bearer(document.Bearer):
    """The session of an access token, as Ninja's `request.auth`: found in a lane, where Ninja awaits it."""

    def __init__(self, *, is_async: bool) -> None:
        super().__init__()
        self.is_async = is_async

    def __call__(self, request: HttpRequest) -> Any:
        """Raise NotAuthenticated, TokenNotValid, PoolFull."""
        return asyncdb.run(session_of, request) if self.is_async else session_of(request)


def make_api(*, is_async: bool) -> NinjaAPI:
    """Ninja with every row of the space."""
    api = document.make_api(V2, urls_namespace="v2 native" if is_async else "v2")
    api.parser = StrictParser()
    handlers: dict[type[Exception], Any] = {
        ValidationError: _tell_invalid,
        HttpError: _tell_unreadable,
        asyncdb.PoolFull: _tell_full,
        Exception: _tell,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
    auth = Bearer(is_async=is_async)
    for call in V2.calls:
        for method in call.methods:
            make_view = _async_view if is_async else _view
            document.add(api, V2, call, method, make_view(call, method), auth)
    return api


def patterns(*, is_async: bool) -> list[URLPattern]:
    """The addresses of the space, each with and without the slash; async views for a server that awaits them."""
    api = make_api(is_async=is_async)
    urls, _app_name, _namespace = api.urls
    views = {str(each.pattern): each.callback for each in urls if isinstance(each, URLPattern)}
    found = [path("api/v2/openapi.json", document.document_view(V2, api), name="openapi-v2")]
    for route, calls in _rows_by_path().items():
        view = _finished(views[f"{route}/"], calls, is_async=is_async)
        ours = route.replace("<", "<str:")
        found += [path(f"{ours}/", view, name=f"v2-{calls[0].name}"), path(ours, view)]
    found += events.patterns(V2.prefix, is_async=is_async)
    return [*found, path(f"{V2.prefix}<path:rest>", _unknown if not is_async else _async_unknown)]


def _rows_by_path() -> dict[str, list[Call]]:
    rows: dict[str, list[Call]] = {}
    for call in V2.calls:
        route = f"{V2.prefix}{call.path}".replace("{", "<").replace("}", ">")
        rows.setdefault(route, []).append(call)
    return rows


def _view(call: Call, method: str) -> View:
    """What Ninja calls for a row."""

    def view(request: HttpRequest, sent: Any) -> JsonResponse:
        return _perform(call, sent, request)

    def bare_view(request: HttpRequest) -> JsonResponse:
        return _perform(call, call.takes(), request)

    return bare_view if document.takes_of(call, method) is None else view


def _async_view(call: Call, method: str) -> View:
    """What Ninja awaits for a row."""

    async def view(request: HttpRequest, sent: Any) -> JsonResponse:
        return await asyncdb.run(_perform, call, sent, request)

    async def bare_view(request: HttpRequest) -> JsonResponse:
        return await asyncdb.run(_perform, call, call.takes(), request)

    return bare_view if document.takes_of(call, method) is None else view


def _perform(call: Call, sent: Shape, request: HttpRequest) -> JsonResponse:
    """Do what the row says, and tell what it refuses."""
    told = getattr(request, "sent", {})
    caller = asked.get_caller(request, V2, told, getattr(request, "auth", None))
    row = call.choose(sent)
    try:
        return JsonResponse(row.perform(sent, caller), status=row.status)
    except Exception as error:
        problem = row.find_problem(error)
        if problem is None:
            raise
        return refused.respond(request, problem)


def _finished(view: View, calls: list[Call], *, is_async: bool) -> View:
    """Ninja's view of one address, with what Ninja leaves out: methods, browsers and empty bodies."""
    allowed = [method for call in calls for method in call.methods]

    @wraps(view)
    def finished(request: HttpRequest, **named: Any) -> HttpResponseBase:
        return _varied(_before(request, calls, allowed) or view(request, **named))

    @wraps(view)
    async def async_finished(request: HttpRequest, **named: Any) -> HttpResponseBase:
        return _varied(_before(request, calls, allowed) or await view(request, **named))

    chosen: View = async_finished if is_async else finished
    # For whoever asks about a view: Django's check of forms, the queue of passwords, the words of a fault.
    vars(chosen).update(
        csrf_exempt=True,
        takes_password=any(call.takes_password for call in calls),
        call=calls[0],
    )
    return chosen


def _before(
    request: HttpRequest, calls: Iterable[Call], allowed: list[str]
) -> HttpResponseBase | None:
    """The answer to what is not for the row; None for what is."""
    if request.method not in allowed:
        return refused.refuse(
            request, HTTPStatus.METHOD_NOT_ALLOWED, "not_found", Allow=", ".join(allowed)
        )
    for call in calls:
        response = asked.page_response(request, call)
        if response is not None:
            return response
    if not request.body:
        # An empty body is an empty object: which members are missing, the form says.
        request._body, request.META["CONTENT_TYPE"] = b"{}", JSON
        request.content_type = JSON
    return None


def _varied(response: HttpResponseBase) -> HttpResponseBase:
    patch_vary_headers(response, ["Accept"])
    return response


def _tell(request: HttpRequest, error: Exception) -> HttpResponseBase:
    """What is refused before a row is asked. What is a fault of ours is Django's to tell and to log."""
    problem = errors.find_problem(error)
    if problem is None:
        raise error
    return refused.respond(request, problem)


def _tell_invalid(request: HttpRequest, error: ValidationError) -> HttpResponseBase:
    """Members of wrong types, which Ninja finds: 400, not its 422."""
    return _tell(request, ShapeInvalid(error.errors))


def _tell_unreadable(request: HttpRequest, error: HttpError) -> HttpResponseBase:
    """A body that Ninja could not read."""
    cause = error.__cause__
    known = isinstance(cause, RequestRefused)
    return _tell(request, cause if known else RequestRefused(HTTPStatus.BAD_REQUEST))  # type: ignore[arg-type]


def _tell_full(request: HttpRequest, _error: asyncdb.PoolFull) -> HttpResponseBase:
    """All connections to the database are in use."""
    return refused.unavailable(request)


@csrf_exempt
def _unknown(request: HttpRequest, rest: str) -> HttpResponseBase:
    return refused.unknown(request)


async def _async_unknown(request: HttpRequest, rest: str) -> HttpResponseBase:
    return refused.unknown(request)
