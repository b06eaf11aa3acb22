"""The sync door, on Django REST framework: one view for every row of a dialect. No rule and no sentence is here."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, FormParser, JSONParser, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.dialects import Call, Space
from api.doors import asked, refused
from api.doors.bearer import session_of
from api.errors import RequestRefused


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
            return asked.parse_json(stream.read())
        except ValueError:
            raise ParseError from None


class JSONAlways(BaseContentNegotiation):
    """Answers JSON to whoever asks for whatever; refusals are told as RFC 9457 to whoever asks for that."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        """The parser of the type that was sent, or None; also for a form of a page that nobody named."""
        sent = (request.content_type or "").partition(";")[0].strip().lower()
        parser = next((each for each in parsers if each.media_type == sent), None)
        is_form = parser is not None and not isinstance(parser, JSONParser)
        return None if is_form and asked.is_of_foreign_page(request._request) else parser

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
        return asked.page_response(request._request, self.call) or self._answer(request, {})

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
        plain = request._request
        session = session_of(plain) if self.call.needs_bearer else None
        query = request.query_params.dict() if "GET" in self.call.methods else {}
        sent = {**query, **body}
        caller = asked.get_caller(plain, self.space, sent, session)
        shape = asked.read_shape(self.call.takes, sent)
        return Response(self.call.perform(shape, caller), self.call.status)

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


def _without_framework(error: Exception) -> Exception:
    """What the framework and Django refuse, as a refusal of ours."""
    if isinstance(error, UnsupportedMediaType):
        return RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if isinstance(error, ParseError | SuspiciousOperation):
        return RequestRefused(HTTPStatus.BAD_REQUEST)
    return error
