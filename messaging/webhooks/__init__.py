"""The delivery events that providers report later. Only verified calls are believed; events may come in any order."""

import hashlib
import logging
import uuid
from collections import Counter
from datetime import UTC, datetime

from anymail.exceptions import AnymailError
from django.core.exceptions import BadRequest, ImproperlyConfigured, SuspiciousOperation
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.utils.timezone import is_naive

from messaging.credentials import vault
from messaging.models import OutboxMessage, Provider, Receipt, Status
from messaging.webhooks import anymail, termii, twilio, vonage, zeptomail
from messaging.webhooks.base import DeliveryEvent, WebhookScheme

__all__ = ["InvalidPayload", "InvalidSignature", "receive", "record_event"]

logger = logging.getLogger(__name__)

SCHEMES: dict[str, WebhookScheme] = {
    kind: scheme
    for module in (anymail, termii, twilio, vonage, zeptomail)
    for kind, scheme in module.SCHEMES.items()
}

# Whatever comes later, the last of these that was ever reported is where a message ends. A bounce after a delivery is
# an automatic answer or a forward that failed: its receipt is kept and changes nothing.
PRECEDENCE = [Status.FAILED, Status.BOUNCED, Status.DELIVERED, Status.COMPLAINED]

# What a foreign body may raise in a parser.
FAULTS = (
    AnymailError,
    ArithmeticError,
    AttributeError,
    BadRequest,
    # What anymail says of calls that are for its inbound mail.
    ImproperlyConfigured,
    LookupError,
    MultiPartParserError,
    OSError,
    RecursionError,
    SuspiciousOperation,
    TypeError,
    ValueError,
)


class InvalidSignature(Exception):
    """Nothing shows that `provider` made this call, or not recently. It is None when there is no such provider."""

    def __init__(self, provider: Provider | None) -> None:
        super().__init__(str(provider))
        self.provider = provider


class InvalidPayload(Exception):
    """The provider made this call, and its body cannot be parsed."""


def receive(provider_id: uuid.UUID, request: HttpRequest) -> None:
    """Record every event in a webhook call of this provider. Raises InvalidSignature or InvalidPayload."""
    row = Provider.objects.filter(pk=provider_id).first()
    scheme = _verified_scheme(row, request) if row else None
    if row is None or scheme is None:
        logger.warning("receipts: refused, in the name of %s", row or "nobody we know")
        raise InvalidSignature(row)
    for event in _parsed(row, scheme, request):
        record_event(row, event)


def _parsed(row: Provider, scheme: WebhookScheme, request: HttpRequest) -> list[DeliveryEvent]:
    """The events in a call, without the parts that nobody understands. Raises InvalidPayload when those are all."""
    events, faults = [], Counter[str]()
    try:
        parts = scheme.split(request)
    except FAULTS as fault:
        parts, faults = [], Counter([type(fault).__name__])
    for part in parts:
        try:
            events += scheme.parse(part)
        except FAULTS as fault:
            faults[type(fault).__name__] += 1
    if faults:
        # Never their text: it may quote the body.
        kinds = ", ".join(f"{name} ({number})" for name, number in faults.items())
        logger.warning("receipts: %s not understood: %s", row, kinds)
    if faults and faults.total() >= len(parts):
        raise InvalidPayload
    return events


def record_event(row: Provider, event: DeliveryEvent) -> None:
    """Keep a receipt of an event and move its message, once. Messages of other providers are left alone."""
    with transaction.atomic():
        message = _message(row, event)
        if message and _make_receipt(row, event, message):
            message.move(event.status, over=_overridden(event.status))


def _verified_scheme(row: Provider, request: HttpRequest) -> WebhookScheme | None:
    scheme = SCHEMES.get(row.kind)
    if scheme is None:
        return None
    try:
        secret = row.values.get(scheme.secret)
        return scheme if secret and scheme.verify(secret, request) else None
    except (vault.Locked, *FAULTS):
        return None


def _message(row: Provider, event: DeliveryEvent) -> OutboxMessage | None:
    """The message of an event, if this provider carried it. Its provider is unknown while a receipt is the faster."""
    carried, message_id = Q(provider_id=row.pk), _uuid(event.message_id)
    if message_id:
        which = Q(pk=message_id) & (carried | Q(provider_id=None))
    elif event.provider_ref and _is_storable(event.provider_ref):
        which = Q(provider_ref=event.provider_ref[:200]) & carried
    else:
        return None
    return OutboxMessage.objects.filter(which, channel=row.channel).first()


def _is_storable(text: str) -> bool:
    """Whether a row could hold `text`: with a NUL or half a character the database would refuse the question."""
    return "\x00" not in text and text == text.encode(errors="ignore").decode()


def _uuid(text: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None


def _make_receipt(row: Provider, event: DeliveryEvent, message: OutboxMessage) -> bool:
    """Keep a receipt; False when there is one already. Of many calls at once, one makes it."""
    named = f"{row.pk} {message.pk} {event.key}"
    # What the provider calls the message may hold half a character.
    key = hashlib.sha256(named.encode(errors="surrogatepass")).hexdigest()
    _receipt, is_new = Receipt.objects.get_or_create(
        key=key,
        defaults={
            "message": message,
            "provider_id": row.pk,
            "status": event.status,
            "detail": event.detail[:120],
            "at": _time_of(event),
        },
    )
    return is_new


def _time_of(event: DeliveryEvent) -> datetime | Now:
    """When it happened, as the provider says; now, if it says nothing that is a time anywhere."""
    if event.at is None or is_naive(event.at):
        return Now()
    try:
        return event.at.astimezone(UTC)
    except OverflowError:
        return Now()


def _overridden(status: Status) -> set[Status]:
    return set(Status) - set(PRECEDENCE[PRECEDENCE.index(status) :])
