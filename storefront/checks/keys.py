"""Keys and secrets that nobody can guess, each for one purpose."""

import base64
from collections.abc import Iterator
from contextlib import suppress

from django.conf import settings

from api import tokens
from messaging.credentials import vault
from storefront.checks.startup import error, register

KEY_BYTES = 32
# What Django asks of a SECRET_KEY (security.W009), and of all other keys in bytes.
SECRET_LENGTH, METRICS_TOKEN_LENGTH, DIFFERENT = 50, 32, 5

MAKE_IT_LONGER = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
MAKE_A_VAULT_KEY = "Make one with: python -c 'import cryptography.fernet as f; print(f.Fernet.generate_key().decode())'"
MAKE_A_TOKEN_KEY = "Make one with: python manage.py token_keys new"  # noqa: S105  a hint
MAKE_A_KEY = "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"


@register
def keys_are_keys(app_configs, **kwargs):
    """Long and random enough, and each for one purpose: who learns one must not have another (COD-03, KEY-01)."""
    for name, number in (("CODE_KEYS", "E004"), ("FINGERPRINT_KEYS", "E013")):
        keys = getattr(settings, name)
        if not keys or any(len(key) < KEY_BYTES or _is_plain(key) for key in keys):
            told = f"{name} needs random keys of {KEY_BYTES} bytes or more, in hex."
            yield error(number, told, MAKE_A_KEY)
    for one, other in _same_keys():
        told = f"{one} and {other} hold the same key."
        yield error("E014", told, "Make one for each purpose.")


@register
def vault_opens(app_configs, **kwargs):
    """Keys for provider credentials that are no keys are worse than none: nothing would open (ADM-05)."""
    if settings.VAULT_KEYS and not vault.can_seal():
        yield error(
            "E011", "VAULT_KEYS holds something that is not a Fernet key.", MAKE_A_VAULT_KEY
        )


@register
def vault_keys_are_random(app_configs, **kwargs):
    """Not somebody's pattern in the shape of a key (ADM-05)."""
    keys = {spelled for text in settings.VAULT_KEYS for spelled in _spellings(text)}
    if any(map(_is_plain, keys)):
        yield error("E033", "VAULT_KEYS holds a plain key.", MAKE_A_VAULT_KEY)


@register
def token_keys_sign(app_configs, **kwargs):
    """Tokens of apps need keys that sign; only while developing one is worked out from SECRET_KEY."""
    if not settings.TOKEN_KEYS and not settings.DEBUG:
        yield error("E037", "TOKEN_KEYS is empty: no app could sign in.", MAKE_A_TOKEN_KEY)
    secrets = list(map(_token_secret, settings.TOKEN_KEYS))
    if not all(secrets):
        told = "TOKEN_KEYS holds something that is no key of P-256 in PKCS8 and base64."
        yield error("E038", told, MAKE_A_TOKEN_KEY)
    if any(secret and _is_plain(secret) for secret in secrets):
        yield error("E039", "TOKEN_KEYS holds a plain key.", MAKE_A_TOKEN_KEY)


@register
def production_has_secrets(app_configs, **kwargs):
    """With DEBUG off: nothing that a stranger may guess (COD-03)."""
    if settings.DEBUG:
        return
    if any(map(_is_weak_secret, [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])):
        told = "SECRET_KEY, or one of SECRET_KEY_FALLBACKS, is too short or too simple."
        yield error("E015", told, MAKE_IT_LONGER)
    token = settings.METRICS_TOKEN
    if token and (len(token) < METRICS_TOKEN_LENGTH or _is_plain(token)):
        told = f"METRICS_TOKEN needs {METRICS_TOKEN_LENGTH} random characters or more."
        yield error("E017", told, "Or leave it out: /metrics then answers nobody.")


def _token_secret(text: str) -> bytes:
    """The secret number of one of TOKEN_KEYS, or nothing."""
    try:
        return tokens.read_key(text).secret
    except ValueError:
        return b""


def _is_plain(key: str | bytes) -> bool:
    """Whether a key is made of too few signs, or at least half of it only repeats what came before."""
    spans = range(1, (len(key) + 1) // 2 + 1)
    return len(set(key)) < DIFFERENT or any(key[span:] == key[:-span] for span in spans)


def _is_weak_secret(secret: str) -> bool:
    return len(secret) < SECRET_LENGTH or _is_plain(secret) or secret.startswith("django-insecure-")


def _same_keys() -> Iterator[tuple[str, str]]:
    """The names of each two settings that share a key, in whatever spelling."""
    owners: dict[bytes, str] = {}
    for name, key in _every_key():
        if owners.setdefault(key, name) != name:
            yield owners[key], name


def _every_key() -> Iterator[tuple[str, bytes]]:
    for name in ("CODE_KEYS", "FINGERPRINT_KEYS"):
        yield from ((name, key) for key in getattr(settings, name))
    yield from (("TOKEN_KEYS", key) for key in map(_token_secret, settings.TOKEN_KEYS) if key)
    for name, texts in (
        ("VAULT_KEYS", settings.VAULT_KEYS),
        ("SECRET_KEY", [settings.SECRET_KEY]),
        ("SECRET_KEY_FALLBACKS", settings.SECRET_KEY_FALLBACKS),
    ):
        yield from ((name, key) for text in texts for key in _spellings(text))


def _spellings(text: str) -> set[bytes]:
    """The bytes that a key given as text may stand for."""
    meant = {text.encode()}
    with suppress(ValueError):
        meant.add(bytes.fromhex(text))
    with suppress(ValueError):
        meant.add(base64.urlsafe_b64decode(text))
    return meant
