"""The code that proves a second contact."""

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import responses
from accounts.flows import contacts
from accounts.views.base import Completed
from accounts.views.codes import CodePage, ResendPage


class Waiting(Completed):
    """For shoppers with a contact that waits for its code."""

    @cached_property
    def challenge(self):
        """The contact's attempt."""
        return contacts.waiting(self.request.user)

    def turn_away(self):
        """Send the others to their account."""
        away = super().turn_away()
        if away or self.challenge:
            return away
        return responses.turn_away(
            self.request,
            reverse("accounts:account"),
            message=_("There is nothing waiting to be confirmed."),
        )


class ContactVerifyView(Waiting, CodePage):
    """The code's page."""

    template_name = "accounts/contacts/verify.html"
    heading = gettext_lazy("Confirm your other contact")
    page = "accounts:contact-verify"

    def carry_out(self, form):
        """Add the contact."""
        contacts.confirm(
            self.request.user, self.challenge, form.cleaned_data["code"], origin=self.origin
        )
        message = _("Your contact is confirmed.")
        responses.tell(self.request, message)
        return responses.go(self.request, reverse("accounts:account"), message=message)

    def told(self):
        """Say where the code went."""
        return {
            **super().told(),
            "sent_to": self.challenge.address,
            "resend_url": reverse("accounts:contact-resend"),
            "back_url": reverse("accounts:account"),
        }


class ContactResendView(ResendPage, ContactVerifyView):
    """A new code for it."""
