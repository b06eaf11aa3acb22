"""Filters that offer choices of ours: no table of millions is read to find out what there is."""

from datetime import date, datetime, time, timedelta

from django.contrib import admin
from django.core.exceptions import BadRequest
from django.http import QueryDict
from django.utils.functional import cached_property
from django.utils.timezone import make_aware
from django.utils.translation import gettext as _

YEARS = range(1970, 3000)


class ChoiceFilter(admin.SimpleListFilter):
    """One of `choices_of`, pairs of value and words; `column` is compared with the value."""

    choices_of = ()
    column = ""

    def lookups(self, request, model_admin):
        return self.choices_of

    def queryset(self, request, queryset):
        return self.narrow(queryset, self.value()) if self.value() else queryset

    def narrow(self, queryset, chosen):
        """Return the rows of `queryset` that the choice `chosen` stands for."""
        return queryset.filter(**{self.column: chosen})


class DateFilter(admin.FieldListFilter):
    """The rows from one day to another, which are chosen in two date boxes. Raises BadRequest for what is no day."""

    template = "admin/date_filter.html"

    @staticmethod
    def parameter_names(column):
        """What the two days are called in the address of the list."""
        return [f"{column}_from", f"{column}_to"]

    def expected_parameters(self):
        return self.parameter_names(self.field_path)

    def has_output(self):
        return True

    def choices(self, changelist):
        """Yield what else narrows the list, for the form to send along."""
        others = changelist.get_query_string(remove=self.expected_parameters())
        return QueryDict(others.removeprefix("?")).items()

    @property
    def boxes(self):
        """Name, label and day of both boxes."""
        return zip(self.expected_parameters(), (_("From"), _("To")), self.days, strict=True)

    def queryset(self, request, queryset):
        first, last = self.days
        if first:
            queryset = queryset.filter(**{f"{self.field_path}__gte": _start(first)})
        if last:
            end = _start(last + timedelta(days=1))
            queryset = queryset.filter(**{f"{self.field_path}__lt": end})
        return queryset

    @cached_property
    def days(self):
        """The first and the last day, or None for each that was not chosen."""
        return [
            _parse_day(self.used_parameters.get(name, [""])[-1])
            for name in self.expected_parameters()
        ]


def _parse_day(text):
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadRequest from None
    if day.year not in YEARS:
        raise BadRequest
    return day


def _start(day):
    return make_aware(datetime.combine(day, time.min))
