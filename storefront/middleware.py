"""What is done around every view: an id for each request, no caching, no large bodies."""

import secrets

from django.utils.translation import gettext as _
from structlog.contextvars import bind_contextvars, clear_contextvars

from accounts import conf
from accounts.errors import TOO_LARGE
from accounts.password_policy.hashers import HashersBusy
from accounts.views import negotiation
from api.doors import refused
from storefront.observability.logging import REQUEST_ID


def request_id(get_response):
    """Bind each log line of a request to its id, and say that id in the answer (LOG-04).

    The id is the one that a proxy of ours gave the request, where there is one. From anybody else it would let a
    stranger write under the id of another's request (LIM-06).
    """

    def middleware(request):
        given = request.META.get("HTTP_X_REQUEST_ID", "") if conf.TRUSTED_PROXY_COUNT else ""
        request.id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        # Not taken back at the end: Django logs a refused request after its middleware.
        clear_contextvars()
        bind_contextvars(request_id=request.id)
        response = get_response(request)
        response.headers["X-Request-ID"] = request.id
        return response

    return middleware


def no_store(get_response):
    """Keep every answer out of caches (SES-08). Only static files, which say so themselves, may be kept."""

    def middleware(request):
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


def plain_headers(get_response):
    """Write headers of other people's programs as the rest of the site reads them (IDN-10, WEB-04).

    A scheme has no case, and parameters of a media type other than its weight, like a charset, choose nothing here.
    """

    def middleware(request):
        meta = request.META
        if "HTTP_X_FORWARDED_PROTO" in meta:
            meta["HTTP_X_FORWARDED_PROTO"] = meta["HTTP_X_FORWARDED_PROTO"].lower()
        if ";" in meta.get("HTTP_ACCEPT", ""):
            meta["HTTP_ACCEPT"] = ",".join(map(_type_and_weight, meta["HTTP_ACCEPT"].split(",")))
        return get_response(request)

    return middleware


def _type_and_weight(accepted):
    media_type, *parameters = accepted.split(";")
    weights = (each for each in parameters if each.strip().lower().startswith("q="))
    return ";".join([media_type, *weights])


class BusyResponseMiddleware:
    """503 for a request that found no thread (storefront/handler.py), before it costs anything, or no free hasher."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if getattr(request, "found_busy", False):
            return busy(request)
        return self.get_response(request)

    def process_exception(self, request, exception):
        """Answer for the view."""
        return busy(request) if isinstance(exception, HashersBusy) else None


def busy(request):
    """503: a moment later there may be a thread, or a hasher."""
    if refused.is_api(request):
        return refused.unavailable(request)
    return negotiation.unavailable_response(
        request,
        heading=_("There is a crowd at the door"),
        explanation=_("More people are here than we can serve at once. Try again in a moment."),
    )


def limit_body_size(get_response):
    """Turn away a body over MAX_BODY before anything reads it; providers may send more (IDN-09)."""

    def middleware(request):
        length, limit = request.META.get("CONTENT_LENGTH") or "0", body_limit(request)
        # Read now: a client that dawdles with its body must not be judged by who it was when it began.
        if length.isdecimal() and int(length) <= limit and len(request.body) <= limit:
            return get_response(request)
        if refused.is_api(request):
            return refused.refuse(request, 413)
        return negotiation.error_response(
            request,
            413,
            heading=_("That is too much at once"),
            explanation=TOO_LARGE,
        )

    return middleware


def body_limit(request):
    """How many bytes the body of `request` may have."""
    is_receipt = request.path_info.startswith("/receipts/")
    return conf.MAX_RECEIPTS_BODY if is_receipt else conf.MAX_BODY
