"""What the sign-up dashboard says of this moment: how the providers fare, and what texts have cost of their budgets."""

from itertools import chain

from django.db.models import Case, When
from django.utils.translation import gettext as _

from accounts import limits
from accounts.models import BUDGETED_POOLS, EVERYWHERE, Pool, SmsCountry
from backoffice.admin import provider_health
from backoffice.dashboard.statistics import ProviderCounts, bucket_label, duration_label
from backoffice.provider_names import ProviderNames
from backoffice.support import challenge_status
from messaging.models import CHANNELS, EMAIL, SMS, Channel, Provider, Readiness
from ratelimits.engine import used

MAX_COUNTRIES = 25


def channels():
    """Whether each channel may be used; texts are stopped where they cost, in every country at once."""
    words = dict(CHANNELS)
    mail = Channel.objects.filter(pk=EMAIL).first() or Channel(name=EMAIL)
    texts = SmsCountry.objects.filter(pk=EVERYWHERE)
    lines = [(words[EMAIL], "channel", mail), *((words[SMS], "texts", row) for row in texts)]
    return [{"name": name, "switch": switch, "row": row} for name, switch, row in lines]


def providers(statistics):
    """A line for each provider that is entered or has carried something, with its state of this moment."""
    rows = provider_health.with_breaker(Provider.objects.all())
    entered, names = {(row.channel, str(row.pk)): row for row in rows}, ProviderNames()
    lines = []
    for channel, label in CHANNELS:
        if statistics.choice.channel not in ("", channel):
            continue
        places = [place for place in {*entered, *statistics.by_provider} if place[0] == channel]
        for name, place in sorted((names.name_for(place[1]), place) for place in places):
            counts = statistics.by_provider.get(place, ProviderCounts())
            lines.append(_line(name, label, entered.get(place), counts))
    return lines


def _line(name, channel, row, counts):
    state = provider_health.state(row, has_sent=bool(counts.sent)) if row else ""
    return {
        "name": name or _("nobody took it"),
        "is_known": bool(name),
        "channel": channel,
        "row": row,
        "state": state,
        "badge": _badge(row, state),
        "failure_percent": counts.failure_percent,
        "sent": f"{counts.sent:,}",
        "failed": f"{counts.failed:,}",
        "p50": bucket_label(counts.p50),
        "p95": bucket_label(counts.p95),
    }


def _badge(row, state):
    if row is None or not row.is_active:
        return "off"
    if row.paused_until:
        return "bad"
    if state == _("working"):
        return "good"
    if row.fails or row.readiness == Readiness.UNTESTED:
        return "wait"
    return "off" if state == row.get_readiness_display() else "bad"


def budgets():
    """For everywhere and the countries that matter most: whether it is texted, and how much of its budgets is used."""
    everywhere = Case(When(code=EVERYWHERE, then=0), default=1)
    paused = Case(When(SmsCountry.PAUSED, then=0), default=1)
    ordered = SmsCountry.objects.with_state().order_by(
        everywhere, "is_open", paused, "-sent", "code"
    )
    countries = list(ordered[:MAX_COUNTRIES])
    budgets = {country.code: _budgets(country.code) for country in countries}
    counts = used(chain.from_iterable(budgets.values()))
    return [
        {
            "country": country,
            "state": challenge_status.country_state(country),
            "is_everywhere": country.pk == EVERYWHERE,
            "used": [_used(limit, counts.get(limit, 0)) for limit in budgets[country.code]],
        }
        for country in countries
    ]


def _budgets(country):
    if country == EVERYWHERE:
        return [limit for pool in BUDGETED_POOLS for limit in limits.sms_in_all(pool)]
    return [limit for pool in BUDGETED_POOLS for limit in limits.sms_to_country(country, pool)]


def _used(limit, hits):
    """How much of a budget is used, beside how much there is."""
    return {
        "pool": Pool(limit.pool).label,
        "used": hits,
        "allowed": limit.rate.times,
        "period": duration_label(limit.rate.seconds),
    }
