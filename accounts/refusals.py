"""What was refused: counted each time, and written down once a minute for each household and kind (LOG-01, LOG-02).

Never in a transaction, which could take it back.
"""

from django.contrib.auth.models import AnonymousUser

from accounts import audit, limits
from accounts.errors import Refused, TooOften
from accounts.identifiers import Identifier
from accounts.models import RefusalCount, User
from accounts.sessions.client import ClientInfo
from ratelimits.engine import try_consume


def record(
    kind: str, *, client: ClientInfo, identifier: Identifier | None = None, user: User | None = None
) -> None:
    """Count one refusal of this `kind`, and record it unless this household had one within the last minute."""
    count(kind, identifier, space=client.space)
    if try_consume(*limits.refusal_events(kind, client)):
        audit.record(kind, client=client, identifier=identifier, user=user)


def record_limit(
    refusal: Refused,
    *,
    client: ClientInfo,
    identifier: Identifier | None,
    user: User | AnonymousUser,
) -> None:
    """Note a limit that `user` reached; not a cool-down, nor a lock, which has an event of its own (LOG-01)."""
    if type(refusal) is TooOften:
        who = user if isinstance(user, User) else None
        record("limit_hit", client=client, identifier=identifier, user=who)


def count(kind: str, identifier: Identifier | None = None, *, space: str = "") -> None:
    """Count one refusal in a space of the API, or on the pages, for the dashboard and the alerts."""
    identifier_kind = identifier.kind if identifier else ""
    # Nothing bounds how often a limit is hit: with the country of whatever was typed, one address could add a row
    # for each country and minute.
    country = identifier.country if identifier and kind != "limit_hit" else ""
    RefusalCount.objects.add(kind, identifier_kind=identifier_kind, country=country, space=space)
