"""Webhooks of the email providers that anymail knows: its parsers read them all, its checks verify some."""

import base64
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from anymail.exceptions import AnymailNotSupportedWarning
from anymail.signals import AnymailTrackingEvent, EventType
from anymail.utils import get_request_basic_auth
from anymail.webhooks.brevo import BrevoTrackingWebhookView
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from anymail.webhooks.mailjet import MailjetTrackingWebhookView
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from anymail.webhooks.resend import ResendTrackingWebhookView
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string

from messaging.models import Status
from messaging.providers import transport
from messaging.providers.smtp import reply_codes
from messaging.webhooks.base import (
    DeliveryEvent,
    WebhookScheme,
    hmac_digest,
    is_recent,
    json_object,
)

logger = logging.getLogger(__name__)

Verify = Callable[[str, HttpRequest], bool]

# Anymail says on every use that it no longer tests SendGrid; our tests do.
warnings.filterwarnings("ignore", category=AnymailNotSupportedWarning)

# The others (sent, deferred, opened, clicked) say nothing new about a message.
STATUSES = {
    EventType.DELIVERED: Status.DELIVERED,
    EventType.BOUNCED: Status.BOUNCED,
    EventType.REJECTED: Status.FAILED,
    EventType.FAILED: Status.FAILED,
    EventType.COMPLAINED: Status.COMPLAINED,
}

# Anymail's views want a secret of their own or warn; here they only parse, and WebhookScheme.verify comes first.
UNUSED = "-:-"

USER_PASSWORD = re.compile(r"[^:]+:.+")

# Where Amazon wants a subscription confirmed. No other webhook makes us call anybody.
SUBSCRIBE = re.compile(
    r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\?Action=ConfirmSubscription&[\w&=:%.-]+"
)


class SesParser:
    """Parses Amazon's notifications, which wrap an SES event in a text. Anymail parses the event."""

    def parse_events(self, request: HttpRequest) -> list[AnymailTrackingEvent]:
        """Parse one SNS message, or confirm the subscription when it asks for that."""
        payload = json_object(request)
        if payload["Type"] == "SubscriptionConfirmation":
            _subscribe(payload["SubscribeURL"])
        if payload["Type"] != "Notification" or payload["Message"].startswith(
            "Successfully validated"
        ):
            return []
        # Imported when needed: with it comes the whole of boto3, which opens a session in __init__.
        view = import_string("anymail.webhooks.amazon_ses.AmazonSESTrackingWebhookView")
        events = view.esp_to_anymail_events(
            view.__new__(view), json.loads(payload["Message"]), payload
        )
        return list(events)


def _subscribe(url: str) -> None:
    problem: object = "not an address of SNS"
    if SUBSCRIBE.fullmatch(url):
        try:
            problem = transport.session().get(url).status_code
        except transport.Unreachable as fault:
            problem = fault
    if problem != HTTPStatus.OK:
        # Staff can have it asked again in the SNS console.
        logger.warning("receipts: an SNS subscription was not confirmed: %s", problem)


def verify_basic_auth(secret: str, request: HttpRequest) -> bool:
    """Whether HTTP basic authentication carries the "user:password" that staff put into the webhook's address.

    Only the first colon separates: the rest belong to the password (RFC 7617, 2).
    """
    given = get_request_basic_auth(request) or ""
    return bool(USER_PASSWORD.fullmatch(secret)) and constant_time_compare(given, secret)


def verify_mailgun(key: str, request: HttpRequest) -> bool:
    """Mailgun signs a token and the time."""
    MailgunTrackingWebhookView(webhook_signing_key=key, webhook_secret=[]).run_validators(request)
    return is_recent(json_object(request)["signature"]["timestamp"])


def verify_sendgrid(key: str, request: HttpRequest) -> bool:
    """SendGrid signs the time and the body with a private key (ECDSA); staff entered the public one."""
    view = SendGridTrackingWebhookView(tracking_webhook_verification_key=key, webhook_secret=[])
    view.run_validators(request)
    return is_recent(request.headers["X-Twilio-Email-Event-Webhook-Timestamp"])


def verify_resend(key: str, request: HttpRequest) -> bool:
    """Resend signs as Svix does: id, time and body, by each of the keys that are in force."""
    call_id, made_at = request.headers["svix-id"], request.headers["svix-timestamp"]
    signed = f"{call_id}.{made_at}.".encode() + request.body
    expected = hmac_digest(base64.b64decode(key.removeprefix("whsec_")), signed, "sha256")
    signatures = [
        signature.removeprefix("v1,") for signature in request.headers["svix-signature"].split()
    ]
    ours = base64.b64encode(expected).decode()
    return is_recent(made_at) and any(
        constant_time_compare(signature, ours) for signature in signatures
    )


def anymail_parser(view: Any) -> Callable[[HttpRequest], list[DeliveryEvent]]:
    """Make a parser of one of anymail's webhook views."""

    def parse(request: HttpRequest) -> list[DeliveryEvent]:
        return list(_events(view.parse_events(request)))

    return parse


def batch_parser(view: Any) -> Callable[[object], list[DeliveryEvent]]:
    """Make a parser of one of anymail's webhook views, for one event of a batch."""

    def parse(part: object) -> list[DeliveryEvent]:
        return list(_events([view.esp_to_anymail_event(part)]))

    return parse


def split_batch(request: HttpRequest) -> list[object]:
    """The events in a list, or one that comes alone."""
    body = json.loads(request.body)
    return body if isinstance(body, list) else [body]


def _events(events: Iterable[AnymailTrackingEvent]) -> Iterable[DeliveryEvent]:
    for event in events:
        status = STATUSES.get(event.event_type)
        if status is None:
            continue
        yield DeliveryEvent(
            # Not by event_id: some providers have none, and others a new one whenever they try again.
            key=f"{event.message_id} {status} {event.timestamp}",
            status=status,
            message_id=(event.metadata or {}).get("message"),
            provider_ref=str(event.message_id or ""),
            detail=f"{event.reject_reason or ''} {reply_codes(event.mta_response)}".strip(),
            at=event.timestamp,
        )


_VERIFIED_BY_KEY = {
    "mailgun": (verify_mailgun, MailgunTrackingWebhookView(webhook_signing_key=UNUSED)),
    "sendgrid": (verify_sendgrid, SendGridTrackingWebhookView(webhook_secret=UNUSED)),
    "resend": (verify_resend, ResendTrackingWebhookView(webhook_secret=UNUSED)),
}
_VERIFIED_BY_PASSWORD = {
    "postmark": PostmarkTrackingWebhookView(webhook_secret=UNUSED),
    "brevo": BrevoTrackingWebhookView(webhook_secret=UNUSED),
    "mailjet": MailjetTrackingWebhookView(webhook_secret=UNUSED),
    "amazon_ses": SesParser(),
}
_IN_BATCHES = ("sendgrid", "mailjet")


def _scheme(kind: str, secret: str, verify: Verify, view: Any) -> WebhookScheme:
    if kind in _IN_BATCHES:
        return WebhookScheme(secret, verify, batch_parser(view), split_batch)
    return WebhookScheme(secret, verify, anymail_parser(view))


SCHEMES = {
    kind: _scheme(kind, "webhook_key", verify, view)
    for kind, (verify, view) in _VERIFIED_BY_KEY.items()
} | {
    kind: _scheme(kind, "webhook_secret", verify_basic_auth, view)
    for kind, view in _VERIFIED_BY_PASSWORD.items()
}
