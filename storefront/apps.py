"""The admin of this project: stock Django admin behind a sign-in that has limits."""

from django.contrib.admin.apps import AdminConfig


class StorefrontAdminConfig(AdminConfig):
    """Point Django admin at our site class."""

    default_site = "storefront.staff.StaffSite"

    def ready(self):
        """Load the admin modules, and the checks of the project, which is no app of its own."""
        super().ready()
        from storefront import checks  # noqa: F401, PLC0415  registers itself
