"""What the sign-up dashboard says: rollups of a period, channel, client and country. No raw row is read here."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Subquery, Sum
from django.db.models.functions import Now
from django.utils.formats import date_format, time_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from backoffice.dashboard.rollups import (
    BUCKETS,
    DAY,
    HOUR,
    OVERFLOW,
    REFUSALS,
    percentile,
    start_of_day,
)
from backoffice.models import KEY, STEPS, Granularity, Measure, SignupRollup
from jobs.clock import database_time
from jobs.models import Job
from messaging.models import ACCEPTED, UNDELIVERED

MAX_REASONS = 10
# Counting is late when the newest counted hour is older than this one and the one before.
STALE_AFTER = 2 * HOUR
# The periodic job that counts.
ROLL_UP = "backoffice.roll_up_signups"


@dataclass(frozen=True, slots=True)
class Choice:
    """What staff chose to see."""

    days: int
    channel: str = ""
    client: str = ""
    country: str = ""
    today: datetime = field(default_factory=lambda: start_of_day(database_time()))

    @property
    def since(self):
        """The beginning of the first day."""
        return self.today - timedelta(days=self.days - 1)

    @property
    def granularity(self):
        """Hours of one day, days of more."""
        return Granularity.HOUR if self.days == 1 else Granularity.DAY


@dataclass(frozen=True, slots=True)
class ProviderCounts:
    """What one provider did with the messages it was given, and the percentiles of the time it took."""

    total: int = 0
    sent: int = 0
    failed: int = 0
    p50: str = ""
    p95: str = ""

    @property
    def failure_percent(self):
        """How many of a hundred came to nothing, or None when there were none."""
        return round(100 * self.failed / self.total) if self.total else None

    @property
    def rows(self):
        """For the file: pairs of words and number."""
        yield _("handed over"), self.sent
        yield _("came to nothing"), self.failed
        yield _("hand-over, p50"), bucket_label(self.p50)
        yield _("hand-over, p95"), bucket_label(self.p95)


class SignupStatistics:
    """All numbers of one choice, from two queries."""

    def __init__(self, choice):
        self.choice = choice
        self._rows = SignupRollup.objects.filter(
            granularity=choice.granularity, starts_at__gte=choice.since
        ).order_by()

    @cached_property
    def _sums(self):
        counted = self._rows.exclude(measure=Measure.COUNTED)
        sums = counted.values_list(*KEY).annotate(Sum("count"))
        return [(dict(zip(KEY, row, strict=False)), row[-1]) for row in sums]

    @cached_property
    def countries(self):
        """The countries that anybody came from, whatever was chosen."""
        return sorted({key["country"] for key, _count in self._sums} - {""})

    @cached_property
    def steps(self):
        """How many people came how far: pairs of words and number."""
        reached = Counter()
        for step in STEPS:
            reached += self._count_by("measure", step)
        return [(step.label, reached[step]) for step in STEPS]

    @cached_property
    def sign_ups(self):
        """How many became users in each hour or day: pairs of its beginning and number."""
        found = self._rows.filter(measure=Measure.SIGN_UPS, **self._conditions())
        by_time = dict(found.values_list("starts_at").annotate(Sum("count")))
        return [(starts_at, by_time.get(starts_at, 0)) for starts_at in self._times()]

    @cached_property
    def refusals(self):
        """The most frequent reasons."""
        reasons = self._count_by("detail", Measure.REFUSED).most_common(MAX_REASONS)
        return [(REFUSALS.get(kind, kind), count) for kind, count in reasons]

    @cached_property
    def by_provider(self):
        """What each provider did, by its channel and id; "" is what nobody took."""
        statuses = self._count_by_provider(Measure.MESSAGES)
        times = self._count_by_provider(Measure.HANDOVER_TIME)
        return {
            place: ProviderCounts(
                total=sum(counts.values()),
                sent=sum(counts[status] for status in ACCEPTED),
                failed=sum(counts[status] for status in UNDELIVERED),
                p50=percentile(times.get(place, {}), 0.5),
                p95=percentile(times.get(place, {}), 0.95),
            )
            for place, counts in sorted(statuses.items())
        }

    def durations(self, measure):
        """How many took how long: pairs of a bucket's end and number."""
        counts = self._count_by("detail", measure)
        return [(end, counts[end]) for end in (*map(str, BUCKETS), OVERFLOW)]

    def _count_by_provider(self, measure):
        counts = {}
        for key, count in self._chosen(measure):
            place = counts.setdefault((key["channel"], key["provider_id"]), Counter())
            place[key["detail"]] += count
        return counts

    def _count_by(self, column, measure):
        counts = Counter()
        for key, count in self._chosen(measure):
            counts[key[column]] += count
        return counts

    def _chosen(self, measure):
        wanted = self._conditions() | {"measure": measure}
        return [(key, count) for key, count in self._sums if wanted.items() <= key.items()]

    def _conditions(self):
        chosen = {name: getattr(self.choice, name) for name in ("channel", "client", "country")}
        return {name: value for name, value in chosen.items() if value}

    def _times(self):
        step = HOUR if self.choice.granularity == Granularity.HOUR else DAY
        end, starts_at = self.choice.today + DAY, self.choice.since
        while starts_at < end:
            yield starts_at
            starts_at += step


def time_label(starts_at, granularity):
    """An hour or a day, short."""
    local = localtime(starts_at)
    return (
        time_format(local, "H:i") if granularity == Granularity.HOUR else date_format(local, "j M")
    )


def freshness():
    """How fresh the numbers are, from one query.

    `counted_at` is when beat last had them counted; `stale_since` the newest hour that was counted, where that is too
    long ago. It is "" when none ever was, and None when all is well.
    """
    counted = SignupRollup.objects.filter(granularity=Granularity.HOUR, measure=Measure.COUNTED)
    done = Subquery(Job.objects.filter(pk=ROLL_UP).values("succeeded_at"))
    newest = counted.order_by("-starts_at").annotate(read_at=Now(), done_at=done).first()
    if newest is None:
        return {"counted_at": "", "stale_since": ""}
    is_stale = newest.starts_at < newest.read_at - STALE_AFTER
    return {
        "counted_at": date_format(localtime(newest.done_at), "j M, H:i") if newest.done_at else "",
        "stale_since": date_format(localtime(newest.starts_at), "j M, H:i") if is_stale else None,
    }


def bucket_label(end):
    """A bucket of durations in words, by its end."""
    if not end:
        return ""
    if end == OVERFLOW:
        return _("more than %(most)s") % {"most": duration_label(BUCKETS[-1])}
    return _("within %(time)s") % {"time": duration_label(float(end))}


def duration_label(seconds):
    """A number of seconds, short."""
    if seconds < 60:
        return _("%(n)s sec") % {"n": f"{seconds:g}"}
    if seconds < 3600:
        return _("%(n)s min") % {"n": f"{seconds / 60:g}"}
    return _("%(n)s h") % {"n": f"{seconds / 3600:g}"}
