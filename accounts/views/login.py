"""Coming back: with a password, or with a code."""

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.errors import CodeClosed
from accounts.flows import login
from accounts.forms import SendCodeForm, SignInForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.sessions.store import PASSWORD
from accounts.views import negotiation
from accounts.views.base import AnonymousOnly, Step
from accounts.views.codes import CodePage, InProgress, ResendPage


class LoginView(AnonymousOnly, Step):
    """One box and the password; a button sends a code instead."""

    template_name = "accounts/login/password.html"
    form_class = SignInForm
    heading = gettext_lazy("Sign in")

    def get_initial(self):
        """Keep the way the shopper came."""
        return {"next": negotiation.local_path(self.request.GET.get("next", ""))}

    def carry_out(self, form):
        """Look at the password and let the shopper in."""
        said = form.cleaned_data
        user = login.by_password(form.found, said["password"], visitor=self.visitor)
        return enter(self.request, user, said["next"], by=PASSWORD, remember=said["remember"])


class SendCodeView(AnonymousOnly, Step):
    """Where to send a code that signs in. The answer is the same whether or not there is an account (ENU-03)."""

    template_name = "accounts/login/code.html"
    form_class = SendCodeForm
    heading = gettext_lazy("Sign in with a code")

    def get_initial(self):
        """Give back what was typed before, and the way the shopper came."""
        begun = pending.of(self.request)
        came_for = self.request.GET.get("next", "") or (begun.destination if begun else "")
        return {
            "identifier": begun.typed if begun else "",
            "next": negotiation.local_path(came_for),
        }

    def carry_out(self, form):
        """Send the code and ask for it."""
        current = pending.challenge(self.request, Purpose.LOGIN)
        challenge = login.send_code(form.found, current=current, visitor=self.visitor)
        begun = pending.Pending(
            typed=form.typed,
            destination=negotiation.local_path(form.cleaned_data["next"]),
            remember=form.cleaned_data["remember"],
        )
        pending.put(self.request, challenge, begun)
        return negotiation.go(
            self.request,
            reverse("accounts:login-code-verify"),
            message=_("If there is an account, we have sent a code to it."),
        )


class LoginVerifyView(InProgress, AnonymousOnly, CodePage):
    """The code that signs in."""

    heading = gettext_lazy("Enter the code we sent you")
    purpose = Purpose.LOGIN
    start = "accounts:login-code"
    page = "accounts:login-code-verify"

    def carry_out(self, form):
        """Hand the code to the flow and let the shopper in."""
        code, begun = form.cleaned_data["code"], self.pending
        try:
            user = login.by_code(self.challenge, code, visitor=self.visitor)
        except CodeClosed:
            if not self.is_second_click(code):
                raise
            return negotiation.turn_away(
                self.request, begun.destination or reverse("home"), message=_("You are signed in.")
            )
        kind = self.challenge.kind
        return enter(self.request, user, begun.destination, by=kind, remember=begun.remember)

    def told(self):
        """Say where the code went, if there is an account, and what to do when it did not come."""
        return {
            **super().told(),
            "sent_to": self.pending.typed,
            "unsure": True,
            "resend_url": reverse("accounts:login-code-resend"),
            "change_url": reverse("accounts:login-code"),
            "back_url": reverse("accounts:login-code"),
        }


class LoginResendView(ResendPage, LoginVerifyView):
    """A new code to sign in with."""


def enter(request, user, destination, *, by, remember):
    """Sign in and lead on: to step 3 whoever never finished it, home, or where the shopper came for."""
    undone = user.deletion_due_at
    pending.sign_in(request, user, by=by, remember=remember)
    message = _("You are signed in.")
    if undone:
        message = _("Welcome back. Your account will not be deleted.")
        negotiation.tell(request, message)
    came_for = negotiation.local_path(destination)
    if user.completed_at:
        return negotiation.go(request, came_for or reverse("home"), message=message)
    query = f"?{urlencode({'next': came_for})}" if came_for else ""
    return negotiation.go(request, reverse("accounts:register-complete") + query, message=message)
