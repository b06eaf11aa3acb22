"""Wires the accounts app: who composes its messages, who keeps `last_login`."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Who a shopper is and how they verify it."""

    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self):
        """Register the composers; the flows note the sign-in in the statement that makes it."""
        from accounts import composers  # noqa: F401, PLC0415  registers itself

        user_logged_in.disconnect(dispatch_uid="update_last_login")
