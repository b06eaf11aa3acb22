"""The development mailbox: messages become files that a page shows. Never in production."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.timezone import now

from messaging.models import EMAIL
from messaging.providers.base import Envelope
from messaging.providers.smtp import build

KEPT = 500


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Writes each message to a file of its own in MAILBOX_DIR."""

    channel: str
    name = "mailbox"

    def send(self, envelope: Envelope) -> None:
        """Keep the message as a person would have received it."""
        letter = envelope.letter
        kept = {
            "id": f"{time.time_ns()}-{envelope.id}",
            "channel": self.channel,
            "to": envelope.to,
            "subject": letter.subject,
            "text": letter.text,
            "html": letter.html,
            "headers": self._headers(envelope),
            "sent_at": now().isoformat(),
        }
        settings.MAILBOX_DIR.mkdir(parents=True, exist_ok=True)
        path = settings.MAILBOX_DIR / f"{kept['id']}.json"
        path.with_suffix(".part").write_text(json.dumps(kept))
        path.with_suffix(".part").rename(path)
        for old in files()[KEPT:]:
            old.unlink(missing_ok=True)

    def _headers(self, envelope: Envelope) -> dict[str, str]:
        return dict(build(envelope).message().items()) if self.channel == EMAIL else {}


def files() -> list[Path]:
    """The files of all kept messages, newest first."""
    return sorted(settings.MAILBOX_DIR.glob("*.json"), reverse=True)


def read(to: str = "") -> list[dict]:
    """All kept messages, newest first, or those to one address."""
    kept = [json.loads(path.read_text()) for path in files()]
    return [message for message in kept if not to or message["to"].casefold() == to.casefold()]
