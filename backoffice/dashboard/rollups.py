"""Rollups of sign-ups: numbers for each hour, counted from the rows, and for each day, summed from its hours.

A rollup names nobody. Each hour is counted again while something about it may still change: a receipt, a
verification, a profile. Counting twice changes nothing; two who count at once wait for each other.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from operator import itemgetter
from uuid import UUID

from django.db import models, transaction
from django.db.models import Case, Count, F, OuterRef, Subquery, Sum, Value, When
from django.db.models.functions import Now, TruncHour
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from accounts.flows.challenge import message_channel
from accounts.identifiers import PHONE, Identifier
from accounts.models import Challenge, Purpose, RefusalCount, SecurityEvent
from backoffice.models import KEY, PAGE, STEPS, Granularity, Key, Measure, SignupRollup
from jobs.clock import database_time
from messaging.models import ACCEPTED, ARRIVED, EMAIL, SMS, OutboxMessage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# The newest hours are counted with every tick; all of the last two days once an hour, one with each tick.
NEWEST_HOURS, CHANGING_HOURS = 3, 48
# The dashboard looks back 90 days. Days are kept for good, hours a little longer than anybody looks at them.
LOOKBACK, HOURS_KEPT = 90 * DAY, 100 * DAY
# What one run may take on: a task ends after thirty seconds.
MAX_HOURS, RUN_SECONDS = 48, 15
BATCH = 500
# Upper ends of the buckets in which durations are counted, in seconds.
BUCKETS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
OVERFLOW = "inf"
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


def roll_up_hour(moment: datetime) -> None:
    """Count the hour of `moment` anew, and its day with it."""
    with transaction.atomic():
        _roll_up_hour(_start_of_hour(moment))
        _roll_up_day(start_of_day(moment))


def roll_up_day(moment: datetime) -> None:
    """Count the hours of the day of `moment` anew, as far as they have begun, and the day once after them."""
    day = start_of_day(moment)
    # In UTC: where clocks change a day has 23 hours, or 25.
    hour, end = _start_of_hour(day), min(day + DAY, database_time())
    while hour < end:
        with transaction.atomic():
            _roll_up_hour(hour)
        hour += HOUR
    with transaction.atomic():
        _roll_up_day(day)


def roll_up_due() -> int:
    """Count every hour that is due, the newest first, for as long as a run may take; returns how many."""
    end, counted = time.monotonic() + RUN_SECONDS, 0
    for hour in _due(database_time()):
        if time.monotonic() > end:
            break
        roll_up_hour(hour)
        counted += 1
    _hours().filter(starts_at__lt=Now() - HOURS_KEPT).delete()
    return counted


def settled_refusals() -> models.QuerySet[RefusalCount]:
    """Counts of refusals that the dashboard has taken over for good, or that are older than it reaches."""
    final = _hours().filter(measure=Measure.COUNTED, count=FINAL)
    is_final = models.Exists(final.filter(starts_at=OuterRef("hour")))
    counts = RefusalCount.objects.alias(hour=TruncHour("minute", tzinfo=UTC))
    return counts.filter(is_final | models.Q(minute__lte=Now() - LOOKBACK))


def start_of_day(moment: datetime) -> datetime:
    """The beginning of the day of `moment`, where the shop is."""
    return localtime(moment).replace(hour=0, minute=0, second=0, microsecond=0)


def percentile(buckets: dict[str, int], share: float) -> str:
    """The end of the bucket below which `share` of all lie: one of BUCKETS, OVERFLOW, or "" when there are none."""
    wanted, passed = share * sum(buckets.values()), 0
    for end in (*map(str, BUCKETS), OVERFLOW):
        passed += buckets.get(end, 0)
        if passed and passed >= wanted:
            return end
    return ""


def _due(moment: datetime) -> list[datetime]:
    """The newest hours, one of the last two days, and those nobody has counted or not for the last time."""
    current = _start_of_hour(moment)
    marks = _hours().filter(measure=Measure.COUNTED, starts_at__gt=current - LOOKBACK)
    states = dict(marks.values_list("starts_at", "count"))
    older = [current - n * HOUR for n in range(NEWEST_HOURS, LOOKBACK // HOUR)]
    split = CHANGING_HOURS - NEWEST_HOURS + 1
    changing, settled = older[:split], older[split:]
    # Each minute has an hour of its own: spread over sixty ticks, all of them have had their turn.
    turn = changing[moment.minute : moment.minute + 1]
    missing = [hour for hour in changing if hour not in states]
    missing += [hour for hour in settled if states.get(hour) != FINAL]
    newest = [current - n * HOUR for n in range(NEWEST_HOURS)]
    return list(dict.fromkeys([*newest, *turn, *islice(missing, MAX_HOURS)]))


def _hours() -> models.QuerySet[SignupRollup]:
    return SignupRollup.objects.filter(granularity=Granularity.HOUR)


def _roll_up_hour(hour: datetime) -> None:
    # First the lock, then the look: whoever counts last has seen the most.
    locked_at = _lock(Granularity.HOUR, hour)
    counts = _people(hour)
    counts.update(_messages(hour))
    counts.update(_events(hour))
    is_final = hour <= locked_at - (CHANGING_HOURS + 1) * HOUR
    _save(Granularity.HOUR, hour, counts, FINAL if is_final else OPEN)


def _lock(granularity: Granularity, starts_at: datetime) -> datetime:
    """Lock this hour or day for others who count it, until the transaction ends; returns since when."""
    mark = {"granularity": granularity, "starts_at": starts_at, "measure": Measure.COUNTED}
    SignupRollup.objects.bulk_create([SignupRollup(**mark, count=0)], ignore_conflicts=True)
    locked = SignupRollup.objects.select_for_update().filter(**mark).annotate(locked_at=Now())
    return locked.get().locked_at


def _save(granularity: Granularity, starts_at: datetime, counts: Counts, state: int) -> None:
    """Make the rows of an hour or a day equal to `counts`; those that are equal already are not written."""
    counts[Measure.COUNTED, "", "", "", "", ""] = state
    time = {"granularity": granularity, "starts_at": starts_at}
    saved = {row.key: row for row in SignupRollup.objects.filter(**time)}
    gone = [row.pk for key, row in saved.items() if key not in counts]
    SignupRollup.objects.filter(pk__in=gone).delete()
    changed = [
        SignupRollup(**time, **dict(zip(KEY, key, strict=True)), count=count)
        for key, count in counts.items()
        if key not in saved or saved[key].count != count
    ]
    SignupRollup.objects.bulk_create(
        changed, BATCH, update_conflicts=True, unique_fields=[*time, *KEY], update_fields=["count"]
    )


def _roll_up_day(day: datetime) -> None:
    _lock(Granularity.DAY, day)
    hours = _hours().filter(starts_at__gte=day, starts_at__lt=day + DAY)
    sums = hours.exclude(measure=Measure.COUNTED).values_list(*KEY).annotate(Sum("count"))
    _save(Granularity.DAY, day, Counter({row[:-1]: row[-1] for row in sums}), OPEN)


# People


def _people(hour: datetime) -> Counts:
    """How far the people came who began to register in this hour.

    Somebody who began twice is one person, of the client with which they came furthest, or first as far.
    """
    furthest: dict[str, tuple[int, str]] = {}
    counts: Counts = Counter()
    for batch in _batches(_began(hour).iterator(BATCH)):
        sent = _steps_by_message(batch)
        for attempt in batch:
            person, client = attempt.recipient, attempt.space or PAGE
            came = _step(attempt, sent), client
            furthest[person] = max(furthest.get(person, came), came, key=itemgetter(0))
            if attempt.verified_at:
                took = _bucket(attempt.verified_at - attempt.created_at)
                place = (*_channel_and_country(person), client)
                counts[Measure.VERIFICATION_TIME, *place, "", took] += 1
    for person, (step, client) in furthest.items():
        for measure in STEPS[: step + 1]:
            counts[measure, *_channel_and_country(person), client, "", ""] += 1
    return counts


def _began(hour: datetime) -> models.QuerySet[Challenge]:
    """Attempts to register of this hour, without those that turned out to be of somebody with an account."""
    began = Challenge.objects.filter(purpose=Purpose.REGISTER, **_hour_filter("created_at", hour))
    returned = models.Q(user__date_joined__lt=F("created_at"))
    columns = "recipient space sends user created_at verified_at user__completed_at".split()
    # In order: of equals the first counts, whoever counts again.
    return began.exclude(returned).select_related("user").only(*columns).order_by("created_at")


def _steps_by_message(attempts: list[Challenge]) -> dict[UUID, int]:
    """The step to which messages alone have brought these attempts."""
    about = [attempt.pk for attempt in attempts]
    taken = OutboxMessage.objects.filter(about_id__in=about, status__in=ACCEPTED)
    steps: dict[UUID, int] = {}
    for pk, status in taken.values_list("about_id", "status"):
        step = STEPS.index(Measure.DELIVERED if status in ARRIVED else Measure.HANDED)
        steps[pk] = max(steps.get(pk, 0), step)
    return steps


def _step(attempt: Challenge, sent: dict[UUID, int]) -> int:
    """How far this attempt came. Whoever typed the code had it, also from providers that send no receipts."""
    if attempt.user and attempt.user.completed_at:
        return STEPS.index(Measure.COMPLETED)
    if attempt.verified_at:
        return STEPS.index(Measure.VERIFIED)
    return sent.get(attempt.pk, 0)


# Messages and events


def _messages(hour: datetime) -> Counts:
    """What became of the messages that were settled in this hour, and how long they took to leave."""
    settled = OutboxMessage.objects.filter(**_hour_filter("settled_at", hour)).order_by()
    whens = [When(waited__lte=timedelta(seconds=end), then=Value(str(end))) for end in BUCKETS]
    began = Challenge.objects.filter(pk=OuterRef("about_id"))
    groups = (
        settled.annotate(
            space=Subquery(began.values("space")),
            number=Case(When(channel=SMS, then=F("address")), default=Value("")),
            waited=F("settled_at") - F("created_at"),
            bucket=Case(*whens, default=Value(OVERFLOW)),
        )
        .values_list("channel", "number", "space", "provider_id", "status", "bucket")
        .annotate(Count("pk"))
    )
    counts: Counts = Counter()
    for channel, number, space, provider_id, status, bucket, count in groups:
        # What is about no attempt, like a warning, is of no client.
        place = channel, country_of(number), "" if space is None else space or PAGE
        provider = str(provider_id or "")
        counts[Measure.MESSAGES, *place, provider, status] += count
        if status in ACCEPTED:
            counts[Measure.HANDOVER_TIME, *place, provider, bucket] += count
    return counts


def _events(hour: datetime) -> Counts:
    """Who became a user in this hour, and what was refused."""
    each = [kind for kind in ("registered", *REFUSALS) if kind not in COUNTED]
    happened = SecurityEvent.objects.filter(kind__in=each, **_hour_filter("at", hour)).order_by()
    refused = RefusalCount.objects.filter(**_hour_filter("minute", hour)).order_by()
    columns = ("kind", "identifier_kind", "country", "space")
    counts: Counts = Counter()
    for kind, identifier_kind, country, space, count in chain(
        happened.values_list(*columns).annotate(Count("pk")),
        refused.values_list(*columns).annotate(Sum("count")),
    ):
        is_sign_up = kind == "registered"
        measure, detail = (Measure.SIGN_UPS, "") if is_sign_up else (Measure.REFUSED, kind)
        place = message_channel(identifier_kind), country, space or PAGE
        counts[measure, *place, "", detail] += count
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


def _channel_and_country(recipient: str) -> tuple[str, str]:
    return (EMAIL, "") if "@" in recipient else (SMS, country_of(recipient))


def _bucket(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    return str(next((end for end in BUCKETS if seconds <= end), OVERFLOW))


def _hour_filter(column: str, hour: datetime) -> dict[str, datetime]:
    return {f"{column}__gte": hour, f"{column}__lt": hour + HOUR}


def _start_of_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _batches(rows: Iterable[Challenge]) -> Iterator[list[Challenge]]:
    waiting = iter(rows)
    while batch := list(islice(waiting, BATCH)):
        yield batch
