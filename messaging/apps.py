"""The messaging app: how a message reaches an address. It knows no accounts."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Outbox, providers and the development mailbox."""

    name = "messaging"
    verbose_name = _("Messaging")
