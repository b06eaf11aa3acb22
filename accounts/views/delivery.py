"""The line on a code's page that tells what became of the message (ux 51)."""

from http import HTTPStatus
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import delivery
from accounts.flows import contacts
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.views import negotiation
from accounts.views.base import AccessDenied
from accounts.views.codes import AttemptMixin

# HTMX asks no more after this answer.
STOP_POLLING = 286


class DeliveryView(AttemptMixin):
    """What the line says now, for the browser whose attempt it is; it reads and never writes.

    HTMX gets the line, JSON clients its facts, and whoever comes by the address the page it stands on.
    """

    http_method_names = ["get", "head", "options"]
    page: str  # the name of the URL that shows the line

    def get(self, request, *args, **kwargs):
        return negotiation.choose_response(
            request, page=self._page, htmx=self._news, json=self._facts
        )

    def _page(self):
        named = f"?{urlencode({'attempt': self.reference})}" if self.reference else ""
        return negotiation.redirect_to(self.request, reverse(self.page) + named, message="")

    def _facts(self):
        line = delivery.status_line(self.challenge)
        if line is None:
            raise AccessDenied(reverse(self.page), _("There is no message to tell about."))
        return JsonResponse({"success": True, "delivery": line.state, "message": str(line.words)})

    def _news(self):
        """The line if it changed, and whether to go on asking."""
        line = delivery.status_line(self.challenge)
        status = HTTPStatus.OK if line and line.url else STOP_POLLING
        if line is None:
            return HttpResponse(status=status)
        if line.state != self.request.GET.get("seen"):
            template = "accounts/_delivery.html#line"
            return render(self.request, template, {"delivery": line}, status=status)
        # Words put in place a second time would be read out a second time.
        if status == HTTPStatus.OK:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return HttpResponse(status=status, headers={"HX-Reswap": "none"})


class RegisterDeliveryView(DeliveryView):
    """The code of a registration."""

    purpose = Purpose.REGISTER
    page = "accounts:register-verify"


class ConfirmDeliveryView(DeliveryView):
    """The code of a reauthentication."""

    purpose = Purpose.CONFIRM
    page = "accounts:confirm-verify"

    def find_challenge(self, reference):
        """The attempt of whoever is signed in here, or None."""
        return super().find_challenge(reference) if self.request.user.is_authenticated else None


class ContactDeliveryView(DeliveryView):
    """The code of a new contact."""

    purpose = Purpose.CONTACT
    page = "accounts:contact-verify"

    def find_challenge(self, reference):
        """The contact of whoever is signed in here that waits for its code, or None."""
        user, waiting = self.request.user, pending.find(self.request, self.purpose, reference)
        return contacts.get_pending(user, waiting) if user.is_authenticated else None
