"""Which limits there are, for whom each counts, and in which words one that is reached refuses.

How hits are counted is the engine's (`ratelimits.engine`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from accounts import conf
from accounts.errors import TooOften
from accounts.identifiers import Identifier
from accounts.models import Pool
from accounts.sessions.client import ClientInfo
from ratelimits import engine
from ratelimits.engine import Hit, Limit, LimitReached
from ratelimits.rates import Rate

ONCE_A_MINUTE = (Rate(1, 60),)
PROVIDER_TESTS = (Rate(5, 60),)
BY_STAFF_BROWSER = "staff logins by browser"
# One in so many hits of a cap is never for strangers (LIM-12).
OWNERS_SHARE = 5


def registrations(client: ClientInfo) -> list[Limit]:
    """How many registrations one household may begin."""
    return _household_limits("registrations", client, conf.REGISTER_PER_IP)


def duplicate_probes(client: ClientInfo) -> list[Limit]:
    """How many addresses one household may learn to be taken (ENU-06)."""
    return _household_limits("duplicate probes", client, conf.DUPLICATE_PROBES_PER_IP)


def breach_checks(subject: str) -> list[Limit]:
    """How many new passwords of one account, or for one link, are looked up in somebody else's list."""
    return _limits("breach checks", subject, conf.CHANGES_PER_ACCOUNT)


def username_probes(client: ClientInfo) -> list[Limit]:
    """How many usernames one household may find out to be taken or free."""
    return _household_limits("username probes", client, conf.USERNAME_PROBES_PER_IP)


def refused_numbers(client: ClientInfo) -> list[Limit]:
    """How many numbers that we do not text one household may type: each refusal is written down (IDN-05)."""
    return _household_limits("refused numbers", client, conf.CODES_PER_IP)


def messages(to: Identifier, pool: Pool) -> list[Limit]:
    """How many messages one person may get that strangers can cause, over all purposes (ABU-01, LIM-12).

    Only a right staff password asks for codes of the staff pages: they have a cap of their own.
    """
    if pool == Pool.STAFF:
        return _limits("staff messages", to.mailbox, conf.STAFF_MESSAGES)
    # Of the owner by the very address: whoever has a like one must not use this one's up.
    subject = to.key if pool == Pool.OWNER else to.mailbox
    return _shared_limits("messages", subject, conf.MESSAGES_PER_RECIPIENT, pool)


def resends(to: Identifier, pool: Pool) -> list[Limit]:
    """How often one person may be sent a code again; as often in a trusted browser, whatever others did (LIM-12).

    Codes of the staff pages count as messages alone.
    """
    if pool == Pool.STAFF:
        return []
    return _owner_limits("resends", to.mailbox, conf.RESENDS_PER_RECIPIENT, pool)


def sms(to: Identifier, pool: Pool) -> list[Limit]:
    """What texts of a pool may cost: in all, to one country, and to numbers next to each other (ABU-02, ABU-08)."""
    return [
        *sms_in_all(pool),
        *sms_to_country(to.country, pool),
        # An owner's text goes to a number that is verified: a neighbour's must not stop it.
        *(
            _pool_limits("texts by prefix", to.prefix, conf.SMS_PER_PREFIX, pool)
            if pool != Pool.OWNER
            else []
        ),
    ]


def sms_in_all(pool: Pool) -> list[Limit]:
    """What all texts of a pool may cost."""
    return _pool_limits("texts", "all", conf.SMS_TOTAL, pool)


def sms_to_country(country: str, pool: Pool) -> list[Limit]:
    """What texts of a pool to one country may cost."""
    return _pool_limits("texts by country", country, conf.SMS_PER_COUNTRY, pool)


def guesses(at: Identifier, pool: Pool) -> list[Limit]:
    """How many codes may be tried for one identifier, over all attempts and browsers (COD-07, LIM-12).

    Those of the staff pages are counted apart, so that guesses in the shop close no staff code.
    """
    if pool == Pool.STAFF:
        return _limits("staff guesses", at.key, conf.CODE_GUESSES_PER_ID)
    return _shared_limits("guesses", at.key, conf.CODE_GUESSES_PER_ID, pool)


def code_requests(client: ClientInfo) -> list[Limit]:
    """How many codes and links one household may ask for without being signed in."""
    return _household_limits("code requests", client, conf.CODES_PER_IP)


def nameless_guesses(client: ClientInfo) -> list[Limit]:
    """How many codes one household may try without saying which attempt they are of, as programs may."""
    return _household_limits("nameless guesses", client, conf.CODES_PER_IP)


def code_requests_by_browser(browser: str) -> list[Limit]:
    """How many codes and links may be asked for in a browser that the account trusts (LIM-04)."""
    return _limits("code requests by browser", browser, conf.CODES_PER_IP)


def resets(owner: Identifier, pool: Pool) -> list[Limit]:
    """How often a new password may be asked for; as often by the owner, whatever others did (LIM-12)."""
    return _owner_limits("resets", owner.mailbox, conf.RESETS_PER_ID, pool)


def caps(owner: Identifier, pool: Pool) -> list[Limit]:
    """All that strangers can fill for one identifier, as it stands in the way of `pool`."""
    every = [messages(owner, pool), resends(owner, pool), resets(owner, pool), guesses(owner, pool)]
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
    """How often the owner of one account may reauthenticate with the password."""
    return _limits("confirmations", account, conf.CHANGES_PER_ACCOUNT)


def passwords_by_name(name: Identifier) -> Limit:
    """How many passwords may be tried for what somebody types, whether or not anybody has that name (ENU-05)."""
    return Limit("passwords by name", f"{name.kind} {name.key}", conf.LOGIN_FAILURES)


def passwords_by_account(account: str) -> Limit:
    """How many passwords may be tried for one account, over all of its names (LIM-01)."""
    return Limit("passwords by account", account, conf.LOGIN_FAILURES)


def passwords_by_browser(device: str) -> Limit:
    """How many passwords may be tried in a browser that has signed in before, or is signed in (LIM-04)."""
    return Limit("passwords by device", device, conf.LOGIN_FAILURES)


def sign_ins_by_browser(browser: str) -> list[Limit]:
    """How many passwords, right or wrong, may be typed in a browser that the account trusts."""
    return _limits("sign-ins by browser", browser, conf.SIGN_INS_PER_BROWSER)


def passwords_by_ip(client: ClientInfo) -> list[Limit]:
    """How many passwords may be tried from one household (LIM-05)."""
    return _household_limits("passwords by IP", client, conf.LOGIN_FAILURES_PER_IP)


def staff_logins(name: str, client: ClientInfo) -> list[Limit]:
    """How often a password may be tried at the admin's door (LIM-08)."""
    return [
        *staff_logins_by_name(name),
        *_household_limits("staff logins by IP", client, conf.STAFF_LOGINS_PER_IP),
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
        _household_limits("forged receipts", client, rates),
        _limits("forged receipts by provider", provider_id, rates),
    )


def refusal_events(kind: str, client: ClientInfo) -> list[Limit]:
    """How often the audit notes that one household was refused so: a flood of refusals is no flood of rows."""
    return _household_limits(f"notes of {kind}", client, ONCE_A_MINUTE)


def staff_lookups(account: str) -> list[Limit]:
    """How many addresses one member of staff may look up."""
    return _limits("staff look-ups", account, conf.STAFF_LOOKUPS)


def provider_tests(account: str) -> list[Limit]:
    """How many test messages one member of staff may send through providers."""
    return _limits("provider tests", account, PROVIDER_TESTS)


def part_of_strangers(rate: Rate) -> Rate:
    """What strangers may fill of a cap: one in OWNERS_SHARE hits is not for them (LIM-12)."""
    # Of a cap of one there is no part to keep.
    return rate._replace(times=max(1, rate.times - max(1, rate.times // OWNERS_SHARE)))


def enforce(*limits: Limit) -> None:
    """Consume every limit, or none, in the caller's transaction if there is one. Raises TooOften."""
    with _refusing(TooOften):
        engine.enforce(*limits)


def enforce_durably(
    *limits: Limit, asking: Iterable[Limit] = (), refusal: type[TooOften] = TooOften
) -> dict[Limit, Hit]:
    """Consume every limit, or none, before anything else and for good. Raises `refusal`.

    Never in a caller's transaction. Returns the hits, and which of `asking` have room.
    """
    with _refusing(refusal):
        return engine.enforce_durably(*limits, asking=asking)


def require(asked: Iterable[Limit], consumed: dict[Limit, Hit], refusal: type[TooOften]) -> None:
    """Raise `refusal` if any of `asked` had no room, and refund what was consumed of the others."""
    with _refusing(refusal):
        engine.require(asked, consumed)


@contextmanager
def _refusing(refusal: type[TooOften]) -> Iterator[None]:
    """Word a limit that is reached as `refusal`."""
    try:
        yield
    except LimitReached as reached:
        raise refusal(reached.available_at, asked_at=reached.asked_at) from None


def _limits(name: str, subject: str, rates: tuple[Rate, ...]) -> list[Limit]:
    return [Limit(name, subject, rate) for rate in rates]


def _household_limits(name: str, client: ClientInfo, rates: tuple[Rate, ...]) -> list[Limit]:
    """The limits of each network that may be one household; those of IPv6 are nested (LIM-05)."""
    return [
        Limit(name, network, rate._replace(times=times * rate.times))
        for network, times in client.networks
        for rate in rates
    ]


def _shared_limits(name: str, subject: str, rates: tuple[Rate, ...], pool: Pool) -> list[Limit]:
    """A cap of which strangers may fill a part, and owners the whole, in a bucket of their own.

    Not in one bucket: strangers who count their refusals would learn when the owner asked (ABU-08).
    """
    if pool == Pool.OWNER:
        return _owner_limits(name, subject, rates, pool)
    return _limits(name, subject, tuple(map(part_of_strangers, rates)))


def _owner_limits(name: str, subject: str, rates: tuple[Rate, ...], pool: Pool) -> list[Limit]:
    """A cap of which the owner has one of their own."""
    return _limits(f"{name} by owner" if pool == Pool.OWNER else name, subject, rates)


def _pool_limits(name: str, subject: str, rates: tuple[Rate, ...], pool: Pool) -> list[Limit]:
    """A budget of each pool's own, which the others cannot use up."""
    return [Limit(name, f"{pool} {subject}", rate, pool=pool) for rate in rates]
