"""What nobody asks for and somebody must do: look after paused providers, the queue's age and old rows."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from messaging import alerts, providers
from messaging.models import CHANNELS, OutboxMessage
from messaging.outbox import breaker
from messaging.providers.base import Temporary

BATCH = 1000
LATE = timedelta(seconds=60)


def probe() -> None:
    """Ask the servers of paused providers whether they are there; no message is risked on one that is not."""
    failing = breaker.failing()
    for channel, _words in CHANNELS:
        for carrier in providers.carrying(channel):
            if failing.get(carrier.id) and not _answers(carrier):
                breaker.stay_paused(carrier.id)


def watch() -> None:
    """Sound an alert for messages that have waited a minute (OUT-07), and for each provider that is paused."""
    late = OutboxMessage.objects.due().filter(
        created_at__lte=Now() - LATE, due_at__lte=Now() - LATE
    )
    if late.exists():
        alerts.sound("messages_wait")
    for name in breaker.paused():
        alerts.sound("provider_paused", name)


def purge() -> int:
    """Delete messages that were settled MESSAGES_KEPT ago, with their receipts, a batch at a time (LOG-06)."""
    deleted = 0
    old = OutboxMessage.objects.filter(settled_at__lte=Now() - settings.MESSAGES_KEPT)
    while batch := list(old.values_list("pk", flat=True)[:BATCH]):
        OutboxMessage.objects.filter(pk__in=batch).delete()
        deleted += len(batch)
    return deleted


def _answers(carrier: providers.Carrier) -> bool:
    if carrier.kind is None:
        return False
    try:
        carrier.kind.reach()
    except Temporary:
        return False
    return True
