"""Looking at a password, for every journey: counted before it is made, and one hash whoever is asked about."""

from django.contrib.auth.hashers import make_password

from accounts import events, limits
from accounts.errors import PasswordClosed
from accounts.familiar import Visitor
from accounts.identifiers import Identifier
from accounts.limits import Hit, Limit
from accounts.models import User


def look(user: User | None, password: str, *, name: Identifier, visitor: Visitor) -> bool:
    """Whether `password` is that of `user`, who was asked for as `name`. Raises PasswordClosed.

    The tries are reserved before the hash, in one statement (LIM-02). An account that is locked through
    another of its names answers like a wrong password: the lock must not tell which names are one person's.
    """
    own = _limits(user, name, visitor)
    home = limits.passwords_by_ip(visitor.origin)
    taken = limits.take(*own, *home)
    _refuse_when_closed(own, home, taken)
    may = all(limit in taken for limit in own)
    hits = [taken[limit] for limit in own if limit in taken]
    if _is_right(user if may else None, password):
        _settle(hits, home)
        return True
    _fail(user, name, visitor, hits)
    return False


def unlock(user: User) -> None:
    """Open the password's way again: whoever proved a contact is no stranger (LIM-03)."""
    names = [*user.contacts, Identifier.username(user.username or "")]
    own = [limits.passwords_by_account(str(user.pk)), *map(limits.passwords_by_name, names)]
    limits.give_back(forget=own)


def _limits(user: User | None, name: Identifier, visitor: Visitor) -> list[Limit]:
    """The limits of the name and of the account, or those of a browser that strangers cannot lock out."""
    device = visitor.knows(user) if user else ""
    if device:
        return [limits.passwords_by_device(device)]
    account = str(user.pk) if user else f"nobody {name.kind} {name.key}"
    return [limits.passwords_by_name(name), limits.passwords_by_account(account)]


def _refuse_when_closed(own: list[Limit], home: list[Limit], taken: dict[Limit, Hit]) -> None:
    full = [limit for limit in home if limit not in taken]
    if full:
        # Nobody was tried: the account's own tries stay whole.
        limits.give_back(*[limit for limit in own if limit in taken])
    elif own[0] not in taken:
        full = own[:1]
    if full:
        raise PasswordClosed(limits.room_at(*full))


def _is_right(user: User | None, password: str) -> bool:
    if user is None or not user.is_active or not user.has_usable_password():
        make_password(password)  # the same work for nobody (ENU-02)
        return False
    return user.check_password(password)


def _settle(hits: list[Hit], home: list[Limit]) -> None:
    """After a success: forget the slips before it, unless they came in a burst with it.

    In a burst the right one must not make room for more wrong ones (LIM-02); full limits stay full.
    """
    slips = [hit.limit for hit in hits if hit.is_alone or hit.limit.name == "passwords by device"]
    others = [hit.limit for hit in hits if hit.limit not in slips and not hit.fills]
    limits.give_back(*others, *home, forget=slips)


def _fail(user: User | None, name: Identifier, visitor: Visitor, hits: list[Hit]) -> None:
    filled = [hit for hit in hits if hit.fills]
    kinds = ["sign_in_failed"]
    if filled:
        limits.close(*filled)
    if hits and hits[-1].fills:
        kinds.append("password_locked")
    events.record(*kinds, origin=visitor.origin, identifier=name, user=user)
