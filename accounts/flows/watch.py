"""What staff must hear of soon: bursts of locked passwords, of codes, of used codes typed again (LOG-06)."""

from datetime import timedelta

from django.db.models.functions import Now

from accounts import policy
from accounts.models import SecurityEvent
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
