"""Django's session and authentication middleware, taught our session rows."""

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, middleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

from accounts import conf, outages
from accounts.sessions import opened_links
from accounts.sessions.client import client_info
from accounts.sessions.store import STAFF_BACKEND

SERVER_ERROR = 500


class SessionMiddleware(DjangoSessionMiddleware):
    """Saves what changed; takes the cookie away only at sign-out.

    Two clicks with one cookie: the first rotates the session, the second finds its row gone. Django would
    answer the second by deleting the cookie the first has just set, or with a bare 400. We let it pass (COD-11).
    """

    def process_request(self, request):
        """Give the session store the client its row will name."""
        super().process_request(request)
        request.session.client = client_info(request)

    def process_response(self, request, response):
        session = request.session
        if session.accessed:
            patch_vary_headers(response, ("Cookie",))
        if response.status_code >= SERVER_ERROR:
            # What it began was rolled back: a cookie of it would name what is not there, or end the page's own form.
            response.cookies.clear()
        else:
            _hand_over(request, response)
        if session.ended and session.is_empty():
            response.delete_cookie(
                settings.SESSION_COOKIE_NAME, samesite=settings.SESSION_COOKIE_SAMESITE
            )
        elif _has_news(session) and response.status_code < SERVER_ERROR:
            _save(session, response)
        elif _is_used(request):
            with outages.left_out_in_outage("a session was used"):
                session.row.touch()
        return response


class AuthenticationMiddleware(middleware.AuthenticationMiddleware):
    """Puts the user on the request: read together with the session, in the same statement."""

    def process_request(self, request):
        """Look no further than the session row until somebody asks."""
        request.user = SimpleLazyObject(lambda: get_user(request))


def _is_used(request):
    """Whether somebody is signed in here, and it is time to note that: not a member of staff in the shop."""
    row = request.session.row
    return row and row.user_id and row.is_touch_due and request.user.is_authenticated


def _hand_over(request, response):
    """Let the browser know whose it is from now on, if that has changed."""
    session = request.session
    if session.trusted_browsers_cookie:
        _set_cookie(
            response,
            settings.TRUSTED_BROWSERS_COOKIE_NAME,
            session.trusted_browsers_cookie,
            int(conf.TRUSTED_BROWSER_TTL.total_seconds()),
        )
    if session.signed_in or session.trusted_browsers_cookie or session.ended:
        # Somebody signed in or out, or has a new password: a link that was opened before may be another person's.
        opened_links.drop_all(request, response)


def _has_news(session):
    """Whether the browser must learn of a session: it was written in a transaction, or is to be written now."""
    return session.is_written or (session.modified and not session.is_empty())


def _save(session, response):
    if session.modified:
        session.write()
    if not session.is_written:
        return
    # None: until the browser is closed, for whoever did not ask to stay signed in.
    age = None if session.get_expire_at_browser_close() else settings.SESSION_COOKIE_AGE
    _set_cookie(response, settings.SESSION_COOKIE_NAME, session.session_key, age)


def _set_cookie(response, name, value, age):
    response.set_cookie(
        name,
        value,
        max_age=age,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite=settings.SESSION_COOKIE_SAMESITE,
    )


def get_user(request):
    """The active user whose session this is; a changed password ends the sessions made before it."""
    session = request.session
    user = session.row.user if session.get(SESSION_KEY) and session.row else None
    if user is None or not user.is_active:
        return AnonymousUser()
    # Staff who came through their own door, on their own pages; shoppers in the shop. Else it is nobody (ADM-04).
    came_as_staff = session.get(BACKEND_SESSION_KEY) == STAFF_BACKEND
    if not user.is_staff == came_as_staff == request.path.startswith(reverse("admin:index")):
        return AnonymousUser()
    is_theirs = user.is_session_auth_hash(session.get(HASH_SESSION_KEY, ""))
    return user if is_theirs else AnonymousUser()
