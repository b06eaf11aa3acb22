"""The shop's front page, and what is said when a request cannot be served."""

from django.utils.translation import gettext as _

from accounts import characters, conf
from accounts.forms import IdentifyForm
from accounts.views import negotiation
from accounts.views.base import PageView


class HomeView(PageView):
    """The front page: for strangers a way in, for shoppers who they are."""

    template_name = "home.html"

    def get_context_data(self, **kwargs):
        """Greet the shopper by name."""
        name = self.request.user.is_authenticated and self.request.user.name
        hello = _("Hello, %(name)s") % {"name": characters.isolated(name)} if name else ""
        return super().get_context_data(heading=hello or _("Welcome"), **kwargs)


def csrf_failure(request, reason=""):
    """Offer the way on when the form was too old or came from elsewhere; keep what was typed (ux 42)."""
    page = negotiation.local_path(request.path) or "/"
    context = {"action_url": page, "action_label": _("Start again")}
    typed = request.POST.get("identifier", "")[: conf.EMAIL_MAX]
    if typed:
        context["form"] = IdentifyForm(
            initial={"identifier": typed, "next": request.POST.get("next", "")}
        )
    return negotiation.error_response(
        request,
        403,
        heading=_("This page was open for too long"),
        explanation=_(
            "For your safety we did not accept the form. Nothing is lost: go on from here."
        ),
        **context,
    )


def bad_request(request, exception):
    """400: the request could not be read."""
    return negotiation.error_response(
        request,
        400,
        heading=_("We could not read that"),
        explanation=_("Go back and try again. If it happens again, start from the front page."),
    )


def forbidden(request, exception):
    """403: not for you."""
    return negotiation.error_response(
        request,
        403,
        heading=_("This is not open to you"),
        explanation=_("You may need to sign in with another account."),
    )


def not_found(request, exception):
    """404: no such page."""
    return negotiation.error_response(
        request,
        404,
        heading=_("There is no such page"),
        explanation=_("The address may be mistyped, or the page has moved."),
    )


def server_error(request):
    """500: our fault."""
    return negotiation.error_response(
        request,
        500,
        heading=_("Something went wrong on our side"),
        explanation=_("Nothing you typed was wrong. Try again in a moment."),
    )
