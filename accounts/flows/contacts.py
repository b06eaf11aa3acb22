"""A second way to reach a shopper: it counts only once its own code has proven it (REG-04)."""

from django.db import IntegrityError, transaction

from accounts import events
from accounts.errors import CodeClosed
from accounts.flows import challenge as challenges
from accounts.models import Challenge, Purpose, User
from accounts.origin import Origin


def waiting(user: User) -> Challenge | None:
    """The newest contact of `user` that waits for its code, or None."""
    return user.challenges.live().filter(purpose=Purpose.CONTACT).order_by("-created_at").first()


def confirm(user: User, challenge: Challenge, typed: str, *, origin: Origin) -> None:
    """Add the contact that the right code proves. Raises the refusals of `challenge.check`."""
    challenges.check(challenge, typed, origin=origin)
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(**User.proven(challenge.identifier))
            challenges.use_up(challenge)
            events.record(
                "contact_added", origin=origin, identifier=challenge.identifier, user=user
            )
    except IntegrityError:
        # Somebody else proved it first: the constraint decides.
        raise CodeClosed from None
