"""The back office: Django's admin behind a door of its own, and the groups of its roles."""

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class BackofficeAdminConfig(admin_apps.AdminConfig):
    """Points Django's admin at the site class of the back office."""

    default = False
    default_site = "backoffice.site.StaffSite"


class BackofficeConfig(AppConfig):
    """All that only staff see."""

    name = "backoffice"
    verbose_name = _("Back office")
    default = True

    def ready(self):
        """Fill the groups of the roles after every migration; let old counts of refusals go with the rest."""
        from accounts import retention  # noqa: PLC0415
        from backoffice import roles  # noqa: PLC0415
        from backoffice.dashboard import rollups  # noqa: PLC0415

        retention.OLD["refusals"] = rollups.settled_refusals
        # After the last app that has models: all permissions are there by then.
        last = [config for config in apps.get_app_configs() if config.models_module][-1]
        post_migrate.connect(roles.fill_groups, sender=last)
