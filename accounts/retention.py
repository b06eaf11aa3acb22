"""What nobody needs any more goes, by its age, a thousand rows at a time (LOG-06)."""

import time
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts import conf
from accounts.models import Challenge, FormerUsername, SecurityEvent, SecurityEventQuerySet, Session
from ratelimits.models import Bucket

BATCH = 1000
# One run ends by then, whatever is left: the next one goes on where it stopped.
SECONDS = 20.0


def purge(seconds: float = SECONDS) -> dict[str, int]:
    """Delete sessions that ended, old attempts, old events and empty limits; returns how many of each.

    Every batch is a short transaction that waits for nobody and takes only rows that nobody holds: it may be
    broken off, run again, or run twice at once.
    """
    until = time.monotonic() + seconds
    return {name: _drop(old, until) for name, old in OLD.items()}


def ended_sessions() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lte=Now())


def old_challenges() -> QuerySet[Challenge]:
    """Attempts that began CHALLENGES_KEPT ago and are over: never one whose code or link still works."""
    over = (
        Q(verified_at__isnull=False) | Q(cancelled_at__isnull=False) | Q(link_expires_at__lte=Now())
    )
    return Challenge.objects.filter(over, created_at__lte=Now() - conf.CHALLENGES_KEPT)


def old_events() -> QuerySet[SecurityEvent]:
    """Events of EVENTS_KEPT ago."""
    return SecurityEvent.objects.filter(at__lte=Now() - conf.EVENTS_KEPT)


def expired_buckets() -> QuerySet[Bucket]:
    """Limits whose newest hit is older than their period: they hold nobody up."""
    return Bucket.objects.filter(expires_at__lte=Now())


def old_usernames() -> QuerySet[FormerUsername]:
    """Former usernames that no notice brings back any more."""
    return FormerUsername.objects.filter(given_up_at__lte=Now() - conf.NOT_ME_TTL)


# Apps above add what is theirs.
OLD: dict[str, Callable[[], QuerySet[Any]]] = {
    "sessions": ended_sessions,
    "challenges": old_challenges,
    "events": old_events,
    "limits": expired_buckets,
    "usernames": old_usernames,
}


def _drop(old: Callable[[], QuerySet[Any]], until: float) -> int:
    gone = 0
    while time.monotonic() < until:
        batch = _drop_some(old())
        gone += batch
        if not batch:
            break
    return gone


def _drop_some(old: QuerySet[Any]) -> int:
    with transaction.atomic():
        free = old.select_for_update(skip_locked=True)
        batch = list(free.values_list("pk", flat=True)[:BATCH])
        chosen = old.model._default_manager.filter(pk__in=batch)
        if not batch:
            return 0
        if isinstance(chosen, SecurityEventQuerySet):
            chosen.expire()
        else:
            chosen.delete()
    return len(batch)
