"""One tick of the clock for one job: run it if it is due, and write down how that went."""

import logging
import time
from datetime import timedelta
from typing import Any

from jobs.models import Job
from jobs.registry import JOBS, PeriodicJob

logger = logging.getLogger(__name__)


def tick(name: str) -> bool:
    """Run the job called `name` if its row says that it is due. Returns whether it ran; raises what the job raises.

    Ticks may be late, lost, or many at once: the row decides, by the database's clock (TIM-03).
    """
    job = JOBS.get(name)
    if job is None:
        logger.warning("tick for a job that is not known")
        return False
    run_id = Job.objects.claim(job)
    if run_id is None and not Job.objects.filter(pk=name).exists():
        # A job that came with a release whose migrations have not run yet.
        Job.objects.bulk_create([Job(name=name)], ignore_conflicts=True)
        run_id = Job.objects.claim(job)
    if run_id is None:
        return False
    _run(job, run_id)
    return True


def sync_rows(**signal: Any) -> None:
    """Make a row for each job there is, and remove those of jobs that are gone. After every migration."""
    rows = Job.objects.using(signal.get("using", "default"))
    rows.exclude(name__in=JOBS).delete()
    rows.bulk_create([Job(name=name) for name in JOBS], ignore_conflicts=True)


def _run(job: PeriodicJob, run_id: Any) -> None:
    begun = time.monotonic()
    try:
        job.run()
    except Exception as error:
        # The class alone: a text may quote an address or a code. The log, which hides them, has the rest (LOG-03).
        Job.end_run(job, run_id, took=_elapsed(begun), error=type(error).__name__)
        raise
    Job.end_run(job, run_id, took=_elapsed(begun))


def _elapsed(begun: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - begun)
