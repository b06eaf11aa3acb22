"""Registration, page by page: identify, prove, complete; and the link in the email."""

from functools import partial
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import conf, honeypot
from accounts.errors import CodeClosed
from accounts.flows import registration
from accounts.forms import EmptyForm, IdentifyForm, OtherAddressForm, ProfileForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.views import negotiation
from accounts.views.base import AnonymousOnly, SignedIn, Step
from accounts.views.codes import CodePage, InProgress, ResendPage
from accounts.views.links import TokenPage

SENT = gettext_lazy("Registration successful. Please verify OTP.")


class Registering(InProgress, AnonymousOnly):
    """For browsers that have begun a registration."""

    purpose = Purpose.REGISTER
    start = "accounts:register"


class IdentifyView(AnonymousOnly, Step):
    """Step 1: one box."""

    template_name = "accounts/registration/identify.html"
    form_class = IdentifyForm
    heading = gettext_lazy("Create an account")
    step = 1

    def get_initial(self):
        """Give back what was typed before, and the way the shopper came."""
        begun = pending.of(self.request)
        return {
            "identifier": begun.typed if begun else "",
            "next": negotiation.local_path(self.request.GET.get("next", "")),
        }

    def carry_out(self, form):
        """Send the code, unless the address looks mistyped and nobody has said to keep it."""
        if form.suggestion:
            return self.show(form, suggestion=form.suggestion, typed=form.typed)
        challenge = registration.begin(
            form.found,
            username=form.cleaned_data.get("username", ""),
            password=form.cleaned_data.get("password", ""),
            is_program=partial(honeypot.is_program, self.request, form.data),
            current=pending.challenge(self.request, Purpose.REGISTER),
            origin=self.origin,
        )
        if challenge:
            self.remember(form, challenge)
        return negotiation.go(self.request, reverse("accounts:register-verify"), message=SENT)

    def remember(self, form, challenge):
        """Remember the attempt, and what was typed."""
        begun = pending.Pending(
            typed=form.typed,
            destination=negotiation.local_path(form.cleaned_data["next"]),
            profile=self.profile(form),
        )
        pending.put(self.request, challenge, begun)

    def profile(self, form):
        """What came along of step 3; costs a hash if it has a password."""
        return registration.keep(
            name=form.full_name,
            username=form.cleaned_data.get("username", ""),
            password=form.cleaned_data.get("password", ""),
        )

    def told(self):
        """Whether the page has the box that only programs see."""
        return {**super().told(), "trap": conf.BOT_CHECK}


class ChangeView(Registering, IdentifyView):
    """Another address or channel for the same registration: what was typed stays, the older code dies (ux 49)."""

    form_class = OtherAddressForm
    heading = gettext_lazy("Use a different address")

    def get_initial(self):
        """Show what is to be changed."""
        return {"identifier": self.pending.typed, "next": self.pending.destination}

    def told(self):
        """Offer the way back."""
        return {**super().told(), "back_url": reverse("accounts:register-verify")}

    def remember(self, form, challenge):
        """Withdraw the older attempt."""
        if challenge.pk != self.challenge.pk:
            self.challenge.close()
        super().remember(form, challenge)

    def profile(self, form):
        """The one that came with the older attempt."""
        return self.pending.profile


class VerifyView(Registering, CodePage):
    """Step 2: the code. The right one makes the user and signs them in."""

    heading = gettext_lazy("Enter the code we sent you")
    step = 2
    page = "accounts:register-verify"

    def carry_out(self, form):
        """Hand the code to the flow and sign the new user in."""
        if self._names_another(form):
            form.add_error("username", _("That is not the registration in progress"))
            return self.form_invalid(form)
        code, profile = form.cleaned_data["code"], self.pending.profile
        try:
            proven = registration.confirm(
                self.challenge, code, profile=profile, visitor=self.visitor
            )
        except CodeClosed:
            return self._closed(code)
        return enter(self.request, proven, self.challenge.kind, self.pending.destination)

    def told(self):
        """Say where the code went and what to do when it did not come."""
        return {
            **super().told(),
            "sent_to": self.pending.typed,
            "resend_url": reverse("accounts:register-resend"),
            "change_url": reverse("accounts:register-change"),
            "back_url": reverse("accounts:register"),
        }

    def _closed(self, code):
        """Lead the second of two clicks to where the first one went; its cookie is the winner's (COD-11)."""
        if not self.is_second_click(code):
            raise CodeClosed
        message = _("Your address is already confirmed.")
        return negotiation.turn_away(
            self.request, reverse("accounts:register-complete"), message=message
        )

    def _names_another(self, form):
        """Whether a username came along that is not the pending one (promise 4.3)."""
        named = form.cleaned_data.get("username", "")
        known = (self.pending.profile.username, self.pending.typed, self.challenge.recipient)
        return bool(named) and named.casefold() not in [name.casefold() for name in known]


class ResendView(ResendPage, VerifyView):
    """A new code for the registration in progress."""


class CompleteView(SignedIn, Step):
    """Step 3: name and password; username and a second contact for those who like."""

    template_name = "accounts/registration/complete.html"
    form_class = ProfileForm
    heading = gettext_lazy("Complete your profile")
    step = 3

    def turn_away(self):
        """Send home whoever is done."""
        away = super().turn_away()
        if away or not self.request.user.completed_at:
            return away
        return negotiation.turn_away(
            self.request, reverse("home"), message=_("Your profile is complete.")
        )

    def get_form_kwargs(self):
        """Tell the form whose profile it is."""
        return {**super().get_form_kwargs(), "user": self.request.user}

    def get_initial(self):
        """Do not ask again for what was given (ux 11)."""
        user = self.request.user
        came_for = negotiation.local_path(self.request.GET.get("next", ""))
        return {"name": user.name, "username": user.username or "", "next": came_for}

    def carry_out(self, form):
        """Write the profile and go home, or where the shopper came for."""
        user, said = self.request.user, form.cleaned_data
        waiting = registration.complete(
            user,
            name=said["name"],
            password=said.get("password", ""),
            username=said["username"],
            contact=form.found,
            origin=self.origin,
        )
        pending.keep_signed_in(self.request, user)
        if waiting:
            self.request.session[pending.CONTACT_KEY] = str(waiting.pk)
        message = _("Your account is ready.")
        negotiation.tell(self.request, message)
        return negotiation.go(
            self.request, negotiation.local_path(said["next"]) or reverse("home"), message=message
        )

    def told(self):
        """Show what is proven."""
        return {"identifier": self.request.user.identifier}


class LinkView(TokenPage):
    """The link in the email: GET shows a button and changes nothing, POST proves the address (ux 81)."""

    template_name = "accounts/registration/link.html"
    form_class = EmptyForm
    heading = gettext_lazy("Confirm your email address")
    start = "accounts:register"

    def find(self, token):
        """The registration of this link."""
        return registration.find_link(token)

    def carry_out(self, form):
        """Prove the address: for the registration of this browser, or for the person who is here (REG-08)."""
        begun = self._begun_here
        profile = begun.profile if begun else registration.Profile()
        proven = registration.confirm_by_link(self.token, profile=profile, visitor=self.visitor)
        destination = begun.destination if begun else ""
        return enter(self.request, proven, self.challenge.kind, destination)

    def told(self):
        """Say whose address it is: masked, unless it was typed here."""
        here = self._begun_here
        address = self.challenge.address if here else self.challenge.identifier.masked
        return {"state": "ready" if here else "elsewhere", "address": address}

    @property
    def _begun_here(self):
        """What this browser is in the middle of, if it is this attempt."""
        here = pending.challenge(self.request, Purpose.REGISTER) == self.challenge
        return pending.of(self.request) if here else None


def enter(request, proven, kind, destination):
    """Sign in who proved a contact of this kind and lead on: to step 3, or home when step 1 brought everything."""
    undone = proven.user.deletion_due_at
    pending.sign_in(request, proven.user, by=kind)
    message = _("OTP verified successfully. You are now logged in!")
    if undone:
        message = _("Welcome back. Your account will not be deleted.")
        negotiation.tell(request, message)
    if proven.username_lost:
        lost = _("That username has just been taken. Choose another one.")
        negotiation.tell(request, lost)
        message = f"{message} {lost}"
    if proven.user.completed_at:
        return negotiation.go(request, destination or reverse("home"), message=message)
    came_for = f"?{urlencode({'next': destination})}" if destination else ""
    return negotiation.go(
        request, reverse("accounts:register-complete") + came_for, message=message
    )
