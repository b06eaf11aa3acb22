"""Webhooks of Twilio: a form, signed together with the address it is sent to."""

import base64

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from messaging.models import Status
from messaging.webhooks.base import DeliveryEvent, WebhookScheme, hmac_digest

STATUSES = {
    "delivered": Status.DELIVERED,
    "undelivered": Status.BOUNCED,
    "failed": Status.FAILED,
}


def verify(token: str, request: HttpRequest) -> bool:
    """Whether the account's token signed the call. There is no time in it: a replay changes nothing."""
    # Our own address, never the Host header: whoever sends chooses that.
    signed = f"{settings.SITE_URL}{request.get_full_path()}" + "".join(
        name + value
        for name in sorted(request.POST)
        for value in sorted(set(request.POST.getlist(name)))
    )
    ours = base64.b64encode(hmac_digest(token, signed, "sha1")).decode()
    return constant_time_compare(request.headers["X-Twilio-Signature"], ours)


def parse(request: HttpRequest) -> list[DeliveryEvent]:
    """One event, about the message whose id we had put into the address."""
    status = STATUSES.get(request.POST["MessageStatus"])
    if status is None:
        return []
    sid, code = request.POST["MessageSid"], request.POST.get("ErrorCode", "")
    return [
        DeliveryEvent(
            key=f"{sid} {status}",
            status=status,
            message_id=request.GET.get("message"),
            provider_ref=sid,
            detail=f"error {int(code)}" if code else "",
        )
    ]


SCHEMES = {"twilio": WebhookScheme(secret="auth_token", verify=verify, parse=parse)}  # noqa: S106  a field's name
