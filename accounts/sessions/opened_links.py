"""The emailed links that this browser has opened: a cookie for each, which holds its token (REC-04).

A page names its link by a keyed reference, so that a tab acts on the link it shows, whatever else was opened since.
"""

from django.conf import settings

LINKS_MAX = 5
PREFIX = f"{settings.LINK_COOKIE_NAME}-"
SAMESITE = "Lax"


def open_now(request, challenge):
    """Let the rest of this request find the link of `challenge`, whose cookie leaves with its answer."""
    request.COOKIES[PREFIX + challenge.link_name] = challenge.link_token


def save(request, response, challenge):
    """Keep the link of `challenge`, a row that `find_by_token` found, for as long as it works.

    Of too many the one that was opened first goes.
    """
    mine = PREFIX + challenge.link_name
    # Browsers send the cookie that was made first first (RFC 6265 5.4).
    others = [name for name in request.COOKIES if name.startswith(PREFIX) and name != mine]
    for name in others[: 1 - LINKS_MAX]:
        _delete_cookie(response, name)
    response.set_cookie(
        mine,
        challenge.link_token,
        max_age=int(challenge.link_life.total_seconds()),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite=SAMESITE,
    )


def get_token(request, link):
    """The token of the link of this name, or "" if it is not open in this browser."""
    return request.COOKIES.get(PREFIX + link, "")


def drop(request, response, link):
    """Drop the link of this name, if it is open here."""
    if PREFIX + link in request.COOKIES:
        _delete_cookie(response, PREFIX + link)


def drop_all(request, response):
    """Drop every link that was open before this answer, which may have opened another one."""
    for name in request.COOKIES:
        if name.startswith(PREFIX) and name not in response.cookies:
            _delete_cookie(response, name)


def _delete_cookie(response, name):
    response.delete_cookie(name, samesite=SAMESITE)
