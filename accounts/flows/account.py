"""Whose account it is: the name, the username, the password, and reauthentication."""

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from accounts import audit, limits
from accounts.errors import CodeClosed, PasswordWrong, ReauthenticationNeeded, UsernameTaken
from accounts.flows import challenge as challenges
from accounts.flows import notifications, passwords, usernames
from accounts.flows.entry import RenewSession
from accounts.identifiers import Identifier
from accounts.models import Challenge, FormerUsername, Purpose, Session, User
from accounts.password_policy import validation
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor


def rename(user: User, *, name: str, username: str, session: Session, client: ClientInfo) -> None:
    """Change what the shopper is called, and the name to sign in with.

    Only the latter needs a recent reauthentication in this `session`. The former name is held for its owner while the
    notice of the change may bring it back. Raises ReauthenticationNeeded, UsernameTaken, TooOften.
    """
    renamed = (username or None) != user.username
    if renamed and not session.is_recently_authenticated:
        raise ReauthenticationNeeded
    if renamed and username:
        usernames.refuse_taken(username, by=user, client=client)
    what = "username_changed" if renamed else "profile_changed"
    try:
        with transaction.atomic():
            challenges.lock_shopper(user)
            limits.enforce(*limits.changes(str(user.pk)))
            if renamed:
                # A name to sign in with is a credential (ASVS 6.3.7). Before the change, to be taken back through it.
                notifications.notify(user, what, client=client, to=user.contacts)
                user.former_usernames.create(username=user.username)
            User.objects.filter(pk=user.pk).update(name=name, username=username or None)
            if username and renamed:
                FormerUsername.objects.refuse_held(user.pk, username)
            audit.record(what, client=client, user=user)
    except IntegrityError:
        raise UsernameTaken from None


def change_password(
    user: User,
    *,
    current: str,
    new: str,
    session_key: str,
    visitor: Visitor,
    renew_session: RenewSession,
) -> None:
    """Put `new` in the place of the `current` password (PWD-07).

    Raises PasswordWrong, PasswordLocked, PasswordBreached, TooOften.
    """
    limits.enforce_durably(*limits.changes(str(user.pk)))
    _check_password(user, current, visitor=visitor)
    audit.record("reauthenticated", client=visitor.client, user=user)
    validation.refuse_breached(new)
    _set_password(
        user,
        new,
        "password_changed",
        session_key=session_key,
        client=visitor.client,
        renew_session=renew_session,
    )


def set_password(
    user: User, *, new: str, session_key: str, visitor: Visitor, renew_session: RenewSession
) -> None:
    """Give a password to an account that has none (PWD-06). Raises PasswordBreached, TooOften."""
    limits.enforce_durably(*limits.changes(str(user.pk)))
    validation.refuse_breached(new)
    _set_password(
        user,
        new,
        "password_set",
        session_key=session_key,
        client=visitor.client,
        renew_session=renew_session,
    )


def confirm_by_password(
    user: User, password: str, *, visitor: Visitor, renew_session: RenewSession
) -> None:
    """Reauthenticate the owner by the password. Misses count towards the lock.

    Raises PasswordWrong, PasswordLocked, TooOften.
    """
    limits.enforce_durably(*limits.confirmations(str(user.pk)))
    _check_password(user, password, visitor=visitor)
    with transaction.atomic():
        audit.record("reauthenticated", client=visitor.client, user=user)
        renew_session()


def send_code(user: User, *, current: Challenge | None = None, client: ClientInfo) -> Challenge:
    """Send a code to the primary contact, to reauthenticate with. Raises TooOften, ChannelDown."""
    if current and challenges.needs_none(current):
        return current
    return challenges.issue(Purpose.CONFIRM, user.contacts[0], client=client, user_id=user.pk)


def confirm_by_code(
    user: User,
    challenge: Challenge,
    typed: str,
    *,
    client: ClientInfo,
    renew_session: RenewSession,
) -> None:
    """Reauthenticate the owner by a code. Raises as `challenges.check`."""
    challenges.check(challenge, typed, client=client)
    if challenge.recipient not in [own.key for own in user.contacts]:
        raise CodeClosed
    with transaction.atomic():
        challenges.lock_shopper(user)
        if not challenge.mark_verified():
            raise CodeClosed
        audit.record("reauthenticated", client=client, identifier=challenge.identifier, user=user)
        renew_session()


def _check_password(user: User, password: str, *, visitor: Visitor) -> None:
    name = user.contacts[0] if user.contacts else Identifier.username(user.username or "")
    if not passwords.check(user, password, name=name, visitor=visitor):
        raise PasswordWrong


def _set_password(
    user: User,
    new: str,
    what: str,
    *,
    session_key: str,
    client: ClientInfo,
    renew_session: RenewSession,
) -> None:
    """Write the password, end all sessions but the one with the key `session_key`, cancel what waits, notify.

    The change was counted by whoever calls, before the hash.
    """
    hashed = make_password(new)
    with transaction.atomic():
        challenges.lock_shopper(user)
        # Only over the password that was looked at: of two changes at once one wins.
        if not User.objects.filter(pk=user.pk, password=user.password).update(password=hashed):
            raise PasswordWrong
        Session.objects.filter(user=user).exclude(pk=session_key).delete()
        user.challenges.cancel_open()
        audit.record(what, client=client, user=user)
        notifications.notify(user, what, client=client, to=user.contacts)
        user.former_password, user.password = user.password, hashed
        renew_session()
