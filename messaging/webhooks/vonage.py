"""Receipts of Vonage's SMS API: a form or JSON, signed parameter by parameter."""

from django.http import HttpRequest

from messaging.models import Status
from messaging.webhooks.base import Said, Scheme, digest, is_fresh, json_of, matches, our_id

STATUSES = {
    "delivered": Status.DELIVERED,
    "rejected": Status.BOUNCED,
    "failed": Status.FAILED,
    "expired": Status.FAILED,
}
CLEAN = str.maketrans("&=", "__")


def proves(secret: str, request: HttpRequest) -> bool:
    """Whether the account's signature secret signed it, by HMAC-SHA-256, in the last minutes."""
    told = _told(request)
    mark = told.pop("sig")
    signed = "".join(f"&{name}={told[name].translate(CLEAN)}" for name in sorted(told))
    ours = digest(secret, signed, "sha256").hex()
    return is_fresh(told["timestamp"]) and matches(mark.lower(), ours)


def read(request: HttpRequest) -> list[Said]:
    """What became of the message; client-ref is our own id."""
    told = _told(request)
    status, code = STATUSES.get(told["status"]), int(told.get("err-code", 0))
    if status is None:
        return []
    return [
        Said(
            key=f"{told['messageId']} {status}",
            status=status,
            message_id=our_id(told.get("client-ref")),
            provider_ref=told["messageId"],
            detail=f"error {code}" if code else "",
        )
    ]


def _told(request: HttpRequest) -> dict[str, str]:
    told = json_of(request) if request.content_type == "application/json" else request.POST.dict()
    return {name: str(value) for name, value in told.items()}


SCHEMES = {"vonage": Scheme(secret="signature_secret", proves=proves, read=read)}  # noqa: S106  a field's name
