"""How one message is sent: claim, compose, try the providers, settle."""

import logging
import random
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from messaging import alerts, providers
from messaging.models import MAX_TRIES, OutboxMessage, Status
from messaging.outbox import breaker, composing
from messaging.providers import ConfiguredProvider, transport
from messaging.providers.base import Envelope, PermanentFailure, TemporaryFailure

logger = logging.getLogger(__name__)

# How long a sweeper goes on while there is work; with its last message that is less than a task may take.
SWEEP_SECONDS = 8
# Between two tries a message waits a sixteenth of its age: a shopper may be waiting for the first ones (OUT-05).
SHARE_OF_AGE = 16
MIN_PAUSE, MAX_PAUSE = timedelta(seconds=1), timedelta(minutes=10)
# Faults that only staff can repair (ADM-05, ADM-07).
ALERTING_FAULTS = {
    "account refused",
    "address not allowed",
    transport.NOT_PUBLIC,
    "certificate not trusted",
    providers.LOCKED,
    "credentials refused",
    "no encryption",
    "no encryption offered",
    "settings not understood",
}
# Five seconds each: a worker is done with a message before its lease ends.
MAX_PROVIDERS = 4


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
    if message.expires_at <= message.claimed_at:
        message.settle(Status.EXPIRED)
        return
    rendered = composing.compose(message)
    if rendered is None:
        message.settle(Status.CANCELLED)
        return
    _send(message, Envelope(id=message.pk, to=message.address, message=rendered))


def _send(message: OutboxMessage, envelope: Envelope) -> None:
    problem, retry_after = "", None
    failing = breaker.failing()
    candidates = _candidates(message.channel, failing, avoid=envelope.message.avoid_provider)
    for provider in islice(candidates, MAX_PROVIDERS):
        try:
            result = provider.send(envelope)
        except PermanentFailure as failure:
            logger.warning("outbox %s: %s refused: %s", message.pk, provider.name, failure)
            message.settle(Status.FAILED, provider_id=provider.id, error=str(failure))
            return
        except TemporaryFailure as failure:
            _record_failure(message, provider, failure)
            problem, retry_after = f"{provider.name}: {failure}", failure.retry_after
        else:
            message.settle(Status.SENT, provider_id=provider.id, provider_ref=result.message_id)
            logger.info("outbox %s: handed to %s", message.pk, provider.name)
            if provider.id in failing:
                breaker.record_success(provider.id)
            return
    _retry_later(message, problem or _why_nobody(message.channel), retry_after)


def _why_nobody(channel: str) -> str:
    return "no provider is tested" if providers.waits_for_test(channel) else "no provider"


def _candidates(
    channel: str, failing: breaker.Failing, *, avoid: uuid.UUID | None
) -> Iterator[ConfiguredProvider]:
    """The providers that may be tried now; when all of them are paused, all: a message can always be sent somewhere.

    The one with the id `avoid` only when there is no other.
    """
    every, allowed = providers.providers_for(channel), False
    candidates = [provider for provider in every if provider.id != avoid] or every
    for provider in candidates:
        if breaker.allows(provider.id, failing):
            allowed = True
            yield provider
    if not allowed:
        yield from candidates


def _record_failure(
    message: OutboxMessage, provider: ConfiguredProvider, failure: TemporaryFailure
) -> None:
    # Expected weather. The address and the text stay out of the log.
    logger.warning("outbox %s: %s failed: %s", message.pk, provider.name, failure)
    breaker.record_failure(provider.id, retry_after=failure.retry_after)
    if str(failure) in ALERTING_FAULTS:
        alerts.trigger("provider_refused", f"{provider.name}: {failure}")


def _retry_later(message: OutboxMessage, problem: str, retry_after: timedelta | None) -> None:
    if message.tries >= MAX_TRIES:
        message.settle(Status.FAILED, error=problem)
        return
    pause = min(MAX_PAUSE, max(MIN_PAUSE, (message.claimed_at - message.created_at) / SHARE_OF_AGE))
    jitter = random.uniform(0.8, 1.2)  # noqa: S311  not a secret
    message.postpone(max(pause * jitter, retry_after or pause), error=problem)
