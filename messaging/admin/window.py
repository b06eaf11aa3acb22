"""A window, not a workbench: staff look, the site works. Of a large table no page reads more than it shows."""

import datetime
import json

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import EmptyResultSet, PermissionDenied
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Max, Min
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from messaging.admin.noted import Noted

# From so many rows on, what would read them all is estimated.
LARGE = 50_000
# What a count may cost, in PostgreSQL's own unit: a few hundred rows looked up, never a large table read.
CHEAP = 1_000
# Estimates below this are counted, as far as this.
FEW = 200
# The last page of a long list: each page further costs a little more, and nobody reads on.
LAST_PAGE = 100


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


class Shutter(Noted, admin.ModelAdmin):
    """Answers no questions about columns that it does not show."""

    show_full_result_count = False
    paginator = Pages
    list_per_page = 25
    list_max_show_all = FEW
    # To count what each filter would find is to read the whole table, once for each.
    show_facets = admin.ShowFacets.NEVER

    def lookup_allowed(self, lookup, value, request=None):
        """Filter by the offered filters only: anything else answers questions about what is hidden (ADM-02)."""
        offered = {*map(_asked_as, self.list_filter), self.date_hierarchy}
        return lookup.partition("__")[0] in offered

    def get_changelist(self, request, **kwargs):
        """The list that can be of any length."""
        return WindowList

    def changelist_view(self, request, extra_context=None):
        """Call the list by what is in it."""
        title = {"title": capfirst(str(self.opts.verbose_name_plural))}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_sortable_by(self, request):
        """The moment, where there is one: it has an index. Short lists are sorted by anything."""
        if self.sortable_by is not None or not self.date_hierarchy:
            return super().get_sortable_by(request)
        return (self.date_hierarchy,)


class Window(Shutter):
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
        if request.method == "POST":
            raise PermissionDenied
        return super().changelist_view(request, extra_context)


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
    """How a filter is called in the address: a column, or a filter of ours."""
    return offered if isinstance(offered, str) else offered.parameter_name


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
