"""Where a shopper is signed in, and how to end it."""

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts import events
from accounts.models import Session, User
from accounts.origin import Origin


def of(user: User) -> QuerySet[Session]:
    """The browsers in which `user` is signed in, the one used last first."""
    return user.sessions.filter(expire_date__gt=Now()).order_by("-last_used_at")


def end(user: User, name: str, *, origin: Origin) -> bool:
    """End the session of this name, if it is one of `user` (SES-05). Returns whether there was one."""
    found = next((session for session in of(user) if name in session.names), None)
    if found is None:
        return False
    with transaction.atomic():
        user.sessions.filter(pk=found.pk).delete()
        events.record("device_signed_out", origin=origin, user=user)
    return True


def end_others(user: User, *, keep: str, origin: Origin) -> int:
    """End all sessions but the one with the key `keep`, and withdraw what waits (SES-05, REG-05)."""
    with transaction.atomic():
        ended = user.sessions.exclude(pk=keep).delete()[0]
        user.challenges.withdraw()
        events.record("devices_signed_out", origin=origin, user=user)
    return ended
