"""Webhooks of Vonage's SMS API: a form or JSON, signed parameter by parameter."""

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from messaging.models import Status
from messaging.webhooks.base import (
    DeliveryEvent,
    WebhookScheme,
    hmac_digest,
    is_recent,
    json_object,
)

STATUSES = {
    "delivered": Status.DELIVERED,
    "rejected": Status.BOUNCED,
    "failed": Status.FAILED,
    "expired": Status.FAILED,
}
CLEAN = str.maketrans("&=", "__")


def verify(secret: str, request: HttpRequest) -> bool:
    """Whether the account's signature secret signed the call, by HMAC-SHA-256, in the last minutes."""
    payload = _parameters(request)
    signature = payload.pop("sig")
    signed = "".join(f"&{name}={payload[name].translate(CLEAN)}" for name in sorted(payload))
    ours = hmac_digest(secret, signed, "sha256").hex()
    return is_recent(payload["timestamp"]) and constant_time_compare(signature.lower(), ours)


def parse(request: HttpRequest) -> list[DeliveryEvent]:
    """One event; client-ref is our own id."""
    payload = _parameters(request)
    status, code = STATUSES.get(payload["status"]), int(payload.get("err-code", 0))
    if status is None:
        return []
    return [
        DeliveryEvent(
            key=f"{payload['messageId']} {status}",
            status=status,
            message_id=payload.get("client-ref"),
            provider_ref=payload["messageId"],
            detail=f"error {code}" if code else "",
        )
    ]


def _parameters(request: HttpRequest) -> dict[str, str]:
    is_json = request.content_type == "application/json"
    payload = json_object(request) if is_json else request.POST.dict()
    return {name: str(value) for name, value in payload.items()}


SCHEMES = {"vonage": WebhookScheme(secret="signature_secret", verify=verify, parse=parse)}  # noqa: S106  a field's name
