"""Every limit: exact sliding windows in the database, each taken by one conditional statement.

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
from django.utils.timezone import now

from accounts import conf, errors
from accounts.identifiers import Identifier, fingerprints
from accounts.models import Bucket, Pool
from accounts.sessions.client import ClientInfo

STAMP = 13
ONCE_A_MINUTE = (conf.Rate(1, 60),)
BY_STAFF_BROWSER = "staff logins by browser"
BROKEN_OFF = 3
DEADLOCK = "40P01"
# One in so many hits of a cap is never for strangers (LIM-12).
KEPT = 5

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

TAKE = """
INSERT INTO accounts_bucket AS kept (key, name, size, period, hits, expires_at) VALUES {rows}
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

# An update locks rows in whatever order they lie; taking goes in the order of keys. So this does, too.
HELD = (
    """(SELECT key FROM accounts_bucket WHERE key = ANY(%s) ORDER BY key COLLATE "C" FOR UPDATE)"""
)


@dataclass(frozen=True)
class Limit:
    """One rate for one subject. `counts` is False for a limit that is only asked whether it has room."""

    name: str
    subject: str
    rate: conf.Rate
    counts: bool = True
    # For whom it is, where that makes a difference.
    pool: Pool | None = None

    @cached_property
    def keys(self) -> list[str]:
        """Every key the bucket may stand under: while FINGERPRINT_KEYS are replaced, one for each (KEY-01)."""
        return fingerprints(f"{self.name} {self.rate.seconds} {self.subject}")

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


def registrations(client: ClientInfo) -> list[Limit]:
    """How many registrations one household may begin."""
    return _by_household("registrations", client, conf.REGISTER_PER_IP)


def duplicate_probes(client: ClientInfo) -> list[Limit]:
    """How many addresses one household may learn to be taken (ENU-06)."""
    return _by_household("duplicate probes", client, conf.DUPLICATE_PROBES_PER_IP)


def breach_checks(subject: str) -> list[Limit]:
    """How many new passwords of one account, or for one link, are looked up in somebody else's list."""
    return _limits("breach checks", subject, conf.CHANGES_PER_ACCOUNT)


def username_probes(client: ClientInfo) -> list[Limit]:
    """How many usernames one household may find out to be taken or free."""
    return _by_household("username probes", client, conf.USERNAME_PROBES_PER_IP)


def refused_numbers(client: ClientInfo) -> list[Limit]:
    """How many numbers that we do not text one household may type: each refusal is written down (IDN-05)."""
    return _by_household("refused numbers", client, conf.CODES_PER_IP)


def messages(to: Identifier, pool: Pool) -> list[Limit]:
    """How many messages one person may get that strangers can cause, over all purposes (ABU-01, LIM-12).

    Only a right staff password asks for codes of the staff pages: they have a cap of their own.
    """
    if pool == Pool.STAFF:
        return _limits("staff messages", to.mailbox, conf.STAFF_MESSAGES)
    # Of the owner by the very address: whoever has a like one must not use this one's up.
    subject = to.key if pool == Pool.OWNER else to.mailbox
    return _parts("messages", subject, conf.MESSAGES_PER_RECIPIENT, pool)


def resends(to: Identifier, pool: Pool) -> list[Limit]:
    """How often one person may be sent a code again; as often in a trusted browser, whatever others did (LIM-12).

    Codes of the staff pages count as messages alone.
    """
    if pool == Pool.STAFF:
        return []
    return _owned("resends", to.mailbox, conf.RESENDS_PER_RECIPIENT, pool)


def texts(to: Identifier, pool: Pool) -> list[Limit]:
    """What texts of a pool may cost: in all, to one country, and to numbers next to each other (ABU-02, ABU-08)."""
    return [
        *texts_in_all(pool),
        *texts_to_country(to.country, pool),
        # An owner's text goes to a number that is verified: a neighbour's must not stop it.
        *(
            _of_pool("texts by prefix", to.prefix, conf.TEXTS_PER_PREFIX, pool)
            if pool != Pool.OWNER
            else []
        ),
    ]


def texts_in_all(pool: Pool) -> list[Limit]:
    """What all texts of a pool may cost."""
    return _of_pool("texts", "all", conf.TEXTS, pool)


def texts_to_country(country: str, pool: Pool) -> list[Limit]:
    """What texts of a pool to one country may cost."""
    return _of_pool("texts by country", country, conf.TEXTS_PER_COUNTRY, pool)


def guesses(at: Identifier, pool: Pool) -> list[Limit]:
    """How many codes may be tried for one identifier, over all attempts and browsers (COD-07, LIM-12).

    Those of the staff pages are counted apart, so that guesses in the shop close no staff code.
    """
    if pool == Pool.STAFF:
        return _limits("staff guesses", at.key, conf.CODE_GUESSES_PER_ID)
    return _parts("guesses", at.key, conf.CODE_GUESSES_PER_ID, pool)


def code_requests(client: ClientInfo) -> list[Limit]:
    """How many codes and links one household may ask for without being signed in."""
    return _by_household("code requests", client, conf.CODES_PER_IP)


def code_requests_by_browser(browser: str) -> list[Limit]:
    """How many codes and links may be asked for in a browser that the account trusts (LIM-04)."""
    return _limits("code requests by browser", browser, conf.CODES_PER_IP)


def resets(of: Identifier, pool: Pool) -> list[Limit]:
    """How often a new password may be asked for; as often by the owner, whatever others did (LIM-12)."""
    return _owned("resets", of.mailbox, conf.RESETS_PER_ID, pool)


def caps(of: Identifier, pool: Pool) -> list[Limit]:
    """All that strangers can fill for one identifier, as it stands in the way of `pool`."""
    every = [messages(of, pool), resends(of, pool), resets(of, pool), guesses(of, pool)]
    return [replace(limit, pool=pool) for cap in every for limit in cap]


def changes(account: str) -> list[Limit]:
    """How often one account may change its contacts and credentials, each change with a notice."""
    return _limits("changes", account, conf.CHANGES_PER_ACCOUNT)


def warnings(account: str) -> list[Limit]:
    """Of how many changes by one member of staff superusers are written to."""
    return _limits("warnings", account, conf.CHANGES_PER_ACCOUNT)


def sign_ins(account: str) -> list[Limit]:
    """How often one account may be signed in to in browsers that it does not trust yet."""
    return _limits("sign-ins", account, conf.SIGN_INS_PER_ACCOUNT)


def confirmations(account: str) -> list[Limit]:
    """How often the owner of one account may prove to be there, with the password."""
    return _limits("confirmations", account, conf.CHANGES_PER_ACCOUNT)


def passwords_by_name(name: Identifier) -> Limit:
    """How many passwords may be tried for what somebody types, whether or not anybody has that name (ENU-05)."""
    return Limit("passwords by name", f"{name.kind} {name.key}", conf.LOGIN_FAILURES)


def passwords_by_account(account: str) -> Limit:
    """How many passwords may be tried for one account, over all of its names (LIM-01)."""
    return Limit("passwords by account", account, conf.LOGIN_FAILURES)


def passwords_by_device(device: str) -> Limit:
    """How many passwords may be tried in a browser that has signed in before, or is signed in (LIM-04)."""
    return Limit("passwords by device", device, conf.LOGIN_FAILURES)


def sign_ins_by_browser(browser: str) -> list[Limit]:
    """How many passwords, right or wrong, may be typed in a browser that the account trusts."""
    return _limits("sign-ins by browser", browser, conf.SIGN_INS_PER_BROWSER)


def passwords_by_ip(client: ClientInfo) -> list[Limit]:
    """How many passwords may be tried from one household (LIM-05)."""
    return _by_household("passwords by IP", client, conf.LOGIN_FAILURES_PER_IP)


def staff_logins(name: str, client: ClientInfo) -> list[Limit]:
    """How often a password may be tried at the admin's door (LIM-08)."""
    return [
        *staff_logins_by_name(name),
        *_by_household("staff logins by IP", client, conf.STAFF_LOGINS_PER_IP),
    ]


def staff_logins_by_name(name: str) -> list[Limit]:
    """How often a password may be tried at the admin's door for one name."""
    return _limits("staff logins by name", name.casefold(), conf.STAFF_LOGINS_PER_NAME)


def staff_logins_by_browser(browser: str) -> list[Limit]:
    """How often a password may be tried where somebody came through the admin's door before (LIM-04)."""
    return _limits(BY_STAFF_BROWSER, browser, conf.STAFF_LOGINS_PER_NAME)


def forged_receipts(client: ClientInfo, provider_id: str) -> tuple[list[Limit], list[Limit]]:
    """How many receipts one household may fail to verify, and how many are heard of in the name of one provider."""
    rates = conf.WEBHOOK_FAILURES_PER_IP
    return (
        _by_household("forged receipts", client, rates),
        _limits("forged receipts by provider", provider_id, rates),
    )


def notes(kind: str, client: ClientInfo) -> list[Limit]:
    """How often the audit notes that one household was refused so: a flood of refusals is no flood of rows."""
    return _by_household(f"notes of {kind}", client, ONCE_A_MINUTE)


def staff_lookups(account: str) -> list[Limit]:
    """How many addresses one member of staff may look up."""
    return _limits("staff look-ups", account, conf.STAFF_LOOKUPS)


def room(limits: Iterable[Limit]) -> list[Limit]:
    """The same limits, only asked and not spent."""
    return [replace(limit, counts=False) for limit in limits]


def admit(
    *limits: Limit,
    asking: Iterable[Limit] = (),
    refusal: type[errors.TooOften] = errors.TooOften,
) -> dict[Limit, Hit]:
    """Take one hit from every limit, or from none, before anything else and for good. Raises `refusal`.

    In a transaction of its own, and RuntimeError in a caller's: no later refusal may take the hit back, and a network
    that is full must keep no rows of the narrower ones in it. Returns the hits, and which of `asking` have room.
    """
    taken = _patiently(_take_all_or_none, limits, [*asking])
    full = [limit for limit in limits if limit not in taken]
    if full:
        raise refusal(room_at(*full))
    return taken


def is_due(*limits: Limit) -> bool:
    """Take one hit from every limit, or return False when there is no room in one of them and take none.

    As `admit`, never in a caller's transaction.
    """
    return len(_patiently(_take_all_or_none, limits)) == len(limits)


def spend(*limits: Limit) -> None:
    """Take one hit from every limit, or from none, in the caller's transaction if there is one. Raises TooOften."""
    if not limits:
        return
    is_in_callers = connection.in_atomic_block
    taken = take(*limits) if is_in_callers else _patiently(_take_all_or_none, limits)
    full = [limit for limit in limits if limit not in taken]
    if full:
        raise errors.TooOften(room_at(*full))


def take(*limits: Limit) -> dict[Limit, Hit]:
    """Take one hit from each limit that has room, in one statement; returns what was taken.

    Raises ValueError for two limits that share a bucket, as those of one name, subject and period do.
    """
    by_key = {limit.key: limit for limit in limits}
    if len(by_key) < len(limits):
        # PostgreSQL would refuse it, SQLite count twice.
        raise ValueError(f"one bucket for two of {sorted(limit.name for limit in limits)}")
    return {by_key[key]: Hit(by_key[key], hits) for key, hits in _upsert(limits)}


def refuse_full(
    asked: Iterable[Limit],
    taken: dict[Limit, Hit],
    refusal: type[errors.TooOften] = errors.TooOften,
) -> None:
    """Raise `refusal` if any of `asked` had no room, and return what the others took."""
    full = [limit for limit in asked if limit not in taken]
    if full:
        give_back(*(hit for hit in taken.values() if hit.limit.counts))
        raise refusal(room_at(*full))


def give_back(*hits: Hit) -> None:
    """Return exactly these hits, in one statement."""
    rest = {hit.limit.key: _without(hit) for hit in hits}
    _rewrite(rest, _standing(hits))


def forget(*limits: Limit) -> None:
    """Empty these limits."""
    _rewrite({key: Value("") for limit in limits for key in limit.keys})


def close(*hits: Hit) -> bool:
    """Leave no room for a whole period from now on, in one statement: a lock runs from its last failure.

    Only where nobody has returned theirs meanwhile; returns whether any was closed.
    """
    full = {hit.limit.key: Value(hit.newest * hit.limit.rate.times) for hit in hits}
    unchanged = [Q(key=hit.limit.key, hits=hit.hits) for hit in hits]
    return _rewrite(full, reduce(or_, unchanged, Q(pk=""))) > 0


def room_at(*full: Limit) -> datetime:
    """When the last of these full limits has room again."""
    kept = buckets(full)
    return max(_room_at(kept.get(limit), limit.rate) for limit in full)


def buckets(limits: Iterable[Limit]) -> dict[Limit, Bucket]:
    """The buckets of those limits that have one, in one query."""
    limits = list(limits)
    kept = Bucket.objects.in_bulk([key for limit in limits for key in limit.keys])
    # Last the first key, whose bucket is the one that counts. Two limits may share a bucket.
    return {limit: kept[key] for limit in limits for key in reversed(limit.keys) if key in kept}


def _limits(name: str, subject: str, rates: tuple[conf.Rate, ...]) -> list[Limit]:
    return [Limit(name, subject, rate) for rate in rates]


def _by_household(name: str, client: ClientInfo, rates: tuple[conf.Rate, ...]) -> list[Limit]:
    """The limits of each network that may be one household; those of IPv6 are nested (LIM-05)."""
    return [
        Limit(name, network, rate._replace(times=times * rate.times))
        for network, times in client.networks
        for rate in rates
    ]


def _take_all_or_none(limits: tuple[Limit, ...], asking: Iterable[Limit] = ()) -> dict[Limit, Hit]:
    """Take one hit from each of these limits, or from none when one of them is full; returns what had room."""
    # One limit is one statement, which needs no transaction of its own; inside a caller's Django refuses.
    is_own = len(limits) > 1 or connection.in_atomic_block
    with transaction.atomic(durable=True) if is_own else nullcontext():
        taken = take(*limits, *asking)
        if len(limits) > 1 and any(limit not in taken for limit in limits):
            transaction.set_rollback(True)
    return taken


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


def _parts(name: str, subject: str, rates: tuple[conf.Rate, ...], pool: Pool) -> list[Limit]:
    """A cap of which strangers may fill a part, and owners the whole, in a bucket of their own.

    Not in one bucket: strangers who count their refusals would learn when the owner asked (ABU-08).
    """
    if pool == Pool.OWNER:
        return _owned(name, subject, rates, pool)
    return _limits(name, subject, tuple(map(part_of_strangers, rates)))


def part_of_strangers(rate: conf.Rate) -> conf.Rate:
    """What strangers may fill of a cap: one in KEPT hits is not for them (LIM-12)."""
    # Of a cap of one there is no part to keep.
    return rate._replace(times=max(1, rate.times - max(1, rate.times // KEPT)))


def _owned(name: str, subject: str, rates: tuple[conf.Rate, ...], pool: Pool) -> list[Limit]:
    """A cap of which the owner has one of their own."""
    return _limits(f"{name} by owner" if pool == Pool.OWNER else name, subject, rates)


def _of_pool(name: str, subject: str, rates: tuple[conf.Rate, ...], pool: Pool) -> list[Limit]:
    """A budget of each pool's own, which the others cannot use up."""
    return [Limit(name, f"{pool} {subject}", rate, pool=pool) for rate in rates]


def _upsert(limits: tuple[Limit, ...]) -> list[tuple[str, str]]:
    if len(settings.FINGERPRINT_KEYS) > 1:
        _patiently(_carry_over, limits)
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


def _rewrite(hits: Mapping[str, Expression], still: Q | None = None) -> int:
    """Put other hits into the buckets of these keys that are `still` so, in one statement; returns how many were."""
    keys = sorted(hits)
    rows = Bucket.objects.filter(still or Q(), key__in=keys)
    if connection.vendor == "postgresql":
        rows = rows.filter(key__in=RawSQL(HELD, [keys]))  # noqa: S611  a constant
    written = Case(*(When(key=key, then=hits[key]) for key in keys), output_field=TEXT)
    is_empty = Case(When(Exact(written, Value("")), then=Now()), default=F("expires_at"))
    return _patiently(lambda: rows.update(hits=written, expires_at=is_empty)) if keys else 0


def _patiently(run: Callable[..., Result], *given: object) -> Result:
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


def _room_at(bucket: Bucket | None, rate: conf.Rate) -> datetime:
    if bucket is None or len(bucket.hits) < STAMP * rate.times:
        # Somebody has given theirs back since we asked.
        return now()
    oldest = bucket.hits[-STAMP * rate.times :][:STAMP]
    return datetime.fromtimestamp(int(oldest) / 1000 + rate.seconds, tz=UTC)
