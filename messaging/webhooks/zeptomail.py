"""Receipts of ZeptoMail: JSON, bare or as the one field of a form, signed or with a key in a header."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, unquote_plus

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from messaging.models import Status
from messaging.webhooks.base import Said, Scheme, digest, is_fresh, matches, our_id, smtp_code

# With the words we keep of each.
STATUSES = {
    "delivered": (Status.DELIVERED, ""),
    "hardbounce": (Status.BOUNCED, "hard bounce"),
    "softbounce": (Status.BOUNCED, "soft bounce"),
    "feedbackloop": (Status.COMPLAINED, "spam"),
    "processfailed": (Status.FAILED, "not sent"),
}
ALGORITHM = "HmacSHA256"


def proves(key: str, request: HttpRequest) -> bool:
    """Whether the webhook's key signed it in the last minutes, or is in the Authorization header that staff set."""
    header = request.headers.get("producer-signature")
    if header is None:
        return matches(request.headers["Authorization"].removeprefix("Bearer "), key)
    # The time is not among what is signed, so that it stops accidents only; to say the same again changes nothing.
    parts = dict(part.strip().split("=", 1) for part in header.split(";"))
    ours = base64.b64encode(digest(key, _text(request), "sha256")).decode()
    return (
        parts["s-algorithm"] == ALGORITHM
        and is_fresh(float(parts["ts"]) / 1000)
        and matches(unquote(parts["s"]), ours)
    )


def read(request: HttpRequest) -> list[Said]:
    """What became of each message; client_reference is our own id, request_id what sending it was answered with."""
    told = json.loads(_text(request))
    names = [re.sub(r"[^a-z]", "", str(name).lower()) for name in _list(told["event_name"])]
    return [
        _said(name, message)
        for name in names
        if name in STATUSES
        for message in _list(told["event_message"])
    ]


def _said(name: str, message: dict[str, Any]) -> Said:
    status, words = STATUSES[name]
    details = next(_details(message), {})
    ref, time = str(message.get("request_id", "")), str(details.get("time", ""))
    return Said(
        key=f"{ref} {status} {time}",
        status=status,
        message_id=our_id(message["email_info"].get("client_reference")),
        provider_ref=ref,
        detail=f"{words} {smtp_code(details.get('diagnostic_message'))}".strip(),
        at=parse_datetime(time),
    )


def _details(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for event in _list(message.get("event_data", [])):
        yield from _list(event.get("details", []))


def _list(told: Any) -> list[Any]:
    # It sends a list of one in some events and the one itself in others.
    return told if isinstance(told, list) else [told]


def _text(request: HttpRequest) -> str:
    body = request.body.decode()
    return body if body.lstrip().startswith("{") else unquote_plus(body.partition("=")[2])


SCHEMES = {"zeptomail": Scheme(secret="webhook_key", proves=proves, read=read)}  # noqa: S106  a field's name
