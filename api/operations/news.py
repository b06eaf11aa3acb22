"""What became of the code of a registration, for the program that began it."""

from dataclasses import dataclass
from uuid import UUID

from accounts import conf, delivery
from accounts.models import Purpose
from api import pending


@dataclass(frozen=True, slots=True)
class News:
    """What the page of the code would say now, and which message it is about."""

    about: UUID
    state: str
    words: str


def read_news(handle: UUID) -> News | None:
    """What is told of an attempt; None wherever it would tell who has an account, and of what nobody began (ENU-01).

    Where registration tells nobody that an address is taken, the way of its code tells nothing either.
    """
    if conf.REGISTRATION_DUPLICATE_POLICY != "disclose":
        return None
    attempt = pending.load(handle, [Purpose.REGISTER])
    line = delivery.status_line(attempt.challenge) if attempt else None
    if attempt is None or line is None:
        return None
    return News(about=attempt.challenge.pk, state=line.state, words=str(line.words))
