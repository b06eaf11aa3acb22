"""Receipts of Twilio: a form, signed together with the address it is sent to."""

import base64

from django.conf import settings
from django.http import HttpRequest

from messaging.models import Status
from messaging.webhooks.base import Said, Scheme, digest, matches, our_id

STATUSES = {
    "delivered": Status.DELIVERED,
    "undelivered": Status.BOUNCED,
    "failed": Status.FAILED,
}


def proves(token: str, request: HttpRequest) -> bool:
    """Whether the account's token signed it. There is no time in it: to say the same again changes nothing."""
    # Our own address, never the Host header: whoever sends chooses that.
    signed = f"{settings.SITE_URL}{request.get_full_path()}" + "".join(
        name + value
        for name in sorted(request.POST)
        for value in sorted(set(request.POST.getlist(name)))
    )
    ours = base64.b64encode(digest(token, signed, "sha1")).decode()
    return matches(request.headers["X-Twilio-Signature"], ours)


def read(request: HttpRequest) -> list[Said]:
    """What became of the message whose id we had put into the address."""
    status = STATUSES.get(request.POST["MessageStatus"])
    if status is None:
        return []
    sid, code = request.POST["MessageSid"], request.POST.get("ErrorCode", "")
    return [
        Said(
            key=f"{sid} {status}",
            status=status,
            message_id=our_id(request.GET.get("message")),
            provider_ref=sid,
            detail=f"error {int(code)}" if code else "",
        )
    ]


SCHEMES = {"twilio": Scheme(secret="auth_token", proves=proves, read=read)}  # noqa: S106  a field's name
