"""Periodic jobs: a tick runs what is due, once, and the row says how it went."""

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils.timezone import now

from jobs.models import KILLED, LATE_AFTER, LEASE, Job, Result
from jobs.registry import JOBS, PeriodicJob
from jobs.runner import sync_rows, tick
from jobs.tasks import beat_schedule
from jobs.tasks import tick as tick_task
from storefront import celery_app
from tests.support.races import at_once

AHEAD, BEHIND = timedelta(minutes=15), -timedelta(minutes=15)
SECRET = "ana@example.com typed 123456"


class Counted(list):
    """A job's function that notes each run."""

    def __call__(self):
        self.append(now())


@pytest.fixture
def runs():
    return Counted()


@pytest.fixture
def job(db, monkeypatch, runs):
    """A job that runs once an hour, with its row."""
    hourly = PeriodicJob("shop.hourly", runs, timedelta(hours=1), "Once an hour")
    monkeypatch.setitem(JOBS, hourly.name, hourly)
    Job.objects.create(name=hourly.name)
    return hourly


def row(job):
    return Job.objects.with_read_at().get(pk=job.name)


def time_passes(job, **span):
    """Move the row into the past."""
    back = timedelta(**span)
    times = "due_at lease_until began_at ended_at succeeded_at failed_at wanted_at".split()
    Job.objects.filter(pk=job.name).update(**{name: F(name) - back for name in times})


def fails(job, monkeypatch, error):
    """Let the job end with an error."""

    def run():
        raise error

    monkeypatch.setitem(JOBS, job.name, PeriodicJob(job.name, run, job.every, job.title))


# Due or not


def test_a_job_runs_with_the_first_tick_and_then_once_in_its_time(job, runs):  # TIM-02
    assert [tick(job.name) for _again in range(5)] == [True, False, False, False, False]

    time_passes(job, minutes=59)
    assert not tick(job.name)
    time_passes(job, minutes=1)
    assert tick(job.name)

    assert len(runs) == 2
    assert row(job).result == Result.SUCCEEDED


def test_two_beats_halfway_between_each_other_run_a_job_no_oftener_than_one(  # TIM-02
    job, monkeypatch, runs
):
    each_second = PeriodicJob(job.name, runs, timedelta(seconds=1), "Each second")
    monkeypatch.setitem(JOBS, job.name, each_second)

    for _half_a_second in range(20):
        tick(job.name)
        time_passes(job, seconds=0.5)

    assert len(runs) == 10


def test_a_tick_that_comes_a_little_early_is_not_lost(job, monkeypatch, runs):  # TIM-03
    each_second = PeriodicJob(job.name, runs, timedelta(seconds=1), "Each second")
    monkeypatch.setitem(JOBS, job.name, each_second)

    for _tick in range(5):
        tick(job.name)
        time_passes(job, seconds=0.9)

    assert len(runs) == 5


def test_a_worker_that_was_away_finds_a_thousand_ticks_and_runs_once(job, runs):  # TIM-03
    for _tick in range(1000):
        tick(job.name)

    assert len(runs) == 1


@pytest.mark.parametrize("skew", [AHEAD, BEHIND, timedelta(seconds=3), -timedelta(seconds=3)])
def test_a_worker_with_a_wrong_clock_runs_what_is_due_and_nothing_else(
    job, runs, skew
):  # TIM-01, TIM-03
    with time_machine.travel(now() + skew):
        first, second = tick(job.name), tick(job.name)
        time_passes(job, hours=1)
        third = tick(job.name)

    assert (first, second, third) == (True, False, True)
    assert abs(row(job).began_at - now()) < timedelta(seconds=5)


def test_no_tick_expires_by_a_foreign_clock():  # TIM-03
    entries = celery_app.conf.beat_schedule

    assert entries == beat_schedule()
    assert not [name for name, entry in entries.items() if entry.get("options")]


def test_beat_asks_for_every_job_at_least_each_ten_seconds():  # LOG-06, TIM-03
    entries = celery_app.conf.beat_schedule

    assert {*entries} == {
        "accounts.erase",
        "accounts.purge",
        "backoffice.alert_on_bursts",
        "backoffice.roll_up_signups",
        "messaging.alert_on_delays",
        "messaging.probe",
        "messaging.purge",
        "messaging.sweep",
    }
    assert all(entry["schedule"] <= timedelta(seconds=10) for entry in entries.values())
    assert {entry["task"] for entry in entries.values()} == {tick_task.name}
    assert all(entry["args"] == (name,) for name, entry in entries.items())


def test_beat_without_a_broker_goes_the_same_way(job, runs):  # TIM-03
    tick_task.delay(job.name)
    tick_task.delay(job.name)

    assert len(runs) == 1


def test_a_tick_for_a_job_that_nobody_knows_is_left_alone(db):
    assert not tick("nobody.job")
    assert not Job.objects.filter(name="nobody.job").exists()


def test_a_job_whose_row_is_missing_gets_one(job, runs):
    Job.objects.filter(pk=job.name).delete()

    assert tick(job.name)
    assert row(job).result == Result.SUCCEEDED


def test_every_migration_makes_the_rows_and_keeps_what_staff_chose(job):
    Job.objects.filter(pk="messaging.purge").update(is_paused=True)
    Job.objects.create(name="gone.job")
    Job.objects.filter(pk="messaging.sweep").delete()

    sync_rows()

    assert {*Job.objects.values_list("name", flat=True)} == {*JOBS}
    assert Job.objects.get(pk="messaging.purge").is_paused


# At once


@pytest.mark.django_db(transaction=True)
def test_ten_workers_at_once_run_a_job_once(job, runs):  # TIM-02
    for _round in range(5):
        at_once(*[lambda: tick(job.name)] * 10)
        time_passes(job, hours=2)

    assert len(runs) == 5


@pytest.mark.django_db(transaction=True)
def test_ten_workers_at_once_take_over_once_from_one_that_was_killed(job, runs):  # TIM-02, TIM-04
    Job.objects.claim(job)
    time_passes(job, hours=2)

    at_once(*[lambda: tick(job.name)] * 10)

    assert len(runs) == 1
    assert row(job).error == KILLED


# How it ended


def test_a_run_that_goes_on_keeps_the_next_one_away(job, runs):  # TIM-02
    assert Job.objects.claim(job)
    time_passes(job, seconds=LEASE.seconds - 2)
    Job.objects.filter(pk=job.name).update(due_at=Now())

    assert not tick(job.name)
    assert row(job).is_running


def test_sweeps_share_the_work(db):  # OUT-03
    sweep = JOBS["messaging.sweep"]
    Job.objects.filter(pk=sweep.name).delete()
    Job.objects.create(name=sweep.name)

    first = Job.objects.claim(sweep)
    time_passes(sweep, seconds=1)
    second = Job.objects.claim(sweep)
    Job.end_run(sweep, first, took=timedelta(seconds=8))

    assert first
    assert second
    assert row(sweep).is_running
    assert row(sweep).took == timedelta(seconds=8)


def test_a_job_that_fails_says_the_class_of_its_error_and_no_data(job, monkeypatch):  # TIM-04
    fails(job, monkeypatch, ValueError(SECRET))

    with pytest.raises(ValueError, match=SECRET):
        tick(job.name)

    kept = row(job)
    assert (kept.result, kept.error, kept.failures) == (Result.FAILED, "ValueError", 1)
    assert "ana" not in str(Job.objects.filter(pk=job.name).values())
    assert [each.name for each in Job.objects.in_trouble().filter(pk=job.name)] == [job.name]


def test_a_job_that_works_again_remembers_its_last_failure(job, monkeypatch, runs):  # TIM-04
    fails(job, monkeypatch, OSError(SECRET))
    with pytest.raises(OSError, match=SECRET):
        tick(job.name)
    time_passes(job, hours=1)
    monkeypatch.setitem(JOBS, job.name, job)

    tick(job.name)

    kept = row(job)
    assert (kept.result, kept.failures, kept.error) == (Result.SUCCEEDED, 0, "OSError")
    assert not Job.objects.in_trouble().filter(pk=job.name)


def test_a_run_that_was_killed_is_seen_as_such(job, runs):  # TIM-04
    Job.objects.claim(job)
    assert row(job).is_running
    time_passes(job, seconds=LEASE.seconds + 1)

    assert row(job).was_killed
    assert Job.objects.in_trouble().filter(pk=job.name)
    time_passes(job, hours=1)
    assert tick(job.name)

    kept = row(job)
    assert (kept.error, kept.result, kept.was_killed) == (KILLED, Result.SUCCEEDED, False)
    assert kept.failed_at < kept.began_at


def test_a_run_that_overslept_writes_over_nobody(job):  # TIM-02
    slow = Job.objects.claim(job)
    time_passes(job, hours=2)
    Job.objects.claim(job)

    Job.end_run(job, slow, took=timedelta(hours=2), error="ValueError")

    assert row(job).is_running
    assert row(job).result == ""


def test_how_long_a_run_took_is_measured(job, runs):
    tick(job.name)

    assert timedelta() < row(job).took < timedelta(seconds=5)


# Late


def test_a_job_that_nobody_runs_is_late(job, runs):  # TIM-04
    tick(job.name)
    time_passes(job, hours=1, seconds=LATE_AFTER.seconds - 5)
    assert not row(job).late_by

    time_passes(job, minutes=5)

    assert timedelta(minutes=5) < row(job).late_by < timedelta(minutes=7)
    assert Job.objects.in_trouble().filter(pk=job.name)


@pytest.mark.parametrize("skew", [AHEAD, BEHIND])
def test_a_process_with_a_wrong_clock_calls_nothing_late_or_killed(
    job, runs, skew
):  # TIM-01, TIM-04
    tick(job.name)
    Job.objects.filter(pk=job.name).update(run_id=uuid.uuid4(), lease_until=Now() + LEASE)

    with time_machine.travel(now() + skew):
        assert row(job).is_running
        assert not row(job).late_by
        assert not Job.objects.in_trouble().filter(pk=job.name)


# Staff


def test_a_paused_job_does_not_run_and_is_not_late(job, runs):  # TIM-05
    assert row(job).pause()
    assert not row(job).pause()
    time_passes(job, hours=3)

    assert not tick(job.name)
    assert not row(job).late_by

    assert row(job).resume()
    assert not row(job).late_by
    assert tick(job.name)


def test_run_now_runs_once_whether_due_or_paused(job, runs):  # TIM-05
    tick(job.name)
    row(job).pause()
    assert row(job).request_run()
    assert not row(job).request_run()

    assert [tick(job.name) for _again in range(3)] == [True, False, False]
    assert row(job).is_paused


def test_a_wish_that_nobody_grants_is_late(job, runs):  # TIM-04
    tick(job.name)
    row(job).request_run()
    time_passes(job, minutes=2)

    assert row(job).late_by >= timedelta(minutes=2)


def test_a_lease_is_longer_than_a_worker_lets_a_task_run():  # TIM-04
    assert timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT) < LEASE < LATE_AFTER
