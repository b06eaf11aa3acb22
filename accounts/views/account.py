"""The account: who you are, and the way out."""

from django.contrib.auth import logout
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import events, responses
from accounts.flows import contacts
from accounts.views.base import Completed, Door


class AccountView(Completed):
    """What we know of the shopper."""

    def get(self, request):
        """Show it."""
        return responses.show(
            request,
            "accounts/account/overview.html",
            heading=gettext_lazy("My account"),
            waiting=contacts.waiting(request.user),
        )


class LogoutView(Door):
    """The way out: by POST only, and everywhere dead at once (SES-04)."""

    def post(self, request):
        """End the session and let the browser forget what it kept (SES-08)."""
        if request.user.is_authenticated:
            events.record("signed_out", origin=self.origin, user=request.user)
        logout(request)
        response = responses.go(request, reverse("home"), message=_("You are signed out."))
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response
