"""Registration, page by page: identify, verify, complete; and the link in the email."""

from functools import partial

from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import conf, honeypot
from accounts.errors import CodeClosed
from accounts.flows import registration
from accounts.forms import ButtonForm, IdentifyForm, OtherAddressForm, ProfileForm
from accounts.models import Challenge, Purpose
from accounts.sessions import pending
from accounts.views import negotiation
from accounts.views.base import (
    AccessDenied,
    AnonymousRequiredMixin,
    SignedInRequiredMixin,
    SignInMixin,
    StepView,
    is_elsewhere,
    named_attempt,
)
from accounts.views.codes import (
    CodeInsteadMixin,
    CodeView,
    JourneyStartMixin,
    PendingChallengeMixin,
    ResendCodeView,
    name_attempt,
    sign_in_first,
)
from accounts.views.links import LinkTokenView

SENT = gettext_lazy("Registration successful. Please verify OTP.")
OTHER_ACCOUNT = gettext_lazy(
    "You have signed in with another account since you opened that page. Go on here with this one."
)
VERIFIED = gettext_lazy("OTP verified successfully. You are now logged in!")


class RegistrationInProgressMixin(PendingChallengeMixin, AnonymousRequiredMixin):
    """For browsers that have begun a registration."""

    purpose = Purpose.REGISTER
    start = "accounts:register"
    page = "accounts:register-verify"

    def get_second_click_denial(self):
        """To where the first one went; its cookie is the winner's."""
        url = sign_in_first(reverse("accounts:register-complete"))
        return AccessDenied(url, _("Your address is already confirmed."))


class IdentifyView(JourneyStartMixin, AnonymousRequiredMixin, StepView):
    """Step 1: one box."""

    purpose = Purpose.REGISTER

    template_name = "accounts/registration/identify.html"
    form_class = IdentifyForm
    heading = gettext_lazy("Create an account")
    step = 1
    success_url = reverse_lazy("accounts:register-verify")

    def get_initial(self):
        return {
            "identifier": self.begun.typed if self.begun else "",
            "next": negotiation.local_path(self.request.GET.get("next", "")),
        }

    def perform(self, form):
        """Send the code, unless the address looks mistyped and nobody has said to keep it."""
        if form.suggestion:
            hint = {"suggestion": form.suggestion, "typed": form.typed}
            return self.render_to_response(self.get_context_data(form=form, **hint))
        challenge = registration.begin(
            form.identifier,
            username=form.cleaned_data.get("username", ""),
            password=form.cleaned_data.get("password", ""),
            is_bot=partial(honeypot.is_bot, self.request, form.data),
            current=self.current,
            client=self.client,
        )
        if challenge:
            self.save_pending(form, challenge)
        # A program is told the same as a person, and nothing was sent (ABU-06).
        return self.redirect_to_code(challenge or Challenge(), SENT)

    def save_pending(self, form, challenge):
        begun = pending.Pending(
            typed=form.typed,
            destination=negotiation.local_path(form.cleaned_data["next"]),
            profile=self.make_profile(form),
        )
        pending.save(self.request, challenge, begun, instead_of=self.former)

    # The attempt that this step puts another one in the place of.
    former = None

    def make_profile(self, form):
        return registration.make_profile(
            name=form.full_name,
            username=form.cleaned_data.get("username", ""),
            password=form.cleaned_data.get("password", ""),
        )

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | {"trap": conf.BOT_CHECK}


class ChangeView(RegistrationInProgressMixin, IdentifyView):
    """Another address or channel for the same registration: what was typed stays, the older code dies (ux 49)."""

    form_class = OtherAddressForm
    heading = gettext_lazy("Use a different address")

    @property
    def former(self):
        return self.challenge

    def get_initial(self):
        return {"identifier": self.pending.typed, "next": self.pending.destination}

    def save_pending(self, form, challenge):
        if challenge.pk != self.challenge.pk:
            self.challenge.cancel()
        super().save_pending(form, challenge)

    def make_profile(self, form):
        return self.pending.profile

    def get_context_data(self, **kwargs):
        back = name_attempt(reverse(self.page), self.challenge)
        return super().get_context_data(**kwargs) | {
            "attempt": self.challenge.reference,
            "back_url": back,
        }


class VerifyView(CodeInsteadMixin, RegistrationInProgressMixin, SignInMixin, CodeView):
    """Step 2: the code. The right one makes the user and signs them in."""

    heading = gettext_lazy("Enter the code we sent you")
    step = 2
    signed_in_message = VERIFIED
    back, change = "accounts:register", "accounts:register-change"
    extra_context = {"resend_url": reverse_lazy("accounts:register-resend")}

    def perform(self, form):
        if self._names_another(form):
            form.add_error("username", _("That is not the registration in progress"))
            return self.form_invalid(form)
        code, begun = form.cleaned_data["code"], self.pending
        try:
            registered = registration.confirm(
                self.challenge,
                code,
                profile=begun.profile,
                visitor=self.visitor,
                sign_in=self.get_sign_in(by=self.challenge.kind),
            )
        except CodeClosed:
            if self.is_second_click(code):
                raise self.get_second_click_denial() from None
            raise
        return self.redirect_signed_in(
            registered.user,
            begun.destination,
            extra_message=username_lost_message(registered),
        )

    def _names_another(self, form):
        """Whether a username came along that is not the pending one (promise 4.3)."""
        named = form.cleaned_data.get("username", "")
        known = (self.pending.profile.username, self.pending.typed, self.challenge.recipient)
        return bool(named) and named.casefold() not in [name.casefold() for name in known]


class ResendView(ResendCodeView, VerifyView):
    """A new code for the registration in progress."""


class ProfileIncompleteRequiredMixin(SignedInRequiredMixin):
    """For shoppers who have not finished their profile; whoever is done goes home."""

    def check_access(self):
        super().check_access()
        if self.request.user.completed_at:
            raise AccessDenied(reverse("home"), _("Your profile is complete."))
        # As with attempts, the page acts for whom it shows (REC-09).
        named = named_attempt(self.request)
        if named and named != self.request.user.reference:
            raise AccessDenied(self.request.path, OTHER_ACCOUNT)


class CompleteView(ProfileIncompleteRequiredMixin, StepView):
    """Step 3: name and password; username and a second contact for those who like."""

    takes_password = True
    template_name = "accounts/registration/complete.html"
    form_class = ProfileForm
    heading = gettext_lazy("Complete your profile")
    step = 3
    success_url = reverse_lazy("home")

    def get_form_kwargs(self):
        return {**super().get_form_kwargs(), "user": self.request.user}

    def get_initial(self):
        """Do not ask again for what was given (ux 11)."""
        user = self.request.user
        came_for = negotiation.local_path(self.request.GET.get("next", ""))
        return {"name": user.name, "username": user.username or "", "next": came_for}

    def perform(self, form):
        user, cleaned = self.request.user, form.cleaned_data
        registration.complete(
            user,
            name=cleaned["name"],
            password=cleaned.get("password", ""),
            username=cleaned["username"],
            contact=form.identifier,
            client=self.client,
            keep_session=self.keep_session,
        )
        came_for = negotiation.local_path(cleaned["next"])
        return self.redirect_with_message(
            _("Your account is ready."), url=came_for, leaves_journey=is_elsewhere(came_for)
        )

    def keep_session(self, waiting):
        """Stay signed in with the new password, in the middle of `waiting`, the attempt at a second contact if any."""
        pending.keep_signed_in(self.request, self.request.user)
        if waiting:
            pending.save(self.request, waiting, pending.Pending(typed=""))
        pending.write(self.request)

    def get_context_data(self, **kwargs):
        user = self.request.user
        shown = {"identifier": user.identifier, "attempt": user.reference}
        return super().get_context_data(**kwargs) | shown


class LinkView(SignInMixin, LinkTokenView):
    """The link in the email: GET shows a button and changes nothing, POST verifies the address (ux 81)."""

    template_name = "accounts/registration/link.html"
    form_class = ButtonForm
    heading = gettext_lazy("Confirm your email address")
    start = "accounts:register"
    signed_in_message = VERIFIED

    def find_challenge(self, token):
        return registration.find_link(token)

    def perform(self, form):
        """Verify the address: for the registration of this browser, or for the person who is here (REG-08)."""
        begun = self._begun_here
        profile = begun.profile if begun else registration.Profile()
        registered = registration.confirm_by_link(
            self.token,
            profile=profile,
            visitor=self.visitor,
            sign_in=self.get_sign_in(by=self.challenge.kind),
        )
        return self.redirect_signed_in(
            registered.user,
            begun.destination if begun else "",
            extra_message=username_lost_message(registered),
        )

    def get_context_data(self, **kwargs):
        here = self._begun_here
        address = self.challenge.address if here else self.challenge.identifier.masked
        status = {"state": "ready" if here else "elsewhere", "address": address}
        return super().get_context_data(**kwargs) | status

    @property
    def _begun_here(self):
        """What this browser is in the middle of, if it is this attempt."""
        return pending.load(self.request, self.challenge.pk)


def username_lost_message(registered):
    """What to say to somebody whose username was taken while their code was on its way."""
    if not registered.username_lost:
        return ""
    return _("That username has just been taken. Choose another one.")
