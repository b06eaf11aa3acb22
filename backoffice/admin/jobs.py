"""Periodic jobs, as staff see them: when each ran, how that ended, what is next; to run one now, or pause it."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice import badges, job_states
from backoffice.modeladmin import ReadOnlyModelAdmin
from jobs.models import Job
from jobs.registry import JOBS

# What the buttons of a row post, what each does, what is written into the row's history, and shown when it changed
# nothing: another member of staff was faster.
ACTIONS = {
    "run": (
        Job.request_run,
        gettext_lazy("Asked for a run now."),
        gettext_lazy("A run was asked for already."),
    ),
    "pause": (Job.pause, gettext_lazy("Paused."), gettext_lazy("It was paused already.")),
    "resume": (Job.resume, gettext_lazy("Resumed."), gettext_lazy("It was not paused.")),
}
BUTTON = '<button class="button" name="{}" value="{}" aria-label="{}: {}">{}</button>'


@admin.register(Job)
class JobAdmin(ReadOnlyModelAdmin):
    """The periodic jobs: rows that the site makes and nobody adds, changes or deletes."""

    list_display = ("what", "state", "last_run", "outcome", "next_run", "last_failure")
    fields = (
        "what",
        "name",
        "state",
        "last_run",
        "outcome",
        "succeeded_at",
        "next_run",
        "failures",
        "last_failure",
    )
    ordering = ("name",)
    sortable_by = ()

    def get_queryset(self, request):
        """The jobs there are, with the moment at which they are read."""
        return super().get_queryset(request).filter(name__in=JOBS).with_read_at()

    def get_list_display(self, request):
        """Whoever may change a job has buttons for it."""
        what, state, *others = self.list_display
        return (what, state, *(["buttons"] if _may_change(request) else []), *others)

    def changelist_view(self, request, extra_context=None):
        """The list; the buttons of a row post to it, too."""
        for action in ACTIONS:
            if request.method == "POST" and action in request.POST:
                return self._act(request, action, request.POST[action])
        return super().changelist_view(request, extra_context)

    def _act(self, request, action, pk):
        if not _may_change(request):
            raise PermissionDenied
        act, done, nothing = ACTIONS[action]
        row = self.get_object(request, pk)
        if row:
            is_done = act(row)
            level, result = (messages.SUCCESS, done) if is_done else (messages.INFO, nothing)
            if is_done:
                self.log_change(request, row, str(result))
            messages.add_message(request, level, f"{row}: {result}")
        return HttpResponseRedirect(request.get_full_path())

    @admin.display(description=gettext_lazy("job"))
    def what(self, job):
        """What it does, and how often."""
        known = JOBS.get(job.name)
        return badges.with_subtext(str(job), _often(known.every) if known else "")

    @admin.display(description=gettext_lazy("state"))
    def state(self, job):
        """What staff should know first."""
        return job_states.badge(job)

    @admin.display(description=gettext_lazy("do"))
    def buttons(self, job):
        """One click each."""
        turn = ("resume", _("Resume")) if job.is_paused else ("pause", _("Pause"))
        run = [] if job.wanted_at else [("run", _("Run now"))]
        rows = (
            (name, job.pk, label, job, label.replace(" ", "\N{NO-BREAK SPACE}"))
            for name, label in (*run, turn)
        )
        return format_html_join(" ", BUTTON, rows)

    @admin.display(description=gettext_lazy("last run"))
    def last_run(self, job):
        """When it began, and how long the last one that ended took."""
        if job.began_at is None:
            return None
        took = (
            ""
            if job.took is None
            else _("took %(n)s sec") % {"n": f"{job.took.total_seconds():.2f}"}
        )
        return badges.with_subtext(_moment(job.began_at), took)

    @admin.display(description=gettext_lazy("result"))
    def outcome(self, job):
        """How it ended."""
        return job_states.last_result(job) or None

    @admin.display(description=gettext_lazy("next run"))
    def next_run(self, job):
        """When it is due; what is due runs with the next tick."""
        if job.wanted_at:
            return _("now")
        return _("when resumed") if job.is_paused else _moment(job.due_at)

    @admin.display(description=gettext_lazy("last failure"))
    def last_failure(self, job):
        """When a run last failed or was killed, and the class of the error."""
        return badges.with_subtext(job.error, _moment(job.failed_at)) if job.failed_at else None


def _may_change(request):
    return request.user.has_perm("jobs.change_job")


def _often(every):
    seconds = int(every.total_seconds())
    for unit, word in ((3600, _("every %(n)s h")), (60, _("every %(n)s min"))):
        if seconds % unit == 0:
            return word % {"n": seconds // unit}
    return _("every %(n)s sec") % {"n": seconds}


def _moment(at):
    return date_format(localtime(at), "j M, H:i:s") if at else None
