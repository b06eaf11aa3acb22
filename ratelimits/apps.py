"""The ratelimits app: how often something may happen. It knows neither accounts nor messages."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RateLimitsConfig(AppConfig):
    """Exact sliding windows."""

    name = "ratelimits"
    verbose_name = _("Limits")
