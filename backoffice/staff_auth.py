"""Both steps of the sign-in of staff, and their own account: its password and its contact."""

from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.hashers import check_password
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts import audit, conf, limits, refusals
from accounts.errors import CodeClosed, PasswordWrong, StaffPasswordLocked
from accounts.flows import challenge as challenges
from accounts.flows import notifications
from accounts.flows.entry import RenewSession, SignIn
from accounts.identifiers import EMAIL, Identifier, fingerprints
from accounts.models import Challenge, Purpose, SecurityEvent, User
from accounts.password_policy import validation
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from ratelimits.engine import Hit, Limit, refund

# A wrong password at the sign-in, and on the pages of the own account.
PASSWORD_FAILURES = ("staff_sign_in_failed", "sign_in_failed")


def try_password(username: str, *, visitor: Visitor) -> list[Hit]:
    """Take a try at the password of a member of staff, before anybody looks at it; a success gives it back.

    A browser that signed in to the staff pages before has tries of its own, which neither strangers nor its household
    spend (LIM-04). Raises StaffPasswordLocked.
    """
    user = User.objects.filter(username=username, is_staff=True).first()
    browser = visitor.trusted_browser_id(user, staff_account_key(user) if user else "staff")
    own = limits.staff_logins_by_browser(browser)
    asked = own if browser else limits.staff_logins(username, visitor.client)
    try:
        return list(limits.enforce_durably(*asked, refusal=StaffPasswordLocked).values())
    except StaffPasswordLocked:
        name = Identifier.username(username.casefold())
        refusals.record("staff_sign_in_limited", client=visitor.client, identifier=name)
        raise


def browser_tried(hits: Iterable[Hit]) -> str:
    """What an event of these tries is about: the browser that signed in to the staff pages before, or ""."""
    own = (hit.limit.subject for hit in hits if hit.limit.name == limits.BY_STAFF_BROWSER)
    return next((f"{audit.BROWSER}{name}" for name in own), "")


def tries_of_browsers(user: User) -> list[Limit]:
    """The limits of this member of staff's own browsers in which a wrong password was typed lately."""
    since = Now() - timedelta(seconds=max(rate.seconds for rate in conf.STAFF_LOGINS_PER_NAME))
    theirs = Q(user=user) | Q(fingerprint__in=fingerprints(user.username or ""))
    failed = SecurityEvent.objects.filter(theirs, kind__in=PASSWORD_FAILURES, at__gt=since)
    every = map(limits.staff_logins_by_browser, audit.trusted_browsers(failed))
    return [limit for own in every for limit in own]


def staff_account_key(user: User) -> str:
    """Return under which key a browser is trusted on the staff pages; the shop has another key."""
    return f"staff {user.pk}"


def send_code(user: User, *, current: Challenge | None = None, client: ClientInfo) -> Challenge:
    """Send the code of the second step to the primary contact, which `user` must have.

    Goes on with `current` while its code is on its way. Raises TooOften, ChannelDown.
    """
    return _send_or_resume(Purpose.STAFF, user, current, client)


def sign_in_with_code(
    challenge: Challenge, typed: str, *, client: ClientInfo, sign_in: SignIn
) -> None:
    """Sign in to the staff pages whoever typed the password and now the right code (ADM-04).

    Raises the refusals of `challenges.check`; CodeClosed, too, for who is no longer staff or has another contact.
    """
    challenges.check(challenge, typed, client=client)
    with transaction.atomic():
        # The user's row first: every flow locks it before those of challenges.
        account = _staff_with_contact(challenge)
        if not account.update(last_login=Now()):
            raise CodeClosed
        challenges.use_up(challenge)
        user = account.get()
        audit.record("staff_signed_in", client=client, identifier=challenge.identifier, user=user)
        sign_in(user)


def begin_change(
    user: User, password: str, *, new: str = "", current: Challenge | None = None, visitor: Visitor
) -> Challenge:
    """Look at the password of whoever wants to change their own account, and send a code to the primary contact.

    `new` is the password that shall take its place, if one shall. Goes on with `current` while its code is on its way.
    Raises PasswordWrong, PasswordBreached, StaffPasswordLocked, TooOften, ChannelDown.
    """
    hits = try_password(user.username or "", visitor=visitor)
    if not check_password(password, user.password):
        about = browser_tried(hits)
        audit.record("sign_in_failed", client=visitor.client, user=user, about=about)
        raise PasswordWrong
    refund(*hits)
    validation.refuse_breached(new, *limits.breach_checks(str(user.pk)))
    return _send_or_resume(Purpose.STAFF_CHANGE, user, current, visitor.client)


def change_password(
    user: User,
    challenge: Challenge,
    typed: str,
    *,
    hashed: str,
    except_session: str,
    client: ClientInfo,
    renew_session: RenewSession,
) -> None:
    """Put a new password, which comes as its hash, in the place of the one that was looked at.

    All sessions end but the one with the key `except_session`; all contacts are told. Raises as
    `challenges.check`, TooOften.
    """
    challenges.check(challenge, typed, client=client)
    with transaction.atomic():
        challenges.lock_user(user.pk)
        account = _staff_with_contact(challenge).filter(pk=user.pk, password=user.password)
        if not account.update(password=hashed):
            raise CodeClosed
        challenges.use_up(challenge)
        _finish_change(
            user, "password_changed", to=user.contacts, except_session=except_session, client=client
        )
        user.former_password, user.password = user.password, hashed
        renew_session()


def begin_contact(
    user: User, challenge: Challenge, typed: str, *, contact: Identifier, client: ClientInfo
) -> Challenge:
    """Send a code to the new `contact` of whoever typed the one that went to the contact there is.

    To an address of somebody else no code leaves (ENU-07). Raises as `challenges.check`, TooOften, ChannelDown.
    """
    challenges.check(challenge, typed, client=client)
    with transaction.atomic():
        challenges.lock_user(user.pk)
        if not _staff_with_contact(challenge).filter(pk=user.pk).exists():
            raise CodeClosed
        challenges.use_up(challenge)
        return challenges.issue(Purpose.STAFF_CONTACT, contact, client=client, user_id=user.pk)


def change_contact(
    user: User,
    challenge: Challenge,
    typed: str,
    *,
    except_session: str,
    client: ClientInfo,
    renew_session: RenewSession,
) -> None:
    """Put the contact that the right code verifies in the place of the one of its kind, and send codes there.

    All sessions end but the one with the key `except_session`; the contacts there were are told. Raises
    as `challenges.check`, TooOften.
    """
    challenges.check(challenge, typed, client=client)
    contact, former = challenge.identifier, user.contacts
    what = "contact_changed" if user.get_contact(contact.kind) else "contact_added"
    try:
        with transaction.atomic():
            challenges.lock_user(user.pk)
            columns = User.verified_columns(contact) | {"primary": contact.kind}
            active = User.objects.filter(pk=user.pk, is_active=True, is_staff=True)
            if challenge.user_id != user.pk or not active.update(**columns):
                raise CodeClosed
            challenges.use_up(challenge)
            _finish_change(
                user, what, to=former, except_session=except_session, client=client, contact=contact
            )
            renew_session()
    except IntegrityError:
        # Somebody else verified it first: the constraint decides.
        raise CodeClosed from None


def set_contact(user: User, contact: Identifier) -> None:
    """Take `contact` as verified and primary, on the word of whoever runs the site. Raises IntegrityError if taken.

    The contact that was is told, by a message without a link: nothing undoes this. Whoever is signed in must sign
    in anew.
    """
    former = user.get_contact(contact.kind)
    with transaction.atomic():
        columns = User.verified_columns(contact) | {"primary": contact.kind}
        User.objects.filter(pk=user.pk).update(**columns)
        challenges.end_everything(user, with_notices=True)
        audit.record("staff_contact_set", client=ClientInfo(), identifier=contact, user=user)
        if former and former.key != contact.key:
            notifications.notify(user, "contact_changed", client=ClientInfo(), to=[former])
    user.refresh_from_db()


def record_password_set(user: User) -> None:
    """End all that began with the former password of `user`, after whoever runs the site has set another one."""
    with transaction.atomic():
        challenges.lock_user(user.pk)
        challenges.end_everything(user, with_notices=True)
        audit.record("staff_password_set", client=ClientInfo(), user=user)


def _send_or_resume(
    purpose: Purpose, user: User, current: Challenge | None, client: ClientInfo
) -> Challenge:
    if current and current.user_id == user.pk and challenges.needs_none(current):
        return current
    return challenges.issue(purpose, user.contacts[0], client=client, user_id=user.pk)


def _staff_with_contact(challenge: Challenge) -> QuerySet[User]:
    """The member of staff whom a code was sent to, while they are that and have that contact."""
    contact = challenge.identifier
    still = {"email_key": contact.key} if contact.kind == EMAIL else {"phone": contact.key}
    staff = User.objects.filter(is_active=True, is_staff=True, **still)
    return staff.filter(pk=challenge.user_id or challenges.NO_USER_ID)


def _finish_change(
    user: User,
    what: str,
    *,
    to: Iterable[Identifier],
    except_session: str,
    client: ClientInfo,
    contact: Identifier | None = None,
) -> None:
    """Count, end and tell what a change of the own account ends and tells; `contact` is the one it was about."""
    limits.enforce(*limits.changes(str(user.pk)))
    user.sessions.exclude(pk=except_session).delete()
    user.challenges.cancel_open()
    audit.record(what, client=client, identifier=contact, user=user)
    notifications.notify(user, what, client=client, to=to)
