"""Who somebody is, as programs read it."""

from datetime import UTC, datetime
from uuid import UUID

from accounts.flows import account, devices
from accounts.forms import NamesForm
from accounts.models import Client, Session, User
from api import shapes
from api.operations.base import AttemptUnknown, Caller, Facts, read_form, record_refusals
from api.operations.sessions import Tokens

ROLE = "client"
# Of somebody's devices so many are shown.
DEVICES_SHOWN = 50


def me(_shape: shapes.NothingIn, caller: Caller) -> Facts:
    """The shopper whose app calls."""
    user, _session = _signed_in(caller)
    return describe(user)


def change_name(shape: shapes.NameIn, caller: Caller) -> Facts:
    """Change what the shopper is called; their contacts, username and password are changed on the pages."""
    user, session = _signed_in(caller)
    form = read_form(NamesForm, {"name": shape.name}, caller)
    user.name = form.cleaned_data["name"]
    with record_refusals(caller):
        account.rename(
            user,
            name=user.name,
            username=user.username or "",
            session=session,
            client=caller.client,
        )
    return describe(user)


def list_devices(_shape: shapes.NothingIn, caller: Caller) -> Facts:
    """Where the shopper is signed in, by apps and by browsers."""
    user, session = _signed_in(caller)
    rows = devices.list_sessions(user, current_key=session.pk)[:DEVICES_SHOWN]
    return {"devices": [_describe_device(row, session) for row in rows]}


def end_device(shape: shapes.DeviceIn, caller: Caller) -> Facts:
    """Sign one of them out, or the app itself (SES-05). Raises AttemptUnknown for none of the shopper's own."""
    user, _session = _signed_in(caller)
    name = _app_name(user, shape.sid) or shape.sid
    if "\0" in name or not devices.end_session(user, name, client=caller.client):
        raise AttemptUnknown
    return {}


def signed_in(user: User, tokens: Tokens) -> Facts:
    """What an app is answered that has just been signed in."""
    return {
        "access": tokens.access,
        "refresh": tokens.refresh,
        "expires_in": tokens.expires_in,
        "device_token": tokens.device_token,
        "user": describe(user),
    }


def describe(user: User) -> Facts:
    """The user, with the two parts of the name that the designs have; `name` alone is exact."""
    first, _space, last = user.name.rpartition(" ")
    return {
        "id": user.pk,
        "email": user.email,
        "phone": user.phone,
        "username": user.username,
        "name": user.name,
        "first_name": first or last,
        "last_name": last if first else "",
        "role": ROLE,
        "email_verified": bool(user.email),
        "phone_verified": bool(user.phone),
        "is_active": user.is_active,
        "completed": bool(user.completed_at),
        "created_at": _iso(user.date_joined),
    }


def _signed_in(caller: Caller) -> tuple[User, Session]:
    assert caller.session is not None  # noqa: S101  the door lets nobody in without
    assert caller.session.user is not None  # noqa: S101  as the row of every app has
    return caller.session.user, caller.session


def _describe_device(row: Session, session: Session) -> Facts:
    return {
        "sid": str(row.public_id) if row.client == Client.APP else row.name,
        "device": row.device,
        "is_app": row.client == Client.APP,
        "is_current": row.pk == session.pk,
        "signed_in_at": _iso(row.signed_in_at),
        "last_used_at": _iso(row.last_used_at),
    }


def _app_name(user: User, sid: str) -> str:
    """The name of the app's session that its tokens call `sid`; empty for what is none."""
    try:
        public_id = UUID(sid)
    except ValueError:
        return ""
    found = user.sessions.filter(client=Client.APP, public_id=public_id)
    return found.values_list("name", flat=True).first() or ""


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
