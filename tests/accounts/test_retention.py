"""Events stand as they were written; what nobody needs any more goes by its age (LOG-01, LOG-02, LOG-06)."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.timezone import now

from accounts import audit, conf, retention, tasks
from accounts.identifiers import fingerprint
from accounts.models import Challenge, SecurityEvent, Session, User, WrittenOnce
from accounts.sessions.client import ClientInfo
from messaging.models import OutboxMessage
from messaging.tasks import purge as purge_messages
from ratelimits.models import Bucket
from ratelimits.rates import parse_rates
from tests.support.people import Shopper, time_passes

pytestmark = pytest.mark.database

HERE = ClientInfo(ip="203.0.113.7", agent="Chrome")
DAY = timedelta(days=1)
postgresql = pytest.mark.skipif(
    "postgres" not in settings.DATABASES["default"]["ENGINE"], reason="a trigger of PostgreSQL"
)


@pytest.fixture
def event(ana):
    """Something that happened to Ana."""
    ana.signs_up()
    return SecurityEvent.objects.filter(kind="registered").get()


def kinds():
    """What was written down, in order."""
    return list(SecurityEvent.objects.order_by("pk").values_list("kind", flat=True))


# Events stand


CHANGES = {
    "save": lambda event: event.save(),
    "save some": lambda event: event.save(update_fields=["kind"]),
    "delete": lambda event: event.delete(),
    "update": lambda event: SecurityEvent.objects.update(kind="x"),
    "update the time": lambda event: SecurityEvent.objects.update(at=now()),
    "another user": lambda event: SecurityEvent.objects.update(user=User.objects.get()),
    "another address": lambda event: SecurityEvent.objects.update(ip="192.0.2.1"),
    "more than forgetting": lambda event: SecurityEvent.objects.update(user=None, kind="x"),
    "nothing": lambda event: SecurityEvent.objects.update(),
    "in bulk": lambda event: SecurityEvent.objects.bulk_update([event], ["kind"]),
    "delete all": lambda event: SecurityEvent.objects.all().delete(),
    "delete of a user": lambda event: event.user.events.all().delete(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nobody_changes_what_happened(event, change):  # LOG-02
    before = list(SecurityEvent.objects.order_by("pk").values())

    with pytest.raises(WrittenOnce), transaction.atomic():
        change(event)

    assert list(SecurityEvent.objects.order_by("pk").values()) == before


def test_events_may_forget_a_person(event):  # LOG-02
    assert SecurityEvent.objects.update(user=None, country="", ip=None, agent="")

    assert set(SecurityEvent.objects.values_list("user", "ip", "agent")) == {(None, None, "")}
    assert "registered" in kinds()


def test_events_outlive_the_account(event):  # LOG-02
    before = kinds()

    User.objects.get().delete()

    assert kinds() == before
    assert not SecurityEvent.objects.exclude(user=None).exists()


# Without the door that tests have, and with nothing left to be checked at the end of the transaction.
AS_ELSEWHERE = "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL storefront.emptying = 'off'"
FORGED = [
    "UPDATE accounts_securityevent SET kind = 'x'",
    "UPDATE accounts_securityevent SET at = now()",
    "UPDATE accounts_securityevent SET fingerprint = '', user_id = NULL",
    "UPDATE accounts_securityevent SET ip = '192.0.2.1'",
    "UPDATE accounts_securityevent SET agent = 'x'",
    "UPDATE accounts_securityevent SET request_id = 'x'",
    "UPDATE accounts_securityevent SET id = id + 1000000",
    "UPDATE accounts_securityevent SET user_id = gen_random_uuid()",
    "UPDATE accounts_securityevent SET country = 'GB'",
    "DELETE FROM accounts_securityevent",
    f"{AS_ELSEWHERE}; TRUNCATE accounts_securityevent",
    f"{AS_ELSEWHERE}; TRUNCATE accounts_user CASCADE",
]


@postgresql
@pytest.mark.parametrize("statement", FORGED)
def test_the_database_itself_keeps_events(event, statement):  # LOG-02
    before = list(SecurityEvent.objects.order_by("pk").values())

    with (
        pytest.raises(DatabaseError, match="stands as it was written"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert list(SecurityEvent.objects.order_by("pk").values()) == before


@postgresql
def test_the_database_lets_events_forget(event):  # LOG-02
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_securityevent SET user_id = NULL, ip = NULL, agent = '', country = ''"
        )

        assert cursor.rowcount == SecurityEvent.objects.count()


@postgresql
def test_the_door_of_retention_shuts_behind_it(event):  # LOG-02
    SecurityEvent.objects.filter(pk=event.pk).expire()

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_securityevent")


# What an event says


def test_an_event_names_its_request(db, monkeypatch):  # LOG-01
    monkeypatch.setattr(conf, "TRUSTED_PROXY_COUNT", 1)
    browser = Shopper(**{"X-Request-ID": "one-request-0001"})

    browser.identify("ana@example.com")

    assert SecurityEvent.objects.get().request_id == "one-request-0001"


@pytest.mark.django_db(transaction=True)
def test_a_limit_that_is_hit_is_written_down_once_a_minute(ana):  # LOG-01
    for number in range(24):
        answer = ana.identify(f"somebody{number}@example.com")
    assert answer.status_code == 429

    assert kinds().count("limit_hit") == 1
    assert SecurityEvent.objects.get(kind="limit_hit").ip == "203.0.113.7"


def test_waiting_for_a_code_is_no_limit(ana, postbox):  # LOG-01
    ana.identify("ana@example.com")

    assert ana.post("/register/resend/").status_code == 429
    assert "limit_hit" not in kinds()


def test_a_limit_is_written_down_with_the_address_it_was_hit_for(ana, postbox):  # LOG-01
    who = "ana@example.com"
    ana.identify(who)
    for _time in range(4):
        time_passes(minutes=2)
        answer = ana.post("/register/resend/")
    assert answer.status_code == 429

    event = SecurityEvent.objects.get(kind="limit_hit")
    assert (event.fingerprint, event.identifier_kind) == (fingerprint(who), "email")


@pytest.mark.django_db(transaction=True)
def test_a_limit_is_written_down_with_who_hit_it(ana, monkeypatch):  # LOG-01
    monkeypatch.setattr(conf, "CHANGES_PER_ACCOUNT", parse_rates("1/h"))
    ana.signs_up()

    for name in ("Ann", "Anna"):
        ana.post("/account/names/", name=name)

    assert SecurityEvent.objects.get(kind="limit_hit").user == User.objects.get()


# What goes


def attempt(age, **columns):
    """An attempt that began so long ago, and is over unless `columns` say otherwise."""
    began = Now() - age
    times = {"created_at": began, "sent_at": began, "expires_at": began, "link_expires_at": began}
    return Challenge.objects.create(
        **{
            "purpose": "register", "kind": "email", "recipient": "a@b.example",
            "address": "a@b.example", "tries_left": 5, **times, **columns,
        }
    )  # fmt: skip


def happened(age, number=1):
    """Events of so long ago."""
    SecurityEvent.objects.bulk_create(
        SecurityEvent(kind="signed_in", at=now() - age) for _ in range(number)
    )


def limit(key, age, period=3600):
    """A limit whose newest hit was so long ago."""
    free = now() - age + timedelta(seconds=period)
    Bucket.objects.create(key=key, name="x", size=1, period=period, hits="", expires_at=free)


def test_old_attempts_go_and_others_stay(db):  # LOG-06
    kept = conf.CHALLENGES_KEPT
    attempt(kept + DAY)
    attempt(kept + DAY, verified_at=Now() - kept)
    attempt(kept + DAY, link_expires_at=Now() + DAY, cancelled_at=Now() - kept)
    young = attempt(kept - DAY)
    live = attempt(kept + DAY, link_expires_at=Now() + DAY)

    assert retention.purge()["challenges"] == 3

    assert {*Challenge.objects.all()} == {young, live}


def test_a_session_outlives_the_attempt_it_began_with(ana):  # LOG-06
    ana.identify("ana@example.com")
    Challenge.objects.update(
        **{
            name: F(name) - conf.CHALLENGES_KEPT - DAY
            for name in ("created_at", "expires_at", "link_expires_at")
        }
    )

    retention.purge()

    assert not Challenge.objects.exists()
    assert Session.objects.get().challenge is None
    assert ana.get("/register/verify/").status_code == 303


def test_sessions_go_when_they_end(ana, bea):  # LOG-06
    ana.signs_up()
    bea.signs_up("bea@example.com")
    Session.objects.filter(user__email="ana@example.com").update(expire_date=Now())

    assert retention.purge()["sessions"] == 1

    assert bea.is_signed_in
    assert not ana.is_signed_in


def test_old_events_go(db):  # LOG-06
    happened(conf.EVENTS_KEPT + DAY, 3)
    happened(conf.EVENTS_KEPT - DAY, 2)

    assert retention.purge()["events"] == 3

    assert kinds() == ["signed_in"] * 2


def test_empty_limits_go(db):  # LOG-06
    limit("old", timedelta(hours=1))
    limit("young", timedelta(minutes=59))
    limit("long", timedelta(hours=23), period=86400)

    assert retention.purge()["limits"] == 1

    assert {*Bucket.objects.values_list("key", flat=True)} == {"young", "long"}


def test_old_messages_go(ana, postbox):  # LOG-06
    ana.signs_up()
    OutboxMessage.objects.update(settled_at=Now() - settings.MESSAGES_KEPT - DAY)

    purge_messages()

    assert not OutboxMessage.objects.exists()


def test_a_second_run_finds_nothing(ana):  # LOG-06
    ana.signs_up()
    happened(conf.EVENTS_KEPT + DAY)
    attempt(conf.CHALLENGES_KEPT + DAY)
    before = len(kinds())
    tasks.purge()

    assert not any(retention.purge().values())

    assert len(kinds()) == before - 1
    assert ana.is_signed_in


def test_rows_go_in_batches_and_a_run_has_an_end(db, monkeypatch):  # LOG-06
    monkeypatch.setattr(retention, "BATCH", 10)
    happened(conf.EVENTS_KEPT + DAY, 25)
    taken = []
    drop = retention._drop_some
    monkeypatch.setattr(retention, "_drop_some", lambda old: taken.append(drop(old)) or taken[-1])

    assert retention.purge(seconds=0)["events"] == 0
    assert retention.purge()["events"] == 25

    assert sorted(taken, reverse=True)[:3] == [10, 10, 5]


@postgresql
@pytest.mark.django_db(transaction=True)
def test_rows_that_somebody_holds_are_left_for_the_next_run(db):  # LOG-06
    limit("held", DAY)
    limit("free", DAY)
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM ratelimits_bucket WHERE key = 'held' FOR UPDATE")
            assert retention.purge()["limits"] == 1
            other.rollback()
    finally:
        other.close()

    assert retention.purge()["limits"] == 1


def test_an_event_of_no_request_has_no_request(db):  # LOG-01
    audit.record("erased", client=HERE)

    assert len(SecurityEvent.objects.get().request_id) <= 64
