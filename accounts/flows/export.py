"""Everything the shop keeps about a shopper, as plain values for one file."""

from django.db.models import Q

from accounts import audit, limits
from accounts.models import TYPED_PURPOSES, Challenge, User
from accounts.sessions.client import ClientInfo
from messaging.outbox import api as outbox

PERSON = (
    "id name username email email_verified_at phone phone_verified_at primary date_joined completed_at last_login "
    "is_active deletion_due_at"
).split()
CHALLENGE = "purpose kind address device sends created_at sent_at expires_at verified_at cancelled_at".split()
SESSION = "client app ip agent signed_in_at last_used_at reauthenticated_at reauthenticated_by expire_date".split()
EVENT = "kind at identifier_kind ip agent".split()


def download(user: User, *, client: ClientInfo) -> dict[str, object]:
    """What the shopper takes away, which is an event of the account. Raises TooOften."""
    limits.enforce_durably(*limits.changes(str(user.pk)))
    audit.record("data_downloaded", client=client, user=user)
    return collect(user)


def collect(user: User) -> dict[str, object]:
    """The account, its sessions, attempts, messages and events; no secret, and nothing of anybody else."""
    theirs = Challenge.objects.filter(user=user)
    # Of addresses that were never verified the attempt is theirs, but not what became of the message: that
    # would tell whose address it is (ENU-07).
    own = [contact.key for contact in user.contacts]
    known = Q(verified_at__isnull=False) | Q(recipient__in=own) | ~Q(purpose__in=TYPED_PURPOSES)
    return {
        "account": {name: getattr(user, name) for name in PERSON},
        "has_password": user.has_usable_password(),
        "former_usernames": list(user.former_usernames.values("username", "given_up_at")),
        "sessions": list(user.sessions.order_by("created_at").values(*SESSION)),
        "confirmations": list(theirs.order_by("created_at").values(*CHALLENGE)),
        "messages": outbox.history(theirs.filter(known).values_list("pk", flat=True)),
        "activity": list(user.events.order_by("at").values(*EVENT)),
    }
