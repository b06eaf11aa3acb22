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
from accounts.views import negotiation
from accounts.views.base import Door, Step, headers_of


class InProgress(Door):
    """For browsers that have begun a journey of this `purpose`; the others begin one at `start`."""

    purpose: Purpose
    start: str  # the name of the URL where it begins

    @cached_property
    def pending(self):
        """What this browser is in the middle of."""
        return pending.of(self.request)

    @cached_property
    def challenge(self):
        """The row of it."""
        return pending.challenge(self.request, self.purpose)

    def turn_away(self):
        """Send people who have begun nothing to the beginning."""
        return super().turn_away() or (None if self.challenge else self._begin_first())

    def point_at(self, challenge):
        """Remember the row that replaces a used-up one."""
        pending.put(self.request, challenge, self.pending)

    def is_second_click(self, code):
        """Whether `code` is the one that ended the attempt a moment ago, sent twice (COD-11)."""
        self.challenge.reload()
        return bool(self.challenge.proved_at and self.challenge.accepts(code))

    def _begin_first(self):
        return negotiation.turn_away(
            self.request,
            reverse(self.start),
            message=_("Start with your email address or mobile number."),
        )


class CodePage(Step):
    """One box for the code of `self.challenge`."""

    template_name = "accounts/code.html"
    form_class = CodeForm
    page: str  # the name of the URL that shows this page

    def told(self):
        """Say when the code was sent, until when it works, and where to type it."""
        # Only a page shows the line; the other faces ask nothing for it.
        line = SimpleLazyObject(lambda: delivery.line(self.challenge))
        return {"challenge": self.challenge, "action": reverse(self.page), "delivery": line}

    def about(self, form):
        """The identifier that the code proves."""
        return self.challenge.identifier

    def show(self, form, *, status=200, **context):
        """Show the page; after a refusal the row may say something new."""
        if status != 200:  # noqa: PLR2004
            self.challenge.reload()
        return super().show(form, status=status, **context)


class ResendPage(CodePage):
    """POST only: sends the next code and shows the code's page again."""

    http_method_names = ["post", "options"]
    sent_again = gettext_lazy("We sent you a new code. The earlier one no longer works.")

    def post(self, request, *args, **kwargs):
        """Send a new code, or say when the next one may be asked for."""
        try:
            challenge = challenges.resend(self.challenge, origin=self.origin)
        except Refused as refusal:
            self.note(refusal, self.challenge.identifier)
            return self.show(
                CodeForm(),
                status=refusal.status,
                headers=headers_of(refusal),
                refusal=refusal.message,
            )
        self.keep(challenge)
        return negotiation.stay(
            request,
            reverse(self.page),
            self.template_name,
            message=self.sent_again,
            form=CodeForm(),
            heading=self.heading,
            step=self.step,
            **self.told(),
        )

    def keep(self, challenge):
        """Go on with `challenge`, which is a new row when the older one was out of tries."""
        if challenge.pk != self.challenge.pk:
            self.point_at(challenge)
        self.challenge = challenge
