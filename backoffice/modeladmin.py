"""What the admin's lists and forms have in common: of a large table no page reads more than it shows."""

import json
import re
import unicodedata
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Q
from django.http import HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts import characters, identifiers
from accounts.identifiers import USERNAME
from backoffice.audited import AuditedModelAdmin

# The size of a table, in rows, from which on what would read them all is estimated.
LARGE = 50_000
# What a count may cost, in PostgreSQL's own unit: a few hundred rows looked up, never a large table read.
CHEAP = 1_000
# Estimates below this are counted, as far as this.
FEW = 200
# The last page of a long list: each page further costs a little more, and nobody reads on.
LAST_PAGE = 100
# What the search box posts, under the name that the look-up reads it by.
LOOKUP_FIELD = "who"


class RowChoiceField(forms.ModelMultipleChoiceField):
    """Rows that are chosen by their ids. Raises BadRequest for what is no id of a row."""

    def clean(self, value):
        require_ids(self.queryset.model, value or [])
        return super().clean(value)


class ApproximateCount(int):
    """An estimated number of rows, which says that it is one."""

    def __str__(self):
        return _("about %(number)s") % {"number": format(_rounded(self), ",")}


class EstimatedPaginator(Paginator):
    """A paginator that counts rows where that is cheap, and estimates their number where it is not."""

    @cached_property
    def count(self):
        """The number of rows, or an ApproximateCount of them."""
        return _count(self.object_list) if is_large(self.object_list.model) else super().count

    @property
    def is_cut(self):
        """Whether there are more pages than can be opened."""
        return isinstance(self.count, ApproximateCount) and self.count > LAST_PAGE * self.per_page

    @cached_property
    def num_pages(self):
        """Return how many pages can be opened."""
        return LAST_PAGE if self.is_cut else super().num_pages


class IndexedChangeList(ChangeList):
    """A list that is sorted by what has an index, and by nothing else."""

    def get_ordering_field(self, field_name):
        """Return what a column is sorted by; None for the others, also when the address asks for them."""
        return super().get_ordering_field(field_name) if field_name in self.sortable_by else None


class LargeTableModelAdmin(AuditedModelAdmin, admin.ModelAdmin):
    """The admin of a table of any size. It answers no questions about columns that it does not show."""

    show_full_result_count = False
    paginator = EstimatedPaginator
    list_per_page = 25
    list_max_show_all = FEW
    # To count what each filter would find is to read the whole table, once for each.
    show_facets = admin.ShowFacets.NEVER

    def lookup_allowed(self, lookup, value, request):
        """Filter by what the list offers only: anything else answers questions about what is hidden (ADM-02)."""
        return lookup in {name for each in self.list_filter for name in _parameter_names(each)}

    def get_search_results(self, request, queryset, search_term):
        """Search names and ids; addresses and numbers are looked up where that is recorded (ADM-02)."""
        text = search_term.strip()
        if not text:
            return queryset, False
        condition = None if is_contact(text) else self.search_condition(text)
        return queryset.filter(condition) if condition else queryset.none(), False

    def search_condition(self, text):
        """Return the condition that `text` stands for in the search box, or None. By default `text` is an id."""
        return id_condition(text, "pk")

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        return super().formfield_for_manytomany(
            db_field, request, form_class=RowChoiceField, **kwargs
        )

    def get_object(self, request, object_id, from_field=None):
        """Find a row by its id, also where the address names no other column to find it by."""
        return super().get_object(request, object_id, from_field or None)

    def get_changelist(self, request, **kwargs):
        return IndexedChangeList

    def changelist_view(self, request, extra_context=None):
        """Call the list by what is in it; the search box posts to it, for an address must stand in no URL."""
        if request.method == "POST" and LOOKUP_FIELD in request.POST:
            return self._search(request, request.POST[LOOKUP_FIELD].strip())
        title = {"title": capfirst(str(self.opts.verbose_name_plural))}
        return super().changelist_view(request, title | (extra_context or {}))

    def response_action(self, request, queryset):
        """Run the action on the rows that were ticked. Raises BadRequest for what is no id of a row."""
        require_ids(self.model, request.POST.getlist(ACTION_CHECKBOX_NAME))
        return super().response_action(request, queryset)

    def _search(self, request, text):
        """Search the list for a name or an id; an address or a number goes to the look-up."""
        if is_contact(text):
            return self.admin_site.redirect_to_lookup()
        query = request.GET.copy()
        query.pop(PAGE_VAR, None)
        query[SEARCH_VAR] = text
        return HttpResponseRedirect(f"{request.path}?{query.urlencode()}")


class ReadOnlyModelAdmin(LargeTableModelAdmin):
    """Read-only for everyone; only the columns in `fields` exist, also for filters in the address (ADM-02, ADM-03)."""

    actions = None

    def get_readonly_fields(self, request, obj=None):
        return self.fields

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def changelist_view(self, request, extra_context=None):
        """Refuse a forged action instead of ignoring it."""
        if request.method == "POST" and LOOKUP_FIELD not in request.POST:
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


def require_ids(model, texts):
    """Raise BadRequest when one of `texts` can be no id of a row: too long a number is an error of the database."""
    try:
        for text in texts:
            model._meta.pk.clean(text, None)
    except ValidationError:
        raise BadRequest from None


def id_condition(text, *columns):
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
    explained = rows.explain(format="json")
    if not explained:
        # A filter that can match nothing never reaches the database.
        return 0
    plan = json.loads(explained)[0]["Plan"]
    if plan["Total Cost"] < CHEAP:
        return rows.count()
    expected = plan["Plan Rows"]
    if expected > FEW:
        return ApproximateCount(expected)
    some = rows[: FEW + 1].count()
    return ApproximateCount(some) if some > FEW else some


def _parameter_names(list_filter):
    """What an entry of `list_filter` is called in the address of the list."""
    if isinstance(list_filter, str):
        return [list_filter, f"{list_filter}__exact"]
    if isinstance(list_filter, tuple):
        column, filter_class = list_filter
        return filter_class.parameter_names(column)
    return [list_filter.parameter_name]


def _rounded(number):
    """Round to two digits: 1,234,567 is about 1,200,000."""
    unit = 10 ** max(0, len(f"{number:d}") - 2)
    return round(int(number) / unit) * unit
