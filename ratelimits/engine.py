"""Exact sliding windows in the database, each taken by one conditional statement. They know nobody.

A bucket keeps the moments of its newest hits as text, 13 digits each. There is room when the hit that
would be pushed out is older than the period. The same statement is right on SQLite and PostgreSQL, under a
hundred parallel requests, and after Redis has lost everything.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, reduce
from operator import attrgetter, or_
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Case, Exists, Expression, F, OuterRef, Q, TextField, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Concat, Now, StrIndex, Substr
from django.db.models.lookups import Exact
from django.utils.crypto import salted_hmac

from jobs.clock import database_time
from ratelimits.models import Bucket
from ratelimits.rates import Rate

STAMP = 13
BROKEN_OFF = 3
DEADLOCK = "40P01"

TEXT = TextField()
Result = TypeVar("Result")

NOW_MS = {
    "postgresql": "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}
# When a hit of now is older than the period, whose seconds are the parameter: none where nothing is taken.
EXPIRES = {
    "postgresql": "clock_timestamp() + %s * interval '1 second'",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %s || ' seconds')",
}

CONSUME = """
INSERT INTO ratelimits_bucket AS kept (key, name, size, period, hits, expires_at) VALUES {rows}
ON CONFLICT (key) DO UPDATE SET
    name = excluded.name, size = excluded.size, period = excluded.period,
    expires_at = CASE WHEN excluded.hits = '' THEN kept.expires_at ELSE excluded.expires_at END,
    hits = substr(
        kept.hits || excluded.hits,
        CASE WHEN length(kept.hits || excluded.hits) > {stamp} * excluded.size
             THEN length(kept.hits || excluded.hits) - {stamp} * excluded.size + 1 ELSE 1 END
    )
WHERE length(kept.hits) < {stamp} * excluded.size
   OR CAST(substr(kept.hits, length(kept.hits) - {stamp} * excluded.size + 1, {stamp}) AS bigint)
      <= {now_ms} - excluded.period * 1000
RETURNING key, hits
"""

# An update locks rows in whatever order they lie; consuming goes in the order of keys. So does this.
HELD = """(SELECT key FROM ratelimits_bucket WHERE key = ANY(%s) ORDER BY key COLLATE "C" FOR UPDATE)"""


class LimitReached(Exception):
    """One of the limits that were asked at `asked_at` has no room before `available_at`, by the database's clock."""

    def __init__(self, available_at: datetime, *, asked_at: datetime) -> None:
        super().__init__(available_at)
        self.available_at, self.asked_at = available_at, asked_at


@dataclass(frozen=True)
class Limit:
    """One rate for one subject. `counts` is False for a limit that is only asked whether it has room."""

    name: str
    subject: str
    rate: Rate
    counts: bool = True
    # For whom it is, where callers tell people apart; no part of the key.
    pool: str = ""

    @cached_property
    def keys(self) -> list[str]:
        """Every key the bucket may stand under: while FINGERPRINT_KEYS are replaced, one for each (KEY-01)."""
        text = f"{self.name} {self.rate.seconds} {self.subject}"
        return [_keyed(text, key) for key in settings.FINGERPRINT_KEYS]

    @property
    def key(self) -> str:
        """The bucket's key: a keyed hash, so that the table names nobody (ENU-05)."""
        return self.keys[0]


@dataclass(frozen=True)
class Hit:
    """One hit that was taken: the limit, and the moments its bucket holds now, newest last."""

    limit: Limit
    hits: str

    @property
    def fills(self) -> bool:
        """Whether this hit took the last room there was."""
        rate, oldest = self.limit.rate, int(self.hits[:STAMP])
        full = len(self.hits) == STAMP * rate.times
        return full and oldest > int(self.newest) - rate.seconds * 1000

    @property
    def newest(self) -> str:
        """The moment of this hit."""
        return self.hits[-STAMP:]


def peek(limits: Iterable[Limit]) -> list[Limit]:
    """The same limits, only asked and not consumed."""
    return [replace(limit, counts=False) for limit in limits]


def enforce(*limits: Limit) -> None:
    """Consume every limit, or none, in the caller's transaction if there is one. Raises LimitReached."""
    if not limits:
        return
    is_in_callers = connection.in_atomic_block
    consumed = (
        consume(*limits) if is_in_callers else _retry_on_deadlock(_consume_all_or_none, limits)
    )
    _refuse_unless_all(limits, consumed)


def enforce_durably(*limits: Limit, asking: Iterable[Limit] = ()) -> dict[Limit, Hit]:
    """Consume every limit, or none, before anything else and for good. Raises LimitReached.

    In a transaction of its own, and RuntimeError in a caller's: no later refusal may take the hit back, and a network
    that is full must keep no rows of the narrower ones in it. Returns the hits, and which of `asking` have room.
    """
    consumed = _retry_on_deadlock(_consume_all_or_none, limits, [*asking])
    _refuse_unless_all(limits, consumed)
    return consumed


def try_consume(*limits: Limit) -> bool:
    """Consume every limit, or return False when one of them has no room and consume none.

    As `enforce_durably`, never in a caller's transaction.
    """
    return len(_retry_on_deadlock(_consume_all_or_none, limits)) == len(limits)


def consume(*limits: Limit) -> dict[Limit, Hit]:
    """Take one hit from each limit that has room, in one statement; returns what was taken.

    Raises ValueError for two limits that share a bucket, as those of one name, subject and period do.
    """
    by_key = {limit.key: limit for limit in limits}
    if len(by_key) < len(limits):
        # PostgreSQL would refuse it, SQLite count twice.
        raise ValueError(f"one bucket for two of {sorted(limit.name for limit in limits)}")
    return {by_key[key]: Hit(by_key[key], hits) for key, hits in _upsert(limits)}


def require(asked: Iterable[Limit], consumed: dict[Limit, Hit]) -> None:
    """Raise LimitReached if any of `asked` had no room, and refund what was consumed of the others."""
    asked = list(asked)
    if any(limit not in consumed for limit in asked):
        refund(*(hit for hit in consumed.values() if hit.limit.counts))
    _refuse_unless_all(asked, consumed)


def refund(*hits: Hit) -> None:
    """Return exactly these hits, in one statement."""
    rest = {hit.limit.key: _hits_without(hit) for hit in hits}
    _rewrite(rest, _unchanged(hits))


def reset(*limits: Limit) -> None:
    """Empty these limits."""
    _rewrite({key: Value("") for limit in limits for key in limit.keys})


def exhaust(*hits: Hit) -> bool:
    """Leave no room for a whole period from now on, in one statement: a lock runs from its last failure.

    Only where nobody has returned theirs meanwhile; returns whether any limit was exhausted.
    """
    full = {hit.limit.key: Value(hit.newest * hit.limit.rate.times) for hit in hits}
    unchanged = [Q(key=hit.limit.key, hits=hit.hits) for hit in hits]
    return _rewrite(full, reduce(or_, unchanged, Q(pk=""))) > 0


def reached(*full: Limit) -> LimitReached:
    """Say when the last of these full limits has room again."""
    kept = buckets(full)
    asked_at = next((bucket.read_at for bucket in kept.values()), None) or database_time()
    # Where none is full any more, somebody has returned theirs since we asked.
    until = max(_available_at(limit, kept.get(limit)) or asked_at for limit in full)
    return LimitReached(until, asked_at=asked_at)


def full_until(limits: Iterable[Limit]) -> dict[Limit, datetime]:
    """Those of the limits that are full now, and until when, in one query."""
    kept = buckets(limits)
    until = {limit: _available_at(limit, bucket) for limit, bucket in kept.items()}
    return {
        limit: moment for limit, moment in until.items() if moment and moment > kept[limit].read_at
    }


def used(limits: Iterable[Limit]) -> dict[Limit, int]:
    """How many hits of each limit that has a bucket still count, in one query."""
    return {limit: _used(limit, bucket) for limit, bucket in buckets(limits).items()}


def buckets(limits: Iterable[Limit]) -> dict[Limit, Bucket]:
    """The buckets of those limits that have one, in one query."""
    limits = list(limits)
    kept = Bucket.objects.with_read_at().in_bulk([key for limit in limits for key in limit.keys])
    # Last the first key, whose bucket is the one that counts. Two limits may share a bucket.
    return {limit: kept[key] for limit in limits for key in reversed(limit.keys) if key in kept}


def _keyed(text: str, key: bytes) -> str:
    hashed = salted_hmac("ratelimits.engine", text, secret=key, algorithm="sha256")
    return hashed.hexdigest()[:40]


def _refuse_unless_all(limits: Iterable[Limit], consumed: dict[Limit, Hit]) -> None:
    full = [limit for limit in limits if limit not in consumed]
    if full:
        raise reached(*full)


def _consume_all_or_none(
    limits: tuple[Limit, ...], asking: Iterable[Limit] = ()
) -> dict[Limit, Hit]:
    """Consume each of these limits, or none when one of them is full; returns what had room."""
    # One limit is one statement, which needs no transaction of its own; inside a caller's Django refuses.
    is_own = len(limits) > 1 or connection.in_atomic_block
    with transaction.atomic(durable=True) if is_own else nullcontext():
        consumed = consume(*limits, *asking)
        if len(limits) > 1 and any(limit not in consumed for limit in limits):
            transaction.set_rollback(True)
    return consumed


def _carry_over(limits: Iterable[Limit]) -> None:
    """While FINGERPRINT_KEYS are replaced, name buckets by the first key that stand under another one (KEY-01).

    Processes of both orders, `old,new` and `new,old`, hand a bucket to and fro. One that stands under the first key
    already is what counts.
    """
    first_and_others = zip(*(limit.keys for limit in limits), strict=True)
    firsts = next(first_and_others)
    for others in first_and_others:
        moves = [
            When(key=other, then=Value(key)) for other, key in zip(others, firsts, strict=True)
        ]
        taken = Bucket.objects.filter(key=OuterRef("renamed"))
        stray = (
            Bucket.objects.filter(key__in=others)
            .annotate(renamed=Case(*moves))
            .exclude(Exists(taken))
        )
        # Another process may make the new one at this moment.
        with suppress(IntegrityError), transaction.atomic():
            stray.update(key=F("renamed"))


def _upsert(limits: tuple[Limit, ...]) -> list[tuple[str, str]]:
    if len(settings.FINGERPRINT_KEYS) > 1:
        _retry_on_deadlock(_carry_over, limits)
    vendor = connection.vendor
    # In the order of their keys, so that two requests never wait for each other in a circle.
    ordered = sorted(limits, key=attrgetter("key"))
    hit = {True: f"CAST({NOW_MS[vendor]} AS text)", False: "''"}
    rows = ", ".join(
        f"(%s, %s, %s, %s, {hit[limit.counts]}, {EXPIRES[vendor]})" for limit in ordered
    )
    values = [
        value
        for limit in ordered
        for value in (
            limit.key,
            limit.name,
            limit.rate.times,
            limit.rate.seconds,
            # A row that holds no hit holds nobody up.
            limit.rate.seconds if limit.counts else 0,
        )
    ]
    statement = CONSUME.format(rows=rows, now_ms=NOW_MS[vendor], stamp=STAMP)

    def run() -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    return _retry_on_deadlock(run)


def _unchanged(hits: Iterable[Hit]) -> Q:
    """Buckets in which these hits still stand: nobody closed or emptied them meanwhile."""
    return reduce(or_, [Q(key=hit.limit.key, hits__contains=hit.newest) for hit in hits], Q(pk=""))


def _hits_without(hit: Hit) -> Concat:
    at = StrIndex("hits", Value(hit.newest))
    return Concat(Substr("hits", 1, at - 1), Substr("hits", at + STAMP), output_field=TEXT)


def _rewrite(hits: Mapping[str, Expression], still: Q | None = None) -> int:
    """Put other hits into the buckets of these keys that are `still` so, in one statement; returns how many were."""
    keys = sorted(hits)
    rows = Bucket.objects.filter(still or Q(), key__in=keys)
    if connection.vendor == "postgresql":
        rows = rows.filter(key__in=RawSQL(HELD, [keys]))  # noqa: S611  a constant
    written = Case(*(When(key=key, then=hits[key]) for key in keys), output_field=TEXT)
    is_empty = Case(When(Exact(written, Value("")), then=Now()), default=F("expires_at"))
    return _retry_on_deadlock(lambda: rows.update(hits=written, expires_at=is_empty)) if keys else 0


def _retry_on_deadlock(run: Callable[..., Result], *given: object) -> Result:
    """Run again what the database broke off, because two waited for each other in a circle.

    Limits are locked in the order of their keys; buckets that are renamed, in whatever order they lie. Inside a
    transaction whoever began that has to run it again.
    """
    for _again in range(BROKEN_OFF):
        try:
            return run(*given)
        except OperationalError as refusal:
            if connection.in_atomic_block or _sqlstate(refusal) != DEADLOCK:
                raise
    return run(*given)


def _sqlstate(refusal: OperationalError) -> str:
    """What PostgreSQL calls it."""
    return getattr(refusal.__cause__, "sqlstate", None) or ""


def _available_at(limit: Limit, bucket: Bucket | None) -> datetime | None:
    """When the hit that would be pushed out is older than the period; None where there are fewer hits than fit."""
    full = STAMP * limit.rate.times
    if bucket is None or len(bucket.hits) < full:
        return None
    oldest = int(bucket.hits[-full:][:STAMP])
    return datetime.fromtimestamp(oldest / 1000 + limit.rate.seconds, tz=UTC)


def _used(limit: Limit, bucket: Bucket) -> int:
    since = (bucket.read_at.timestamp() - limit.rate.seconds) * 1000
    stamps = range(0, len(bucket.hits), STAMP)
    return sum(int(bucket.hits[at : at + STAMP]) > since for at in stamps)
