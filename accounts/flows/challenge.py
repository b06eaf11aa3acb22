"""What every journey shares: send a code, send it again, look at what was typed, use the attempt up."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import audit, conf, limits, refusals
from accounts.errors import (
    ChannelDown,
    CodeClosed,
    CodeEarlier,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
    Refused,
    SignedOut,
    TooOften,
    TooSoon,
)
from accounts.flows import sms_budget
from accounts.identifiers import EMAIL, PHONE, Identifier
from accounts.models import POOL_BY_PURPOSE, Challenge, Pool, Purpose, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from messaging.outbox import api as outbox
from ratelimits.engine import Limit

NO_USER_ID = UUID(int=0)

# How long the emailed link of an attempt works, where it is not LINK_TTL.
LINK_LIVES = {Purpose.RESET: conf.RESET_TTL}


def issue(
    purpose: Purpose,
    identifier: Identifier,
    *,
    client: ClientInfo,
    user_id: UUID | None = None,
    pool: Pool | None = None,
    is_private: bool = False,
    also: list[Limit] | None = None,
    sends: int = 1,
) -> Challenge:
    """Begin an attempt at `identifier` and send its first code, all in one transaction.

    `pool` says who asks where the purpose alone does not, `is_private` that the browser must not learn whether there
    is an account; `also` are limits of the journey, taken with those of the recipient; `sends` is 0 where a link
    leaves and no code. Raises TooOften, ChannelDown.
    """
    pool = pool or POOL_BY_PURPOSE[purpose]
    with transaction.atomic():
        limits.enforce(*(also or []), *limits.messages(identifier, pool))
        challenge = Challenge.objects.begin(
            purpose=purpose,
            kind=identifier.kind,
            recipient=identifier.key,
            address=identifier.address,
            user_id=user_id,
            device=client.device,
            pool=pool,
            is_private=is_private,
            space=client.space,
            sends=sends,
            tries_left=conf.CODE_MAX_ATTEMPTS,
            life=conf.CODE_TTL,
            link_life=LINK_LIVES.get(purpose, conf.LINK_TTL),
        )
        _send(challenge, client)
    return challenge


def resend(challenge: Challenge, *, client: ClientInfo) -> Challenge:
    """Send the next code: the older one dies, the tries stay spent (COD-09).

    An attempt out of tries is replaced by a new one, so that a shopper is never stuck (ux 37).
    Raises TooSoon, TooOften, ChannelDown, CodeClosed.
    """
    return challenge if _renew(challenge, client) else _replace(challenge, client)


def check(challenge: Challenge, typed: str, *, client: ClientInfo) -> None:
    """Look at one typed code. Returns when it is right; raises the refusal that tells the shopper what to do.

    A wrong code is counted, and that is committed, before anything is said of it, so that no refusal can take the
    count back (COD-06). A right one leaves no count: of many clicks with it none is told that the tries are used up
    (COD-11).
    """
    with transaction.atomic(durable=True):
        # Until the end of this block, other requests with the same attempt wait here.
        refusal = _look(challenge, typed)
        transaction.set_rollback(refusal is None)
    if refusal is CodeClosed:
        raise _why_closed(challenge, typed, client)
    if refusal is CodeWrong:
        raise _wrong(challenge, typed, client)
    if isinstance(refusal, TooOften):
        raise refusal


def needs_none(current: Challenge) -> bool:
    """Whether the code of `current` is on its way, so that none need be sent for the same.

    Raises TooSoon where its tries are used up and the cool-down after it lasts: a new beginning skips none (COD-09).
    """
    if not current.is_cooling:
        return False
    if not current.tries_left:
        raise TooSoon(current.resend_at, asked_at=current.read_at)
    return True


def use_up(challenge: Challenge, *, user_id: UUID | None = None) -> None:
    """End the attempt, now of `user_id`, and every other one at the same identifier.

    Raises CodeClosed when somebody was first.
    """
    if not challenge.mark_verified(user_id):
        raise CodeClosed
    challenge.cancel_others()
    if challenge.kind == PHONE:
        sms_budget.record_verified(challenge.identifier, Pool(challenge.pool))


def message_channel(kind: str) -> str:
    """Name the channel of messages to identifiers of this `kind`, or "" for a username, which nothing reaches."""
    return {EMAIL: outbox.EMAIL, PHONE: outbox.SMS}.get(kind, "")


def count_request(visitor: Visitor, user: User | None) -> Pool:
    """Count a request for a code to come back, before anything else; returns who asks. Raises TooOften.

    A browser that the account of `user` trusts has requests of its own, any other those of its household (LIM-04
    before LIM-05). No stranger has the cookie of somebody else's account, so it tells them nothing (LIM-12, ABU-08).
    """
    browser = visitor.trusted_browser_id(user)
    if browser:
        limits.enforce_durably(*limits.code_requests_by_browser(browser))
        return Pool.OWNER
    limits.enforce_durably(*limits.code_requests(visitor.client))
    return Pool.RETURN


def lock_user(user_id: UUID | None) -> None:
    """Lock the user before any of their challenges, as everybody does; else two would wait in a circle.

    For nobody it asks, too: a stranger who counts statements or time must not learn who has an account (ENU-02).
    """
    User.objects.select_for_update(no_key=True).filter(pk=user_id or NO_USER_ID).values_list(
        "pk"
    ).first()


def lock_shopper(user: User) -> None:
    """Lock the user as `lock_user` does, for a change of their own account.

    Raises SignedOut for whoever was promoted, shut out or erased since the request came in.
    """
    still = User.objects.shoppers().filter(pk=user.pk, is_active=True)
    if not still.select_for_update(no_key=True).values_list("pk").first():
        raise SignedOut


def end_everything(user: User, *, with_notices: bool = False) -> None:
    """End all sessions of `user` and all attempts at the account and its contacts, whoever began them (REG-05, REC-06).

    The links of notices go on working unless it is `with_notices`, and those of other people always do: an address
    that was theirs before must not take their way back along.
    """
    user.sessions.all().delete()
    contacts = [contact.key for contact in user.contacts]
    Challenge.objects.filter(Q(user=user) | Q(recipient__in=contacts)).cancel_open()
    if with_notices:
        user.challenges.cancel_all()


def _send(challenge: Challenge, client: ClientInfo) -> None:
    identifier, to_staff = challenge.identifier, challenge.pool == Pool.STAFF
    # Whoever stopped a channel, or texts, must be able to come in and start them again.
    if not outbox.can_send(message_channel(identifier.kind), to_staff=to_staff):
        raise ChannelDown(identifier.kind)
    if challenge.kind == PHONE and not to_staff:
        sms_budget.spend(identifier, Pool(challenge.pool))
    link_only = challenge.is_link_only
    outbox.queue(
        "reset" if link_only else "code",
        about_id=challenge.pk,
        part=str(challenge.sends),
        channel=message_channel(identifier.kind),
        address=identifier.address,
        lifetime=conf.RESET_TTL if link_only else conf.CODE_TTL,
    )
    audit.record("code_sent", client=client, identifier=identifier, user_id=challenge.user_id)


def _renew(challenge: Challenge, client: ClientInfo) -> bool:
    """Send the next code of this attempt, or return False when it is not its time."""
    with transaction.atomic():
        lock_user(challenge.user_id)
        if not challenge.renew():
            return False
        identifier, pool = challenge.identifier, Pool(challenge.pool)
        limits.enforce(*limits.resends(identifier, pool), *limits.messages(identifier, pool))
        challenge.refresh_from_db(fields=["sends", "sent_at", "expires_at"])
        _send(challenge, client)
    return True


def _look(challenge: Challenge, typed: str) -> type[Refused] | TooOften | None:
    """Count one guess, then look at it. None when it is right; else what it is to be refused as."""
    if not challenge.spend_try():
        return CodeClosed
    try:
        limits.enforce(*limits.guesses(challenge.identifier, Pool(challenge.pool)))
    except TooOften as refusal:
        return refusal
    return None if challenge.is_current_code(typed) else CodeWrong


def _replace(challenge: Challenge, client: ClientInfo) -> Challenge:
    """Start over for an attempt that cannot be renewed, if it is because its tries are used up; not before its time."""
    pool = Pool(challenge.pool)
    with transaction.atomic():
        lock_user(challenge.user_id)
        if not challenge.cancel_used_up():
            raise _why_not_yet(challenge)
        return issue(
            Purpose(challenge.purpose),
            challenge.identifier,
            client=client,
            user_id=challenge.user_id,
            pool=pool,
            is_private=challenge.is_private,
            also=limits.resends(challenge.identifier, pool),
        )


def _why_not_yet(challenge: Challenge) -> Refused:
    """Say why no code could be sent again, from the state of the row."""
    if not challenge.reload() or challenge.verified_at or challenge.cancelled_at:
        return CodeClosed()
    return TooSoon(challenge.resend_at, asked_at=challenge.read_at)


def _why_closed(challenge: Challenge, typed: str, client: ClientInfo) -> Refused:
    """Say why a code could not even be tried, from the state of its row."""
    row = Challenge.objects.filter(pk=challenge.pk).first()
    if row is None:
        return CodeClosed()
    if row.verified_at or row.cancelled_at:
        if row.is_current_code(typed):
            _record_replay(row, client)
        return CodeClosed()
    if not row.tries_left:
        return CodeUsedUp()
    return CodeExpired(renewed=_renewed(row, client))


def _record_replay(challenge: Challenge, client: ClientInfo) -> None:
    """Count that a used code was typed again; the first times are events of their own (LOG-01)."""
    refusals.count("code_replay", challenge.identifier, space=client.space)
    if challenge.count_replay():
        audit.record(
            "code_replay", client=client, identifier=challenge.identifier, user_id=challenge.user_id
        )


def _renewed(challenge: Challenge, client: ClientInfo) -> bool:
    """Whether a new code could be sent in place of an expired one (ux 36)."""
    try:
        # Not resend(): that may begin a new attempt, which this browser would know nothing of.
        renewed = _renew(challenge, client)
    except (TooOften, ChannelDown):
        return False
    # A second click on the same code finds that the first one has renewed it already.
    return renewed or Challenge.objects.open().filter(pk=challenge.pk).exists()


def _wrong(challenge: Challenge, typed: str, client: ClientInfo) -> Refused:
    """Record a try that missed and word the answer."""
    challenge.reload()
    kinds = ["code_wrong"] if challenge.tries_left else ["code_wrong", "code_used_up"]
    audit.record(*kinds, client=client, identifier=challenge.identifier, user_id=challenge.user_id)
    if not challenge.tries_left:
        return CodeUsedUp()
    if challenge.is_earlier_code(typed):
        return CodeEarlier(challenge.sent_at)
    return CodeWrong(challenge.tries_left)
