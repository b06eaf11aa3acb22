"""One-time codes and link tokens: derived from a seed, never stored. Arithmetic only, no clock, no rows."""

import base64
import hashlib
import hmac
import re
import secrets
import uuid

from django.conf import settings
from django.utils.crypto import constant_time_compare

from accounts import characters, conf

SEED_BYTES = 20
TOKEN_BYTES = 18


def new_seed() -> bytes:
    """Make the 160 random bits that one attempt's codes come from (COD-03)."""
    return secrets.token_bytes(SEED_BYTES)


def key_id(key: bytes) -> str:
    """Name a code key without telling it."""
    return hashlib.sha256(b"code key" + key).hexdigest()[:8]


def current_key_id() -> str:
    """Name the key that new codes are derived with: the first of CODE_KEYS."""
    return key_id(settings.CODE_KEYS[0])


def derive_code(seed: bytes, key_name: str, *facts: str) -> str:
    """Work out the digits for `seed` and `facts` (RFC 4226 5.3 over HMAC-SHA-256)."""
    return truncate(_mac(seed, key_name, "code", *facts), conf.CODE_LENGTH)


def truncate(digest: bytes, digits: int) -> str:
    """Cut an HMAC down to `digits` decimal digits, leading zeros kept (RFC 4226 5.3)."""
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def derive_token(row: uuid.UUID, seed: bytes, key_name: str, *facts: str) -> str:
    """Work out the token of an emailed link: which row, and 144 bits to prove it (REC-03)."""
    proof = _mac(seed, key_name, "link", *facts)[:TOKEN_BYTES]
    return base64.urlsafe_b64encode(row.bytes + proof).rstrip(b"=").decode()


def challenge_id(text: str) -> uuid.UUID | None:
    """Read which row a token speaks of; proves nothing yet."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{46}", text):
        return None
    return uuid.UUID(bytes=base64.urlsafe_b64decode(text + "==")[:16])


def is_same(one: str, other: str) -> bool:
    """Compare two secrets in constant time (COD-12)."""
    # What a program sends may hold half a character, which is the same as no secret of ours.
    given, secret = (text.encode(errors="surrogatepass") for text in (one, other))
    return constant_time_compare(given, secret)


def extract_digits(text: str) -> str:
    """Pick the code out of what was typed or pasted: "123 456", "Code: 123456", "١٢٣٤٥٦" (ux 26, 28, IDN-10).

    Our own text message holds it twice, beside a number of minutes: it is the one run of that length. Returns "" when
    there is no such run and more than one other, so that one request is at most one guess (COD-10).
    """
    joined = re.sub(r"(?<=[0-9])[\s\-.]+(?=[0-9])", "", characters.plain_number(text))
    runs = re.findall(r"[0-9]+", joined)
    found = {run for run in runs if len(run) == conf.CODE_LENGTH} or set(runs)
    return found.pop() if len(found) == 1 else ""


def _mac(seed: bytes, key_name: str, *facts: str) -> bytes:
    key = next((key for key in settings.CODE_KEYS if key_id(key) == key_name), None)
    if key is None:
        # The key was retired: nothing that was derived with it can be right any more.
        key = secrets.token_bytes(32)
    message = b"\0".join([seed, *(fact.encode() for fact in facts)])
    return hmac.digest(key, message, "sha256")
