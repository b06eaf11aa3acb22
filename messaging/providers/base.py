"""What a provider is: a translation table with two ways to fail."""

import uuid
from dataclasses import dataclass
from typing import Protocol

from messaging.letters import Letter


class Temporary(Exception):
    """Not now: try the next provider, then later. The text names the fault, never the message."""


class Permanent(Exception):
    """Not ever: this address or message is refused."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A letter and where it goes. `id` is the same for every try, so that a duplicate can be recognised."""

    id: uuid.UUID
    to: str
    letter: Letter


class Provider(Protocol):
    """Hands envelopes over."""

    @property
    def name(self) -> str:
        """What staff call it."""

    def send(self, envelope: Envelope) -> None:
        """Hand one over. Raises Temporary or Permanent, nothing else."""
