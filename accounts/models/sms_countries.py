"""The countries that are texted: open or closed, and how many codes came back."""

from datetime import timedelta

from django.db import models
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts import conf

EVERYWHERE = "*"


DAY = timedelta(days=1)


NUMBER = models.PositiveIntegerField()


class SmsCountryQuerySet(models.QuerySet["SmsCountry"]):
    """What is decided about countries."""

    def close_suspicious(self) -> int:
        """Close those from which hardly any code comes back, to sign-ups alone and for a day (ABU-05)."""
        return (
            self.filter(SmsCountry.SUSPICIOUS, is_open=True)
            .exclude(SmsCountry.PAUSED)
            .update(closed_until=Now() + DAY)
        )

    def close(self) -> int:
        """Send no texts there to any shopper, until staff open it."""
        return self.update(is_open=False, reason=_("closed by staff"))

    def open(self) -> int:
        """Send texts again, sign-ups too, and begin to count anew."""
        anew = {"sent": 0, "verified": 0, "since": Now()}
        return self.update(is_open=True, reason="", closed_until=None, **anew)

    def with_state(self) -> "SmsCountryQuerySet":
        """Each with `is_paused`: whether it has closed itself to sign-ups, by the database's clock."""
        paused = Case(When(SmsCountry.PAUSED, then=True), default=False)
        return self.annotate(is_paused=paused)


class SmsCountry(models.Model):
    """One country, or EVERYWHERE, as far as texts go: its switch, and how many codes of sign-ups came back in a day."""

    code = models.CharField(_("country"), max_length=2, primary_key=True)
    # The switch of staff, for all shoppers.
    is_open = models.BooleanField(_("texts are sent"), default=True)
    reason = models.CharField(_("closed because"), max_length=80, blank=True)
    # Closed by itself, for sign-ups alone.
    closed_until = models.DateTimeField(_("no sign-ups until"), null=True)
    sent = models.PositiveIntegerField(_("codes sent to sign-ups"), default=0)
    verified = models.PositiveIntegerField(_("codes that came back"), default=0)
    since = models.DateTimeField(_("counted since"), db_default=Now())

    OF_ANOTHER_DAY = models.Q(since__lte=Now() - DAY)
    SUSPICIOUS = ~OF_ANOTHER_DAY & models.Q(
        sent__gte=conf.SMS_BEFORE_JUDGING, sent__gt=F("verified") * 10
    )
    PAUSED = models.Q(closed_until__isnull=False, closed_until__gt=Now())

    # Told by with_state().
    is_paused = False

    objects = SmsCountryQuerySet.as_manager()

    class Meta:
        verbose_name = _("country")
        verbose_name_plural = _("countries we text")

    def __str__(self):
        return str(_("everywhere")) if self.pk == EVERYWHERE else self.code

    @property
    def share(self):
        """How many of a hundred codes came back, or None before any was sent."""
        return round(100 * self.verified / self.sent) if self.sent else None

    def is_stopped(self) -> bool:
        """Whether staff stopped texts to all shoppers, here or everywhere."""
        switches = SmsCountry.objects.filter(code__in=[self.code, EVERYWHERE])
        return switches.filter(is_open=False).exists()

    def count_sign_up(self) -> bool:
        """Count one more code to a sign-up, or return False when none is sent here or everywhere.

        From SMS_BEFORE_JUDGING codes a day on, one in ten must have come back (ABU-05).
        """
        everywhere = SmsCountry.objects.filter(code=EVERYWHERE, is_open=False)
        here = SmsCountry.objects.filter(~models.Exists(everywhere), code=self.code, is_open=True)
        anew = When(SmsCountry.OF_ANOTHER_DAY, then=Value(0))
        counted = here.exclude(SmsCountry.PAUSED | SmsCountry.SUSPICIOUS).update(
            sent=Case(anew, default=F("sent"), output_field=NUMBER) + 1,
            verified=Case(anew, default=F("verified"), output_field=NUMBER),
            since=Case(When(SmsCountry.OF_ANOTHER_DAY, then=Now()), default=F("since")),
        )
        return counted == 1

    def count_verified(self) -> None:
        SmsCountry.objects.filter(code=self.code).update(verified=F("verified") + 1)
