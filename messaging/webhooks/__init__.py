"""What providers say later about the messages they took. Only what they prove is believed; no order is needed."""

import hashlib
import logging
import uuid

from anymail.exceptions import AnymailError
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.utils.timezone import is_naive, now

from messaging.credentials import vault
from messaging.models import OutboxMessage, Provider, Receipt, Status
from messaging.webhooks import anymail, termii, twilio, vonage, zeptomail
from messaging.webhooks.base import Said, Scheme

__all__ = ["Unproved", "Unreadable", "receive", "take"]

logger = logging.getLogger(__name__)

SCHEMES: dict[str, Scheme] = {
    kind: scheme
    for module in (anymail, termii, twilio, vonage, zeptomail)
    for kind, scheme in module.SCHEMES.items()
}

# Whatever comes later, the last of these that was ever said is where a message ends. A bounce after a delivery is an
# automatic answer or a forward that failed: it is kept and changes nothing.
LADDER = [Status.FAILED, Status.BOUNCED, Status.DELIVERED, Status.COMPLAINED]

# What a body of foreign making may bring about in a parser.
FAULTS = (
    AnymailError,
    ArithmeticError,
    AttributeError,
    BadRequest,
    LookupError,
    MultiPartParserError,
    OSError,
    RecursionError,
    SuspiciousOperation,
    TypeError,
    ValueError,
)


class Unproved(Exception):
    """Nothing shows that the provider sent this, or not of late. Holds the provider, None if there is none."""

    def __init__(self, provider: Provider | None) -> None:
        super().__init__(str(provider))
        self.provider = provider


class Unreadable(Exception):
    """The provider sent it, and we do not understand it."""


def receive(provider_id: uuid.UUID, request: HttpRequest) -> None:
    """Follow everything that this provider says in this request. Raises Unproved or Unreadable."""
    row = Provider.objects.filter(pk=provider_id).first()
    scheme = _proved(row, request) if row else None
    if row is None or scheme is None:
        logger.warning("receipts: refused, in the name of %s", row or "nobody we know")
        raise Unproved(row)
    try:
        said = scheme.read(request)
    except FAULTS as fault:
        # Never its text: it may quote the body.
        logger.warning("receipts: %s not understood: %s", row, type(fault).__name__)
        raise Unreadable from None
    for each in said:
        take(row, each)


def take(row: Provider, said: Said) -> None:
    """Keep one thing said and move its message, once. What is no message of this provider's is left alone."""
    with transaction.atomic():
        message = _message(row, said)
        if message and _keep(row, said, message):
            message.move(said.status, over=_below(said.status))


def _proved(row: Provider, request: HttpRequest) -> Scheme | None:
    scheme = SCHEMES.get(row.kind)
    if scheme is None:
        return None
    try:
        secret = row.values.get(scheme.secret)
        return scheme if secret and scheme.proves(secret, request) else None
    except (vault.Locked, *FAULTS):
        return None


def _message(row: Provider, said: Said) -> OutboxMessage | None:
    """The message that is meant, if this provider carried it. Nobody is known to have when a receipt is the faster."""
    carried = Q(provider_id=row.pk)
    if said.message_id:
        which = Q(pk=said.message_id) & (carried | Q(provider_id=None))
    elif said.provider_ref and "\x00" not in said.provider_ref:
        which = Q(provider_ref=said.provider_ref[:200]) & carried
    else:
        return None
    return OutboxMessage.objects.filter(which, channel=row.channel).first()


def _keep(row: Provider, said: Said, message: OutboxMessage) -> bool:
    """Whether it is said for the first time. Of many at once, one is."""
    key = hashlib.sha256(f"{row.pk} {message.pk} {said.key}".encode()).hexdigest()
    at = said.at if said.at and not is_naive(said.at) else now()
    _receipt, is_new = Receipt.objects.get_or_create(
        key=key,
        defaults={
            "message": message,
            "provider_id": row.pk,
            "status": said.status,
            "detail": said.detail[:120],
            "at": at,
        },
    )
    return is_new


def _below(status: Status) -> set[Status]:
    return set(Status) - set(LADDER[LADDER.index(status) :])
