"""The sign-up board: how sign-up is doing, at /admin/signups/, and the switches for the day on which it is not."""

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
from backoffice.dashboard import charts, live, statistics
from backoffice.dashboard.rollups import percentile
from backoffice.dashboard.statistics import Choice, Figures, seconds
from backoffice.models import What
from backoffice.provider_names import ProviderNames
from messaging import providers
from messaging.models import CHANNELS, Channel, Provider

SPANS = {
    1: gettext_lazy("today"),
    7: gettext_lazy("7 days"),
    30: gettext_lazy("30 days"),
    90: gettext_lazy("90 days"),
}
USUAL = 7
# What a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class ChoiceForm(forms.Form):
    """What to see. A choice that is not offered is the usual one."""

    span = forms.TypedChoiceField(
        label=gettext_lazy("Span"), choices=SPANS.items(), coerce=int, required=False
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"),
        choices=[("", gettext_lazy("all")), *CHANNELS],
        required=False,
    )
    country = forms.RegexField(r"\A[A-Z]{2}\Z", required=False)

    @property
    def choice(self):
        """What was chosen."""
        self.is_valid()
        chosen = self.cleaned_data
        days = chosen.get("span") or USUAL
        return Choice(days, chosen.get("channel", ""), chosen.get("country", ""))


class BoardView(PermissionRequiredMixin, View):
    """The board; its buttons post to it, too."""

    permission_required = "backoffice.view_tally"
    raise_exception = True

    def get(self, request):
        """Show what was chosen, as a page or as a file."""
        form = ChoiceForm(request.GET)
        found = Figures(form.choice)
        if request.GET.get("format") == "csv":
            return _file(found)
        return TemplateResponse(request, "admin/signups/board.html", _page(request, found))

    def post(self, request):
        """Turn one switch."""
        for name, turn in SWITCHES.items():
            if name in request.POST:
                with transaction.atomic():
                    turn(request, request.POST[name], request.POST.get("wish") == "on")
                return HttpResponseRedirect(request.get_full_path())
        raise BadRequest


# What is drawn


def _page(request, found):
    choice = found.choice
    return admin.site.each_context(request) | {
        "title": _("Sign-ups"),
        "choice": choice,
        "spans": SPANS.items(),
        "channels": CHANNELS,
        "countries": sorted({*found.countries, choice.country} - {""}),
        "csv_query": _query(choice, format="csv"),
        "pictures": _pictures(found),
        "channel_states": live.channels(),
        "providers": live.providers(found),
        "budgets": live.budgets(),
        "behind": statistics.behind(),
    }


def _query(choice, **more):
    chosen = {"span": choice.days, "channel": choice.channel, "country": choice.country}
    return urlencode({name: value for name, value in (chosen | more).items() if value})


def _pictures(found):
    return [
        charts.bars(
            "funnel",
            _("How far people came"),
            found.steps,
            head=(_("Step"), _("People")),
            words=_(
                "People by the time at which they began. Delivered: the provider said so, or the code came back."
            ),
            of_first=True,
        ),
        charts.columns(
            "sign-ups",
            _("Sign-ups"),
            [(statistics.when(at, found.choice.span), n) for at, n in found.sign_ups],
            head=(_("Time"), _("Sign-ups")),
            words=_("%(all)s in all.") % {"all": f"{sum(n for _at, n in found.sign_ups):,}"},
        ),
        _times("handover", _("Time to hand-over"), found.steps_of_time(What.HANDOVER)),
        _times("proof", _("Time to verify"), found.steps_of_time(What.PROOF)),
        charts.bars(
            "refusals",
            _("Reasons of refusal"),
            found.refusals,
            head=(_("Reason"), _("Times")),
            words=_(
                "What belongs to no channel or country, like too many requests from one place, counts under “all”."
            ),
        ),
    ]


def _times(name, title, rows):
    half, most = (seconds(percentile(dict(rows), share)) for share in (0.5, 0.95))
    words = _("Half %(half)s (p50), 95 of 100 %(most)s (p95).") % {"half": half, "most": most}
    return charts.columns(
        name,
        title,
        [(seconds(end), n) for end, n in rows],
        head=(_("Took"), _("Times")),
        words=words if half else "",
    )


# The file


def _file(found):
    """Every number of the page, one in a line."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = "-".join(filter(None, ["sign-ups", str(found.choice.days), found.choice.channel]))
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(response)
    for line in _lines(found):
        writer.writerow([_safe(cell) for cell in line])
    return response


def _lines(found):
    yield _("picture"), _("what"), _("number")
    for picture in _pictures(found):
        for label, number in picture.rows:
            yield picture.title, label, number
    names = ProviderNames()
    for (channel, provider_id), did in found.carried.items():
        for what, number in did.numbers:
            name = names.of(provider_id, nobody="-")
            yield f"{_('Providers')}: {channel}", f"{name}: {what}", number


def _safe(cell):
    """A cell that no spreadsheet computes."""
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text


# Switches


def _switch_provider(request, pk, on):
    _need(request, "messaging.change_provider")
    row = get_object_or_404(Provider, pk=_pk(pk))
    if Provider.objects.filter(pk=row.pk, is_active=not on).update(is_active=on):
        told = _("Put in use.") if on else _("Taken out of use.")
        _note(request, row, told)
        if not providers.can_send(row.channel, include_stopped=True):
            told = _("No provider is in use for this channel: %(channel)s. Nothing can be sent.")
            messages.warning(request, told % {"channel": row.get_channel_display()})


def _switch_texts(request, code, on):
    _need(request, "accounts.change_smscountry")
    row = get_object_or_404(SmsCountry, pk=code)
    # What closed itself is opened by the same switch.
    closed = Q(is_open=False) | SmsCountry.PAUSED
    chosen = SmsCountry.objects.filter(closed if on else Q(is_open=True), pk=row.pk)
    if chosen.open() if on else chosen.close():
        _note(request, row, _("Texts allowed") if on else _("Texts stopped"))


def _switch_channel(request, name, on):
    _need(request, "messaging.change_provider")
    if name not in dict(CHANNELS):
        raise Http404
    row = Channel(name=name)
    if row.switch(on):
        _note(request, row, _("Started again") if on else _("Stopped"))


def _need(request, permission):
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _pk(text):
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404 from None


def _note(request, row, told):
    """Write it into the row's history, and tell."""
    admin.site.get_model_admin(type(row)).log_change(request, row, told)
    messages.success(request, f"{row}: {told}")


SWITCHES = {"channel": _switch_channel, "provider": _switch_provider, "texts": _switch_texts}
