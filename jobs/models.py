"""One row for each periodic job: when it is due, whether it runs, how it ended. All times are the database's."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, UUIDField, Value, When
from django.db.models.functions import Now, NullIf
from django.utils.translation import gettext_lazy as _

from jobs.clock import ReadAtMixin, ReadAtQuerySet
from jobs.registry import JOBS, PeriodicJob

# A worker ends a task at its time limit, by force: whatever runs for longer than this was killed.
LEASE = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT + 5)
# A job that should have begun so long ago has nobody who runs it.
LATE_AFTER = timedelta(seconds=60)
KILLED = "killed"

RUNNING = Q(run_id__isnull=False, lease_until__gt=Now())
WAS_KILLED = Q(run_id__isnull=False, lease_until__lte=Now())
# By so much the run that should have begun is late, for staff and for machines.
LATE = Q(is_paused=False, due_at__lte=Now() - LATE_AFTER) | Q(wanted_at__lte=Now() - LATE_AFTER)


class Result(models.TextChoices):
    """How a run ended that said so. One that was killed says nothing: its lease tells."""

    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


class JobQuerySet(ReadAtQuerySet["Job"]):
    """Jobs by what the database's clock says of them."""

    def in_trouble(self) -> "JobQuerySet":
        """Jobs that are late, whose last run failed, or was killed."""
        return self.filter(LATE | WAS_KILLED | Q(result=Result.FAILED)).with_read_at()

    def claim(self, job: PeriodicJob) -> uuid.UUID | None:
        """Begin a run of `job`, in one statement; None when it is not due, paused, or another run is under way.

        However many workers try at once, one gets it (TIM-02). What it finds of a run that was killed it keeps as the
        last failure.
        """
        run_id = uuid.uuid4()
        is_due = Q(wanted_at__isnull=False) | Q(is_paused=False, due_at__lte=Now() + job.slack)
        is_free = Q() if job.may_overlap else ~RUNNING
        begun = self.filter(is_due & is_free, pk=job.name).update(
            run_id=run_id,
            began_at=Now(),
            due_at=Now() + job.every,
            lease_until=Now() + LEASE,
            wanted_at=None,
            failures=F("failures") + Case(When(WAS_KILLED, then=1), default=0),
            error=Case(When(WAS_KILLED, then=Value(KILLED)), default=F("error")),
            failed_at=Case(When(WAS_KILLED, then=F("lease_until")), default=F("failed_at")),
        )
        return run_id if begun else None


class Job(ReadAtMixin, models.Model):
    """One periodic job. What it does and how often stands in the code, under the same name."""

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    is_paused = models.BooleanField(_("paused"), default=False)
    # Staff asked for a run now.
    wanted_at = models.DateTimeField(_("wanted"), null=True)
    due_at = models.DateTimeField(_("next run"), db_default=Now())
    # The run under way, and when it has been killed if it has not ended.
    run_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    began_at = models.DateTimeField(_("last run"), null=True)
    # Of the last run that ended.
    ended_at = models.DateTimeField(_("ended"), null=True)
    took = models.DurationField(_("took"), null=True)
    result = models.CharField(_("result"), max_length=12, choices=Result, blank=True)
    succeeded_at = models.DateTimeField(_("last success"), null=True)
    # Since the last success, and of the last one ever: the name of the error's class, or KILLED. Never its text.
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    failed_at = models.DateTimeField(_("last failure"), null=True)
    error = models.CharField(_("last error"), max_length=80, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("periodic job")
        verbose_name_plural = _("periodic jobs")
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return str(JOBS[self.name].title) if self.name in JOBS else self.name

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return bool(self.run_id and self.lease_until and self.lease_until > self.read_at)

    @property
    def was_killed(self) -> bool:
        """Whether the last run never ended: its process was killed."""
        return bool(self.run_id) and not self.is_running

    @property
    def has_failed(self) -> bool:
        """Whether the last run failed or was killed."""
        return self.was_killed or self.result == Result.FAILED

    @property
    def late_by(self) -> timedelta:
        """How long ago a run should have begun; nothing while that is no reason to look."""
        due = [self.wanted_at] if self.is_paused else [self.wanted_at, self.due_at]
        waited = max((self.read_at - at for at in due if at), default=timedelta())
        return waited if waited >= LATE_AFTER else timedelta()

    def request_run(self) -> bool:
        """Let the next tick run the job, also a paused one; False when that was asked for already."""
        waiting = Job.objects.filter(pk=self.pk, wanted_at=None)
        return waiting.update(wanted_at=Now()) == 1

    def pause(self) -> bool:
        """Begin no run from now on; False when it is paused already. A run under way goes on."""
        return Job.objects.filter(pk=self.pk, is_paused=False).update(is_paused=True) == 1

    def resume(self) -> bool:
        """Run again, with the next tick; False when it is not paused."""
        paused = Job.objects.filter(pk=self.pk, is_paused=True)
        return paused.update(is_paused=False, due_at=Now()) == 1

    @staticmethod
    def end_run(job: PeriodicJob, run_id: uuid.UUID, *, took: timedelta, error: str = "") -> None:
        """Write how a run of `job` ended: well, or with an `error` of this class."""
        mine = Job.objects.filter(pk=job.name)
        if not job.may_overlap:
            # A run that overslept its lease writes over nobody.
            mine = mine.filter(run_id=run_id)
        ended = {"succeeded_at": Now(), "failures": 0, "result": Result.SUCCEEDED}
        if error:
            ended = {
                "failed_at": Now(),
                "failures": F("failures") + 1,
                "result": Result.FAILED,
                "error": error[:80],
            }
        # Where another run has begun meanwhile, that one is still under way.
        still = NullIf("run_id", Value(run_id, output_field=UUIDField()))
        mine.update(run_id=still, ended_at=Now(), took=took, **ended)
