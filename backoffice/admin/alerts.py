"""Alerts, as staff see them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from backoffice.modeladmin import ReadOnlyModelAdmin
from messaging.models import Alert


@admin.register(Alert)
class AlertAdmin(ReadOnlyModelAdmin):
    """What staff should look at, the newest first."""

    list_display = ("last_at", "what", "about", "times", "first_at")
    list_filter = ("kind",)
    ordering = ("-last_at",)
    fields = list_display

    @admin.display(description=_("what"))
    def what(self, alert):
        return alert.summary
