"""Which providers serve which channel, in the order they are tried."""

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
from messaging.providers.base import Backend, Envelope, SendResult, TemporaryFailure
from messaging.providers.mailbox import EmailMailbox, SmsMailbox
from messaging.providers.smtp import Smtp
from messaging.providers.termii import Termii
from messaging.providers.twilio import Twilio
from messaging.providers.vonage import Vonage
from messaging.providers.zeptomail import ZeptoMail

# What staff may choose from.
BACKENDS: dict[str, type[Backend]] = {
    backend.kind: backend
    for backend in (
        Smtp, AmazonSes, Brevo, Mailgun, Mailjet, Postmark, Resend, SendGrid, ZeptoMail,
        Termii, Twilio, Vonage,
    )
}  # fmt: skip

NAMESPACE = uuid.UUID("5f0c9a52-2d0e-4a3b-9f0e-6a8c1f6d7b10")
SMTP, MAILBOX = "smtp", "mailbox"
# The fault of a provider without a key to its secrets.
LOCKED = "credentials cannot be opened"


def environment_id(name: str) -> uuid.UUID:
    """The id, ever the same, of a provider that is no row: what EMAIL_URL or SMS_URL names, and the mailbox."""
    return uuid.uuid5(NAMESPACE, name)


ENVIRONMENT_PROVIDERS = {environment_id(name): name for name in (*BACKENDS, MAILBOX)}


@dataclass(frozen=True, slots=True)
class ConfiguredProvider:
    """A provider with its settings. `backend` is None when its secrets cannot be opened.

    Messages refer to its `id`; its `name` is what staff call it today.
    """

    id: uuid.UUID
    name: str
    backend: Backend | None

    def send(self, envelope: Envelope) -> SendResult:
        """Send one message. Raises as Backend.send."""
        return self._opened().send(envelope)

    def ping(self) -> None:
        """Check that its server answers. Raises as Backend.ping."""
        self._opened().ping()

    def _opened(self) -> Backend:
        if self.backend is None:
            raise TemporaryFailure(LOCKED)
        return self.backend


def providers_for(channel: str) -> list[ConfiguredProvider]:
    """The providers for `channel`: what the environment names, then the mailbox if it is on, else the rows of staff.

    A row that is untested is none of them. The mailbox stays whatever staff enter: mail of a developer's machine leaves
    it only when whoever runs it says so, by EMAIL_URL or SMS_URL or without MAILBOX.
    """
    named = _from_environment(channel)
    if settings.MAILBOX:
        return named or _mailbox(channel)
    rows = sorted(Provider.objects.carrying(channel), key=_order)
    return [*named, *(configure(row) for row in rows)]


def has_own(channel: str) -> bool:
    """Whether the environment or the mailbox serves the channel, whatever rows there are."""
    return bool(settings.MAILBOX or _url(channel))


def waits_for_test(channel: str) -> bool:
    """Whether messages wait because every provider in use for the channel is untested."""
    if has_own(channel) or Provider.objects.carrying(channel).exists():
        return False
    return Provider.objects.in_use(channel).exists()


def in_use(channels: Iterable[str] = (EMAIL, SMS)) -> dict[uuid.UUID, str]:
    """The ids of the providers that are tried for these channels, and what staff call them."""
    found = (provider for channel in channels for provider in providers_for(channel))
    return {provider.id: provider.name for provider in found}


def names() -> dict[uuid.UUID, str]:
    """The name of each provider there is, by its id."""
    return ENVIRONMENT_PROVIDERS | dict(Provider.objects.values_list("pk", "name"))


def can_send(channel: str, *, include_stopped: bool = False) -> bool:
    """Whether the channel has a provider and staff have not stopped it: one query at most, however it is set up.

    An untested provider does not count: nobody should be promised a code that may never come.
    """
    stopped = Channel.objects.filter(pk=channel, is_open=False)
    if has_own(channel):
        return include_stopped or not stopped.exists()
    rows = Provider.objects.carrying(channel)
    return (rows if include_stopped else rows.filter(~Exists(stopped))).exists()


def configure(row: Provider) -> ConfiguredProvider:
    """Give the backend of a row its settings and secrets."""
    backend = BACKENDS.get(row.kind)
    try:
        values = row.values
    except vault.Locked:
        backend = None
    if backend is None:
        return ConfiguredProvider(row.pk, row.name, None)
    receipts_url = f"{settings.SITE_URL}{row.receipts_path}"
    return ConfiguredProvider(row.pk, row.name, backend(values, receipts_url=receipts_url))


def _from_environment(channel: str) -> list[ConfiguredProvider]:
    """What EMAIL_URL or SMS_URL names, like twilio://?account_sid=AC1&auth_token=...&sender=+15005550006."""
    if channel == EMAIL and settings.EMAIL_URL:
        return [ConfiguredProvider(environment_id(SMTP), SMTP, Smtp.from_settings())]
    if channel == SMS and settings.SMS_URL:
        url = urlsplit(settings.SMS_URL)
        backend = BACKENDS[url.scheme](dict(parse_qsl(url.query)))
        return [ConfiguredProvider(environment_id(url.scheme), url.scheme, backend)]
    return []


def _url(channel: str) -> str:
    return str(settings.EMAIL_URL if channel == EMAIL else settings.SMS_URL)


def _mailbox(channel: str) -> list[ConfiguredProvider]:
    backend = EmailMailbox({}) if channel == EMAIL else SmsMailbox({})
    return [ConfiguredProvider(environment_id(MAILBOX), MAILBOX, backend)]


def _order(row: Provider) -> tuple[int, bool, float]:
    """By rank; within one rank by lot, in which the weight is the share (Efraimidis and Spirakis, 2006)."""
    lot = random.random() ** (1 / row.weight) if row.weight else 0.0  # noqa: S311  a share, not a secret
    return row.rank, not row.weight, -lot
