"""Receipts of the email providers that anymail knows: its parsers read them all, its checks prove some."""

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
from django.utils.module_loading import import_string

from messaging.models import Status
from messaging.providers import transport
from messaging.webhooks.base import (
    Said,
    Scheme,
    digest,
    is_fresh,
    json_of,
    matches,
    our_id,
    smtp_code,
)

logger = logging.getLogger(__name__)

# Anymail says on every use that it no longer tests SendGrid; our tests do.
warnings.filterwarnings("ignore", category=AnymailNotSupportedWarning)

# What is not here (sent, deferred, opened, clicked) says nothing new about a message.
STATUSES = {
    EventType.DELIVERED: Status.DELIVERED,
    EventType.BOUNCED: Status.BOUNCED,
    EventType.REJECTED: Status.FAILED,
    EventType.FAILED: Status.FAILED,
    EventType.COMPLAINED: Status.COMPLAINED,
}

# Anymail's views want a secret of their own or warn; ours are only read with, and Scheme.proves comes first.
UNUSED = "-:-"

USER_PASSWORD = re.compile(r"[^:]+:.+")

# Where Amazon asks whether its notifications are wanted. Nothing else that comes by post makes us call anybody.
SUBSCRIBE = re.compile(
    r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\?Action=ConfirmSubscription&[\w&=:%.-]+"
)


class SesReader:
    """Amazon's notifications, which wrap what SES says in a text. Anymail's parser reads that."""

    def parse_events(self, request: HttpRequest) -> list[AnymailTrackingEvent]:
        """Read one SNS message, or answer it when it asks whether we want any."""
        told = json_of(request)
        if told["Type"] == "SubscriptionConfirmation":
            _subscribe(told["SubscribeURL"])
        if told["Type"] != "Notification" or told["Message"].startswith("Successfully validated"):
            return []
        # Loaded when there is something to read: with it comes the whole of boto3, which opens a session in __init__.
        view = import_string("anymail.webhooks.amazon_ses.AmazonSESTrackingWebhookView")
        events = view.esp_to_anymail_events(view.__new__(view), json.loads(told["Message"]), told)
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


def has_password(secret: str, request: HttpRequest) -> bool:
    """Whether HTTP basic authentication carries the "user:password" that staff put into the webhook's address.

    Only the first colon separates: the rest belong to the password (RFC 7617, 2).
    """
    given = get_request_basic_auth(request)
    return (
        given is not None and USER_PASSWORD.fullmatch(secret) is not None and matches(given, secret)
    )


def proves_mailgun(key: str, request: HttpRequest) -> bool:
    """Mailgun signs a token and the time."""
    MailgunTrackingWebhookView(webhook_signing_key=key, webhook_secret=[]).run_validators(request)
    return is_fresh(json_of(request)["signature"]["timestamp"])


def proves_sendgrid(key: str, request: HttpRequest) -> bool:
    """SendGrid signs the time and the body with a private key (ECDSA); staff entered the public one."""
    view = SendGridTrackingWebhookView(tracking_webhook_verification_key=key, webhook_secret=[])
    view.run_validators(request)
    return is_fresh(request.headers["X-Twilio-Email-Event-Webhook-Timestamp"])


def proves_resend(key: str, request: HttpRequest) -> bool:
    """Resend signs as Svix does: id, time and body, by each of the keys that are in force."""
    told, made_at = request.headers["svix-id"], request.headers["svix-timestamp"]
    signed = f"{told}.{made_at}.".encode() + request.body
    expected = digest(base64.b64decode(key.removeprefix("whsec_")), signed, "sha256")
    marks = [mark.removeprefix("v1,") for mark in request.headers["svix-signature"].split()]
    ours = base64.b64encode(expected).decode()
    return is_fresh(made_at) and any(matches(mark, ours) for mark in marks)


def reads_with(view: Any) -> Callable[[HttpRequest], list[Said]]:
    """Read receipts with one of anymail's webhook views."""

    def read(request: HttpRequest) -> list[Said]:
        return list(_said(view.parse_events(request)))

    return read


def _said(events: Iterable[AnymailTrackingEvent]) -> Iterable[Said]:
    for event in events:
        status = STATUSES.get(event.event_type)
        if status is None:
            continue
        yield Said(
            # Not by event_id: some providers have none, and others a new one whenever they try again.
            key=f"{event.message_id} {status} {event.timestamp}",
            status=status,
            message_id=our_id((event.metadata or {}).get("message")),
            provider_ref=str(event.message_id or ""),
            detail=f"{event.reject_reason or ''} {smtp_code(event.mta_response)}".strip(),
            at=event.timestamp,
        )


SCHEMES = {
    "mailgun": Scheme(
        secret="webhook_key",  # noqa: S106  a field's name
        proves=proves_mailgun,
        read=reads_with(MailgunTrackingWebhookView(webhook_signing_key=UNUSED)),
    ),
    "sendgrid": Scheme(
        secret="webhook_key",  # noqa: S106
        proves=proves_sendgrid,
        read=reads_with(SendGridTrackingWebhookView(webhook_secret=UNUSED)),
    ),
    "resend": Scheme(
        secret="webhook_key",  # noqa: S106
        proves=proves_resend,
        read=reads_with(ResendTrackingWebhookView(webhook_secret=UNUSED)),
    ),
    "postmark": Scheme(
        secret="webhook_secret",  # noqa: S106
        proves=has_password,
        read=reads_with(PostmarkTrackingWebhookView(webhook_secret=UNUSED)),
    ),
    "brevo": Scheme(
        secret="webhook_secret",  # noqa: S106
        proves=has_password,
        read=reads_with(BrevoTrackingWebhookView(webhook_secret=UNUSED)),
    ),
    "mailjet": Scheme(
        secret="webhook_secret",  # noqa: S106
        proves=has_password,
        read=reads_with(MailjetTrackingWebhookView(webhook_secret=UNUSED)),
    ),
    "amazon_ses": Scheme(
        secret="webhook_secret",  # noqa: S106
        proves=has_password,
        read=reads_with(SesReader()),
    ),
}
