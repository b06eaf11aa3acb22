"""Who forges receipts is counted and heard of, and never stands in the way of the provider itself."""

import base64
import uuid
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from django.test import Client

from accounts import conf
from accounts.models import SecurityEvent
from messaging.models import Alert, Provider, Status
from messaging.providers import BACKENDS
from ratelimits.models import Bucket
from tests.support.pages import Page
from tests.support.receipts import carried, provider, status_of, written
from tests.support.staff import let_in_staff, make_staff

MOST = conf.WEBHOOK_FAILURES_PER_IP[0].times
COLONS = "postmark:pass:word:with:colons"


@pytest.fixture(autouse=True)
def _vault(settings):
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]


def sends(row, posted, *, ip="203.0.113.9", **headers):
    """Bring a receipt to our door from this address."""
    client = Client(REMOTE_ADDR=ip, enforce_csrf_checks=True)
    url = f"/receipts/{row.pk}/{'?' if posted.query else ''}{posted.query}"
    headers = {**posted.headers, **headers}
    return client.generic("POST", url, posted.body, posted.content_type, headers=headers)


def basic(text):
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def guesses(row, times, *, ip="203.0.113.9"):
    """A stranger tries passwords; returns what the last one was answered."""
    posted = written(row, carried(row), "delivered")
    for number in range(times):
        answer = sends(row, posted, ip=ip, Authorization=basic(f"storefront:guess {number}"))
    return answer


# The password


def test_a_password_may_have_colons_and_a_part_of_it_opens_nothing(db):  # ADM-05
    row = provider("postmark")
    row.set_secret("webhook_secret", COLONS)
    row.save()
    message = carried(row)
    posted = written(row, message, "delivered")

    for wrong in (
        "postmark:pass",
        "postmark",
        "postmark:pass:word:with",
        "",
        COLONS[9:],
        f"{COLONS}:",
    ):
        assert sends(row, posted, Authorization=basic(wrong)).status_code == 403
    assert status_of(message) == Status.SENT
    assert sends(row, posted, Authorization=basic(COLONS)).status_code == 200
    assert status_of(message) == Status.DELIVERED


@pytest.mark.parametrize(
    "kept", ["a word without a colon", ":a password without a name", "a name:"]
)
def test_what_is_no_name_and_password_opens_nothing(db, kept):  # ADM-05
    row = provider("postmark")
    row.set_secret("webhook_secret", kept)
    row.save()
    message = carried(row)

    answer = sends(row, written(row, message, "delivered"), Authorization=basic(kept))

    assert answer.status_code == 403
    assert status_of(message) == Status.SENT


@pytest.mark.sample(9)
@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("postmark:0123456789abcdef", True),
        ("postmark:0123456789abcde", False),
        ("postmark:0123:4567:89abcde", True),
        (":0123456789abcdef", False),
        ("0123456789abcdef0123456789", False),
        ("post mark:0123456789abcdef", False),
        ("postmark:0123456789 abcdef", False),
        ("postmark:0123456789äbcdef0", False),
    ],
)
@pytest.mark.parametrize("kind", ["postmark", "brevo", "mailjet", "amazon_ses"])
def test_the_form_takes_a_name_and_a_long_password_and_says_so(client, db, kind, typed, taken):
    make_staff()
    let_in_staff(client)
    row = Provider.objects.create(name="One", kind=kind, channel="email")
    url = f"/admin/messaging/provider/{row.pk}/change/"
    page = Page(client.get(url))
    needed = [field for field in BACKENDS[kind].fields if field.required]
    asked = {field.name: field.default or "0123456789" for field in needed}
    fields = {"name": "One", "rank": "1", "weight": "1", **asked, "sender": ""}

    client.post(url, {**fields, "webhook_secret": typed})

    assert ("webhook_secret" in Provider.objects.get().sealed) is taken
    assert "16 characters or more" in page.html
    assert "Only the password may contain a colon" in page.html


# The count


def test_wrong_ones_are_counted_to_the_limit_and_one_past_it(db):  # LIM-05
    row = provider("postmark")

    assert guesses(row, MOST).status_code == 403
    answer = guesses(row, 1)

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= conf.WEBHOOK_FAILURES_PER_IP[0].seconds
    assert answer.content == b""
    assert guesses(row, 1, ip="203.0.113.10").status_code == 403


def test_the_genuine_one_passes_from_the_same_address_however_many_were_forged(db):  # ADM-05
    row = provider("postmark")
    message = carried(row)
    assert guesses(row, MOST + 5).status_code == 429

    assert sends(row, written(row, message, "delivered")).status_code == 200

    assert status_of(message) == Status.DELIVERED
    assert guesses(row, 1).status_code == 429


def test_unknown_providers_are_answered_and_counted_alike(db):  # ADM-05
    row = provider("postmark")
    nobody = Provider(pk=uuid.uuid4(), name="nobody", kind="postmark", channel="email")
    posted = written(row, carried(row), "delivered")
    posted = replace(posted, headers={**posted.headers, "Authorization": basic("a:b")})

    answers = {
        who: [sends(who, posted, ip=ip).status_code for _number in range(MOST + 1)]
        for who, ip in ((row, "203.0.113.21"), (nobody, "203.0.113.22"))
    }

    assert answers[row] == answers[nobody] == [403] * MOST + [429]


def test_staff_hear_of_a_burst_and_strangers_fill_no_table(db):  # LOG-06
    row = provider("postmark")
    guesses(row, MOST - 1)
    assert not Alert.objects.exists()

    guesses(row, 1)

    alert = Alert.objects.get()
    assert (alert.kind, alert.about) == ("many_receipts_forged", "in the name of postmark")
    guesses(row, 50)
    assert Alert.objects.count() == 1
    assert Bucket.objects.count() == 2
    assert not SecurityEvent.objects.exists()


def test_a_burst_from_many_addresses_is_heard_of_too(db):  # LOG-06
    row = provider("postmark")

    for number in range(MOST):
        assert guesses(row, 1, ip=f"198.51.100.{number}").status_code == 403

    assert Alert.objects.get().about == "in the name of postmark"


def test_amazon_s_first_knock_is_no_guess(db):
    row = provider("amazon_ses")
    posted = written(row, carried(row), "delivered")
    mute = replace(
        posted, headers={n: v for n, v in posted.headers.items() if n != "Authorization"}
    )

    assert sends(row, mute).status_code == 401
    assert not Bucket.objects.exists()
