"""What the providers really post, after their public documents, signed as each of them signs, with keys made here."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from messaging.models import EMAIL, SMS

ADDRESS = "ana@example.com"
NUMBER = "447700900123"
# The event is hours old when a provider tries again; only the signature is new.
HAPPENED = 1_780_000_000
FREE_TEXT = f"550 5.1.1 <{ADDRESS}> your code 123456 was not wanted here"

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class About:
    """The message that a receipt is about: our id, if the provider has it, and the provider's own."""

    ours: str
    ref: str


@dataclass(frozen=True)
class Key:
    """What staff enter, and what the provider signs with."""

    entered: str
    signs: object


@dataclass(frozen=True)
class Posted:
    """A request on its way to us."""

    body: bytes
    content_type: str = JSON
    headers: dict = field(default_factory=dict)
    query: str = ""


@dataclass(frozen=True)
class Company:
    """One kind of provider: what it calls things, how it writes and signs them."""

    channel: str
    secret: str
    says: dict[str, dict]
    write: Callable[[str, About, dict, Key, float], Posted]
    new_key: Callable[[], Key]
    has_time: bool = True
    knows_our_id: bool = True


def _word():
    word = secrets.token_hex(16)
    return Key(word, word)


def _password():
    word = f"storefront:{_word().entered}"
    return Key(word, word)


def _elliptic():
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Key(base64.b64encode(public).decode(), key)


def _svix():
    secret = base64.b64encode(_word().entered.encode() * 2).decode()
    return Key(f"whsec_{secret}", base64.b64decode(secret))


def _hmac(key, text, algorithm="sha256"):
    key, text = (part.encode() if isinstance(part, str) else part for part in (key, text))
    return hmac.new(key, text, getattr(hashlib, algorithm))


def _base64(digest):
    return base64.b64encode(digest).decode()


def _basic(key):
    return {"Authorization": f"Basic {base64.b64encode(key.signs.encode()).decode()}"}


def _mailgun(url, about, said, key, made_at):
    token = "7d1f3a5e9c"
    event = {
        "id": "CPgfbmQMTCKtHW6uIWtuVe",
        "timestamp": HAPPENED + 0.25,
        "recipient": ADDRESS,
        "message": {"headers": {"message-id": about.ref.strip("<>"), "to": ADDRESS}},
        "user-variables": {"message": about.ours} if about.ours else {},
        "tags": [],
        **said,
    }
    signature = {
        "timestamp": str(int(made_at)),
        "token": token,
        "signature": _hmac(key.signs, f"{int(made_at)}{token}").hexdigest(),
    }
    return Posted(json.dumps({"signature": signature, "event-data": event}).encode())


def _sendgrid(url, about, said, key, made_at):
    event = {
        "email": ADDRESS,
        "timestamp": HAPPENED,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "sg_event_id": "ZGVsaXZlcmVkLTA",
        "sg_message_id": "14c5d75ce93.dfd.64b469",
        "anymail_id": about.ref,
        **({"message": about.ours} if about.ours else {}),
        **said,
    }
    return sendgrid_batch([event], key, made_at)


def sendgrid_batch(events, key, made_at):
    """Many events in one request; SendGrid makes them up to 768 KB."""
    body, stamp = json.dumps(events).encode(), str(int(made_at))
    signed = key.signs.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return Posted(
        body,
        headers={
            "X-Twilio-Email-Event-Webhook-Signature": _base64(signed),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        },
    )


def _postmark(url, about, said, key, made_at):
    event = {
        "MessageID": about.ref,
        "ServerID": 23,
        "MessageStream": "outbound",
        "Tag": "",
        "Email": ADDRESS,
        "Metadata": {"message": about.ours} if about.ours else {},
        **said,
    }
    return Posted(json.dumps(event).encode(), headers=_basic(key))


def _ses(url, about, said, key, made_at):
    headers = [{"name": "X-Metadata", "value": json.dumps({"message": about.ours})}]
    event = {
        "mail": {
            "timestamp": "2026-05-28T20:26:40.000Z",
            "messageId": about.ref,
            "destination": [ADDRESS],
            "headersTruncated": False,
            "headers": headers if about.ours else [],
        },
        **said,
    }
    told = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:receipts",
        "Message": json.dumps(event),
        "Timestamp": "2026-05-28T20:26:41.000Z",
        "SignatureVersion": "1",
    }
    return Posted(
        json.dumps(told).encode(),
        content_type="text/plain; charset=UTF-8",
        headers={
            **_basic(key),
            "x-amz-sns-message-type": told["Type"],
            "x-amz-sns-message-id": told["MessageId"],
        },
    )


def _resend(url, about, said, key, made_at):
    event = {
        "created_at": "2026-05-28T20:26:41.126Z",
        "data": {
            "created_at": "2026-05-28T20:26:39.112Z",
            "email_id": about.ref,
            "from": "hello@shop.example",
            "to": [ADDRESS],
            "subject": "Your code",
            "headers": [{"name": "X-Metadata", "value": json.dumps({"message": about.ours})}]
            if about.ours
            else [],
            **said.get("data", {}),
        },
        "type": said["type"],
    }
    body, told, stamp = json.dumps(event).encode(), "msg_2y5yB2XmQ", str(int(made_at))
    mark = _base64(_hmac(key.signs, f"{told}.{stamp}.".encode() + body).digest())
    headers = {
        "svix-id": told,
        "svix-timestamp": stamp,
        "svix-signature": f"v1,b2xkIGtleQ== v1,{mark}",
    }
    return Posted(body, headers=headers)


def _brevo(url, about, said, key, made_at):
    event = {
        "email": ADDRESS,
        "id": 1,
        "ts_epoch": HAPPENED * 1000,
        "message-id": about.ref,
        "subject": "Your code",
        **({"X-Mailin-custom": json.dumps({"message": about.ours})} if about.ours else {}),
        **said,
    }
    return Posted(json.dumps(event).encode(), headers=_basic(key))


def _mailjet(url, about, said, key, made_at):
    event = {
        "time": HAPPENED,
        "MessageID": int(about.ref),
        "email": ADDRESS,
        "CustomID": "",
        "Payload": json.dumps({"message": about.ours}) if about.ours else "",
        **said,
    }
    # Mailjet sends lists when events are grouped, and the event alone when they are not.
    return Posted(json.dumps([event]).encode(), headers=_basic(key))


def _zeptomail(url, about, said, key, made_at):
    details = {"time": "2026-05-28T20:26:41Z", "bounced_recipient": ADDRESS, **said["details"]}
    event = {
        "event_name": [said["event_name"]],
        "event_message": [
            {
                "email_info": {
                    "email_reference": "13ef.45a@bounce-zem.shop.example",
                    **({"client_reference": about.ours} if about.ours else {}),
                    "to": [{"email_address": {"address": ADDRESS, "name": "Ana"}}],
                },
                "event_data": [{"details": [details], "object": said["event_name"]}],
                "request_id": about.ref,
            }
        ],
        "mailagent_key": "4b3c",
        "webhook_request_id": "82c",
    }
    text, stamp = json.dumps(event), int(made_at * 1000)
    mark = quote(_base64(_hmac(key.signs, text).digest()), safe="")
    return Posted(
        urlencode({"data": text}).encode(),
        content_type=FORM,
        headers={"producer-signature": f"ts={stamp};s={mark};s-algorithm=HmacSHA256"},
    )


def _twilio(url, about, said, key, made_at):
    query = f"message={about.ours}" if about.ours else ""
    told = {
        "AccountSid": "AC5ef8732a3c49700934481addd5ce1659",
        "ApiVersion": "2010-04-01",
        "From": "+15005550006",
        "MessageSid": about.ref,
        "SmsSid": about.ref,
        "To": f"+{NUMBER}",
        "SmsStatus": said["MessageStatus"],
        **said,
    }
    full = f"{url}?{query}" if query else url
    mark = _hmac(key.signs, full + "".join(n + told[n] for n in sorted(told)), "sha1").digest()
    return Posted(
        urlencode(told).encode(),
        content_type=FORM,
        headers={"X-Twilio-Signature": _base64(mark)},
        query=query,
    )


def _vonage(url, about, said, key, made_at):
    told = {
        "msisdn": NUMBER,
        "to": "Shop & Co = us",
        "network-code": "23410",
        "messageId": about.ref,
        "price": "0.03330000",
        "scts": "2605282026",
        "message-timestamp": "2026-05-28 20:26:41",
        "timestamp": str(int(made_at)),
        "nonce": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
        **({"client-ref": about.ours} if about.ours else {}),
        **said,
    }
    signed = "".join(
        f"&{name}={told[name].replace('&', '_').replace('=', '_')}" for name in sorted(told)
    )
    told["sig"] = _hmac(key.signs, signed).hexdigest().upper()
    return Posted(urlencode(told).encode(), content_type=FORM)


def _termii(url, about, said, key, made_at):
    told = {
        "type": "outbound",
        "id": "e8b5f0a2",
        "message_id": about.ref,
        "receiver": NUMBER,
        "sender": "N-Alert",
        "message": "Your code is 123456.",
        "sent_at": "2026-05-28 20:26:40",
        "cost": "3.9",
        "channel": "dnd",
        **said,
    }
    body = json.dumps(told).encode()
    mark = _hmac(key.signs, body, "sha512").hexdigest()
    return Posted(body, headers={"X-Termii-Signature": mark})


def _ses_bounce(kind, code):
    return {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": "General",
            "bouncedRecipients": [
                {"emailAddress": ADDRESS, "status": "5.1.1", "diagnosticCode": f"smtp; {code}"}
            ],
        },
    }


COMPANIES = {
    "mailgun": Company(
        EMAIL,
        "webhook_key",
        {
            "delivered": {"event": "delivered", "delivery-status": {"message": "OK", "code": 250}},
            "bounced": {
                "event": "failed",
                "severity": "permanent",
                "reason": "bounce",
                "delivery-status": {"code": 550, "message": FREE_TEXT, "description": FREE_TEXT},
            },
            "failed": {
                "event": "rejected",
                "reject": {"reason": "Sandbox subdomains", "description": FREE_TEXT},
            },
            "complained": {"event": "complained"},
            "opened": {"event": "opened", "ip": "203.0.113.9"},
            "deferred": {"event": "failed", "severity": "temporary", "reason": "generic"},
        },
        _mailgun,
        _word,
    ),
    "sendgrid": Company(
        EMAIL,
        "webhook_key",
        {
            "delivered": {"event": "delivered", "response": "250 OK"},
            "bounced": {
                "event": "bounce",
                "reason": FREE_TEXT,
                "status": "5.1.1",
                "type": "bounce",
            },
            "failed": {"event": "dropped", "reason": "Bounced Address"},
            "complained": {"event": "spamreport"},
            "opened": {"event": "open", "useragent": "Mozilla/5.0"},
            "deferred": {"event": "deferred", "response": "400 try again later", "attempt": "5"},
        },
        _sendgrid,
        _elliptic,
    ),
    "postmark": Company(
        EMAIL,
        "webhook_secret",
        {
            "delivered": {
                "RecordType": "Delivery",
                "Recipient": ADDRESS,
                "DeliveredAt": "2026-05-28T20:26:41Z",
                "Details": "Test delivery webhook details",
            },
            "bounced": {
                "RecordType": "Bounce",
                "ID": 692560173,
                "Type": "HardBounce",
                "TypeCode": 1,
                "Details": f"smtp;{FREE_TEXT}",
                "BouncedAt": "2026-05-28T20:26:41Z",
            },
            "failed": {
                "RecordType": "Bounce",
                "ID": 692560174,
                "Type": "BadEmailAddress",
                "BouncedAt": "2026-05-28T20:26:41Z",
            },
            "complained": {
                "RecordType": "SpamComplaint",
                "ID": 692560175,
                "Type": "SpamComplaint",
                "BouncedAt": "2026-05-28T20:26:41Z",
            },
            "opened": {"RecordType": "Open", "ReceivedAt": "2026-05-28T20:26:41Z"},
            "deferred": {
                "RecordType": "Bounce",
                "ID": 692560176,
                "Type": "Transient",
                "BouncedAt": "2026-05-28T20:26:41Z",
            },
        },
        _postmark,
        _password,
        has_time=False,
    ),
    "amazon_ses": Company(
        EMAIL,
        "webhook_secret",
        {
            "delivered": {
                "eventType": "Delivery",
                "delivery": {"recipients": [ADDRESS], "smtpResponse": "250 2.6.0 Message received"},
            },
            "bounced": _ses_bounce("Permanent", FREE_TEXT),
            "failed": {"eventType": "Reject", "reject": {"reason": "Bad content"}},
            "complained": {
                "eventType": "Complaint",
                "complaint": {
                    "complainedRecipients": [{"emailAddress": ADDRESS}],
                    "complaintFeedbackType": "abuse",
                },
            },
            "opened": {"eventType": "Open", "open": {"userAgent": "Mozilla/5.0"}},
            "deferred": {
                "eventType": "DeliveryDelay",
                "deliveryDelay": {"delayType": "MailboxFull"},
            },
        },
        _ses,
        _password,
        has_time=False,
    ),
    "resend": Company(
        EMAIL,
        "webhook_key",
        {
            "delivered": {"type": "email.delivered"},
            "bounced": {
                "type": "email.bounced",
                "data": {
                    "bounce": {
                        "type": "Permanent",
                        "message": "The recipient's email provider sent a hard bounce message.",
                    }
                },
            },
            "complained": {"type": "email.complained"},
            "opened": {"type": "email.opened"},
            "deferred": {"type": "email.delivery_delayed"},
        },
        _resend,
        _svix,
    ),
    "brevo": Company(
        EMAIL,
        "webhook_secret",
        {
            "delivered": {"event": "delivered"},
            "bounced": {"event": "hard_bounce", "reason": FREE_TEXT},
            "failed": {"event": "blocked", "reason": "blocked : due to blacklist user"},
            "complained": {"event": "spam"},
            "opened": {"event": "unique_opened"},
            "deferred": {"event": "deferred", "reason": "421 busy"},
        },
        _brevo,
        _password,
        has_time=False,
    ),
    "mailjet": Company(
        EMAIL,
        "webhook_secret",
        {
            "delivered": {"event": "sent", "smtp_reply": "sent (250 2.0.0 OK)"},
            "bounced": {
                "event": "bounce",
                "blocked": False,
                "hard_bounce": True,
                "error_related_to": "recipient",
                "error": "user unknown",
                "comment": FREE_TEXT,
            },
            "failed": {
                "event": "blocked",
                "error_related_to": "recipient",
                "error": "user unknown",
            },
            "complained": {"event": "spam", "source": "JMRPP"},
            "opened": {"event": "open", "ip": "203.0.113.9"},
            "deferred": {"event": "bounce", "hard_bounce": False, "error": "greylisted"},
        },
        _mailjet,
        _password,
        has_time=False,
    ),
    "zeptomail": Company(
        EMAIL,
        "webhook_key",
        {
            "delivered": {"event_name": "delivered", "details": {}},
            "bounced": {
                "event_name": "hardbounce",
                "details": {"reason": FREE_TEXT, "diagnostic_message": f"smtp; {FREE_TEXT}"},
            },
            "failed": {"event_name": "process_failed", "details": {"reason": FREE_TEXT}},
            "complained": {"event_name": "feedback_loop", "details": {}},
            "opened": {"event_name": "email_open", "details": {}},
        },
        _zeptomail,
        _word,
    ),
    "twilio": Company(
        SMS,
        "auth_token",
        {
            "delivered": {"MessageStatus": "delivered"},
            "bounced": {"MessageStatus": "undelivered", "ErrorCode": "30005"},
            "failed": {"MessageStatus": "failed", "ErrorCode": "30008"},
            "opened": {"MessageStatus": "read"},
            "deferred": {"MessageStatus": "sent"},
        },
        _twilio,
        _word,
        has_time=False,
    ),
    "vonage": Company(
        SMS,
        "signature_secret",
        {
            "delivered": {"status": "delivered", "err-code": "0"},
            "bounced": {"status": "rejected", "err-code": "9"},
            "failed": {"status": "failed", "err-code": "1"},
            "deferred": {"status": "buffered", "err-code": "0"},
        },
        _vonage,
        _word,
    ),
    "termii": Company(
        SMS,
        "webhook_key",
        {
            "delivered": {"status": "DELIVERED | Message delivered to handset"},
            "bounced": {"status": "DND Active on Phone Number"},
            "failed": {"status": "Message Failed"},
            "deferred": {"status": "Message Sent"},
        },
        _termii,
        _word,
        has_time=False,
        knows_our_id=False,
    ),
}


def write(kind, url, about, what, key, *, made_at=None):
    """What `kind` posts to `url` when `what` has become of a message, signed now or at another time."""
    company = COMPANIES[kind]
    return company.write(url, about, company.says[what], key, made_at or time.time())
