"""A step of a journey: it shows a form, hands what it says to a flow, and goes on. It never asks which face it is."""

import json
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import FormView, View

from accounts import refusals
from accounts.errors import Refused, TextsStopped, TooOften
from accounts.flows import sms_budget
from accounts.sessions import pending
from accounts.views import negotiation

FORM_TYPES = ("", "application/x-www-form-urlencoded", "multipart/form-data")


class BodyUnreadable(Exception):
    """The body is of a type we do not read, or is not what it says it is."""

    def __init__(self, status):
        self.status = status


class Door(View):
    """Lets people in, or sends them to where they can go on."""

    def dispatch(self, request, *args, **kwargs):
        """Turn away who may not enter; refuse a body nobody can read."""
        try:
            return self.turn_away() or super().dispatch(request, *args, **kwargs)
        except BodyUnreadable as problem:
            return negotiation.refuse(
                request,
                problem.status,
                heading=_("We could not read that"),
                explanation=_("Send a form, or a JSON object with texts in it."),
            )

    def turn_away(self):
        """The answer for somebody who may not be here, or None."""
        return

    def http_method_not_allowed(self, request, *args, **kwargs):
        """Say which methods there are, in the client's own format."""
        return negotiation.refuse(
            request,
            405,
            heading=_("That does not work here"),
            explanation=_("This address answers other requests than the one that was sent."),
            headers={"Allow": ", ".join(self._allowed_methods())},
        )

    def note(self, refusal, identifier=None):
        """Let staff know of a refusal that is not the shopper's doing; the transaction it ended is over.

        `identifier` is the one it was about, if there was one.
        """
        if isinstance(refusal, TextsStopped):
            sms_budget.stopped(refusal, origin=self.origin)
        refusals.note_limit(
            refusal, origin=self.origin, identifier=identifier, user=self.request.user
        )

    @property
    def visitor(self):
        """Who is at the door: from where, and which accounts this browser has signed in to."""
        return pending.visitor(self.request)

    @property
    def origin(self):
        """Where the request comes from; read once, for its session."""
        return self.request.session.origin


class AnonymousOnly(Door):
    """For people without an account: whoever is signed in goes home."""

    def turn_away(self):
        """Send signed-in people home."""
        if self.request.user.is_authenticated:
            return negotiation.turn_away(
                self.request, reverse("home"), message=_("You are already signed in.")
            )
        return super().turn_away()


class SignedIn(Door):
    """For people who are signed in; the others begin, and come back here."""

    def turn_away(self):
        """Send strangers to the door, with the way back in their hand (ux 75)."""
        if self.request.user.is_authenticated:
            return super().turn_away()
        way_back = urlencode({"next": negotiation.local_path(self.request.path)})
        return negotiation.turn_away(
            self.request,
            f"{reverse('accounts:login')}?{way_back}",
            message=_("Sign in to go on."),
            status=401,
        )


class Completed(SignedIn):
    """For shoppers with a finished profile (REG-09)."""

    def turn_away(self):
        """Send people who have not finished to step 3."""
        away = super().turn_away()
        if away or self.request.user.completed_at:
            return away
        return negotiation.turn_away(
            self.request,
            reverse("accounts:register-complete"),
            message=_("Complete your profile first."),
        )


class Fresh(Completed):
    """For shoppers who proved a short while ago that it is they who are signed in (REC-08, SES-05)."""

    way_back = "accounts:account"

    def turn_away(self):
        """Send the others to prove it, and back to this page, or to `way_back` if it cannot be opened."""
        away = super().turn_away()
        if away or not self.needs_proof or self.request.session.row.is_fresh:
            return away
        return self.prove_first()

    def prove_first(self):
        """Send somebody to prove it, and back."""
        page = negotiation.local_path(self.request.path) or reverse(self.way_back)
        return negotiation.turn_away(
            self.request,
            f"{reverse('accounts:confirm')}?{urlencode({'next': page})}",
            message=_("Confirm that it is you first."),
            status=403,
        )

    @property
    def needs_proof(self):
        """Whether the page asks for a proof of its own; a subclass may have another."""
        return True


class Step(Door, FormView):
    """One form, one intent. A subclass names `heading`, `step`, `template_name`, `form_class` and carries it out."""

    http_method_names = ["get", "head", "post", "options"]
    heading = ""
    step: int | None = None

    def carry_out(self, form):
        """Call the flow with what the form says and return the way on. Whatever it refuses lands on the form."""
        raise NotImplementedError

    def get_form_kwargs(self):
        """Bind to what was posted, even an empty body (`request.POST or None` would not)."""
        kwargs = super().get_form_kwargs()
        if self.request.method == "POST":
            kwargs["data"] = posted(self.request)
        return kwargs

    def form_valid(self, form):
        """Go on, or show what was refused."""
        try:
            return self.carry_out(form)
        except Refused as refusal:
            self.note(refusal, self.about(form))
            return self.refused(form, refusal)

    def about(self, form):
        """The identifier that the step is about, or None."""
        return form.found

    def refused(self, form, refusal):
        """Show the form again with what the flow said."""
        form.refuse(refusal)
        return self.show(form, status=refusal.status, headers=headers_of(refusal))

    def form_invalid(self, form):
        """Show the form again with everything that was typed; note a number that costs more than we pay (IDN-05)."""
        try:
            for number in form.not_texted:
                sms_budget.refuse_number(number, origin=self.origin)
        except TooOften as refusal:
            self.note(refusal)
            return self.refused(form, refusal)
        return self.show(form, status=422)

    def get(self, request, *args, **kwargs):
        """Show the empty form."""
        return self.show(self.get_form())

    def show(self, form, *, status=200, headers=None, **context):
        """Show the page with `form` on it."""
        told = {"form": form, "heading": self.heading, "step": self.step, **self.told(), **context}
        return negotiation.show(
            self.request, self.template_name, status=status, headers=headers, **told
        )

    def told(self):
        """What else the page tells."""
        return {}


def posted(request):
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


def headers_of(refusal):
    """The headers a refusal brings: when to try again, if it is a limit."""
    seconds = getattr(refusal, "retry_after", None)
    return {"Retry-After": str(seconds)} if seconds else None
