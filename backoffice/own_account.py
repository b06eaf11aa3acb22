"""What staff change of their own account: first with the password, then with the code that goes to their contact.

Not on the shop's pages: for the shop a staff account does not exist (ADM-04).
"""

from django.contrib import messages
from django.contrib.auth.hashers import make_password
from django.shortcuts import redirect
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from accounts import identifiers
from accounts.errors import Refused
from accounts.forms import ChangePasswordForm, StaffContactForm
from accounts.models import Purpose
from accounts.sessions import pending
from backoffice import roles
from backoffice.code_views import Again, CodePage, sentence


@method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")
class ChangeStep(FormView):
    """The current password together with what is new. A subclass says what that is, and where its code is typed."""

    template_name = "admin/account/change.html"
    site = None  # the admin site it belongs to
    title = lead = next_page = ""

    def kept(self, form):
        """What waits in the session for the code."""
        raise NotImplementedError

    def form_valid(self, form):
        """Look at the password, send the code, and ask for it."""
        request = self.request
        try:
            self.refuse(form)
            challenge = roles.begin_change(
                request.user,
                form.cleaned_data["current"],
                current=self.current(form),
                visitor=pending.visitor(request),
            )
        except Refused as refusal:
            refusal.message = sentence(refusal)
            form.refuse(refusal)
            context = self.get_context_data(form=form)
            return self.render_to_response(context, status=refusal.status, headers=refusal.headers)
        pending.put(request, challenge, self.kept(form))
        return redirect(self.next_page)

    def refuse(self, form):
        """Raise Refused for what makes no sense."""

    def current(self, form):
        """The attempt to go on with, if it is about the same: a second click sends no second code."""
        return pending.challenge(self.request, Purpose.STAFF_CHANGE)

    def form_invalid(self, form):
        """Show what is wrong with what was typed."""
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def get_context_data(self, **kwargs):
        """Add what every page of the admin has."""
        page = self.site.each_context(self.request)
        return super().get_context_data(title=self.title, lead=self.lead, **page, **kwargs)


class PasswordChange(ChangeStep):
    """A new password."""

    form_class = ChangePasswordForm
    title = gettext_lazy("Change your password")
    lead = gettext_lazy("Next we send you a code. Then all your other sessions end.")
    next_page = "admin:password_change_code"

    def get_form_kwargs(self):
        """Tell the form whose password it is."""
        return {**super().get_form_kwargs(), "user": self.request.user}

    def kept(self, form):
        """Only its final hash (REG-10)."""
        profile = pending.Profile(password=make_password(form.cleaned_data["password"]))
        return pending.Pending(typed="", profile=profile)

    def current(self, form):
        """One that waits with a password, not with a contact."""
        begun = pending.of(self.request)
        return super().current(form) if begun and begun.profile.password else None


class ContactChange(ChangeStep):
    """Where codes and notices shall go."""

    form_class = StaffContactForm
    title = gettext_lazy("Change where your codes go")
    lead = gettext_lazy(
        "Next we send you a code to the contact you have now, then one to the new contact. "
        "Then all your other sessions end."
    )
    next_page = "admin:contact_change_code"

    def refuse(self, form):
        """Say when codes go there already."""
        if form.identifier.key == self.request.user.contacts[0].key:
            raise Refused(_("Your codes go there already."), "contact")

    def kept(self, form):
        """The contact, as it was read."""
        return pending.Pending(typed=form.identifier.address)

    def current(self, form):
        """One that waits with the same contact."""
        begun = pending.of(self.request)
        return super().current(form) if begun and begun.typed == form.identifier.address else None


class PasswordCode(CodePage):
    """The code, and with it the new password."""

    title = gettext_lazy("Change your password")
    button = gettext_lazy("Change password")
    start_again = gettext_lazy("Start again")
    purpose = Purpose.STAFF_CHANGE
    start, page = "admin:password_change", "admin:password_change_code"
    again = "admin:password_change_code_again"

    @property
    def fits(self):
        """Whether a password waits for this code."""
        return bool(pending.of(self.request).profile.password)

    def carry_out(self, code):
        """Change it; this browser stays signed in, under a new session id (PWD-07)."""
        request = self.request
        roles.change_password(
            request.user,
            self.challenge,
            code,
            hashed=pending.of(request).profile.password,
            keep=request.session.session_key,
            origin=request.session.origin,
        )
        pending.keep_signed_in(request, request.user, roles.account_of(request.user))
        return done(request, _("Your password is changed. Your other sessions have ended."))


class PasswordCodeAgain(Again, PasswordCode):
    """Another code for it."""


class ContactCode(CodePage):
    """The code that went to the contact there is, and with it the code to the new one."""

    title = gettext_lazy("Change where your codes go")
    button = gettext_lazy("Continue")
    start_again = gettext_lazy("Start again")
    purpose = Purpose.STAFF_CHANGE
    start, page = "admin:contact_change", "admin:contact_change_code"
    again, after = "admin:contact_change_code_again", "admin:contact_change_new"

    @property
    def fits(self):
        """Whether a contact waits for this code."""
        return bool(pending.of(self.request).typed)

    def carry_out(self, code):
        """Send the code to the new contact."""
        request, begun = self.request, pending.of(self.request)
        challenge = roles.begin_contact(
            request.user,
            self.challenge,
            code,
            contact=identifiers.parse(begun.typed),
            origin=request.session.origin,
        )
        pending.put(request, challenge, begun)
        return redirect(self.after)


class ContactCodeAgain(Again, ContactCode):
    """Another code for it."""


class NewContactCode(CodePage):
    """The code that went to the new contact, with which it counts."""

    title = gettext_lazy("Enter the code we sent to your new contact")
    button = gettext_lazy("Change contact")
    start_again = gettext_lazy("Start again")
    purpose = Purpose.STAFF_CONTACT
    start, page, again = (
        ContactCode.start,
        "admin:contact_change_new",
        "admin:contact_change_new_again",
    )

    @property
    def sent_to(self):
        """What was typed a moment ago, to be read again."""
        return self.challenge.address

    def carry_out(self, code):
        """Change it; this browser stays signed in, under a new session id."""
        request = self.request
        roles.change_contact(
            request.user,
            self.challenge,
            code,
            keep=request.session.session_key,
            origin=request.session.origin,
        )
        return done(request, _("Your codes go to the new contact. Your other sessions have ended."))


class NewContactCodeAgain(Again, NewContactCode):
    """Another code for it."""


PAGES = {
    "password_change/code/": PasswordCode,
    "password_change/code/again/": PasswordCodeAgain,
    "contact_change/": ContactChange,
    "contact_change/code/": ContactCode,
    "contact_change/code/again/": ContactCodeAgain,
    "contact_change/new/": NewContactCode,
    "contact_change/new/again/": NewContactCodeAgain,
}


def urls(site):
    """The addresses of these pages, each for who is signed in on the staff pages."""
    return [
        path(
            where, site.admin_view(view.as_view(site=site)), name=where.strip("/").replace("/", "_")
        )
        for where, view in PAGES.items()
    ]


def done(request, message):
    """Drop what waited, take a new session id (SES-01), and lead to the front page with the news."""
    pending.drop(request)
    pending.confirm(request, by=request.user.primary)
    messages.success(request, message)
    return redirect("admin:index")
