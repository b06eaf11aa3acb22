"""Email over SMTP, to the server that EMAIL_URL or a row of staff names."""

import os
import select
import smtplib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.utils.translation import gettext_lazy as _

from messaging.models import EMAIL
from messaging.providers import transport
from messaging.providers.base import Envelope, Failure, Field, Handed, Kind, Permanent, Temporary

# An open line is asked whether it lives after a second of silence, and hung up after half a minute or so many messages.
ASK_AFTER, KEEP_FOR, MOST_MESSAGES = 1, 30, 100
# Answers (RFC 5321): it did as told, and from here on: never.
DONE, NEVER = 250, 500


def build(envelope: Envelope, sender: str = "") -> EmailMultiAlternatives:
    """Write the email: text and HTML saying the same, and the headers of an automatic answer (ux 79, 80)."""
    email = EmailMultiAlternatives(
        subject=envelope.letter.subject,
        body=envelope.letter.text,
        from_email=sender or None,
        to=[envelope.to],
        headers={
            # Auto-Submitted (RFC 3834) keeps out-of-office replies away. The id is the row's: the same at every try.
            "Auto-Submitted": "auto-generated",
            "Message-ID": f"<{envelope.id}@{_our_name()}>",
        },
    )
    email.attach_alternative(envelope.letter.html, "text/html")
    return email


def _our_name() -> str:
    return urlsplit(settings.SITE_URL).hostname or "localhost"


class Smtp(Kind):
    """A mail server, over a line that stays open between messages."""

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
    def of_settings(cls) -> "Smtp":
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

    def send(self, envelope: Envelope) -> Handed:
        """Hand the email over."""
        email = build(envelope, self.values["sender"])
        with self._failures(), transport.within(transport.TOTAL_SECONDS):
            try:
                said = _hand_over(email, self)
            except Stale:
                said = _hand_over(email, self)
        return Handed(answer=self.hush(said))

    def reach(self) -> None:
        """Open a connection and hang up."""
        with self._failures(), transport.within(transport.TOTAL_SECONDS):
            line = Line(self, login=False)
            line.hang_up()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Translate. Never str(error): it may quote the address or the text."""
        try:
            yield
        except transport.Unreachable as problem:
            raise Temporary(str(problem)) from None
        except smtplib.SMTPRecipientsRefused as error:
            (code, text), *_others = error.recipients.values()
            raise self._refused("address", code, text) from None
        except smtplib.SMTPResponseException as error:
            raise self._answered(error) from None
        except OSError as error:
            raise Temporary(transport.fault(error, otherwise=type(error).__name__)) from None
        except ValueError:
            # A port that is no number, a sender that is no address.
            raise Temporary("settings not understood") from None

    def _answered(self, error: smtplib.SMTPResponseException) -> Failure:
        code, text = error.smtp_code, error.smtp_error
        if isinstance(error, smtplib.SMTPDataError):
            return self._refused("message", code, text)
        auth = isinstance(error, smtplib.SMTPAuthenticationError)
        fault = "credentials refused" if auth else type(error).__name__
        return Temporary(fault, answer=self.hush(_words(code, text)))

    def _refused(self, what: str, code: int, text: bytes | str) -> Failure:
        answer = self.hush(_words(code, text))
        if code >= NEVER:
            return Permanent(f"{what} refused", answer=answer)
        return Temporary(f"{what} deferred", answer=answer)


def _words(code: int, text: bytes | str) -> str:
    return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"


class _Talk(smtplib.SMTP):
    """smtplib over a socket of our guard, open from the start. It remembers how far the last message went."""

    has_begun, said = False, ""

    def __init__(self, server: Smtp) -> None:
        self.server = server
        # A name of ours: by default the resolver is asked for it, for as long as it takes.
        super().__init__(
            server.values["host"], int(server.values["port"]), local_hostname=_our_name()
        )

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        security, by_operator = self.server.values["security"], self.server.by_operator
        line = transport.connect(host, port, plain=security == "none", anywhere=by_operator)
        if security == "tls":
            return transport.tls().wrap_socket(line, server_hostname=host)
        return line

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Hand over the text."""
        self.has_begun = True
        code, text = super().data(msg)
        self.said = _words(code, text)
        return code, text


class Stale(Exception):
    """A line that was kept turned out to be dead before the server heard any of the text: a new one may be tried."""


class Line:
    """An open connection to one server. Raises what smtplib and the guard raise."""

    def __init__(self, server: Smtp, *, login: bool = True) -> None:
        self.messages, self.used = 0, time.monotonic()
        self.talk = _Talk(server)
        try:
            self._open(server, login=login)
        except BaseException:
            self.drop()
            raise
        # Django's backend writes and hands over; we open and close.
        self.mailer = EmailBackend(fail_silently=False)
        self.mailer.connection = self.talk

    @property
    def was_stale(self) -> bool:
        """Whether a failure is that of a line kept too long: only while the text was not begun is that certain."""
        return self.messages > 0 and not self.talk.has_begun

    def _open(self, server: Smtp, *, login: bool) -> None:
        values, talk = server.values, self.talk
        talk.ehlo_or_helo_if_needed()
        if values["security"] == "starttls":
            if not talk.has_extn("starttls"):
                raise transport.Unreachable("no encryption offered")
            talk.starttls(context=transport.tls())
        if login and values["username"]:
            talk.login(values["username"], values["password"])

    def is_open(self) -> bool:
        """Whether it may carry one more message: nothing but the server's word is believed after a silence."""
        idle = time.monotonic() - self.used
        if idle > KEEP_FOR or self.messages >= MOST_MESSAGES:
            self.hang_up()
            return False
        # A server that has something to say unasked is saying goodbye.
        if self.talk.sock is None or select.select([self.talk.sock], [], [], 0)[0]:
            return False
        return idle < ASK_AFTER or self._answers()

    def _answers(self) -> bool:
        try:
            with transport.within(1):
                return self.talk.noop()[0] == DONE
        except (OSError, smtplib.SMTPException):
            return False

    def hang_up(self) -> None:
        """Say goodbye, if anybody listens."""
        with suppress(OSError, smtplib.SMTPException), transport.within(1):
            self.talk.quit()
        self.drop()

    def drop(self) -> None:
        """Close it without a word."""
        self.talk.close()


class _Here(threading.local):
    """The open lines of this thread, by server and login."""

    def __init__(self) -> None:
        self.lines: dict[tuple[object, ...], Line] = {}


_here = _Here()
os.register_at_fork(after_in_child=lambda: _here.lines.clear())


def _hand_over(email: EmailMultiAlternatives, server: Smtp) -> str:
    """Send over a kept or a new line; returns what the server said. A line is kept unless it fails."""
    key = (server.by_operator, *server.values.values())
    line = _kept(key) or Line(server)
    try:
        line.mailer.send_messages([email])
    except smtplib.SMTPRecipientsRefused:
        _keep(key, line)
        raise
    except BaseException as error:
        # From the text on nobody knows what the server heard: it is tried again later, under the same id.
        line.drop()
        if isinstance(error, smtplib.SMTPException) and line.was_stale:
            raise Stale from None
        raise
    _keep(key, line)
    return line.talk.said


def _kept(key: tuple[object, ...]) -> Line | None:
    line = _here.lines.pop(key, None)
    if line is None or line.is_open():
        return line
    line.drop()
    return None


def _keep(key: tuple[object, ...], line: Line) -> None:
    line.messages, line.used, line.talk.has_begun = line.messages + 1, time.monotonic(), False
    _here.lines[key] = line
