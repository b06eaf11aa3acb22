"""Which periodic jobs there are, and how often each runs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from django.utils.functional import Promise

# Beat asks for a job as often as it is to run, but for slow ones, too, every ten seconds: a tick that was lost, a
# beat that was started anew and a member of staff who wants the job now cost ten seconds, not an hour.
TICKS_AT_LEAST_EVERY = timedelta(seconds=10)
# By so much of the time between two ticks a run may come early: else one that was begun a little late would let the
# next tick find nothing to do, and every second tick would be lost.
SLACK = 0.2

Run = TypeVar("Run", bound=Callable[[], object])


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """One function that is to run `every` so often. `title` says what it does, for staff.

    Of a job that `may_overlap` another run begins while one is under way: they share the work among themselves.
    """

    name: str
    run: Callable[[], object]
    every: timedelta
    title: str | Promise
    may_overlap: bool = False

    @property
    def tick_every(self) -> timedelta:
        """How often beat asks for it."""
        return min(self.every, TICKS_AT_LEAST_EVERY)

    @property
    def slack(self) -> timedelta:
        """How much earlier than due it may run."""
        return self.tick_every * SLACK


JOBS: dict[str, PeriodicJob] = {}


def periodic(
    *, seconds: int, title: str | Promise, may_overlap: bool = False
) -> Callable[[Run], Run]:
    """Register a function of an app's `tasks.py` as a job, under the name of its app and its own.

    The function stays what it was: whoever calls it runs it, whatever its row says.
    """

    def register(run: Run) -> Run:
        name = f"{run.__module__.partition('.')[0]}.{run.__name__}"
        JOBS[name] = PeriodicJob(name, run, timedelta(seconds=seconds), title, may_overlap)
        return run

    return register
