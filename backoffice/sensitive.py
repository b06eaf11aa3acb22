"""Views that receive credentials: nothing of those may stand in a report of an error (ADM-01)."""

from functools import wraps

from django.views.debug import SafeExceptionReporterFilter
from django.views.decorators.debug import sensitive_variables


class AlwaysActiveExceptionFilter(SafeExceptionReporterFilter):
    """Django's filter, which is off where DEBUG is on; this one is not."""

    def is_active(self, request):
        return True


def sensitive_view(view):
    """Keep what this view of an admin is sent, and every variable below it, out of reports and debug pages."""

    @wraps(view)
    @sensitive_variables()
    def sensitive(self, request, *args, **kwargs):
        request.sensitive_post_parameters = "__ALL__"
        request.exception_reporter_filter = AlwaysActiveExceptionFilter()
        return view(self, request, *args, **kwargs)

    return sensitive
