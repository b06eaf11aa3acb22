"""A worker whose clock is wrong, beside a beat and a web whose clocks are right: real processes, real queues."""

import sys
from datetime import timedelta

import pytest

from tests.faults.parts import wait_for

# The worker's own clock goes wrong in it and in the processes it forks; nothing else of the machine changes.
SKEWED = """
import datetime, sys, time_machine
time_machine.travel(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds={seconds})).start()
from celery.__main__ import main
sys.argv = ["celery", "-A", "storefront", "worker", "--loglevel", "info", "--concurrency", "2",
            "--without-gossip", "--without-mingle"]
main()
"""


@pytest.fixture
def worker_off_by(start):
    """Starts a worker whose clock is wrong by so much; it ends with the test."""
    started = []

    def start_worker(skew):
        command = SKEWED.format(seconds=skew.total_seconds())
        worker = start("worker", sys.executable, "-c", command)
        started.append(worker)
        worker.wait_until_it_says(" ready.")
        return worker

    yield start_worker
    for worker in started:
        worker.kill()


@pytest.mark.parametrize(
    "skew", [timedelta(seconds=3), timedelta(minutes=15), -timedelta(minutes=15)], ids=str
)
def test_a_worker_with_a_wrong_clock_sweeps_what_no_nudge_brought(  # TIM-01, TIM-03, OUT-03
    new_shopper, worker_off_by, beat, post_office, broker, sql, skew
):
    ana = new_shopper()
    ana.identify()
    # The hint is lost; beat's ticks alone lead to the message.
    wait_for(lambda: broker.llen("celery"))
    broker.flushdb()

    worker_off_by(skew)

    wait_for(lambda: post_office.to(ana.email))
    wait_for(lambda: sql("SELECT status FROM messaging_outboxmessage").fetchone() == ("sent",))
    late = "SELECT count(*) FROM jobs_job WHERE began_at > now() + interval '1 second'"
    assert sql(late).fetchone() == (0,)
