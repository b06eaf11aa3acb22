"""What staff must hear of soon: bursts of locked passwords, of codes, of used codes typed again, of refresh
tokens used twice, of limits (LOG-06)."""

from datetime import timedelta
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import Now

from accounts import conf, limits
from accounts.flows import challenge as challenges
from accounts.flows import notifications
from accounts.identifiers import PHONE
from accounts.models import RefusalCount, SecurityEvent, User
from accounts.sessions.client import ClientInfo
from backoffice.dashboard.rollups import COUNTED
from messaging import alerts
from messaging.models import Provider
from messaging.outbox import api as outbox
from ratelimits.engine import consume
from ratelimits.rates import Rate

# What is counted, the alert it sounds, and from how many on.
BURSTS: dict[str, tuple[str, Rate]] = {
    "password_locked": ("many_passwords_locked", conf.ALERT_LOCKS),
    "code_sent": ("many_codes_sent", conf.ALERT_CODES),
    "code_replay": ("used_codes_typed_again", conf.ALERT_REPLAYS),
    "token_replayed": ("refresh_tokens_used_twice", conf.ALERT_TOKENS),
    "limit_hit": ("limits_hit_often", conf.ALERT_LIMITS),
}
MINUTE = timedelta(minutes=1)


def alert_on_bursts() -> None:
    """Raise an alert for each burst that is going on."""
    for kind, (alert, rate) in BURSTS.items():
        number = _refusals(kind, rate) if kind in COUNTED else _events(kind, rate)
        if number >= rate.times:
            alerts.trigger(alert, f"{rate.times} or more within {rate.seconds // 60} min")


# A later warning is worth nothing.
WARNING_LIFETIME = timedelta(days=3)


def warn_superusers(kind: str, *, entry: int, by: UUID) -> None:
    """Write to all contacts of all superusers what an entry in the log of staff says; in the caller's transaction.

    On both channels: the provider that it is about may carry one of them. Past what one account may change in an
    hour only the alert counts on, so that nobody texts superusers without end.
    """
    caps = limits.warnings(str(by))
    if len(consume(*caps)) < len(caps):
        return
    for user in User.objects.filter(is_superuser=True, is_active=True):
        for contact in user.contacts:
            if contact.kind == PHONE and not notifications.may_text(contact):
                continue
            outbox.queue(
                "warning",
                # The log of staff numbers its entries.
                about_id=UUID(int=entry),
                part=kind,
                channel=challenges.message_channel(contact.kind),
                address=contact.address,
                lifetime=WARNING_LIFETIME,
            )


def forged_receipt(provider: Provider | None, *, client: ClientInfo) -> None:
    """Count a receipt that nothing verified, and alert staff of many in the name of one provider or from one household.

    Raises TooOften past what a household may get wrong. No event: a stranger must not fill the trail.
    """
    own, named = limits.forged_receipts(client, str(provider.pk) if provider else "")
    taken = limits.enforce_durably(*own) | consume(*named)
    if any(hit.fills for hit in taken.values()):
        alerts.trigger("many_receipts_forged", f"in the name of {provider or 'nobody we know'}")


def _events(kind: str, rate: Rate) -> int:
    """How many events there were within `rate.seconds`. Counts no further than it has to."""
    since = Now() - timedelta(seconds=rate.seconds)
    newest = SecurityEvent.objects.filter(kind=kind, at__gt=since).order_by("-at", "-pk")
    return newest[: rate.times].count()


def _refusals(kind: str, rate: Rate) -> int:
    """How many refusals were counted within `rate.seconds`, with all of the minute in which that time began."""
    since = Now() - timedelta(seconds=rate.seconds) - MINUTE
    recent = RefusalCount.objects.filter(kind=kind, minute__gt=since)
    return recent.aggregate(total=Sum("count"))["total"] or 0
