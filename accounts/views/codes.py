"""The page on which a code is typed, whatever the code is for, and the button that sends another one."""

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import SimpleLazyObject, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import conf, delivery
from accounts.errors import Refused
from accounts.flows import challenge as challenges
from accounts.forms import CodeForm, SendCodeForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.views import negotiation
from accounts.views.base import AccessDenied, BaseView, StepView, named_attempt, parse_request

OTHER_PAGE = gettext_lazy(
    "You have started something else since you opened that page, and it no longer works. Go on here, or start again."
)
ANSWER_LOST = gettext_lazy(
    "That page no longer works here. If your code was accepted a moment ago, get another one to sign in with. "
    "If it was not, start again."
)


class NotBegun(AccessDenied):
    """There is no attempt in this browser that the page could be about."""


class AttemptGone(AccessDenied):
    """A page names an attempt that this browser does not hold, or no longer; nothing is spent (REC-09)."""


class AttemptMixin(BaseView):
    """For pages of a journey of this `purpose`: each acts on the attempt it names, whatever began since (REC-09)."""

    purpose: Purpose

    @cached_property
    def reference(self):
        """The name of the attempt that the page shows, or "" from a client that means the newest one."""
        return named_attempt(self.request)

    @cached_property
    def challenge(self):
        return self.find_challenge(self.reference)

    def find_challenge(self, reference):
        """The attempt of this browser with this name, the newest if there is no name, or None."""
        return pending.get_challenge(self.request, self.purpose, reference)


class JourneyStartMixin(AttemptMixin):
    """For pages that begin a journey, or begin it again: then they name the attempt they came back from."""

    @cached_property
    def current(self):
        """The attempt to go on with, if it is about the same."""
        return self.challenge or self.find_challenge("")

    @cached_property
    def begun(self):
        """What was typed in the journey the page came back from, else in the newest, of whatever purpose; or None."""
        named = self.reference and pending.find(self.request, self.purpose, self.reference)
        return pending.load(self.request, named or pending.find(self.request))

    def redirect_to_code(self, challenge, message):
        """Lead on to the page where the code of `challenge` is typed, which shall name it."""
        return self.redirect(message, url=name_attempt(self.success_url, challenge))

    def get_context_data(self, **kwargs):
        is_held = self.reference and pending.find(self.request, self.purpose, self.reference)
        attempt = self.reference if is_held else ""
        return {"attempt": attempt, **super().get_context_data(**kwargs)}


class PendingChallengeMixin(AttemptMixin):
    """For browsers that have begun a journey of this `purpose`; the others begin one at `start`."""

    start: str  # the name of the URL where it begins
    page: str  # the name of the URL that shows the page of its code
    start_message = gettext_lazy("Start with your email address or mobile number.")

    def check_access(self):
        super().check_access()
        if not self.challenge:
            if self.request.method == "POST" and self.request.session.has_moved():
                raise self.get_second_click_denial()
            if self.reference:
                self.redirect_to_newest()
            self.redirect_to_start()

    def get_second_click_denial(self):
        """Where the second of two clicks is led whose first one has done it (COD-11)."""
        return AccessDenied(reverse("home"), _("You are signed in."))

    def redirect_to_newest(self):
        """Send somebody on whose page is about another attempt than any that is held. Raises AccessDenied."""
        newest = self.find_challenge("")
        if newest:
            raise AttemptGone(name_attempt(reverse(self.page), newest), OTHER_PAGE)

    def redirect_to_start(self):
        """Send somebody to the beginning. Raises AccessDenied."""
        raise NotBegun(reverse(self.start), self.start_message)

    def get_page_url(self):
        """The page of the same attempt."""
        url = super().get_page_url()
        return f"{url}?{urlencode({'attempt': self.reference})}" if self.reference else url

    @cached_property
    def pending(self):
        return self.challenge and pending.load(self.request, self.challenge.pk)

    def replace_challenge(self, challenge):
        pending.save(self.request, challenge, self.pending, instead_of=self.challenge)


class CodeInsteadMixin(PendingChallengeMixin):
    """For codes that sign in: who lost the answer to the right one is one click from another, to sign in with."""

    def access_denied_response(self, denial):
        lost = isinstance(denial, NotBegun) and self.reference and self.request.method == "POST"
        if not lost:
            return super().access_denied_response(denial)
        typed = str(parse_request(self.request).get("identifier", ""))[: conf.EMAIL_MAX]
        context = {
            "heading": _("Sign in with a code"),
            "form": SendCodeForm(initial={"identifier": typed}),
            "refusal": ANSWER_LOST,
        }
        return negotiation.page_response(
            self.request, "accounts/login/code.html", context, status=denial.status
        )

    def get_context_data(self, **kwargs):
        """Let the form know what was typed, in case its answer is lost together with the session."""
        return super().get_context_data(**kwargs) | {"typed_identifier": self.pending.typed}


class CodeView(StepView):
    """One box for the code of `self.challenge`."""

    template_name = "accounts/code.html"
    form_class = CodeForm
    page: str  # the name of the URL that shows this page
    # The names of the URLs where the journey is begun again, and where another address is typed.
    back = change = ""

    def form_invalid(self, form):
        """Show the page again; after a refusal the row may say something new."""
        self.challenge.reload()
        return super().form_invalid(form)

    def get_context_data(self, **kwargs):
        # Only a page shows the line; the other faces ask nothing for it.
        line = SimpleLazyObject(lambda: delivery.status_line(self.challenge))
        links = {"back_url": self.back, "change_url": self.change}
        named = {
            name: name_attempt(reverse(page), self.challenge)
            for name, page in links.items()
            if page
        }
        return super().get_context_data(**kwargs) | {
            "challenge": self.challenge,
            "attempt": self.challenge.reference,
            "action": reverse(self.page),
            "delivery": line,
            "sent_to": self.sent_to,
            **named,
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
        url = name_attempt(reverse(self.page), challenge)
        return self.render_or_redirect(url, message=self.resent_message, form=form)

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        refusal = context["form"].refusal
        return context | {"refusal": self.get_message(refusal)} if refusal else context


def name_attempt(url, challenge):
    """The address of a page that shall act on `challenge`, whatever is begun since."""
    return f"{url}?{urlencode({'attempt': challenge.reference})}"


def sign_in_first(url):
    """The address of a page that leads on to `url` who is signed in, and sends a code to who lost the answer."""
    return f"{reverse('accounts:login-code')}?{urlencode({'next': url})}"
