"""Django's own apps as this project has them: the admin behind a door that has limits, and one sign-in to note."""

from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.apps import AuthConfig
from django.contrib.auth.signals import user_logged_in


class StorefrontAdminConfig(AdminConfig):
    """Point Django admin at our site class."""

    default_site = "storefront.staff.StaffSite"

    def ready(self):
        """Load the admin modules, and the checks of the project, which is no app of its own."""
        super().ready()
        from storefront import checks  # noqa: F401, PLC0415  registers itself


class StorefrontAuthConfig(AuthConfig):
    """Leave `last_login` to our flows, which write it in the statement that lets somebody in."""

    def ready(self):
        """Take back what Django connects."""
        super().ready()
        user_logged_in.disconnect(dispatch_uid="update_last_login")
