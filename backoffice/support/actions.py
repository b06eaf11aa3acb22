"""Staff help a shopper: each support action is one transaction with an event and an entry in the log of staff.

Nobody chooses a password, a code or an address for somebody else (ADM-06).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts import audit, conf, limits, refusals
from accounts.errors import Refused, TooOften
from accounts.flows import challenge as challenges
from accounts.flows import notifications, passwords
from accounts.identifiers import Identifier
from accounts.models import Challenge, Pool, Purpose, SecurityEvent, User
from accounts.sessions.client import ClientInfo
from backoffice import staff_auth
from ratelimits.engine import Limit, full_until, reset

MAX_LOCKS = 1000
# For whom a cap may be full: whoever comes from elsewhere finds it full first.
CAP_POOLS = (Pool.RETURN, Pool.OWNER)
# What was asked for makes no sense for this account as it is now.
CHANGED = _("The account has changed meanwhile. Look at it again.")


def send_recovery(user: User, kind: str, *, by: User, client: ClientInfo) -> None:
    """Send the link for a new password to the user's own contact of `kind`. Raises TooOften, ChannelDown, Refused.

    Earlier ones die (REC-05). No session of staff holds the attempt, so nobody else can go on with it; by text, too,
    a link is sent, for a code works in no browser but the one that asked for it.
    """
    with transaction.atomic():
        # Not to colleagues: one mailbox must not be both steps of their sign-in (ADM-04).
        user = _lock_user(user, is_active=True, is_staff=False)
        contact = user.get_contact(kind)
        if contact is None:
            raise Refused(str(CHANGED))
        Challenge.objects.filter(recipient=contact.key, purpose=Purpose.RESET).cancel_open()
        challenges.issue(
            Purpose.RESET,
            contact,
            # Not the browser of staff: the message would name it as the shopper's.
            client=ClientInfo(),
            user_id=user.pk,
            # Strangers must not use up what support needs to help (LIM-12).
            pool=Pool.OWNER,
            also=limits.resets(contact, Pool.OWNER),
            sends=0,
        )
        _record("staff_recovery_sent", "Recovery message sent.", user, by, client)


def end_sessions(user: User, *, by: User, client: ClientInfo) -> None:
    """Sign the user out everywhere and end what waits, the links of notices too. Raises Refused."""
    with transaction.atomic():
        user = _lock_user(user)
        challenges.end_everything(user, with_notices=True)
        _record("staff_ended_sessions", "Sessions ended.", user, by, client)


def lift_lock(user: User, *, by: User, client: ClientInfo) -> None:
    """Lift the password's lock and every full cap, under each of the user's names. Raises Refused."""
    with transaction.atomic():
        user = _lock_user(user)
        passwords.unlock(user)
        reset(*password_limits(user), *_caps(user))
        _record(
            "staff_lifted_lock", "Lock of the password and full limits lifted.", user, by, client
        )


def remove_contact(user: User, kind: str, *, by: User, client: ClientInfo) -> None:
    """Take a contact off that is not the user's any more, and end all ways back of its holder. Raises Refused.

    Never the last one. Both contacts are told; the one that goes gets no link.
    """
    with transaction.atomic():
        user = _lock_user(user)
        contact = user.get_contact(kind)
        if contact is None or not User.objects.remove_contact(user.pk, kind):
            raise Refused(str(CHANGED))
        challenges.end_everything(user, with_notices=True)
        # Not the browser of staff: the message would name it as the shopper's.
        notifications.notify(
            user, "contact_removed", client=ClientInfo(), to=user.contacts, without_link=[contact]
        )
        # For the trail of former contacts, which erasure follows.
        audit.record("contact_removed", client=ClientInfo(ip=""), identifier=contact, user=user)
        _record("staff_removed_contact", "Contact removed.", user, by, client)


def deactivate(user: User, *, by: User, client: ClientInfo) -> None:
    """Shut the account: nobody gets in, and nothing is sent. Raises Refused."""
    with transaction.atomic():
        user = _lock_user(user, is_active=True)
        User.objects.filter(pk=user.pk).update(is_active=False)
        challenges.end_everything(user, with_notices=True)
        _record("staff_deactivated", "Deactivated.", user, by, client)


def reactivate(user: User, *, by: User, client: ClientInfo) -> None:
    """Open the account again. Raises Refused."""
    with transaction.atomic():
        user = _lock_user(user, is_active=False)
        User.objects.filter(pk=user.pk).update(is_active=True)
        _record("staff_reactivated", "Activated again.", user, by, client)


def record_lookup(identifier: Identifier, *, by: User, client: ClientInfo) -> None:
    """Record that a member of staff looks an address up, before it is looked up. Raises TooOften."""
    try:
        limits.enforce(*limits.staff_lookups(str(by.pk)))
    except TooOften:
        refusals.record("limit_hit", client=client, identifier=identifier, user=by)
        raise
    audit.record("staff_looked_up", client=client, identifier=identifier, user=by)


def full_limits(user: User) -> dict[Limit, datetime]:
    """What stands in the way of a user, and until when, in one query (LIM-12)."""
    return full_until([*password_limits(user), *_caps(user)])


def password_limits(user: User) -> list[Limit]:
    """Return the limits that may keep a password of the user from being looked at."""
    browsers = staff_auth.tries_of_browsers if user.is_staff else passwords.tries_of_browsers
    return [*lock_limits(user), *browsers(user)]


def lock_limits(user: User) -> list[Limit]:
    """Return the limits that lock the password: on the staff pages for who works there."""
    if user.is_staff:
        return limits.staff_logins_by_name(user.username or "")
    return [limits.passwords_by_account(str(user.pk))]


def locked_until(users: Iterable[User]) -> dict[User, datetime]:
    """Return the users whose password is locked, and until when, in one query."""
    by_limit = {limit: user for user in users for limit in lock_limits(user)}
    full = full_until(by_limit)
    return {by_limit[limit]: full[limit] for limit in sorted(full, key=full.__getitem__)}


def locked_user_ids() -> list[UUID]:
    """Return the ids of users whose password is locked now, from the newest MAX_LOCKS locks."""
    since = Now() - timedelta(seconds=conf.LOGIN_FAILURES.seconds)
    locks = SecurityEvent.objects.filter(kind="password_locked", user__isnull=False, at__gt=since)
    newest = locks.order_by("-at").values_list("user_id", flat=True)[:MAX_LOCKS]
    by_limit = {limits.passwords_by_account(str(pk)): pk for pk in newest}
    # Of staff there are few, and no event of theirs says that the last try is gone.
    staff = locked_until(User.objects.filter(is_staff=True))
    return [*(by_limit[limit] for limit in full_until(by_limit)), *(user.pk for user in staff)]


def _caps(user: User) -> list[Limit]:
    """All that can be full for one user, as it stands in the way of others and of the owner."""
    if user.is_staff:
        return [limit for to in user.contacts for limit in _staff_codes(to)]
    return [
        *limits.sign_ins(str(user.pk)),
        *(limit for to in user.contacts for pool in CAP_POOLS for limit in limits.caps(to, pool)),
    ]


def _staff_codes(to: Identifier) -> list[Limit]:
    return [*limits.messages(to, Pool.STAFF), *limits.guesses(to, Pool.STAFF)]


def _lock_user(user: User, **still: bool) -> User:
    """Return the row as it is now, locked before any of its challenges. Raises Refused where it is `still` not so."""
    found = User.objects.select_for_update(no_key=True).filter(pk=user.pk, **still).first()
    if found is None:
        raise Refused(str(CHANGED))
    return found


def _record(kind: str, words: str, user: User, by: User, client: ClientInfo) -> None:
    """Record what happened in the account's trail, and who did it from where in the audit and the log of staff."""
    audit.record(kind, client=ClientInfo(ip=""), user=user, by=by)
    audit.record("staff_acted", client=client, user=by, about=f"user {user.pk}")
    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(user.pk),
        object_repr=str(user)[:200],
        action_flag=CHANGE,
        change_message=words,
    )
