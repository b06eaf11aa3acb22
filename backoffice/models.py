"""The numbers of the sign-up dashboard, as rows that name nobody."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from messaging.models import CHANNELS


class Measure(models.TextChoices):
    """What is counted. The first five are people who registered, in the hour in which they began."""

    IDENTIFIED = "identified", _("identified")
    HANDED = "handed", _("message handed over")
    DELIVERED = "delivered", _("delivered")
    VERIFIED = "verified", _("verified")
    COMPLETED = "completed", _("completed")
    SIGN_UPS = "sign_ups", _("sign-ups")
    HANDOVER_TIME = "handover", _("time to hand-over")
    VERIFICATION_TIME = "verifying", _("time to verify")
    MESSAGES = "messages", _("messages")
    REFUSED = "refused", _("refusals")
    COUNTED = "counted", _("counted")


STEPS = (
    Measure.IDENTIFIED,
    Measure.HANDED,
    Measure.DELIVERED,
    Measure.VERIFIED,
    Measure.COMPLETED,
)


class Granularity(models.TextChoices):
    """How long the time of one rollup is."""

    HOUR = "hour", _("hour")
    DAY = "day", _("day")


PAGE = "page"
# What people came with: the pages, or an app in one of the spaces of the API.
CLIENTS = (
    (PAGE, _("pages")),
    ("v1", _("API v1")),
    ("auth", _("API auth")),
    ("v2", _("API v2")),
)

KEY = ("measure", "channel", "country", "client", "provider_id", "detail")
Key = tuple[str, str, str, str, str, str]


def client_label(space: str) -> str:
    """What staff read of a space of the API, "" being the pages."""
    return str(dict(CLIENTS).get(space or PAGE, space))


class SignupRollup(models.Model):
    """How much there was of one measure in the hour or day that began at `starts_at`."""

    granularity = models.CharField(_("for each"), max_length=4, choices=Granularity)
    starts_at = models.DateTimeField(_("from"))
    measure = models.CharField(_("measure"), max_length=12, choices=Measure)
    channel = models.CharField(_("channel"), max_length=8, choices=CHANNELS, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    # "" for what belongs to no attempt, like a warning to superusers.
    client = models.CharField(_("client"), max_length=8, choices=CLIENTS, blank=True)
    # As text, for the keys of most rollups have none.
    provider_id = models.CharField(_("provider"), max_length=40, blank=True)
    detail = models.CharField(_("detail"), max_length=40, blank=True)
    count = models.PositiveIntegerField(_("count"))

    class Meta:
        verbose_name = _("sign-up number")
        verbose_name_plural = _("sign-up dashboard")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["granularity", "starts_at", *KEY], name="signup_rollup_once"
            )
        ]

    def __str__(self):
        return f"{self.measure} {self.starts_at:%Y-%m-%d %H:%M}"

    @property
    def key(self) -> Key:
        """What this row counts."""
        return (
            self.measure,
            self.channel,
            self.country,
            self.client,
            self.provider_id,
            self.detail,
        )
