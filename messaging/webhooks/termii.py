"""Webhooks of Termii: JSON whose body is signed. It knows a message by its own id only."""

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from messaging.models import Status
from messaging.webhooks.base import DeliveryEvent, WebhookScheme, hmac_digest, json_object

# With the detail that is kept of each.
STATUSES = {
    "delivered": (Status.DELIVERED, ""),
    "dnd active on phone number": (Status.BOUNCED, "do not disturb"),
    "rejected": (Status.BOUNCED, "rejected"),
    "message failed": (Status.FAILED, "failed"),
    "failed": (Status.FAILED, "failed"),
    "expired": (Status.FAILED, "expired"),
}


def verify(key: str, request: HttpRequest) -> bool:
    """Whether the account's secret key signed the body. There is no time in it."""
    ours = hmac_digest(key, request.body, "sha512").hex()
    return constant_time_compare(request.headers["X-Termii-Signature"].lower(), ours)


def parse(request: HttpRequest) -> list[DeliveryEvent]:
    """One event. The status may be followed by a bar and an explanation."""
    payload = json_object(request)
    found = STATUSES.get(str(payload["status"]).partition("|")[0].strip().lower())
    if found is None:
        return []
    status, detail = found
    ref = str(payload["message_id"])
    return [DeliveryEvent(key=f"{ref} {status}", status=status, provider_ref=ref, detail=detail)]


SCHEMES = {"termii": WebhookScheme(secret="webhook_key", verify=verify, parse=parse)}  # noqa: S106  a field's name
