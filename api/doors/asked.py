"""What both doors read of a request, whichever framework it came through."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from pydantic import ValidationError

from accounts import conf, honeypot
from accounts.models import Session
from accounts.sessions.client import client_info
from api.dialects import Call, Space
from api.errors import ShapeInvalid
from api.operations.base import Caller
from api.shapes import Shape


def get_caller(
    request: HttpRequest, space: Space, sent: Mapping[str, Any], session: Session | None
) -> Caller:
    """The program that sent this, signed in by `session` if it is."""
    return Caller(
        client=replace(client_info(request), space=space.name),
        session=session,
        is_bot=partial(honeypot.is_bot, request, sent),
        by_address=space.by_address and not conf.API_NEEDS_ATTEMPT,
    )


def read_shape(shape: type[Shape], sent: Mapping[str, Any]) -> Shape:
    """What was sent, in its shape. Raises ShapeInvalid."""
    try:
        return shape.model_validate(sent)
    except ValidationError as error:
        raise ShapeInvalid(error.errors(include_url=False, include_input=False)) from None


def parse_json(content: bytes) -> Any:
    """JSON as RFC 8259 has it: UTF-8, whatever the charset says. Raises ValueError, also for too deep."""
    try:
        return json.loads(content.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("too deep") from None


def is_of_foreign_page(request: HttpRequest) -> bool:
    """Whether a page sent this that is neither ours nor named in CORS_ALLOWED_ORIGINS.

    A browser asks before it sends JSON for such a page, but not before a form: every visitor of it could be made to
    send codes, with the allowance of their household (WEB-01). Programs that are no browser send no `Origin`.
    """
    origin = request.headers.get("Origin", "")
    ours = (f"{request.scheme}://{request.get_host()}", settings.SITE_URL)
    return bool(origin) and origin not in (*ours, *settings.CORS_ALLOWED_ORIGINS)


def page_response(request: HttpRequest, call: Call) -> HttpResponseRedirect | None:
    """Where a browser is led that opens the address of `call`: opening an address changes nothing (REC-01)."""
    if not (call.page and request.method == "GET" and _is_navigation(request)):
        return None
    query = urlencode({"token": request.GET.get("token", "")})
    response = HttpResponseRedirect(f"{reverse(call.page)}?{query}")
    response.status_code = HTTPStatus.SEE_OTHER
    return response


def _is_navigation(request: HttpRequest) -> bool:
    """Whether a browser opens the address, or something that looks like one: a person, or a scanner of mail."""
    if request.headers.get("Sec-Fetch-Mode") == "navigate":
        return True
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
