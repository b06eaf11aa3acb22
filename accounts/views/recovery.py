"""A forgotten password, and "this was not me"."""

from django.contrib.auth import logout
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.flows import recovery
from accounts.forms import EmptyForm, NewPasswordForm, ResetForm
from accounts.identifiers import EMAIL
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.views import negotiation
from accounts.views.base import Step
from accounts.views.codes import CodePage, InProgress, ResendPage
from accounts.views.links import TokenPage, carry


class ResetView(Step):
    """Where to send the link or code. The answer is the same whether or not there is an account (ENU-03)."""

    template_name = "accounts/form.html"
    form_class = ResetForm
    heading = gettext_lazy("Choose a new password")

    def carry_out(self, form):
        """Send it and say what to do with it."""
        current = pending.challenge(self.request, Purpose.RESET)
        challenge = recovery.begin(form.found, current=current, visitor=self.visitor)
        pending.put(self.request, challenge, pending.Pending(typed=form.typed))
        return negotiation.go(
            self.request,
            reverse("accounts:password-reset-verify"),
            message=_("If there is an account, we have sent a message to it."),
        )

    def told(self):
        """Name the button and the way back."""
        return {
            "button": _("Send message"),
            "button_id": "send-message",
            "back_url": reverse("accounts:login"),
        }


class ResetVerifyView(InProgress, CodePage):
    """The code that was texted; or word that a link is in the email."""

    template_name = "accounts/recovery/verify.html"
    purpose = Purpose.RESET
    start = "accounts:password-reset"
    page = "accounts:password-reset-verify"

    @property
    def heading(self):
        """What to do next."""
        if self.challenge.kind == EMAIL:
            return _("Check your email")
        return _("Enter the code we sent you")

    def carry_out(self, form):
        """Exchange the right code for the right to choose a password."""
        token = recovery.exchange(self.challenge, form.cleaned_data["code"], origin=self.origin)
        return choose(self.request, token)

    def told(self):
        """Say where the message went, if there is an account, and what to do when it did not come."""
        return {
            **super().told(),
            "sent_to": self.pending.typed,
            "unsure": True,
            "resend_url": reverse("accounts:password-reset-resend"),
            "change_url": reverse("accounts:password-reset"),
            "back_url": reverse("accounts:password-reset"),
        }


class ResetResendView(ResendPage, ResetVerifyView):
    """The link once more, or a new code."""

    @property
    def sent_again(self):
        """What was sent."""
        if self.challenge.kind == EMAIL:
            return _("We sent you the link again.")
        return ResendPage.sent_again


class NewPasswordView(TokenPage):
    """The new password, for whoever holds the token of a link or has exchanged a code for it."""

    template_name = "accounts/form.html"
    form_class = NewPasswordForm
    heading = gettext_lazy("Choose a new password")
    start = "accounts:password-reset"

    def find(self, token):
        """The attempt of this link."""
        return recovery.find_link(token)

    def get_form_kwargs(self):
        """Tell the form whose password it will be."""
        return {**super().get_form_kwargs(), "user": self.challenge.user}

    def carry_out(self, form):
        """Set it. Whoever is signed in here is signed out, as everywhere."""
        recovery.set_password(self.token, form.cleaned_data["password"], origin=self.origin)
        logout(self.request)
        message = _("Your password is changed. Sign in with it.")
        negotiation.tell(self.request, message)
        return negotiation.go(self.request, reverse("accounts:login"), message=message)

    def told(self):
        """Name the button; let a password manager know whose it is (ux 54)."""
        return {
            "button": _("Save password"),
            "button_id": "save-password",
            "manager_name": self.challenge.user.identifier,
            "lead": _("You will be signed out everywhere and can sign in with the new one."),
        }


class NotMeView(TokenPage):
    """ "This was not me": a button that ends every session and leads to a new password."""

    template_name = "accounts/form.html"
    form_class = EmptyForm
    heading = gettext_lazy("Was this not you?")
    start = "accounts:password-reset"

    def find(self, token):
        """The notice of this link."""
        return recovery.find_notice(token)

    def carry_out(self, form):
        """End everything, and let this browser choose a new password."""
        token = recovery.disown(self.token, origin=self.origin)
        logout(self.request)
        return choose(self.request, token)

    def told(self):
        """Say what the button does."""
        return {
            "button": _("Secure my account"),
            "button_id": "not-me",
            "lead": _(
                "We sign everybody out, take back what was changed since our message, and you choose a new password."
            ),
            "aside": _("It was you after all? Close the page; nothing happens without the button."),
        }


def choose(request, token):
    """Lead on to the new password, with the token in a cookie as if a link had been opened."""
    return carry(
        request,
        recovery.find_link(token),
        reverse("accounts:password-reset-new"),
        message=_("Choose a new password."),
    )
