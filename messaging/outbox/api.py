"""queue(): the one door into messaging."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from messaging import providers
from messaging.models import EMAIL, SMS, OutboxMessage, Status
from messaging.outbox.wakeup import nudge

__all__ = ["EMAIL", "SMS", "can_send", "forget", "history", "queue", "where"]

HISTORY = "letter channel address status provider_id created_at settled_at".split()


def can_send(channel: str, *, to_staff: bool = False) -> bool:
    """Whether any provider carries this channel, and staff have not stopped it.

    What goes to staff leaves all the same: else nobody could come in to start it again.
    """
    return providers.can_carry(channel, also_stopped=to_staff)


def queue(
    letter: str, *, about_id: UUID, part: str = "", channel: str, address: str, lifetime: timedelta
) -> OutboxMessage:
    """Store a message in the caller's transaction and wake a worker after commit.

    `about_id` and `part` are what the writer of the letter is told when it leaves.

    The row is the promise and the nudge only a hint: if the broker is down, the sweeper finds the row.
    After `lifetime` the message is worth nothing and is not sent.
    """
    message = OutboxMessage(
        letter=letter,
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


def where(about_id: UUID, part: str) -> Status | None:
    """What became of the newest message about this, or None when there is none."""
    found = OutboxMessage.objects.filter(about_id=about_id, part=part).order_by("-created_at")
    status = found.values_list("status", flat=True).first()
    return Status(status) if status else None


def history(about: Iterable[UUID]) -> list[dict[str, object]]:
    """What was sent about these rows, oldest first, by whom, and what became of it."""
    names = providers.names()
    sent = _sent(about).order_by("created_at").values(*HISTORY)
    return [row | {"provider": names.get(row.pop("provider_id"), "")} for row in sent]


def forget(about: Iterable[UUID]) -> None:
    """Delete every message about these rows, sent or not."""
    _sent(about).delete()


def _sent(about: Iterable[UUID]) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(about_id__in=set(about))
