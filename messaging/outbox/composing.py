"""Who writes which letter. The app that queued a message supplies its facts as it leaves; templates make the words."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string

from messaging.models import SMS, OutboxMessage

Facts = dict[str, object]
Writer = Callable[[UUID, str], Facts | None]

_writers: dict[str, Writer] = {}


@dataclass(frozen=True, slots=True)
class Letter:
    """The words of one message; `subject` and `html` are empty in a text message.

    `around` is the id of a provider that should not carry it while another one can: it is about that one.
    """

    text: str
    subject: str = ""
    html: str = ""
    around: UUID | None = None


def writes(name: str) -> Callable[[Writer], Writer]:
    """Register a function that finds the facts of letter `name`, or None when nobody wants it.

    It is called with the id of what the message is about, and which part of that.
    """

    def register(writer: Writer) -> Writer:
        _writers[name] = writer
        return writer

    return register


def compose(message: OutboxMessage) -> Letter | None:
    """Write the words of `message` now, or return None when it should not be sent any more."""
    facts = _writers[message.letter](message.about_id, message.part)
    if facts is None:
        return None
    # A writer may find, as the message leaves, that other words are due.
    name = str(facts.pop("letter", message.letter))
    around = facts.pop("around", None)
    around = around if isinstance(around, UUID) else None
    facts["site_name"] = settings.SITE_NAME
    if message.channel == SMS:
        return Letter(text=_render(name, "sms.txt", facts).strip(), around=around)
    return Letter(
        around=around,
        subject=" ".join(_render(name, "subject.txt", facts).split()),
        text=_render(name, "text.txt", facts).strip() + "\n",
        html=_render(name, "email.html", facts),
    )


def _render(name: str, part: str, facts: Facts) -> str:
    return render_to_string(f"messaging/{name}/{part}", facts)
