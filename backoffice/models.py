"""The numbers of the sign-up board, as rows that name nobody."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from messaging.models import CHANNELS


class What(models.TextChoices):
    """What is counted. The first five are people who registered, in the hour in which they began."""

    IDENTIFIED = "identified", _("identified")
    HANDED = "handed", _("message handed over")
    DELIVERED = "delivered", _("delivered")
    VERIFIED = "verified", _("verified")
    COMPLETED = "completed", _("completed")
    SIGN_UPS = "sign_ups", _("sign-ups")
    HANDOVER = "handover", _("time to hand-over")
    PROOF = "proof", _("time to verify")
    MESSAGES = "messages", _("messages")
    REFUSED = "refused", _("refusals")
    COUNTED = "counted", _("counted")


STEPS = (What.IDENTIFIED, What.HANDED, What.DELIVERED, What.VERIFIED, What.COMPLETED)


class Span(models.TextChoices):
    """How long a tally's time is."""

    HOUR = "hour", _("hour")
    DAY = "day", _("day")


KEY = ("what", "channel", "country", "provider_id", "detail")


Key = tuple[str, str, str, str, str]


class Tally(models.Model):
    """One number: how many of `what` in the hour or day that began at `at`."""

    span = models.CharField(_("for each"), max_length=4, choices=Span)
    at = models.DateTimeField(_("from"))
    what = models.CharField(_("what"), max_length=12, choices=What)
    channel = models.CharField(_("channel"), max_length=8, choices=CHANNELS, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    # As text, for the keys of most tallies have none.
    provider_id = models.CharField(_("provider"), max_length=40, blank=True)
    detail = models.CharField(_("detail"), max_length=40, blank=True)
    number = models.PositiveIntegerField(_("number"))

    class Meta:
        verbose_name = _("sign-up number")
        verbose_name_plural = _("sign-up board")
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["span", "at", *KEY], name="tally_once")]

    def __str__(self):
        return f"{self.what} {self.at:%Y-%m-%d %H:%M}"

    @property
    def key(self) -> Key:
        """What this row counts."""
        return self.what, self.channel, self.country, self.provider_id, self.detail
