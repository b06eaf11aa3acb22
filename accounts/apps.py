"""Wires the accounts app: who writes its letters, who keeps `last_login`."""

from django.apps import AppConfig, apps
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Who a shopper is and how they prove it."""

    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self):
        """Register the letters and the tallies; our flows note the sign-in in the statement that makes it."""
        from accounts import letters, tallies  # noqa: F401, PLC0415  register themselves
        from accounts.flows import staff  # noqa: PLC0415

        user_logged_in.disconnect(dispatch_uid="update_last_login")
        # After the last app that has models: all permissions are there by then.
        last = [config for config in apps.get_app_configs() if config.models_module][-1]
        post_migrate.connect(staff.fill_groups, sender=last)
