"""The clocks of web, worker and beat are wrong, by a quarter of an hour or by seconds; the database's is right.

The process under test travels (TIM-01). The database keeps its own time: PostgreSQL's is another process's, and SQLite
asks the C library, which nobody deceives here.
"""

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.db.models import F
from django.db.models.functions import Now
from django.utils.timezone import now

from accounts import conf, limits
from accounts.errors import TooOften
from accounts.models import Challenge, Session
from jobs.models import Job
from messaging.models import Breaker, OutboxMessage, Provider, Receipt, Status
from messaging.outbox import breaker
from messaging.providers import mailbox
from messaging.webhooks import record_event
from messaging.webhooks.base import DeliveryEvent, is_recent
from ratelimits.engine import Limit, full_until, used
from ratelimits.rates import Rate
from storefront import celery_app
from tests.support.account import CONFIRM, DELETE, must_confirm
from tests.support.people import (
    PASSWORD,
    RESEND,
    VERIFY,
    Postbox,
    Shopper,
    make_shopper,
    time_passes,
)
from tests.support.staff import CODE, LOGIN, code_of, knock, make_staff, type_code

pytestmark = [pytest.mark.database, pytest.mark.django_db]

AHEAD, BEHIND = timedelta(minutes=15), -timedelta(minutes=15)
EITHER = pytest.mark.parametrize("skew", [AHEAD, BEHIND], ids=["ahead", "behind"])
WHO = "ana@example.com"


def off_by(skew):
    """Let the clock of this process be wrong."""
    return time_machine.travel(now() + skew)


def beat_asks(name):
    """Send the tick of one job to a worker, with whatever beat's schedule says of it."""
    entry = celery_app.conf.beat_schedule[name]
    celery_app.tasks[entry["task"]].apply(entry["args"], **entry.get("options", {}))


def ten_ask_for_a_code():
    for number in range(10):
        Shopper(ip=f"198.51.100.{number + 1}").identify(f"shopper{number}@example.com")


# Workers


@pytest.mark.usefixtures("_work_is_for_the_worker")
@pytest.mark.parametrize("skew", [AHEAD, BEHIND, timedelta(hours=10)], ids=str)
def test_a_worker_with_a_wrong_clock_delivers_ten_of_ten(monkeypatch, skew):  # TIM-01, OUT-03
    ten_ask_for_a_code()

    with off_by(skew):
        monkeypatch.setitem(celery_app.conf, "task_always_eager", True)
        Job.objects.update(due_at=Now())
        beat_asks("messaging.sweep")

    assert [*OutboxMessage.objects.values_list("status", flat=True)] == [Status.SENT] * 10
    assert len(mailbox.messages()) == 10


@pytest.mark.usefixtures("_work_is_for_the_worker")
def test_a_worker_three_seconds_ahead_of_beat_sweeps_what_was_deferred(monkeypatch):  # TIM-03
    ten_ask_for_a_code()
    OutboxMessage.objects.update(due_at=Now() + timedelta(seconds=2), tries=1)
    monkeypatch.setitem(celery_app.conf, "task_always_eager", True)
    Job.objects.update(due_at=Now())

    with off_by(timedelta(seconds=3)):
        beat_asks("messaging.sweep")
        assert not mailbox.messages()
        OutboxMessage.objects.update(due_at=F("due_at") - timedelta(seconds=2))
        Job.objects.update(due_at=Now())
        beat_asks("messaging.sweep")

    assert len(mailbox.messages()) == 10


@pytest.mark.usefixtures("_work_is_for_the_worker")
@EITHER
def test_a_worker_with_a_wrong_clock_sends_no_code_that_is_dead(skew):  # TIM-01, COD-04
    ten_ask_for_a_code()
    time_passes(seconds=conf.CODE_TTL.total_seconds() + 1)

    with off_by(skew):
        Postbox().messages()

    assert [*OutboxMessage.objects.values_list("status", flat=True)] == [Status.EXPIRED] * 10
    assert not mailbox.messages()


@EITHER
def test_a_paused_provider_is_left_alone_for_its_pause(skew):  # TIM-01, OUT-05
    provider_id = uuid.uuid4()
    for _third in range(3):
        breaker.record_failure(provider_id)

    with off_by(skew):
        assert not breaker.allows(provider_id, breaker.failing())
        Breaker.objects.update(open_until=Now())
        # One asks, and the others go on waiting.
        assert breaker.allows(provider_id, breaker.failing())
        assert not breaker.allows(provider_id, breaker.failing())


@EITHER
def test_a_message_that_failed_waits_as_long_as_its_age_says(skew):  # TIM-01, OUT-05
    row = OutboxMessage.objects.create(
        template="code", about_id=uuid.uuid4(), channel="email", address=WHO,
        expires_at=Now() + timedelta(hours=1), created_at=Now() - timedelta(seconds=160), tries=1,
    )  # fmt: skip

    with off_by(skew):
        message = OutboxMessage.objects.filter(pk=row.pk).claim()

    assert (
        timedelta(seconds=160) <= message.claimed_at - message.created_at < timedelta(seconds=170)
    )


# Web


def test_whoever_has_proved_who_they_are_is_not_asked_again_and_again(ana):  # TIM-01, REC-08
    make_shopper(ana, WHO)
    Session.objects.update(reauthenticated_at=Now() - timedelta(hours=1))

    with off_by(AHEAD):
        assert must_confirm(ana, ana.get(DELETE), DELETE)
        ana.post(CONFIRM, current=PASSWORD)

        assert ana.get(DELETE).status_code == 200
        assert ana.get(DELETE).status_code == 200


@EITHER
def test_a_proof_of_who_is_there_is_old_after_ten_minutes(ana, skew):  # TIM-01, REC-08
    make_shopper(ana, WHO)

    with off_by(skew):
        Session.objects.update(reauthenticated_at=Now() - conf.REAUTH_WINDOW + timedelta(seconds=9))
        assert ana.get(DELETE).status_code == 200
        Session.objects.update(reauthenticated_at=Now() - conf.REAUTH_WINDOW)
        assert must_confirm(ana, ana.get(DELETE), DELETE)


@EITHER
def test_a_session_that_is_used_is_noted_every_five_minutes(ana, skew):  # TIM-01, SES-07
    make_shopper(ana, WHO)
    before = Session.objects.get().last_used_at

    with off_by(skew):
        ana.get(DELETE)
        assert Session.objects.get().last_used_at == before
        time_passes(minutes=6)
        ana.get(DELETE)

    assert Session.objects.get().last_used_at > before


@EITHER
def test_nobody_skips_the_cool_down_of_a_code(ana, postbox, skew):  # TIM-01, COD-09
    ana.identify(WHO)

    with off_by(skew):
        ana.identify(WHO)
        refused = ana.post(RESEND)
        assert len(postbox) == 1
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        time_passes(seconds=61)
        ana.post(RESEND)

    assert len(postbox) == 2


@EITHER
def test_tries_that_are_used_up_skip_no_cool_down(ana, skew):  # TIM-01, COD-09
    ana.identify(WHO)
    Challenge.objects.update(tries_left=0)

    with off_by(skew):
        refused = ana.identify(WHO)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")


@EITHER
def test_the_page_of_a_code_says_what_became_of_it_by_the_age_it_has(
    ana, postbox, skew
):  # TIM-01, ux 51
    ana.identify(WHO)
    OutboxMessage.objects.update(status=Status.QUEUED)

    with off_by(skew):
        time_passes(seconds=5)
        on_its_way = ana.get(VERIFY).content.decode()
        time_passes(seconds=10)
        late = ana.get(VERIFY).content.decode()

    assert "Your email is on its way." in on_its_way
    assert "This takes longer than usual." in late


@EITHER
def test_retry_after_and_the_time_on_the_page_are_right(skew):  # TIM-01, LIM-08
    limit = Limit("of a test", "ana", Rate(1, 600))
    limits.enforce(limit)

    with off_by(skew), pytest.raises(TooOften) as refused:
        limits.enforce(limit)

    room_at = now() + timedelta(minutes=10)
    assert refused.value.retry_after == 600
    around = [f"{room_at + timedelta(seconds=each):%H:%M}" for each in (-60, 0, 60)]
    assert any(each in str(refused.value.message) for each in around)


@EITHER
def test_staff_see_the_limits_in_force(skew):  # TIM-01
    limit = Limit("of a test", "ana", Rate(1, 600))
    limits.enforce(limit)

    with off_by(skew):
        assert [*full_until([limit])] == [limit]
        assert used([limit]) == {limit: 1}
        time_passes(minutes=11)
        assert full_until([limit]) == {}
        assert used([limit]) == {limit: 0}


# Staff


@EITHER
def test_staff_sign_in(client, skew):  # TIM-01, ADM-04
    make_staff()

    with off_by(skew):
        knock(client)
        type_code(client, code_of())

        assert client.get("/admin/").status_code == 200


@EITHER
def test_a_staff_password_is_good_for_half_an_hour_of_code(client, skew):  # TIM-01, ADM-04
    make_staff()
    knock(client)

    with off_by(skew):
        time_passes(minutes=25)
        assert client.get(CODE).status_code == 200
        time_passes(minutes=6)
        assert client.get(CODE).headers["Location"].startswith(LOGIN)


# Providers


@EITHER
def test_a_signature_is_recent_or_not_by_the_database(skew):  # TIM-01
    made_at = now().timestamp()

    with off_by(skew):
        assert is_recent(made_at)
        assert not is_recent(made_at - 301)


@EITHER
def test_an_event_without_a_time_happened_now(skew):  # TIM-01
    row = Provider.objects.create(name="pigeon", kind="smtp", channel="email")
    message = OutboxMessage.objects.create(
        template="code", about_id=uuid.uuid4(), channel="email", address=WHO,
        expires_at=Now() + timedelta(hours=1), status=Status.SENT, provider_id=row.pk,
    )  # fmt: skip

    with off_by(skew):
        record_event(row, DeliveryEvent("key", Status.DELIVERED, message_id=str(message.pk)))

    assert abs(Receipt.objects.get().at - now()) < timedelta(seconds=30)
