"""What the sign-up board shows: numbers for each hour, counted from the rows, and for each day, summed from its hours.

A tally names nobody. Each hour is counted again while something about it may still change: a receipt, a proof, a
profile. Counting twice changes nothing; two who count at once wait for each other.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from uuid import UUID

from django.db import models, transaction
from django.db.models import Case, Count, F, Sum, Value, When
from django.db.models.functions import Now, TruncHour
from django.utils.timezone import localtime, now
from django.utils.translation import gettext_lazy as _
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from accounts.flows.challenge import message_channel
from accounts.identifiers import PHONE, Identifier
from accounts.models import Challenge, Purpose, RefusalCount, SecurityEvent
from backoffice.models import KEY, STEPS, Key, Span, Tally, What
from messaging.models import ACCEPTED, ARRIVED, EMAIL, SMS, OutboxMessage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# So many hours are counted with every tick; all of the last two days once an hour, one with each tick.
FRESH, CHANGING = 3, 48
# The board looks back 90 days. Days are kept for good, hours a little longer than anybody looks at them.
REACH, HOURS_KEPT = 90 * DAY, 100 * DAY
# What one run may take on: a task ends after thirty seconds.
MOST_HOURS, RUN_SECONDS = 48, 15
BATCH = 500
# Upper ends of the steps in which spans of time are counted, in seconds.
WAIT_BOUNDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
ENDLESS = "inf"
OPEN, FINAL = 1, 2

# The events that are refusals, in words for staff.
REFUSALS = {
    "code_wrong": _("wrong code"),
    "code_used_up": _("code tried too often"),
    "code_replay": _("used code typed again"),
    "duplicate_registration": _("registered already"),
    "sign_in_failed": _("wrong password"),
    "password_locked": _("password paused"),
    "number_refused": _("number we do not text"),
    "sms_stopped": _("texts stopped"),
    "limit_hit": _("too often"),
    "staff_sign_in_failed": _("staff: wrong password"),
    "staff_sign_in_limited": _("staff: too often"),
}


# Those that are counted each time, and written down only now and then: their number is that of the counters.
COUNTED = ("code_replay", "number_refused", "sms_stopped", "limit_hit", "staff_sign_in_limited")


Counts = Counter[Key]


def tally(hour: datetime) -> None:
    """Count the hour in which `hour` lies anew, and its day with it."""
    with transaction.atomic():
        _count(_hour_of(hour))
        _sum_up(day_of(hour))


def tally_day(day: datetime) -> None:
    """Count the hours of the day in which `day` lies anew, as far as they have begun, and the day once after them."""
    first = day_of(day)
    # In UTC: where clocks change a day has 23 hours, or 25.
    hour, end = _hour_of(first), min(first + DAY, now())
    while hour < end:
        with transaction.atomic():
            _count(hour)
        hour += HOUR
    with transaction.atomic():
        _sum_up(first)


def catch_up() -> int:
    """Count every hour that is due, the newest first, for as long as a run may take; returns how many."""
    end, counted = time.monotonic() + RUN_SECONDS, 0
    for hour in _due(now()):
        if time.monotonic() > end:
            break
        tally(hour)
        counted += 1
    Tally.objects.filter(span=Span.HOUR, at__lt=now() - HOURS_KEPT).delete()
    return counted


def settled_refusals() -> models.QuerySet[RefusalCount]:
    """Counts of refusals that the board has taken over for good, or that are older than it reaches."""
    mark = Tally.objects.filter(span=Span.HOUR, what=What.COUNTED, number=FINAL)
    is_final = models.Exists(mark.filter(at=models.OuterRef("hour")))
    counts = RefusalCount.objects.alias(hour=TruncHour("minute", tzinfo=UTC))
    return counts.filter(is_final | models.Q(minute__lte=Now() - REACH))


def day_of(moment: datetime) -> datetime:
    """The beginning of the day of `moment`, where the shop is."""
    return localtime(moment).replace(hour=0, minute=0, second=0, microsecond=0)


def percentile(steps: dict[str, int], share: float) -> str:
    """The end of the step below which `share` of all lie: one of WAIT_BOUNDS, ENDLESS, or "" when there are none."""
    wanted, passed = share * sum(steps.values()), 0
    for bound in (*map(str, WAIT_BOUNDS), ENDLESS):
        passed += steps.get(bound, 0)
        if passed and passed >= wanted:
            return bound
    return ""


def _due(moment: datetime) -> list[datetime]:
    """The newest hours, one of the last two days, and those nobody has counted or not for the last time."""
    current = _hour_of(moment)
    marks = Tally.objects.filter(span=Span.HOUR, what=What.COUNTED, at__gt=current - REACH)
    states = dict(marks.values_list("at", "number"))
    older = [current - n * HOUR for n in range(FRESH, REACH // HOUR)]
    changing, settled = older[: CHANGING - FRESH + 1], older[CHANGING - FRESH + 1 :]
    # Each minute has an hour of its own: spread over sixty ticks, all of them have had their turn.
    turn = changing[moment.minute : moment.minute + 1]
    missing = [hour for hour in changing if hour not in states]
    missing += [hour for hour in settled if states.get(hour) != FINAL]
    newest = [current - n * HOUR for n in range(FRESH)]
    return list(dict.fromkeys([*newest, *turn, *islice(missing, MOST_HOURS)]))


def _count(hour: datetime) -> None:
    # First the lock, then the look: whoever counts last has seen the most.
    _lock(Span.HOUR, hour)
    counts = _people(hour)
    counts.update(_messages(hour))
    counts.update(_events(hour))
    is_final = hour <= now() - (CHANGING + 1) * HOUR
    _keep(Span.HOUR, hour, counts, FINAL if is_final else OPEN)


def _lock(span: Span, at: datetime) -> None:
    """Be alone with this hour or day until the transaction ends."""
    mark = Tally(span=span, at=at, what=What.COUNTED, number=0)
    Tally.objects.bulk_create([mark], ignore_conflicts=True)
    Tally.objects.select_for_update().get(span=span, at=at, what=What.COUNTED)


def _keep(span: Span, at: datetime, counts: Counts, state: int) -> None:
    """Make the rows say `counts`; those that say it already are left alone."""
    counts[What.COUNTED, "", "", "", ""] = state
    standing = {row.key: row for row in Tally.objects.filter(span=span, at=at)}
    gone = [row.pk for key, row in standing.items() if key not in counts]
    Tally.objects.filter(pk__in=gone).delete()
    news = [
        Tally(span=span, at=at, **dict(zip(KEY, key, strict=True)), number=number)
        for key, number in counts.items()
        if key not in standing or standing[key].number != number
    ]
    Tally.objects.bulk_create(
        news, BATCH, update_conflicts=True, unique_fields=["span", "at", *KEY], update_fields=["number"]
    )  # fmt: skip


def _sum_up(day: datetime) -> None:
    _lock(Span.DAY, day)
    hours = Tally.objects.filter(span=Span.HOUR, at__gte=day, at__lt=day + DAY)
    sums = hours.exclude(what=What.COUNTED).values_list(*KEY).annotate(Sum("number"))
    _keep(Span.DAY, day, Counter({row[:-1]: row[-1] for row in sums}), OPEN)


# People


def _people(hour: datetime) -> Counts:
    """How far the people came who began to register in this hour. Somebody who began twice is one person."""
    furthest: dict[str, int] = {}
    counts: Counts = Counter()
    for batch in _batches(_began(hour).iterator(BATCH)):
        sent = _sent(batch)
        for attempt in batch:
            person = attempt.recipient
            furthest[person] = max(furthest.get(person, 0), _step(attempt, sent))
            if attempt.verified_at:
                waited = _bound(attempt.verified_at - attempt.created_at)
                counts[What.PROOF, *_place(person), "", waited] += 1
    reached = Counter((*_place(person), step) for person, step in furthest.items())
    for (channel, country, step), number in reached.items():
        for what in STEPS[: step + 1]:
            counts[what, channel, country, "", ""] += number
    return counts


def _began(hour: datetime) -> models.QuerySet[Challenge]:
    """Attempts to register of this hour, without those that turned out to be of somebody with an account."""
    began = Challenge.objects.filter(purpose=Purpose.REGISTER, **_within("created_at", hour))
    returned = models.Q(user__date_joined__lt=F("created_at"))
    columns = ["recipient", "sends", "user", "created_at", "verified_at", "user__completed_at"]
    return began.exclude(returned).select_related("user").only(*columns)


def _sent(attempts: list[Challenge]) -> dict[UUID, int]:
    """The step to which messages alone have brought these attempts."""
    about = [attempt.pk for attempt in attempts]
    taken = OutboxMessage.objects.filter(about_id__in=about, status__in=ACCEPTED)
    steps: dict[UUID, int] = {}
    for pk, status in taken.values_list("about_id", "status"):
        step = STEPS.index(What.DELIVERED if status in ARRIVED else What.HANDED)
        steps[pk] = max(steps.get(pk, 0), step)
    return steps


def _step(attempt: Challenge, sent: dict[UUID, int]) -> int:
    """How far this attempt came. Whoever typed the code had it, also from providers that send no receipts."""
    if attempt.user and attempt.user.completed_at:
        return STEPS.index(What.COMPLETED)
    if attempt.verified_at:
        return STEPS.index(What.VERIFIED)
    return sent.get(attempt.pk, 0)


# Messages and events


def _messages(hour: datetime) -> Counts:
    """What became of the messages that were settled in this hour, and how long they took to leave."""
    settled = OutboxMessage.objects.filter(**_within("settled_at", hour)).order_by()
    whens = [
        When(waited__lte=timedelta(seconds=bound), then=Value(str(bound))) for bound in WAIT_BOUNDS
    ]
    groups = (
        settled.annotate(
            number=Case(When(channel=SMS, then=F("address")), default=Value("")),
            waited=F("settled_at") - F("created_at"),
            bound=Case(*whens, default=Value(ENDLESS)),
        )
        .values_list("channel", "number", "provider_id", "status", "bound")
        .annotate(Count("pk"))
    )
    counts: Counts = Counter()
    for channel, number, provider_id, status, bound, count in groups:
        country, provider = country_of(number), str(provider_id or "")
        counts[What.MESSAGES, channel, country, provider, status] += count
        if status in ACCEPTED:
            counts[What.HANDOVER, channel, country, provider, bound] += count
    return counts


def _events(hour: datetime) -> Counts:
    """Who became a user in this hour, and what was refused."""
    each = [kind for kind in ("registered", *REFUSALS) if kind not in COUNTED]
    happened = SecurityEvent.objects.filter(kind__in=each, **_within("at", hour)).order_by()
    refused = RefusalCount.objects.filter(**_within("minute", hour)).order_by()
    columns = ("kind", "identifier_kind", "country")
    counts: Counts = Counter()
    for kind, identifier_kind, country, count in chain(
        happened.values_list(*columns).annotate(Count("pk")),
        refused.values_list(*columns).annotate(Sum("count")),
    ):
        what, detail = (What.SIGN_UPS, "") if kind == "registered" else (What.REFUSED, kind)
        counts[what, message_channel(identifier_kind), country, "", detail] += count
    return counts


# Arithmetic


def country_of(number: str) -> str:
    """The country of a number, as two letters; "" for none."""
    if not number.startswith("+"):
        return ""
    for size in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(number[1 : size + 1]))
        if regions:
            # Few codes are shared, and only their numbers need to be read as a whole.
            shared = len(regions) > 1
            found = Identifier(PHONE, number, number).country if shared else regions[0]
            return found if found.isalpha() else ""
    return ""


def _place(recipient: str) -> tuple[str, str]:
    """The channel and the country of somebody."""
    return (EMAIL, "") if "@" in recipient else (SMS, country_of(recipient))


def _bound(waited: timedelta) -> str:
    """The step in which a span of time is counted."""
    seconds = waited.total_seconds()
    return str(next((bound for bound in WAIT_BOUNDS if seconds <= bound), ENDLESS))


def _within(column: str, hour: datetime) -> dict[str, datetime]:
    return {f"{column}__gte": hour, f"{column}__lt": hour + HOUR}


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _batches(rows: Iterable[Challenge]) -> Iterator[list[Challenge]]:
    waiting = iter(rows)
    while batch := list(islice(waiting, BATCH)):
        yield batch
