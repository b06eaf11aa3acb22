"""The project as an app: its checks, and what follows a migration of all apps."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

from storefront import celery_app


class StorefrontConfig(AppConfig):
    """The last of all apps."""

    name = "storefront"

    def ready(self):
        """Register the checks; tell beat of the jobs; fill the groups of the roles once all permissions are there."""
        from backoffice import roles  # noqa: PLC0415
        from jobs.tasks import beat_schedule  # noqa: PLC0415
        from storefront import checks  # noqa: F401, PLC0415  registers itself

        # Every app has registered its jobs by now.
        celery_app.conf.beat_schedule = beat_schedule()
        # Of the last app that has models, and behind Django's own receiver, which makes the permissions.
        last = [config for config in apps.get_app_configs() if config.models_module][-1]
        post_migrate.connect(roles.fill_groups, sender=last)
