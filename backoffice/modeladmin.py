"""A window, not a workbench: staff look, the site works. Of a large table no page reads more than it shows."""

import datetime
import json
import re
import unicodedata
from itertools import takewhile
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import BadRequest, EmptyResultSet, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Max, Min, Q
from django.http import HttpResponseRedirect
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from accounts import characters, identifiers
from accounts.identifiers import USERNAME
from backoffice.audited import AuditedModelAdmin

# From so many rows on, what would read them all is estimated.
LARGE = 50_000
# What a count may cost, in PostgreSQL's own unit: a few hundred rows looked up, never a large table read.
CHEAP = 1_000
# Estimates below this are counted, as far as this.
FEW = 200
# The last page of a long list: each page further costs a little more, and nobody reads on.
LAST_PAGE = 100
# What the search box posts, under the name that the look-up reads it by.
SOUGHT = "who"
# The parts of a date in the address of a list, each with what it may be; a smaller one needs those before it.
PARTS = {"year": range(1970, 3000), "month": range(1, 13), "day": range(1, 32)}


class RowsField(forms.ModelMultipleChoiceField):
    """Rows that are chosen by their ids. Raises BadRequest for what is no id of a row."""

    def clean(self, value):
        """The rows."""
        refuse_no_ids(self.queryset.model, value or [])
        return super().clean(value)


class About(int):
    """A number of rows that was estimated, and says so."""

    def __str__(self):
        return _("about %(number)s") % {"number": format(_rounded(self), ",")}


class Pages(Paginator):
    """Pages of a list whose rows are counted where that is cheap, and estimated where it is not."""

    @cached_property
    def count(self):
        """How many rows there are, or About how many."""
        return _count(self.object_list) if is_large(self.object_list.model) else super().count

    @property
    def is_cut(self):
        """Whether there are more pages than can be opened."""
        return isinstance(self.count, About) and self.count > LAST_PAGE * self.per_page

    @cached_property
    def num_pages(self):
        """How many pages can be opened."""
        return LAST_PAGE if self.is_cut else super().num_pages


class WindowList(ChangeList):
    """A list that is sorted by what has an index, and whose calendar reads the first and the last row alone."""

    def get_ordering_field(self, field_name):
        """What a column is sorted by; None for the others, also when the address asks for them."""
        return super().get_ordering_field(field_name) if field_name in self.sortable_by else None

    @cached_property
    def calendar(self):
        """What stands above the list of a large table: years, months or days; None leaves it to Django."""
        if not self.date_hierarchy or not is_large(self.model):
            return None
        field = self.date_hierarchy
        ends = self.model._default_manager.aggregate(first=Min(field), last=Max(field))
        if ends["first"] is None:
            return None
        chosen = [self.params.get(f"{field}__{part}") for part in ("year", "month", "day")]
        numbers = [int(str(_last(part))) for part in chosen if part]
        return self._shown(numbers, localtime(ends["first"]).date(), localtime(ends["last"]).date())

    def _shown(self, chosen, first, last):
        days = _days(first, last)
        starts = {tuple(day.timetuple()[: len(chosen) + 1]): day for day in reversed(days)}
        below = sorted(key for key in starts if list(key[:-1]) == chosen)
        choices = [] if len(chosen) == 3 else [self._choice(key) for key in below]
        if len(chosen) == 3:
            choices = [{"title": _title(chosen)}]
        back = {"link": self._link(chosen[:-1]), "title": _title(chosen[:-1])} if chosen else None
        return {"show": True, "back": back, "choices": choices}

    def _choice(self, numbers):
        return {"link": self._link(numbers), "title": _title(numbers)}

    def _link(self, numbers):
        parts = zip(("year", "month", "day"), numbers, strict=False)
        filters = {f"{self.date_hierarchy}__{part}": number for part, number in parts}
        return self.get_query_string(filters, [f"{self.date_hierarchy}__"])


class LargeTableModelAdmin(AuditedModelAdmin, admin.ModelAdmin):
    """Answers no questions about columns that it does not show."""

    show_full_result_count = False
    paginator = Pages
    list_per_page = 25
    list_max_show_all = FEW
    # To count what each filter would find is to read the whole table, once for each.
    show_facets = admin.ShowFacets.NEVER

    def lookup_allowed(self, lookup, value, request):
        """Filter by what the list offers only: anything else answers questions about what is hidden (ADM-02)."""
        field, _sep, part = lookup.rpartition("__")
        if field == self.date_hierarchy and part in PARTS:
            return _is_date(field, part, value, request.GET)
        return lookup in {name for offered in self.list_filter for name in _asked_as(offered)}

    def get_search_results(self, request, queryset, search_term):
        """By names and ids, as `meant` says; addresses and numbers are looked up where that is noted (ADM-02)."""
        text = search_term.strip()
        if not text:
            return queryset, False
        meant = None if is_contact(text) else self.meant(text)
        return queryset.filter(meant) if meant else queryset.none(), False

    def meant(self, text):
        """The condition that `text` stands for in the search box, or None; here an id."""
        return by_id(text, "pk")

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        """A choice of rows, which answers as `response_action` does."""
        return super().formfield_for_manytomany(db_field, request, form_class=RowsField, **kwargs)

    def get_object(self, request, object_id, from_field=None):
        """Find a row by its id; an empty name of another column is none."""
        return super().get_object(request, object_id, from_field or None)

    def get_changelist(self, request, **kwargs):
        """The list that can be of any length."""
        return WindowList

    def changelist_view(self, request, extra_context=None):
        """Call the list by what is in it; the search box posts to it, for an address must stand in no URL."""
        if request.method == "POST" and SOUGHT in request.POST:
            return self._search(request, request.POST[SOUGHT].strip())
        title = {"title": capfirst(str(self.opts.verbose_name_plural))}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_sortable_by(self, request):
        """The moment, where there is one: it has an index. Short lists are sorted by anything."""
        if self.sortable_by is not None or not self.date_hierarchy:
            return super().get_sortable_by(request)
        return (self.date_hierarchy,)

    def response_action(self, request, queryset):
        """Do something to the rows that were ticked. Raises BadRequest for what is no id of a row."""
        refuse_no_ids(self.model, request.POST.getlist(ACTION_CHECKBOX_NAME))
        return super().response_action(request, queryset)

    def _search(self, request, text):
        """Lead a name or an id to the list, and hand an address or a number to the look-up."""
        if is_contact(text):
            return self.admin_site.look_up()
        query = request.GET.copy()
        query.pop(PAGE_VAR, None)
        query[SEARCH_VAR] = text
        return HttpResponseRedirect(f"{request.path}?{query.urlencode()}")


class ReadOnlyModelAdmin(LargeTableModelAdmin):
    """Read-only for everyone; only the columns in `fields` exist, also for filters in the address (ADM-02, ADM-03)."""

    actions = None

    def get_readonly_fields(self, request, obj=None):
        """Everything that is shown."""
        return self.fields

    def has_add_permission(self, request):
        """Nobody adds."""
        return False

    def has_change_permission(self, request, obj=None):
        """Nobody changes."""
        return False

    def has_delete_permission(self, request, obj=None):
        """Nobody deletes."""
        return False

    def changelist_view(self, request, extra_context=None):
        """Say no to a forged action instead of ignoring it."""
        if request.method == "POST" and SOUGHT not in request.POST:
            raise PermissionDenied
        return super().changelist_view(request, extra_context)


def is_contact(text):
    """Whether `text` would be read as an email address or a mobile number, or looks like one or like a part of one."""
    if identifiers.parse_sign_in_name(text).kind != USERNAME:
        return True
    visible = characters.without_invisible(text)
    typed = unicodedata.normalize("NFKC", visible).casefold().strip()
    number = re.sub(r"^[a-z]+\s*:", "", typed)
    has_digits, has_letters = any(map(str.isdigit, number)), any(map(str.isalpha, number))
    return "@" in typed or (has_digits and (number.lstrip().startswith("+") or not has_letters))


def refuse_no_ids(model, texts):
    """Raise BadRequest when one of `texts` can be no id of a row: too long a number is an error of the database."""
    try:
        for text in texts:
            model._meta.pk.clean(text, None)
    except ValidationError:
        raise BadRequest from None


def by_id(text, *columns):
    """Rows of which one of `columns` is the id in `text`; None if it is no id."""
    try:
        pk = UUID(text)
    except ValueError:
        return None
    return Q(*((column, pk) for column in columns), _connector=Q.OR)


def is_large(model):
    """Whether to read the whole table would keep somebody waiting, as far as the database knows offhand."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table]
        )
        return cursor.fetchone()[0] > LARGE


def _count(rows):
    """Count `rows` where PostgreSQL expects that to be cheap; elsewhere ask it how many it expects."""
    rows = rows.order_by().select_related(None)
    try:
        plan = json.loads(rows.explain(format="json"))[0]["Plan"]
    except (
        EmptyResultSet,
        IndexError,
    ):  # a filter that can match nothing never reaches the database
        return 0
    if plan["Total Cost"] < CHEAP:
        return rows.count()
    expected = plan["Plan Rows"]
    if expected > FEW:
        return About(expected)
    some = rows[: FEW + 1].count()
    return About(some) if some > FEW else some


def _asked_as(offered):
    """What a filter is called in the address: a column and its one look-up, or a filter of ours."""
    return [offered, f"{offered}__exact"] if isinstance(offered, str) else [offered.parameter_name]


def _is_date(field, part, value, query):
    """Whether `value` may be that part of a date, in an address that names the larger ones, too."""
    larger = takewhile(lambda name: name != part, PARTS)
    is_number = bool(re.fullmatch("[0-9]{1,4}", value)) and int(value) in PARTS[part]
    return is_number and all(f"{field}__{name}" in query for name in larger)


def _rounded(number):
    """Two figures that count: 1,234,567 is about 1,200,000."""
    unit = 10 ** max(0, len(f"{number:d}") - 2)
    return round(int(number) / unit) * unit


def _days(first, last):
    return [first + datetime.timedelta(days=number) for number in range((last - first).days + 1)]


def _title(numbers):
    """The name of a year, a month or a day, given as numbers."""
    if not numbers:
        return _("All dates")
    day = datetime.date(*numbers, *[1] * (3 - len(numbers)))
    words = {1: "Y", 2: "YEAR_MONTH_FORMAT", 3: "MONTH_DAY_FORMAT"}[len(numbers)]
    return capfirst(date_format(day, words))


def _last(value):
    return value[-1] if isinstance(value, list) else value
