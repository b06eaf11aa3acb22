"""What staff must hear of soon: bursts of locked passwords, of codes, of used codes typed again (LOG-06)."""

from datetime import timedelta

from django.db.models.functions import Now

from accounts import limits, policy
from accounts.errors import TooOften
from accounts.models import SecurityEvent
from accounts.origin import Origin
from accounts.policy import Rate
from messaging import alerts

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
