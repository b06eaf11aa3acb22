"""A shopper cannot get in, or says that somebody else is in: a new password for whoever reads a verified contact."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F, Subquery

from accounts import audit, conf, limits
from accounts.errors import LinkDead
from accounts.flows import challenge as challenges
from accounts.flows import notifications, passwords
from accounts.identifiers import EMAIL, PHONE, Identifier
from accounts.models import TYPED_PURPOSES, Challenge, Pool, Purpose, User
from accounts.password_policy import validation
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor


def begin(
    identifier: Identifier, *, current: Challenge | None = None, visitor: Visitor
) -> Challenge:
    """Send a link by email or a code by text, or go on with `current` while that is on its way.

    Earlier ones for the same address die (REC-05), but for those that strangers must not end (LIM-12). For an address
    without an account, or one of staff or that was shut out, it costs and answers the same, and nothing leaves
    (ENU-03, REC-07). Raises TooOften, ChannelDown.
    """
    if current and current.recipient == identifier.key and challenges.needs_none(current):
        return current
    active = User.objects.shoppers(identifier).filter(is_active=True)
    pool = challenges.count_request(visitor, active.first())
    with transaction.atomic():
        # Locked first, as everywhere: of requests at once each ends the link of the one before.
        user = active.select_for_update(no_key=True).first()
        _cancel_earlier(identifier, pool)
        return challenges.issue(
            Purpose.RESET,
            (user and user.get_contact(identifier.kind)) or identifier,
            client=visitor.client,
            user_id=user.pk if user else None,
            pool=pool,
            also=limits.resets(identifier, pool),
        )


def exchange_code(challenge: Challenge, typed: str, *, client: ClientInfo) -> str:
    """Give the attempt's link token for its right code: from there both ways are one. Raises as `challenges.check`."""
    challenges.check(challenge, typed, client=client)
    return challenge.link_token


def find_link(token: str) -> Challenge:
    """Find the attempt that a token speaks of; changes nothing (REC-01). Raises LinkDead."""
    return _find(token, Purpose.RESET)


def set_password(token: str, password: str, *, client: ClientInfo) -> None:
    """Set the password, end every session and everything that waits, tell all contacts; sign nobody in (REC-06).

    Raises LinkDead, PasswordBreached, TooOften.
    """
    challenge = find_link(token)
    # Of this link alone: nobody else may use up what its holder needs (LIM-12).
    validation.refuse_breached(password, *limits.breach_checks(str(challenge.pk)))
    hashed = make_password(password)
    with transaction.atomic():
        user = _lock(challenge)
        if not challenge.mark_verified():
            raise LinkDead
        User.objects.filter(pk=user.pk).update(password=hashed)
        challenges.end_everything(user)
        audit.record("password_reset", client=client, identifier=challenge.identifier, user=user)
        notifications.notify(user, "password_reset", client=client, to=user.contacts)
        passwords.unlock(user)


def find_notice(token: str) -> Challenge:
    """Find the notice that a "this was not me" link came in; changes nothing. Raises LinkDead."""
    return _find(token, Purpose.NOT_ME)


def disown(token: str, *, client: ClientInfo) -> str:
    """Somebody else did it: end every session, the password, a deletion, a username and contacts since; start recovery.

    Returns the token with which this browser may choose a new password. Raises LinkDead.
    """
    notice = find_notice(token)
    nothing = make_password(None)
    try:
        with transaction.atomic():
            user = _lock(notice)
            if not notice.mark_verified():
                raise LinkDead
            challenges.end_everything(user)
            User.objects.filter(pk=user.pk).update(password=nothing, deletion_due_at=None)
            _restore_username(user, notice)
            _restore_contacts(user, notice, client)
            audit.record("disowned", client=client, identifier=notice.identifier, user=user)
            # Its link is handed to this browser and sent nowhere.
            recovery = Challenge.objects.create_link(
                Purpose.RESET,
                notice.identifier,
                user,
                life=conf.RESET_TTL,
                device=client.device,
                pool=Pool.OWNER,
                sends=0,
            )
            return recovery.link_token
    except IntegrityError:
        # The address has become somebody else's meanwhile: they verified it last.
        raise LinkDead from None


def _cancel_earlier(identifier: Identifier, pool: Pool) -> None:
    """End what was asked for before: in a trusted browser also elsewhere, elsewhere nothing of a trusted browser.

    What staff sent, and what "this was not me" began, was not asked for at this door: both send no code.
    """
    pools = [Pool.RETURN, *([Pool.OWNER] if pool == Pool.OWNER else [])]
    asked = Challenge.objects.filter(purpose=Purpose.RESET, pool__in=pools, sends__gt=0)
    asked.filter(recipient=identifier.key).cancel_open()


def _find(token: str, purpose: Purpose) -> Challenge:
    challenge = Challenge.objects.live().filter(purpose=purpose).find_by_token(token)
    if challenge is None or challenge.shopper is None:
        raise LinkDead
    return challenge


def _lock(challenge: Challenge) -> User:
    """The shopper of an attempt, locked before it. Raises LinkDead."""
    challenges.lock_user(challenge.user_id)
    user = challenge.shopper
    if user is None:
        raise LinkDead
    return user


def _restore_username(user: User, notice: Challenge) -> None:
    """Let the username stand again that was the user's when the notice was sent."""
    # Compared where both were written: SQLite keeps fewer digits of a moment than it is asked for.
    sent_at = Challenge.objects.filter(pk=notice.pk).values("created_at")
    since = user.former_usernames.filter(given_up_at__gte=Subquery(sent_at))
    first = since.order_by("given_up_at", "pk").first()
    if first:
        User.objects.filter(pk=user.pk).update(username=first.username)
        # What came after it was not the owner's: no other notice brings it back, and it is kept for nobody.
        since.delete()


def _restore_contacts(user: User, notice: Challenge, client: ClientInfo) -> None:
    """Let the contact the notice went to stand again; what was verified after it was sent goes, and is told."""
    verified_at = {EMAIL: user.email_verified_at, PHONE: user.phone_verified_at}
    newer = [
        contact
        for contact in user.contacts
        if contact.key != notice.recipient
        and (verified_at[contact.kind] or notice.created_at) >= notice.created_at
    ]
    # What went to the contact that goes gives no right to come back.
    user.challenges.filter(recipient__in=[contact.key for contact in newer]).cancel_all()
    notifications.notify(user, "disowned", client=client, to=newer, without_link=newer)
    columns: dict[str, object] = {"primary": notice.kind}
    for contact in newer:
        columns |= User.removed_columns(contact.kind)
    if notice.recipient not in [contact.key for contact in user.contacts]:
        # As verified when it was: another notice of the same event must not take it back, but an earlier one may.
        columns |= User.verified_columns(notice.identifier) | {
            f"{notice.kind}_verified_at": _verified_at(notice)
        }
        audit.record("contact_restored", client=client, identifier=notice.identifier, user=user)
    User.objects.filter(pk=user.pk).update(**columns)


def _verified_at(notice: Challenge) -> datetime | F:
    """When the contact of a notice was added to the account, or when the account began."""
    added = Challenge.objects.filter(
        user=notice.user_id,
        recipient=notice.recipient,
        purpose__in=TYPED_PURPOSES,
        verified_at__isnull=False,
    )
    return added.order_by("-verified_at").values_list("verified_at", flat=True).first() or F(
        "date_joined"
    )
