"""What this browser is in the middle of: a pointer to the row, and what was typed. The row holds the truth."""

from dataclasses import asdict, dataclass, field
from typing import cast

from django.contrib.auth import HASH_SESSION_KEY, login
from django.http import HttpRequest

from accounts.flows.registration import Profile
from accounts.models import Challenge, Purpose, User
from accounts.sessions import CHALLENGE_KEY, SessionStore

KEY = "pending"
# The name designs and tests know a registration in progress by (promise 4.2).
NAME_KEY = "pending_verification_username"


@dataclass(frozen=True, slots=True)
class Pending:
    """What was typed in a registration in progress, and where to go at the end."""

    typed: str
    destination: str = ""
    profile: Profile = field(default_factory=Profile)


def put(request: HttpRequest, challenge: Challenge, pending: Pending) -> None:
    """Point this browser's session at `challenge` and remember what was typed."""
    request.session[CHALLENGE_KEY] = str(challenge.pk)
    request.session[KEY] = asdict(pending)
    request.session[NAME_KEY] = pending.profile.username or pending.typed


def of(request: HttpRequest) -> Pending | None:
    """What was remembered, or None."""
    kept = request.session.get(KEY)
    return Pending(**{**kept, "profile": Profile(**kept["profile"])}) if kept else None


def challenge(request: HttpRequest) -> Challenge | None:
    """The row of the registration in progress, whatever its state, or None; read together with the session."""
    if CHALLENGE_KEY not in request.session:
        return None
    row = cast(SessionStore, request.session).row
    found = row and row.challenge
    return found if found and found.purpose == Purpose.REGISTER else None


def forget(request: HttpRequest) -> None:
    """Drop what the anonymous session holds: Django would keep it through login() (SES-02)."""
    for key in list(request.session.keys()):
        del request.session[key]


def sign_in(request: HttpRequest, user: User) -> None:
    """Sign `user` in with a new session id and nothing of what the anonymous session held (SES-01, SES-02)."""
    forget(request)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")


def keep_signed_in(request: HttpRequest, user: User) -> None:
    """Carry this session over the user's first password; it was rotated when the code was proven."""
    request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
