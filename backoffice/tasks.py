"""The periodic jobs of the back office: calls, no rules."""

from django.utils.translation import gettext_lazy as _

from backoffice import burst_alerts
from backoffice.dashboard import rollups
from jobs.registry import periodic


@periodic(seconds=60, title=_("Tell staff of bursts"))
def alert_on_bursts() -> None:
    """Tell staff of bursts."""
    burst_alerts.alert_on_bursts()


@periodic(seconds=60, title=_("Count sign-ups"))
def roll_up_signups() -> None:
    """Count the hours that are due, for the sign-up dashboard."""
    rollups.roll_up_due()
