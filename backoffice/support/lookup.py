""" "Why no code?": all that is known about one address, also of somebody who never became a user.

The address is posted and shown masked: it stands in no URL, no log and no page. Nothing here lets staff sign in.
"""

from datetime import timedelta
from operator import attrgetter

from django import forms
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.core.exceptions import ValidationError
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
from backoffice.support.limit_labels import limit_label
from messaging.outbox import api as outbox
from messaging.outbox import breaker
from ratelimits.engine import full_until

LOOKBACK = timedelta(days=30)
MAX_ATTEMPTS = 50

# These keep no code from being sent.
PASSWORD_LIMITS = (
    "passwords by name",
    "passwords by account",
    "passwords by device",
    "staff logins by name",
    "staff logins by browser",
)


class LookupForm(forms.Form):
    """One box for an address or a number."""

    who = forms.CharField(
        label=gettext_lazy("Email address or mobile number"),
        max_length=conf.EMAIL_MAX,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )

    def clean_who(self):
        """Return the Identifier, in whatever notation it was typed."""
        try:
            return identifiers.parse(self.cleaned_data["who"])
        except InvalidIdentifier as refusal:
            raise ValidationError(refusal.args[0]) from None


class LookupView(PermissionRequiredMixin, FormView):
    """The page "Why no code?"."""

    template_name = "admin/accounts/lookup.html"
    form_class = LookupForm
    permission_required = "accounts.view_user"
    raise_exception = True
    admin_site = None

    def form_valid(self, form):
        """Record that somebody asks, then show what is known."""
        identifier, request = form.cleaned_data["who"], self.request
        try:
            actions.record_lookup(identifier, by=request.user, client=request.session.client)
        except TooOften as refusal:
            form.add_error("who", str(refusal.message))
            return self.render_to_response(
                self.get_context_data(form=form),
                status=refusal.status,
                headers={"Retry-After": str(refusal.retry_after)},
            )
        # An empty box: the address is not on the page that answers.
        return self.render_to_response(
            self.get_context_data(form=LookupForm(), found=find(identifier))
        )

    def get_context_data(self, **kwargs):
        page = self.admin_site.each_context(self.request) | {"title": _("Why no code?")}
        return super().get_context_data(**page, **kwargs)


def find(identifier):
    """Return all that is known of one identifier, as a dictionary for the page."""
    rows = (
        Challenge.objects.with_read_at()
        .filter(recipient=identifier.key, created_at__gt=Now() - LOOKBACK)
        .order_by("-created_at")
    )
    challenges = list(rows[:MAX_ATTEMPTS])
    messages = list(timeline.messages(challenges))
    account = User.objects.for_identifier(identifier).first()
    full = full_until(_limits(identifier, account))
    countries = _countries(identifier)
    status = {
        "can_send": outbox.can_send(message_channel(identifier.kind)),
        "closed": _closed(countries),
        "is_closed": _is_closed(countries, account),
        "paused": _paused(message_channel(identifier.kind)),
    }
    return status | {
        "masked": identifier.masked,
        "account": account,
        "attempts": _attempts(challenges, messages),
        "limits": [(limit_label(limit), clock(until)) for limit, until in full.items()],
        # How the list of events finds them: by keyed hashes, for the address stands in no URL.
        "events": "+".join(fingerprints(identifier.key)),
        "advice": advice.sentence(_facts(identifier, account, challenges, messages, full, status)),
    }


def _attempts(challenges, messages):
    """Each challenge in words, with the messages that were sent for it."""
    names = ProviderNames()
    return [
        {
            "challenge": challenge,
            "badge": challenge_status.state_badge(challenge),
            "age": challenge_status.age(challenge.read_at - challenge.created_at),
            "spent": challenge_status.spent(challenge),
            "time_left": challenge_status.time_left(challenge),
            "entries": [
                timeline.message_entry(message, names)
                for message in _messages_of(challenge, messages)
            ],
        }
        for challenge in challenges
    ]


def _messages_of(challenge, messages):
    return [message for message in messages if message.about_id == challenge.pk]


def _limits(identifier, account):
    """The limits that may be in the way of this address, of whoever asks for a code or a link with it."""
    return [
        *(limit for pool in actions.CAP_POOLS for limit in limits.caps(identifier, pool)),
        limits.passwords_by_name(identifier),
        *(actions.password_limits(account) if account else []),
        *(limits.sign_ins(str(account.pk)) if account else []),
        *(limits.sms(identifier, _pool(account)) if identifier.kind == PHONE else []),
    ]


def _pool(account):
    """As whom the caller asks for a text."""
    return Pool.RETURN if account else Pool.SIGN_UP


def _closed(countries):
    """Whether texts to the country of a number are stopped, if only for sign-ups: "" or how."""
    words = [(country, challenge_status.country_state(country)) for country in countries]
    return next((f"{country}: {how}" for country, how in words if how), "")


def _is_closed(countries, account):
    """Whether whoever calls gets no text: what closed itself is open for those who have an account."""
    return any(not country.is_open or (country.is_paused and not account) for country in countries)


def _countries(identifier):
    codes = [identifier.country, EVERYWHERE] if identifier.kind == PHONE else []
    return list(SmsCountry.objects.filter(code__in=codes).with_state())


def _paused(channel_name):
    """Providers that are left alone for a while, and until when; those of the other channel do not matter."""
    return [(name, clock(until)) for name, until in breaker.paused([channel_name]).items()]


def _facts(identifier, account, challenges, messages, full, status):
    codes = [challenge for challenge in challenges if challenge.purpose != Purpose.NOT_ME]
    in_the_way = [until for limit, until in full.items() if limit.name not in PASSWORD_LIMITS]
    return advice.Facts(
        kind=identifier.kind,
        account=_account(account),
        full_until=max(in_the_way, default=None),
        can_send=status["can_send"],
        is_country_closed=status["is_closed"],
        is_paused=bool(status["paused"]),
        **(_newest(codes[0], messages) if codes else {}),
    )


def _account(user):
    if user is None:
        return ""
    if user.is_staff and user.is_active:
        return advice.STAFF
    return advice.ACTIVE if user.is_active else advice.CLOSED


def _newest(challenge, messages):
    sent = _messages_of(challenge, messages)
    newest = max(sent, key=attrgetter("created_at"), default=None)
    return {
        "state": challenge_status.get_state(challenge),
        "message": newest.status if newest else "",
        "sent_at": challenge.sent_at,
        "ends_at": challenge_status.ends_at(challenge),
        "is_decoy": challenge.is_decoy,
    }
