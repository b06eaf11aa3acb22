"""The ways to reach a shopper: each counts only once its own code has proven it (REG-04, REC-08)."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts import events, limits
from accounts.errors import CodeClosed, ContactKept
from accounts.flows import challenge as challenges
from accounts.flows import notices
from accounts.identifiers import EMAIL, PHONE, Identifier
from accounts.models import Challenge, Purpose, User
from accounts.origin import Origin

ALREADY = {
    EMAIL: _("That is your email address already."),
    PHONE: _("That is your mobile number already."),
}


def add(user: User, contact: Identifier, *, origin: Origin) -> Challenge:
    """Send a code to a new contact; until it is proven the older one of its kind stands.

    An earlier one that waits is dropped (REG-05). Costs and answers the same when the address is somebody
    else's: then its owner is told, and no code leaves (ENU-07). Raises ContactKept, TooOften, ChannelDown.
    """
    if contact.key in [own.key for own in user.contacts]:
        raise ContactKept(str(ALREADY[contact.kind]))
    with transaction.atomic():
        challenges.stand_in_line(user.pk)
        user.challenges.filter(purpose=Purpose.CONTACT, kind=contact.kind).withdraw()
        return challenges.issue(
            Purpose.CONTACT,
            contact,
            origin=origin,
            user_id=user.pk,
            also=limits.changes(str(user.pk)),
        )


def waiting(user: User, pk: str | None) -> Challenge | None:
    """The contact `pk` of `user` that waits for its code, or None."""
    if pk is None:
        return None
    return user.challenges.live().filter(pk=pk, purpose=Purpose.CONTACT).first()


def confirm(user: User, challenge: Challenge, typed: str, *, origin: Origin) -> None:
    """Put the contact that the right code proves in the place of the older one. Raises as `challenges.check`.

    The older one and the other one are told; whatever else waits for the account is withdrawn (REC-05).
    """
    challenges.check(challenge, typed, origin=origin)
    contact = challenge.identifier
    what = "contact_changed" if user.contact(contact.kind) else "contact_added"
    try:
        with transaction.atomic():
            challenges.stand_in_line(user.pk)
            # Before the change: what is proven after a notice can be taken back through it.
            notices.tell(user, what, origin=origin, to=user.contacts)
            User.objects.filter(pk=user.pk).update(**User.proven(contact))
            challenges.use_up(challenge)
            user.challenges.withdraw()
            events.record(what, origin=origin, identifier=contact, user=user)
    except IntegrityError:
        # Somebody else proved it first: the constraint decides.
        raise CodeClosed from None


def remove(user: User, kind: str, *, origin: Origin) -> None:
    """Take a contact off the account, never the last one. Raises ContactKept, TooOften."""
    contact, other = user.contact(kind), PHONE if kind == EMAIL else EMAIL
    if contact is None:
        return
    with transaction.atomic():
        challenges.stand_in_line(user.pk)
        limits.spend(*limits.changes(str(user.pk)))
        having_other = User.objects.filter(pk=user.pk, **{f"{other}__isnull": False})
        if not having_other.update(primary=other, **User.without(kind)):
            raise ContactKept
        user.challenges.withdraw()
        events.record("contact_removed", origin=origin, identifier=contact, user=user)
        notices.tell(user, "contact_removed", origin=origin, to=user.contacts)


def make_primary(user: User, kind: str, *, origin: Origin) -> None:
    """Send messages to this contact from now on. Raises TooOften."""
    contact = user.contact(kind)
    if contact is None or user.primary == kind:
        return
    with transaction.atomic():
        challenges.stand_in_line(user.pk)
        limits.spend(*limits.changes(str(user.pk)))
        User.objects.filter(pk=user.pk, **{f"{kind}__isnull": False}).update(primary=kind)
        events.record("primary_changed", origin=origin, identifier=contact, user=user)
        notices.tell(user, "primary_changed", origin=origin, to=user.contacts)
