"""queue(): the one door into messaging."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Now, StrIndex, Substr

from messaging import providers
from messaging.models import EMAIL, SMS, OutboxMessage, Status
from messaging.outbox.wakeup import nudge

__all__ = ["EMAIL", "SMS", "can_send", "forget", "history", "queue", "where"]

HISTORY = "letter channel address status provider created_at settled_at".split()


def can_send(channel: str, *, to_staff: bool = False) -> bool:
    """Whether any provider carries this channel, and staff have not stopped it.

    What goes to staff leaves all the same: else nobody could come in to start it again.
    """
    return providers.can_carry(channel, also_stopped=to_staff)


def queue(
    letter: str, *, ref: str, channel: str, address: str, lifetime: timedelta
) -> OutboxMessage:
    """Store a message in the caller's transaction and wake a worker after commit.

    The row is the promise and the nudge only a hint: if the broker is down, the sweeper finds the row.
    After `lifetime` the message is worth nothing and is not sent.
    """
    message = OutboxMessage(
        letter=letter, ref=ref, channel=channel, address=address, expires_at=Now() + lifetime
    )
    message.save(force_insert=True)
    # A lambda, not a partial: Django 5.2 logs a robust failure by __qualname__.
    transaction.on_commit(lambda: nudge(str(message.pk)), robust=True)
    return message


def where(ref: str) -> Status | None:
    """What became of the newest message with this reference, or None when there is none."""
    found = OutboxMessage.objects.filter(ref=ref).order_by("-created_at")
    status = found.values_list("status", flat=True).first()
    return Status(status) if status else None


def history(addresses: Iterable[str], *, about: Iterable[str]) -> list[dict[str, object]]:
    """What was sent to these addresses about these subjects, oldest first, and what became of it."""
    return list(_sent(addresses, about).order_by("created_at").values(*HISTORY))


def forget(addresses: Iterable[str], *, about: Iterable[str]) -> None:
    """Delete every message to these addresses about these subjects, sent or not."""
    _sent(addresses, about).delete()


def _sent(addresses: Iterable[str], about: Iterable[str]) -> QuerySet[OutboxMessage]:
    """Messages whose reference begins with one of the subjects, as far as a colon."""
    subject = Substr("ref", 1, StrIndex("ref", Value(":")) - 1)
    # By address first: that has an index, and a subject is a part of a text.
    to_them = OutboxMessage.objects.filter(address__in=set(addresses))
    return to_them.annotate(subject=subject).filter(subject__in=set(about))
