"""Looking at a password, for every journey: counted before it is made, and one hash whoever is asked about."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.contrib.auth.hashers import check_password, make_password
from django.db.models.functions import Now

from accounts import audit, conf, limits
from accounts.errors import PasswordLocked
from accounts.identifiers import Identifier
from accounts.models import User
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from ratelimits.engine import Hit, Limit, consume, exhaust, refund, reset


@dataclass(frozen=True, slots=True)
class Tries:
    """What was reserved for one look: hits that may lock, those of the household, and whether the account is open."""

    own: list[Hit]
    home: list[Hit]
    is_open: bool = True
    # The trusted browser whose tries they are.
    device: str = ""


@contextmanager
def check_at_sign_in(
    user: User | None, password: str, *, name: Identifier, visitor: Visitor
) -> Iterator[bool]:
    """Whether `password` is that of `user`, who was asked for as `name` at the door. Raises PasswordLocked.

    The tries are reserved before the hash (LIM-02). Those of a right password are returned when the block ends well,
    and nothing else is: what strangers left stands (LIM-13). A right one that is refused all the same, by the limit of
    sign-ins, keeps its tries: each costs a hash. They are those of new browsers, which that limit holds up anyway; a
    trusted browser and one that is signed in have their own, and a new password opens all of it again.
    An account that is locked through another of its names answers like a wrong password: the lock must not tell which
    names are one person's.
    """
    device = visitor.trusted_browser_id(user)
    tries = (
        _take_browser_tries(device, device)
        if device
        else _take_stranger_tries(user, name, visitor.client)
    )
    right = _is_right(user if tries.is_open else None, password)
    if not right:
        _record_failure(tries, user, name, visitor.client)
    yield right
    if right:
        refund(*tries.home, *tries.own)


def check(user: User, password: str, *, name: Identifier, visitor: Visitor) -> bool:
    """Whether `password` is that of `user`, who is signed in. Raises PasswordLocked.

    The tries are the browser's own: neither strangers nor neighbours use them up (LIM-04, LIM-12).
    """
    device = visitor.trusted_browser_id(user)
    tries = _take_browser_tries(device or _signed_in(user), device)
    right = _is_right(user, password)
    if right:
        refund(*tries.own)
    else:
        _record_failure(tries, user, name, visitor.client)
    return right


def unlock(user: User) -> None:
    """Open the password's way again, under each of the user's names: after a new password, or by staff (LIM-03).

    Sign-ins, too: whoever filled them knows the former password.
    """
    names = [*user.contacts, Identifier.username(user.username or "")]
    reset(
        limits.passwords_by_account(str(user.pk)),
        *limits.sign_ins(str(user.pk)),
        *tries_of_browsers(user),
        *map(limits.passwords_by_name, names),
    )


def tries_of_browsers(user: User) -> list[Limit]:
    """The limits of browsers of the user's own that have locked themselves lately, and of one that lost its cookie.

    A lock says which browser it closed: its name is in no other row, and opens nothing without our signature.
    """
    since = Now() - timedelta(seconds=conf.LOGIN_FAILURES.seconds)
    locks = user.events.filter(kind="password_locked", at__gt=since)
    devices = [_signed_in(user), *audit.trusted_browsers(locks)]
    return [limits.passwords_by_browser(device) for device in devices]


def _take_browser_tries(bucket: str, device: str) -> Tries:
    """A try of a browser that strangers cannot lock out; its household neither counts it nor stops it (LIM-04).

    Right ones are counted, too, and never returned: each may leave a session and an event.
    """
    own, every = limits.passwords_by_browser(bucket), limits.sign_ins_by_browser(bucket)
    taken = consume(own, *every)
    limits.require([own, *every], taken, PasswordLocked)
    return Tries([taken[own]], [], device=device)


def _take_stranger_tries(user: User | None, name: Identifier, client: ClientInfo) -> Tries:
    """A try of the household, then of the name and the account.

    The household's comes first, in a statement of its own: where it is refused, no name gets a bucket (LIM-10).
    """
    home = limits.enforce_durably(*limits.passwords_by_ip(client), refusal=PasswordLocked)
    account = str(user.pk) if user else f"nobody {name.kind} {name.key}"
    by_name, by_account = limits.passwords_by_name(name), limits.passwords_by_account(account)
    own = consume(by_name, by_account)
    # Where the name is full nothing is looked at: the account's tries stay whole, under each of its names.
    limits.require([by_name], own, PasswordLocked)
    return Tries([*own.values()], [*home.values()], is_open=by_account in own)


def _record_failure(tries: Tries, user: User | None, name: Identifier, client: ClientInfo) -> None:
    """Write down a wrong password; the last one there was room for locks from now on."""
    last = [hit for hit in tries.own if hit.fills]
    locks = bool(last) and exhaust(*last)
    kinds = ["sign_in_failed", *(["password_locked"] if locks else [])]
    about = f"{audit.BROWSER}{tries.device}" if tries.device else ""
    audit.record(*kinds, client=client, identifier=name, user=user, about=about)


def _signed_in(user: User) -> str:
    """The name of a browser that is signed in and lost the cookie that names it."""
    return f"signed in {user.pk}"


def _is_right(user: User | None, password: str) -> bool:
    if user is None or not user.is_active or not user.has_usable_password():
        make_password(password)  # the same work for nobody (ENU-02)
        return False
    return check_password(password, user.password, partial(_rehash, user))


def _rehash(user: User, password: str) -> None:
    """Keep the password under today's parameters, unless somebody has changed it while we looked (PWD-05)."""
    hashed = make_password(password)
    if not User.objects.filter(pk=user.pk, password=user.password).update(password=hashed):
        # Another sign-in was first with the same, or it is another password by now.
        hashed = User.objects.values_list("password", flat=True).get(pk=user.pk)
        if not check_password(password, hashed):
            return
    user.former_password, user.password = user.password, hashed
