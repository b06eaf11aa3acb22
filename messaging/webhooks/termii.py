"""Receipts of Termii: JSON whose body is signed. It knows a message by its own id only."""

from django.http import HttpRequest

from messaging.models import Status
from messaging.webhooks.base import Said, Scheme, digest, json_of, matches

# With the words we keep of each.
STATUSES = {
    "delivered": (Status.DELIVERED, ""),
    "dnd active on phone number": (Status.BOUNCED, "do not disturb"),
    "rejected": (Status.BOUNCED, "rejected"),
    "message failed": (Status.FAILED, "failed"),
    "failed": (Status.FAILED, "failed"),
    "expired": (Status.FAILED, "expired"),
}


def proves(key: str, request: HttpRequest) -> bool:
    """Whether the account's secret key signed the body. There is no time in it."""
    ours = digest(key, request.body, "sha512").hex()
    return matches(request.headers["X-Termii-Signature"].lower(), ours)


def read(request: HttpRequest) -> list[Said]:
    """What became of the message. The status may be followed by a bar and an explanation."""
    told = json_of(request)
    found = STATUSES.get(str(told["status"]).partition("|")[0].strip().lower())
    if found is None:
        return []
    status, detail = found
    ref = str(told["message_id"])
    return [Said(key=f"{ref} {status}", status=status, provider_ref=ref, detail=detail)]


SCHEMES = {"termii": Scheme(secret="webhook_key", proves=proves, read=read)}  # noqa: S106  a field's name
