"""Credentials at rest: sealed for one row and one field, so that a copied token opens nowhere else (ADM-05)."""

from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

# What Fernet raises for what is no token of ours: a row may hold anything after a restore or a tampering.
MALFORMED = (InvalidToken, TypeError, ValueError)


class Locked(Exception):
    """No key of ours opens this token, or it belongs to another row or field. Says nothing of its content."""


def can_seal() -> bool:
    """Whether there is a key to seal with, and every key is one."""
    try:
        _keys()
    except Locked:
        return False
    return True


def seal(value: str, *, row: UUID, field: str) -> str:
    """Encrypt `value` with the first of VAULT_KEYS. Raises Locked when there is none."""
    return _keys().encrypt(f"{_prefix(row, field)}{value}".encode()).decode()


def unseal(token: str, *, row: UUID, field: str) -> str:
    """Decrypt a token that was sealed for this row and field. Raises Locked."""
    prefix = _prefix(row, field)
    try:
        text = _keys().decrypt(token).decode()
    except MALFORMED:
        raise Locked from None
    if not text.startswith(prefix):
        raise Locked
    return text.removeprefix(prefix)


def sealed_at(token: str) -> datetime | None:
    """When the token was made, or None when no key opens it."""
    try:
        return datetime.fromtimestamp(_keys().extract_timestamp(token), UTC)
    except (Locked, *MALFORMED):
        return None


def reseal(token: str, *, row: UUID, field: str) -> str:
    """Seal the same value under the first key, keeping the time it was set; returns a token that is under it as it is.

    Raises Locked, also for a token of another row or field: a copy stays as dead as it was.
    """
    unseal(token, row=row, field=field)
    return token if _is_under_first(token) else _keys().rotate(token).decode()


def _is_under_first(token: str) -> bool:
    try:
        _fernets(tuple(settings.VAULT_KEYS[:1])).extract_timestamp(token)
    except InvalidToken:
        return False
    return True


def _prefix(row: UUID, field: str) -> str:
    return f"{row}:{field}:"


def _keys() -> MultiFernet:
    if not settings.VAULT_KEYS:
        raise Locked
    return _fernets(tuple(settings.VAULT_KEYS))


@lru_cache(maxsize=4)
def _fernets(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        # Never from the error: it may quote the key.
        raise Locked from None
