"""Telling the owner what happened to the account, with a way to say "this was not me"."""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models.functions import Now

from accounts import policy
from accounts.flows import challenge as challenges
from accounts.identifiers import Identifier
from accounts.models import Challenge, Purpose, User
from accounts.origin import Origin
from messaging import outbox


def tell(
    user: User,
    what: str,
    *,
    origin: Origin,
    to: Iterable[Identifier],
    life: timedelta = policy.NOT_ME_TTL,
) -> None:
    """Queue the notice `what` for each of `to`, in the caller's transaction.

    Each carries a link of its own, which ends all sessions and starts recovery for whoever reads that mailbox
    while the link has `life`. Staff get none: a mailbox must not open the staff pages (ADM-04).
    """
    life = timedelta() if user.is_staff else life
    for contact in to:
        link = Challenge.objects.create(
            purpose=Purpose.NOT_ME,
            kind=contact.kind,
            recipient=contact.key,
            address=contact.address,
            user=user,
            device=origin.device,
            tries_left=0,
            expires_at=Now(),
            link_expires_at=Now() + life,
        )
        outbox.queue(
            "notice",
            ref=f"{link.pk}:{what}",
            channel=challenges.channel(contact),
            address=contact.address,
            lifetime=policy.NOT_ME_TTL,
        )


def primary(user: User) -> list[Identifier]:
    """The one contact that messages go to, if there is any."""
    return user.contacts[:1]
