"""What this browser is in the middle of: a pointer to the row, and what was typed. The row holds the truth."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import cast

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, login
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.flows.registration import Profile
from accounts.models import Challenge, Purpose, User
from accounts.sessions import trusted_browsers
from accounts.sessions.store import CHALLENGE_KEY, SessionStore
from accounts.sessions.trusted_browsers import Visitor

KEY = "pending"
# The name designs and tests know a registration in progress by (promise 4.2).
NAME_KEY = "pending_verification_username"
# The new contact of somebody who is signed in; the pointer above is for reauthentication.
CONTACT_KEY = "contact"

# Names that were typed and wait for reauthentication.
NAMES_KEY = "names"


@dataclass(frozen=True, slots=True)
class Pending:
    """What was typed in a journey in progress, where to go at the end, and whether to stay signed in then."""

    typed: str
    destination: str = ""
    remember: bool = True
    profile: Profile = field(default_factory=Profile)


def save(request: HttpRequest, challenge: Challenge, pending: Pending) -> None:
    """Point this browser's session at `challenge` and remember what was typed."""
    request.session[CHALLENGE_KEY] = str(challenge.pk)
    request.session[KEY] = asdict(pending)
    # Of the attempt pointed at alone: whoever erases it erases all that is kept here.
    request.session.pop(NAME_KEY, None)
    if challenge.purpose == Purpose.REGISTER:
        request.session[NAME_KEY] = pending.profile.username or pending.typed


def load(request: HttpRequest) -> Pending | None:
    """What was remembered, or None."""
    kept = request.session.get(KEY)
    return Pending(**{**kept, "profile": Profile(**kept["profile"])}) if kept else None


def get_challenge(request: HttpRequest, purpose: Purpose) -> Challenge | None:
    """The row of the journey in progress, whatever its state, or None; read together with the session."""
    if CHALLENGE_KEY not in request.session:
        return None
    row = cast(SessionStore, request.session).row
    found = row and row.challenge
    return found if found and found.purpose == purpose else None


def clear(request: HttpRequest) -> None:
    """Drop what the anonymous session holds: Django would keep it through login() (SES-02)."""
    for key in list(request.session.keys()):
        del request.session[key]


def clear_journey(request: HttpRequest) -> None:
    """Forget a journey that is over, and nothing else."""
    for key in (CHALLENGE_KEY, KEY):
        request.session.pop(key, None)


def get_visitor(request: HttpRequest) -> Visitor:
    session = cast(SessionStore, request.session)
    return Visitor(session.client, request.COOKIES.get(settings.TRUSTED_BROWSERS_COOKIE_NAME, ""))


def sign_in(request: HttpRequest, user: User, *, by: str, remember: bool = True) -> None:
    """Sign `user` in with a new session id and nothing of what the anonymous session held (SES-01, SES-02).

    They authenticated `by` PASSWORD, or by what went to their EMAIL or PHONE. Without `remember` the cookie
    lasts until the browser is closed.
    """
    clear(request)
    session = cast(SessionStore, request.session)
    # Of whoever was signed in here before: the doors of the shop let no staff in (ADM-04).
    session.staff = False
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    if not remember:
        session.set_expiry(0)
    session.reauthenticated_by, session.signed_in = by, True
    trust_browser(request, user)


def keep_signed_in(request: HttpRequest, user: User, owner: str = "") -> None:
    """Carry this session over a new password; `owner` as in `trust_browser`."""
    request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    trust_browser(request, user, owner)


def cycle_key(request: HttpRequest) -> None:
    """Give this session a new id: somebody reauthenticated, or changed what that takes (SES-01)."""
    request.session.cycle_key()


def record_reauthentication(request: HttpRequest, *, by: str) -> None:
    """Note that the owner has just reauthenticated, and how."""
    cycle_key(request)
    cast(SessionStore, request.session).reauthenticated_by = by


def trust_browser(request: HttpRequest, user: User, owner: str = "") -> None:
    """Let this browser be known from now on; `owner` names the account at a door that is not the shop's."""
    cast(SessionStore, request.session).trusted_browsers_cookie = trusted_browsers.add(
        get_visitor(request).cookie,
        owner=owner or str(user.pk),
        password=user.password,
        former=user.former_password,
        at=lambda: user.signed_in_at or _time_of_the_database(user),
    )


def _time_of_the_database(user: User) -> datetime:
    # By which it is judged, too, whatever the clock of this process says.
    times = User.objects.filter(pk=user.pk).annotate(time=Now()).values_list("time", flat=True)
    return times.first() or user.date_joined
