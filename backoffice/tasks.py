"""Celery's view of the back office: calls, no rules."""

from celery import shared_task

from backoffice import burst_alerts
from backoffice.dashboard import rollups


@shared_task(ignore_result=True)
def alert_on_bursts() -> None:
    """Tell staff of bursts."""
    burst_alerts.watch()


@shared_task(ignore_result=True)
def tally() -> None:
    """Count the hours that are due, for the sign-up board."""
    rollups.catch_up()
