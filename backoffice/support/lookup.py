""" "Why no code?": all that is known about one address, also of somebody who never became a user.

The address is posted and shown masked: it stands in no URL, no log and no page. Nothing here lets staff sign in.
"""

from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView

from accounts import conf, identifiers, limits
from accounts.errors import TooOften, clock
from accounts.flows.challenge import message_channel
from accounts.identifiers import PHONE, InvalidIdentifier, fingerprints
from accounts.models import EVERYWHERE, Challenge, Pool, Purpose, SmsCountry, User
from backoffice.provider_names import ProviderNames
from backoffice.support import actions, advice, challenge_status, timeline
from backoffice.support.limits_in_force import in_words
from messaging.models import OutboxMessage
from messaging.outbox import api as outbox
from messaging.outbox import breaker
from ratelimits.engine import full_until

LOOKS_BACK = timedelta(days=30)
MOST_CHALLENGES = 50

# These keep no code from being sent.
OF_PASSWORDS = (
    "passwords by name",
    "passwords by account",
    "passwords by device",
    "staff logins by name",
    "staff logins by browser",
)


class LookupForm(forms.Form):
    """One box."""

    who = forms.CharField(
        label=gettext_lazy("Email address or mobile number"),
        max_length=conf.EMAIL_MAX,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )

    def clean_who(self):
        """The identifier, in whatever notation it was typed."""
        try:
            return identifiers.parse(self.cleaned_data["who"])
        except InvalidIdentifier as refusal:
            raise ValidationError(refusal.args[0]) from None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, and what was sent for it, newest first."""

    challenge: Challenge
    messages: list[OutboxMessage]
    names: ProviderNames

    @property
    def badge(self):
        """What became of it."""
        return challenge_status.badge_of(self.challenge)

    @property
    def spent(self):
        """How often a code was sent, and how many tries are left."""
        return challenge_status.spent(self.challenge)

    @property
    def time_left(self):
        """How long it still works."""
        return challenge_status.time_left(self.challenge)

    @property
    def age(self):
        """How long ago it began."""
        return challenge_status.age(self.challenge.created_at)

    @property
    def entries(self):
        """The messages in words."""
        return [timeline.written(message, self.names) for message in self.messages]


class LookupView(FormView):
    """The page."""

    template_name = "admin/accounts/lookup.html"
    form_class = LookupForm
    admin_site = None

    def dispatch(self, request, *args, **kwargs):
        """For those who may see people."""
        if not request.user.has_perm("accounts.view_user"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form):
        """Write down that somebody asks, then show what is known."""
        who, request = form.cleaned_data["who"], self.request
        try:
            actions.look_up(who, by=request.user, client=request.session.client)
        except TooOften as refusal:
            form.add_error("who", str(refusal.message))
            return self.render_to_response(
                self.get_context_data(form=form),
                status=refusal.status,
                headers={"Retry-After": str(refusal.retry_after)},
            )
        # An empty box: the address is not on the page that answers.
        return self.render_to_response(self.get_context_data(form=LookupForm(), found=look(who)))

    def get_context_data(self, **kwargs):
        """Add what every page of the admin has."""
        page = self.admin_site.each_context(self.request) | {"title": _("Why no code?")}
        return super().get_context_data(**page, **kwargs)


def look(who):
    """Everything that is known of one identifier, in a dictionary for the page."""
    rows = Challenge.objects.filter(recipient=who.key, created_at__gt=Now() - LOOKS_BACK)
    challenges = list(rows.order_by("-created_at")[:MOST_CHALLENGES])
    sent, names = list(timeline.messages(challenges)), ProviderNames()
    attempts = [Attempt(row, _about(row, sent), names) for row in challenges]
    account = User.objects.for_identifier(who).first()
    full = full_until(_limits(who, account))
    countries = _countries(who)
    state = {
        "can_send": outbox.can_send(message_channel(who.kind)),
        "closed": _closed(countries),
        "is_closed": _is_closed(countries, account),
        "paused": _paused(message_channel(who.kind)),
    }
    return state | {
        "masked": who.masked,
        "account": account,
        "attempts": attempts,
        "limits": [(in_words(limit), clock(until)) for limit, until in full.items()],
        # How the list of events finds them: by keyed hashes, for the address stands in no URL.
        "events": "+".join(fingerprints(who.key)),
        "tell": advice.sentence(_facts(who, account, attempts, full, state)),
    }


def _about(challenge, messages):
    return [message for message in messages if message.about_id == challenge.pk]


def _limits(who, account):
    """The limits that may be in the way of this address, of whoever asks for a code or a link with it."""
    return [
        *(limit for pool in actions.ASKERS for limit in limits.caps(who, pool)),
        limits.passwords_by_name(who),
        *(actions.tries_of(account) if account else []),
        *(limits.sign_ins(str(account.pk)) if account else []),
        *(limits.sms(who, _pool(account)) if who.kind == PHONE else []),
    ]


def _pool(account):
    """As whom the caller asks for a text."""
    return Pool.RETURN if account else Pool.SIGN_UP


def _closed(countries):
    """Whether texts to the country of a number are stopped, if only for sign-ups: "" or how."""
    words = [(country, challenge_status.of_country(country)) for country in countries]
    return next((f"{country}: {how}" for country, how in words if how), "")


def _is_closed(countries, account):
    """Whether whoever calls gets no text: what closed itself is open for those who have an account."""
    return any(not country.is_open or (country.is_paused and not account) for country in countries)


def _countries(who):
    codes = [who.country, EVERYWHERE] if who.kind == PHONE else []
    return list(SmsCountry.objects.filter(code__in=codes).with_state())


def _paused(of_channel):
    """Providers that are left alone for a while, and until when; those of the other channel do not matter."""
    return [(name, clock(until)) for name, until in breaker.paused([of_channel]).items()]


def _facts(who, account, attempts, full, state):
    codes = [attempt for attempt in attempts if attempt.challenge.purpose != Purpose.NOT_ME]
    in_the_way = [until for limit, until in full.items() if limit.name not in OF_PASSWORDS]
    return advice.Facts(
        kind=who.kind,
        account=_account(account),
        full_until=max(in_the_way, default=None),
        can_send=state["can_send"],
        is_country_closed=state["is_closed"],
        is_paused=bool(state["paused"]),
        **(_newest(codes[0]) if codes else {}),
    )


def _account(user):
    if user is None:
        return ""
    if user.is_staff and user.is_active:
        return advice.STAFF_ACCOUNT
    return advice.ACTIVE if user.is_active else advice.CLOSED


def _newest(attempt):
    challenge = attempt.challenge
    newest = max(attempt.messages, key=attrgetter("created_at"), default=None)
    return {
        "state": challenge_status.of(challenge),
        "message": newest.status if newest else "",
        "sent_at": challenge.sent_at,
        "ends_at": challenge_status.ends_at(challenge),
        "is_decoy": challenge.is_decoy,
    }
