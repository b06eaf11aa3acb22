"""Proving again that it is the owner who is signed in, before what matters is changed."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.flows import account
from accounts.forms import ConfirmForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.sessions.store import PASSWORD
from accounts.views import negotiation
from accounts.views.base import Completed, Step
from accounts.views.codes import CodePage, InProgress, ResendPage


class ConfirmView(Completed, Step):
    """With the password; a button sends a code instead."""

    template_name = "accounts/account/confirm.html"
    form_class = ConfirmForm
    heading = gettext_lazy("Confirm that it is you")

    def get_initial(self):
        """Keep the way the shopper came."""
        return {"next": negotiation.local_path(self.request.GET.get("next", ""))}

    def carry_out(self, form):
        """Look at the password and go on."""
        said = form.cleaned_data
        account.confirm_by_password(self.request.user, said["current"], visitor=self.visitor)
        return go_on(self.request, said["next"], by=PASSWORD)

    def told(self):
        """Say which ways there are."""
        user = self.request.user
        return {
            "by_password": user.has_usable_password(),
            "contact": user.contacts[0] if user.contacts else None,
            "manager_name": user.identifier,
            "back_url": reverse("accounts:account"),
        }


class ConfirmCodeView(Completed, Step):
    """POST only: sends a code to the primary contact."""

    http_method_names = ["post", "options"]
    template_name = "accounts/account/confirm.html"
    form_class = ConfirmForm
    heading = ConfirmView.heading

    def turn_away(self):
        """Send back whoever has no contact: they were staff once, made at the command line."""
        away = super().turn_away()
        if away or self.request.user.contacts:
            return away
        return negotiation.turn_away(
            self.request,
            reverse("accounts:confirm"),
            message=_("There is no contact to send a code to."),
        )

    def post(self, request, *args, **kwargs):
        """Send it, whatever the password's box holds."""
        form = self.get_form()
        form.fields.pop("current")
        return self.form_valid(form) if form.is_valid() else self.form_invalid(form)

    def carry_out(self, form):
        """Ask for the code."""
        user = self.request.user
        current = pending.challenge(self.request, Purpose.CONFIRM)
        challenge = account.send_code(user, current=current, origin=self.origin)
        destination = negotiation.local_path(form.cleaned_data["next"])
        begun = pending.Pending(typed=user.contacts[0].address, destination=destination)
        pending.put(self.request, challenge, begun)
        return negotiation.go(
            self.request,
            reverse("accounts:confirm-verify"),
            message=_("We sent you a code."),
        )

    told = ConfirmView.told


class ConfirmVerifyView(InProgress, Completed, CodePage):
    """The code that proves it."""

    heading = ConfirmView.heading
    purpose = Purpose.CONFIRM
    start = "accounts:confirm"
    page = "accounts:confirm-verify"

    def carry_out(self, form):
        """Hand the code to the flow and go on."""
        destination = self.pending.destination
        account.confirm_by_code(
            self.request.user, self.challenge, form.cleaned_data["code"], origin=self.origin
        )
        return go_on(self.request, destination, by=self.challenge.kind)

    def told(self):
        """Say where the code went."""
        return {
            **super().told(),
            "sent_to": self.pending.typed,
            "resend_url": reverse("accounts:confirm-resend"),
            "back_url": reverse("accounts:confirm"),
        }


class ConfirmResendView(ResendPage, ConfirmVerifyView):
    """A new code for it."""


def go_on(request, destination, *, by):
    """Note the proof, under a new session id, and lead on (SES-01)."""
    pending.confirm(request, by=by)
    return negotiation.go(
        request,
        negotiation.local_path(destination) or reverse("accounts:account"),
        message=_("Thank you. Go on."),
    )
