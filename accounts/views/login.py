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
from accounts.views.codes import CodeView, PendingChallengeMixin, ResendCodeView


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
        user = login.sign_in_by_password(form.identifier, cleaned["password"], visitor=self.visitor)
        return self.sign_in_and_redirect(
            user, cleaned["next"], by=PASSWORD, remember=cleaned["remember"]
        )


class SendCodeView(AnonymousRequiredMixin, StepView):
    """Where to send a code that signs in. The answer is the same whether or not there is an account (ENU-03)."""

    template_name = "accounts/login/code.html"
    form_class = SendCodeForm
    heading = gettext_lazy("Sign in with a code")
    success_url = reverse_lazy("accounts:login-code-verify")

    def get_initial(self):
        begun = pending.load(self.request)
        came_for = self.request.GET.get("next", "") or (begun.destination if begun else "")
        return {
            "identifier": begun.typed if begun else "",
            "next": negotiation.local_path(came_for),
        }

    def perform(self, form):
        current = pending.get_challenge(self.request, Purpose.LOGIN)
        challenge = login.send_code(form.identifier, current=current, visitor=self.visitor)
        begun = pending.Pending(
            typed=form.typed,
            destination=negotiation.local_path(form.cleaned_data["next"]),
            remember=form.cleaned_data["remember"],
        )
        pending.save(self.request, challenge, begun)
        return self.redirect(_("If there is an account, we have sent a code to it."))


class LoginVerifyView(PendingChallengeMixin, AnonymousRequiredMixin, SignInMixin, CodeView):
    """The code that signs in."""

    heading = gettext_lazy("Enter the code we sent you")
    purpose = Purpose.LOGIN
    start = "accounts:login-code"
    page = "accounts:login-code-verify"
    extra_context = {
        "unsure": True,
        "resend_url": reverse_lazy("accounts:login-code-resend"),
        "change_url": reverse_lazy("accounts:login-code"),
        "back_url": reverse_lazy("accounts:login-code"),
    }

    def perform(self, form):
        code, begun = form.cleaned_data["code"], self.pending
        try:
            user = login.sign_in_by_code(self.challenge, code, visitor=self.visitor)
        except CodeClosed:
            if not self.is_second_click(code):
                raise
            raise self.get_second_click_denial() from None
        return self.sign_in_and_redirect(
            user, begun.destination, by=self.challenge.kind, remember=begun.remember
        )

    def get_second_click_denial(self):
        """To where the first one went."""
        url = (self.pending and self.pending.destination) or reverse("home")
        return AccessDenied(url, _("You are signed in."))


class LoginResendView(ResendCodeView, LoginVerifyView):
    """A new code to sign in with."""
