"""Every limit: exact sliding windows in the database, each taken by one conditional statement.

A bucket keeps the moments of its newest hits as text, 13 digits each. There is room when the hit that
would be pushed out is older than the period. The same statement is right on SQLite and PostgreSQL, under a
hundred parallel requests, and after Redis has lost everything.
"""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, reduce
from operator import attrgetter, or_
from typing import TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Case, Expression, F, Q, TextField, Value, When
from django.db.models.functions import Concat, Length, StrIndex, Substr
from django.utils.timezone import now

from accounts import errors, policy
from accounts.identifiers import Identifier, fingerprint
from accounts.models import Bucket
from accounts.origin import Origin

STAMP = 13
AT_ONCE_MS = 5_000
BROKEN_OFF = 3

TEXT = TextField()
Result = TypeVar("Result")

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
RETURNING key, hits
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
    def is_alone(self) -> bool:
        """Whether nobody else took one in the moments before: not one of many at once."""
        before = self.hits[:-STAMP][-STAMP:]
        return not before or int(before) < int(self.newest) - AT_ONCE_MS

    @property
    def newest(self) -> str:
        """The moment of this hit."""
        return self.hits[-STAMP:]

    def aged(self, left: timedelta) -> str:
        """A moment so long ago that the hit counts for only as long as is `left`."""
        milliseconds = (left.total_seconds() - self.limit.rate.seconds) * 1000
        return f"{int(self.newest) + int(milliseconds):013d}"


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


def texts(to: Identifier) -> list[Limit]:
    """What texts may cost: in all, to one country, and to numbers that stand next to each other (ABU-02)."""
    return [
        *_limits("texts", "all", policy.TEXTS),
        *_limits("texts by country", to.country, policy.TEXTS_PER_COUNTRY),
        *_limits("texts by prefix", to.prefix, policy.TEXTS_PER_PREFIX),
    ]


def guesses(at: Identifier) -> list[Limit]:
    """How many codes may be tried for one identifier, over all attempts and browsers (COD-07)."""
    return _limits("guesses", at.key, policy.CODE_GUESSES_PER_ID)


def staff_messages(to: Identifier) -> list[Limit]:
    """How many codes the staff pages may send to one contact: only a right staff password asks for them."""
    return _limits("staff messages", to.mailbox, policy.STAFF_MESSAGES)


def staff_guesses(at: Identifier) -> list[Limit]:
    """How many codes of the staff pages may be tried for one contact."""
    return _limits("staff guesses", at.key, policy.CODE_GUESSES_PER_ID)


def code_requests(origin: Origin) -> list[Limit]:
    """How many codes and links one household may ask for without being signed in."""
    return _limits("code requests", origin.network, policy.CODES_PER_IP)


def resets(of: Identifier) -> list[Limit]:
    """How often a new password may be asked for, for one address."""
    return _limits("resets", of.mailbox, policy.RESETS_PER_ID)


def changes(account: str) -> list[Limit]:
    """How often one account may change its contacts and credentials, each change with a notice."""
    return _limits("changes", account, policy.CHANGES_PER_ACCOUNT)


def passwords_by_name(name: Identifier) -> Limit:
    """How many passwords may be tried for what somebody types, whether or not anybody has that name (ENU-05)."""
    return Limit("passwords by name", f"{name.kind} {name.key}", policy.LOGIN_FAILURES)


def passwords_by_account(account: str) -> Limit:
    """How many passwords may be tried for one account, over all of its names (LIM-01)."""
    return Limit("passwords by account", account, policy.LOGIN_FAILURES)


def passwords_by_device(device: str) -> Limit:
    """How many passwords may be tried in a browser that has signed in before (LIM-04)."""
    return Limit("passwords by device", device, policy.LOGIN_FAILURES)


def passwords_by_ip(origin: Origin) -> list[Limit]:
    """How many passwords may be tried from one household (LIM-05)."""
    return _limits("passwords by IP", origin.network, policy.LOGIN_FAILURES_PER_IP)


def staff_logins(name: str, origin: Origin) -> list[Limit]:
    """How often a password may be tried at the admin's door (LIM-08)."""
    return [
        *_limits("staff logins by name", name.casefold(), policy.STAFF_LOGINS_PER_NAME),
        *_limits("staff logins by IP", origin.network, policy.STAFF_LOGINS_PER_IP),
    ]


def staff_logins_by_browser(browser: str) -> list[Limit]:
    """How often a password may be tried where somebody came through the admin's door before (LIM-04)."""
    return _limits("staff logins by browser", browser, policy.STAFF_LOGINS_PER_NAME)


def notes(origin: Origin) -> Limit:
    """How often the audit notes that one household ran into a limit: a flood of refusals is no flood of rows."""
    return Limit("notes", origin.network, policy.Rate(1, 60))


def room(limits: Iterable[Limit]) -> list[Limit]:
    """The same limits, only asked and not spent."""
    return [replace(limit, counts=False) for limit in limits]


def spend(*limits: Limit) -> list[Hit]:
    """Take one hit from every limit, or from none; returns the hits. Raises TooOften."""
    if not limits:
        return []
    # One limit is one statement, which needs no transaction of its own.
    with transaction.atomic(savepoint=False) if len(limits) > 1 else nullcontext():
        taken = take(*limits)
        full = [limit for limit in limits if limit not in taken]
        if full:
            raise errors.TooOften(room_at(*full))
    return list(taken.values())


def take(*limits: Limit) -> dict[Limit, Hit]:
    """Take one hit from each limit that has room, in one statement; returns what was taken."""
    by_key = {limit.key: limit for limit in limits}
    return {by_key[key]: Hit(by_key[key], hits) for key, hits in _upsert(limits)}


def give_back(*hits: Hit) -> None:
    """Return exactly these hits, in one statement."""
    _rewrite([When(key=hit.limit.key, then=_without(hit)) for hit in hits], _standing(hits))


def forgive(*hits: Hit, after: timedelta, shared: Iterable[Limit] = ()) -> None:
    """After a success, in one statement: return these hits, and what stood before a hit that was alone.

    A hit that others came with is returned only `after` a while. Of limits that many people share the newest
    hit goes at once.
    """
    alone = [hit for hit in hits if hit.is_alone]
    moments = [When(key=hit.limit.key, hits=hit.hits, then=Value("")) for hit in alone]
    later = [Concat(Value(hit.aged(after)), _without(hit), output_field=TEXT) for hit in hits]
    moments += [When(key=hit.limit.key, then=text) for hit, text in zip(hits, later, strict=True)]
    taken = Q(key__in=[limit.key for limit in shared]) & ~Q(hits="")
    newest_gone = Substr("hits", 1, Length("hits") - STAMP)
    _rewrite(moments, _standing(hits) | taken, default=newest_gone)


def forget(*limits: Limit) -> None:
    """Empty these limits."""
    _rewrite([], Q(key__in=[limit.key for limit in limits]), default=Value(""))


def close(*hits: Hit) -> None:
    """Leave no room for a whole period from now on, in one statement: a lock runs from its last failure."""
    full = [(hit.limit.key, Value(hit.newest * hit.limit.rate.times)) for hit in hits]
    keys = Q(key__in=[key for key, _text in full])
    _rewrite([When(key=key, then=text) for key, text in full], keys)


def room_at(*full: Limit) -> datetime:
    """When the last of these full limits has room again."""
    kept = Bucket.objects.in_bulk([limit.key for limit in full])
    return max(_room_at(kept.get(limit.key), limit.rate) for limit in full)


def _limits(name: str, subject: str, rates: tuple[policy.Rate, ...]) -> list[Limit]:
    return [Limit(name, subject, rate) for rate in rates]


def _upsert(limits: tuple[Limit, ...]) -> list[tuple[str, str]]:
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
    statement = TAKE.format(rows=rows, now_ms=NOW_MS[vendor], stamp=STAMP)

    def run() -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    return _patiently(run)


def _standing(hits: Iterable[Hit]) -> Q:
    """Buckets in which these hits still stand: nobody closed or emptied them meanwhile."""
    return reduce(or_, [Q(key=hit.limit.key, hits__contains=hit.newest) for hit in hits], Q(pk=""))


def _without(hit: Hit) -> Concat:
    at = StrIndex("hits", Value(hit.newest))
    return Concat(Substr("hits", 1, at - 1), Substr("hits", at + STAMP), output_field=TEXT)


def _rewrite(moments: list[When], kept: Q, default: Expression | None = None) -> None:
    buckets = Bucket.objects.filter(kept)
    _patiently(
        lambda: buckets.update(hits=Case(*moments, default=default or F("hits"), output_field=TEXT))
    )


def _patiently(run: Callable[[], Result]) -> Result:
    """Run a statement again that the database broke off, because two waited for each other in a circle.

    Taking goes in the order of keys; an update goes in whatever order the rows lie.
    """
    for _again in range(BROKEN_OFF):
        try:
            return run()
        except OperationalError:
            if connection.in_atomic_block:
                raise
    return run()


def _room_at(bucket: Bucket | None, rate: policy.Rate) -> datetime:
    if bucket is None or len(bucket.hits) < STAMP * rate.times:
        # Somebody has given theirs back since we asked.
        return now()
    oldest = bucket.hits[-STAMP * rate.times :][:STAMP]
    return datetime.fromtimestamp(int(oldest) / 1000 + rate.seconds, tz=UTC)
