"""Which providers carry which channel, in the order they are tried."""

from django.conf import settings

from messaging.models import EMAIL
from messaging.providers.base import Provider
from messaging.providers.mailbox import Mailbox
from messaging.providers.smtp import Smtp


def carrying(channel: str) -> list[Provider]:
    """The providers for `channel`: what the environment names, else the development mailbox, else none."""
    if channel == EMAIL and settings.EMAIL_URL:
        return [Smtp()]
    return [Mailbox(channel)] if settings.MAILBOX else []
