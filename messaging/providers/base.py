"""What a kind of provider is: the fields that staff fill in, and a translation table with two ways to fail."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from messaging.outbox.composing import Letter

LONGEST_ANSWER = 2000


class Failure(Exception):
    """A provider did not take a message. The text names the fault and nothing else: it is kept and logged.

    `answer` is what the provider said, for the eyes of staff alone and never kept (OUT-07).
    """

    def __init__(self, fault: str, *, answer: str = "") -> None:
        super().__init__(fault)
        self.answer = answer


class Temporary(Failure):
    """Not now, or not by this provider: try the next one, then later. `wait` is what it asked for, if it did."""

    def __init__(self, fault: str, *, answer: str = "", wait: timedelta | None = None) -> None:
        super().__init__(fault, answer=answer)
        self.wait = wait


class Permanent(Failure):
    """Not ever: this address or this message is refused."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A letter and where it goes. `id` is the same for every try, so that a duplicate can be recognised (OUT-03)."""

    id: uuid.UUID
    to: str
    letter: Letter


@dataclass(frozen=True, slots=True)
class Handed:
    """A message the provider has taken: the provider's own id for it, if it gives one, and its answer."""

    id: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a kind needs to know. A secret is sealed and never shown again."""

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


class Kind(ABC):
    """One kind of provider, told its `fields`. Receipts for what it takes go to `receipts_url`, if there is one."""

    kind: ClassVar[str]
    label: ClassVar[str]
    channel: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]] = ()

    def __init__(self, values: Mapping[str, str], *, receipts_url: str = "") -> None:
        self.values = {field.name: values.get(field.name) or field.default for field in self.fields}
        self.receipts_url = receipts_url

    def hush(self, answer: str) -> str:
        """Make what a provider said fit to be shown: short, and without our secrets, should it repeat them."""
        for field in self.fields:
            secret = self.values[field.name]
            if field.secret and secret:
                answer = answer.replace(secret, "***")
        return answer[:LONGEST_ANSWER]

    @abstractmethod
    def send(self, envelope: Envelope) -> Handed:
        """Hand one over within five seconds. Raises Temporary or Permanent, nothing else."""

    @abstractmethod
    def reach(self) -> None:
        """Look whether the server answers at all, without sending anything. Raises Temporary."""
