"""A provider is known by its id: it may be renamed, taken out of use or deleted, and what is told of it stays true."""

import re
import uuid
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db.models.functions import Now
from django.utils.timezone import now

from accounts.flows import challenge as challenges
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose
from accounts.sessions.client import ClientInfo
from backoffice.dashboard import rollups
from messaging import providers
from messaging.models import (
    EMAIL,
    UNDELIVERED,
    Alert,
    Breaker,
    OutboxMessage,
    Provider,
    Readiness,
    Receipt,
    Status,
)
from messaging.outbox import api as outbox
from messaging.outbox import breaker
from messaging.tasks import alert_on_delays, sweep
from messaging.webhooks import record_event
from messaging.webhooks.base import DeliveryEvent
from storefront.observability import metrics
from tests.support.pages import words
from tests.support.staff import let_in_staff, make_staff

DASHBOARD, LIST = "/admin/signups/", "/admin/messaging/provider/"
MESSAGES, BREAKERS = "/admin/messaging/outboxmessage/", "/admin/messaging/breaker/"
ANA = "ana@example.com"


@pytest.fixture(autouse=True)
def keys(db, settings):
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    settings.MAILBOX = False


@pytest.fixture
def boss(client, keys, settings):
    """A superuser on the staff pages."""
    settings.MAILBOX = True
    make_staff("boss")
    let_in_staff(client, "boss")
    settings.MAILBOX = False
    return client


def provider(name="Main loft", **more):
    return Provider.objects.create(
        name=name, kind="smtp", channel=EMAIL, **{"readiness": Readiness.TESTED, **more}
    )


def renamed(row, name):
    """Staff give it another name; its id stays."""
    row.name = name
    row.save()
    return row


def carried(row, status=Status.SENT):
    return OutboxMessage.objects.create(
        template="code",
        about_id=uuid.uuid4(),
        part="1",
        channel=EMAIL,
        address=ANA,
        status=status,
        provider_id=row.pk,
        expires_at=now() + timedelta(hours=1),
        settled_at=now(),
    )


def pauses(row):
    for _failure in range(3):
        breaker.record_failure(row.pk)


def its_pause_is_over():
    Breaker.objects.update(open_until=Now() - timedelta(seconds=1))


# Renamed


def test_receipts_land_although_the_provider_was_renamed_meanwhile():  # demands 10
    row = provider()
    by_our_id, by_theirs = carried(row), carried(row)
    OutboxMessage.objects.filter(pk=by_theirs.pk).update(provider_ref="their-7")
    renamed(row, "Old loft")

    record_event(row, DeliveryEvent(key="a", status=Status.DELIVERED, message_id=by_our_id.pk))
    record_event(row, DeliveryEvent(key="b", status=Status.BOUNCED, provider_ref="their-7"))

    assert OutboxMessage.objects.get(pk=by_our_id.pk).status == Status.DELIVERED
    assert OutboxMessage.objects.get(pk=by_theirs.pk).status == Status.BOUNCED
    assert set(Receipt.objects.values_list("provider_id", flat=True)) == {row.pk}


def test_whoever_takes_over_the_name_takes_over_nothing_else():  # OUT-05, ADM-05
    row = provider()
    message = carried(row)
    pauses(row)
    renamed(row, "Old loft")
    heir = provider("Main loft")

    record_event(heir, DeliveryEvent(key="a", status=Status.BOUNCED, message_id=message.pk))

    assert OutboxMessage.objects.get().status == Status.SENT
    assert breaker.paused().keys() == {"Old loft"}
    assert breaker.allows(heir.pk, breaker.failing())
    assert not breaker.allows(row.pk, breaker.failing())


def test_the_alert_of_a_renamed_provider_bears_its_name_of_today_and_ends():  # OUT-07
    row = provider()
    pauses(row)
    alert_on_delays()
    renamed(row, "Old loft")
    alert_on_delays()
    assert set(Alert.objects.values_list("about", "times")) == {("Main loft", 1), ("Old loft", 1)}

    breaker.record_success(row.pk)
    alert_on_delays()

    assert set(Alert.objects.values_list("times", flat=True)) == {1}


def test_the_pages_of_staff_say_the_name_of_today(boss):
    row = provider()
    message = carried(row)
    pauses(row)
    rollups.roll_up_hour(now())
    renamed(row, "Old loft")

    for page in (MESSAGES, f"{MESSAGES}{message.pk}/change/", BREAKERS, DASHBOARD, LIST):
        told = words(boss.get(page))
        assert "Old loft" in told, page
        assert "Main loft" not in told, page
    narrowed = boss.get(MESSAGES, {"provider": str(row.pk)})
    assert f"{MESSAGES}{message.pk}/change/" in narrowed.content.decode()
    for nobody in (uuid.uuid4(), "Old loft", "x"):
        narrowed = boss.get(MESSAGES, {"provider": str(nobody)})
        assert f"{MESSAGES}{message.pk}/change/" not in narrowed.content.decode()


def test_the_board_has_one_line_for_a_provider_whatever_it_was_called(boss):
    row = provider()
    carried(row)
    rollups.roll_up_hour(now())
    renamed(row, "Old loft")
    carried(row)
    rollups.roll_up_hour(now())

    told = words(boss.get(DASHBOARD))
    assert re.search(r"Old loft email working (?:Take out )?2 0", told)
    assert "Main loft" not in told


# Taken out of use, or idle


def nobody_is_told_of(row):
    """Neither an alert, nor the metrics, nor the look-up take it for paused."""
    alert_on_delays()
    exported = metrics.text().decode()
    return (
        not Alert.objects.filter(kind="provider_paused").exists()
        and f'storefront_breaker_open{{provider="{row}"}} 1.0' not in exported
        and not breaker.paused([EMAIL])
    )


def test_a_provider_that_is_used_and_paused_is_told_of():  # OUT-07
    row = provider()
    pauses(row)

    assert not nobody_is_told_of(row)
    assert Alert.objects.get().about == "Main loft"
    assert 'storefront_breaker_open{provider="Main loft"} 1.0' in metrics.text().decode()


def test_a_provider_taken_out_of_use_while_it_was_paused_is_no_phantom(boss):  # OUT-07
    row = provider()
    breaker.record_failure(row.pk)
    breaker.record_failure(row.pk)
    breaker.record_failure(row.pk, retry_after=timedelta(hours=5))
    boss.post(LIST, {"deactivate": str(row.pk)})

    assert nobody_is_told_of(row)
    assert "Main loft" not in words(boss.get(BREAKERS))


def test_an_idle_provider_whose_pause_is_over_is_no_phantom():  # OUT-07
    row = provider()
    pauses(row)
    its_pause_is_over()

    assert nobody_is_told_of(row)


# Deleted, or of the environment


def test_what_a_deleted_provider_carried_is_still_told_by_its_last_name(boss):
    row = provider()
    message = carried(row)
    rollups.roll_up_hour(now())
    boss.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert not Provider.objects.exists()

    for page in (MESSAGES, f"{MESSAGES}{message.pk}/change/", DASHBOARD):
        assert "Main loft (deleted)" in words(boss.get(page)), page


def test_what_the_environment_names_has_one_id_whenever_it_is_asked(settings):  # promise 0.18
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    (first,), (second,) = providers.providers_for(EMAIL), providers.providers_for(EMAIL)

    assert first.id == second.id == providers.environment_id("smtp")
    assert providers.names()[first.id] == "smtp"
    # For ever: messages of last month have it.
    assert str(first.id) == "c3cfbd87-946e-59c6-ab18-35e50a4ae695"


# One meaning of "lost"


def test_the_board_and_the_list_agree_on_what_was_lost(boss):
    row = provider()
    for status in Status:
        carried(row, status)
    carried(row, Status.FAILED)
    rollups.roll_up_hour(now())

    share = round(100 * (len(UNDELIVERED) + 1) / (len(Status) + 1))
    assert f"{share} % of {len(Status) + 1}" in words(boss.get(LIST))
    assert f"{len(UNDELIVERED) + 1} ({share} %)" in words(boss.get(DASHBOARD))


# What a message is about


def test_a_message_says_what_it_is_about_in_two_columns(settings):
    settings.MAILBOX = True
    challenges.issue(Purpose.REGISTER, parse(ANA), client=ClientInfo(ip="192.0.2.1"))

    message = OutboxMessage.objects.get()
    assert (message.about_id, message.part) == (Challenge.objects.get().pk, "1")
    sweep()
    assert outbox.status_of(message.about_id, "1") == Status.SENT
    assert outbox.status_of(message.about_id, "2") is None
    (told,) = outbox.history([message.about_id])
    assert (told["address"], told["provider"]) == (ANA, "mailbox")
    outbox.erase([message.about_id])
    assert not OutboxMessage.objects.exists()
