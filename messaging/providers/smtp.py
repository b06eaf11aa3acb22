"""Email over SMTP, to the server that EMAIL_URL or a row of staff names."""

import os
import re
import select
import smtplib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from anymail.utils import parse_single_address
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import sanitize_address
from django.utils.translation import gettext_lazy as _

from messaging.models import EMAIL
from messaging.providers import transport
from messaging.providers.base import (
    Backend,
    Envelope,
    Failure,
    Field,
    PermanentFailure,
    ResponseSummary,
    SendResult,
    TemporaryFailure,
)

# Seconds of silence after which an open connection is checked, and closed; and after how many messages it is closed.
NOOP_AFTER, MAX_IDLE, MAX_MESSAGES = 1, 30, 100
# Reply codes (RFC 5321): done; and the first of those that mean not now, and never.
OK, TEMPORARY, PERMANENT = 250, 400, 500
# The codes of a reply; what follows is free text and may quote the address.
REPLY_CODES = re.compile(
    r"(?:^|[\s;:(])([45]\d\d)(?:[ -]([45]\.\d{1,3}\.\d{1,3}))?(?=[\s:;,.)-]|$)"
)
# The name that a mail server gives to a message that it has queued: Postfix says "queued as", Exim "id=".
QUEUE_ID = re.compile(r"\b(?:queued as |id=)([A-Za-z0-9-]{4,40})\b")


def build_email(envelope: Envelope, sender: str = "") -> EmailMultiAlternatives:
    """The email: text and HTML saying the same, and the headers of an automatic answer (ux 79, 80)."""
    email = EmailMultiAlternatives(
        subject=envelope.message.subject,
        body=envelope.message.text,
        from_email=sender or None,
        to=[envelope.to],
        headers={
            # Auto-Submitted (RFC 3834) keeps out-of-office replies away. The id is the row's: the same at every try.
            "Auto-Submitted": "auto-generated",
            "Message-ID": f"<{envelope.id}@{_host_name()}>",
        },
    )
    email.attach_alternative(envelope.message.html, "text/html")
    return email


def parse_sender(text: str) -> str:
    """Read one address to send from, with or without a name. Raises ValueError or AnymailError when it is none.

    By both of what mail is made with: Django's own takes a word for an address, anymail's a group.
    """
    return f"{sanitize_address(text, 'utf-8')} {parse_single_address(text)}"


def _host_name() -> str:
    return urlsplit(settings.SITE_URL).hostname or "localhost"


class Smtp(Backend):
    """A mail server, over a connection that stays open between messages."""

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

    def __init__(
        self, values: Mapping[str, str], *, receipts_url: str = "", by_operator: bool = False
    ) -> None:
        super().__init__(values, receipts_url=receipts_url)
        # Whoever sets the environment may name a server in the house; staff may not.
        self.by_operator = by_operator

    @classmethod
    def from_settings(cls) -> "Smtp":
        """The server that EMAIL_URL names; its operator may leave encryption out."""
        unencrypted = "none" if not settings.EMAIL_USE_TLS else "starttls"
        return cls(
            {
                "host": settings.EMAIL_HOST,
                "port": str(settings.EMAIL_PORT),
                "security": "tls" if settings.EMAIL_USE_SSL else unencrypted,
                "username": settings.EMAIL_HOST_USER,
                "password": settings.EMAIL_HOST_PASSWORD,
            },
            by_operator=True,
        )

    def send(self, envelope: Envelope) -> SendResult:
        email = build_email(envelope, self.values["sender"])
        with _failures(), transport.deadline(transport.TOTAL_SECONDS):
            try:
                reply = _submit(email, self)
            except StaleConnection:
                reply = _submit(email, self)
        return SendResult(response=_summarize(*reply))

    def ping(self) -> None:
        with _failures(), transport.deadline(transport.TOTAL_SECONDS):
            Connection(self, login=False).quit()


def reply_codes(reply: object) -> str:
    """The codes of a refusal in a mail server's reply, as in "550 5.1.1", or nothing."""
    found = REPLY_CODES.search(str(reply or ""))
    return " ".join(filter(None, found.groups())) if found else ""


@contextmanager
def _failures() -> Iterator[None]:
    """Translate errors. Never str(error): it may quote the address or the text."""
    try:
        yield
    except transport.Unreachable as problem:
        raise TemporaryFailure(str(problem)) from None
    except smtplib.SMTPRecipientsRefused as error:
        (code, text), *_others = error.recipients.values()
        raise _refusal("address", code, text) from None
    except smtplib.SMTPResponseException as error:
        raise _failure(error) from None
    except OSError as error:
        raise TemporaryFailure(
            transport.fault_name(error, otherwise=type(error).__name__)
        ) from None
    except ValueError:
        # A port that is no number, a sender that is no address.
        raise TemporaryFailure("settings not understood") from None


def _failure(error: smtplib.SMTPResponseException) -> Failure:
    code, text = error.smtp_code, error.smtp_error
    if isinstance(error, smtplib.SMTPDataError):
        return _refusal("message", code, text)
    is_login = isinstance(error, smtplib.SMTPAuthenticationError)
    fault = "credentials refused" if is_login else type(error).__name__
    return TemporaryFailure(fault, _summarize(code, text))


def _refusal(what: str, code: int, text: bytes | str) -> Failure:
    if code >= PERMANENT:
        return PermanentFailure(f"{what} refused", _summarize(code, text))
    return TemporaryFailure(f"{what} deferred", _summarize(code, text))


def _summarize(code: int, text: bytes | str) -> ResponseSummary:
    """Take from a reply what staff may see (OUT-07)."""
    reply = text.decode(errors="replace") if isinstance(text, bytes) else text
    codes = reply_codes(f"{code} {reply}") if code >= TEMPORARY else code
    queued = QUEUE_ID.search(reply)
    return ResponseSummary(status=f"SMTP {codes}", request_id=queued[1] if queued else "")


class _Client(smtplib.SMTP):
    """smtplib over a guarded socket, open from the start. It remembers how far the last message went."""

    has_begun = False
    reply: tuple[int, bytes | str] = (0, "")

    def __init__(self, server: Smtp) -> None:
        self.server = server
        # A name of ours: by default the resolver is asked for it, for as long as it takes.
        super().__init__(
            server.values["host"], int(server.values["port"]), local_hostname=_host_name()
        )

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        security, by_operator = self.server.values["security"], self.server.by_operator
        sock = transport.connect(host, port, plain=security == "none", anywhere=by_operator)
        if security == "tls":
            return transport.tls_context().wrap_socket(sock, server_hostname=host)
        return sock

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.has_begun = True
        self.reply = super().data(msg)
        return self.reply


class StaleConnection(Exception):
    """A connection that was kept was dead before the server heard any of the text: a new one may be tried."""


class Connection:
    """An open connection to one server. Raises what smtplib and transport raise."""

    def __init__(self, server: Smtp, *, login: bool = True) -> None:
        self.messages, self.used = 0, time.monotonic()
        self.client = _Client(server)
        try:
            self._open(server, login=login)
        except BaseException:
            self.close()
            raise
        # Django's backend writes and submits; we open and close.
        self.email_backend = EmailBackend(fail_silently=False)
        self.email_backend.connection = self.client

    @property
    def was_stale(self) -> bool:
        """Whether a failure is due to a connection kept too long: certain only while the text was not begun."""
        return self.messages > 0 and not self.client.has_begun

    def _open(self, server: Smtp, *, login: bool) -> None:
        values, client = server.values, self.client
        client.ehlo_or_helo_if_needed()
        if values["security"] == "starttls":
            if not client.has_extn("starttls"):
                raise transport.Unreachable("no encryption offered")
            client.starttls(context=transport.tls_context())
        if login and values["username"]:
            client.login(values["username"], values["password"])

    def is_usable(self) -> bool:
        """Whether one more message may be sent: after a silence nothing but the server's reply is believed."""
        idle = time.monotonic() - self.used
        if idle > MAX_IDLE or self.messages >= MAX_MESSAGES:
            self.quit()
            return False
        # A server that says something unasked is closing the connection.
        if self.client.sock is None or select.select([self.client.sock], [], [], 0)[0]:
            return False
        return idle < NOOP_AFTER or self._answers()

    def _answers(self) -> bool:
        try:
            with transport.deadline(1):
                return self.client.noop()[0] == OK
        except (OSError, smtplib.SMTPException):
            return False

    def quit(self) -> None:
        with suppress(OSError, smtplib.SMTPException), transport.deadline(1):
            self.client.quit()
        self.close()

    def close(self) -> None:
        self.client.close()


class _ThreadState(threading.local):
    """The open connections of this thread, by server and login."""

    def __init__(self) -> None:
        self.connections: dict[tuple[object, ...], Connection] = {}


_local = _ThreadState()
os.register_at_fork(after_in_child=lambda: _local.connections.clear())


def _submit(email: EmailMultiAlternatives, server: Smtp) -> tuple[int, bytes | str]:
    """Send over a kept or a new connection; returns the server's reply. A connection is kept unless it fails."""
    key = (server.by_operator, *server.values.values())
    connection = _take_idle(key) or Connection(server)
    try:
        connection.email_backend.send_messages([email])
    except smtplib.SMTPRecipientsRefused:
        _keep_open(key, connection)
        raise
    except BaseException as error:
        # From the text on nobody knows what the server heard: it is tried again later, under the same id.
        connection.close()
        if isinstance(error, smtplib.SMTPException) and connection.was_stale:
            raise StaleConnection from None
        raise
    _keep_open(key, connection)
    return connection.client.reply


def _take_idle(key: tuple[object, ...]) -> Connection | None:
    connection = _local.connections.pop(key, None)
    if connection is None or connection.is_usable():
        return connection
    connection.close()
    return None


def _keep_open(key: tuple[object, ...], connection: Connection) -> None:
    connection.messages, connection.used = connection.messages + 1, time.monotonic()
    connection.client.has_begun = False
    _local.connections[key] = connection
