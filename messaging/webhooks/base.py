"""What a receipt is to us, and what every kind of provider needs to prove and to read one."""

import hmac
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.timezone import now

from messaging.models import Status

# Signatures carry the time they were made. Events are hours old when a provider tries again, signatures are not.
FRESH = timedelta(minutes=5)

# An answer of a mail server begins with these; what follows is free text and may quote the address.
SMTP_CODE = re.compile(r"(?:^|[\s;:(])([45]\d\d)(?:[ -]([45]\.\d{1,3}\.\d{1,3}))?(?=[\s:;,.)-]|$)")


@dataclass(frozen=True, slots=True)
class Said:
    """One thing a provider says about one message, which it knows by our id or by its own.

    `key` is the same whenever it says this again. `detail` is in our words: a receipt is kept (OUT-07).
    """

    key: str
    status: Status
    message_id: uuid.UUID | None = None
    provider_ref: str = ""
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one kind of provider proves that a receipt is its own, and what it says in it.

    `secret` names the field of the row that proves it. Both functions may stumble over foreign text; the caller
    knows what that means.
    """

    secret: str
    proves: Callable[[str, HttpRequest], bool]
    read: Callable[[HttpRequest], list[Said]]


def is_fresh(seconds: str | float) -> bool:
    """Whether a signature made at this Unix time is one of the last minutes. Not a number: it is not."""
    return abs(now().timestamp() - float(seconds)) <= FRESH.total_seconds()


def matches(given: str | bytes, expected: str | bytes) -> bool:
    """Whether two signatures are the same, in constant time."""
    return constant_time_compare(given, expected)


def digest(secret: str | bytes, signed: str | bytes, algorithm: str) -> bytes:
    """HMAC of what was signed."""
    return hmac.digest(_bytes(secret), _bytes(signed), algorithm)


def json_of(request: HttpRequest) -> dict[str, Any]:
    """The object in a body. Raises ValueError when it holds none."""
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise ValueError("not an object")
    return body


def our_id(told: object) -> uuid.UUID | None:
    """Our own id as a provider hands it back, or None when it is none of ours."""
    try:
        return uuid.UUID(str(told))
    except ValueError:
        return None


def smtp_code(answer: object) -> str:
    """The code in a mail server's answer, as in "550 5.1.1", or nothing."""
    found = SMTP_CODE.search(str(answer or ""))
    return " ".join(filter(None, found.groups())) if found else ""


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
