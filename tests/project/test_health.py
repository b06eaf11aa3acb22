"""What machines ask the site: is it alive, should it get visitors, how do messages fare."""

import re
import socket
import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.test import Client

from accounts.models import Challenge
from jobs.models import Job
from messaging import providers
from messaging.models import Breaker, OutboxMessage, Provider, Status
from storefront.observability import health
from tests.support.people import Shopper, make_shopper

CALM = {"queue_age": 0, "late_jobs": {}, "failed_jobs": []}
TOKEN = "a token of forty characters, more or less"
METRIC = re.compile(r"^(\w+)(?:\{(.*)\})? ([\d.e+-]+)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _ask_anew():
    """Forget what other tests were told."""
    health.database.started_at = health.broker.started_at = float("-inf")


@pytest.fixture
def balancer(settings):
    """A load balancer: no https, a host of its own, no cookies."""
    settings.SECURE_SSL_REDIRECT = True
    settings.CELERY_BROKER_URL = "memory://"
    return Client(SERVER_NAME="10.0.0.7")


@pytest.fixture
def operator(balancer, settings):
    """The same, who knows the token."""
    settings.METRICS_TOKEN = TOKEN
    return Client(SERVER_NAME="10.0.0.7", headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
def broker_at(settings):
    """Point the site at a broker."""

    def point(url):
        settings.CELERY_TASK_ALWAYS_EAGER = False
        settings.CELERY_BROKER_URL = url

    return point


@pytest.fixture
def jobs_in_time(db):
    """Every periodic job has run a moment ago."""
    Job.objects.update(due_at=Now())


@pytest.fixture
def silent():
    """The port of a server that takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def message(status=Status.QUEUED, **values):
    """Put a message into the outbox."""
    values = {
        "template": "code", "about_id": uuid.uuid4(), "channel": "email", "address": "ana@example.com",
        "expires_at": Now() + timedelta(hours=1), "status": status, **values,
    }  # fmt: skip
    return OutboxMessage.objects.create(**values)


# Alive


def test_a_load_balancer_needs_neither_our_host_nor_https(balancer):
    answer = balancer.get("/livez")

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer.headers["Cache-Control"] == "no-store"
    assert not answer.cookies


def test_everybody_else_needs_both(balancer):
    assert balancer.get("/").status_code == 400
    assert balancer.get("/livez/").status_code == 400
    assert Client(SERVER_NAME="shop.example").get("/").status_code == 301


def test_alive_asks_no_database(balancer, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        balancer.head("/livez")


@pytest.mark.parametrize("probe", ["/livez", "/readyz", "/metrics"])
def test_a_probe_is_for_readers_only(client, probe):
    assert client.post(probe).status_code == 405


# Ready


@pytest.mark.django_db(transaction=True)
def test_a_site_that_is_well_is_ready(operator, jobs_in_time):
    answer = operator.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ok": True, "database": "ok", "broker": "none", **CALM}


@pytest.mark.django_db(transaction=True)
def test_ready_says_how_late_the_oldest_due_message_is(operator):  # OUT-07
    message(due_at=Now() - timedelta(seconds=90))
    message(due_at=Now() + timedelta(seconds=90))
    message(Status.SENT, due_at=Now() - timedelta(days=1))
    message(Status.SENDING, due_at=Now() - timedelta(hours=1), lease_until=Now() + timedelta(0, 9))

    assert 90 <= operator.get("/readyz").json()["queue_age"] < 95


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trouble", ["refuses", "hangs"])
def test_without_its_broker_the_site_is_ready_and_says_so(
    operator, jobs_in_time, broker_at, silent, trouble
):
    broker_at(f"redis://127.0.0.1:{silent if trouble == 'hangs' else 1}/0")
    began = time.monotonic()

    answer = operator.get("/readyz")

    assert time.monotonic() - began < 1
    assert answer.status_code == 200
    assert answer.json() == {
        "ok": True, "database": "ok", "broker": "down", "degraded": True, **CALM,
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_without_beat_and_workers_the_site_is_ready_and_says_which_jobs_are_late(  # TIM-04
    operator, prometheus, jobs_in_time
):
    Job.objects.filter(pk="messaging.sweep").update(due_at=Now() - timedelta(minutes=7))
    Job.objects.filter(pk="accounts.purge").update(result="failed", error="ValueError", failures=3)

    answer, found = operator.get("/readyz"), prometheus()

    assert answer.status_code == 200
    told = answer.json()
    assert 420 <= told["late_jobs"].pop("messaging.sweep") < 430
    assert (told["late_jobs"], told["failed_jobs"]) == ({}, ["accounts.purge"])
    assert told["degraded"]
    assert 420 <= found["job_late_seconds"]['job="messaging.sweep"'] < 430
    assert found["job_late_seconds"]['job="messaging.purge"'] == 0
    assert found["job_failures"]['job="accounts.purge"'] == 3


@pytest.mark.django_db(transaction=True)
def test_without_its_tables_a_site_is_not_ready(operator):
    def no_such_table():
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM not_migrated")

    health.database.check, check = no_such_table, health.database.check
    try:
        answer = operator.get("/readyz")
    finally:
        health.database.check = check

    assert answer.status_code == 503
    assert answer.json() == {"ok": False, "database": "down", "queue_age": None, "broker": "none"}


@pytest.mark.sample(5)
@pytest.mark.django_db(transaction=True)
def test_a_site_that_cannot_write_is_not_ready(operator, jobs_in_time, monkeypatch):  # AVL-01
    monkeypatch.setattr(health, "_is_read_only", lambda: True)

    answer = operator.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "ok": False, "database": "read-only", "broker": "none", **CALM,
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("brought", [None, "Bearer ", f"Bearer {TOKEN}x"])
@pytest.mark.parametrize("token", ["", TOKEN], ids=["none is set", "one is set"])
@pytest.mark.parametrize("well", [True, False])
def test_strangers_learn_no_more_than_whether_the_site_is_ready(
    balancer, settings, monkeypatch, token, brought, well
):  # LOG-03
    def broken():
        raise DatabaseError("no")

    settings.METRICS_TOKEN = token
    message(due_at=Now() - timedelta(seconds=90))
    if not well:
        monkeypatch.setattr(health.database, "check", broken)
    headers = {} if brought is None else {"Authorization": brought}

    answer = balancer.get("/readyz", headers=headers)

    assert (answer.status_code, answer.json()) == (
        (200, {"ok": True}) if well else (503, {"ok": False})
    )
    assert balancer.get("/livez", headers=headers).content == b"ok\n"


def test_probes_do_not_pile_up_behind_a_database_that_hangs():
    asked, answered = [], threading.Event()
    check = health.BackgroundCheck(lambda: asked.append(1) or answered.wait(5), 0.2)
    began = time.monotonic()

    for _probe in range(50):
        with pytest.raises(TimeoutError):
            check.start().result()

    assert time.monotonic() - began < 1
    assert len(asked) == 1
    answered.set()


def test_an_answer_is_kept_for_a_moment():
    asked = []
    check = health.BackgroundCheck(lambda: asked.append(1), 1)

    for _probe in range(50):
        check.start().result()

    assert len(asked) == 1


# Metrics


@pytest.fixture
def prometheus(settings):
    """Whoever knows the token; reads metrics as {name: {labels: value}}."""
    settings.METRICS_TOKEN = TOKEN
    balancer = Client(SERVER_NAME="10.0.0.7", headers={"Authorization": f"Bearer {TOKEN}"})

    def read():
        answer = balancer.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
        metrics = {}
        for name, labels, value in METRIC.findall(answer.content.decode()):
            metrics.setdefault(name.removeprefix("storefront_"), {})[labels] = float(value)
        return metrics

    return read


@pytest.mark.parametrize("token", ["", TOKEN], ids=["none is set", "one is set"])
@pytest.mark.parametrize(
    "brought", [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}", "Bearer é"]
)  # fmt: skip
def test_without_the_token_there_are_no_metrics(balancer, settings, token, brought):
    settings.METRICS_TOKEN = token
    headers = {} if brought is None else {"Authorization": brought}

    answer = balancer.get("/metrics", headers=headers)

    assert (answer.status_code, answer.content) == (404, b"not found\n")


def test_sign_ups_are_counted_by_step(prometheus, postbox):
    Shopper(ip="203.0.113.1").signs_up("ana@example.com")
    Shopper(ip="203.0.113.2").identify("+12025550123")
    bea = Shopper(ip="203.0.113.3")
    bea.identify("bea@example.com")
    bea.verify(postbox.code("bea@example.com"))
    Challenge.objects.create(
        purpose="login", kind="email", recipient="x", address="x", tries_left=5,
        expires_at=Now(), link_expires_at=Now(),
    )  # fmt: skip

    counted = prometheus()["signups"]
    assert sum(number for labels, number in counted.items() if "completed" in labels) == 1
    assert {labels: number for labels, number in counted.items() if "completed" not in labels} == {
        'channel="email",step="identified"': 2,
        'channel="email",step="verified"': 2,
        'channel="phone",step="identified"': 1,
        'channel="phone",step="verified"': 0,
    }


def test_sends_are_counted_by_provider_and_result(prometheus, db):  # OUT-07
    for _number in range(3):
        message(Status.SENT, provider_id=providers.environment_id("smtp"))
    message(Status.FAILED, provider_id=providers.environment_id("smtp"), channel="sms")
    message()
    message(
        Status.SENT,
        provider_id=providers.environment_id("smtp"),
        created_at=Now() - timedelta(hours=2),
    )

    assert prometheus()["sends"] == {
        'channel="email",provider="smtp",status="sent"': 3,
        'channel="sms",provider="smtp",status="failed"': 1,
        'channel="email",provider="",status="queued"': 1,
    }


def test_the_time_to_hand_over_is_told_by_channel(prometheus, db):  # OUT-07
    for seconds in range(1, 21):
        message(Status.SENT, created_at=Now() - timedelta(seconds=seconds), settled_at=Now())
    message(Status.SENT, channel="sms", created_at=Now() - timedelta(seconds=7), settled_at=Now())
    message(
        Status.SENT,
        created_at=Now() - timedelta(hours=5),
        settled_at=Now() - timedelta(minutes=11),
    )

    took = {labels: round(value) for labels, value in prometheus()["handover_seconds"].items()}

    assert took['channel="email",quantile="0.5"'] in (10, 11)
    assert took['channel="email",quantile="0.95"'] == 19
    assert took['channel="sms",quantile="0.5"'] == took['channel="sms",quantile="0.95"'] == 7


def test_the_queue_is_told_by_its_length_and_age(prometheus, db):  # OUT-07
    message(created_at=Now() - timedelta(seconds=75))
    message(Status.SENDING, lease_until=Now())
    message(Status.SENT, created_at=Now() - timedelta(hours=3))

    metrics = prometheus()

    assert metrics["queued_messages"] == {"": 2}
    assert 75 <= metrics["oldest_queued_seconds"][""] < 80


def test_an_empty_queue_has_no_age(prometheus, db):
    metrics = prometheus()

    assert metrics["queued_messages"] == metrics["oldest_queued_seconds"] == {"": 0}


def test_a_provider_that_is_left_alone_is_told(prometheus, db, settings):
    settings.MAILBOX = False

    def enter(name, **columns):
        columns |= {"kind": "smtp", "channel": "email", "readiness": "tested"}
        return Provider.objects.create(name=name, **columns).pk

    soon, past = Now() + timedelta(seconds=9), Now() - timedelta(seconds=9)
    Breaker.objects.create(provider_id=enter('one "quoted"'), open_until=soon)
    Breaker.objects.create(provider_id=enter("over"), open_until=past)
    Breaker.objects.create(provider_id=enter("well"))
    Breaker.objects.create(provider_id=enter("taken out", is_active=False), open_until=soon)

    assert prometheus()["breaker_open"] == {
        'provider="one \\"quoted\\""': 1,
        'provider="over"': 0,
        'provider="well"': 0,
        'provider="taken out"': 0,
    }


def test_metrics_name_nobody_and_take_eight_statements(  # LOG-03
    prometheus, ana, postbox, settings, django_assert_max_num_queries
):
    make_shopper(ana, "ana@example.com")

    with django_assert_max_num_queries(8):
        answer = Client(headers={"Authorization": f"Bearer {TOKEN}"}).get("/metrics")

    assert b"ana" not in answer.content
