"""Email over SMTP, to the server that EMAIL_URL or a row of staff names."""

import smtplib
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils.translation import gettext_lazy as _

from messaging.models import EMAIL
from messaging.providers.base import Envelope, Field, Handed, Kind, Permanent, Temporary


def build(envelope: Envelope, sender: str = "") -> EmailMultiAlternatives:
    """Write the email: text and HTML saying the same, and the headers of an automatic answer (ux 79, 80)."""
    host = urlsplit(settings.SITE_URL).hostname
    email = EmailMultiAlternatives(
        subject=envelope.letter.subject,
        body=envelope.letter.text,
        from_email=sender or None,
        to=[envelope.to],
        headers={
            # Auto-Submitted (RFC 3834) keeps out-of-office replies away. The id is the row's: the same at every try.
            "Auto-Submitted": "auto-generated",
            "Message-ID": f"<{envelope.id}@{host}>",
        },
    )
    email.attach_alternative(envelope.letter.html, "text/html")
    return email


class Smtp(Kind):
    """Django's SMTP backend with bounded patience."""

    kind = "smtp"
    label = "SMTP"
    channel = EMAIL
    fields = (
        Field("host", _("Server")),
        Field("port", _("Port"), default="587"),
        Field("security", _("Encryption"), default="starttls", choices=("starttls", "tls")),
        Field("username", _("User name"), required=False),
        Field("password", _("Password"), secret=True, required=False),
        Field("sender", _("Sender"), required=False),
    )

    @classmethod
    def of_settings(cls) -> "Smtp":
        """The server that EMAIL_URL names; its operator may leave encryption out."""
        return cls(
            {
                "host": settings.EMAIL_HOST,
                "port": str(settings.EMAIL_PORT),
                "username": settings.EMAIL_HOST_USER,
                "password": settings.EMAIL_HOST_PASSWORD,
            }
        )

    def send(self, envelope: Envelope) -> Handed:
        """Hand the email over."""
        email = build(envelope)
        email.connection = get_connection("django.core.mail.backends.smtp.EmailBackend")
        try:
            email.send()
        except smtplib.SMTPRecipientsRefused as error:
            if any(code >= 500 for code, _text in error.recipients.values()):  # noqa: PLR2004  SMTP 5xx
                raise Permanent("address refused") from None
            raise Temporary("address deferred") from None
        except (smtplib.SMTPException, OSError) as error:
            # Never str(error): it may quote the address or the text.
            raise Temporary(type(error).__name__) from None
        return Handed()

    def reach(self) -> None:
        """Open a connection and hang up."""
