"""The project as an app: its checks."""

from django.apps import AppConfig


class StorefrontConfig(AppConfig):
    """The project's own checks."""

    name = "storefront"

    def ready(self):
        """Register the checks."""
        from storefront import checks  # noqa: F401, PLC0415  registers itself
