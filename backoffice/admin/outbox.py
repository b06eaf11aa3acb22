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
from backoffice.filters import ChoiceFilter, DateFilter
from backoffice.modeladmin import ReadOnlyModelAdmin
from backoffice.provider_names import NamesProvidersMixin
from backoffice.support.timeline import TEMPLATES
from messaging import providers
from messaging.models import Breaker, Channel, OutboxMessage, Provider

__all__ = ["AlertAdmin", "BreakerAdmin", "ChannelAdmin", "OutboxAdmin", "ProviderAdmin"]

admin.site.register(Provider, ProviderAdmin)


class TemplateFilter(ChoiceFilter):
    """By the kind of message."""

    title, parameter_name, column, choices_of = (
        _("template"),
        "template",
        "template",
        TEMPLATES.items(),
    )


class ProviderFilter(ChoiceFilter):
    """By the provider that carried the message."""

    title, parameter_name, column = _("provider"), "provider", "provider_id"

    def lookups(self, request, model_admin):
        rows = Provider.objects.order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in rows]

    def narrow(self, queryset, chosen):
        """The rows of one of them; whatever else stands in the address carried nothing."""
        is_offered = chosen in dict(self.lookup_choices)
        return super().narrow(queryset, chosen) if is_offered else queryset.none()


@admin.register(OutboxMessage)
class OutboxAdmin(NamesProvidersMixin, ReadOnlyModelAdmin):
    """The outbox: what was promised and how it ended. Addresses and words stay inside."""

    list_display = (
        "created_at",
        "template",
        "state",
        "channel",
        "provider",
        "tries",
        "error",
        "settled_at",
    )
    list_filter = (("created_at", DateFilter), "status", "channel", TemplateFilter, ProviderFilter)
    sortable_by = ("created_at",)
    ordering = ("-created_at",)
    search_fields = ("id",)
    search_help_text = _(
        "The id of a message. An email address or mobile number leads to the look-up instead, which is recorded."
    )
    fields = (*list_display, "due_at", "expires_at", "receipts")

    @admin.display(description=_("status"), ordering="status")
    def state(self, message):
        return badges.status_badge(message.status)

    @admin.display(description=_("provider"))
    def provider(self, message):
        """The provider's name of today."""
        return message.provider_name or None

    @admin.display(description=_("receipts"))
    def receipts(self, message):
        """What the provider said later, in the order it happened."""
        said = message.receipts.order_by("at", "received_at")
        return format_html_join("", "{}<br>", ([_line(receipt)] for receipt in said)) or None


def _line(receipt):
    words = {
        "what": receipt.summary,
        "at": _moment(receipt.at),
        "received": _moment(receipt.received_at),
    }
    return gettext("%(at)s %(what)s (received %(received)s)") % words


def _moment(at):
    return date_format(localtime(at), "j F Y, H:i:s")


@admin.register(Channel)
class ChannelAdmin(ReadOnlyModelAdmin):
    """The channels that staff ever switched; the switches are on the dashboard."""

    list_display = ("__str__", "is_open", "changed_at")
    fields = ("name", "is_open", "changed_at")
    ordering = ("name",)


@admin.register(Breaker)
class BreakerAdmin(NamesProvidersMixin, ReadOnlyModelAdmin):
    """Providers that failed of late, and those that are paused."""

    list_display = ("provider", "failures", "failing_since", "open_until")
    fields = list_display
    ordering = ("-failing_since",)

    def get_queryset(self, request):
        """Leave out providers that are not in use: nobody knows how those fare."""
        return super().get_queryset(request).filter(provider_id__in=providers.in_use())

    @admin.display(description=_("provider"))
    def provider(self, breaker):
        """The provider's name of today."""
        return breaker.provider_name
