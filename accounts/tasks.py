"""Celery's view of accounts: calls, no rules."""

from celery import shared_task

from accounts import retention
from accounts.flows import deletion


@shared_task(ignore_result=True)
def erase() -> None:
    deletion.erase_due()


@shared_task(ignore_result=True)
def purge() -> None:
    retention.purge()
