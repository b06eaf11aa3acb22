"""Several providers, some of them ill: the message finds its way, and the ill ones are left alone for a while."""

import random
import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from messaging import providers
from messaging.models import (
    EMAIL,
    Alert,
    Breaker,
    OutboxMessage,
    Provider,
    Readiness,
    Receipt,
    Status,
)
from messaging.outbox import api as outbox
from messaging.outbox import breaker, composing
from messaging.providers.base import Backend, Field, PermanentFailure, SendResult, TemporaryFailure
from messaging.tasks import alert_on_delays, probe, purge, sweep
from tests.support.people import time_passes

pytestmark = pytest.mark.database

ANA = "ana@example.com"


class Pigeon(Backend):
    """A provider that does what its row says, and keeps what it took."""

    kind = "pigeon"
    label = "Pigeon"
    channel = EMAIL
    fields = (Field("mood", "Mood", default="well"), Field("secret", "Secret", secret=True))
    taken: list[tuple[str, str]] = []
    asked: list[str] = []

    def send(self, envelope):
        Pigeon.asked.append(self.values["secret"])
        mood, _space, seconds = self.values["mood"].partition(" ")
        if mood == "ill":
            raise TemporaryFailure(
                "ill", retry_after=timedelta(seconds=int(seconds)) if seconds else None
            )
        if mood == "stern":
            raise PermanentFailure("address refused")
        Pigeon.taken.append((self.values["secret"], envelope.to))
        return SendResult(message_id=f"ref-{envelope.id}")

    def ping(self):
        if self.values["mood"] != "well":
            raise TemporaryFailure("ill")


@pytest.fixture(autouse=True)
def loft(db, settings, monkeypatch):
    """Pigeons are the only providers there are."""
    settings.MAILBOX = False
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    monkeypatch.setitem(providers.BACKENDS, "pigeon", Pigeon)
    Pigeon.taken, Pigeon.asked = [], []


def pigeon(name, mood="well", *, rank=1, weight=1, **columns):
    """A provider row; its secret is its name, so that the pigeon can say who it was."""
    row = Provider(
        name=name,
        kind="pigeon",
        channel=EMAIL,
        rank=rank,
        weight=weight,
        options={"mood": mood},
        **{"readiness": Readiness.TESTED, **columns},
    )
    row.set_secret("secret", name)
    row.save()
    return row


def becomes(name, mood):
    """The provider has another mood from now on."""
    Provider.objects.filter(name=name).update(options={"mood": mood})


def queue(number=1, *, lifetime=timedelta(hours=1)):
    """Messages wait: notices of nothing, whose words are made by a letter of ours."""
    return [
        outbox.queue(
            "greeting", about_id=uuid.UUID(int=n), channel=EMAIL, address=ANA, lifetime=lifetime
        )
        for n in range(number)
    ]


@pytest.fixture(autouse=True)
def greeting(monkeypatch):
    """A letter that is always wanted, on the templates of another one."""
    facts = {
        "template": "unknown",
        "link": "https://shop.example/",
        "requested_at": None,
        "device": "",
    }
    monkeypatch.setitem(composing._composers, "greeting", lambda about_id, part: dict(facts))


def due_again():
    """The wait of every message is over."""
    OutboxMessage.objects.filter(status=Status.QUEUED).update(due_at=Now())


def asked():
    """How often each provider was asked."""
    return dict(Counter(Pigeon.asked))


# Order and shares


def test_the_lowest_rank_is_tried_first():
    pigeon("second", rank=2)
    first = pigeon("first", rank=1)
    queue(5)

    sweep()

    assert asked() == {"first": 5}
    message = OutboxMessage.objects.first()
    assert (message.provider_id, message.provider_ref) == (first.pk, f"ref-{message.pk}")


def test_within_a_rank_the_weight_is_the_share(is_release):
    pigeon("much", weight=3)
    pigeon("less", weight=1)
    pigeon("none", weight=0)
    row, many = dict.fromkeys(("much", "less", "none"), 0), 5000 if is_release else 400
    random.seed(3)

    for _ in range(many):
        row[providers.providers_for(EMAIL)[0].name] += 1

    assert row["none"] == 0
    assert 0.70 < row["much"] / many < 0.80


def test_a_weight_of_nothing_is_the_last_resort():
    pigeon("spare", weight=0)
    pigeon("ill", "ill")
    queue()

    sweep()

    assert asked() == {"ill": 1, "spare": 1}


def test_who_is_out_of_use_is_not_asked():
    pigeon("away", is_active=False)
    queue()

    sweep()

    assert not outbox.can_send(EMAIL)
    assert asked() == {}
    assert OutboxMessage.objects.get().error == "no provider"


def test_what_the_environment_names_comes_first(settings):  # promise 0.18
    pigeon("row")
    settings.EMAIL_URL = "smtp://127.0.0.1:1"

    assert [provider.name for provider in providers.providers_for(EMAIL)] == ["smtp", "row"]


# Failures


def test_the_next_provider_takes_over_at_once():  # OUT-05
    pigeon("ill", "ill")
    well = pigeon("well", rank=2)
    queue()

    sweep()

    assert asked() == {"ill": 1, "well": 1}
    assert OutboxMessage.objects.get().provider_id == well.pk


def test_a_refused_address_is_not_offered_to_anybody_else():  # OUT-05
    pigeon("stern", "stern")
    pigeon("well", rank=2)
    queue()

    sweep()

    assert asked() == {"stern": 1}
    assert OutboxMessage.objects.get().status == Status.FAILED


def test_a_provider_that_asks_for_a_pause_gets_it():  # OUT-05
    pigeon("ill", "ill 90")
    queue()

    sweep()

    wait = OutboxMessage.objects.annotate(wait=F("due_at") - Now()).get().wait
    assert timedelta(seconds=85) < wait <= timedelta(seconds=90)


def test_a_provider_whose_secrets_cannot_be_opened_is_passed_over(settings):  # ADM-05
    pigeon("locked")
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    pigeon("well", rank=2)
    queue()

    sweep()

    assert asked() == {"well": 1}


def test_at_most_four_providers_are_asked_within_one_lease():  # OUT-02
    for number in range(6):
        pigeon(f"ill {number}", "ill")
    queue()

    sweep()

    assert sum(asked().values()) == 4


# The breaker


@pytest.mark.parametrize(("failures", "paused"), [(2, False), (3, True)])
def test_three_failures_pause_a_provider(failures, paused):  # OUT-05
    pigeon("ill", "ill")
    pigeon("well", rank=2)
    queue(failures)
    sweep()
    Pigeon.asked.clear()

    queue()
    sweep()

    assert ("ill" not in asked()) is paused
    assert asked()["well"] == 1


def test_failures_far_apart_do_not_add_up():  # OUT-05
    ill = uuid.uuid4()
    for _ in range(5):
        breaker.record_failure(ill)
        Breaker.objects.update(failing_since=F("failing_since") - timedelta(seconds=16))

    assert Breaker.objects.get().open_until is None


def test_a_success_in_between_wipes_the_slate():  # OUT-05
    moody = uuid.uuid4()
    for _ in range(5):
        breaker.record_failure(moody)
        breaker.record_failure(moody)
        breaker.record_success(moody)

    assert Breaker.objects.get().open_until is None


def test_after_the_pause_one_message_tries_it(django_assert_num_queries):  # OUT-05
    pigeon("ill", "ill")
    pigeon("well", rank=2)
    queue(3)
    sweep()
    Breaker.objects.update(open_until=Now())
    Pigeon.asked.clear()

    queue(5)
    sweep()

    assert asked() == {"ill": 1, "well": 5}


def test_when_it_is_well_again_it_is_first_again():  # OUT-05
    pigeon("ill", "ill")
    pigeon("well", rank=2)
    queue(3)
    sweep()
    becomes("ill", "well")
    Breaker.objects.update(open_until=Now())
    Pigeon.asked.clear()

    queue(5)
    sweep()

    assert asked() == {"ill": 5}
    assert breaker.failing() == {}


def test_a_provider_that_asks_for_a_long_pause_is_left_alone_as_long():  # OUT-05
    busy = uuid.uuid4()
    for _ in range(3):
        breaker.record_failure(busy, retry_after=timedelta(minutes=5))

    left = Breaker.objects.annotate(left=F("open_until") - Now()).get().left
    assert left > timedelta(minutes=4)


def test_a_message_always_has_somewhere_to_go():  # OUT-05
    pigeon("only", "ill")
    queue(4)
    sweep()
    becomes("only", "well")

    due_again()
    sweep()

    assert len(Pigeon.taken) == 4


def test_a_probe_spares_messages_a_provider_that_is_not_there():  # OUT-05
    pigeon("ill", "ill")
    queue(3)
    sweep()
    Breaker.objects.update(open_until=Now() + timedelta(seconds=1))

    probe()

    left = Breaker.objects.annotate(left=F("open_until") - Now()).get().left
    assert left > timedelta(seconds=10)


def test_a_probe_lets_a_provider_that_is_back_have_its_chance():  # OUT-05
    pigeon("ill", "ill")
    queue(3)
    sweep()
    becomes("ill", "well")
    before = Breaker.objects.get().open_until

    probe()

    assert Breaker.objects.get().open_until == before


# Late, old


@pytest.mark.parametrize(("seconds", "alerts"), [(55, 0), (65, 1)])
def test_staff_hear_of_messages_that_wait(seconds, alerts):  # OUT-07
    queue()
    time_passes(seconds=seconds)

    alert_on_delays()

    assert Alert.objects.filter(kind="messages_wait").count() == alerts


def test_staff_hear_of_a_provider_that_is_paused():  # OUT-05, OUT-07
    ill = pigeon("ill")
    for _ in range(3):
        breaker.record_failure(ill.pk)

    alert_on_delays()

    assert Alert.objects.get().about == "ill"


def test_staff_hear_of_credentials_that_do_not_open(settings):  # ADM-05
    pigeon("locked")
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    queue()

    sweep()

    assert Alert.objects.get().about == "locked: credentials cannot be opened"


@pytest.mark.parametrize(("days", "left"), [(29, 3), (31, 0)])
def test_old_messages_are_dropped_with_their_receipts(days, left, monkeypatch):  # OUT-07, LOG-06
    monkeypatch.setattr("messaging.outbox.maintenance.BATCH", 2)
    well = pigeon("well")
    for message in queue(3):
        told = {"provider_id": well.pk, "status": Status.DELIVERED, "at": Now()}
        Receipt.objects.create(key=str(message.pk), message=message, **told)
    sweep()
    OutboxMessage.objects.update(settled_at=F("settled_at") - timedelta(days=days))

    purge()
    purge()

    assert (OutboxMessage.objects.count(), Receipt.objects.count()) == (left, left)


def test_what_still_waits_is_not_old():  # LOG-06
    queue()
    time_passes(days=60)

    purge()

    assert OutboxMessage.objects.count() == 1


# Many at once


@pytest.mark.django_db(transaction=True)
def test_many_sweepers_send_each_message_once():  # OUT-02, OUT-03
    pigeon("well")
    queue(60)

    def work():
        try:
            sweep()
        finally:
            connection.close()

    sweepers = [threading.Thread(target=work) for _ in range(8)]
    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()

    assert len(Pigeon.taken) == 60
    assert set(OutboxMessage.objects.values_list("status", "tries")) == {(Status.SENT, 1)}


@pytest.mark.django_db(transaction=True)
def test_many_workers_count_failures_together():  # OUT-05
    ill = uuid.uuid4()

    def fail():
        try:
            breaker.record_failure(ill)
        finally:
            connection.close()

    workers = [threading.Thread(target=fail) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert Breaker.objects.get().failures == 12
    assert Breaker.objects.get().open_until is not None
