"""The page on which a code is typed, whatever the code is for, and the button that sends another one."""

from django.urls import reverse
from django.utils.functional import SimpleLazyObject, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import delivery
from accounts.errors import Refused
from accounts.flows import challenge as challenges
from accounts.forms import CodeForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.views.base import AccessDenied, BaseView, StepView


class PendingChallengeMixin(BaseView):
    """For browsers that have begun a journey of this `purpose`; the others begin one at `start`."""

    purpose: Purpose
    start: str  # the name of the URL where it begins
    start_message = gettext_lazy("Start with your email address or mobile number.")

    def check_access(self):
        super().check_access()
        if not self.challenge:
            if self.request.method == "POST" and self.request.session.has_moved():
                raise self.get_second_click_denial()
            self.redirect_to_start()

    def get_second_click_denial(self):
        """Where the second of two clicks is led whose first one has done it (COD-11)."""
        return AccessDenied(reverse("home"), _("You are signed in."))

    def redirect_to_start(self):
        """Send somebody to the beginning. Raises AccessDenied."""
        raise AccessDenied(reverse(self.start), self.start_message)

    @cached_property
    def pending(self):
        return pending.load(self.request)

    @cached_property
    def challenge(self):
        return pending.get_challenge(self.request, self.purpose)

    def replace_challenge(self, challenge):
        pending.save(self.request, challenge, self.pending)


class CodeView(StepView):
    """One box for the code of `self.challenge`."""

    template_name = "accounts/code.html"
    form_class = CodeForm
    page: str  # the name of the URL that shows this page

    def form_invalid(self, form):
        """Show the page again; after a refusal the row may say something new."""
        self.challenge.reload()
        return super().form_invalid(form)

    def get_context_data(self, **kwargs):
        # Only a page shows the line; the other faces ask nothing for it.
        line = SimpleLazyObject(lambda: delivery.status_line(self.challenge))
        return super().get_context_data(**kwargs) | {
            "challenge": self.challenge,
            "action": reverse(self.page),
            "delivery": line,
            "sent_to": self.sent_to,
        }

    @property
    def sent_to(self):
        """Where the code went, as it was typed here."""
        return self.pending.typed

    def get_identifier(self, form):
        return self.challenge.identifier

    def is_second_click(self, code):
        """Whether `code` is the one that ended the attempt a moment ago, sent twice (COD-11)."""
        self.challenge.reload()
        return bool(self.challenge.verified_at and self.challenge.is_current_code(code))


class ResendCodeView(CodeView):
    """POST only: sends the next code and shows the code's page again."""

    http_method_names = ["post", "options"]
    resent_message = gettext_lazy("We sent you a new code. The earlier one no longer works.")

    def post(self, request, *args, **kwargs):
        form = self.form_class()
        try:
            challenge = challenges.resend(self.challenge, client=self.client)
        except Refused as refusal:
            self.record_refusal(refusal, self.challenge.identifier)
            # Of the page, not of a box on it: nothing was typed.
            form.refusal = refusal
            return self.form_invalid(form)
        # A new row when the older one was out of tries.
        if challenge.pk != self.challenge.pk:
            self.replace_challenge(challenge)
        self.challenge = challenge
        return self.render_or_redirect(reverse(self.page), message=self.resent_message, form=form)

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        refusal = context["form"].refusal
        return context | {"refusal": self.get_message(refusal)} if refusal else context
