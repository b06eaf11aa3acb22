"""A forgotten password, and "this was not me"."""

from django.contrib.auth import logout
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.flows import recovery
from accounts.forms import ButtonForm, NewPasswordForm, ResetForm
from accounts.identifiers import EMAIL
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.views.base import StepView
from accounts.views.codes import (
    CodeView,
    JourneyStartMixin,
    PendingChallengeMixin,
    ResendCodeView,
)
from accounts.views.links import LinkTokenView, redirect_with_token


class NewPasswordNextMixin:
    """For steps that end with the right to choose a new password."""

    success_url = reverse_lazy("accounts:password-reset-new")

    def redirect_to_new_password(self, token):
        """Lead on with `token` in a cookie, as if a link had been opened."""
        return redirect_with_token(
            self.request,
            recovery.find_link(token),
            self.get_success_url(),
            message=_("Choose a new password."),
        )


class ResetView(JourneyStartMixin, StepView):
    """Where to send the link or code. The answer is the same whether or not there is an account (ENU-03)."""

    purpose = Purpose.RESET
    template_name = "accounts/form.html"
    form_class = ResetForm
    heading = gettext_lazy("Choose a new password")
    success_url = reverse_lazy("accounts:password-reset-verify")
    extra_context = {
        "button": gettext_lazy("Send message"),
        "button_id": "send-message",
        "back_url": reverse_lazy("accounts:login"),
    }

    def perform(self, form):
        challenge = recovery.begin(form.identifier, current=self.current, visitor=self.visitor)
        pending.save(self.request, challenge, pending.Pending(typed=form.typed))
        message = _("If there is an account, we have sent a message to it.")
        return self.redirect_to_code(challenge, message)


class ResetVerifyView(PendingChallengeMixin, NewPasswordNextMixin, CodeView):
    """The code that was texted; or word that a link is in the email."""

    template_name = "accounts/recovery/verify.html"
    purpose = Purpose.RESET
    start = "accounts:password-reset"
    page = "accounts:password-reset-verify"
    back = change = start
    extra_context = {"unsure": True, "resend_url": reverse_lazy("accounts:password-reset-resend")}

    @property
    def heading(self):
        if self.challenge.kind == EMAIL:
            return _("Check your email")
        return _("Enter the code we sent you")

    def perform(self, form):
        token = recovery.exchange_code(
            self.challenge, form.cleaned_data["code"], client=self.client
        )
        return self.redirect_to_new_password(token)


class ResetResendView(ResendCodeView, ResetVerifyView):
    """The link once more, or a new code."""

    @property
    def resent_message(self):
        if self.challenge.kind == EMAIL:
            return _("We sent you the link again.")
        return ResendCodeView.resent_message


class NewPasswordView(LinkTokenView):
    """The new password, for whoever holds the token of a link or has exchanged a code for it."""

    takes_password = True
    template_name = "accounts/form.html"
    form_class = NewPasswordForm
    heading = gettext_lazy("Choose a new password")
    start = "accounts:password-reset"
    success_url = reverse_lazy("accounts:login")

    def find_challenge(self, token):
        return recovery.find_link(token)

    def get_form_kwargs(self):
        return {**super().get_form_kwargs(), "user": self.challenge.user}

    def perform(self, form):
        recovery.set_password(self.token, form.cleaned_data["password"], client=self.client)
        sign_out_here(self.request)
        return self.drop_link(
            self.redirect_with_message(_("Your password is changed. Sign in with it."))
        )

    def get_context_data(self, **kwargs):
        """Name the button; let a password manager know whose it is (ux 54)."""
        return super().get_context_data(**kwargs) | {
            "button": _("Save password"),
            "button_id": "save-password",
            "manager_name": self.challenge.user.identifier,
            "lead": _("You will be signed out everywhere and can sign in with the new one."),
        }


class NotMeView(NewPasswordNextMixin, LinkTokenView):
    """ "This was not me": a button that ends every session and leads to a new password."""

    template_name = "accounts/form.html"
    form_class = ButtonForm
    heading = gettext_lazy("Was this not you?")
    start = "accounts:password-reset"
    extra_context = {
        "button": gettext_lazy("Secure my account"),
        "button_id": "not-me",
        "lead": gettext_lazy(
            "We sign everybody out, take back what was changed since our message, and you choose a new password."
        ),
        "aside": gettext_lazy(
            "It was you after all? Close the page; nothing happens without the button."
        ),
    }

    def find_challenge(self, token):
        return recovery.find_notice(token)

    def perform(self, form):
        token = recovery.disown(self.token, client=self.client)
        sign_out_here(self.request)
        return self.drop_link(self.redirect_to_new_password(token))


def sign_out_here(request):
    """Sign out whoever is signed in here; of somebody who is not, drop what is in progress and nothing else.

    Another emailed link that is open in this browser stays open: it is not this one's.
    """
    if request.user.is_authenticated:
        logout(request)
    else:
        pending.clear(request)
