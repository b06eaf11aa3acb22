"""The audit trail, as staff see it."""

from uuid import UUID

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts import identifiers
from accounts.admin.timeline import WORDS
from accounts.identifiers import EMAIL, PHONE, USERNAME, fingerprints
from accounts.models import SecurityEvent
from messaging.admin.badges import with_note
from messaging.admin.choices import ChoiceFilter, WithChoices
from messaging.admin.window import Window


class KindFilter(ChoiceFilter):
    """By what happened."""

    title, parameter_name, column = _("what"), "kind", "kind"
    choices_of = tuple(WORDS.items())


class ChannelFilter(ChoiceFilter):
    """By how somebody named themselves."""

    title, parameter_name, column = _("channel"), "channel", "channel"
    choices_of = ((EMAIL, _("email")), (PHONE, _("text message")), (USERNAME, _("username")))


@admin.register(SecurityEvent)
class SecurityEventAdmin(WithChoices, Window):
    """The audit trail."""

    list_display = ("at", "what", "user", "channel", "device", "about")
    list_filter = (KindFilter, ChannelFilter)
    list_select_related = ("user",)
    date_hierarchy = "at"
    ordering = ("-at",)
    search_fields = ("fingerprint",)
    search_help_text = _("A user's id, or a whole email address, mobile number or username")
    fields = (
        "at",
        "what",
        "kind_name",
        "about",
        "user",
        "channel",
        "ip",
        "agent",
        "request_id",
        "fingerprint",
    )

    def get_search_results(self, request, queryset, search_term):
        """What happened to a user, or to exactly this identifier (ADM-02)."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(user_id=UUID(search_term.strip())), False
        except ValueError:
            key = identifiers.parse_name(search_term).key
            return queryset.filter(fingerprint__in=fingerprints(key)), False

    @admin.display(description=_("what"), ordering="kind")
    def what(self, event):
        """What happened, in words."""
        return WORDS.get(event.kind, event.words)

    @admin.display(description=_("kind"))
    def kind_name(self, event):
        """What it is called in the address of a filter, and in the code."""
        return event.kind

    @admin.display(description=_("browser and IP address"))
    def device(self, event):
        """The browser in words of ours, and where it was."""
        return with_note(event.device, event.ip) if event.device else event.ip
