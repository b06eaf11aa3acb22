"""The shop's front page, and what is said when a request cannot be served."""

import sys

from django.contrib.auth.models import AnonymousUser
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.urls import resolve
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View

from accounts import characters, outages
from accounts.views import negotiation
from accounts.views.base import AnonymousRequiredMixin, BaseView, PageView, StepView
from api.doors import refused

TOO_OLD = (
    gettext_lazy("This page was open for too long"),
    gettext_lazy("For your safety we did not accept the form. Nothing is lost: go on from here."),
)
NO_COOKIE = (
    gettext_lazy("Your browser sent no cookie"),
    gettext_lazy(
        "This site cannot work without cookies. If they are switched off, allow them for this site, "
        "then go on from here."
    ),
)


class HomeView(PageView):
    """The front page: for strangers a way in, for shoppers who they are."""

    template_name = "home.html"

    def get_context_data(self, **kwargs):
        """Greet the shopper by name."""
        name = self.request.user.is_authenticated and self.request.user.name
        hello = _("Hello, %(name)s") % {"name": characters.isolated(name)} if name else ""
        return super().get_context_data(heading=hello or _("Welcome"), **kwargs)


def csrf_failure(request, reason=""):
    """Offer the way on when the form was too old or came from elsewhere; keep what was typed (ux 42).

    Whoever signed in elsewhere since the page was opened is led to where that led.
    """
    view = _view_of(request)
    if request.user.is_authenticated and isinstance(view, AnonymousRequiredMixin):
        return view.access_denied_response(view.get_denial())
    heading, explanation = NO_COOKIE if reason == REASON_NO_CSRF_COOKIE else TOO_OLD
    return negotiation.error_response(
        request,
        403,
        heading=heading,
        explanation=explanation,
        action_url=(view and view.get_page_url()) or negotiation.local_path(request.path) or "/",
        action_label=_("Start again"),
        form=view.get_unbound_form() if isinstance(view, StepView) else None,
    )


def _view_of(request):
    """The shop's view that the form was for, or None."""
    match = resolve(request.path_info)
    view_class = getattr(match.func, "view_class", View)
    if "admin" in match.app_names or not issubclass(view_class, BaseView):
        return None
    view = view_class()
    view.setup(request, *match.args, **match.kwargs)
    return view


def _error_view(status, heading, explanation):
    """Make a handler as Django calls it: with the request and the exception."""

    def view(request, exception):
        if refused.is_api(request):
            return refused.refuse(request, status, "not_found" if status == 404 else "unreadable")
        return negotiation.error_response(
            request, status, heading=str(heading), explanation=str(explanation)
        )

    return view


bad_request = _error_view(
    400,
    gettext_lazy("We could not read that"),
    gettext_lazy("Go back and try again. If it happens again, start from the front page."),
)
forbidden = _error_view(
    403,
    gettext_lazy("This is not open to you"),
    gettext_lazy("You may need to sign in with another account."),
)
not_found = _error_view(
    404,
    gettext_lazy("There is no such page"),
    gettext_lazy("The address may be mistyped, or the page has moved."),
)


def server_error(request):
    """500: our fault; or 503, where the database is in trouble (AVL-01)."""
    if refused.is_api(request):
        return refused.server_error(request, sys.exception())
    if outages.is_outage(sys.exception()):
        return negotiation.unavailable_response(
            request,
            heading=_("We cannot do that right now"),
            explanation=_(
                "Nothing you typed was wrong, and nothing is lost. Try again in a moment."
            ),
        )
    # The page must not ask again for what may have failed.
    request.user = AnonymousUser()
    return negotiation.error_response(
        request,
        500,
        heading=_("Something went wrong on our side"),
        explanation=_("Nothing you typed was wrong. Try again in a moment."),
    )
