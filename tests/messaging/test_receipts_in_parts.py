"""One bad event in a batch leaves the good ones alone, and what is not for us is refused without a trace."""

import json
import time
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from messaging.models import Receipt, Status
from tests.support.receipt_samples import COMPANIES, sendgrid_batch
from tests.support.receipts import carried, post, provider, say, status_of, written

pytestmark = pytest.mark.django_db

KINDS = sorted(COMPANIES)
BAD = {
    "empty": {},
    "nothing": None,
    "a word": "delivered",
    "a number": 7,
    "a list": [],
    "no event": {"timestamp": 1_780_000_000},
    "a list for the event": {"event": ["delivered"]},
    "a time that is a word": {"event": "delivered", "timestamp": "soon", "time": "soon"},
    "no time": {"event": "delivered", "timestamp": None, "time": None},
    "a time past all times": {"event": "delivered", "timestamp": 10**18, "time": 10**18},
    "a time before all times": {"event": "delivered", "timestamp": -(10**18), "time": -(10**18)},
}
# Kinds whose calls hold a list of events.
BATCHES = ["sendgrid", "mailjet", "zeptomail"]
# What comes when somebody sends a provider's incoming mail or texts to this address.
NOT_FOR_US = {
    "postmark": {"RecordType": "Inbound"},
    "brevo": {"items": []},
    "amazon_ses": {"eventType": "Received"},
    "resend": {"type": "email.received"},
    "mailgun": {"event": "stored"},
    "sendgrid": {"event": "inbound"},
    "mailjet": {"event": "inbound"},
    "zeptomail": {"event_name": "inbound", "details": {}},
    "twilio": {"MessageStatus": "received"},
    "vonage": {"status": "received"},
    "termii": {"status": "Received"},
}


@pytest.fixture(autouse=True)
def _vault(settings):
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]


def batch(row, events):
    """A signed call of this provider that holds `events`."""
    if row.kind == "sendgrid":
        return sendgrid_batch(events, row.key, time.time())
    if row.kind == "mailjet":
        posted = written(row, carried(row), "delivered")
        return replace(posted, body=json.dumps(events).encode())
    body = json.dumps({"event_name": ["delivered"], "event_message": events})
    return replace(
        written(row, carried(row), "delivered"),
        body=body.encode(),
        content_type="application/json",
        headers={"Authorization": f"Bearer {row.key.signs}"},
    )


def event_of(row, message):
    """A good event, as it stands in a batch."""
    if row.kind == "zeptomail":
        return {
            "email_info": {"client_reference": str(message.pk)},
            "event_data": [{"details": [{"time": "2026-05-28T20:26:41Z"}]}],
            "request_id": message.provider_ref,
        }
    return json.loads(written(row, message, "delivered").body)[0]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("kind", BATCHES)
def test_a_bad_event_leaves_the_good_ones_alone(kind, bad, caplog):  # OUT-07
    row = provider(kind)
    one, other = carried(row), carried(row)

    answer = post(row, batch(row, [event_of(row, one), bad, event_of(row, other)]))

    assert answer.status_code == 200
    assert [status_of(one), status_of(other)] == [Status.DELIVERED] * 2
    told = [each.getMessage() for each in caplog.records if "not understood" in each.getMessage()]
    assert len(told) <= 1
    assert all(each.endswith("(1)") and "soon" not in each for each in told)


@pytest.mark.parametrize("kind", BATCHES)
def test_nothing_but_bad_events_is_a_bad_request(kind, caplog):
    row = provider(kind)

    assert post(row, batch(row, [None, "delivered", 7])).status_code == 400

    assert not Receipt.objects.exists()
    (told,) = [
        each.getMessage() for each in caplog.records if "not understood" in each.getMessage()
    ]
    assert "(3)" in told
    assert not any(each.exc_info for each in caplog.records)


@pytest.mark.parametrize("kind", ["sendgrid", "mailjet"])
def test_an_empty_batch_says_nothing(kind):
    row = provider(kind)
    assert post(row, batch(row, [])).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_for_us_leaves_no_trace(kind, monkeypatch, caplog):  # IDN-08
    row = provider(kind)
    message = carried(row)
    monkeypatch.setitem(COMPANIES[kind].says, "inbound", NOT_FOR_US[kind])

    status = say(row, message, "inbound")

    refused = kind in ("postmark", "brevo", "amazon_ses")
    assert status == (400 if refused else 200)
    assert status_of(message) == message.status
    assert not Receipt.objects.exists()
    assert not any(each.exc_info for each in caplog.records)


@pytest.mark.parametrize("ref", ["\ud800", "a\ud800b", "\x00", "é" * 300])
def test_an_id_that_no_row_can_hold_is_one_we_do_not_know(ref):  # IDN-08
    row = provider("sendgrid")
    message = carried(row)
    event = {**event_of(row, message), "anymail_id": ref, "message": ref}

    assert post(row, batch(row, [event, event_of(row, message)])).status_code == 200
    assert status_of(message) == Status.DELIVERED


@pytest.mark.parametrize("ref", ["\ud800", "a\x00"])
def test_a_provider_s_own_id_that_no_row_can_hold_changes_nothing(ref):  # IDN-08, OUT-07
    row = provider("sendgrid")
    one, other = carried(row), carried(row)

    odd = {**event_of(row, one), "anymail_id": ref}

    assert post(row, batch(row, [odd, event_of(row, other)])).status_code == 200
    assert [status_of(one), status_of(other)] == [Status.DELIVERED] * 2


@pytest.mark.parametrize(
    "at", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "soon", ""]
)
def test_a_time_that_is_none_anywhere_is_the_time_it_came(at):
    row = provider("zeptomail")
    message = carried(row)
    event = event_of(row, message)
    event["event_data"][0]["details"][0]["time"] = at

    assert post(row, batch(row, [event])).status_code == 200

    assert status_of(message) == Status.DELIVERED
    assert Receipt.objects.get().at.year > 2000
    assert connection.is_usable()
