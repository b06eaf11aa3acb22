"""Who somebody is, as programs read it."""

from datetime import UTC

from accounts.models import User
from api import shapes
from api.operations.base import Caller, Facts
from api.operations.sessions import Tokens

ROLE = "client"


def me(_shape: shapes.NothingIn, caller: Caller) -> Facts:
    """The shopper whose app calls."""
    assert caller.session is not None  # noqa: S101  the door lets nobody in without
    assert caller.session.user is not None  # noqa: S101  as the row of every app has
    return describe(caller.session.user)


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
        "created_at": user.date_joined.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
