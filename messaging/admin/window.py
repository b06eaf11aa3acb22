"""A window, not a workbench: staff look, the site works."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied


class Shutter(admin.ModelAdmin):
    """Answers no questions about columns that it does not show."""

    show_full_result_count = False

    def lookup_allowed(self, lookup, value, request=None):
        """Filter by the offered filters only: anything else answers questions about what is hidden (ADM-02)."""
        return lookup.partition("__")[0] in {*self.list_filter, self.date_hierarchy}


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
