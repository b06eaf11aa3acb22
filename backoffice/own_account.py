"""What staff change of their own account: first with the password, then with the code that goes to their contact.

Not on the shop's pages: for the shop a staff account does not exist (ADM-04).
"""

from django.contrib.auth.hashers import make_password
from django.urls import path, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import identifiers
from accounts.errors import Refused
from accounts.forms import ChangePasswordForm, StaffContactForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.views.base import StepView
from accounts.views.codes import ResendCodeView, name_attempt
from backoffice import staff_auth
from backoffice.code_views import BaseStaffCodeView, StaffStepMixin


class ChangeView(StaffStepMixin, StepView):
    """The current password together with what is new. A subclass says what that is, and where its code is typed."""

    takes_password = True
    template_name = "admin/account/change.html"
    lead = ""

    def get_identifier(self, form):
        """Return where the codes of this account go."""
        return self.request.user.contacts[0]

    def get_pending(self, form):
        """Return what waits in the session for the code."""
        raise NotImplementedError

    def perform(self, form):
        """Check the password, send the code, and ask for it."""
        challenge = staff_auth.begin_change(
            self.request.user,
            form.cleaned_data["current"],
            new=form.cleaned_data.get("password", ""),
            current=self.get_current_challenge(form),
            visitor=self.visitor,
        )
        pending.save(self.request, challenge, self.get_pending(form))
        return self.redirect(url=name_attempt(self.success_url, challenge))

    def get_current_challenge(self, form):
        """The attempt to go on with, if it is about the same: a second click sends no second code."""
        return pending.get_challenge(self.request, Purpose.STAFF_CHANGE)

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | {"lead": self.lead}


class PasswordChangeView(ChangeView):
    """A new password."""

    form_class = ChangePasswordForm
    title = gettext_lazy("Change your password")
    lead = gettext_lazy("Next, we send you a code. Once you type it, all your other sessions end.")
    success_url = reverse_lazy("admin:password_change_code")

    def get_form_kwargs(self):
        return {**super().get_form_kwargs(), "user": self.request.user}

    def get_pending(self, form):
        """Keep the final hash of the password, and nothing else of it (REG-10)."""
        profile = pending.Profile(password=make_password(form.cleaned_data["password"]))
        return pending.Pending(typed="", profile=profile)

    def get_current_challenge(self, form):
        """One that waits with a password, not with a contact."""
        current = super().get_current_challenge(form)
        begun = current and pending.load(self.request, current.pk)
        return current if begun and begun.profile.password else None


class ContactChangeView(ChangeView):
    """Where codes and notices shall go."""

    form_class = StaffContactForm
    title = gettext_lazy("Change where your codes go")
    lead = gettext_lazy(
        "Next, we send a code to the contact you have now, and then another one to the new contact. "
        "Once you type both, all your other sessions end."
    )
    success_url = reverse_lazy("admin:contact_change_code")

    def perform(self, form):
        """Refuse the contact that codes go to already."""
        if form.identifier.key == self.request.user.contacts[0].key:
            raise Refused(_("Your codes already go there."), "contact")
        return super().perform(form)

    def get_pending(self, form):
        """Keep the contact, as it was read."""
        return pending.Pending(typed=form.identifier.address)

    def get_current_challenge(self, form):
        """One that waits with the same contact."""
        current = super().get_current_challenge(form)
        begun = current and pending.load(self.request, current.pk)
        return current if begun and begun.typed == form.identifier.address else None


class FinalCodeView(BaseStaffCodeView):
    """The code with which the change is made."""

    def renew_session(self):
        """Drop what waited, and take a new session id, in the transaction of the change (SES-01, SES-13)."""
        pending.drop(self.request, self.challenge)
        pending.record_reauthentication(self.request, by=self.request.user.primary)


class PasswordCodeView(FinalCodeView):
    """The code, and with it the new password."""

    title = gettext_lazy("Change your password")
    button = gettext_lazy("Change password")
    purpose = Purpose.STAFF_CHANGE
    start, page = "admin:password_change", "admin:password_change_code"
    again = "admin:password_change_code_again"

    @property
    def matches_pending(self):
        """Whether a password waits for this code."""
        return bool(self.pending.profile.password)

    def use_code(self, code):
        """Change the password; this browser stays signed in, under a new session id (PWD-07)."""
        request = self.request
        staff_auth.change_password(
            request.user,
            self.challenge,
            code,
            hashed=self.pending.profile.password,
            except_session=request.session.session_key,
            client=self.client,
            renew_session=self.renew_session,
        )
        return self.redirect_with_message(
            _("Your password is changed. Your other sessions have ended.")
        )

    def renew_session(self):
        user = self.request.user
        pending.keep_signed_in(self.request, user, staff_auth.staff_account_key(user))
        super().renew_session()


class PasswordResendView(ResendCodeView, PasswordCodeView):
    """Another code for a new password."""


class ContactCodeView(BaseStaffCodeView):
    """The code that went to the contact there is, and with it the code to the new one."""

    title = gettext_lazy("Change where your codes go")
    button = gettext_lazy("Continue")
    purpose = Purpose.STAFF_CHANGE
    start, page = "admin:contact_change", "admin:contact_change_code"
    again = "admin:contact_change_code_again"
    success_url = reverse_lazy("admin:contact_change_new")

    @property
    def matches_pending(self):
        """Whether a contact waits for this code."""
        return bool(self.pending.typed)

    def use_code(self, code):
        """Send the code to the new contact."""
        request, begun = self.request, self.pending
        challenge = staff_auth.begin_contact(
            request.user,
            self.challenge,
            code,
            contact=identifiers.parse(begun.typed),
            client=self.client,
        )
        pending.save(request, challenge, begun, instead_of=self.challenge)
        return self.redirect(url=name_attempt(self.success_url, challenge))


class ContactResendView(ResendCodeView, ContactCodeView):
    """Another code to the contact there is."""


class NewContactCodeView(FinalCodeView):
    """The code that went to the new contact, with which it counts."""

    title = gettext_lazy("Enter the code we sent to your new contact")
    button = gettext_lazy("Change contact")
    purpose = Purpose.STAFF_CONTACT
    start, page, again = (
        ContactCodeView.start,
        "admin:contact_change_new",
        "admin:contact_change_new_again",
    )

    @property
    def sent_to(self):
        """What was typed a moment ago, to be read again."""
        return self.challenge.address

    def use_code(self, code):
        """Change the contact; this browser stays signed in, under a new session id."""
        request = self.request
        staff_auth.change_contact(
            request.user,
            self.challenge,
            code,
            except_session=request.session.session_key,
            client=self.client,
            renew_session=self.renew_session,
        )
        return self.redirect_with_message(
            _("Your codes now go to the new contact. Your other sessions have ended.")
        )


class NewContactResendView(ResendCodeView, NewContactCodeView):
    """Another code to the new contact."""


PAGES = {
    "password_change/code/": PasswordCodeView,
    "password_change/code/again/": PasswordResendView,
    "contact_change/": ContactChangeView,
    "contact_change/code/": ContactCodeView,
    "contact_change/code/again/": ContactResendView,
    "contact_change/new/": NewContactCodeView,
    "contact_change/new/again/": NewContactResendView,
}


def urls(site):
    """Return the URL patterns of these pages, each for who is signed in on the staff pages."""
    return [
        path(
            route, site.admin_view(view.as_view(site=site)), name=route.strip("/").replace("/", "_")
        )
        for route, view in PAGES.items()
    ]
