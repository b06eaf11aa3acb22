"""Messages that a provider took, and the receipts it sends."""

import uuid
from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from messaging.models import EMAIL, OutboxMessage, Provider, Status
from tests.support.receipt_samples import ADDRESS, COMPANIES, NUMBER, About, write


def provider(kind, name=None, *, key=None, **more):
    """A row as staff would have made it, and the key its provider signs with."""
    company = COMPANIES[kind]
    row = Provider(name=name or kind, kind=kind, channel=company.channel, **more)
    row.key = key or company.new_key()
    if kind == "sendgrid":  # a public key is no secret
        row.options = {company.secret: row.key.entered}
    else:
        row.set_secret(company.secret, row.key.entered)
    row.save()
    return row


def carried(row, *, status=Status.SENT, **more):
    """A message that this provider took."""
    number = str(uuid.uuid4().int)[:18]
    values = {
        "template": "code",
        "about_id": uuid.uuid4(),
        "channel": row.channel,
        "address": ADDRESS if row.channel == EMAIL else f"+{NUMBER}",
        "status": status,
        "provider_id": row.pk,
        "provider_ref": f"<{number}@shop.example>" if row.kind == "mailgun" else number,
        "expires_at": now() + timedelta(minutes=10),
        **more,
    }
    return OutboxMessage.objects.create(**values)


def written(row, message, what, *, key=None, made_at=None, by_ref=False):
    """What the provider posts about the message."""
    by_ref = by_ref or not COMPANIES[row.kind].knows_our_id
    about = About("" if by_ref else str(message.pk), message.provider_ref)
    url = f"https://shop.example{row.receipts_path}"
    return write(row.kind, url, about, what, key or row.key, made_at=made_at)


def status_of(message):
    return OutboxMessage.objects.get(pk=message.pk).status


def post(row, posted, **headers):
    """Bring it to our door, as a stranger without cookies."""
    path = reverse("receipts", args=[row.pk])
    return Client(enforce_csrf_checks=True).generic(
        "POST",
        f"{path}?{posted.query}" if posted.query else path,
        posted.body,
        content_type=posted.content_type,
        headers={**posted.headers, **headers},
    )


def say(row, message, what, **how):
    """Post what became of the message; returns the answer's status code."""
    return post(row, written(row, message, what, **how)).status_code
