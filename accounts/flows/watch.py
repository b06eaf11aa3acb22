"""What staff must hear of soon: bursts of locked passwords, of codes, of used codes typed again, of limits (LOG-06)."""

from datetime import timedelta

from django.db.models import Sum
from django.db.models.functions import Now

from accounts import policy
from accounts.models import RefusalCount, SecurityEvent
from accounts.policy import Rate
from accounts.tallies import COUNTED
from messaging import alerts

# What is counted, the alert it sounds, and from how many on.
BURSTS: dict[str, tuple[str, Rate]] = {
    "password_locked": ("many_passwords_locked", policy.ALERT_LOCKS),
    "code_sent": ("many_codes_sent", policy.ALERT_CODES),
    "code_replay": ("used_codes_typed_again", policy.ALERT_REPLAYS),
    "limit_hit": ("limits_hit_often", policy.ALERT_LIMITS),
}
MINUTE = timedelta(minutes=1)


def watch() -> None:
    """Sound an alert for each burst that is going on."""
    for kind, (alert, rate) in BURSTS.items():
        number = _refusals(kind, rate) if kind in COUNTED else _events(kind, rate)
        if number >= rate.times:
            alerts.sound(alert, f"{rate.times} or more within {rate.seconds // 60} min")


def _events(kind: str, rate: Rate) -> int:
    """How many there were lately. Counts no further than it has to."""
    since = Now() - timedelta(seconds=rate.seconds)
    newest = SecurityEvent.objects.filter(kind=kind, at__gt=since).order_by("-at", "-pk")
    return newest[: rate.times].count()


def _refusals(kind: str, rate: Rate) -> int:
    """How many were counted lately, with all of the minute in which the time began."""
    since = Now() - timedelta(seconds=rate.seconds) - MINUTE
    lately = RefusalCount.objects.filter(kind=kind, minute__gt=since)
    return lately.aggregate(number=Sum("number"))["number"] or 0
