"""Which providers carry which channel, in the order they are tried."""

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.db.models import Exists

from messaging.credentials import vault
from messaging.models import EMAIL, SMS, Channel, Provider
from messaging.providers.amazon_ses import AmazonSes
from messaging.providers.anymail import Brevo, Mailgun, Mailjet, Postmark, Resend, SendGrid
from messaging.providers.base import Kind
from messaging.providers.mailbox import EmailBox, TextBox
from messaging.providers.smtp import Smtp
from messaging.providers.termii import Termii
from messaging.providers.twilio import Twilio
from messaging.providers.vonage import Vonage
from messaging.providers.zeptomail import ZeptoMail

# What staff may choose from.
_ALL: list[type[Kind]] = [
    Smtp, AmazonSes, Brevo, Mailgun, Mailjet, Postmark, Resend, SendGrid, ZeptoMail,
    Termii, Twilio, Vonage,
]  # fmt: skip
KINDS = {kind.kind: kind for kind in _ALL}


def id_named(name: str) -> uuid.UUID:
    """The id of a provider that is no row: what EMAIL_URL or SMS_URL names, and the mailbox. Ever the same."""
    return uuid.uuid5(NAMESPACE, name)


NAMESPACE = uuid.UUID("5f0c9a52-2d0e-4a3b-9f0e-6a8c1f6d7b10")
SMTP, MAILBOX = "smtp", "mailbox"
NAMED = {id_named(name): name for name in (*KINDS, MAILBOX)}


@dataclass(frozen=True, slots=True)
class Carrier:
    """A provider that is ready to send. `kind` is None when its secrets cannot be opened.

    What it does is remembered by its `id`; its `name` is what staff call it today.
    """

    id: uuid.UUID
    name: str
    kind: Kind | None


def carrying(channel: str) -> list[Carrier]:
    """The providers for `channel`: what the environment names, then the rows of staff, else the mailbox, else none."""
    rows = Provider.objects.filter(channel=channel, is_active=True)
    chosen = [*_named(channel), *(carrier(row) for row in sorted(rows, key=_turn))]
    return chosen or _boxes(channel)


def in_use(channels: Iterable[str] = (EMAIL, SMS)) -> dict[uuid.UUID, str]:
    """The ids of the providers that are tried for these channels, and what staff call them."""
    carriers = (carrier for channel in channels for carrier in carrying(channel))
    return {carrier.id: carrier.name for carrier in carriers}


def names() -> dict[uuid.UUID, str]:
    """What to call each provider there is, by its id."""
    return NAMED | dict(Provider.objects.values_list("pk", "name"))


def can_carry(channel: str, *, also_stopped: bool = False) -> bool:
    """Whether there is any, and staff have not stopped the channel: one question at most, however it is set up."""
    stopped = Channel.objects.filter(pk=channel, is_open=False)
    if settings.MAILBOX or (settings.EMAIL_URL if channel == EMAIL else settings.SMS_URL):
        return also_stopped or not stopped.exists()
    rows = Provider.objects.filter(channel=channel, is_active=True)
    return (rows if also_stopped else rows.filter(~Exists(stopped))).exists()


def carrier(row: Provider) -> Carrier:
    """Make a row ready to send."""
    kind = KINDS.get(row.kind)
    try:
        values = row.values
    except vault.Locked:
        kind = None
    if kind is None:
        return Carrier(row.pk, row.name, None)
    receipts_url = f"{settings.SITE_URL}{row.receipts_path}"
    return Carrier(row.pk, row.name, kind(values, receipts_url=receipts_url))


def _named(channel: str) -> list[Carrier]:
    """What EMAIL_URL or SMS_URL names, like twilio://?account_sid=AC1&auth_token=...&sender=+15005550006."""
    if channel == EMAIL and settings.EMAIL_URL:
        return [Carrier(id_named(SMTP), SMTP, Smtp.of_settings())]
    if channel == SMS and settings.SMS_URL:
        address = urlsplit(settings.SMS_URL)
        kind = KINDS[address.scheme](dict(parse_qsl(address.query)))
        return [Carrier(id_named(address.scheme), address.scheme, kind)]
    return []


def _boxes(channel: str) -> list[Carrier]:
    box = EmailBox if channel == EMAIL else TextBox
    return [Carrier(id_named(MAILBOX), MAILBOX, box({}))] if settings.MAILBOX else []


def _turn(row: Provider) -> tuple[int, bool, float]:
    """By rank; within one rank by lot, in which the weight is the share (Efraimidis and Spirakis, 2006)."""
    lot = random.random() ** (1 / row.weight) if row.weight else 0.0  # noqa: S311  a share, not a secret
    return row.rank, not row.weight, -lot
