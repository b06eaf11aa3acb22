"""The audit trail. A failure is recorded outside every transaction, so that no rollback can take it back (LOG-02)."""

from accounts.identifiers import Identifier, fingerprint
from accounts.models import SecurityEvent, User
from accounts.origin import Origin


def record(
    *kinds: str, origin: Origin, identifier: Identifier | None = None, user: User | None = None
) -> None:
    """Write one event for each of `kinds`, in one statement."""
    rows = [
        SecurityEvent(
            kind=kind,
            user=user,
            fingerprint=fingerprint(identifier.key) if identifier else "",
            channel=identifier.kind if identifier else "",
            ip=origin.ip,
            agent=origin.agent,
        )
        for kind in kinds
    ]
    if len(rows) == 1:
        # One row needs no transaction of its own, which bulk_create would open.
        rows[0].save(force_insert=True)
    else:
        SecurityEvent.objects.bulk_create(rows)
