"""The rows: who a shopper is, what waits for proof, what was refused, what happened. One-row rules and constraints."""

from accounts.models.challenges import ANYBODY, PAYING, POOLS, TYPED, Challenge, Pool, Purpose
from accounts.models.refusal_counts import RefusalCount
from accounts.models.security_events import (
    EVENT_WORDS,
    SecurityEvent,
    SecurityEventQuerySet,
    WrittenOnce,
)
from accounts.models.sessions import Session
from accounts.models.sms_countries import EVERYWHERE, TextCountry
from accounts.models.users import FormerUsername, User

__all__ = [
    "ANYBODY",
    "Challenge",
    "EVENT_WORDS",
    "EVERYWHERE",
    "FormerUsername",
    "PAYING",
    "POOLS",
    "Pool",
    "Purpose",
    "RefusalCount",
    "SecurityEvent",
    "SecurityEventQuerySet",
    "Session",
    "TYPED",
    "TextCountry",
    "User",
    "WrittenOnce",
]
