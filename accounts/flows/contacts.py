"""The ways to reach a shopper: each counts only once its own code has verified it (REG-04, REC-08)."""

from django.db import IntegrityError, transaction
from django.db.models import DateTimeField, Q, Subquery, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts import audit, conf, limits
from accounts.errors import CodeClosed, ContactKept
from accounts.flows import challenge as challenges
from accounts.flows import notifications
from accounts.flows.entry import RenewSession
from accounts.identifiers import EMAIL, PHONE, Identifier, fingerprints
from accounts.models import Challenge, Purpose, Session, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor

ALREADY = {
    EMAIL: _("That is your email address already."),
    PHONE: _("That is your mobile number already."),
}


def add(user: User, contact: Identifier, *, client: ClientInfo) -> Challenge:
    """Send a code to a new contact; until it is verified the older one of its kind stands.

    An earlier one that waits is dropped (REG-05). Costs and answers the same when the address is somebody
    else's: then its owner is told, and no code leaves (ENU-07). Raises ContactKept, TooOften, ChannelDown.
    """
    if contact.key in [own.key for own in user.contacts]:
        raise ContactKept(str(ALREADY[contact.kind]))
    with transaction.atomic():
        challenges.lock_shopper(user)
        user.challenges.filter(purpose=Purpose.CONTACT, kind=contact.kind).cancel_open()
        return challenges.issue(
            Purpose.CONTACT,
            contact,
            client=client,
            user_id=user.pk,
            also=limits.changes(str(user.pk)),
        )


def get_pending(user: User, pk: str | None) -> Challenge | None:
    """The contact `pk` of `user` that waits for its code, or None."""
    if pk is None:
        return None
    return user.challenges.live().with_read_at().filter(pk=pk, purpose=Purpose.CONTACT).first()


def confirm(
    user: User,
    challenge: Challenge,
    typed: str,
    *,
    session: Session,
    visitor: Visitor,
    renew_session: RenewSession,
) -> None:
    """Put the contact that the right code verifies in the place of the older one. Raises as `challenges.check`.

    The older one and the other one are told, and sessions that the older one may have opened end, all but
    `session`, which gets a new key; whatever else waits for the account is cancelled (REC-05).
    """
    challenges.check(challenge, typed, client=visitor.client)
    contact = challenge.identifier
    former = user.get_contact(contact.kind)
    what = "contact_changed" if former else "contact_added"
    try:
        with transaction.atomic():
            challenges.lock_shopper(user)
            # Before the change: what is verified after a notice can be taken back through it.
            _notify(user, what, former, session, visitor)
            User.objects.filter(pk=user.pk).update(**User.verified_columns(contact))
            challenges.use_up(challenge)
            user.challenges.cancel_open()
            audit.record(what, client=visitor.client, identifier=contact, user=user)
            renew_session()
    except IntegrityError:
        # Somebody else verified it first: the constraint decides.
        raise CodeClosed from None


def remove(user: User, kind: str, *, session: Session, visitor: Visitor) -> None:
    """Take a contact off the account, never the last one, and end all sessions but `session`.

    Raises ContactKept, TooOften.
    """
    contact = user.get_contact(kind)
    if contact is None:
        return
    with transaction.atomic():
        challenges.lock_shopper(user)
        limits.enforce(*limits.changes(str(user.pk)))
        if not User.objects.remove_contact(user.pk, kind):
            raise ContactKept
        user.challenges.cancel_open()
        audit.record("contact_removed", client=visitor.client, identifier=contact, user=user)
        _notify(user, "contact_removed", contact, session, visitor)


def make_primary(user: User, kind: str, *, client: ClientInfo) -> None:
    """Send messages to this contact from now on. Raises TooOften."""
    contact = user.get_contact(kind)
    if contact is None or user.primary == kind:
        return
    with transaction.atomic():
        challenges.lock_shopper(user)
        limits.enforce(*limits.changes(str(user.pk)))
        User.objects.filter(pk=user.pk, **{f"{kind}__isnull": False}).update(primary=kind)
        audit.record("primary_changed", client=client, identifier=contact, user=user)
        notifications.notify(user, "primary_changed", client=client, to=user.contacts)


def _notify(
    user: User, what: str, leaving: Identifier | None, session: Session, visitor: Visitor
) -> None:
    """Tell all contacts, and end every session but `session` if one of them leaves: it may have opened them."""
    gone = []
    if leaving is not None:
        user.sessions.exclude(pk=session.pk).delete()
        gone = [leaving] if _leaves_for_good(user, leaving, session, visitor) else []
    notifications.notify(user, what, client=visitor.client, to=user.contacts, without_link=gone)


def _leaves_for_good(user: User, leaving: Identifier, session: Session, visitor: Visitor) -> bool:
    """End the links by which a contact that leaves could come back; False when it keeps them.

    All of them when it is surely the owner who acts, those of earlier contacts, too: the contact that it once
    replaced may be the same thief's. After a password alone, which a thief may know, it comes back once: only those
    end that were sent since it last did.
    """
    stays = [contact.key for contact in user.contacts if contact.key != leaving.key]
    links = user.challenges.filter(purpose=Purpose.NOT_ME).exclude(recipient__in=stays)
    if not _is_surely_the_owner(user, leaving, session, visitor):
        verified_at = user.email_verified_at if leaving.kind == EMAIL else user.phone_verified_at
        prints = fingerprints(leaving.key)
        returns = user.events.filter(
            kind="contact_restored", fingerprint__in=prints, at__gte=verified_at
        )
        if not returns.exists():
            return False
        last = returns.order_by("-at").values("at")[:1]
        links = links.filter(recipient=leaving.key, created_at__gte=Subquery(last))
    links.cancel_all()
    return True


def _is_surely_the_owner(
    user: User, leaving: Identifier, session: Session, visitor: Visitor
) -> bool:
    """Whether more than a password opened `session`: a code to the contact that stays, or a trusted browser.

    Both must have been the owner's for longer than a thief would have gone unnoticed, who would bring their own.
    """
    long_ago = Now() - conf.NOT_ME_TTL
    since = Value(visitor.trusted_since(user), DateTimeField())
    owners = Q(trusted_since__lte=long_ago)
    stays = PHONE if leaving.kind == EMAIL else EMAIL
    if session.reauthenticated_by == stays:
        owners |= Q(**{f"{stays}_verified_at__lte": long_ago})
    return User.objects.filter(pk=user.pk).annotate(trusted_since=since).filter(owners).exists()
