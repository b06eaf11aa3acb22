"""The sync door, on Django REST framework: one view for every row of a dialect. No rule and no sentence is here."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.cache import patch_vary_headers
from pydantic import ValidationError
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, FormParser, JSONParser, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import conf, honeypot
from accounts.sessions.client import client_info
from api.dialects import Call, Space
from api.doors import refused
from api.doors.bearer import session_of
from api.errors import RequestRefused, ShapeInvalid
from api.operations.base import Caller
from api.shapes import Shape


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it: UTF-8, whatever the charset says, and no deeper than we can read."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Raise ParseError for what is no JSON."""
        try:
            return json.loads(stream.read(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise ParseError from None


class JSONAlways(BaseContentNegotiation):
    """Answers JSON to whoever asks for whatever; refusals are told as RFC 9457 to whoever asks for that."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        """The parser of the type that was sent, or None."""
        sent = (request.content_type or "").partition(";")[0].strip().lower()
        return next((each for each in parsers if each.media_type == sent), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """The only one there is."""
        return renderers[0], renderers[0].media_type


class OperationView(APIView):
    """One row of a space: reads the shape, lets the row do its work, renders the answer or the refusal."""

    space: Space
    call: Call
    # Nobody is led here by a `next` that a stranger wrote.
    is_destination = False

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = (StrictJSONParser, FormParser, MultiPartParser)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = JSONAlways

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a method that the row does not have, before anything is read."""
        super().initial(request, *args, **kwargs)
        if request.method not in self.call.methods:
            allowed = ", ".join(self.allowed_methods)
            raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, "not_found", Allow=allowed)

    @property
    def allowed_methods(self) -> list[str]:
        return list(self.call.methods)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, or lead a browser to the page with the button: opening an address changes nothing (REC-01)."""
        if self.call.page and _is_navigation(request):
            query = urlencode({"token": request.query_params.get("token", "")})
            response = HttpResponseRedirect(f"{reverse(self.call.page)}?{query}")
            response.status_code = HTTPStatus.SEE_OTHER
            return response
        return self._answer(request, {})

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Do what the row says."""
        return self._answer(request, self._body(request))

    def handle_exception(self, exc: Exception) -> Response:
        """Tell what was refused. What is a fault of ours is Django's to tell and to log."""
        problem = self.call.find_problem(_without_framework(exc))
        if problem is None:
            raise exc
        request = self.request._request
        told, content_type = refused.render(self.space, request, problem)
        return Response(
            told, problem.status, headers=dict(problem.headers), content_type=content_type
        )

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Let caches know that the shape depends on what is asked for."""
        patch_vary_headers(response, ["Accept"])
        return super().finalize_response(request, response, *args, **kwargs)

    def _answer(self, request: Request, body: Mapping[str, Any]) -> Response:
        query = request.query_params.dict() if "GET" in self.call.methods else {}
        sent = {**query, **body}
        caller = self._caller(request._request, sent)
        return Response(self.call.perform(_read(self.call.takes, sent), caller), self.call.status)

    def _caller(self, request: HttpRequest, sent: Mapping[str, Any]) -> Caller:
        authorization = request.headers.get("Authorization", "")
        return Caller(
            client=replace(client_info(request), space=self.space.name),
            session=session_of(authorization) if self.call.needs_bearer else None,
            is_bot=partial(honeypot.is_bot, request, sent),
            by_address=self.space.by_address and not conf.API_NEEDS_ATTEMPT,
        )

    def _body(self, request: Request) -> dict[str, Any]:
        """What was sent. Raises RequestRefused for what is neither a form nor an object."""
        try:
            body = request.data
        except (LookupError, ValueError):
            # A charset of nobody's.
            raise ParseError from None
        if not isinstance(body, Mapping):
            raise ParseError
        return body.dict() if hasattr(body, "dict") else dict(body)


def patterns(space: Space) -> list[URLPattern]:
    """The addresses of a space, each with and without the slash; the name is that of the first."""
    found = []
    for call in space.calls:
        parts = {"space": space, "call": call, "takes_password": call.takes_password}
        view_class: type[OperationView] = type("OperationView", (OperationView,), parts)
        view = view_class.as_view()
        found += [
            path(f"{space.prefix}{call.path}/", view, name=call.name),
            path(f"{space.prefix}{call.path}", view),
        ]
    return found


def _read(shape: type[Shape], sent: Mapping[str, Any]) -> Shape:
    try:
        return shape.model_validate(sent)
    except ValidationError as error:
        raise ShapeInvalid(error) from None


def _is_navigation(request: Request) -> bool:
    """Whether a browser opens the address, or something that looks like one: a person, or a scanner of mail."""
    if request.headers.get("Sec-Fetch-Mode") == "navigate":
        return True
    known = ["application/json", "text/html"]
    return request._request.get_preferred_type(known) == "text/html"


def _without_framework(error: Exception) -> Exception:
    """What the framework and Django refuse, as a refusal of ours."""
    if isinstance(error, UnsupportedMediaType):
        return RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if isinstance(error, ParseError | SuspiciousOperation):
        return RequestRefused(HTTPStatus.BAD_REQUEST)
    return error


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
