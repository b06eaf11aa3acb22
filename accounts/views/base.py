"""A step of a journey: it shows a form, hands what it says to a flow, and goes on. It never asks which face it is."""

import json
from functools import partial
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, TemplateView, View

from accounts import conf, refusals
from accounts.errors import OTHER_METHOD, Refused, SmsStopped, TooOften
from accounts.flows import sms_budget
from accounts.sessions import pending
from accounts.views import negotiation
from accounts.views.negotiation import NegotiatedResponseMixin

FORM_TYPES = ("", "application/x-www-form-urlencoded", "multipart/form-data")


class BodyUnreadable(Exception):
    """The body is of a type we do not read, or is not what it says it is."""

    def __init__(self, status):
        self.status = status


class AccessDenied(Exception):
    """Somebody may not be here: `message` says why, and `url` is where they can go on."""

    def __init__(self, url, message, status=409):
        self.url, self.message, self.status = url, message, status


class BaseView(View):
    """Lets people in, or sends them to where they can go on. A mixin for each requirement says who may enter."""

    # The name of the URL that shows the page of a view that answers no GET.
    page = ""

    def dispatch(self, request, *args, **kwargs):
        """Deny whoever may not enter; refuse a body nobody can read."""
        try:
            self.check_access()
            return super().dispatch(request, *args, **kwargs)
        except AccessDenied as denial:
            return self.access_denied_response(denial)
        except BodyUnreadable as problem:
            return negotiation.error_response(
                request,
                problem.status,
                heading=_("We could not read that"),
                explanation=_("Send a form, or a JSON object with texts in it."),
            )

    def check_access(self):
        """Raise AccessDenied for somebody who may not be here."""

    def access_denied_response(self, denial):
        return negotiation.deny(
            self.request, denial.url, message=denial.message, status=denial.status
        )

    def http_method_not_allowed(self, request, *args, **kwargs):
        """Say which methods there are, in the client's own format."""
        return negotiation.error_response(
            request,
            405,
            heading=_("That does not work here"),
            explanation=OTHER_METHOD,
            headers={"Allow": ", ".join(self._allowed_methods())},
        )

    def get_page_url(self):
        """Where the page is on which somebody goes on whose form was not accepted, or ""."""
        return negotiation.local_path(self.request.path) or (self.page and reverse(self.page))

    def record_refusal(self, refusal, identifier=None):
        """Let staff know of a refusal that is not the shopper's doing; the transaction it ended is over.

        `identifier` is the one it was about, if there was one.
        """
        if isinstance(refusal, SmsStopped):
            sms_budget.record_stopped(refusal, client=self.client)
        refusals.record_limit(
            refusal, client=self.client, identifier=identifier, user=self.request.user
        )

    @property
    def visitor(self):
        """Who is at the door: from where, and which accounts this browser has signed in to."""
        return pending.get_visitor(self.request)

    @property
    def client(self):
        """Where the request comes from; read once, for its session."""
        return self.request.session.client


class AnonymousRequiredMixin(BaseView):
    """For people without an account: whoever is signed in goes on as after a sign-in."""

    def check_access(self):
        super().check_access()
        if self.request.user.is_authenticated:
            raise self.get_denial()

    def get_denial(self):
        """Where whoever is signed in goes on, which is where their sign-in led, too (ux 42, COD-11)."""
        came_for = self.request.POST.get("next") or self.request.GET.get("next", "")
        url = get_signed_in_url(self.request.user, came_for)
        return AccessDenied(url, _("You are already signed in."))


class SignedInRequiredMixin(BaseView):
    """For people who are signed in; the others begin, and come back here (ux 75)."""

    def check_access(self):
        super().check_access()
        if not self.request.user.is_authenticated:
            way_back = urlencode({"next": negotiation.local_path(self.request.path)})
            url = f"{reverse('accounts:login')}?{way_back}"
            raise AccessDenied(url, _("Sign in to go on."), 401)


class ProfileCompletedRequiredMixin(SignedInRequiredMixin):
    """For shoppers with a finished profile (REG-09); the others finish it."""

    def check_access(self):
        super().check_access()
        if not self.request.user.completed_at:
            raise AccessDenied(
                reverse("accounts:register-complete"), _("Complete your profile first.")
            )


class ReauthenticationRequiredMixin(ProfileCompletedRequiredMixin):
    """For shoppers who reauthenticated a short while ago (REC-08, SES-05)."""

    # Whether the page asks for it at all; a subclass may have an answer of its own.
    needs_reauthentication = True
    # Where it leads if this page cannot be opened.
    way_back = "accounts:account"

    def check_access(self):
        super().check_access()
        if self.needs_reauthentication and not self.request.session.row.is_recently_authenticated:
            self.require_reauthentication()

    def get_page_url(self):
        """The page itself, or the one that its button stands on."""
        return super().get_page_url() or reverse(self.way_back)

    def require_reauthentication(self):
        """Send somebody to reauthenticate, and back to this page. Raises AccessDenied."""
        url = f"{reverse('accounts:confirm')}?{urlencode({'next': self.get_page_url()})}"
        raise AccessDenied(url, _("Confirm that it is you first."), 403)


class PageView(BaseView, NegotiatedResponseMixin, TemplateView):
    """A page without a form. A subclass names `template_name` and, in its context, `heading`."""


class StepView(BaseView, NegotiatedResponseMixin, FormView):
    """One form, one intent. A subclass names `heading`, `step`, `template_name`, `form_class` and performs it."""

    http_method_names = ["get", "head", "post", "options"]
    heading = ""
    step: int | None = None

    def perform(self, form):
        """Call the flow with what the form says and return the way on. Whatever it refuses lands on the form."""
        raise NotImplementedError

    def get_form_kwargs(self):
        """Bind to what was posted, even an empty body (`request.POST or None` would not)."""
        kwargs = super().get_form_kwargs()
        if self.request.method == "POST":
            kwargs["data"] = parse_body(self.request)
        return kwargs

    def get_unbound_form(self):
        """The form of the page with who somebody is, as typed; None if it does not ask that. No secret comes back."""
        typed = self.request.POST.get("identifier", "")[: conf.EMAIL_MAX]
        if not typed or "identifier" not in getattr(self.form_class, "base_fields", {}):
            return None
        return self.form_class(
            initial={"identifier": typed, "next": self.request.POST.get("next", "")}
        )

    def form_valid(self, form):
        try:
            return self.perform(form)
        except Refused as refusal:
            self.record_refusal(refusal, self.get_identifier(form))
            refusal.message = self.get_message(refusal)
            form.refuse(refusal)
            return self.form_invalid(form)

    def form_invalid(self, form):
        """Show the form again with everything that was typed, and with the status and headers of its refusal."""
        if form.refusal is None:
            self._count_numbers(form)
        context = self.get_context_data(form=form)
        return self.render_to_response(context, status=form.status, headers=form.headers)

    def get_message(self, refusal):
        return refusal.message

    def get_identifier(self, form):
        """The identifier that the step is about, or None."""
        return form.identifier

    def get_context_data(self, **kwargs):
        """Add the heading, and which step of a registration this is."""
        return super().get_context_data(**{"heading": self.heading, "step": self.step, **kwargs})

    def redirect(self, message, *, url="", leaves_journey=False, flash=False):
        """Lead on to where `get_success_url` says, which is `url` if it is given.

        JSON clients read `message`; the next page says it once if it is a `flash`. A page that `leaves_journey` is
        loaded whole.
        """
        self.success_url = url or self.success_url
        if flash:
            negotiation.flash(self.request, message)
        return negotiation.redirect_to(
            self.request, self.get_success_url(), message=message, leaves_journey=leaves_journey
        )

    def redirect_with_message(self, message, **where):
        """Lead on, and let the next page say the news."""
        return self.redirect(message, flash=True, **where)

    def _count_numbers(self, form):
        """Count a number that costs more than we pay (IDN-05)."""
        try:
            for number in form.not_texted:
                sms_budget.record_refused_number(number, client=self.client)
        except TooOften as refusal:
            self.record_refusal(refusal)
            form.refuse(refusal)


class SignInMixin:
    """For steps that end with somebody signed in."""

    signed_in_message = gettext_lazy("You are signed in.")

    def get_sign_in(self, *, by, remember=True):
        """What a flow calls to sign a user in here who authenticated `by` this; see `pending.sign_in`."""
        return partial(pending.sign_in, self.request, by=by, remember=remember)

    def redirect_signed_in(self, user, destination, *, extra_message=""):
        """Lead on, as `get_signed_in_url` does. `extra_message` is a sentence for the next page."""
        undone = user.deletion_due_at
        welcome = _("Welcome back. Your account will not be deleted.") if undone else ""
        for news in filter(None, [welcome, extra_message]):
            negotiation.flash(self.request, news)
        message = " ".join(filter(None, [welcome or str(self.signed_in_message), extra_message]))
        url = get_signed_in_url(user, destination)
        leaves_journey = bool(user.completed_at) and is_elsewhere(url)
        return self.redirect(message, url=url, leaves_journey=leaves_journey)


def is_elsewhere(url):
    """Whether a client named a page at which no journey ends by itself."""
    return url not in ("", reverse("home"))


def get_signed_in_url(user, destination):
    """Where somebody who is signed in goes on: to step 3 if they never finished it, else to `destination`, or home.

    `destination` is what a client named, or ""; only a path of this site is followed.
    """
    came_for = negotiation.local_path(destination)
    if user.completed_at:
        return came_for or reverse("home")
    query = f"?{urlencode({'next': came_for})}" if came_for else ""
    return reverse("accounts:register-complete") + query


def parse_request(request):
    """What was sent, as a mapping of field to value: the body of a POST, the query else. Raises BodyUnreadable."""
    return parse_body(request) if request.method == "POST" else request.GET


def named_attempt(request):
    """The reference of the attempt, or of the account, that a page names; "" where it names none."""
    try:
        sent = parse_request(request)
    except BodyUnreadable:
        # Said later, to whoever may be here at all.
        return ""
    return str(sent.get("attempt") or "")


def parse_body(request):
    """What was sent, as a mapping of field to value, from a form or a JSON object. Raises BodyUnreadable."""
    if request.content_type in FORM_TYPES:
        return request.POST
    if request.content_type != "application/json":
        raise BodyUnreadable(415)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BodyUnreadable(400) from None
    if not isinstance(body, dict):
        raise BodyUnreadable(400)
    return body
