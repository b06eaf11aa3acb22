"""What a delivery event is, and what every kind of provider needs to verify and to parse a webhook call."""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from jobs.clock import database_time
from messaging.models import Status

# Signatures carry the time they were made. Events are hours old when a provider tries again, signatures are not.
SIGNATURE_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """What a provider reports about one message, which it knows by `message_id`, if that is ours, or by its own.

    `key` is the same whenever it reports this again. `detail` is never its text: a receipt is kept (OUT-07).
    """

    key: str
    status: Status
    message_id: object = None
    provider_ref: str = ""
    detail: str = ""
    at: datetime | None = None


def _whole(request: HttpRequest) -> list[Any]:
    return [request]


@dataclass(frozen=True, slots=True)
class WebhookScheme:
    """How calls of one kind of provider are verified, with the field of the row that `secret` names, and parsed.

    A call may hold a batch, which `split` takes apart, so that one bad part leaves the others alone. `parse` is given
    such a part. Each of the functions may raise any of FAULTS over foreign text.
    """

    secret: str
    verify: Callable[[str, HttpRequest], bool]
    parse: Callable[[Any], list[DeliveryEvent]]
    split: Callable[[HttpRequest], list[Any]] = _whole


def is_recent(seconds: str | float) -> bool:
    """Whether a signature was made at this Unix time in the last minutes. Raises ValueError when it is no number."""
    return abs(database_time().timestamp() - float(seconds)) <= SIGNATURE_TOLERANCE.total_seconds()


def hmac_digest(secret: str | bytes, signed: str | bytes, algorithm: str) -> bytes:
    return hmac.digest(_bytes(secret), _bytes(signed), algorithm)


def json_object(request: HttpRequest) -> dict[str, Any]:
    """The object in a body. Raises ValueError when it holds none."""
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise ValueError("not an object")
    return body


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
