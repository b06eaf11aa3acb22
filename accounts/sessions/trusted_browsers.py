"""Browsers that signed in before: one signed cookie with a token for each account (LIM-04)."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

from django.core.signing import BadSignature, Signer

from accounts.sessions.client import ClientInfo

COOKIE_ACCOUNTS_MAX = 5
# A token has 71 characters: a name, a moment, a signature. What is longer than five of them is not ours.
TOKEN_LENGTH = 16 + 1 + 10 + 1 + 43
COOKIE_LENGTH_MAX = COOKIE_ACCOUNTS_MAX * (TOKEN_LENGTH + 1) - 1
BETWEEN = "~"


class Owner(Protocol):
    """Whose account it is."""

    pk: UUID
    password: str
    former_password: str


@dataclass(slots=True)
class _Nobody:
    """An account that no browser has a token for: its key is drawn anew in every process."""

    pk: UUID
    password: str
    former_password: str = ""


NOBODY = _Nobody(pk=uuid4(), password=secrets.token_hex(48))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the door: from where, and the cookie that names the accounts this browser has signed in to."""

    client: ClientInfo
    cookie: str = ""

    def trusted_browser_id(self, user: Owner | None, owner: str = "") -> str:
        """Return the name of this browser if it has signed in to `user` before, else "" (LIM-04).

        `owner` is the name of the account at a door of its own, like that of staff. For nobody it looks, too: the
        time must not tell who has an account (ENU-02).
        """
        return self._trust(user or NOBODY, owner)[0]

    def trusted_since(self, user: Owner) -> datetime | None:
        """When this browser first signed in to `user` and has been known to the account since, or None."""
        since = self._trust(user)[1]
        return datetime.fromtimestamp(int(since), UTC) if since else None

    def _trust(self, user: Owner, owner: str = "") -> tuple[str, str]:
        password = user.former_password or user.password
        return find(self.cookie, owner=owner or str(user.pk), password=password)


def find(cookie: str, *, owner: str, password: str) -> tuple[str, str]:
    """Return the name of this browser and since when it is trusted, if the account of `owner` knows it, else "", "".

    A token holds for one password: a new one makes every browser a stranger (REC-06).
    """
    for token in _tokens(cookie):
        try:
            name, _dot, since = _signer(owner, password).unsign(token).partition(".")
        except BadSignature:
            continue
        return name, since
    return "", ""


def add(
    cookie: str, *, owner: str, password: str, at: Callable[[], datetime], former: str = ""
) -> str:
    """Return the cookie with a token for the account of `owner` in front.

    `former` is the password's hash before a change, whose token goes; since when the browser is trusted stays, and
    where it was not, `at` says what time it is.
    """
    name, since = find(cookie, owner=owner, password=former or password)
    others = [token for token in _tokens(cookie) if not name or not token.startswith(f"{name}.")]
    trust = f"{name}.{since}" if name else f"{secrets.token_hex(8)}.{int(at().timestamp())}"
    token = _signer(owner, password).sign(trust)
    return BETWEEN.join([token, *others][:COOKIE_ACCOUNTS_MAX])


def _tokens(cookie: str) -> list[str]:
    is_ours = 0 < len(cookie) <= COOKIE_LENGTH_MAX
    return cookie.split(BETWEEN)[:COOKIE_ACCOUNTS_MAX] if is_ours else []


def _signer(owner: str, password: str) -> Signer:
    # The salt is hashed into the key, so the token tells neither the account nor anything of the password.
    digest = hashlib.sha256(f"{owner} {password}".encode()).hexdigest()
    return Signer(salt=f"accounts.sessions.trusted_browsers {digest}", sep=".")
