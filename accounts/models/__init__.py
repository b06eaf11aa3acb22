"""The rows: who a shopper is, what waits to be verified, what was refused, what happened. One-row rules."""

from accounts.models.challenges import (
    ANONYMOUS_PURPOSES,
    BUDGETED_POOLS,
    POOL_BY_PURPOSE,
    TYPED_PURPOSES,
    Challenge,
    Pool,
    Purpose,
    attempt_references,
)
from accounts.models.refusal_counts import RefusalCount
from accounts.models.security_events import (
    EVENT_WORDS,
    SecurityEvent,
    SecurityEventQuerySet,
    WrittenOnce,
)
from accounts.models.sessions import Client, Session
from accounts.models.sms_countries import EVERYWHERE, SmsCountry
from accounts.models.users import FormerUsername, User

__all__ = [
    "ANONYMOUS_PURPOSES",
    "Challenge",
    "Client",
    "EVENT_WORDS",
    "EVERYWHERE",
    "FormerUsername",
    "BUDGETED_POOLS",
    "POOL_BY_PURPOSE",
    "Pool",
    "Purpose",
    "RefusalCount",
    "SecurityEvent",
    "SecurityEventQuerySet",
    "Session",
    "TYPED_PURPOSES",
    "SmsCountry",
    "User",
    "WrittenOnce",
    "attempt_references",
]
