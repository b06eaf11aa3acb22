"""Webhooks of ZeptoMail: JSON, bare or as the one field of a form, signed or with a key in a header."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, unquote_plus

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.dateparse import parse_datetime

from messaging.models import Status
from messaging.providers.smtp import reply_codes
from messaging.webhooks.base import DeliveryEvent, WebhookScheme, hmac_digest, is_recent

# With the detail that is kept of each.
STATUSES = {
    "delivered": (Status.DELIVERED, ""),
    "hardbounce": (Status.BOUNCED, "hard bounce"),
    "softbounce": (Status.BOUNCED, "soft bounce"),
    "feedbackloop": (Status.COMPLAINED, "spam"),
    "processfailed": (Status.FAILED, "not sent"),
}
ALGORITHM = "HmacSHA256"


def verify(key: str, request: HttpRequest) -> bool:
    """Whether the webhook's key signed the call in the last minutes, or stands in the Authorization header."""
    header = request.headers.get("producer-signature")
    if header is None:
        return constant_time_compare(request.headers["Authorization"].removeprefix("Bearer "), key)
    # The time is not among what is signed, so that it stops accidents only; a replay changes nothing.
    parts = dict(part.strip().split("=", 1) for part in header.split(";"))
    ours = base64.b64encode(hmac_digest(key, _text(request), "sha256")).decode()
    return (
        parts["s-algorithm"] == ALGORITHM
        and is_recent(float(parts["ts"]) / 1000)
        and constant_time_compare(unquote(parts["s"]), ours)
    )


def split(request: HttpRequest) -> list[tuple[str, dict[str, Any]]]:
    """Each of the events with each of the messages that it is about."""
    payload = json.loads(_text(request))
    names = [re.sub(r"[^a-z]", "", str(name).lower()) for name in _list(payload["event_name"])]
    return [
        (name, message)
        for name in names
        if name in STATUSES
        for message in _list(payload["event_message"])
    ]


def parse(part: tuple[str, dict[str, Any]]) -> list[DeliveryEvent]:
    """One event; client_reference is our own id, request_id what ZeptoMail answered when it took the message."""
    return [_event(*part)]


def _event(name: str, message: dict[str, Any]) -> DeliveryEvent:
    status, detail = STATUSES[name]
    details = next(_details(message), {})
    ref, time = str(message.get("request_id", "")), str(details.get("time", ""))
    return DeliveryEvent(
        key=f"{ref} {status} {time}",
        status=status,
        message_id=message["email_info"].get("client_reference"),
        provider_ref=ref,
        detail=f"{detail} {reply_codes(details.get('diagnostic_message'))}".strip(),
        at=parse_datetime(time),
    )


def _details(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for event in _list(message.get("event_data", [])):
        yield from _list(event.get("details", []))


def _list(payload: Any) -> list[Any]:
    # It sends a list of one in some events and the one itself in others.
    return payload if isinstance(payload, list) else [payload]


def _text(request: HttpRequest) -> str:
    body = request.body.decode()
    return body if body.lstrip().startswith("{") else unquote_plus(body.partition("=")[2])


SCHEMES = {
    "zeptomail": WebhookScheme(
        secret="webhook_key",  # noqa: S106  a field's name
        verify=verify,
        parse=parse,
        split=split,
    )
}
