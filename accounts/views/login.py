"""Coming back: with a password, or with a code."""

from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.errors import CodeClosed
from accounts.flows import login
from accounts.forms import SendCodeForm, SignInForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.sessions.store import PASSWORD
from accounts.views import negotiation
from accounts.views.base import AccessDenied, AnonymousRequiredMixin, SignInMixin, StepView
from accounts.views.codes import (
    CodeInsteadMixin,
    CodeView,
    JourneyStartMixin,
    ResendCodeView,
    sign_in_first,
)


class LoginView(AnonymousRequiredMixin, SignInMixin, StepView):
    """One box and the password; a button sends a code instead."""

    takes_password = True
    template_name = "accounts/login/password.html"
    form_class = SignInForm
    heading = gettext_lazy("Sign in")

    def get_initial(self):
        return {"next": negotiation.local_path(self.request.GET.get("next", ""))}

    def perform(self, form):
        cleaned = form.cleaned_data
        user = login.sign_in_by_password(
            form.identifier,
            cleaned["password"],
            visitor=self.visitor,
            sign_in=self.get_sign_in(by=PASSWORD, remember=cleaned["remember"]),
        )
        return self.redirect_signed_in(user, cleaned["next"])


class SendCodeView(JourneyStartMixin, AnonymousRequiredMixin, StepView):
    """Where to send a code that signs in. The answer is the same whether or not there is an account (ENU-03)."""

    purpose = Purpose.LOGIN
    template_name = "accounts/login/code.html"
    form_class = SendCodeForm
    heading = gettext_lazy("Sign in with a code")
    success_url = reverse_lazy("accounts:login-code-verify")

    def get_initial(self):
        begun = self.begun
        came_for = self.request.GET.get("next", "") or (begun.destination if begun else "")
        return {
            "identifier": begun.typed if begun else "",
            "next": negotiation.local_path(came_for),
        }

    def perform(self, form):
        challenge = login.send_code(form.identifier, current=self.current, visitor=self.visitor)
        begun = pending.Pending(
            typed=form.typed,
            destination=negotiation.local_path(form.cleaned_data["next"]),
            remember=form.cleaned_data["remember"],
        )
        pending.save(self.request, challenge, begun)
        message = _("If there is an account, we have sent a code to it.")
        return self.redirect_to_code(challenge, message)


class LoginVerifyView(CodeInsteadMixin, AnonymousRequiredMixin, SignInMixin, CodeView):
    """The code that signs in."""

    heading = gettext_lazy("Enter the code we sent you")
    purpose = Purpose.LOGIN
    start = "accounts:login-code"
    page = "accounts:login-code-verify"
    back = change = start
    extra_context = {"unsure": True, "resend_url": reverse_lazy("accounts:login-code-resend")}

    def perform(self, form):
        code, begun = form.cleaned_data["code"], self.pending
        try:
            user = login.sign_in_by_code(
                self.challenge,
                code,
                visitor=self.visitor,
                sign_in=self.get_sign_in(by=self.challenge.kind, remember=begun.remember),
            )
        except CodeClosed:
            if not self.is_second_click(code):
                raise
            raise self.get_second_click_denial() from None
        return self.redirect_signed_in(user, begun.destination)

    def get_second_click_denial(self):
        """To where the first one went."""
        url = (self.pending and self.pending.destination) or reverse("home")
        return AccessDenied(sign_in_first(url), _("Your code is already confirmed."))


class LoginResendView(ResendCodeView, LoginVerifyView):
    """A new code to sign in with."""
