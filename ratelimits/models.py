"""What was counted for one limit."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from jobs.clock import ReadAtMixin, ReadAtQuerySet


class Bucket(ReadAtMixin, models.Model):
    """One limit for one subject: the moments of its newest hits, 13 digits (milliseconds) each."""

    key = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(_("limit"), max_length=40)
    size = models.PositiveIntegerField(_("hits allowed"))
    period = models.PositiveIntegerField(_("in seconds"))
    hits = models.TextField(blank=True)
    # When its newest hit is older than the period: from then on an empty row says the same as none.
    expires_at = models.DateTimeField(_("holds nobody up from"), db_index=True)

    objects = ReadAtQuerySet["Bucket"].as_manager()

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")

    def __str__(self) -> str:
        return f"{self.name} {self.key[:8]}"
