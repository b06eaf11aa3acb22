"""The Celery tasks of messaging: calls, no rules. Arguments are ids only (OUT-06)."""

from celery import shared_task

from messaging.outbox import delivery, maintenance


@shared_task(ignore_result=True)
def deliver(message_id: str) -> None:
    """Send one message, if it is still waiting."""
    delivery.deliver(message_id)


@shared_task(ignore_result=True)
def sweep() -> None:
    """Send what waits without a nudge: lost hints, later tries, messages of workers that died."""
    delivery.sweep()


@shared_task(ignore_result=True)
def probe() -> None:
    """Ping paused providers."""
    maintenance.probe()


@shared_task(ignore_result=True)
def alert_on_delays() -> None:
    """Alert staff when messages wait or a provider is paused."""
    maintenance.alert_on_delays()


@shared_task(ignore_result=True)
def purge() -> None:
    """Delete old messages."""
    maintenance.purge()
