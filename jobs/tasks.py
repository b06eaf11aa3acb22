"""Celery's view of jobs: beat sends a tick for each job, and a worker sees whether it is due."""

from typing import Any

from celery import shared_task

from jobs.registry import JOBS
from jobs.runner import tick as run_if_due


@shared_task(ignore_result=True)
def tick(name: str) -> None:
    """Run the job called `name`, if it is due."""
    run_if_due(name)


def beat_schedule() -> dict[str, dict[str, Any]]:
    """The schedule of beat. No tick expires: that would compare the clocks of two machines (TIM-03)."""
    return {
        name: {"task": tick.name, "schedule": job.tick_every, "args": (name,)}
        for name, job in JOBS.items()
    }
