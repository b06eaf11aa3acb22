"""A shopper leaves: asked for, waited for, then erased from every table but keyed hashes in the audit."""

from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Now

from accounts import audit, conf, limits
from accounts.flows import notifications
from accounts.identifiers import fingerprints
from accounts.models import TYPED_PURPOSES, Challenge, SecurityEvent, Session, User
from accounts.sessions.client import ClientInfo
from messaging.outbox import api as outbox

BATCH = 100
# What only the owner of an identifier makes happen.
OWNED = (
    "registered signed_in reauthenticated contact_added contact_changed contact_removed primary_changed password_reset "
    "disowned staff_signed_in staff_contact_set"
).split()


def request_deletion(user: User, *, client: ClientInfo) -> None:
    """Plan the end of the account and sign out everywhere. Signing in before then undoes it. Raises TooOften."""
    with transaction.atomic():
        due = Now() + conf.DELETION_GRACE
        account = User.objects.shoppers().filter(pk=user.pk, is_active=True)
        if not account.filter(deletion_due_at=None).update(deletion_due_at=due):
            return
        limits.enforce(*limits.changes(str(user.pk)))
        user.sessions.all().delete()
        user.challenges.cancel_open()
        audit.record("deletion_asked", client=client, user=user)
        notifications.notify(user, "deletion_asked", client=client, to=user.contacts)
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
        _erase_traces(user)
        user.delete()
    return True


def _erase_traces(user: User) -> None:
    """Take the person out of rows that outlive the account; what stays is a kind, a time and a keyed hash."""
    prints = _prints(user)
    attempts = _attempts(user, prints)
    outbox.erase(attempts)
    # Before the rows forget, so that this one does, too.
    contact = next(iter(user.contacts), None)
    audit.record("erased", client=ClientInfo(), identifier=contact)
    seen = SecurityEvent.objects.filter(Q(user=user) | Q(user=None, fingerprint__in=prints))
    seen.update(country="", ip=None, agent="")
    browsers = Q(user=user, about__startswith=audit.BROWSER)
    SecurityEvent.objects.filter(browsers | Q(about=f"user {user.pk}")).update(about="")
    # Browsers that asked for a code and never came back.
    Session.objects.filter(Q(challenge__in=attempts) | Q(pk__in=_other_sessions(attempts))).delete()
    Challenge.objects.filter(pk__in=attempts).delete()
    LogEntry.objects.filter(object_id=str(user.pk)).delete()


def _prints(user: User) -> set[str]:
    """Keyed hashes of every name and contact that was the account's, but for what another account verified since."""
    # A code for a new contact goes to whatever was typed; all others went to contacts of the account.
    typed = Q(purpose__in=TYPED_PURPOSES, verified_at=None)
    sent_to = user.challenges.exclude(typed).values_list("recipient", flat=True).distinct()
    keys = {*sent_to, *(contact.key for contact in user.contacts)}
    verified = SecurityEvent.objects.filter(kind__in=OWNED).exclude(fingerprint="")
    # The trail knows former contacts for longer than the attempts do.
    named = verified.filter(user=user).values_list("fingerprint", flat=True).distinct()
    prints = {*named, *(each for key in keys for each in fingerprints(key))}
    # Worked out in the database: an account may have come in many thousand times.
    newest = {"mine": Max("at", filter=Q(user=user)), "others": Max("at", filter=~Q(user=user))}
    owned = verified.filter(user__isnull=False, fingerprint__in=prints).values("fingerprint")
    lost = owned.annotate(**newest).filter(Q(mine=None) | Q(others__gte=F("mine")))
    return prints.difference(lost.values_list("fingerprint", flat=True))


def _attempts(user: User, prints: set[str]) -> list[UUID]:
    """Their own attempts, those of nobody at what was theirs, and what somebody else merely typed of it."""
    nobodys = Challenge.objects.filter(user=None, fingerprint__in=prints)
    contacts = [contact.key for contact in user.contacts]
    typed = Challenge.objects.filter(
        recipient__in=contacts, purpose__in=TYPED_PURPOSES, verified_at=None
    )
    every = (user.challenges.all(), nobodys, typed)
    return list({pk for rows in every for pk in rows.values_list("pk", flat=True)})


def _other_sessions(attempts: list[UUID]) -> list[str]:
    """Browsers that asked for one of these codes, never came back, and asked for another one since."""
    erased = {str(pk) for pk in attempts}
    several = Session.objects.filter(user=None).exclude(other_challenges="")
    rows = several.values_list("pk", "other_challenges").iterator()
    return [key for key, others in rows if not erased.isdisjoint(others.split())]
