"""The tables of the site as staff see them: pages without codes, seeds or full addresses."""

from backoffice.admin import (
    alerts,
    challenges,
    groups,
    jobs,
    outbox,
    providers,
    security_events,
    sms_countries,
    users,
)

__all__ = [
    "alerts",
    "challenges",
    "groups",
    "jobs",
    "outbox",
    "providers",
    "security_events",
    "sms_countries",
    "users",
]
