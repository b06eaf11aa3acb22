"""Views that are told credentials: nothing of it may stand in a report of an error (ADM-01)."""

from functools import wraps

from django.views.debug import SafeExceptionReporterFilter
from django.views.decorators.debug import sensitive_variables


class Discreet(SafeExceptionReporterFilter):
    """Django's filter, which is off where DEBUG is on; this one is not."""

    def is_active(self, request):
        """Always."""
        return True


def discreet(view):
    """Keep what this view of an admin is sent, and every variable below it, out of reports and debug pages."""

    @wraps(view)
    @sensitive_variables()
    def quiet(self, request, *args, **kwargs):
        request.sensitive_post_parameters = "__ALL__"
        request.exception_reporter_filter = Discreet()
        return view(self, request, *args, **kwargs)

    return quiet
