"""The jobs app: it knows nobody; the apps above register what is to run."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """Periodic jobs."""

    name = "jobs"
    verbose_name = _("Periodic jobs")

    def ready(self) -> None:
        """Let every app register its jobs, which stand in its `tasks.py`; every process knows all of them."""
        from jobs.runner import sync_rows  # noqa: PLC0415

        autodiscover_modules("tasks")
        post_migrate.connect(sync_rows, sender=self)
