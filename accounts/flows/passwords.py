"""Looking at a password, for every journey: counted before it is made, and one hash whoever is asked about."""

from datetime import timedelta
from functools import partial

from django.contrib.auth.hashers import check_password, make_password

from accounts import events, limits
from accounts.errors import PasswordClosed
from accounts.familiar import Visitor
from accounts.identifiers import Identifier
from accounts.limits import Limit
from accounts.models import User

# Among many strangers at once the right one must not make room for more wrong ones (LIM-02).
BURST = timedelta(seconds=20)


def look(user: User | None, password: str, *, name: Identifier, visitor: Visitor) -> bool:
    """Whether `password` is that of `user`, who was asked for as `name`. Raises PasswordClosed.

    The tries are reserved before the hash, in one statement (LIM-02). An account that is locked through
    another of its names answers like a wrong password: the lock must not tell which names are one person's.
    """
    own, home = _limits(user, name, visitor), limits.passwords_by_ip(visitor.origin)
    taken = limits.take(*own, *home)
    hits = [taken[limit] for limit in own if limit in taken]
    full = [limit for limit in [own[0], *home] if limit not in taken]
    if full:
        # Nothing was looked at: the account's tries stay whole, under each of its names.
        limits.give_back(*hits)
        raise PasswordClosed(limits.room_at(*full))
    is_open = own[-1] in taken
    right = _is_right(user if is_open else None, password)
    if right:
        limits.forgive(*hits, shared=home, after=BURST if len(own) > 1 else timedelta())
        return True
    last = [hit for hit in hits if hit.fills]
    if last:
        limits.close(*last)
    kinds = ["sign_in_failed", *(["password_locked"] if last else [])]
    events.record(*kinds, origin=visitor.origin, identifier=name, user=user)
    return False


def unlock(user: User, *, visitor: Visitor | None = None) -> None:
    """Open the password's way again: whoever proved a contact is no stranger (LIM-03)."""
    names = [*user.contacts, Identifier.username(user.username or "")]
    own = [limits.passwords_by_account(str(user.pk)), *map(limits.passwords_by_name, names)]
    device = visitor.knows(user) if visitor else ""
    if device:
        own.append(limits.passwords_by_device(device))
    limits.forget(*own)


def _limits(user: User | None, name: Identifier, visitor: Visitor) -> list[Limit]:
    """The limits of the name and of the account, or those of a browser that strangers cannot lock out."""
    device = visitor.knows(user) if user else ""
    if device:
        return [limits.passwords_by_device(device)]
    account = str(user.pk) if user else f"nobody {name.kind} {name.key}"
    return [limits.passwords_by_name(name), limits.passwords_by_account(account)]


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
