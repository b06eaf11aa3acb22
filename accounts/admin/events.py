"""The audit trail, as staff see it."""

from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import events, identifiers
from accounts.admin.timeline import WORDS
from accounts.identifiers import EMAIL, PHONE, USERNAME, fingerprint
from accounts.models import SecurityEvent
from messaging.admin.badges import with_note
from messaging.admin.choices import ChoiceFilter, WithChoices
from messaging.admin.window import Window

# Enough to tell one member of staff from another.
ACTOR_SHOWN = 8


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

    list_display = ("at", "what", "user", "staff", "channel", "device", "about")
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
        "actor",
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
            pk = UUID(search_term.strip())
            return queryset.filter(Q(user_id=pk) | Q(actor=events.pseudonym(pk))), False
        except ValueError:
            key = identifiers.parse_name(search_term).key
            return queryset.filter(fingerprint=fingerprint(key)), False

    @admin.display(description=_("what"), ordering="kind")
    def what(self, event):
        """What happened, in words."""
        return WORDS.get(event.kind, event.words)

    @admin.display(description=_("staff"), ordering="actor")
    def staff(self, event):
        """Which member of staff acted, by the beginning of the keyed hash."""
        return event.actor[:ACTOR_SHOWN]

    @admin.display(description=_("kind"))
    def kind_name(self, event):
        """What it is called in the address of a filter, and in the code."""
        return event.kind

    @admin.display(description=_("browser and IP address"))
    def device(self, event):
        """The browser in words of ours, and where it was."""
        return with_note(event.device, event.ip) if event.device else event.ip
