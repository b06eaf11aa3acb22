"""Email through the APIs that django-anymail knows: its backends write the requests, our guarded session sends them."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import requests
from anymail.exceptions import AnymailError, AnymailNotSupportedWarning, AnymailRecipientsRefused
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from messaging.models import EMAIL
from messaging.providers.base import WEBHOOK_SECRET, Envelope, Field, SendResult
from messaging.providers.http import ACCOUNT, ADDRESS, UNCLEAR, Fault, HttpBackend
from messaging.providers.smtp import build_email

# SendGrid, which we test ourselves.
warnings.simplefilter("ignore", AnymailNotSupportedWarning)

SENDER = Field("sender", _("Sender"), required=False)


def _api_url(url: str, *others: str) -> Field:
    return Field("api_url", _("API address"), default=url, choices=(url, *others) if others else ())


class MessageSession:
    """Stands for the requests session of an email backend: guarded, with one message's key, raising for refusals."""

    def __init__(self, backend: HttpBackend, key: object) -> None:
        self.backend, self.key = backend, key
        self.response = requests.Response()

    def request(self, method: str, url: str, **request: Any) -> requests.Response:
        """Make one request. Raises as `HttpBackend.post`."""
        request.pop("timeout", None)
        self.response = self.backend.request(method, url, key=self.key, **request)
        return self.response


class AnymailBackend(HttpBackend):
    """Sends through one of anymail's email backends."""

    channel = EMAIL
    email_backend: ClassVar[str]
    # The fields that the email backend takes as arguments, under the same names.
    backend_arguments: ClassVar[tuple[str, ...]]
    # The headers of ours that the provider does not let a sender choose.
    rejected_headers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, values: Mapping[str, str], *, receipts_url: str = "") -> None:
        super().__init__(values, receipts_url=receipts_url)
        # Only now: one of them takes a third of a second to import.
        self.email_backend_class: Callable[..., Any] = import_string(self.email_backend)

    def submit(self, envelope: Envelope) -> SendResult:
        email = self.build_email(envelope)
        session = MessageSession(self, envelope.id)
        try:
            self.connection(session).send_messages([email])
        except AnymailRecipientsRefused:
            raise self.failure(ADDRESS, session.response) from None
        except AnymailError:
            # Never its text: it quotes the response.
            raise self.failure(UNCLEAR, session.response) from None
        return self.accepted(email.anymail_status.message_id, session.response)

    # Any: anymail reads and writes attributes that Django's class does not have.
    def build_email(self, envelope: Envelope) -> Any:
        """The email, with the id that its receipts shall bring back."""
        email: Any = build_email(envelope, self.values["sender"])
        email.metadata = {"message": str(envelope.id)}
        for header in self.rejected_headers:
            del email.extra_headers[header]
        return email

    def connection(self, session: MessageSession) -> Any:
        """An instance of the email backend that sends through `session`."""
        arguments = {name: self.values[name] or None for name in self.backend_arguments}
        connection = self.email_backend_class(**arguments)
        connection.session = session
        return connection


class Mailgun(AnymailBackend):
    """Mailgun, in America or Europe."""

    kind, label = "mailgun", "Mailgun"
    email_backend = "anymail.backends.mailgun.EmailBackend"
    backend_arguments = ("api_key", "sender_domain", "api_url")
    fields = (
        Field("api_key", _("API key"), secret=True),
        Field("sender_domain", _("Sending domain")),
        _api_url("https://api.mailgun.net/v3", "https://api.eu.mailgun.net/v3"),
        Field("webhook_key", _("HTTP webhook signing key"), secret=True, required=False),
        SENDER,
    )


class SendGrid(AnymailBackend):
    """SendGrid, which anymail no longer tests."""

    kind, label = "sendgrid", "SendGrid"
    email_backend = "anymail.backends.sendgrid.EmailBackend"
    backend_arguments = ("api_key", "api_url")
    fields = (
        Field("api_key", _("API key"), secret=True),
        _api_url("https://api.sendgrid.com/v3/"),
        Field("webhook_key", _("Webhook verification key"), required=False),
        SENDER,
    )

    def raise_for_failure(self, response: requests.Response) -> None:
        """Raise for everything but 202, SendGrid's only status for a message that it took."""
        super().raise_for_failure(response)
        if response.status_code != requests.codes.accepted:
            raise self.failure(UNCLEAR, response)


class Postmark(AnymailBackend):
    kind, label = "postmark", "Postmark"
    email_backend = "anymail.backends.postmark.EmailBackend"
    backend_arguments = ("server_token", "message_stream", "api_url")
    fields = (
        Field("server_token", _("Server API token"), secret=True),
        Field("message_stream", _("Message stream"), required=False),
        _api_url("https://api.postmarkapp.com/"),
        WEBHOOK_SECRET,
        SENDER,
    )
    # https://postmarkapp.com/developer/api/overview#error-codes
    error_codes: ClassVar[Mapping[str, Fault]] = {
        **dict.fromkeys("400 401 402 405 411 412 413".split(), ACCOUNT),
        "406": ADDRESS,
    }

    # Its status is 422 for most.
    def error_code(self, response: requests.Response) -> str:
        return str(self.json_object(response).get("ErrorCode", ""))

    def build_email(self, envelope: Envelope) -> Any:
        """Ask Postmark to leave our Message-ID alone."""
        email = super().build_email(envelope)
        email.extra_headers["X-PM-KeepID"] = "true"
        return email


class Resend(AnymailBackend):
    """Resend, which honours the idempotency key."""

    kind, label = "resend", "Resend"
    email_backend = "anymail.backends.resend.EmailBackend"
    backend_arguments = ("api_key", "api_url")
    fields = (
        Field("api_key", _("API key"), secret=True),
        _api_url("https://api.resend.com/"),
        Field("webhook_key", _("Webhook signing secret"), secret=True, required=False),
        SENDER,
    )


class Brevo(AnymailBackend):
    """Brevo, once Sendinblue."""

    kind, label = "brevo", "Brevo"
    email_backend = "anymail.backends.brevo.EmailBackend"
    backend_arguments = ("api_key", "api_url")
    fields = (
        Field("api_key", _("API key"), secret=True),
        _api_url("https://api.brevo.com/v3/"),
        WEBHOOK_SECRET,
        SENDER,
    )


class Mailjet(AnymailBackend):
    """Mailjet, which makes its own Message-ID."""

    kind, label = "mailjet", "Mailjet"
    email_backend = "anymail.backends.mailjet.EmailBackend"
    backend_arguments = ("api_key", "secret_key", "api_url")
    rejected_headers = ("Message-ID",)
    fields = (
        Field("api_key", _("API key")),
        Field("secret_key", _("Secret key"), secret=True),
        _api_url("https://api.mailjet.com/v3.1/"),
        WEBHOOK_SECRET,
        SENDER,
    )
