"""A shopper leaves: asked for, waited for, then erased from every table but keyed hashes in the audit."""

from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts import events, policy
from accounts.flows import notices
from accounts.identifiers import fingerprint
from accounts.models import Challenge, SecurityEvent, Session, User
from accounts.origin import Origin
from messaging import outbox

BATCH = 100
# What only the owner of an identifier makes happen.
OWNED = "registered signed_in contact_added contact_changed contact_removed".split()


def ask(user: User, *, origin: Origin) -> None:
    """Plan the end of the account and sign out everywhere. Signing in before then undoes it."""
    with transaction.atomic():
        due = Now() + policy.DELETION_GRACE
        if not User.objects.filter(pk=user.pk, deletion_due_at=None).update(deletion_due_at=due):
            return
        user.sessions.all().delete()
        user.challenges.withdraw()
        events.record("deletion_asked", origin=origin, user=user)
        notices.tell(user, "deletion_asked", origin=origin, to=user.contacts)
    user.refresh_from_db(fields=["deletion_due_at"])


def erase_due() -> int:
    """Erase every account whose grace is over, each in a transaction of its own. Returns how many."""
    return sum(_erase(pk) for pk in _due().values_list("pk", flat=True)[:BATCH])


def _due() -> QuerySet[User]:
    """Never staff: who works here leaves the staff first."""
    return User.objects.shoppers().filter(deletion_due_at__lte=Now())


def _erase(pk: UUID) -> bool:
    with transaction.atomic():
        # Locked and asked again: whoever signs in at this moment keeps the account.
        user = _due().select_for_update().filter(pk=pk).first()
        if user is None:
            return False
        _forget_traces(user)
        user.delete()
    return True


def _forget_traces(user: User) -> None:
    """Take the person out of rows that outlive the account; what stays is a kind, a time and a keyed hash."""
    keys = {contact.key for contact in user.contacts}
    theirs = Challenge.objects.filter(Q(user=user) | Q(user=None, recipient__in=keys))
    sent = {str(pk): address for pk, address in theirs.values_list("pk", "address")}
    outbox.forget(sent.values(), about=sent)
    keys |= {*theirs.filter(proved_at__isnull=False).values_list("recipient", flat=True)}
    # Former contacts, too: the trail knows them for longer than the attempts do.
    named = (
        user.events.filter(kind__in=OWNED)
        .exclude(fingerprint="")
        .values_list("fingerprint", flat=True)
    )
    prints = {*map(fingerprint, keys), *named}
    # Before the rows forget, so that this one does, too.
    events.record("erased", origin=Origin(), identifier=user.contacts[0] if keys else None)
    seen = SecurityEvent.objects.filter(Q(user=user) | Q(user=None, fingerprint__in=prints))
    seen.update(country="", ip=None, agent="")
    SecurityEvent.objects.filter(about=f"user {user.pk}").update(about="")
    # Browsers that asked for a code and never came back.
    Session.objects.filter(challenge__in=theirs).delete()
    theirs.delete()
    LogEntry.objects.filter(object_id=str(user.pk)).delete()
