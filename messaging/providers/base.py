"""What a backend is: the fields that staff fill in, and one call with a result or one of two failures."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from messaging.outbox.composing import RenderedMessage


@dataclass(frozen=True, slots=True)
class ResponseSummary:
    """What staff may see of a provider's response: never its text, which may quote a credential or an address (OUT-07).

    `error_code` is one that the provider documents, `request_id` what its support asks for.
    """

    status: str = ""
    error_code: str = ""
    request_id: str = ""


NO_RESPONSE = ResponseSummary()


@dataclass(eq=False)
class Failure(Exception):
    """A provider did not take a message. `fault` names the fault and nothing else: it is kept and logged."""

    fault: str
    response: ResponseSummary = NO_RESPONSE
    # How long the provider asks us to wait, if it does.
    retry_after: timedelta | None = None

    def __str__(self) -> str:
        return self.fault


class TemporaryFailure(Failure):
    """Not now, or not by this provider: try the next one, then later."""


class PermanentFailure(Failure):
    """Not ever: this address or this message is refused."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message and where it goes. `id` is the same for every try, so that a duplicate can be recognised (OUT-03)."""

    id: uuid.UUID
    to: str
    message: RenderedMessage


@dataclass(frozen=True, slots=True)
class SendResult:
    """A message that the provider has taken: the provider's own id for it, if it gives one, and its response."""

    message_id: str = ""
    response: ResponseSummary = NO_RESPONSE


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a backend. A secret is sealed and never shown again."""

    name: str
    label: str | Promise
    secret: bool = False
    required: bool = True
    default: str = ""
    choices: tuple[str, ...] = ()
    help: str | Promise = ""


WEBHOOK_SECRET = Field(
    "webhook_secret",
    _("Webhook user:password"),
    secret=True,
    required=False,
    help=_(
        "A name, a colon and a password of 16 characters or more, without spaces. Only the password may "
        "contain a colon. In a web address, write @ as %40 and / as %2F."
    ),
)


class Backend(ABC):
    """Sends through one company, with the values of its `fields`; receipts go to `receipts_url`, if there is one."""

    kind: ClassVar[str]
    label: ClassVar[str]
    channel: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]] = ()

    def __init__(self, values: Mapping[str, str], *, receipts_url: str = "") -> None:
        self.values = {field.name: values.get(field.name) or field.default for field in self.fields}
        self.receipts_url = receipts_url

    @abstractmethod
    def send(self, envelope: Envelope) -> SendResult:
        """Send one message within five seconds. Raises TemporaryFailure or PermanentFailure, nothing else."""

    @abstractmethod
    def ping(self) -> None:
        """Check that the server answers, without sending anything. Raises TemporaryFailure."""
