"""The sign-up dashboard: how sign-up is doing, at /admin/signups/, and the switches for the day on which it is not."""

import csv
import uuid
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from accounts.models import SmsCountry
from backoffice.admin import provider_health
from backoffice.dashboard import charts, live
from backoffice.dashboard.rollups import percentile
from backoffice.dashboard.statistics import (
    Choice,
    SignupStatistics,
    bucket_label,
    freshness,
    time_label,
)
from backoffice.models import CLIENTS, Measure
from backoffice.provider_names import ProviderNames
from messaging.models import CHANNELS, Channel, Provider

PERIODS = {
    1: gettext_lazy("today"),
    7: gettext_lazy("7 days"),
    30: gettext_lazy("30 days"),
    90: gettext_lazy("90 days"),
}
DEFAULT_DAYS = 7
# What a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class ChoiceForm(forms.Form):
    """What to see. A choice that is not offered is the default."""

    period = forms.TypedChoiceField(
        label=gettext_lazy("Period"), choices=PERIODS.items(), coerce=int, required=False
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"),
        choices=[("", gettext_lazy("all")), *CHANNELS],
        required=False,
    )
    client = forms.ChoiceField(
        label=gettext_lazy("Client"),
        choices=[("", gettext_lazy("all")), *CLIENTS],
        required=False,
    )
    country = forms.RegexField(r"\A[A-Z]{2}\Z", required=False)

    @property
    def choice(self):
        """What was chosen, as a Choice."""
        self.is_valid()
        chosen = self.cleaned_data
        days = chosen.get("period") or DEFAULT_DAYS
        narrowed = {name: chosen.get(name, "") for name in ("channel", "client", "country")}
        return Choice(days, **narrowed)


class DashboardView(PermissionRequiredMixin, View):
    """The dashboard; its buttons post to it, too."""

    permission_required = "backoffice.view_signuprollup"
    raise_exception = True

    def get(self, request):
        """Show what was chosen, as a page or as a file."""
        form = ChoiceForm(request.GET)
        statistics = SignupStatistics(form.choice)
        if request.GET.get("format") == "csv":
            return _csv_response(statistics)
        context = _page_context(request, statistics)
        return TemplateResponse(request, "admin/signups/dashboard.html", context)

    def post(self, request):
        """Turn one switch."""
        for name, switch in SWITCHES.items():
            if name in request.POST:
                with transaction.atomic():
                    switch(request, request.POST[name], request.POST.get("state") == "on")
                return HttpResponseRedirect(request.get_full_path())
        raise BadRequest


# What is drawn


def _page_context(request, statistics):
    choice = statistics.choice
    return admin.site.each_context(request) | {
        "title": _("Sign-ups"),
        "choice": choice,
        "periods": PERIODS.items(),
        "channels": CHANNELS,
        "clients": CLIENTS,
        "countries": sorted({*statistics.countries, choice.country} - {""}),
        "csv_query": _query(choice, format="csv"),
        "charts": _charts(statistics),
        "channel_states": live.channels(),
        "providers": live.providers(statistics),
        "budgets": live.budgets(),
        **freshness(),
    }


def _query(choice, **more):
    chosen = {
        "period": choice.days,
        "channel": choice.channel,
        "client": choice.client,
        "country": choice.country,
    }
    return urlencode({name: value for name, value in (chosen | more).items() if value})


def _charts(statistics):
    return [
        charts.bars(
            "funnel",
            _("How far people came"),
            statistics.steps,
            headings=(_("Step"), _("People")),
            description=_(
                "People by the time at which they began. Delivered: the provider said so, or the code came back."
            ),
            shares=True,
        ),
        charts.columns(
            "sign-ups",
            _("Sign-ups"),
            [
                (time_label(starts_at, statistics.choice.granularity), count)
                for starts_at, count in statistics.sign_ups
            ],
            headings=(_("Time"), _("Sign-ups")),
            description=_("%(all)s in all.")
            % {"all": f"{sum(dict(statistics.sign_ups).values()):,}"},
        ),
        _durations("handover", _("Time to hand-over"), statistics.durations(Measure.HANDOVER_TIME)),
        _durations(
            "verifying", _("Time to verify"), statistics.durations(Measure.VERIFICATION_TIME)
        ),
        charts.bars(
            "refusals",
            _("Reasons of refusal"),
            statistics.refusals,
            headings=(_("Reason"), _("Times")),
            description=_(
                "What belongs to no channel or country, like too many requests from one place, counts under “all”."
            ),
        ),
    ]


def _durations(name, title, rows):
    p50, p95 = (bucket_label(percentile(dict(rows), share)) for share in (0.5, 0.95))
    description = _("Half %(p50)s (p50), 95 of 100 %(p95)s (p95).") % {"p50": p50, "p95": p95}
    return charts.columns(
        name,
        title,
        [(bucket_label(end), count) for end, count in rows],
        headings=(_("Took"), _("Times")),
        description=description if p50 else "",
    )


# The file


def _csv_response(statistics):
    """Every number of the page, one in a line."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    choice = statistics.choice
    chosen = [str(choice.days), choice.channel, choice.client, choice.country]
    name = "-".join(filter(None, ["sign-ups", *chosen]))
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(response)
    for line in _csv_lines(statistics):
        writer.writerow([_without_formula(cell) for cell in line])
    return response


def _csv_lines(statistics):
    yield _("chart"), _("what"), _("number")
    for chart in _charts(statistics):
        for label, number in chart.rows:
            yield chart.title, label, number
    names = ProviderNames()
    for (channel, provider_id), counts in statistics.by_provider.items():
        for label, number in counts.rows:
            name = names.name_for(provider_id, nobody="-")
            yield f"{_('Providers')}: {channel}", f"{name}: {label}", number


def _without_formula(cell):
    """A cell that no spreadsheet computes."""
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text


# Switches


def _switch_provider(request, pk, on):
    _require(request, "messaging.change_provider")
    row = get_object_or_404(Provider, pk=_pk(pk))
    admin.site.get_model_admin(Provider).set_in_use(request, [row], on)
    if problem := provider_health.trouble_of_channel(row.channel):
        messages.warning(request, problem)


def _switch_texts(request, code, on):
    _require(request, "accounts.change_smscountry")
    row = get_object_or_404(SmsCountry, pk=code)
    # What closed itself is opened by the same switch.
    closed = Q(is_open=False) | SmsCountry.PAUSED
    chosen = SmsCountry.objects.filter(closed if on else Q(is_open=True), pk=row.pk)
    if chosen.open() if on else chosen.close():
        _log_switch(request, row, _("Texts allowed") if on else _("Texts stopped"))


def _switch_channel(request, name, on):
    _require(request, "messaging.change_provider")
    if name not in dict(CHANNELS):
        raise Http404
    row = Channel(name=name)
    if row.switch(on):
        _log_switch(request, row, _("Started again") if on else _("Stopped"))


def _require(request, permission):
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _pk(text):
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404 from None


def _log_switch(request, row, change):
    admin.site.get_model_admin(type(row)).log_change(request, row, change)
    messages.success(request, f"{row}: {change}")


SWITCHES = {"channel": _switch_channel, "provider": _switch_provider, "texts": _switch_texts}
