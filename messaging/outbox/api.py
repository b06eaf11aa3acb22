"""queue(), by which every message enters the outbox, and what became of messages."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from messaging import providers
from messaging.models import EMAIL, SMS, OutboxMessage, Status
from messaging.outbox.wakeup import nudge

__all__ = ["EMAIL", "SMS", "can_send", "erase", "history", "queue", "status_of"]

HISTORY = "template channel address status provider_id created_at settled_at".split()


def can_send(channel: str, *, to_staff: bool = False) -> bool:
    """Whether any provider serves this channel, and staff have not stopped it.

    Messages to staff leave all the same: else nobody could sign in to start the channel again.
    """
    return providers.can_send(channel, include_stopped=to_staff)


def queue(
    template: str,
    *,
    about_id: UUID,
    part: str = "",
    channel: str,
    address: str,
    lifetime: timedelta,
) -> OutboxMessage:
    """Store a message in the caller's transaction and wake a worker after commit.

    `about_id` and `part` are what the composer of `template` is called with when the message leaves.

    The row is the promise and the nudge only a hint: if the broker is down, the sweeper finds the row.
    After `lifetime` the message is worth nothing and is not sent.
    """
    message = OutboxMessage(
        template=template,
        about_id=about_id,
        part=part,
        channel=channel,
        address=address,
        expires_at=Now() + lifetime,
    )
    message.save(force_insert=True)
    # A lambda, not a partial: Django 5.2 logs a robust failure by __qualname__.
    transaction.on_commit(lambda: nudge(str(message.pk)), robust=True)
    return message


def status_of(about_id: UUID, part: str) -> Status | None:
    """The status of the newest message about this, or None when there is none."""
    found = OutboxMessage.objects.filter(about_id=about_id, part=part).order_by("-created_at")
    status = found.values_list("status", flat=True).first()
    return Status(status) if status else None


def history(about: Iterable[UUID]) -> list[dict[str, object]]:
    """What was sent about these rows, oldest first, through which provider, and what became of it."""
    names = providers.names()
    sent = _messages_about(about).order_by("created_at").values(*HISTORY)
    return [row | {"provider": names.get(row.pop("provider_id"), "")} for row in sent]


def erase(about: Iterable[UUID]) -> None:
    """Delete every message about these rows, sent or not."""
    _messages_about(about).delete()


def _messages_about(about: Iterable[UUID]) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(about_id__in=set(about))
