"""A shopper who looks after the account: its pages, and what is done there."""

import json
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from accounts.identifiers import parse
from accounts.models import SecurityEvent, Session, User
from tests.support.people import LOGIN, PASSWORD, Postbox, Shopper, let_in, time_passes

EMAIL, PHONE = "ana@example.com", "+12025550123"

USERNAME = "ana.shop"
OTHER_EMAIL, OTHER_PHONE = "ana@example.org", "+12025550144"

NEW = "an entirely new secret"

NAMES = "/account/names/"

SECRET = "/account/password/"

CONFIRM = "/account/confirm/"

CONFIRM_CODE = "/account/confirm/code/"

CONFIRM_VERIFY = "/account/confirm/verify/"

CONFIRM_RESEND = "/account/confirm/resend/"

EMAIL_PAGE, PHONE_PAGE = "/account/contacts/email/", "/account/contacts/phone/"

CONTACT = "/account/contact/"

DEVICES = "/account/devices/"

OTHERS_OUT = "/account/devices/sign-out/"

ONE_OUT = "/account/devices/0123456789abcdef/sign-out/"

ACTIVITY = "/account/activity/"

DOWNLOAD = "/account/download/"

DELETE = "/account/delete/"

LOGIN_CODE, LOGIN_VERIFY = "/login/code/", "/login/code/verify/"

RESET, RESET_NEW = "/password-reset/", "/password-reset/new/"

COOKIE = "__Host-session"


def joins(shopper, *, email=EMAIL, phone=None, password=PASSWORD, **columns):
    """Give somebody a finished account and sign this browser in. Returns the row."""
    verified = {"email": email, "email_key": email and email.lower(), "phone": phone}
    dated = {f"{kind}_verified_at": Now() for kind in ("email", "phone") if verified[kind]}
    columns = {"name": "Ana", "primary": "email" if email else "phone"} | columns
    user = User(
        **verified, **dated, completed_at=Now(), password=make_password(password), **columns
    )
    user.save(force_insert=True)
    let_in(shopper, user, by="password" if password else user.primary)
    return user


def signs_in(shopper, who=EMAIL, password=PASSWORD):
    """With the password, or with a code whoever has none."""
    if password:
        return shopper.post(LOGIN, identifier=who, password=password)
    shopper.post(LOGIN_CODE, identifier=who)
    return shopper.post(LOGIN_VERIFY, code=Postbox().code(who))


def may_sign_in(who, password=PASSWORD):
    """Whether a new browser gets in."""
    browser = Shopper("json", ip="192.0.2.99")
    signs_in(browser, who, password)
    return browser.is_signed_in


def adds(shopper, kind, contact, code=None):
    """Ask for a new contact and type its code."""
    shopper.post(f"/account/contacts/{kind}/", contact=contact)
    return shopper.post(CONTACT, code=code or Postbox().code(contact))


def confirms_by_code(shopper, to):
    """Prove who is there with a code."""
    shopper.post(CONFIRM_CODE)
    return shopper.post(CONFIRM_VERIFY, code=Postbox().code(to))


def changes_password(shopper):
    """Put NEW in the place of PASSWORD."""
    return shopper.post(SECRET, current=PASSWORD, password=NEW)


def proof_is(**age):
    """Let the newest proof of who is there be this old, in every browser."""
    Session.objects.update(reauthenticated_at=Now() - timedelta(**age))


def is_stale():
    """Let nobody have verified for a while who is there."""
    proof_is(minutes=10, seconds=1)


def is_refused(answer):
    """Whether the form came back with what was wrong (ux 67)."""
    return answer.status_code in (400, 422)


def must_confirm(shopper, answer, back):
    """Whether `answer` sends this browser to prove who is there, and `back` after that."""
    to = f"{CONFIRM}?next={back.replace('/', '%2F')}"
    expected = {"page": (303, to), "htmx": (403, to), "json": (403, None)}[shopper.face]
    return (
        answer.status_code,
        answer.headers.get("Location", answer.headers.get("HX-Redirect")),
    ) == expected


def copy_of(shopper):
    """Somebody who has copied the cookie."""
    thief = Shopper()
    thief.client.cookies[COOKIE] = shopper.session_key
    return thief


def kinds(user=None):
    """The events of everybody, or of one, oldest first."""
    found = SecurityEvent.objects.filter(user=user) if user else SecurityEvent.objects.all()
    return list(found.order_by("pk").values_list("kind", flat=True))


def news(to):
    """What the messages to this address say, newest first."""
    return [message["subject"] or message["text"] for message in Postbox().messages(to)]


def days_pass(**span):
    """Move every row into the past, the planned end with them."""
    time_passes(**span)
    User.objects.update(deletion_due_at=F("deletion_due_at") - timedelta(**span))


def file_of(answer):
    """What the downloaded file holds."""
    return json.loads(answer.content)


def found_of(facts):
    """Where any of these facts still stands."""
    return {
        f"{column}: {fact}"
        for column, text in everything_in_the_database()
        for fact in facts
        if fact.casefold() in text.casefold()
    }


def everything_in_the_database():
    """Every value in every column of every table, with what sessions hold spelled out."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  our own tables
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                yield from (
                    (f"{table}.{name}", _text(value))
                    for name, value in zip(names, row, strict=True)
                )
    for session in Session.objects.all():
        yield "accounts_session.session_data", json.dumps(session.get_decoded())


def _text(value):
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def account(email=EMAIL, phone=PHONE, password=PASSWORD, **more):
    """An account with these contacts, all verified."""
    first, *others = [parse(contact) for contact in (email, phone) if contact]
    hashed = {"password": make_password(password)} if password else {}
    user = User.objects.register(first, name="Ana", completed_at=Now(), **hashed)
    for other in others:
        more |= User.verified_columns(other)
    User.objects.filter(pk=user.pk).update(primary=more.pop("primary", first.kind), **more)
    return user
