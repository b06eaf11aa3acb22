"""Email through the APIs that django-anymail speaks: its backends write the requests, our guard carries them."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import requests
from anymail.exceptions import AnymailError, AnymailNotSupportedWarning, AnymailRecipientsRefused
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from messaging.models import EMAIL
from messaging.providers.base import WEBHOOK_SECRET, Envelope, Field, Handed
from messaging.providers.http import ACCOUNT, ADDRESS, UNCLEAR, Http, Verdict, body
from messaging.providers.smtp import build

# SendGrid, which we test ourselves.
warnings.simplefilter("ignore", AnymailNotSupportedWarning)

SENDER = Field("sender", _("Sender"), required=False)


def _api(url: str, *others: str) -> Field:
    return Field("api_url", _("API address"), default=url, choices=(url, *others) if others else ())


class Wire:
    """What a backend takes for its session: our guarded one, with this message's key, and answers already judged."""

    def __init__(self, kind: Http, key: object) -> None:
        self.kind, self.key = kind, key
        self.response = requests.Response()

    def request(self, method: str, url: str, **request: Any) -> requests.Response:
        """Send one request. Raises as `Http.post`."""
        request.pop("timeout", None)
        self.response = self.kind.request(method, url, key=self.key, **request)
        return self.response


class Anymail(Http):
    """One of anymail's backends."""

    channel = EMAIL
    backend: ClassVar[str]
    # The fields that the backend wants to know, under the same names.
    told: ClassVar[tuple[str, ...]]
    # The headers of ours that the provider does not let a sender choose.
    unwanted: ClassVar[tuple[str, ...]] = ()

    def __init__(self, values: Mapping[str, str], *, receipts_url: str = "") -> None:
        super().__init__(values, receipts_url=receipts_url)
        # Only now: one of them takes a third of a second to import.
        self.make_backend: Callable[..., Any] = import_string(self.backend)

    def hand_over(self, envelope: Envelope) -> Handed:
        """Let the backend write the request."""
        email = self.email(envelope)
        wire = Wire(self, envelope.id)
        try:
            self.mailer(wire).send_messages([email])
        except AnymailRecipientsRefused:
            raise self.failure(ADDRESS, wire.response) from None
        except AnymailError:
            # Never its text: it quotes the answer.
            raise self.failure(UNCLEAR, wire.response) from None
        return self.handed(email.anymail_status.message_id, wire.response)

    # Any: anymail reads and writes attributes that Django's class does not have.
    def email(self, envelope: Envelope) -> Any:
        """The email, and what its receipts shall bring back."""
        email: Any = build(envelope, self.values["sender"])
        email.metadata = {"message": str(envelope.id)}
        for header in self.unwanted:
            del email.extra_headers[header]
        return email

    def mailer(self, wire: Wire) -> Any:
        """The backend, ready to send over `wire`."""
        mailer = self.make_backend(**{name: self.values[name] or None for name in self.told})
        mailer.session = wire
        return mailer


class Mailgun(Anymail):
    """Mailgun, in America or Europe."""

    kind, label = "mailgun", "Mailgun"
    backend = "anymail.backends.mailgun.EmailBackend"
    told = ("api_key", "sender_domain", "api_url")
    fields = (
        Field("api_key", _("API key"), secret=True),
        Field("sender_domain", _("Sending domain")),
        _api("https://api.mailgun.net/v3", "https://api.eu.mailgun.net/v3"),
        Field("webhook_key", _("HTTP webhook signing key"), secret=True, required=False),
        SENDER,
    )


class SendGrid(Anymail):
    """SendGrid, which anymail no longer tests."""

    kind, label = "sendgrid", "SendGrid"
    backend = "anymail.backends.sendgrid.EmailBackend"
    told = ("api_key", "api_url")
    fields = (
        Field("api_key", _("API key"), secret=True),
        _api("https://api.sendgrid.com/v3/"),
        Field("webhook_key", _("Webhook verification key"), required=False),
        SENDER,
    )

    def judge(self, response: requests.Response) -> None:
        """A message that SendGrid took is answered with 202 and nothing else: no other page will do."""
        super().judge(response)
        if response.status_code != requests.codes.accepted:
            raise self.failure(UNCLEAR, response)


class Postmark(Anymail):
    """Postmark."""

    kind, label = "postmark", "Postmark"
    backend = "anymail.backends.postmark.EmailBackend"
    told = ("server_token", "message_stream", "api_url")
    fields = (
        Field("server_token", _("Server API token"), secret=True),
        Field("message_stream", _("Message stream"), required=False),
        _api("https://api.postmarkapp.com/"),
        WEBHOOK_SECRET,
        SENDER,
    )
    # https://postmarkapp.com/developer/api/overview#error-codes
    codes: ClassVar[Mapping[str, Verdict]] = {
        **dict.fromkeys("400 401 402 405 411 412 413".split(), ACCOUNT),
        "406": ADDRESS,
    }

    def code(self, response: requests.Response) -> str:
        """Postmark's error code; its status is 422 for most."""
        return str(body(response).get("ErrorCode", ""))

    def email(self, envelope: Envelope) -> Any:
        """Ask Postmark to leave our Message-ID alone."""
        email = super().email(envelope)
        email.extra_headers["X-PM-KeepID"] = "true"
        return email


class Resend(Anymail):
    """Resend, which honours the idempotency key."""

    kind, label = "resend", "Resend"
    backend = "anymail.backends.resend.EmailBackend"
    told = ("api_key", "api_url")
    fields = (
        Field("api_key", _("API key"), secret=True),
        _api("https://api.resend.com/"),
        Field("webhook_key", _("Webhook signing secret"), secret=True, required=False),
        SENDER,
    )


class Brevo(Anymail):
    """Brevo, once Sendinblue."""

    kind, label = "brevo", "Brevo"
    backend = "anymail.backends.brevo.EmailBackend"
    told = ("api_key", "api_url")
    fields = (
        Field("api_key", _("API key"), secret=True),
        _api("https://api.brevo.com/v3/"),
        WEBHOOK_SECRET,
        SENDER,
    )


class Mailjet(Anymail):
    """Mailjet, which makes its own Message-ID."""

    kind, label = "mailjet", "Mailjet"
    backend = "anymail.backends.mailjet.EmailBackend"
    told = ("api_key", "secret_key", "api_url")
    unwanted = ("Message-ID",)
    fields = (
        Field("api_key", _("API key")),
        Field("secret_key", _("Secret key"), secret=True),
        _api("https://api.mailjet.com/v3.1/"),
        WEBHOOK_SECRET,
        SENDER,
    )
