"""The state of a periodic job in words and colours, by the time at which the database read its row (TIM-04)."""

from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from backoffice.badges import BAD, GOOD, OFF, WAIT
from backoffice.badges import badge as make_badge
from jobs.models import Result


def late(job):
    """How late its next run is, or ""."""
    since = timesince(job.read_at - job.late_by, job.read_at, depth=1)
    return _("%(time)s late") % {"time": since} if job.late_by else ""


def last_result(job):
    """How the last run ended, with the class of its error; "" before the first."""
    if job.was_killed:
        return _("killed")
    if job.result == Result.FAILED:
        return _("failed: %(error)s") % {"error": job.error}
    return job.get_result_display()


def trouble(job):
    """What is wrong with it, in a few words, or ""."""
    return ", ".join(filter(None, [late(job), last_result(job) if job.has_failed else ""]))


def badge(job):
    """What staff should know first: that nobody runs it, that it failed, or what it does."""
    if job.late_by:
        return make_badge(BAD, late(job))
    if job.has_failed:
        return make_badge(BAD, _("killed") if job.was_killed else _("failed"))
    return make_badge(*_calm(job))


def _calm(job):
    if job.is_paused:
        return OFF, _("paused")
    if job.is_running:
        return WAIT, _("running")
    return (GOOD, _("works")) if job.ended_at else (WAIT, _("not run yet"))
