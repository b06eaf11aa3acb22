"""The messaging app: how words reach a person. It knows nobody."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Outbox, providers and the development mailbox."""

    name = "messaging"
    verbose_name = _("Messaging")
