"""Shoppers who act: a browser with one of three faces, who fill in forms and read their messages."""

import json
import re
from datetime import timedelta
from urllib.parse import urlsplit

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser
from django.db.models import F
from django.db.models.functions import Now
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.client import ClientHandler

from accounts import audit
from accounts.identifiers import parse
from accounts.models import Challenge, Session, SmsCountry, User
from accounts.sessions import pending
from accounts.sessions.middleware import SessionMiddleware
from messaging.models import OutboxMessage
from messaging.providers import mailbox
from messaging.tasks import sweep
from ratelimits.models import Bucket

REGISTER = "/register/"
VERIFY = "/register/verify/"
RESEND = "/register/resend/"
CHANGE = "/register/change/"
COMPLETE = "/register/complete/"
ACCOUNT = "/account/"
LINK = "/verify-email/"
HOME = "/"
LOGOUT = "/logout/"
LOGIN = "/login/"
LINK_PAGES = [LINK, "/password-reset/new/", "/not-me/"]

FACES = ["page", "htmx", "json"]
# Where an answer leads: to a page that is loaded, or to one whose card it brings along.
LEADS = ["Location", "HX-Redirect", "HX-Push-Url"]
PASSWORD = "correct horse battery"


# One site for all browsers: to wake one for each takes longer than its first answer.
SITE = ClientHandler(enforce_csrf_checks=False)


class Shopper:
    """One browser. `face` says how it asks: a page without JavaScript, an HTMX fragment, or JSON.

    It names no attempt, like a client that means the newest; an answer's `page` is where it leads, with the attempt
    that is named there, and `to` is the same without.
    """

    def __init__(self, face="page", *, ip="203.0.113.7", **headers):
        self.face = face
        # The name of the emailed link on the page in front, which its form sends along.
        self.link = ""
        self.client = Client(REMOTE_ADDR=ip, headers=headers)
        self.client.handler = SITE

    def get(self, url, **kwargs):
        """Open a page."""
        return self._look(self.client.get(url, headers=self._headers(), **kwargs))

    def open(self, link, **kwargs):
        """Open an emailed link, and see the page it leads to; JSON clients are answered at once (REC-04)."""
        answer = self.get(link, **kwargs)
        return self.get(answer.to) if answer.to else answer

    def follow(self, answer):
        """What this person sees next: the answer itself, if it is read or brings a card, else the page it leads to."""
        stays = self.face == "json" or "HX-Push-Url" in answer.headers
        return answer if stays else self.client.get(answer.page)

    def post(self, url, fields=None, **more):
        """Send a form; returns the response, whose `to` is where it leads (or None)."""
        fields = {**(fields or {}), **more}
        if url in LINK_PAGES and "token" not in fields:
            fields = {"link": self.link, **fields}
        if self.face == "json":
            response = self.client.post(
                url, json.dumps(fields), content_type="application/json", headers=self._headers()
            )
        else:
            response = self.client.post(url, fields, headers=self._headers())
        return self._look(response)

    def identify(self, who, **more):
        """Step 1."""
        return self.post(REGISTER, identifier=who, **more)

    def verify(self, code):
        """Step 2."""
        return self.post(VERIFY, code=code)

    def complete(self, name="Ana", password=PASSWORD, **more):
        """Step 3."""
        return self.post(COMPLETE, name=name, password=password, **more)

    def signs_up(self, who="ana@example.com", **more):
        """Walk the whole journey."""
        self.identify(who)
        self.verify(Postbox().code(who))
        self.complete(**more)
        return self

    @property
    def is_signed_in(self):
        """Whether the front page knows this browser."""
        return b'id="log-out"' in self.client.get(HOME).content

    @property
    def session_key(self):
        """The session cookie's value, or None."""
        cookie = self.client.cookies.get("__Host-session")
        return cookie.value if cookie else None

    def _look(self, response):
        """Note where an answer leads, and which emailed link its page shows."""
        response.page = next(filter(None, map(response.headers.get, LEADS)), None)
        response.to = response.page and re.sub(r"\?attempt=\w+$", "", response.page)
        named = re.search(r"[?&]link=(\w+)", response.to or "") or re.search(
            r'"link"(?:: | value=)"(\w+)"', response.content.decode(errors="replace")
        )
        self.link = named[1] if named else self.link
        return response

    def _headers(self):
        return {"htmx": {"HX-Request": "true"}, "json": {"Accept": "application/json"}}.get(
            self.face, {}
        )


def nowhere(*_who):
    """What a flow calls to write a session, where there is no browser."""


def link_cookies(shopper):
    """The emailed links that this browser keeps: their cookies, by name."""
    cookies = shopper.client.cookies.items()
    return {name: each for name, each in cookies if name.startswith("__Host-link") and each.value}


def make_user(who="ana@example.com", *, phone=None, password=PASSWORD, **columns):
    """Write the row of a shopper with a finished profile, who verified `who`, and `phone` if it is given."""
    columns = {"name": "Ana", "completed_at": Now(), "password": make_password(password)} | columns
    if phone:
        columns |= User.verified_columns(parse(phone))
    return User.objects.register(parse(who), **columns)


def make_shopper(browser=None, who="ana@example.com", **columns):
    """Write the rows of a shopper as `make_user` does, and sign `browser` in to it. Returns the browser.

    The journey through the front door is tested in tests/accounts/test_registration.py and in a browser.
    """
    browser = browser or Shopper()
    user = make_user(who, **columns)
    let_in(browser, user)
    return browser


def let_in(browser, user, *, by="password"):
    """Sign `browser` in to the account of `user`: a session and two cookies, no form, no hash and no message."""

    def sign_in(request):
        pending.sign_in(request, user, by=by)
        known = next(iter(user.contacts), None)
        audit.record("signed_in", client=request.session.client, identifier=known, user=user)

    in_session(browser.client, sign_in)


def check_tokens(client):
    """Let the site check the token of every form that this browser sends, as a site does."""
    client.handler = ClientHandler(enforce_csrf_checks=True)


def in_session(client, act):
    """Do `act` with a request in the session of this browser, and hand the browser the cookies it leads to."""

    def respond(request):
        request.user = AnonymousUser()
        act(request)
        return HttpResponse()

    request = RequestFactory(**client.defaults).get(HOME, headers=client.headers)
    request.COOKIES = {name: cookie.value for name, cookie in client.cookies.items()}
    client.cookies.update(SessionMiddleware(respond)(request).cookies)


class Postbox:
    """Every message that has arrived, read as a person would; what still waits in the outbox is delivered first."""

    def messages(self, to=""):
        """All messages, or those to one address, newest first."""
        sweep()
        return mailbox.messages(to)

    def __len__(self):
        return len(self.messages())

    def code(self, to=""):
        """The code in the newest message to `to`."""
        message = self.messages(to)[0]
        return re.search(r"(?<!\d)\d{6}(?!\d)", message["subject"] or message["text"]).group()

    def link(self, to=""):
        """The path and query of the link in the newest email to `to`."""
        url = urlsplit(re.search(r"https://\S+", self.messages(to)[0]["text"]).group())
        return f"{url.path}?{url.query}"


def wrong(code):
    """A well-formed code that is not `code`."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


def time_passes(**span):
    """Move every row into the past: the database's clock is the one that counts (COD-04)."""
    back = timedelta(**span)
    moments = {
        Challenge: ["created_at", "sent_at", "expires_at", "link_expires_at"],
        Session: ["created_at", "signed_in_at", "last_used_at", "expire_date", "rotated_at"],
        OutboxMessage: ["created_at", "due_at", "expires_at"],
        SmsCountry: ["since", "closed_until"],
    }
    for model, names in moments.items():
        model.objects.update(**{name: F(name) - back for name in names})
    for bucket in Bucket.objects.all():
        hits = [int(bucket.hits[at : at + 13]) for at in range(0, len(bucket.hits), 13)]
        bucket.hits = "".join(f"{hit - int(back.total_seconds() * 1000):013d}" for hit in hits)
        bucket.expires_at -= back
        bucket.save(update_fields=["hits", "expires_at"])


def sign_up(browser, who):
    """A whole sign-up by email as a browser does it, one request at a time; the code arrives on the way.

    With HTMX each step brings the card of the next one; without it, the page is asked for.
    """
    loads_pages = browser.face == "page"
    yield lambda: browser.get(REGISTER)
    yield lambda: browser.identify(who)
    if loads_pages:
        yield lambda: browser.get(VERIFY)
    code = Postbox().code(who)
    yield lambda: browser.verify(code)
    if loads_pages:
        yield lambda: browser.get(COMPLETE)
    yield lambda: browser.complete(name="Ana", password=PASSWORD)
    if loads_pages:
        yield lambda: browser.get(HOME)


TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+-]+|\d\d:\d\d(:\d\d)? UTC|(?<='Content-Length': )'\d+'")
