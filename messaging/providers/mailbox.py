"""The development mailbox: messages become files that a page shows. Never in production."""

import json
import time
from pathlib import Path

from django.conf import settings
from django.utils.timezone import now

from messaging.models import EMAIL, SMS
from messaging.providers.base import Envelope, Handed, Kind
from messaging.providers.smtp import build

KEPT = 500


class Mailbox(Kind):
    """Writes each message to a file of its own in MAILBOX_DIR."""

    kind = "mailbox"
    label = "Development mailbox"

    def send(self, envelope: Envelope) -> Handed:
        """Keep the message as a person would have received it."""
        letter = envelope.letter
        kept = {
            "id": f"{time.time_ns()}-{envelope.id}",
            "channel": self.channel,
            "to": envelope.to,
            "subject": letter.subject,
            "text": letter.text,
            "html": letter.html,
            "headers": self.headers(envelope),
            "sent_at": now().isoformat(),
        }
        settings.MAILBOX_DIR.mkdir(parents=True, exist_ok=True)
        path = settings.MAILBOX_DIR / f"{kept['id']}.json"
        path.with_suffix(".part").write_text(json.dumps(kept))
        path.with_suffix(".part").rename(path)
        for old in files()[KEPT:]:
            old.unlink(missing_ok=True)
        return Handed()

    def reach(self) -> None:
        """It is here."""

    def headers(self, envelope: Envelope) -> dict[str, str]:
        """What stands above the words."""
        return {}


class EmailBox(Mailbox):
    """The mailbox for emails."""

    channel = EMAIL

    def headers(self, envelope: Envelope) -> dict[str, str]:
        """As a mail program would show them."""
        return dict(build(envelope).message().items())


class TextBox(Mailbox):
    """The mailbox for text messages."""

    channel = SMS


def files() -> list[Path]:
    """The files of all kept messages, newest first."""
    return sorted(settings.MAILBOX_DIR.glob("*.json"), reverse=True)


def read(to: str = "") -> list[dict]:
    """All kept messages, newest first, or those to one address."""
    kept = [json.loads(path.read_text()) for path in files()]
    return [message for message in kept if not to or message["to"].casefold() == to.casefold()]
