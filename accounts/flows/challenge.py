"""What every journey shares: send a code, send it again, look at what was typed, use the attempt up."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from accounts import events, limits, policy
from accounts.errors import (
    ChannelDown,
    CodeClosed,
    CodeEarlier,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
    Refused,
    TooOften,
    TooSoon,
)
from accounts.flows import texts
from accounts.identifiers import EMAIL, PHONE, Identifier
from accounts.models import OF_STAFF, Challenge, Purpose, User
from accounts.origin import Origin
from messaging import outbox

NOBODY = UUID(int=0)

# How long the emailed link of an attempt works, where it is not LINK_TTL.
LINK_LIVES = {Purpose.RESET: policy.RESET_TTL}


def issue(
    purpose: Purpose,
    identifier: Identifier,
    *,
    origin: Origin,
    user_id: UUID | None = None,
    also: list[limits.Limit] | None = None,
    sends: int = 1,
) -> Challenge:
    """Begin an attempt at `identifier` and send its first code, all in one transaction.

    `also` are limits of the journey, taken with those of the recipient; `sends` is 0 where a link leaves and no
    code. Raises TooOften, ChannelDown.
    """
    if not outbox.can_send(channel(identifier), to_staff=purpose in OF_STAFF):
        raise ChannelDown(identifier.kind)
    with transaction.atomic():
        # Strangers fill the caps of a shopper's address, never those of staff (ABU-01).
        caps = limits.staff_messages if purpose in OF_STAFF else limits.messages
        limits.spend(*(also or []), *caps(identifier))
        challenge = Challenge.objects.create(
            purpose=purpose,
            kind=identifier.kind,
            recipient=identifier.key,
            address=identifier.address,
            user_id=user_id,
            device=origin.device,
            sends=sends,
            tries_left=policy.CODE_MAX_ATTEMPTS,
            expires_at=Now() + policy.CODE_TTL,
            link_expires_at=Now() + LINK_LIVES.get(purpose, policy.LINK_TTL),
        )
        _send(challenge, origin)
    return challenge


def resend(challenge: Challenge, *, origin: Origin) -> Challenge:
    """Send the next code: the older one dies, the tries stay spent (COD-09).

    An attempt out of tries is replaced by a new one, so that a shopper is never stuck (ux 37).
    Raises TooSoon, TooOften, ChannelDown, CodeClosed.
    """
    to = challenge.identifier
    if not outbox.can_send(channel(to), to_staff=challenge.is_of_staff):
        raise ChannelDown(to.kind)
    return challenge if _renew(challenge, origin) else _replace(challenge, origin)


def check(challenge: Challenge, typed: str, *, origin: Origin) -> None:
    """Look at one typed code. Returns when it is right; raises the refusal that tells the shopper what to do.

    Not atomic on purpose: the try is counted, and committed, before the code is looked at, so that no
    refusal can take the count back (COD-06).
    """
    if not challenge.spend_try():
        raise _why_closed(challenge, typed, origin)
    guesses = limits.staff_guesses if challenge.purpose in OF_STAFF else limits.guesses
    limits.spend(*guesses(challenge.identifier))
    if not challenge.accepts(typed):
        raise _wrong(challenge, typed, origin)


def use_up(challenge: Challenge, *, user_id: UUID | None = None) -> None:
    """End the attempt, now of `user_id`, and every other one at the same identifier.

    Raises CodeClosed when somebody was first.
    """
    if not challenge.prove(user_id):
        raise CodeClosed
    challenge.close_others()
    if challenge.kind == PHONE and not challenge.is_of_staff:
        texts.came_back(challenge.identifier)


def channel(identifier: Identifier) -> str:
    """Name the messaging channel that reaches `identifier`."""
    return outbox.EMAIL if identifier.kind == EMAIL else outbox.SMS


def stand_in_line(user_id: UUID | None) -> None:
    """Lock the user before any of their challenges, as everybody does; else two would wait in a circle.

    For nobody it asks, too: a stranger who counts statements or time must not learn who has an account (ENU-02).
    """
    User.objects.select_for_update(no_key=True).filter(pk=user_id or NOBODY).values_list(
        "pk"
    ).first()


def _send(challenge: Challenge, origin: Origin) -> None:
    identifier = challenge.identifier
    # Whoever stopped texts must be able to come in and start them again.
    if challenge.kind == PHONE and not challenge.is_of_staff:
        texts.spend(identifier, is_real=not challenge.is_decoy)
    by_link = challenge.is_by_link
    outbox.queue(
        "reset" if by_link else "code",
        ref=f"{challenge.pk}:{challenge.sends}",
        channel=channel(identifier),
        address=identifier.address,
        lifetime=policy.RESET_TTL if by_link else policy.CODE_TTL,
    )
    events.record("code_sent", origin=origin, identifier=identifier, user_id=challenge.user_id)


def _renew(challenge: Challenge, origin: Origin) -> bool:
    """Send the next code of this attempt, or return False when it is not its time."""
    with transaction.atomic():
        stand_in_line(challenge.user_id)
        if not challenge.renew():
            return False
        to = challenge.identifier
        shared = [*limits.resends(to), *limits.messages(to)]
        limits.spend(*(limits.staff_messages(to) if challenge.is_of_staff else shared))
        challenge.refresh_from_db(fields=["sends", "sent_at", "expires_at"])
        _send(challenge, origin)
    return True


def _replace(challenge: Challenge, origin: Origin) -> Challenge:
    """Start over for an attempt that cannot be renewed, if it is because its tries are used up."""
    if not challenge.reload() or challenge.proved_at or challenge.closed_at:
        raise CodeClosed
    if challenge.tries_left:
        raise TooSoon(challenge.resend_at)
    with transaction.atomic():
        stand_in_line(challenge.user_id)
        if not challenge.close():
            raise CodeClosed
        return issue(
            Purpose(challenge.purpose),
            challenge.identifier,
            origin=origin,
            user_id=challenge.user_id,
            also=[] if challenge.is_of_staff else limits.resends(challenge.identifier),
        )


def _why_closed(challenge: Challenge, typed: str, origin: Origin) -> Refused:
    """Say why a code could not even be tried, from the state of its row."""
    row = Challenge.objects.filter(pk=challenge.pk).first()
    if row is None:
        return CodeClosed()
    if row.proved_at or row.closed_at:
        if row.accepts(typed):
            events.record(
                "code_replay", origin=origin, identifier=row.identifier, user_id=row.user_id
            )
        return CodeClosed()
    if not row.tries_left:
        return CodeUsedUp()
    return CodeExpired(renewed=_renewed(row, origin))


def _renewed(challenge: Challenge, origin: Origin) -> bool:
    """Whether a new code could be sent in place of an expired one (ux 36)."""
    try:
        # Not resend(): that may begin a new attempt, which this browser would know nothing of.
        renewed = _renew(challenge, origin)
    except (TooOften, ChannelDown):
        return False
    # A second click on the same code finds that the first one has renewed it already.
    return renewed or Challenge.objects.open().filter(pk=challenge.pk).exists()


def _wrong(challenge: Challenge, typed: str, origin: Origin) -> Refused:
    """Record a try that missed and word the answer."""
    challenge.reload()
    kinds = ["code_wrong"] if challenge.tries_left else ["code_wrong", "code_used_up"]
    events.record(*kinds, origin=origin, identifier=challenge.identifier, user_id=challenge.user_id)
    if not challenge.tries_left:
        return CodeUsedUp()
    if challenge.recalls(typed):
        return CodeEarlier(challenge.sent_at)
    return CodeWrong(challenge.tries_left)
