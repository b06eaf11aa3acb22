"""Celery's view of messaging: calls, no rules. Arguments are ids only (OUT-06)."""

from celery import shared_task

from messaging import sending, upkeep


@shared_task(ignore_result=True)
def deliver(message_id: str) -> None:
    """Send one message, if it is still waiting."""
    sending.deliver(message_id)


@shared_task(ignore_result=True)
def sweep() -> None:
    """Send what no nudge brought: lost hints, later tries, messages of workers that died."""
    sending.sweep()


@shared_task(ignore_result=True)
def probe() -> None:
    """Look whether paused providers are back."""
    upkeep.probe()


@shared_task(ignore_result=True)
def watch() -> None:
    """Tell staff when messages wait."""
    upkeep.watch()


@shared_task(ignore_result=True)
def purge() -> None:
    """Drop what is old."""
    upkeep.purge()
