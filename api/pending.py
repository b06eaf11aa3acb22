"""What an app is in the middle of: a session row of client "pending", found by the handle the app was given.

The handle is the id of the first challenge, and stays when that is replaced; the row points at the challenge of now.
No cookie opens such a row. What was typed waits in it as in the session of a browser: of a password the final hash.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts import conf
from accounts.errors import CodeClosed
from accounts.flows.registration import Profile
from accounts.identifiers import Identifier
from accounts.models import Challenge, Client, Purpose, Session
from accounts.sessions.client import ClientInfo
from accounts.sessions.store import SessionStore

KEY_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Pending:
    """What was typed at the beginning, by which call, and whether the attempt may be named by its address alone."""

    call: str
    by_address: bool = False
    typed: str = ""
    # Whether its code was right, and a registration token given.
    is_verified: bool = False
    profile: Profile = field(default_factory=Profile)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of an app: its row, its challenge as it was read, and what was typed."""

    row: Session
    challenge: Challenge
    pending: Pending

    @property
    def handle(self) -> UUID:
        return self.row.public_id or self.challenge.pk


def save(challenge: Challenge, pending: Pending, *, client: ClientInfo) -> None:
    """Write down what was typed for `challenge`, in one statement."""
    Session(
        session_key=_new_key(),
        client=Client.PENDING,
        public_id=challenge.pk,
        challenge=challenge,
        session_data=_encode(pending),
        ip=client.ip,
        agent=client.agent,
        expire_date=Now() + conf.LINK_TTL,
    ).save(force_insert=True)


def load(handle: UUID, purposes: Iterable[Purpose]) -> Attempt | None:
    """The attempt with this handle, whatever its state, or None."""
    row = _rows(purposes).filter(public_id=handle).first()
    return _attempt(row) if row else None


def find_by_address(
    identifier: Identifier, purposes: Iterable[Purpose], calls: Iterable[str]
) -> Attempt | None:
    """The newest attempt that stands at this address and was begun by one of `calls` without naming it later.

    What was typed comes along only where none other has been begun beside it: whoever types the code is not known to
    be who typed the password, and that of a stranger, or of a neighbour behind one address, must not become theirs.
    """
    begun = [_attempt(row) for row in _standing(identifier, purposes)]
    wanted = [each for each in begun if each.pending.by_address and each.pending.call in calls]
    if not wanted:
        return None
    newest = wanted[0]
    if len(begun) > 1:
        return replace(newest, pending=replace(newest.pending, profile=Profile()))
    return newest


def find_newest(identifier: Identifier, purposes: Iterable[Purpose]) -> Attempt | None:
    """The newest attempt of a program that stands at this address: to send its code again, and for no more.

    None whose code was right: a stranger would take the registration token away that was given for it.
    """
    begun = map(_attempt, _standing(identifier, purposes))
    return next((each for each in begun if not each.pending.is_verified), None)


def move(attempt: Attempt, challenge: Challenge) -> None:
    """Let the handle of `attempt` name the `challenge` that replaced its own; a token that was given is dead."""
    Session.objects.filter(pk=attempt.row.pk).update(
        session_key=_new_key(),
        session_data=_encode(replace(attempt.pending, is_verified=False)),
        challenge=challenge,
        expire_date=Now() + conf.LINK_TTL,
    )


def settle(attempt: Attempt) -> None:
    """Drop what was typed: the attempt is over. Its handle is known until the row ends."""
    over = _encode(Pending(call=attempt.pending.call))
    Session.objects.filter(pk=attempt.row.pk).update(session_data=over)


def settle_all(challenge: Challenge) -> None:
    """The same, for whoever holds the attempt."""
    held = Session.objects.filter(client=Client.PENDING, challenge=challenge)
    held.update(session_data=_encode(Pending(call="")))


def give_token(attempt: Attempt, life: timedelta) -> UUID:
    """Make a token for whoever typed the right code; it stands nowhere, and an earlier one is dead.

    Raises CodeClosed when the attempt ended meanwhile.
    """
    token = uuid4()
    moved = Session.objects.filter(pk=attempt.row.pk).update(
        session_key=_key(token),
        session_data=_encode(replace(attempt.pending, is_verified=True)),
        expire_date=Now() + life,
    )
    if not moved:
        raise CodeClosed
    return token


def find_by_token(token: UUID) -> Attempt | None:
    """The attempt that a registration token was given for, or None."""
    row = _rows([Purpose.REGISTER]).filter(session_key=_key(token)).first()
    return _attempt(row) if row else None


def _rows(purposes: Iterable[Purpose]) -> QuerySet[Session]:
    standing = Session.objects.filter(client=Client.PENDING, expire_date__gt=Now())
    of_purpose = standing.filter(challenge__purpose__in=list(purposes))
    return of_purpose.select_related("challenge").annotate(read_at=Now())  # type: ignore[no-redef]


def _standing(identifier: Identifier, purposes: Iterable[Purpose]) -> QuerySet[Session]:
    standing = _rows(purposes).filter(
        challenge__recipient=identifier.key,
        challenge__verified_at=None,
        challenge__cancelled_at=None,
        challenge__link_expires_at__gt=Now(),
    )
    return standing.order_by("-challenge__created_at")


def _attempt(row: Session) -> Attempt:
    challenge = row.challenge
    assert challenge is not None  # noqa: S101  the query asked for its purpose
    challenge.read_at = row.read_at
    return Attempt(row, challenge, _decode(row.session_data))


def _new_key() -> str:
    return secrets.token_hex(KEY_LENGTH // 2)


def _key(token: UUID) -> str:
    return hashlib.sha256(b"registration token" + token.bytes).hexdigest()[:KEY_LENGTH]


def _encode(pending: Pending) -> str:
    data: str = SessionStore().encode(asdict(pending))  # type: ignore[no-untyped-call]
    return data


def _decode(data: str) -> Pending:
    kept: dict[str, Any] = SessionStore().decode(data)
    if not kept:
        return Pending(call="")
    return Pending(**{**kept, "profile": Profile(**kept["profile"])})
