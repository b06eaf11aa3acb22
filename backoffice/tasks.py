"""Celery's view of the back office: calls, no rules."""

from celery import shared_task

from backoffice import burst_alerts
from backoffice.dashboard import rollups


@shared_task(ignore_result=True)
def alert_on_bursts() -> None:
    """Tell staff of bursts."""
    burst_alerts.alert_on_bursts()


@shared_task(ignore_result=True)
def roll_up_signups() -> None:
    """Count the hours that are due, for the sign-up dashboard."""
    rollups.roll_up_due()
