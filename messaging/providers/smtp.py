"""Email over SMTP, to the server that EMAIL_URL names."""

import smtplib
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from messaging.providers.base import Envelope, Permanent, Temporary


def build(envelope: Envelope) -> EmailMultiAlternatives:
    """Write the email: text and HTML saying the same, and the headers of an automatic answer (ux 79, 80)."""
    host = urlsplit(settings.SITE_URL).hostname
    email = EmailMultiAlternatives(
        subject=envelope.letter.subject,
        body=envelope.letter.text,
        to=[envelope.to],
        headers={
            # Auto-Submitted (RFC 3834) keeps out-of-office replies away. The id is the row's: the same at every try.
            "Auto-Submitted": "auto-generated",
            "Message-ID": f"<{envelope.id}@{host}>",
        },
    )
    email.attach_alternative(envelope.letter.html, "text/html")
    return email


class Smtp:
    """Django's SMTP backend with bounded patience."""

    name = "smtp"

    def send(self, envelope: Envelope) -> None:
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
