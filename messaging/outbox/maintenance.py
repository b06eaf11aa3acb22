"""Periodic work: ping paused providers, alert on delays, delete old messages."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from messaging import alerts, providers
from messaging.models import CHANNELS, OutboxMessage
from messaging.outbox import breaker
from messaging.providers import ConfiguredProvider
from messaging.providers.base import TemporaryFailure

BATCH = 1000
LATE_AFTER = timedelta(seconds=60)


def probe() -> None:
    """Ping paused providers, and pause those longer that do not answer: no message is risked on them."""
    failing = breaker.failing()
    for channel, _label in CHANNELS:
        for provider in providers.providers_for(channel):
            pause = failing.get(provider.id)
            if pause and pause.began and not _answers(provider):
                breaker.extend_pause(provider.id)


def alert_on_delays() -> None:
    """Trigger an alert for messages that have waited a minute (OUT-07), and for each provider that is paused."""
    late = OutboxMessage.objects.due().filter(
        created_at__lte=Now() - LATE_AFTER, due_at__lte=Now() - LATE_AFTER
    )
    if late.exists():
        alerts.trigger("messages_wait")
    for name in breaker.paused():
        alerts.trigger("provider_paused", name)


def purge() -> int:
    """Delete messages that were settled MESSAGES_KEPT ago, with their receipts, a batch at a time (LOG-06)."""
    deleted = 0
    old = OutboxMessage.objects.filter(settled_at__lte=Now() - settings.MESSAGES_KEPT)
    while batch := list(old.values_list("pk", flat=True)[:BATCH]):
        OutboxMessage.objects.filter(pk__in=batch).delete()
        deleted += len(batch)
    return deleted


def _answers(provider: ConfiguredProvider) -> bool:
    try:
        provider.ping()
    except TemporaryFailure:
        return False
    return True
