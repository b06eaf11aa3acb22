"""Celery's view of accounts: calls, no rules."""

from celery import shared_task

from accounts.flows import deletion


@shared_task(ignore_result=True)
def erase() -> None:
    """Erase the accounts whose time has come."""
    deletion.erase_due()
