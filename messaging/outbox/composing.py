"""Which composer fills which template: the app that queued a message supplies the context as the message leaves."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string

from messaging.models import SMS, OutboxMessage

Context = dict[str, object]
Composer = Callable[[UUID, str], Context | None]

_composers: dict[str, Composer] = {}


@dataclass(frozen=True, slots=True)
class RenderedMessage:
    """The text of one message; `subject` and `html` are empty in a text message.

    `avoid_provider` is the id of a provider that should not carry the message while another one can: the message is
    about that provider.
    """

    text: str
    subject: str = ""
    html: str = ""
    avoid_provider: UUID | None = None


def composes(template: str) -> Callable[[Composer], Composer]:
    """Register the function that makes the context of `template`, or None when nobody wants the message.

    It is called with the id of what the message is about, and which part of that.
    """

    def register(composer: Composer) -> Composer:
        _composers[template] = composer
        return composer

    return register


def compose(message: OutboxMessage) -> RenderedMessage | None:
    """Render `message` now, or return None when it should not be sent any more."""
    context = _composers[message.template](message.about_id, message.part)
    if context is None:
        return None
    # A composer may find, as the message leaves, that another template is due.
    template = str(context.pop("template", message.template))
    avoid = context.pop("avoid_provider", None)
    avoid = avoid if isinstance(avoid, UUID) else None
    context["site_name"] = settings.SITE_NAME
    if message.channel == SMS:
        return RenderedMessage(
            text=_render(template, "sms.txt", context).strip(), avoid_provider=avoid
        )
    return RenderedMessage(
        subject=" ".join(_render(template, "subject.txt", context).split()),
        text=_render(template, "text.txt", context).strip() + "\n",
        html=_render(template, "email.html", context),
        avoid_provider=avoid,
    )


def _render(template: str, part: str, context: Context) -> str:
    return render_to_string(f"messaging/{template}/{part}", context)
