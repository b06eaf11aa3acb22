"""Each kind of provider takes a real message over a real line, and each of its faults is understood."""

import logging
import os
import socket
import ssl
import threading
import time
import traceback
import uuid
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.utils import format_datetime, parseaddr

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography.fernet import Fernet
from django.utils.timezone import now

from accounts.flows import challenge as challenges
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose
from accounts.sessions.client import ClientInfo
from messaging import providers
from messaging.models import EMAIL, SMS, OutboxMessage, Provider, Readiness, Status
from messaging.outbox.composing import RenderedMessage
from messaging.providers import BACKENDS, smtp, transport
from messaging.providers.base import Envelope, PermanentFailure, ResponseSummary, TemporaryFailure
from messaging.providers.smtp import Smtp
from messaging.tasks import sweep
from tests.support.people import time_passes
from tests.support.provider_server import (
    ACTIONS,
    APIS,
    EMAIL_KINDS,
    SECRET,
    TEXT_KINDS,
    Answer,
    ProviderServer,
    certificate,
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore::anymail.exceptions.AnymailNotSupportedWarning")

ANA, BEA = "ana@example.com", "+447400123456"
HERE = ClientInfo(ip="203.0.113.7")
RECEIPTS = "https://shop.example/receipts/"
CODE = "271828"


@pytest.fixture(autouse=True)
def _fresh(settings, monkeypatch):
    """Providers of staff on this machine, nothing else, and no open lines."""
    settings.PROVIDER_NETWORKS, settings.MAILBOX = ["127.0.0.0/8"], False
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    transport._local.__dict__.clear()
    smtp._local.connections.clear()


@pytest.fixture
def server():
    """All providers with an API."""
    with closing(ProviderServer()) as server:
        yield server


def enter(kind, channel, options, secrets):
    """Staff enter a provider."""
    row = Provider(
        name="One", kind=kind, channel=channel, options=options, readiness=Readiness.TESTED
    )
    for name, secret in secrets.items():
        row.set_secret(name, secret)
    row.save()
    return row


def hired(server, kind):
    """The kind, with what staff would enter."""
    return BACKENDS[kind](server.values(kind), receipts_url=RECEIPTS)


def envelope(kind, text=f"Your code is {CODE}"):
    """A message for Ana or Bea."""
    if BACKENDS[kind].channel == SMS:
        return Envelope(uuid.uuid4(), BEA, RenderedMessage(text=text))
    return Envelope(
        uuid.uuid4(), ANA, RenderedMessage(text, f"{CODE} is your code", f"<p>{text}</p>")
    )


def failure(kind, message):
    """How it fails to send."""
    with pytest.raises((TemporaryFailure, PermanentFailure)) as caught:
        kind.send(message)
    return caught.value


# A message arrives


@pytest.mark.parametrize("kind", EMAIL_KINDS)
def test_an_email_arrives_with_all_its_parts(db, server, kind):  # promise 0.18, OUT-03
    one = enter(kind, EMAIL, server.options(kind), server.secrets(kind))
    challenges.issue(Purpose.REGISTER, parse(ANA), client=HERE)

    sweep()

    (mail,), code, row = server.messages, Challenge.objects.get().code, OutboxMessage.objects.get()
    assert (mail.to, mail.sender, mail.kind) == (ANA, "hello@shop.example", kind)
    assert all(code in part for part in [mail.subject, mail.text, mail.html])
    assert (mail.id, mail.key) == (str(row.pk), str(row.pk))
    assert mail.headers["Auto-Submitted"] == "auto-generated"
    assert (row.status, row.provider_id, row.error) == (Status.SENT, one.pk, "")
    assert row.provider_ref.strip("<>").split("@")[0] == mail.ref


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_a_text_arrives(db, server, kind):  # promise 0.18, OUT-03
    one = enter(kind, SMS, server.options(kind), server.secrets(kind))
    challenges.issue(Purpose.REGISTER, parse(BEA), client=HERE)

    sweep()

    (text,), row = server.messages, OutboxMessage.objects.get()
    assert (text.to, text.sender) == (BEA, server.options(kind)["sender"])
    assert Challenge.objects.get().code in text.text
    assert (row.status, row.provider_id, row.provider_ref) == (Status.SENT, one.pk, text.ref)
    assert text.key == str(row.pk)


def test_a_provider_of_the_environment_needs_no_row(db, server, settings):  # promise 0.18
    settings.SMS_URL = (
        f"vonage://?api_key=vonage-key&api_secret={SECRET}&sender=Shop&api_url={server.url}/vonage"
    )
    challenges.issue(Purpose.REGISTER, parse(BEA), client=HERE)

    sweep()

    assert server.messages[0].to == BEA
    assert OutboxMessage.objects.get().provider_id == providers.environment_id("vonage")


@pytest.mark.parametrize("kind", sorted({*EMAIL_KINDS} - {"mailjet"}))
def test_every_try_has_the_same_message_id(server, kind):  # OUT-03
    message = envelope(kind)

    hired(server, kind).send(message)
    hired(server, kind).send(message)

    headers = [
        {name.title(): value for name, value in mail.headers.items()} for mail in server.messages
    ]
    assert [kept["Message-Id"] for kept in headers] == [f"<{message.id}@shop.example>"] * 2


@pytest.mark.parametrize("kind", EMAIL_KINDS)
def test_a_row_may_name_its_own_sender(server, kind):
    values = {**server.values(kind), "sender": "Shop <desk@shop.example>"}

    BACKENDS[kind](values).send(envelope(kind))

    assert server.messages[0].sender == "desk@shop.example"


@pytest.mark.parametrize("kind", APIS)
def test_staff_see_the_status_and_the_id_of_the_request(server, kind):  # OUT-07
    server.behave = lambda request: replace(
        server.answer(request), headers={"X-Request-Id": "req_5f-1"}
    )

    sent = hired(server, kind).send(envelope(kind))

    assert sent.response.status.startswith("HTTP 20")
    assert (sent.response.error_code, sent.response.request_id) == ("", "req_5f-1")


@pytest.mark.parametrize("kind", APIS)
def test_many_messages_share_a_connection(server, kind):  # OUT-05
    for _ in range(3):
        hired(server, kind).send(envelope(kind))

    assert (len(server.messages), server.connections) == (3, 1)


def test_a_messaging_service_is_a_sender_too(server):
    BACKENDS["twilio"]({**server.values("twilio"), "sender": "MG1"}).send(envelope("twilio"))

    assert "From" not in server.requests[0].form
    assert server.messages[0].sender == "MG1"


@pytest.mark.parametrize("kind", ["twilio", "vonage"])
def test_receipts_come_to_us(server, kind):
    message = envelope(kind)
    hired(server, kind).send(message)

    assert server.messages[0].callback.startswith(RECEIPTS)
    assert server.messages[0].id == str(message.id)


@pytest.mark.parametrize(("text", "type_"), [("Код 1", "unicode"), ("Code é€ 1", "text")])
def test_vonage_is_told_when_a_text_needs_unicode(server, text, type_):
    hired(server, "vonage").send(envelope("vonage", text))

    assert (server.messages[0].text, server.messages[0].headers["type"]) == (text, type_)


# A message does not arrive


@pytest.mark.sample(44)
@pytest.mark.parametrize("kind", APIS)
@pytest.mark.parametrize(
    ("action", "outcome", "fault"),
    [
        (400, PermanentFailure, ("refused with 400", "address refused")),
        (422, PermanentFailure, ("refused with 422",)),
        (401, TemporaryFailure, ("credentials refused",)),
        (403, TemporaryFailure, ("credentials refused",)),
        (402, TemporaryFailure, ("account refused",)),
        (404, TemporaryFailure, ("account refused",)),
        (429, TemporaryFailure, ("too many messages",)),
        (500, TemporaryFailure, ("answered 500",)),
        (503, TemporaryFailure, ("answered 503",)),
        (302, TemporaryFailure, ("redirected",)),
        ("reset", TemporaryFailure, ("ConnectionResetError", "no connection")),
        ("garbage", TemporaryFailure, ("answer not understood",)),
    ],
    ids=str,
)
def test_a_fault_is_told_from_a_refusal(server, kind, action, outcome, fault):  # OUT-05
    server.behave = lambda request: action

    failed = failure(hired(server, kind), envelope(kind))

    assert (type(failed), str(failed)) in [(outcome, words) for words in fault]
    assert server.messages == []
    assert len(server.requests) == 1


@pytest.mark.sample(8)
@pytest.mark.parametrize("kind", APIS)
@pytest.mark.parametrize("action", ["hang", "drip"])
def test_nobody_is_waited_for_past_the_deadline(server, monkeypatch, kind, action):  # OUT-05
    hired(server, kind).send(envelope(kind))  # what is imported and compiled once is no waiting
    monkeypatch.setattr(transport, "TOTAL_SECONDS", 0.4)
    server.behave = lambda request: action
    start = time.monotonic()

    assert str(failure(hired(server, kind), envelope(kind))) == "timed out"
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("kind", APIS)
def test_the_wrong_secret_is_a_fault_of_ours(server, kind):  # OUT-05
    values = {**server.values(kind), **dict.fromkeys(server.secrets(kind), "wrong")}
    if kind == "amazon_ses":
        values["access_key_id"] = "AKIAWRONG"

    failed = failure(BACKENDS[kind](values), envelope(kind))

    assert (type(failed), str(failed)) == (TemporaryFailure, "credentials refused")
    assert failed.response.status == "HTTP 401"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("86400", 600),
        ("9" * 40, 600),
        (lambda: _date(30), 30),
        (lambda: _date(86400), 600),
        (lambda: _date(-60), 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("٧", None),
        ("1.5", None),
    ],
    ids=[
        "seconds",
        "none",
        "a day",
        "many",
        "date",
        "far date",
        "past",
        "word",
        "minus",
        "empty",
        "arabic",
        "part",
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_provider_may_ask_for_a_pause(server, status, header, seconds):  # OUT-05
    asked = header() if callable(header) else header
    server.behave = lambda request: Answer(
        status, "", {"Retry-After": asked.encode().decode("latin-1")}
    )

    wait = failure(hired(server, "twilio"), envelope("twilio")).retry_after

    if seconds is None:
        assert wait is None
    else:
        assert abs(wait.total_seconds() - seconds) < 2


def _date(seconds):
    return format_datetime(now() + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("code", "outcome", "fault"),
    [
        (21211, PermanentFailure, "address refused"),
        (21610, PermanentFailure, "address refused"),
        (21614, PermanentFailure, "address refused"),
        (30005, PermanentFailure, "address refused"),
        (30006, PermanentFailure, "address refused"),
        (21602, PermanentFailure, "refused with 400"),
        (20003, TemporaryFailure, "credentials refused"),
        (20429, TemporaryFailure, "too many messages"),
        (21606, TemporaryFailure, "account refused"),
    ],
)
def test_twilio_says_why(server, code, outcome, fault):  # OUT-05
    server.behave = lambda request: Answer(400, {"code": code, "status": 400})

    failed = failure(hired(server, "twilio"), envelope("twilio"))

    assert (type(failed), str(failed)) == (outcome, fault)


@pytest.mark.parametrize(
    ("status", "outcome", "fault"),
    [
        ("1", TemporaryFailure, "too many messages"),
        ("4", TemporaryFailure, "credentials refused"),
        ("5", TemporaryFailure, "server trouble"),
        ("6", PermanentFailure, "address refused"),
        ("7", PermanentFailure, "address refused"),
        ("9", TemporaryFailure, "account refused"),
        ("15", PermanentFailure, "message refused"),
        ("99", TemporaryFailure, "answer not understood"),
        (None, TemporaryFailure, "answer not understood"),
    ],
)
def test_vonage_says_200_and_means_otherwise(server, status, outcome, fault):  # OUT-05
    server.behave = lambda request: Answer(
        200, {"messages": [{"status": status, "error-text": ANA}]}
    )

    failed = failure(hired(server, "vonage"), envelope("vonage"))

    assert (type(failed), str(failed)) == (outcome, fault)


@pytest.mark.parametrize(
    ("kind", "answer", "outcome", "fault"),
    [
        (
            "postmark",
            Answer(422, {"ErrorCode": 406, "Message": "Inactive"}),
            PermanentFailure,
            "address refused",
        ),
        (
            "postmark",
            Answer(422, {"ErrorCode": 405, "Message": "Credits"}),
            TemporaryFailure,
            "account refused",
        ),
        (
            "postmark",
            Answer(422, {"ErrorCode": 300, "Message": "Invalid"}),
            PermanentFailure,
            "refused with 422",
        ),
        (
            "zeptomail",
            Answer(500, {"error": {"code": "TM_3501", "details": [{"code": "LE_101"}]}}),
            TemporaryFailure,
            "account refused",
        ),
        (
            "amazon_ses",
            Answer(400, {}, {"x-amzn-ErrorType": "MessageRejected"}),
            TemporaryFailure,
            "account refused",
        ),
        (
            "amazon_ses",
            Answer(400, {"__type": "ns#SendingPausedException"}),
            TemporaryFailure,
            "account refused",
        ),
        (
            "resend",
            Answer(409, {"name": "concurrent_idempotent_requests"}),
            TemporaryFailure,
            "answered 409",
        ),
        ("termii", Answer(200, {"code": "ok"}), TemporaryFailure, "answer not understood"),
        ("brevo", Answer(200, ""), TemporaryFailure, "answer not understood"),
        ("sendgrid", Answer(200, ""), TemporaryFailure, "answer not understood"),
        ("termii", Answer(200, "[]"), TemporaryFailure, "answer not understood"),
        ("resend", Answer(200, {"no": "id"}), TemporaryFailure, "answer not understood"),
        ("zeptomail", Answer(200, {"data": []}), TemporaryFailure, "answer not understood"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_others_have_words_of_their_own(server, kind, answer, outcome, fault):  # OUT-05
    server.behave = lambda request: answer

    failed = failure(hired(server, kind), envelope(kind))

    assert (type(failed), str(failed)) == (outcome, fault)


@pytest.mark.sample(20)
@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        *[(kind, {"api_url": "file:///etc/passwd"}) for kind in APIS],
        *[(kind, {"api_url": "https://10.0.0.1/"}) for kind in APIS],
        *[(kind, {"api_url": "http://example.com/"}) for kind in APIS],
        *[(kind, {"sender": "nobody\nBcc: all@example.com"}) for kind in APIS],
        *[(kind, {"sender": "no address"}) for kind in EMAIL_KINDS],
        ("amazon_ses", {"region": "eu west/../@evil"}),
        ("amazon_ses", {"region": ""}),
        ("amazon_ses", {"access_key_id": "", "secret_access_key": ""}),
        ("mailgun", {"sender_domain": "a/b"}),
        ("mailgun", {"sender_domain": ""}),
        ("twilio", {"account_sid": "../../evil"}),
        ("smtp", {"host": "127.0.0.1", "port": "no number"}),
        ("smtp", {"host": "\x00", "port": "1"}),
        ("smtp", {"host": "127.0.0.1", "port": "99999999"}),
    ],
)
def test_what_staff_mistype_is_a_fault_and_not_a_crash(server, kind, wrong):  # OUT-05, ADM-07
    known = server.values(kind) if kind in APIS else {}
    mistyped = BACKENDS[kind]({**known, **wrong})

    told = ""
    try:
        mistyped.send(envelope(kind))
    except (TemporaryFailure, PermanentFailure) as failed:
        told = str(failed)

    assert not any(value in told for value in wrong.values() if value)
    assert not any("Bcc" in str(message.headers) for message in server.messages)


# What is told of it


@pytest.mark.sample(26)
@pytest.mark.parametrize("kind", APIS)
@pytest.mark.parametrize("action", [None, 400, 401, 429, 500, "reset", "garbage"], ids=str)
def test_no_secret_address_or_code_is_told(server, caplog, kind, action):  # OUT-07, LOG-03
    caplog.set_level(logging.DEBUG)
    server.behave = lambda request: action

    try:
        hired(server, kind).send(envelope(kind))
        told = ""
    except (TemporaryFailure, PermanentFailure) as failed:
        told = "".join(traceback.format_exception(failed))

    for secret in [SECRET, ANA, BEA, BEA[1:], CODE]:
        assert secret not in told
        assert secret not in caplog.text


@pytest.mark.parametrize("kind", APIS)
def test_a_secret_that_a_provider_repeats_is_not_shown(server, kind):  # ADM-05
    said = f"Wrong key {SECRET}!"
    codes = {
        "code": said,
        "ErrorCode": said,
        "__type": said,
        "error": {"details": [{"code": said}]},
    }
    server.behave = lambda request: Answer(500, codes, {"X-Request-Id": said})

    response = failure(hired(server, kind), envelope(kind)).response

    assert response == ResponseSummary(status="HTTP 500")


@pytest.mark.parametrize(
    ("kind", "answer", "code"),
    [
        ("twilio", Answer(400, {"code": 21211}), "21211"),
        ("twilio", Answer(400, {"code": 21602}), "21602"),
        ("vonage", Answer(200, {"messages": [{"status": "4"}]}), "4"),
        ("postmark", Answer(422, {"ErrorCode": 406}), "406"),
        ("amazon_ses", Answer(400, {"__type": "MessageRejected"}), "MessageRejected"),
        ("amazon_ses", Answer(400, {"__type": "SomethingNew"}), ""),
    ],
)
def test_staff_see_the_error_code_that_the_provider_documents(server, kind, answer, code):  # OUT-07
    server.behave = lambda request: answer

    failed = failure(hired(server, kind), envelope(kind))

    assert failed.response.error_code == code


def test_the_row_names_the_fault_alone(db, server):  # OUT-07
    enter("twilio", SMS, server.options("twilio"), server.secrets("twilio"))
    challenges.issue(Purpose.REGISTER, parse(BEA), client=HERE)
    server.behave = lambda request: Answer(500, request.content.decode() + SECRET)

    sweep()

    assert OutboxMessage.objects.get().error == "One: answered 500"


# Is it there?


@pytest.mark.parametrize("kind", APIS)
def test_a_server_that_answers_is_within_reach(server, kind):
    hired(server, kind).ping()

    assert server.messages == []
    assert [request.method for request in server.requests] == ["HEAD"]


@pytest.mark.parametrize("kind", APIS)
def test_a_server_in_trouble_or_gone_is_not(server, kind):
    server.behave = lambda request: 500
    with pytest.raises(TemporaryFailure, match="answered 500"):
        hired(server, kind).ping()

    server.close()
    with pytest.raises(TemporaryFailure):
        hired(server, kind).ping()


# Mail servers


class PostOffice:
    """A mail server that keeps what it gets and counts who calls."""

    def __init__(self, **how):
        self.mails, self.sessions, self.logins = [], set(), []
        self.data, self.rcpt, self.noop = "250 kept as 4711", "250 OK", "250 OK"
        self.most = 100
        self.how = how

    def open(self, port=0):
        """Begin to listen."""
        with socket.create_server(("127.0.0.1", port)) as free:
            self.port = free.getsockname()[1]
        self.controller = Controller(
            self, hostname="127.0.0.1", port=self.port, authenticator=self._authenticate, **self.how
        )
        self.controller.start()
        return self

    def close(self):
        """Stop listening."""
        self.controller.stop()

    def _authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password.decode() == SECRET, handled=False)

    async def handle_NOOP(self, server, session, envelope, arg):  # noqa: N802
        return self.noop

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        session.mails = getattr(session, "mails", 0) + 1
        if session.mails > self.most:
            return "421 enough for one call"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.sessions.add(session.peer)
        if self.data.startswith("250"):
            self.mails.append(envelope)
        return self.data


@contextmanager
def mail_server(**how):
    """A mail server, for a while."""
    office = PostOffice(**how).open()
    try:
        yield office
    finally:
        smtp._local.connections.clear()
        office.close()


@pytest.fixture
def papers(monkeypatch):
    """A trusted certificate for this machine."""
    path = certificate("127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    transport.tls_context.cache_clear()
    yield _papers(path)
    transport.tls_context.cache_clear()


def _papers(path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def encrypted(papers, security):
    """How a mail server encrypts."""
    if security == "starttls":
        return {"tls_context": papers, "require_starttls": True}
    # aiosmtpd counts as encrypted only what STARTTLS began.
    return {"ssl_context": papers, "auth_require_tls": False}


def mailer(office, security="none", **values):
    """Staff's entry for it."""
    return Smtp({"host": "127.0.0.1", "port": str(office.port), "security": security, **values})


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_out_encrypted_with_our_name_and_password(
    db, papers, security
):  # promise 0.18, ADM-07
    with mail_server(**encrypted(papers, security)) as office:
        options = {"host": "127.0.0.1", "port": str(office.port), "security": security}
        options |= {"username": "shop", "sender": "Shop <desk@shop.example>"}
        enter("smtp", EMAIL, options, {"password": SECRET})
        challenges.issue(Purpose.REGISTER, parse(ANA), client=HERE)
        sweep()

    (mail,), row = office.mails, OutboxMessage.objects.get()
    message = message_from_bytes(mail.content, policy=policy.default)
    assert (mail.rcpt_tos, mail.mail_from) == ([ANA], "desk@shop.example")
    assert parseaddr(message["From"])[1] == "desk@shop.example"
    assert message["Message-ID"] == f"<{row.pk}@shop.example>"
    assert office.logins == [("shop", SECRET)]
    assert (row.status, row.provider_id) == (Status.SENT, Provider.objects.get().pk)


@pytest.mark.parametrize(
    ("reply", "queue_id"),
    [
        ("250 2.0.0 Ok: queued as 4F2A1", "4F2A1"),
        ("250 OK id=1abC-0004-x", "1abC-0004-x"),
        ("250 kept", ""),
    ],
)
def test_staff_see_under_which_name_the_mail_server_queued_it(reply, queue_id):  # OUT-07
    with mail_server() as office:
        office.data = reply
        sent = mailer(office).send(envelope("smtp"))

    assert sent.response == ResponseSummary(status="SMTP 250", request_id=queue_id)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_server_with_a_certificate_of_its_own_making_is_told_nothing(security):  # ADM-07
    with mail_server(**encrypted(_papers(certificate("127.0.0.1")), security)) as office:
        failed = failure(
            mailer(office, security, username="shop", password=SECRET), envelope("smtp")
        )

    assert (type(failed), str(failed)) == (TemporaryFailure, "certificate not trusted")
    assert (office.mails, office.logins) == ([], [])


def test_when_encryption_is_stripped_nothing_is_sent():  # ADM-07
    with mail_server(auth_require_tls=False) as office:
        row = mailer(office, "starttls", username="shop", password=SECRET)
        failed = failure(row, envelope("smtp"))

    assert (type(failed), str(failed)) == (TemporaryFailure, "no encryption offered")
    assert (office.mails, office.logins) == ([], [])


def test_staff_cannot_send_mail_in_the_clear_or_into_the_house(settings):  # ADM-07
    with mail_server() as office:
        settings.PROVIDER_NETWORKS = []
        faults = [
            str(failure(mailer(office, security), envelope("smtp")))
            for security in ["none", "starttls", "tls"]
        ]

    assert faults == [transport.NOT_PUBLIC] * 3
    assert office.mails == []


def test_the_operator_can(settings):  # ADM-07
    with mail_server() as office:
        settings.PROVIDER_NETWORKS = []
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", office.port
        Smtp.from_settings().send(envelope("smtp"))

    assert len(office.mails) == 1


@pytest.mark.parametrize(
    ("use_tls", "use_ssl", "security"),
    [(False, False, "none"), (True, False, "starttls"), (False, True, "tls")],
)
def test_the_operator_s_encryption_is_used(settings, use_tls, use_ssl, security):  # ADM-07
    settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = use_tls, use_ssl

    assert Smtp.from_settings().values["security"] == security


@pytest.mark.parametrize(
    ("rcpt", "data", "status", "outcome", "fault"),
    [
        ("550 5.1.1 no such user", "250", "550 5.1.1", PermanentFailure, "address refused"),
        ("450 greylisted", "250", "450", TemporaryFailure, "address deferred"),
        ("250 OK", "554 spam", "554", PermanentFailure, "message refused"),
        ("250 OK", "451 later", "451", TemporaryFailure, "message deferred"),
        ("250 OK", "421 closing", "421", TemporaryFailure, "message deferred"),
    ],
)
def test_what_a_mail_server_answers_is_understood(rcpt, data, status, outcome, fault):  # OUT-05
    with mail_server() as office:
        office.rcpt, office.data = rcpt, data
        failed = failure(mailer(office), envelope("smtp"))

    assert (type(failed), str(failed)) == (outcome, fault)
    assert failed.response.status == f"SMTP {status}"


def test_a_wrong_password_is_told(db):  # OUT-05, OUT-07
    with mail_server(auth_require_tls=False) as office:
        row = mailer(office, username="shop", password="wrong-secret")
        failed = failure(row, envelope("smtp"))

    assert (type(failed), str(failed)) == (TemporaryFailure, "credentials refused")
    assert failed.response.status.startswith("SMTP 535")
    assert "wrong-secret" not in "".join(traceback.format_exception(failed))


@pytest.mark.parametrize("said", [b"", b"220 hello\r\n", b"2"], ids=["mute", "greets", "stammers"])
def test_a_mail_server_that_falls_silent_is_left(monkeypatch, said):  # OUT-05
    monkeypatch.setattr(transport, "TOTAL_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        row = Smtp({"host": "127.0.0.1", "port": str(mute.getsockname()[1]), "security": "none"})
        caller = _answer(mute, said)
        start = time.monotonic()
        failed = failure(row, envelope("smtp"))
        caller.close()

    assert (type(failed), str(failed)) == (TemporaryFailure, "timed out")
    assert time.monotonic() - start < 1


def test_a_mail_server_that_drips_is_left(monkeypatch):  # OUT-05
    monkeypatch.setattr(transport, "TOTAL_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as slow:
        row = Smtp({"host": "127.0.0.1", "port": str(slow.getsockname()[1]), "security": "none"})
        caller = _answer(slow, b"2" * 100, pause=0.2)
        start = time.monotonic()
        failed = failure(row, envelope("smtp"))
        caller.close()

    assert str(failed) == "timed out"
    assert time.monotonic() - start < 1.5


class _answer:  # noqa: N801  reads like a verb
    """Says these bytes to the first caller, with a pause before each, and then nothing."""

    def __init__(self, listener, said, pause=0.0):
        self.said, self.pause, self.lines = said, pause, []
        threading.Thread(target=self._talk, args=(listener,), daemon=True).start()

    def _talk(self, listener):
        line, _ = listener.accept()
        self.lines.append(line)
        try:
            for byte in self.said:
                time.sleep(self.pause)
                line.sendall(bytes([byte]))
        except OSError:
            return

    def close(self):
        for line in self.lines:
            line.close()


def test_a_mail_server_within_reach_is_greeted_and_left():
    with mail_server() as office:
        mailer(office, username="shop", password=SECRET).ping()

    assert (office.mails, office.logins) == ([], [])
    with pytest.raises(TemporaryFailure, match="ConnectionRefusedError"):
        mailer(office).ping()


# One line for many mails


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_mails_share_a_line(papers, security):  # OUT-05
    how = encrypted(papers, security) if security != "none" else {}
    with mail_server(**how) as office:
        for _ in range(5):
            mailer(office, security).send(envelope("smtp"))

    assert (len(office.mails), len(office.sessions)) == (5, 1)


def test_a_refused_address_does_not_cost_the_line():  # OUT-05
    with mail_server() as office:
        mailer(office).send(envelope("smtp"))
        office.rcpt = "550 no such user"
        failure(mailer(office), envelope("smtp"))
        office.rcpt = "250 OK"
        mailer(office).send(envelope("smtp"))

    assert (len(office.mails), len(office.sessions)) == (2, 1)


def test_lines_are_not_shared_between_logins():  # OUT-05
    with mail_server(auth_require_tls=False) as office:
        for username in ["one", "two", "one"]:
            mailer(office, username=username, password=SECRET).send(envelope("smtp"))

    assert [login for login, _ in office.logins] == ["one", "two"]
    assert len(office.sessions) == 2


def test_a_line_ends_after_enough_mails(monkeypatch):  # OUT-05
    monkeypatch.setattr(smtp, "MAX_MESSAGES", 2)
    with mail_server() as office:
        for _ in range(5):
            mailer(office).send(envelope("smtp"))

    assert (len(office.mails), len(office.sessions)) == (5, 3)


@pytest.mark.parametrize(
    ("noop_after", "max_idle", "lines"), [(0, 30, 1), (0, 0, 2)], ids=["asked", "ended"]
)
def test_a_line_is_asked_after_a_silence_and_ended_after_a_long_one(
    monkeypatch, noop_after, max_idle, lines
):  # OUT-05
    monkeypatch.setattr(smtp, "NOOP_AFTER", noop_after)
    monkeypatch.setattr(smtp, "MAX_IDLE", max_idle)
    with mail_server() as office:
        mailer(office).send(envelope("smtp"))
        mailer(office).send(envelope("smtp"))

    assert (len(office.mails), len(office.sessions)) == (2, lines)


@pytest.mark.parametrize("how", ["cut", "closing"])
def test_a_line_that_died_is_replaced_and_nothing_is_sent_twice(monkeypatch, how):  # OUT-03, OUT-05
    with mail_server() as office:
        row = mailer(office)
        row.send(envelope("smtp"))
        (connection,) = smtp._local.connections.values()
        if how == "cut":
            connection.client.sock.shutdown(socket.SHUT_RDWR)
        else:
            monkeypatch.setattr(smtp, "NOOP_AFTER", 0)
            office.noop = "421 closing"
        row.send(envelope("smtp"))

    assert (len(office.mails), len(office.sessions)) == (2, 2)


@pytest.mark.parametrize("most", [1, 2])
def test_a_server_that_wants_few_mails_a_call_is_called_again(most):  # OUT-03, OUT-05
    with mail_server() as office:
        office.most = most
        for _ in range(5):
            mailer(office).send(envelope("smtp"))

    assert len(office.mails) == 5
    assert len({mail.content for mail in office.mails}) == 5


def test_a_line_that_dies_over_a_mail_is_not_tried_again_at_once():  # OUT-03
    with mail_server() as office:
        office.data = "421 closing"
        failure(mailer(office), envelope("smtp"))

        assert smtp._local.connections == {}
        office.data = "250 kept"
        mailer(office).send(envelope("smtp"))

    assert len(office.mails) == 1


def test_mail_goes_on_after_the_server_was_restarted(db):  # OUT-05
    first = PostOffice().open()
    enter("smtp", EMAIL, {"host": "127.0.0.1", "port": str(first.port), "security": "none"}, {})
    challenges.issue(Purpose.REGISTER, parse(ANA), client=HERE)
    sweep()
    (connection,) = smtp._local.connections.values()
    connection.client.sock.shutdown(socket.SHUT_RDWR)
    first.close()
    second = PostOffice().open(first.port)
    time_passes(minutes=1)
    challenges.resend(Challenge.objects.get(), client=HERE)
    sweep()
    second.close()

    assert (len(first.mails), len(second.mails)) == (1, 1)


def test_the_server_of_these_tests_fails_in_every_way_it_can_name(server, monkeypatch):
    monkeypatch.setattr(transport, "TOTAL_SECONDS", 0.3)
    for action in ACTIONS:
        server.behave = lambda request, action=action: action
        failure(hired(server, "termii"), envelope("termii"))

    assert server.messages == []


def test_a_forked_worker_opens_lines_of_its_own(db):  # OUT-03
    with mail_server() as office:
        mailer(office).send(envelope("smtp"))
        child = os.fork()
        if not child:
            os._exit(len(smtp._local.connections))
        _, status = os.waitpid(child, 0)
        mailer(office).send(envelope("smtp"))

    assert os.waitstatus_to_exitcode(status) == 0
    assert (len(office.mails), len(office.sessions)) == (2, 1)
