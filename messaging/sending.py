"""One message leaves: claim, compose, try the providers, settle."""

import logging
import random
import uuid
from datetime import timedelta

from django.utils.timezone import now

from messaging import letters, providers
from messaging.models import MAX_TRIES, OutboxMessage, Status
from messaging.providers.base import Envelope, Permanent, Temporary

logger = logging.getLogger(__name__)

BATCH = 100


def deliver(message_id: str) -> None:
    """Send the message with this id. An unknown, taken or settled one is left alone (OUT-06)."""
    message = _find(message_id)
    if message is None or not message.claim():
        return
    message.tries += 1
    if message.expires_at <= now():
        message.settle(Status.EXPIRED)
        return
    letter = letters.compose(message)
    if letter is None:
        message.settle(Status.CANCELLED)
        return
    _send(message, Envelope(id=message.pk, to=message.address, letter=letter))


def overdue() -> list[str]:
    """The ids of messages that wait longer than they should, oldest first."""
    return [
        str(pk)
        for pk in OutboxMessage.objects.due()
        .order_by("due_at")
        .values_list("pk", flat=True)[:BATCH]
    ]


def _find(message_id: str) -> OutboxMessage | None:
    try:
        return OutboxMessage.objects.filter(pk=uuid.UUID(message_id)).first()
    except ValueError:
        return None


def _send(message: OutboxMessage, envelope: Envelope) -> None:
    problem = "no provider"
    for provider in providers.carrying(message.channel):
        try:
            provider.send(envelope)
        except Permanent as failure:
            logger.warning("outbox %s: %s refused: %s", message.pk, provider.name, failure)
            message.settle(Status.FAILED, provider=provider.name, error=str(failure))
            return
        except Temporary as failure:
            # Expected weather. The address and the text stay out of the log.
            logger.warning("outbox %s: %s failed: %s", message.pk, provider.name, failure)
            problem = f"{provider.name}: {failure}"
        else:
            message.settle(Status.SENT, provider=provider.name)
            return
    _try_later(message, problem)


def _try_later(message: OutboxMessage, problem: str) -> None:
    if message.tries >= MAX_TRIES:
        message.settle(Status.FAILED, error=problem)
        return
    seconds = min(60, 2**message.tries) * random.uniform(0.8, 1.2)  # noqa: S311  jitter, not a secret
    message.postpone(timedelta(seconds=seconds), error=problem)
