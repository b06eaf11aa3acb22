"""Reauthentication: the owner is asked who they are once more, before what matters is changed."""

from functools import partial

from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.flows import account
from accounts.forms import ConfirmForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.sessions.store import PASSWORD
from accounts.views import negotiation
from accounts.views.base import AccessDenied, ProfileCompletedRequiredMixin, StepView
from accounts.views.codes import (
    CodeView,
    JourneyStartMixin,
    PendingChallengeMixin,
    ResendCodeView,
)

HEADING = gettext_lazy("Confirm that it is you")


class ReauthenticateMixin:
    """For steps that end with a reauthentication."""

    heading = HEADING
    success_url = reverse_lazy("accounts:account")

    def get_renew_session(self, *, by):
        """What a flow calls to record it, under a new session id (SES-01)."""
        return partial(pending.record_reauthentication, self.request, by=by)

    def redirect_confirmed(self, destination):
        """Lead on."""
        return self.redirect(_("Thank you. Go on."), url=negotiation.local_path(destination))


class ConfirmPageMixin(ProfileCompletedRequiredMixin):
    """The page that asks for the password, or sends a code."""

    template_name = "accounts/account/confirm.html"
    form_class = ConfirmForm

    def get_context_data(self, **kwargs):
        user = self.request.user
        return super().get_context_data(**kwargs) | {
            "by_password": user.has_usable_password(),
            "contact": user.contacts[0] if user.contacts else None,
            "manager_name": user.identifier,
            "back_url": reverse("accounts:account"),
        }


class ConfirmView(ConfirmPageMixin, ReauthenticateMixin, StepView):
    """With the password; a button sends a code instead."""

    takes_password = True

    def get_initial(self):
        return {"next": negotiation.local_path(self.request.GET.get("next", ""))}

    def perform(self, form):
        cleaned = form.cleaned_data
        account.confirm_by_password(
            self.request.user,
            cleaned["current"],
            visitor=self.visitor,
            renew_session=self.get_renew_session(by=PASSWORD),
        )
        return self.redirect_confirmed(cleaned["next"])


class AnyContactRequiredMixin(ProfileCompletedRequiredMixin):
    """For shoppers with a contact; there is none with staff made at the command line."""

    def check_access(self):
        super().check_access()
        if not self.request.user.contacts:
            url = reverse("accounts:confirm")
            raise AccessDenied(url, _("There is no contact to send a code to."))


class ConfirmCodeView(JourneyStartMixin, AnyContactRequiredMixin, ConfirmPageMixin, StepView):
    """POST only: sends a code to the primary contact."""

    purpose = Purpose.CONFIRM

    http_method_names = ["post", "options"]
    page = "accounts:confirm"
    heading = HEADING
    success_url = reverse_lazy("accounts:confirm-verify")

    def get_form(self, form_class=None):
        """Whatever the password's box holds, the code is sent."""
        form = super().get_form(form_class)
        form.fields.pop("current")
        return form

    def perform(self, form):
        user = self.request.user
        challenge = account.send_code(user, current=self.current, client=self.client)
        destination = negotiation.local_path(form.cleaned_data["next"])
        begun = pending.Pending(typed=user.contacts[0].address, destination=destination)
        pending.save(self.request, challenge, begun)
        return self.redirect_to_code(challenge, _("We sent you a code."))


class ConfirmVerifyView(
    PendingChallengeMixin, ProfileCompletedRequiredMixin, ReauthenticateMixin, CodeView
):
    """The code with which the owner reauthenticates."""

    purpose = Purpose.CONFIRM
    start = "accounts:confirm"
    page = "accounts:confirm-verify"
    back = start
    extra_context = {"resend_url": reverse_lazy("accounts:confirm-resend")}

    def perform(self, form):
        destination = self.pending.destination
        account.confirm_by_code(
            self.request.user,
            self.challenge,
            form.cleaned_data["code"],
            client=self.client,
            renew_session=self.get_renew_session(by=self.challenge.kind),
        )
        return self.redirect_confirmed(destination)


class ConfirmResendView(ResendCodeView, ConfirmVerifyView):
    """A new code for it."""
