"""The audit trail. A failure is recorded outside every transaction, so that no rollback can take it back (LOG-02)."""

from uuid import UUID

from django.db import IntegrityError, connection
from django.db.models import QuerySet
from structlog.contextvars import get_contextvars

from accounts.identifiers import Identifier, fingerprint, fingerprints
from accounts.models import SecurityEvent, User
from accounts.sessions.client import UNKNOWN_IP, ClientInfo

# What an event is about that happened in a browser that the account trusts, before the browser's name.
BROWSER = "browser "


def record(
    *kinds: str,
    client: ClientInfo,
    identifier: Identifier | None = None,
    user: User | None = None,
    user_id: UUID | None = None,
    about: str = "",
    by: User | None = None,
) -> None:
    """Write one event for each of `kinds`, in one statement; `user_id` spares a look-up of the user.

    `about` names the row that staff looked at or changed, by its kind and its id, or the trusted browser it was in;
    `by` is the member of staff who acted, where `user` is not that or not any more.
    """
    acted = by or (user if user and user.is_staff else None)
    # Worked out once, however many kinds there are.
    shared = {
        "user_id": user.pk if user else user_id,
        "ip": None if client.ip == UNKNOWN_IP else client.ip,
        "agent": client.agent,
        "space": client.space,
        # The id under which the log has the same request (LOG-01).
        "request_id": get_contextvars().get("request_id", ""),
        "about": about[:80],
        "actor": pseudonym(acted.pk) if acted else "",
    }
    if identifier:
        key, country = fingerprint(identifier.key), identifier.country
        shared |= {"fingerprint": key, "identifier_kind": identifier.kind, "country": country}
    rows = [SecurityEvent(kind=kind, **shared) for kind in kinds]
    try:
        _write(rows)
    except IntegrityError:
        if connection.in_atomic_block:
            raise
        # The account was erased at this very moment; what happened is still written.
        for row in rows:
            row.user = None
        _write(rows)


def trusted_browsers(events: QuerySet[SecurityEvent]) -> list[str]:
    """The names of the trusted browsers in which these events happened."""
    about = events.filter(about__startswith=BROWSER).values_list("about", flat=True)
    return sorted({each.removeprefix(BROWSER) for each in about})


def pseudonym(pk: UUID) -> str:
    """What the audit calls a member of staff, also when the account is no more."""
    return fingerprint(_staff(pk))


def pseudonyms(pk: UUID | str) -> list[str]:
    """The same under each of FINGERPRINT_KEYS, to find what was written under an older one (KEY-01)."""
    return fingerprints(_staff(pk))


def _staff(pk: UUID | str) -> str:
    return f"staff {str(pk).strip().lower()}"


def _write(rows: list[SecurityEvent]) -> None:
    if len(rows) == 1:
        # One row needs no transaction of its own, which bulk_create would open.
        # Straight to the table: save() only guards rows that stand already.
        rows[0].save_base(force_insert=True)
    elif rows:
        SecurityEvent.objects.bulk_create(rows)
