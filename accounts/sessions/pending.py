"""What this browser is in the middle of: pointers to the rows, and what was typed. The rows hold the truth.

Up to five journeys live beside each other, one in each tab. A page names its own by the reference of its challenge, so
that it acts on what it shows, whatever was begun since (REC-09). The newest row is read together with the session.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, login
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.codes import is_same
from accounts.flows.registration import Profile
from accounts.models import Challenge, Purpose, User, attempt_references
from accounts.sessions import trusted_browsers
from accounts.sessions.store import CHALLENGE_KEY, PENDING_KEY, SessionStore
from accounts.sessions.trusted_browsers import Visitor

JOURNEYS_MAX = 5

# The name designs and tests know a registration in progress by (promise 4.2).
NAME_KEY = "pending_verification_username"
# Names that were typed and wait for reauthentication.
NAMES_KEY = "names"


@dataclass(frozen=True, slots=True)
class Pending:
    """What was typed in a journey in progress, where to go at the end, and whether to stay signed in then."""

    typed: str
    destination: str = ""
    remember: bool = True
    profile: Profile = field(default_factory=Profile)


def save(
    request: HttpRequest,
    challenge: Challenge,
    pending: Pending,
    *,
    instead_of: Challenge | None = None,
) -> None:
    """Remember what was typed in the journey of `challenge`, the newest of this browser from now on.

    The journey of `instead_of` ends with it. Of too many the one that was begun first goes.
    """
    kept = _kept(request)
    for former in filter(None, [instead_of, challenge]):
        kept.pop(str(former.pk), None)
    kept[str(challenge.pk)] = {"purpose": challenge.purpose, **asdict(pending)}
    cast(SessionStore, request.session).begun = challenge
    _keep(request, dict(list(kept.items())[-JOURNEYS_MAX:]))


def find(request: HttpRequest, purpose: Purpose | None = None, reference: str = "") -> str | None:
    """The id of the challenge that a page of this browser names, or of the newest one if it names none; None if it is
    not held here. Of this `purpose`, or of any.
    """
    mine = [pk for pk, each in _kept(request).items() if purpose in (None, each["purpose"])]
    if reference:
        mine = [
            pk for pk in mine if any(is_same(reference, name) for name in attempt_references(pk))
        ]
    return mine[-1] if mine else None


def load(request: HttpRequest, pk: object) -> Pending | None:
    """What was typed in the journey of the challenge with this id, or None."""
    kept = _kept(request).get(str(pk))
    if kept is None:
        return None
    typed = {name: value for name, value in kept.items() if name != "purpose"}
    return Pending(**{**typed, "profile": Profile(**typed["profile"])})


def get_challenge(request: HttpRequest, purpose: Purpose, reference: str = "") -> Challenge | None:
    """The row that `find` finds, whatever its state, or None; the newest was read together with the session."""
    pk = find(request, purpose, reference)
    if pk is None:
        return None
    at_hand = get_at_hand(request, pk)
    return at_hand or Challenge.objects.with_read_at().filter(pk=pk, purpose=purpose).first()


def get_at_hand(request: HttpRequest, pk: str | None) -> Challenge | None:
    """The row with this id, if this very request began it or read it together with the session; else None."""
    session = cast(SessionStore, request.session)
    newest = session.row.challenge if session.row else None
    held = [each for each in (session.begun, newest) if each and str(each.pk) == pk]
    return held[0] if held else None


def clear(request: HttpRequest) -> None:
    """Drop what the anonymous session holds: Django would keep it through login() (SES-02)."""
    for key in list(request.session.keys()):
        del request.session[key]


def drop(request: HttpRequest, challenge: Challenge) -> None:
    """Forget a journey that is over, and nothing else."""
    kept = _kept(request)
    if kept.pop(str(challenge.pk), None):
        _keep(request, kept)


def _kept(request: HttpRequest) -> dict[str, dict[str, Any]]:
    return dict(request.session.get(PENDING_KEY, {}))


def _keep(request: HttpRequest, kept: dict[str, dict[str, Any]]) -> None:
    """Write down the journeys, and point at the newest."""
    session = request.session
    for key in (PENDING_KEY, CHALLENGE_KEY, NAME_KEY):
        session.pop(key, None)
    if kept:
        session[PENDING_KEY] = kept
    # A new contact may be anybody's address: whoever erases the row pointed at erases the session with it.
    newest = next((pk for pk in reversed(kept) if kept[pk]["purpose"] != Purpose.CONTACT), None)
    if newest is None:
        return
    session[CHALLENGE_KEY], journey = newest, kept[newest]
    if journey["purpose"] == Purpose.REGISTER:
        session[NAME_KEY] = journey["profile"]["username"] or journey["typed"]


def get_visitor(request: HttpRequest) -> Visitor:
    session = cast(SessionStore, request.session)
    return Visitor(session.client, request.COOKIES.get(settings.TRUSTED_BROWSERS_COOKIE_NAME, ""))


def sign_in(request: HttpRequest, user: User, *, by: str, remember: bool = True) -> None:
    """Sign `user` in with a new session id and nothing of what the anonymous session held (SES-01, SES-02).

    They authenticated `by` PASSWORD, or by what went to their EMAIL or PHONE. Without `remember` the cookie
    lasts until the browser is closed. In the transaction that proves who they are, as its last act (SES-13).
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
    session.write()


def keep_signed_in(request: HttpRequest, user: User, owner: str = "") -> None:
    """Carry this session over a new password; whoever calls writes it. `owner` is as in `trust_browser`."""
    request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    trust_browser(request, user, owner)


def write(request: HttpRequest) -> None:
    """Write the session, in the caller's transaction (SES-13)."""
    cast(SessionStore, request.session).write()


def cycle_key(request: HttpRequest) -> None:
    """Give this session a new id, in the transaction that changed what a sign-in takes (SES-01, SES-13)."""
    request.session.cycle_key()
    write(request)


def record_reauthentication(request: HttpRequest, *, by: str) -> None:
    """Note that the owner has just reauthenticated, and how, under a new id, in the caller's transaction."""
    cast(SessionStore, request.session).reauthenticated_by = by
    cycle_key(request)


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
