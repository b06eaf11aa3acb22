"""Where a shopper is signed in, and how to end it."""

from django.db import transaction
from django.db.models import Case, QuerySet, When
from django.db.models.functions import Now

from accounts import audit
from accounts.flows import challenge as challenges
from accounts.flows.entry import RenewSession
from accounts.models import Session, User
from accounts.sessions.client import ClientInfo


def list_sessions(user: User, *, current_key: str) -> QuerySet[Session]:
    """The browsers and apps of `user` that are signed in: that with the key `current_key`, then the one used last."""
    is_current = Case(When(pk=current_key, then=0), default=1)
    return user.sessions.filter(expire_date__gt=Now()).order_by(is_current, "-last_used_at", "pk")


def end_session(user: User, name: str, *, client: ClientInfo) -> bool:
    """End the session of this name, if it is one of `user` (SES-05). Returns whether there was one."""
    with transaction.atomic():
        ended = bool(user.sessions.filter(expire_date__gt=Now(), name=name).delete()[0])
        if ended:
            audit.record("device_signed_out", client=client, user=user)
    return ended


def end_other_sessions(
    user: User, *, session_key: str, client: ClientInfo, renew_session: RenewSession
) -> int:
    """End all sessions but that of `session_key`, which gets a new key, and cancel what waits (SES-05, REG-05)."""
    with transaction.atomic():
        # Of two browsers that end each other, one waits here: else each would wait for the row of the other.
        challenges.lock_user(user.pk)
        ended = user.sessions.exclude(pk=session_key).delete()[0]
        user.challenges.cancel_open()
        if ended:
            audit.record("devices_signed_out", client=client, user=user)
        renew_session()
    return ended
