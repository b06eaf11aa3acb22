"""A server on 127.0.0.1 that speaks the API of every provider we know, keeps what it is sent and misbehaves when told.

server = ProviderServer()
Provider(kind="twilio", options=...)      # server.values("twilio"): what staff would enter
server.behave = lambda request: 500       # or another action, see ACTIONS; None: as it should be
server.messages[0].to, .text, .id         # what arrived
"""

import base64
import json
import os
import re
import socket
import ssl
import struct
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# The one secret every provider takes; anything else is answered with 401.
SECRET = "the-right-secret-6b1f"
# Besides None (as it should be), a status, and an Answer. Each of these is a way to fail.
ACTIONS = ["hang", "reset", "drip", "drip head", "endless", "garbage"]


@dataclass
class Answer:
    """An answer as it goes over the line."""

    status: int = 200
    body: object = ""
    headers: dict = field(default_factory=dict)

    @property
    def content(self):
        """The bytes of the body; anything but text becomes JSON."""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class Request:
    """What came over the line. `kind` is the first part of its path, and the rest is `path`."""

    method: str
    kind: str
    path: str
    headers: object
    content: bytes

    @property
    def json(self):
        """The body, if it is JSON."""
        return json.loads(self.content)

    @property
    def form(self):
        """The body, if it is a form."""
        return dict(parse_qsl(self.content.decode(), keep_blank_values=True))

    @property
    def basic(self):
        """User name and password."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return (
            tuple(base64.b64decode(token).decode().split(":", 1)) if scheme == "Basic" else ("", "")
        )

    @property
    def bearer(self):
        """What follows the word Bearer."""
        return self.headers.get("Authorization", "").removeprefix("Bearer ")


@dataclass
class Message:
    """A message as it arrived. `id` is ours, `ref` the provider's."""

    kind: str
    to: str
    sender: str
    text: str
    subject: str = ""
    html: str = ""
    id: str = ""
    headers: dict = field(default_factory=dict)
    callback: str = ""
    key: str = ""
    ref: str = field(default_factory=lambda: uuid.uuid4().hex)
    at: float = field(default_factory=time.monotonic)


class Api:
    """One provider's API: where, who may, what came, what is said."""

    path = r"/"
    # What staff enter besides the address.
    options: dict = {}
    secrets: dict = {}

    def accepts(self, request):
        """Whether the credentials are right."""
        raise NotImplementedError

    def read(self, request):
        """The message in a request."""
        raise NotImplementedError

    def taken(self, message):
        """What it answers to a message it takes."""
        raise NotImplementedError

    def refused(self, status):
        """What it answers to one it does not."""
        return {"message": f"refused with {status}"}


def _mail(kind, data, *, to, sender, ours, text="text", html="html", headers="headers"):
    return Message(
        kind,
        to,
        sender,
        data[text],
        data["subject"],
        data[html],
        str(ours),
        dict(data.get(headers, {})),
    )


class Mailgun(Api):
    path = r"/shop\.example/messages"
    options, secrets = {"sender_domain": "shop.example"}, {"api_key": SECRET}

    def accepts(self, request):
        return request.basic == ("api", SECRET)

    def read(self, request):
        form = request.form
        headers = {name[2:]: form[name] for name in form if name.startswith("h:")}
        message = _mail("mailgun", form, to=form["to"], sender=form["from"], ours=form["v:message"])
        message.headers = headers
        return message

    def taken(self, message):
        return Answer(200, {"id": f"<{message.ref}@shop.example>", "message": "Queued. Thank you."})


class SendGrid(Api):
    path = r"/mail/send"
    secrets = {"api_key": SECRET}

    def accepts(self, request):
        return request.bearer == SECRET

    def read(self, request):
        data = request.json
        (person,) = data["personalizations"]
        parts = {part["type"]: part["value"] for part in data["content"]}
        args = {**data.get("custom_args", {}), **person.get("custom_args", {})}
        return Message(
            "sendgrid", person["to"][0]["email"], data["from"]["email"], parts["text/plain"],
            data["subject"], parts["text/html"], args["message"], data["headers"],
            ref=args["anymail_id"],
        )  # fmt: skip

    def taken(self, message):
        return Answer(202, "", {"X-Message-Id": message.ref})

    def refused(self, status):
        return {"errors": [{"message": "Does not contain a valid address.", "field": "to"}]}


class Postmark(Api):
    path = r"/email"
    secrets = {"server_token": SECRET}

    def accepts(self, request):
        return request.headers["X-Postmark-Server-Token"] == SECRET

    def read(self, request):
        data = request.json
        headers = {header["Name"]: header["Value"] for header in data["Headers"]}
        data = {**data, "subject": data["Subject"], "headers": headers}
        return _mail(
            "postmark", data, to=data["To"], sender=data["From"], ours=data["Metadata"]["message"],
            text="TextBody", html="HtmlBody",
        )  # fmt: skip

    def taken(self, message):
        told = {"To": message.to, "MessageID": message.ref, "ErrorCode": 0, "Message": "OK"}
        return Answer(200, told)

    def refused(self, status):
        return {"ErrorCode": 10 if status == 401 else 300, "Message": "Bad or missing."}


class Resend(Api):
    path = r"/emails"
    secrets = {"api_key": SECRET}

    def accepts(self, request):
        return request.bearer == SECRET

    def read(self, request):
        data = request.json
        ours = json.loads(data["headers"]["X-Metadata"])["message"]
        return _mail("resend", data, to=data["to"][0], sender=data["from"], ours=ours)

    def taken(self, message):
        return Answer(200, {"id": message.ref})


class Brevo(Api):
    path = r"/smtp/email"
    secrets = {"api_key": SECRET}

    def accepts(self, request):
        return request.headers["api-key"] == SECRET

    def read(self, request):
        data = request.json
        return _mail(
            "brevo", data, to=data["to"][0]["email"], sender=data["sender"]["email"],
            ours=json.loads(data["headers"]["X-Mailin-custom"])["message"],
            text="textContent", html="htmlContent",
        )  # fmt: skip

    def taken(self, message):
        return Answer(201, {"messageId": f"<{message.ref}@smtp-relay>"})


class Mailjet(Api):
    path = r"/send"
    options, secrets = {"api_key": "mailjet-key"}, {"secret_key": SECRET}

    def accepts(self, request):
        return request.basic == ("mailjet-key", SECRET)

    def read(self, request):
        data = request.json["Globals"]
        (one,) = request.json["Messages"]
        data = {**data, "subject": data["Subject"], "headers": data["Headers"]}
        assert "Message-ID" not in data["headers"], "The header cannot be customized"
        return _mail(
            "mailjet", data, to=one["To"][0]["Email"], sender=data["From"]["Email"],
            ours=json.loads(data["EventPayload"])["message"], text="TextPart", html="HTMLPart",
        )  # fmt: skip

    def taken(self, message):
        to = {"Email": message.to, "MessageUUID": str(uuid.uuid4()), "MessageID": message.ref}
        return Answer(200, {"Messages": [{"Status": "success", "To": [to], "Cc": [], "Bcc": []}]})

    def refused(self, status):
        return {"ErrorCode": "mj-0004", "StatusCode": status, "ErrorMessage": "Type mismatch."}


class ZeptoMail(Api):
    path = r"/email"
    secrets = {"token": SECRET}

    def accepts(self, request):
        return request.headers["Authorization"] == f"Zoho-enczapikey {SECRET}"

    def read(self, request):
        data = request.json
        return _mail(
            "zeptomail", data, to=data["to"][0]["email_address"]["address"],
            sender=data["from"]["address"], ours=data["client_reference"],
            text="textbody", html="htmlbody", headers="mime_headers",
        )  # fmt: skip

    def taken(self, message):
        received = {"code": "EM_104", "additional_info": [], "message": "Email request received"}
        return Answer(
            201,
            {"data": [received], "message": "OK", "request_id": message.ref, "object": "email"},
        )

    def refused(self, status):
        code = "SERR_157" if status == 401 else "SM_113"
        details = [{"code": code, "target": "to", "message": "Invalid value"}]
        return {"error": {"code": "TM_4001", "details": details, "message": "Access Denied"}}


class AmazonSes(Api):
    path = r"/v2/email/outbound-emails"
    options = {"access_key_id": "AKIAEXAMPLE", "region": "eu-west-1"}
    secrets = {"secret_access_key": SECRET}

    def accepts(self, request):
        signed = re.match(
            r"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/\d{8}/eu-west-1/ses/aws4_request, "
            r"SignedHeaders=\S+, Signature=[0-9a-f]{64}$",
            request.headers["Authorization"],
        )
        return bool(signed)

    def read(self, request):
        data = request.json
        raw = base64.b64decode(data["Content"]["Raw"]["Data"])
        mail = message_from_bytes(raw, policy=policy.default)
        return Message(
            "amazon_ses", data["Destination"]["ToAddresses"][0], mail["From"],
            mail.get_body(("plain",)).get_content(), mail["Subject"],
            mail.get_body(("html",)).get_content(), json.loads(mail["X-Metadata"])["message"],
            dict(mail.items()),
        )  # fmt: skip

    def taken(self, message):
        return Answer(200, {"MessageId": message.ref})

    def refused(self, status):
        kind = {401: "UnrecognizedClientException", 429: "TooManyRequestsException"}
        return {"__type": kind.get(status, "BadRequestException"), "message": "Illegal address"}


class Twilio(Api):
    path = r"/2010-04-01/Accounts/AC1/Messages\.json"
    options = {"account_sid": "AC1", "sender": "+15005550006"}
    secrets = {"auth_token": SECRET}

    def accepts(self, request):
        return request.basic == ("AC1", SECRET)

    def read(self, request):
        form = request.form
        callback = form.get("StatusCallback", "")
        return Message(
            "twilio", form["To"], form.get("From") or form["MessagingServiceSid"], form["Body"],
            id=dict(parse_qsl(urlsplit(callback).query)).get("message", ""), callback=callback,
            ref=f"SM{uuid.uuid4().hex}",
        )  # fmt: skip

    def taken(self, message):
        told = {"sid": message.ref, "status": "queued", "to": message.to, "body": message.text}
        return Answer(201, {**told, "error_code": None, "error_message": None})

    def refused(self, status):
        code = {401: 20003, 429: 20429, 400: 21211}.get(status, 20500)
        return {"code": code, "message": "The 'To' number is not a valid number.", "status": status}


class Vonage(Api):
    path = r"/sms/json"
    options, secrets = {"api_key": "vonage-key", "sender": "Shop"}, {"api_secret": SECRET}

    def accepts(self, request):
        return (request.form.get("api_key"), request.form.get("api_secret")) == (
            "vonage-key",
            SECRET,
        )

    def read(self, request):
        form = request.form
        return Message(
            "vonage", f"+{form['to']}", form["from"], form["text"], id=form["client-ref"],
            callback=form.get("callback", ""), headers={"type": form["type"]},
        )  # fmt: skip

    def taken(self, message):
        part = {"to": message.to[1:], "message-id": message.ref, "status": "0", "network": "23410"}
        return Answer(200, {"message-count": "1", "messages": [part]})


class Termii(Api):
    path = r"/api/sms/send"
    options, secrets = {"sender": "Shop"}, {"api_key": SECRET}

    def accepts(self, request):
        return request.json.get("api_key") == SECRET

    def read(self, request):
        data = request.json
        assert (data["type"], data["channel"]) == ("plain", "generic")
        return Message("termii", f"+{data['to']}", data["from"], data["sms"])

    def taken(self, message):
        told = {"code": "ok", "message_id": message.ref, "message": "Successfully Sent"}
        return Answer(200, {**told, "balance": 9, "user": "Shop"})


APIS = {
    "mailgun": Mailgun(),
    "sendgrid": SendGrid(),
    "postmark": Postmark(),
    "resend": Resend(),
    "brevo": Brevo(),
    "mailjet": Mailjet(),
    "zeptomail": ZeptoMail(),
    "amazon_ses": AmazonSes(),
    "twilio": Twilio(),
    "vonage": Vonage(),
    "termii": Termii(),
}
EMAIL_KINDS = [kind for kind in APIS if kind not in ("twilio", "vonage", "termii")]
TEXT_KINDS = ["twilio", "vonage", "termii"]


class ProviderServer:
    """All of them, in threads of this process. With `certificate`, over TLS."""

    def __init__(self, certificate=None):
        self.messages, self.requests, self.connections = [], [], 0
        self.behave = lambda request: None
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.port = self._server.server_port
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def options(self, kind):
        """The open fields of a kind, pointing here."""
        return {**APIS[kind].options, "api_url": f"{self.url}/{kind}"}

    def secrets(self, kind):
        """Its secret ones, right."""
        return dict(APIS[kind].secrets)

    def values(self, kind):
        """All of them."""
        return {**self.options(kind), **self.secrets(kind)}

    def to(self, address):
        """What came for one address, oldest first."""
        return [message for message in self.messages if message.to == address]

    def close(self):
        """Hang up on everybody."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request):
        """What a well-behaved provider says. Keeps the message, if there is one."""
        api = APIS.get(request.kind)
        if request.method != "POST" or not api or not re.fullmatch(api.path, request.path):
            return Answer(404, {"message": "not found"})
        if not api.accepts(request):
            return Answer(401, api.refused(401))
        message = api.read(request)
        message.to, message.sender = (
            parseaddr(message.to)[1],
            parseaddr(message.sender)[1] or message.sender,
        )
        message.key = request.headers.get("Idempotency-Key", "")
        self.messages.append(message)
        return api.taken(message)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100

    def process_request(self, request, client_address):
        self.owner.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address):
        """A client that hangs up is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def owner(self):
        return self.server.owner

    def do_POST(self):  # noqa: N802  its name in http.server
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, kind, path = (urlsplit(self.path).path + "/").split("/", 2)
        request = Request(self.command, kind, f"/{path}".rstrip("/") or "/", self.headers, content)
        self.owner.requests.append(request)
        self._act(request, self.owner.behave(request))

    do_GET = do_HEAD = do_POST  # noqa: N815

    def log_message(self, *args):
        """Quietly."""

    def _act(self, request, action):
        if action is None:
            self._say(self.owner.answer(request))
        elif isinstance(action, int):
            self._say(
                Answer(action, APIS[request.kind].refused(action) if request.kind in APIS else "")
            )
        elif isinstance(action, Answer):
            self._say(action)
        else:
            self.close_connection = True
            getattr(self, f"_{action.replace(' ', '_')}")()

    def _say(self, answer):
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    def _hang(self):
        self.owner.closing.wait(30)

    def _reset(self):
        line = self.connection
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(line.detach())

    def _drip(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        self._drip_head(b"")

    def _drip_head(self, first=b"HTTP/1.1 200 OK\r\nX: "):
        self.wfile.write(first)
        while not self.owner.closing.wait(0.3):
            self.wfile.write(b"x")

    def _endless(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not self.owner.closing.is_set():
            self.wfile.write(b"x" * 65536)

    def _garbage(self):
        self._say(Answer(200, "<!doctype html><h1>Welcome to the hotel's wireless network</h1>"))


def certificate(*hosts, days=1):
    """Make a certificate for these hosts that is signed by itself; returns the file with it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    names = [_alternative(host) for host in hosts]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = Path(tempfile.mkdtemp(prefix="certificate-")) / "both.pem"
    path.write_bytes(made.public_bytes(pem) + private)
    return path


def _alternative(host):
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
