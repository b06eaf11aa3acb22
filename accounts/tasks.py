"""Celery's view of accounts: calls, no rules."""

from celery import shared_task

from accounts import tallies
from accounts.flows import deletion, retention, watch


@shared_task(ignore_result=True)
def erase() -> None:
    """Erase the accounts whose time has come."""
    deletion.erase_due()


@shared_task(ignore_result=True)
def purge() -> None:
    """Drop what is old."""
    retention.purge()


@shared_task(ignore_result=True)
def look_out() -> None:
    """Tell staff of bursts."""
    watch.watch()


@shared_task(ignore_result=True)
def tally() -> None:
    """Count the hours that are due, for the sign-up board."""
    tallies.catch_up()
