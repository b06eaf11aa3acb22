"""The ways to reach a shopper: add, change, prove, remove, choose the one for messages."""

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.flows import contacts
from accounts.forms import ContactForm, EmptyForm
from accounts.identifiers import EMAIL, PHONE
from accounts.sessions import pending
from accounts.views import negotiation
from accounts.views.account import done
from accounts.views.base import Fresh, Step
from accounts.views.codes import CodePage, ResendPage

HEADINGS = {
    (EMAIL, False): gettext_lazy("Add an email address"),
    (EMAIL, True): gettext_lazy("Change your email address"),
    (PHONE, False): gettext_lazy("Add a mobile number"),
    (PHONE, True): gettext_lazy("Change your mobile number"),
}


class ContactView(Fresh, Step):
    """A new address or number; the older one stands until the new one is proven (REC-08)."""

    template_name = "accounts/form.html"
    form_class = ContactForm

    @property
    def kind(self):
        """Which of the two."""
        return self.kwargs["kind"]

    @property
    def heading(self):
        """Add or change."""
        return HEADINGS[self.kind, self.request.user.contact(self.kind) is not None]

    def get_form_kwargs(self):
        """Tell the form what to ask for."""
        return {**super().get_form_kwargs(), "kind": self.kind}

    def carry_out(self, form):
        """Send the code and ask for it."""
        challenge = contacts.add(self.request.user, form.found, origin=self.origin)
        self.request.session[pending.CONTACT_KEY] = str(challenge.pk)
        return negotiation.go(
            self.request, reverse("accounts:contact-verify"), message=_("We sent you a code.")
        )

    def told(self):
        """Name the button."""
        return {
            "button": _("Send code"),
            "button_id": "send-code",
            "back_url": reverse("accounts:account"),
        }


class Having(Fresh):
    """For shoppers who have a contact of this kind."""

    def turn_away(self):
        """Send the others back, like the second of two clicks."""
        away = super().turn_away()
        if away or self.request.user.contact(self.kwargs["kind"]):
            return away
        return negotiation.turn_away(
            self.request, reverse("accounts:account"), message=_("There is no such contact.")
        )


class ContactRemoveView(Having, Step):
    """Takes a contact off the account, after a question."""

    template_name = "accounts/form.html"
    form_class = EmptyForm

    @property
    def heading(self):
        """Which one."""
        return (
            _("Remove your email address?")
            if self.kwargs["kind"] == EMAIL
            else _("Remove your mobile number?")
        )

    def carry_out(self, form):
        """Take it off."""
        contacts.remove(
            self.request.user,
            self.kwargs["kind"],
            session=self.request.session.row,
            visitor=self.visitor,
        )
        return done(self.request, _("It is removed, and your other devices are signed out."))

    def told(self):
        """Say what that means."""
        contact = self.request.user.contact(self.kwargs["kind"])
        return {
            "lead": _(
                "You will no longer be able to sign in with %(contact)s or get messages there, "
                "and all your other devices will be signed out."
            )
            % {"contact": contact.address},
            "button": _("Remove"),
            "button_id": "remove-contact",
            "danger": True,
            "back_url": reverse("accounts:account"),
        }


class ContactPrimaryView(Having, Step):
    """POST only: messages go there from now on."""

    http_method_names = ["post", "options"]
    template_name = "accounts/form.html"
    form_class = EmptyForm
    heading = gettext_lazy("Where messages go")

    def carry_out(self, form):
        """Choose it."""
        contacts.make_primary(self.request.user, self.kwargs["kind"], origin=self.origin)
        return done(self.request, _("Messages go there from now on."))

    def told(self):
        """Name the button."""
        return {
            "button": _("Send messages here"),
            "button_id": "send-here",
            "back_url": reverse("accounts:account"),
        }


class Waiting(Fresh):
    """For shoppers with a contact that waits for its code, in the browser that asked for it (COD-08).

    They proved a short while ago who they are, as when they asked for it: a code may wait for longer (REC-08).
    """

    way_back = "accounts:contact-verify"

    @property
    def needs_proof(self):
        """Whoever has nothing waiting is sent to their account."""
        return self.challenge is not None

    @cached_property
    def challenge(self):
        """The contact's attempt."""
        return contacts.waiting(self.request.user, self.request.session.get(pending.CONTACT_KEY))

    def turn_away(self):
        """Send the others to their account."""
        away = super().turn_away()
        if away or self.challenge:
            return away
        return negotiation.turn_away(
            self.request,
            reverse("accounts:account"),
            message=_("There is nothing waiting to be confirmed."),
        )

    def point_at(self, challenge):
        """Remember the row that replaces a used-up one."""
        self.request.session[pending.CONTACT_KEY] = str(challenge.pk)


class ContactVerifyView(Waiting, CodePage):
    """The code's page."""

    heading = gettext_lazy("Confirm your other contact")
    page = "accounts:contact-verify"

    def carry_out(self, form):
        """Add the contact, under a new session id (SES-01)."""
        contacts.confirm(
            self.request.user,
            self.challenge,
            form.cleaned_data["code"],
            session=self.request.session.row,
            visitor=self.visitor,
        )
        del self.request.session[pending.CONTACT_KEY]
        pending.renew(self.request)
        return done(self.request, _("Your contact is confirmed."))

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
