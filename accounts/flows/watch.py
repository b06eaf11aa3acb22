"""What staff must hear of soon: bursts of locked passwords, of codes, of used codes typed again (LOG-06)."""

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now

from accounts import limits, policy
from accounts.errors import TooOften
from accounts.flows import challenge as challenges
from accounts.models import SecurityEvent, User
from accounts.origin import Origin
from accounts.policy import Rate
from messaging import alerts, outbox

# What is counted, the alert it sounds, and from how many on.
BURSTS: dict[str, tuple[str, Rate]] = {
    "password_locked": ("many_passwords_locked", policy.ALERT_LOCKS),
    "code_sent": ("many_codes_sent", policy.ALERT_CODES),
    "code_replay": ("used_codes_typed_again", policy.ALERT_REPLAYS),
}


def watch() -> None:
    """Sound an alert for each burst that is going on. Counts no further than it has to."""
    for kind, (alert, rate) in BURSTS.items():
        since = Now() - timedelta(seconds=rate.seconds)
        newest = SecurityEvent.objects.filter(kind=kind, at__gt=since).order_by("-at", "-pk")
        if newest[: rate.times].count() == rate.times:
            alerts.sound(alert, f"{rate.times} or more within {rate.seconds // 60} min")


# So long it is worth telling.
WARNED_WITHIN = timedelta(days=3)


def warn(kind: str, *, entry: int, by: UUID) -> None:
    """Write to all contacts of all superusers what an entry in the log of staff says; in the caller's transaction.

    On both channels: the provider that it is about may carry one of them. Past what one account may change in an
    hour only the alert counts on, so that nobody texts superusers without end.
    """
    every = limits.warnings(str(by))
    if len(limits.take(*every)) < len(every):
        return
    for user in User.objects.filter(is_superuser=True, is_active=True):
        for contact in user.contacts:
            outbox.queue(
                "warning",
                ref=f"{entry}:{kind}",
                channel=challenges.channel(contact),
                address=contact.address,
                lifetime=WARNED_WITHIN,
            )


def forged_receipt(provider: str, *, origin: Origin) -> None:
    """Count a receipt that nothing proved, and alert staff of many in the name of one provider or from one household.

    Raises TooOften past what a household may get wrong. No event: a stranger must not fill the trail.
    """
    own, named = limits.forged_receipts(origin, provider)
    taken = limits.take(*own, *named)
    if any(hit.fills for hit in taken.values()):
        alerts.sound("many_receipts_forged", f"in the name of {provider or 'nobody we know'}")
    full = [limit for limit in own if limit not in taken]
    if full:
        raise TooOften(limits.room_at(*full))
