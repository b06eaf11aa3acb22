"""Messages and who carries them, as staff see them."""

from django.contrib import admin
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from messaging.admin.alerts import AlertAdmin
from messaging.admin.providers import ProviderAdmin
from messaging.admin.window import Window
from messaging.models import Breaker, OutboxMessage, Provider

__all__ = ["AlertAdmin", "BreakerAdmin", "OutboxAdmin", "ProviderAdmin"]

admin.site.register(Provider, ProviderAdmin)


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
    fields = (*list_display, "due_at", "expires_at", "receipts")

    @admin.display(description=_("receipts"))
    def receipts(self, message):
        """What the provider said later, in the order it happened."""
        said = message.receipts.order_by("at", "received_at")
        return format_html_join("", "{}<br>", ([_line(receipt)] for receipt in said)) or None


def _line(receipt):
    words = {
        "what": ": ".join(filter(None, [receipt.get_status_display(), receipt.detail])),
        "at": _moment(receipt.at),
        "received": _moment(receipt.received_at),
    }
    return gettext("%(at)s %(what)s (received %(received)s)") % words


def _moment(at):
    return date_format(localtime(at), "j F Y, H:i:s")


@admin.register(Breaker)
class BreakerAdmin(Window):
    """Who failed of late, and who is left alone for a while."""

    list_display = ("provider", "failures", "failing_since", "open_until")
    fields = list_display
    ordering = ("provider",)
