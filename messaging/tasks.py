"""Celery's view of messaging: calls, no rules. Arguments are ids only (OUT-06)."""

from celery import shared_task

from messaging import sending


@shared_task(ignore_result=True)
def deliver(message_id: str) -> None:
    """Send one message, if it is still waiting."""
    sending.deliver(message_id)


@shared_task(ignore_result=True)
def sweep() -> None:
    """Send what no nudge brought: lost hints, later tries, messages of workers that died."""
    sending.sweep()
