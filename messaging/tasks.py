"""The Celery task and the periodic jobs of messaging: calls, no rules. Arguments are ids only (OUT-06)."""

from celery import shared_task
from django.utils.translation import gettext_lazy as _

from jobs.registry import periodic
from messaging.outbox import delivery, maintenance


@shared_task(ignore_result=True)
def deliver(message_id: str) -> None:
    """Send one message, if it is still waiting."""
    delivery.deliver(message_id)


@periodic(seconds=1, title=_("Send messages that wait"), may_overlap=True)
def sweep() -> None:
    """Send what waits without a nudge: lost hints, later tries, messages of workers that died."""
    delivery.sweep()


@periodic(seconds=5, title=_("See whether paused providers are back"))
def probe() -> None:
    """Ping paused providers."""
    maintenance.probe()


@periodic(seconds=30, title=_("Tell staff when messages wait"))
def alert_on_delays() -> None:
    """Alert staff when messages wait or a provider is paused."""
    maintenance.alert_on_delays()


@periodic(seconds=3600, title=_("Delete old messages"))
def purge() -> None:
    """Delete old messages."""
    maintenance.purge()
