""" "Why no code?": all that is known about one address, also of somebody who never became a user.

The address is posted and shown masked: it stands in no URL, no log and no page. Nothing here lets staff sign in.
"""

from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView

from accounts import events, identifiers, limits, origin, policy
from accounts.admin import advice, states, timeline
from accounts.errors import clock
from accounts.flows import support
from accounts.flows.challenge import channel
from accounts.identifiers import PHONE, Unreadable
from accounts.models import EVERYWHERE, Challenge, Purpose, TextCountry, User
from messaging import outbox
from messaging.models import Breaker, OutboxMessage, Provider

LOOKS_BACK = timedelta(days=30)
MOST = 50

LIMITS = {
    "messages": gettext_lazy("messages to this address"),
    "resends": gettext_lazy("codes sent again"),
    "guesses": gettext_lazy("codes typed"),
    "resets": gettext_lazy("links for a new password"),
    "passwords by name": gettext_lazy("passwords tried for this address"),
    "passwords by account": gettext_lazy("passwords tried for the account"),
    "texts": gettext_lazy("texts to everybody"),
    "texts by country": gettext_lazy("texts to this country"),
    "texts by prefix": gettext_lazy("texts to numbers like this one"),
}
# These keep no code from being sent.
OF_PASSWORDS = ("passwords by name", "passwords by account")


class LookupForm(forms.Form):
    """One box."""

    who = forms.CharField(
        label=gettext_lazy("Email address or mobile number"),
        max_length=policy.EMAIL_MAX,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )

    def clean_who(self):
        """The identifier, in whatever notation it was typed."""
        try:
            return identifiers.parse(self.cleaned_data["who"])
        except Unreadable as refusal:
            raise ValidationError(refusal.args[0]) from None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, and what was sent for it, newest first."""

    challenge: Challenge
    messages: list[OutboxMessage]

    @property
    def badge(self):
        """What became of it."""
        return states.badge_of(self.challenge)

    @property
    def spent(self):
        """How often a code was sent, and how many tries are left."""
        return states.spent(self.challenge)

    @property
    def time_left(self):
        """How long it still works."""
        return states.time_left(self.challenge)

    @property
    def age(self):
        """How long ago it began."""
        return states.age(self.challenge.created_at)

    @property
    def entries(self):
        """The messages in words."""
        return [timeline.written(message) for message in self.messages]


class LookupView(FormView):
    """The page."""

    template_name = "admin/accounts/lookup.html"
    form_class = LookupForm
    admin_site = None

    def dispatch(self, request, *args, **kwargs):
        """For those who may see attempts."""
        if not request.user.has_perm("accounts.view_challenge"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form):
        """Show what is known, and write down that somebody asked."""
        who = form.cleaned_data["who"]
        found = {"found": look(who)}
        events.record(
            "staff_looked_up",
            origin=origin.of(self.request),
            identifier=who,
            user=self.request.user,
        )
        # An empty box: the address is not on the page that answers.
        return self.render_to_response(self.get_context_data(form=LookupForm(), **found))

    def get_context_data(self, **kwargs):
        """Add what every page of the admin has."""
        page = self.admin_site.each_context(self.request) | {
            "title": _("Why no code?"),
            "may_view_user": self.request.user.has_perm("accounts.view_user"),
        }
        return super().get_context_data(**page, **kwargs)


def look(who):
    """Everything that is known of one identifier, in a dictionary for the page."""
    rows = Challenge.objects.filter(recipient=who.key, created_at__gt=Now() - LOOKS_BACK)
    challenges = list(rows.order_by("-created_at")[:MOST])
    sent = list(timeline.messages(challenges))
    attempts = [Attempt(row, _about(row, sent)) for row in challenges]
    account = User.objects.for_identifier(who).first()
    full = support.in_force(_limits(who, account))
    state = {
        "can_send": outbox.can_send(channel(who)),
        "closed": _closed(who),
        "paused": _paused(channel(who)),
    }
    return state | {
        "masked": who.masked,
        "account": account,
        "attempts": attempts,
        "limits": [(LIMITS[limit.name], clock(until)) for limit, until in full.items()],
        "tell": advice.sentence(_facts(who, account, attempts, full, state)),
    }


def _about(challenge, messages):
    return [message for message in messages if message.subject == str(challenge.pk)]


def _limits(who, account):
    """The limits that may be in the way of this address."""
    return [
        *limits.messages(who),
        *limits.resends(who),
        *limits.guesses(who),
        *limits.resets(who),
        limits.passwords_by_name(who),
        *([limits.passwords_by_account(str(account.pk))] if account else []),
        *(limits.texts(who) if who.kind == PHONE else []),
    ]


def _closed(who):
    """Whether texts to the country of a number are stopped: "" or why."""
    if who.kind != PHONE:
        return ""
    closed = TextCountry.objects.filter(code__in=[who.country, EVERYWHERE], is_open=False).first()
    return f"{closed}: {closed.reason}" if closed else ""


def _paused(of_channel):
    """Providers that are left alone for a while, and until when; those of the other channel do not matter."""
    others = Provider.objects.exclude(channel=of_channel).values("name")
    paused = Breaker.objects.filter(open_until__gt=now()).exclude(provider__in=others)
    return [(breaker.provider, clock(breaker.open_until)) for breaker in paused]


def _facts(who, account, attempts, full, state):
    codes = [attempt for attempt in attempts if attempt.challenge.purpose != Purpose.NOT_ME]
    in_the_way = [until for limit, until in full.items() if limit.name not in OF_PASSWORDS]
    return advice.Facts(
        kind=who.kind,
        account=_account(account),
        full_until=max(in_the_way, default=None),
        can_send=state["can_send"],
        is_country_closed=bool(state["closed"]),
        is_paused=bool(state["paused"]),
        **(_newest(codes[0]) if codes else {}),
    )


def _account(user):
    if user is None:
        return ""
    if user.is_staff and user.is_active:
        return advice.OF_STAFF
    return advice.ACTIVE if user.is_active else advice.CLOSED


def _newest(attempt):
    challenge = attempt.challenge
    newest = max(attempt.messages, key=attrgetter("created_at"), default=None)
    return {
        "state": states.of(challenge),
        "message": newest.status if newest else "",
        "sent_at": challenge.sent_at,
        "ends_at": states.ends_at(challenge),
        "is_decoy": challenge.is_decoy,
    }
