"""What is true of every answer, whoever gives it."""

import secrets

from django.utils.translation import gettext as _
from structlog.contextvars import bind_contextvars, clear_contextvars

from accounts import conf
from accounts.views import negotiation
from storefront.observability.health import PROBES
from storefront.observability.logging import REQUEST_ID


def every_answer(get_response):
    """Name every request, answer machines before anything else, and keep every answer out of caches (LOG-04, SES-08).

    Each log line of a request has its id: the one that a proxy of ours gave it, where there is one. From anybody else
    it would let a stranger write under the id of another's request (LIM-06). Only static files may be kept.
    """

    def middleware(request):
        given = request.META.get("HTTP_X_REQUEST_ID", "") if conf.TRUSTED_PROXY_COUNT else ""
        request.id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        # Not taken back at the end: Django logs a refused request after its middleware.
        clear_contextvars()
        bind_contextvars(request_id=request.id)
        response = PROBES.get(request.path_info, get_response)(request)
        response.headers["X-Request-ID"] = request.id
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


def refuse_large_bodies(get_response):
    """Turn away a body over MAX_BODY before anything reads it; providers may send more (IDN-09)."""

    def middleware(request):
        length = request.META.get("CONTENT_LENGTH") or "0"
        is_receipt = request.path_info.startswith("/receipts/")
        most = conf.MAX_RECEIPTS_BODY if is_receipt else conf.MAX_BODY
        if length.isdecimal() and int(length) <= most:
            # Read now: a client that dawdles with its body must not be judged by who it was when it began.
            request.body  # noqa: B018
            return get_response(request)
        return negotiation.error_response(
            request,
            413,
            heading=_("That is too much at once"),
            explanation=_("What was sent is larger than this site accepts."),
        )

    return middleware
