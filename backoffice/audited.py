"""What staff do leaves a trace: the admin site writes it down, wherever a row is opened, added, changed or removed."""

from accounts import outages


class AuditedModelAdmin:
    """A page of the admin that tells its site of each row that staff open or change (LOG-01)."""

    def log_addition(self, request, obj, message):
        self._audit(request, "staff_added", obj.pk)
        return super().log_addition(request, obj, message)

    def log_change(self, request, obj, message):
        self._audit(request, "staff_changed", obj.pk)
        return super().log_change(request, obj, message)

    def log_deletions(self, request, queryset):
        for row in queryset:
            self._audit(request, "staff_removed", row.pk)
        return super().log_deletions(request, queryset)

    def change_view(self, request, object_id, *args, **kwargs):
        response = super().change_view(request, object_id, *args, **kwargs)
        return self.audit_view(request, response, object_id)

    def delete_view(self, request, object_id, *args, **kwargs):
        response = super().delete_view(request, object_id, *args, **kwargs)
        return self.audit_view(request, response, object_id)

    def history_view(self, request, object_id, *args, **kwargs):
        response = super().history_view(request, object_id, *args, **kwargs)
        return self.audit_view(request, response, object_id)

    def audit_view(self, request, response, pk):
        """Record that a page shows one row, and return its `response`."""
        if request.method == "GET" and response.status_code == 200:
            with outages.left_out_in_outage("a page of staff was opened"):
                self._audit(request, "staff_viewed", pk)
        return response

    def _audit(self, request, kind, pk):
        self.admin_site.audit(request, kind, about=f"{self.opts.model_name} {pk}")
