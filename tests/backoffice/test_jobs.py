"""Periodic jobs on the staff pages: when each ran, how that ended, what is next; run now, pause, resume."""

import re
from datetime import timedelta
from html import unescape

import pytest
import time_machine
from django.core.management import call_command
from django.db.models import F
from django.db.models.functions import Now
from django.utils.timezone import now

from accounts.models import SecurityEvent
from jobs.models import LEASE, Job
from jobs.registry import JOBS, PeriodicJob
from jobs.runner import tick
from tests.support.staff import let_in_staff

LIST, FRONT = "/admin/jobs/job/", "/admin/"
PURGE, ERASE = "messaging.purge", "accounts.erase"
SECRET = "ana@example.com"


@pytest.fixture(autouse=True)
def _every_job_has_run(db):
    Job.objects.update(began_at=Now(), ended_at=Now(), due_at=Now() + timedelta(hours=1))


def line(browser, name=PURGE, url=LIST):
    """What the list says of one job, as words."""
    page = browser.client.get(url).content.decode()
    rows = re.findall(r"(?s)<tr>.*?</tr>", page)
    row = next(each for each in rows if f"/{name.replace('_', '_5F')}/" in each)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split())


def presses(browser, button, name=PURGE):
    return browser.client.post(LIST, {button: name})


def has_role(browser, role):
    call_command("staff_role", "boss", role)
    let_in_staff(browser.client)


def test_the_list_says_how_often_each_job_runs_when_and_how_it_ended(staff):  # promise 1.17, 1.24
    Job.objects.filter(pk=PURGE).update(due_at=Now())
    tick(PURGE)

    found = line(staff)

    assert "Delete old messages every 1 h" in found
    assert "works" in found
    assert "succeeded" in found
    assert re.search(r"\d\.\d\d sec", found)
    assert re.search(r"\d{1,2} \w{3}, \d\d:\d\d:\d\d", found)
    page = staff.client.get(LIST).content.decode()
    assert all(str(job.title) in unescape(page) for job in JOBS.values())


def test_a_failure_says_the_class_of_its_error_and_no_data(staff, monkeypatch):  # TIM-04
    def run():
        raise LookupError(SECRET)

    broken = PeriodicJob(PURGE, run, timedelta(hours=1), "Delete old messages")
    monkeypatch.setitem(JOBS, PURGE, broken)
    Job.objects.filter(pk=PURGE).update(due_at=Now())
    with pytest.raises(LookupError):
        tick(PURGE)

    found, one = line(staff), staff.client.get(f"{LIST}{PURGE}/change/").content.decode()
    front = staff.client.get(FRONT).content.decode()

    assert "failed: LookupError" in found
    assert "Delete old messages</strong>: failed: LookupError" in front
    assert SECRET not in found + one + front


def test_a_run_that_was_killed_is_seen_as_such(staff):  # TIM-04
    Job.objects.filter(pk=PURGE).update(due_at=Now())
    Job.objects.claim(JOBS[PURGE])
    assert "running" in line(staff)
    Job.objects.filter(pk=PURGE).update(lease_until=F("lease_until") - LEASE)

    assert "killed" in line(staff)
    assert "Delete old messages</strong>: killed" in staff.client.get(FRONT).content.decode()


def test_without_beat_and_workers_the_front_page_says_what_is_late(staff):  # TIM-04
    assert "Periodic jobs that need a look" not in staff.client.get(FRONT).content.decode()
    Job.objects.update(due_at=Now() - timedelta(minutes=7))

    front = unescape(staff.client.get(FRONT).content.decode()).replace("\xa0", " ")

    assert front.count("7 minutes late") == len(JOBS)
    assert "beat or the workers are away" in front
    assert "7 minutes late" in line(staff).replace("\xa0", " ")


@pytest.mark.parametrize("skew", [timedelta(minutes=15), -timedelta(minutes=15)])
def test_a_web_process_with_a_wrong_clock_calls_no_job_late(staff, skew):  # TIM-01, TIM-04
    Job.objects.update(due_at=Now() - timedelta(seconds=30))

    with time_machine.travel(now() + skew):
        assert "Periodic jobs that need a look" not in staff.client.get(FRONT).content.decode()
        assert "works" in line(staff)


def test_staff_let_a_job_run_now(staff):  # TIM-05
    presses(staff, "run")

    assert " now " in f"{line(staff)} "
    assert "Run now" not in line(staff).replace("\xa0", " ")
    assert tick(PURGE)
    assert not tick(PURGE)


def test_staff_pause_a_job_and_go_on_with_it(staff):  # TIM-05
    presses(staff, "pause")
    Job.objects.filter(pk=PURGE).update(due_at=Now())
    assert "paused" in line(staff)
    assert not tick(PURGE)

    presses(staff, "resume")

    assert "paused" not in line(staff)
    assert tick(PURGE)


@pytest.mark.parametrize("button", ["run", "pause"])
def test_what_staff_do_to_a_job_is_in_the_audit_once(staff, boss, button):  # TIM-05, LOG-01
    presses(staff, button)
    presses(staff, button)

    [event] = SecurityEvent.objects.filter(kind="staff_changed")
    assert (event.about, event.user_id) == (f"job {PURGE}", boss.pk)
    history = staff.client.get(f"{LIST}{PURGE}/history/").content.decode()
    assert {"run": "Asked for a run now.", "pause": "Paused."}[button] in history


def test_operations_may_run_and_pause(staff):  # TIM-05, ADM-03
    has_role(staff, "Operations")

    assert "Pause" in line(staff)
    assert presses(staff, "pause").status_code == 302
    assert Job.objects.get(pk=PURGE).is_paused


def test_an_auditor_sees_and_does_nothing(staff):  # ADM-03
    has_role(staff, "Auditor")

    assert "Pause" not in line(staff)
    assert presses(staff, "pause").status_code == 403
    assert not Job.objects.get(pk=PURGE).is_paused


def test_support_sees_no_jobs(staff):  # ADM-03
    has_role(staff, "Support")
    Job.objects.update(due_at=Now() - timedelta(minutes=7))

    assert staff.client.get(LIST).status_code == 403
    assert presses(staff, "run").status_code == 403
    assert "Periodic jobs" not in staff.client.get(FRONT).content.decode()


@pytest.mark.parametrize("name", ["nobody.job", "", "\0", "x" * 300])
def test_a_button_for_no_job_does_nothing(staff, name):  # IDN-08
    assert presses(staff, "run", name).status_code in (302, 400)
    assert not Job.objects.filter(wanted_at__isnull=False)


def test_nobody_adds_changes_or_removes_a_job(staff):  # ADM-02
    assert staff.client.get(f"{LIST}add/").status_code == 403
    assert staff.client.post(f"{LIST}{PURGE}/delete/", {"post": "yes"}).status_code == 403
    staff.client.post(f"{LIST}{PURGE}/change/", {"is_paused": "on"})

    assert not Job.objects.get(pk=PURGE).is_paused


def test_the_list_costs_the_same_however_many_jobs_are_in_trouble(
    staff, django_assert_max_num_queries
):
    Job.objects.update(due_at=Now() - timedelta(minutes=7), is_paused=False)

    with django_assert_max_num_queries(6):
        staff.client.get(LIST)
