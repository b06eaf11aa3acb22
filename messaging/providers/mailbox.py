"""The development mailbox: messages become files that a page shows. Never in production."""

import json
import time
from pathlib import Path

from django.conf import settings
from django.utils.timezone import now

from messaging.models import EMAIL, SMS
from messaging.providers.base import Backend, Envelope, SendResult
from messaging.providers.smtp import build_email

MAX_FILES = 500


class MailboxBackend(Backend):
    """Writes each message to a file of its own in MAILBOX_DIR."""

    kind = "mailbox"
    label = "Development mailbox"

    def send(self, envelope: Envelope) -> SendResult:
        message = envelope.message
        headers = build_email(envelope).message().items() if self.channel == EMAIL else ()
        kept = {
            "id": f"{time.time_ns()}-{envelope.id}",
            "channel": self.channel,
            "to": envelope.to,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "headers": dict(headers),
            "sent_at": now().isoformat(),
        }
        settings.MAILBOX_DIR.mkdir(parents=True, exist_ok=True)
        path = settings.MAILBOX_DIR / f"{kept['id']}.json"
        path.with_suffix(".part").write_text(json.dumps(kept))
        path.with_suffix(".part").rename(path)
        for old in files()[MAX_FILES:]:
            old.unlink(missing_ok=True)
        return SendResult()

    def ping(self) -> None:
        """The mailbox is on this machine."""


class EmailMailbox(MailboxBackend):
    channel = EMAIL


class SmsMailbox(MailboxBackend):
    channel = SMS


def files() -> list[Path]:
    """The files of all kept messages, newest first."""
    return sorted(settings.MAILBOX_DIR.glob("*.json"), reverse=True)


def messages(to: str = "") -> list[dict]:
    """All kept messages, newest first, or those to one address."""
    kept = [json.loads(path.read_text()) for path in files()]
    return [message for message in kept if not to or message["to"].casefold() == to.casefold()]
