"""One message leaves: claim, compose, try the providers, settle."""

import logging
import random
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from django.utils.timezone import now

from messaging import alerts, providers
from messaging.models import MAX_TRIES, OutboxMessage, Status
from messaging.outbox import breaker, composing
from messaging.providers import Carrier, transport
from messaging.providers.base import Envelope, Handed, Permanent, Temporary

logger = logging.getLogger(__name__)

# A sweeper goes on for so long while there is work; with its last message that is less than a task may take.
SWEEP_SECONDS = 8
# Between two tries a message waits a sixteenth of its age: a shopper may be waiting for the first ones (OUT-05).
SHARE_OF_AGE = 16
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(minutes=10)
# Faults that no waiting repairs (ADM-05, ADM-07).
FOR_STAFF = {
    "account refused",
    "address not allowed",
    transport.OUTSIDE,
    "certificate not trusted",
    "credentials cannot be opened",
    "credentials refused",
    "no encryption",
    "no encryption offered",
    "settings not understood",
}
# Five seconds each: a worker is done with a message before its lease ends.
MOST_PROVIDERS = 4


def deliver(message_id: str) -> None:
    """Send the message with this id. An unknown, taken or settled one is left alone (OUT-06)."""
    try:
        message = OutboxMessage.objects.filter(pk=uuid.UUID(message_id)).claim()
    except ValueError:
        return
    if message:
        _deliver(message)


def sweep() -> None:
    """Send what no nudge brought, oldest first, for as long as there is any or the time is up.

    Several sweepers may run at once: each takes what the others have not.
    """
    end = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < end and (message := OutboxMessage.objects.claim()):
        _deliver(message)


def _deliver(message: OutboxMessage) -> None:
    if message.expires_at <= now():
        message.settle(Status.EXPIRED)
        return
    letter = composing.compose(message)
    if letter is None:
        message.settle(Status.CANCELLED)
        return
    _send(message, Envelope(id=message.pk, to=message.address, letter=letter))


def _send(message: OutboxMessage, envelope: Envelope) -> None:
    problem, wait = "no provider", None
    failing = breaker.failing()
    carriers = _in_turn(message.channel, failing, around=envelope.letter.around)
    for carrier in islice(carriers, MOST_PROVIDERS):
        try:
            handed = _hand_over(envelope, carrier)
        except Permanent as failure:
            logger.warning("outbox %s: %s refused: %s", message.pk, carrier.name, failure)
            message.settle(Status.FAILED, provider_id=carrier.id, error=str(failure))
            return
        except Temporary as failure:
            _note(message, carrier, failure)
            problem, wait = f"{carrier.name}: {failure}", failure.wait
        else:
            message.settle(Status.SENT, provider_id=carrier.id, provider_ref=handed.id)
            logger.info("outbox %s: handed to %s", message.pk, carrier.name)
            if carrier.id in failing:
                breaker.worked(carrier.id)
            return
    _try_later(message, problem, wait)


def _in_turn(
    channel: str, failing: breaker.Failing, *, around: uuid.UUID | None
) -> Iterator[Carrier]:
    """The providers that may be tried now; when all of them are paused, all: a message always has somewhere to go.

    The one with the id `around` only when there is no other.
    """
    every, admitted = providers.carrying(channel), False
    carriers = [carrier for carrier in every if carrier.id != around] or every
    for carrier in carriers:
        if breaker.admits(carrier.id, failing):
            admitted = True
            yield carrier
    if not admitted:
        yield from carriers


def _hand_over(envelope: Envelope, carrier: Carrier) -> Handed:
    if carrier.kind is None:
        raise Temporary("credentials cannot be opened")
    return carrier.kind.send(envelope)


def _note(message: OutboxMessage, carrier: Carrier, failure: Temporary) -> None:
    # Expected weather. The address and the text stay out of the log.
    logger.warning("outbox %s: %s failed: %s", message.pk, carrier.name, failure)
    breaker.failed(carrier.id, wait=failure.wait)
    if str(failure) in FOR_STAFF:
        alerts.sound("provider_refused", f"{carrier.name}: {failure}")


def _try_later(message: OutboxMessage, problem: str, wait: timedelta | None) -> None:
    if message.tries >= MAX_TRIES:
        message.settle(Status.FAILED, error=problem)
        return
    pause = min(LONGEST, max(SHORTEST, (now() - message.created_at) / SHARE_OF_AGE))
    jitter = random.uniform(0.8, 1.2)  # noqa: S311  not a secret
    message.postpone(max(pause * jitter, wait or pause), error=problem)
