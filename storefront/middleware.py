"""What is true of every answer, whoever gives it."""

from django.utils.translation import gettext as _

from accounts import policy, responses


def no_store(get_response):
    """Keep every page, fragment and JSON answer out of caches; only static files may be kept (SES-08)."""

    def middleware(request):
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


def refuse_large_bodies(get_response):
    """Turn away a body over MAX_BODY before anything reads it (IDN-09)."""

    def middleware(request):
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) <= policy.MAX_BODY:
            return get_response(request)
        return responses.refuse(
            request,
            413,
            heading=_("That is too much at once"),
            explanation=_("What was sent is larger than this site accepts."),
        )

    return middleware
