"""Wires the accounts app: who writes its letters, who fills the groups of staff."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Who a shopper is and how they prove it."""

    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self):
        """Register the letters and the tallies, and what follows every migration."""
        from accounts import letters, tallies  # noqa: F401, PLC0415  register themselves
        from accounts.flows import staff  # noqa: PLC0415

        # After the last app that has models: all permissions are there by then.
        last = [config for config in apps.get_app_configs() if config.models_module][-1]
        post_migrate.connect(staff.fill_groups, sender=last)
