"""What the sign-up board says: tallies of a span, narrowed to a channel and a country. No raw row is read here."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.db.models import Sum
from django.utils.formats import date_format, time_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from backoffice.dashboard.rollups import (
    DAY,
    ENDLESS,
    HOUR,
    REFUSALS,
    WAIT_BOUNDS,
    day_of,
    percentile,
)
from backoffice.models import KEY, STEPS, Span, Tally, What
from messaging.models import ACCEPTED, UNDELIVERED

MOST_REASONS = 10
# Counting is late when the newest counted hour is older than this one and the one before.
STALE_AFTER = 2 * HOUR


@dataclass(frozen=True, slots=True)
class Choice:
    """What staff chose to see."""

    days: int
    channel: str = ""
    country: str = ""

    @property
    def since(self):
        """The beginning of the first day."""
        return day_of(now()) - timedelta(days=self.days - 1)

    @property
    def span(self):
        """Hours of one day, days of more."""
        return Span.HOUR if self.days == 1 else Span.DAY


@dataclass(frozen=True, slots=True)
class Carried:
    """What one provider did with the messages it was given."""

    all: int
    sent: int
    lost: int
    half: str
    most: str

    @property
    def share(self):
        """How many of a hundred came to nothing, or None when there were none."""
        return round(100 * self.lost / self.all) if self.all else None

    @property
    def numbers(self):
        """For the file: pairs of words and number."""
        yield _("handed over"), self.sent
        yield _("came to nothing"), self.lost
        yield _("hand-over, p50"), seconds(self.half)
        yield _("hand-over, p95"), seconds(self.most)


class Figures:
    """All numbers of one choice, from two queries."""

    def __init__(self, choice):
        self.choice = choice
        self._rows = Tally.objects.filter(span=choice.span, at__gte=choice.since).order_by()

    @cached_property
    def _all(self):
        sums = self._rows.exclude(what=What.COUNTED).values_list(*KEY).annotate(Sum("number"))
        return [(dict(zip(KEY, row, strict=False)), row[-1]) for row in sums]

    @cached_property
    def countries(self):
        """The countries that anybody came from, whatever was chosen."""
        return sorted({key["country"] for key, _number in self._all} - {""})

    @cached_property
    def steps(self):
        """How many people came how far: pairs of words and number."""
        reached = self._sum("what")
        return [(step.label, reached[step]) for step in STEPS]

    @cached_property
    def sign_ups(self):
        """How many became users in each hour or day: pairs of its beginning and number."""
        found = self._rows.filter(what=What.SIGN_UPS, **self._narrowed())
        by_time = dict(found.values_list("at").annotate(Sum("number")))
        return [(at, by_time.get(at, 0)) for at in self._times()]

    @cached_property
    def refusals(self):
        """The most frequent reasons."""
        counts = self._sum("detail", What.REFUSED)
        return [(REFUSALS.get(kind, kind), n) for kind, n in counts.most_common(MOST_REASONS)]

    @cached_property
    def carried(self):
        """What each provider did, by its channel and id; "" is what nobody took."""
        told = {}
        for key, number in self._of(What.MESSAGES):
            status = told.setdefault((key["channel"], key["provider_id"]), Counter())
            status[key["detail"]] += number
        return {place: self._carried(place, counts) for place, counts in sorted(told.items())}

    def steps_of_time(self, what):
        """How many took how long: pairs of the step's end and number."""
        counts = self._sum("detail", what)
        ends = [*map(str, WAIT_BOUNDS), ENDLESS]
        return [(end, counts[end]) for end in ends]

    def _carried(self, place, counts):
        times = Counter()
        for key, number in self._of(What.HANDOVER):
            if (key["channel"], key["provider_id"]) == place:
                times[key["detail"]] += number
        return Carried(
            all=sum(counts.values()),
            sent=sum(counts[status] for status in ACCEPTED),
            lost=sum(counts[status] for status in UNDELIVERED),
            half=percentile(times, 0.5),
            most=percentile(times, 0.95),
        )

    def _of(self, what):
        """The chosen sums of one kind."""
        wanted = self._narrowed() | {"what": what}
        return [(key, n) for key, n in self._all if wanted.items() <= key.items()]

    def _sum(self, by, what=None):
        counts = Counter()
        for kind in [what] if what else STEPS:
            for key, number in self._of(kind):
                counts[key[by]] += number
        return counts

    def _narrowed(self):
        chosen = {"channel": self.choice.channel, "country": self.choice.country}
        return {name: value for name, value in chosen.items() if value}

    def _times(self):
        step = HOUR if self.choice.span == Span.HOUR else DAY
        end, at = day_of(now()) + DAY, self.choice.since
        while at < end:
            yield at
            at += step


def when(at, span):
    """An hour or a day, short."""
    local = localtime(at)
    return time_format(local, "H:i") if span == Span.HOUR else date_format(local, "j M")


def behind():
    """The newest hour that was counted when that is too long ago, else None. "" when none ever was."""
    newest = Tally.objects.filter(span=Span.HOUR, what=What.COUNTED).order_by("-at").first()
    if newest is None:
        return ""
    return (
        date_format(localtime(newest.at), "j M, H:i") if newest.at < now() - STALE_AFTER else None
    )


def seconds(bound):
    """The end of a step of time, in words."""
    if not bound:
        return ""
    if bound == ENDLESS:
        return _("more than %(most)s") % {"most": span(WAIT_BOUNDS[-1])}
    return _("within %(time)s") % {"time": span(float(bound))}


def span(number):
    """A number of seconds, short."""
    if number < 60:
        return _("%(n)s sec") % {"n": f"{number:g}"}
    if number < 3600:
        return _("%(n)s min") % {"n": f"{number / 60:g}"}
    return _("%(n)s h") % {"n": f"{number / 3600:g}"}
