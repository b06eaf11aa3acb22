"""Messages, as staff see them."""

from django.contrib import admin

from messaging.admin.window import Window
from messaging.models import OutboxMessage


@admin.register(OutboxMessage)
class OutboxAdmin(Window):
    """The outbox: what was promised and how it ended. Addresses and words stay inside."""

    list_display = (
        "created_at",
        "letter",
        "channel",
        "status",
        "tries",
        "provider",
        "error",
        "settled_at",
    )
    list_filter = ("status", "channel", "letter")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (*list_display, "due_at", "expires_at")
