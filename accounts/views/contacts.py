"""The ways to reach a shopper: add, change, verify, remove, choose the one for messages."""

from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.flows import contacts
from accounts.forms import ButtonForm, ContactForm
from accounts.identifiers import EMAIL, PHONE
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.views.base import AccessDenied, ReauthenticationRequiredMixin, StepView
from accounts.views.codes import CodeView, PendingChallengeMixin, ResendCodeView, name_attempt

HEADINGS = {
    (EMAIL, False): gettext_lazy("Add an email address"),
    (EMAIL, True): gettext_lazy("Change your email address"),
    (PHONE, False): gettext_lazy("Add a mobile number"),
    (PHONE, True): gettext_lazy("Change your mobile number"),
}


class ContactView(ReauthenticationRequiredMixin, StepView):
    """A new address or number; the older one stands until the new one is verified (REC-08)."""

    template_name = "accounts/form.html"
    form_class = ContactForm
    success_url = reverse_lazy("accounts:contact-verify")
    extra_context = {
        "button": gettext_lazy("Send code"),
        "button_id": "send-code",
        "back_url": reverse_lazy("accounts:account"),
    }

    @property
    def kind(self):
        return self.kwargs["kind"]

    @property
    def heading(self):
        return HEADINGS[self.kind, self.request.user.get_contact(self.kind) is not None]

    def get_form_kwargs(self):
        return {**super().get_form_kwargs(), "kind": self.kind}

    def perform(self, form):
        challenge = contacts.add(self.request.user, form.identifier, client=self.client)
        # The row has the address; this browser holds it only once it is verified.
        pending.save(self.request, challenge, pending.Pending(typed=""))
        url = name_attempt(self.success_url, challenge)
        return self.redirect(_("We sent you a code."), url=url)


class ContactRequiredMixin(ReauthenticationRequiredMixin):
    """For shoppers who have a contact of this kind; the others are, for example, the second of two clicks."""

    def check_access(self):
        super().check_access()
        if not self.request.user.get_contact(self.kwargs["kind"]):
            raise AccessDenied(reverse("accounts:account"), _("There is no such contact."))


class ContactRemoveView(ContactRequiredMixin, StepView):
    """Takes a contact off the account, after a question."""

    template_name = "accounts/form.html"
    form_class = ButtonForm
    success_url = reverse_lazy("accounts:account")

    @property
    def heading(self):
        return (
            _("Remove your email address?")
            if self.kwargs["kind"] == EMAIL
            else _("Remove your mobile number?")
        )

    def perform(self, form):
        contacts.remove(
            self.request.user,
            self.kwargs["kind"],
            session=self.request.session.row,
            visitor=self.visitor,
        )
        return self.redirect_with_message(
            _("It is removed, and your other devices are signed out.")
        )

    def get_context_data(self, **kwargs):
        contact = self.request.user.get_contact(self.kwargs["kind"])
        return super().get_context_data(**kwargs) | {
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


class ContactPrimaryView(ContactRequiredMixin, StepView):
    """POST only: messages go there from now on."""

    http_method_names = ["post", "options"]
    template_name = "accounts/form.html"
    form_class = ButtonForm
    success_url = reverse_lazy("accounts:account")
    heading = gettext_lazy("Where messages go")
    extra_context = {
        "button": gettext_lazy("Send messages here"),
        "button_id": "send-here",
        "back_url": reverse_lazy("accounts:account"),
    }

    def perform(self, form):
        contacts.make_primary(self.request.user, self.kwargs["kind"], client=self.client)
        return self.redirect_with_message(_("Messages go there from now on."))


class PendingContactMixin(PendingChallengeMixin, ReauthenticationRequiredMixin):
    """For shoppers with a contact that waits for its code, in the browser that asked for it (COD-08).

    They reauthenticated a short while ago, as when they asked for it: a code may wait for longer (REC-08).
    """

    purpose = Purpose.CONTACT
    way_back = "accounts:contact-verify"
    start = "accounts:account"
    start_message = gettext_lazy("There is nothing waiting to be confirmed.")

    @property
    def needs_reauthentication(self):
        """Whoever has nothing waiting is sent to their account."""
        return self.challenge is not None

    def find_challenge(self, reference):
        pk = pending.find(self.request, self.purpose, reference)
        return pending.get_at_hand(self.request, pk) or contacts.get_pending(self.request.user, pk)


class ContactVerifyView(PendingContactMixin, CodeView):
    """The code's page."""

    heading = gettext_lazy("Confirm your other contact")
    page = "accounts:contact-verify"
    success_url = reverse_lazy("accounts:account")
    extra_context = {
        "resend_url": reverse_lazy("accounts:contact-resend"),
        "back_url": reverse_lazy("accounts:account"),
    }

    def perform(self, form):
        """Add the contact, under a new session id (SES-01)."""
        contacts.confirm(
            self.request.user,
            self.challenge,
            form.cleaned_data["code"],
            session=self.request.session.row,
            visitor=self.visitor,
            renew_session=self.renew_session,
        )
        return self.redirect_with_message(_("Your contact is confirmed."))

    def renew_session(self):
        """Take a new session id, and forget the journey: it is over."""
        pending.drop(self.request, self.challenge)
        pending.cycle_key(self.request)

    @property
    def sent_to(self):
        return self.challenge.address


class ContactResendView(ResendCodeView, ContactVerifyView):
    """A new code for it."""
