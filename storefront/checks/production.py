"""With DEBUG off: a site that is whole, reaches people, and is named by nobody else."""

import re
import sys
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from storefront.checks.startup import error, register

PER_PROCESS_CACHES = ("LocMemCache", "DummyCache")
# Kinds of EMAIL_URL that send; all others print, keep or forget.
SENDING_SCHEMES = ("smtp", "smtps", "smtp+tls", "smtp+ssl")


@register
def production_is_whole(app_configs, **kwargs):
    """With DEBUG off: no mailbox, a shared cache, a way for mail, https (LIM-07)."""
    if settings.DEBUG or "pytest" in sys.modules:
        return
    if settings.MAILBOX:
        yield error("E007", "The mailbox shows codes.", "Leave MAILBOX out when DEBUG is off.")
    if settings.CACHES["default"]["BACKEND"].endswith(PER_PROCESS_CACHES):
        yield error("E008", "The cache is one per process.", "Set REDIS_URL.")
    if not settings.EMAIL_URL:
        yield error("E009", "No mail can leave.", "Set EMAIL_URL, like smtp://host:587.")
    if not settings.SITE_URL.startswith("https://"):
        yield error("E010", "SITE_URL must start with https://.", "Links in emails use it.")


@register
def production_reaches_people(app_configs, **kwargs):
    """With DEBUG off: mail that leaves, links that lead to the shop, rows that all processes share."""
    if settings.DEBUG:
        return
    if settings.EMAIL_URL and not _is_mail_server(settings.EMAIL_URL):
        told = "EMAIL_URL names no mail server: nothing would be sent."
        yield error("E030", told, f"One of: {', '.join(SENDING_SCHEMES)}.")
    if not _is_origin(settings.SITE_URL):
        told = "SITE_URL must be a scheme and a host, and nothing else."
        yield error("E031", told, "Like https://shop.example.")
    if not _is_frontend(settings.FRONTEND_URL):
        told = "FRONTEND_URL must be https:// and a host, and nothing else: tokens are sent there."
        yield error("E040", told, "Like https://app.example; or leave it out.")
    if _is_in_memory(settings.DATABASES["default"]):
        told = "DATABASE_URL names a database in memory: every connection has one of its own."
        yield error("E032", told, "Like postgres://user@host/name.")


@register
def production_is_closed(app_configs, **kwargs):
    """With DEBUG off: no host that a stranger may choose (ADM-07)."""
    if not settings.DEBUG and any(map(_is_anybody, settings.ALLOWED_HOSTS)):
        told = "ALLOWED_HOSTS lets anybody choose the host."
        yield error("E016", told, "Name the hosts, like shop.example.")


def _is_anybody(host: str) -> bool:
    """Whether a pattern of hosts matches what others may have: `*`, or all that ends with one label, like .com."""
    return host == "*" or (host.startswith(".") and "." not in host.strip("."))


def _is_mail_server(url: str) -> bool:
    address = urlsplit(url)
    return address.scheme in SENDING_SCHEMES and bool(address.hostname)


def _is_origin(url: str) -> bool:
    """Whether an address is nothing but scheme, host and port: every link begins with it."""
    return bool(re.fullmatch(r"https?://[^\s/?#@\\:][^\s/?#@\\]*", url))


def _is_frontend(url: str) -> bool:
    """Whether tokens may be sent there; nowhere is fine, too."""
    return not url or (url.startswith("https://") and _is_origin(url))


def _is_in_memory(database: dict[str, Any]) -> bool:
    name = str(database["NAME"])
    return database["ENGINE"].endswith("sqlite3") and (":memory:" in name or "mode=memory" in name)
