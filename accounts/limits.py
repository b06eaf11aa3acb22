"""Every limit: exact sliding windows in the database, each taken by one conditional statement.

A bucket keeps the moments of its newest hits as text, 13 digits each. There is room when the hit that
would be pushed out is older than the period. The same statement is right on SQLite and PostgreSQL, under a
hundred parallel requests, and after Redis has lost everything.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from operator import attrgetter

from django.db import connection, transaction

from accounts import errors, policy
from accounts.identifiers import Identifier, fingerprint
from accounts.models import Bucket
from accounts.origin import Origin

STAMP = 13

NOW_MS = {
    "postgresql": "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}
NOW = {"postgresql": "clock_timestamp()", "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"}

TAKE = """
INSERT INTO accounts_bucket AS kept (key, name, size, period, hits, used_at) VALUES {rows}
ON CONFLICT (key) DO UPDATE SET
    name = excluded.name, size = excluded.size, period = excluded.period, used_at = excluded.used_at,
    hits = substr(
        kept.hits || excluded.hits,
        CASE WHEN length(kept.hits || excluded.hits) > {stamp} * excluded.size
             THEN length(kept.hits || excluded.hits) - {stamp} * excluded.size + 1 ELSE 1 END
    )
WHERE length(kept.hits) < {stamp} * excluded.size
   OR CAST(substr(kept.hits, length(kept.hits) - {stamp} * excluded.size + 1, {stamp}) AS bigint)
      <= {now_ms} - excluded.period * 1000
RETURNING key
"""


@dataclass(frozen=True)
class Limit:
    """One rate for one subject. `counts` is False for a limit that is only asked whether it has room."""

    name: str
    subject: str
    rate: policy.Rate
    counts: bool = True

    @cached_property
    def key(self) -> str:
        """The bucket's key: a keyed hash, so that the table names nobody (ENU-05)."""
        return fingerprint(f"{self.name} {self.rate.seconds} {self.subject}")


def registrations(origin: Origin) -> list[Limit]:
    """How many registrations one household may begin."""
    return _limits("registrations", origin.network, policy.REGISTER_PER_IP)


def duplicate_probes(origin: Origin) -> list[Limit]:
    """How many addresses one household may learn to be taken (ENU-06)."""
    return _limits("duplicate probes", origin.network, policy.DUPLICATE_PROBES_PER_IP)


def messages(to: Identifier) -> list[Limit]:
    """How many messages one person may get, over all purposes (ABU-01)."""
    return _limits("messages", to.mailbox, policy.MESSAGES_PER_RECIPIENT)


def resends(to: Identifier) -> list[Limit]:
    """How often one person may be sent a code again."""
    return _limits("resends", to.mailbox, policy.RESENDS_PER_RECIPIENT)


def guesses(at: Identifier) -> list[Limit]:
    """How many codes may be tried for one identifier, over all attempts and browsers (COD-07)."""
    return _limits("guesses", at.key, policy.CODE_GUESSES_PER_ID)


def staff_logins(name: str, origin: Origin) -> list[Limit]:
    """How often a password may be tried at the admin's door (LIM-08)."""
    return [
        *_limits("staff logins by name", name.casefold(), policy.STAFF_LOGINS_PER_NAME),
        *_limits("staff logins by IP", origin.network, policy.STAFF_LOGINS_PER_IP),
    ]


def room(limits: Iterable[Limit]) -> list[Limit]:
    """The same limits, only asked and not spent."""
    return [replace(limit, counts=False) for limit in limits]


def spend(*limits: Limit) -> None:
    """Take one hit from every limit, or from none. Raises TooOften."""
    # One limit is one statement, which needs no transaction of its own.
    with transaction.atomic(savepoint=False) if len(limits) > 1 else nullcontext():
        taken = _take(limits)
        full = [limit for limit in limits if limit.key not in taken]
        if full:
            raise _too_often(full)


def _limits(name: str, subject: str, rates: tuple[policy.Rate, ...]) -> list[Limit]:
    return [Limit(name, subject, rate) for rate in rates]


def _take(limits: tuple[Limit, ...]) -> set[str]:
    vendor = connection.vendor
    # In the order of their keys, so that two requests never wait for each other in a circle.
    ordered = sorted(limits, key=attrgetter("key"))
    hit = {True: f"CAST({NOW_MS[vendor]} AS text)", False: "''"}
    rows = ", ".join(f"(%s, %s, %s, %s, {hit[limit.counts]}, {NOW[vendor]})" for limit in ordered)
    values = [
        value
        for limit in ordered
        for value in (limit.key, limit.name, limit.rate.times, limit.rate.seconds)
    ]
    with connection.cursor() as cursor:
        cursor.execute(TAKE.format(rows=rows, now_ms=NOW_MS[vendor], stamp=STAMP), values)
        return {key for (key,) in cursor.fetchall()}


def _too_often(full: list[Limit]) -> errors.TooOften:
    """Work out when the last of the full limits has room again."""
    kept = Bucket.objects.in_bulk([limit.key for limit in full])
    ends = [_room_at(kept[limit.key], limit.rate) for limit in full]
    return errors.TooOften(max(ends))


def _room_at(bucket: Bucket, rate: policy.Rate) -> datetime:
    oldest = bucket.hits[-STAMP * rate.times :][:STAMP]
    return datetime.fromtimestamp(int(oldest) / 1000 + rate.seconds, tz=UTC)
