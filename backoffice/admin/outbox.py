"""Messages and who carries them, as staff see them."""

from django.contrib import admin
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice import badges
from backoffice.admin.alerts import AlertAdmin
from backoffice.admin.providers import ProviderAdmin
from backoffice.filters import ChoiceFilter
from backoffice.modeladmin import Window
from messaging.models import Breaker, Channel, OutboxMessage, Provider

__all__ = ["AlertAdmin", "BreakerAdmin", "ChannelAdmin", "OutboxAdmin", "ProviderAdmin"]

admin.site.register(Provider, ProviderAdmin)

LETTERS = [
    ("code", _("code")),
    ("reset", _("link for a new password")),
    ("notice", _("notice to the owner")),
    ("warning", _("warning to superusers")),
]


class LetterFilter(ChoiceFilter):
    """By letter."""

    title, parameter_name, column, choices_of = _("letter"), "letter", "letter", LETTERS


class ProviderFilter(ChoiceFilter):
    """By who carried it."""

    title, parameter_name, column = _("provider"), "provider", "provider"

    def lookups(self, request, model_admin):
        """The providers that are entered now."""
        names = Provider.objects.order_by("name").values_list("name", flat=True)
        return [(name, name) for name in names]


@admin.register(OutboxMessage)
class OutboxAdmin(Window):
    """The outbox: what was promised and how it ended. Addresses and words stay inside."""

    list_display = (
        "created_at",
        "letter",
        "state",
        "channel",
        "provider",
        "tries",
        "error",
        "settled_at",
    )
    list_filter = ("status", "channel", LetterFilter, ProviderFilter)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_fields = ("id",)
    search_help_text = _(
        "The id of a message. An email address or mobile number leads to the look-up instead, which is recorded."
    )
    fields = (*list_display, "due_at", "expires_at", "receipts")

    @admin.display(description=_("status"), ordering="status")
    def state(self, message):
        """How far it is, as a badge."""
        return badges.of_status(message.status)

    @admin.display(description=_("receipts"))
    def receipts(self, message):
        """What the provider said later, in the order it happened."""
        said = message.receipts.order_by("at", "received_at")
        return format_html_join("", "{}<br>", ([_line(receipt)] for receipt in said)) or None


def _line(receipt):
    words = {
        "what": receipt.words,
        "at": _moment(receipt.at),
        "received": _moment(receipt.received_at),
    }
    return gettext("%(at)s %(what)s (received %(received)s)") % words


def _moment(at):
    return date_format(localtime(at), "j F Y, H:i:s")


@admin.register(Channel)
class ChannelAdmin(Window):
    """The channels that staff ever switched; the switches are on the board."""

    list_display = ("__str__", "is_open", "changed_at")
    fields = ("name", "is_open", "changed_at")
    ordering = ("name",)


@admin.register(Breaker)
class BreakerAdmin(Window):
    """Who failed of late, and who is left alone for a while."""

    list_display = ("provider", "failures", "failing_since", "open_until")
    fields = list_display
    ordering = ("provider",)
