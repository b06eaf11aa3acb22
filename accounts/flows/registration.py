"""A visitor becomes a shopper: begin, verify, complete. Nothing is created before that (REG-01)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts import audit, conf, limits
from accounts.errors import AlreadyRegistered, CodeClosed, LinkDead, UsernameTaken
from accounts.flows import challenge as challenges
from accounts.flows import entry, usernames
from accounts.identifiers import Identifier
from accounts.models import POOL_BY_PURPOSE, Challenge, FormerUsername, Purpose, User
from accounts.password_policy import validation
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from ratelimits.engine import peek, try_consume


@dataclass(frozen=True, slots=True)
class Profile:
    """What was typed before the address was verified; the password only as its final hash (REG-10)."""

    name: str = ""
    username: str = ""
    password: str = ""
    # The id that the account will have, as a program was told it; None for pages. A program has no step 3 of its own
    # in which a password could be asked for again.
    id: UUID | None = None

    @property
    def columns(self) -> dict[str, object]:
        """The columns of the user this profile makes; complete when it has all of step 3."""
        known: dict[str, object] = {"name": self.name, "username": self.username or None}
        if self.id:
            known["id"] = self.id
        if self.password:
            known["password"] = self.password
        if self.name and self.password:
            known["completed_at"] = Now()
        return known


@dataclass(frozen=True, slots=True)
class Registered:
    """Who has registered, and whether somebody else took the username meanwhile (REG-07)."""

    user: User
    username_lost: bool = False


def begin(
    identifier: Identifier,
    *,
    username: str = "",
    password: str = "",
    is_bot: Callable[[], bool] = lambda: False,
    current: Challenge | None = None,
    client: ClientInfo,
) -> Challenge | None:
    """Send the first code for a registration, or go on with `current` while its code is on its way (ux 48).

    None if `is_bot` says so: whoever asked is told the same as a person, and nothing is sent (ABU-06). Raises
    UsernameTaken, PasswordBreached, AlreadyRegistered (only where that may be told), TooOften, ChannelDown.
    """
    # Before anything else: what comes along may cost a hash and calls to the outside (LIM-09), a refusal may cost rows.
    is_private = _count_registration(client)
    if is_bot():
        return None
    if current and current.recipient == identifier.key and challenges.needs_none(current):
        return current
    if username:
        usernames.refuse_taken(username, client=client)
    validation.refuse_breached(password)
    is_private = is_private or _is_probe_over_limit(identifier, client)
    return challenges.issue(Purpose.REGISTER, identifier, client=client, is_private=is_private)


def make_profile(
    *, name: str, username: str, password: str, has_more_steps: bool = True
) -> Profile:
    """Make what may wait in a session of what was typed: costs one password hash if there is a password.

    Where step 3 follows, which asks for both, a password without a name is not kept.
    """
    is_kept = password and (name or not has_more_steps)
    hashed = make_password(password) if is_kept else ""
    return Profile(name=name, username=username, password=hashed)


def confirm(
    challenge: Challenge, typed: str, *, profile: Profile, visitor: Visitor, sign_in: entry.SignIn
) -> Registered:
    """Turn the right code into a user. Raises the refusals of `challenge.check`."""
    challenges.check(challenge, typed, client=visitor.client)
    return _create_user(challenge, profile, visitor, sign_in)


def confirm_early(challenge: Challenge, typed: str, *, client: ClientInfo) -> None:
    """Take the right code, whose owner makes the account a moment later. Raises as `challenge.check`, CodeClosed.

    The code is dead from now on, the attempt stands: `finish` ends it.
    """
    challenges.check(challenge, typed, client=client)
    if not challenge.close_code():
        raise CodeClosed
    audit.record("code_verified", client=client, identifier=challenge.identifier)


def finish(
    challenge: Challenge,
    *,
    name: str,
    username: str,
    password: str,
    visitor: Visitor,
    sign_in: entry.SignIn,
) -> Registered:
    """Make the user of an attempt whose code was right, as `confirm_early` said.

    Raises UsernameTaken, PasswordBreached, TooOften, and CodeClosed when the attempt is over.
    """
    if username:
        usernames.refuse_taken(username, client=visitor.client)
    validation.refuse_breached(password, *limits.breach_checks(str(challenge.pk)))
    profile = make_profile(name=name, username=username, password=password, has_more_steps=False)
    return _create_user(challenge, replace(profile, id=challenge.pk), visitor, sign_in)


def find_link(token: str) -> Challenge:
    """Find the attempt an emailed link speaks of; changes nothing (ux 81). Raises LinkDead."""
    challenge = Challenge.objects.live().filter(purpose=Purpose.REGISTER).find_by_token(token)
    if challenge is None:
        raise LinkDead
    return challenge


def confirm_by_link(
    token: str, *, profile: Profile, visitor: Visitor, sign_in: entry.SignIn | None
) -> Registered:
    """Turn the link into a user. `profile` is empty unless this browser began the attempt (REG-08).

    Without `sign_in` nobody is signed in: what verifies an address for somebody else, like a program's call, is no
    sign-in.
    """
    challenge = find_link(token)
    try:
        return _create_user(challenge, profile, visitor, sign_in)
    except CodeClosed:
        raise LinkDead from None


def complete(
    user: User,
    *,
    name: str,
    password: str,
    username: str,
    contact: Identifier | None,
    client: ClientInfo,
    keep_session: Callable[[Challenge | None], None],
) -> None:
    """Finish the profile, and send a code to a second contact if one was given.

    `password` is empty for whoever has one already. Doing it twice changes nothing. `keep_session` is called last in
    the transaction, with the attempt at the contact: it carries the session over the new password (SES-13).
    Raises UsernameTaken, PasswordBreached, TooOften, ChannelDown.
    """
    _refuse_early(user, username, contact, client)
    validation.refuse_breached(password, *limits.breach_checks(str(user.pk)))
    hashed = make_password(password) if password else user.password
    columns = {"name": name, "username": username or None, "completed_at": Now()}
    waiting = None
    try:
        with transaction.atomic():
            unfinished = User.objects.shoppers().filter(pk=user.pk, completed_at=None)
            if not unfinished.update(password=hashed, **columns):
                return
            if username:
                FormerUsername.objects.refuse_held(user.pk, username)
            audit.record("profile_completed", client=client, user=user)
            if contact:
                waiting = challenges.issue(Purpose.CONTACT, contact, client=client, user_id=user.pk)
            user.former_password, user.password = user.password, hashed
            keep_session(waiting)
    except IntegrityError:
        raise UsernameTaken from None


def _refuse_early(
    user: User, username: str, contact: Identifier | None, client: ClientInfo
) -> None:
    """Refuse what a limit or a taken username refuses before a password is hashed. Raises UsernameTaken, TooOften."""
    if username:
        usernames.refuse_taken(username, by=user, client=client)
    if contact:
        caps = peek(limits.messages(contact, POOL_BY_PURPOSE[Purpose.CONTACT]))
        limits.enforce_durably(*limits.changes(str(user.pk)), *caps)


def _count_registration(client: ClientInfo) -> bool:
    """Count a registration of the household; whether nobody may learn in it who has an account. Raises TooOften.

    By the switch, or after ten taken addresses (ENU-06): asked before anything is known of the address, so that taken
    and free ones cost and answer the same then.
    """
    is_told = conf.REGISTRATION_DUPLICATE_POLICY == "disclose"
    probes = peek(limits.duplicate_probes(client)) if is_told else []
    taken = limits.enforce_durably(*limits.registrations(client), asking=probes)
    return not is_told or any(limit not in taken for limit in probes)


def _is_probe_over_limit(identifier: Identifier, client: ClientInfo) -> bool:
    """Say that the address is taken, ten times an hour; True for those that came at once with the tenth.

    Whoever never finished step 3 may just go on. Raises AlreadyRegistered.
    """
    taken = Q(completed_at__isnull=False) | Q(is_staff=True)
    if not User.objects.for_identifier(identifier).filter(taken).exists():
        return False
    if not try_consume(*limits.duplicate_probes(client)):
        return True
    audit.record("duplicate_registration", client=client, identifier=identifier)
    raise AlreadyRegistered(identifier.kind)


def _create_user(
    challenge: Challenge, profile: Profile, visitor: Visitor, sign_in: entry.SignIn | None
) -> Registered:
    """Create the user, use the attempt up and sign in, in one transaction (COD-05, SES-13)."""
    try:
        with transaction.atomic():
            # The user first: the unique key makes everyone with this identifier wait here, in one line.
            # Under the id of the attempt: a program was told it as that of the account to come.
            columns = {"id": challenge.pk, **profile.columns}
            user = User.objects.register(challenge.identifier, **columns)
            challenges.use_up(challenge, user_id=user.pk)
            kinds = ["registered", "signed_in"] if sign_in else ["registered"]
            # What an app began counts as the app's, also when the link was opened on a page.
            client = replace(visitor.client, space=challenge.space)
            audit.record(*kinds, client=client, identifier=challenge.identifier, user=user)
            if sign_in:
                sign_in(user)
    except IntegrityError:
        if not profile.username or User.objects.for_identifier(challenge.identifier).exists():
            return _welcome_back(challenge, visitor, sign_in)
        plain = replace(profile, username="", password=profile.password if profile.id else "")
        registered = _create_user(challenge, plain, visitor, sign_in)
        return replace(registered, username_lost=True)
    return Registered(user)


def _welcome_back(
    challenge: Challenge, visitor: Visitor, sign_in: entry.SignIn | None
) -> Registered:
    """Sign in the owner of an identifier that has an account; what was typed before is dropped (REG-02)."""
    with transaction.atomic():
        user = User.objects.shoppers(challenge.identifier).filter(is_active=True).first()
        if user is None:
            raise CodeClosed
        if sign_in and not entry.record_sign_in(user, challenge.identifier, visitor):
            raise CodeClosed
        challenges.use_up(challenge, user_id=user.pk)
        if sign_in:
            sign_in(user)
    return Registered(user)
