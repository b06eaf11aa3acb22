"""Filters with choices of ours: no table of millions is read to find out what there is."""

from django.contrib import admin


class ChoiceFilter(admin.SimpleListFilter):
    """One choice among some; `choices_of` has the words of each, `column` what it is compared with."""

    choices_of = ()
    column = ""

    def lookups(self, request, model_admin):
        """Every choice."""
        return self.choices_of

    def queryset(self, request, queryset):
        """The rows of the choice."""
        return self.narrow(queryset, self.value()) if self.value() else queryset

    def narrow(self, queryset, chosen):
        """The rows of one choice."""
        return queryset.filter(**{self.column: chosen})
