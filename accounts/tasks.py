"""The periodic jobs of accounts: calls, no rules."""

from django.utils.translation import gettext_lazy as _

from accounts import retention
from accounts.flows import deletion
from jobs.registry import periodic


@periodic(seconds=600, title=_("Erase accounts whose time to come back is over"))
def erase() -> None:
    deletion.erase_due()


@periodic(seconds=3600, title=_("Delete old sessions, attempts, events and counts"))
def purge() -> None:
    retention.purge()
