"""The back office: Django's admin behind a sign-in of its own, and the groups of its roles."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
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
        """Let old counts of refusals go with the rest."""
        from accounts import retention  # noqa: PLC0415
        from backoffice.dashboard import rollups  # noqa: PLC0415

        retention.OLD["refusals"] = rollups.settled_refusals
