"""The audit trail, as staff see it."""

import re

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit, identifiers
from accounts.identifiers import EMAIL, PHONE, USERNAME, fingerprints
from accounts.models import SecurityEvent
from backoffice.badges import with_subtext
from backoffice.filters import ChoiceFilter, DateFilter
from backoffice.modeladmin import ReadOnlyModelAdmin, id_condition
from backoffice.models import client_label
from backoffice.support.timeline import WORDS

# Longer than any username.
FINGERPRINT = re.compile(r"\b[0-9a-f]{40}\b")

# Enough to tell one member of staff from another.
ACTOR_SHOWN = 8


class KindFilter(ChoiceFilter):
    """By the kind of event."""

    title, parameter_name, column = _("what"), "kind", "kind"
    choices_of = tuple(WORDS.items())


class IdentifierKindFilter(ChoiceFilter):
    """By how somebody named themselves."""

    title, parameter_name, column = _("kind of identifier"), "identifier_kind", "identifier_kind"
    choices_of = ((EMAIL, _("email")), (PHONE, _("mobile number")), (USERNAME, _("username")))


@admin.register(SecurityEvent)
class SecurityEventAdmin(ReadOnlyModelAdmin):
    """The audit trail."""

    list_display = ("at", "what", "user", "staff", "identifier_kind", "device", "about")
    list_filter = (("at", DateFilter), KindFilter, IdentifierKindFilter)
    list_select_related = ("user",)
    sortable_by = ("at",)
    ordering = ("-at",)
    search_fields = ("fingerprint",)
    search_help_text = _(
        "A user's id, a keyed hash or a whole username. An email address or mobile number leads to the look-up "
        "instead, which is recorded."
    )
    fields = (
        "at",
        "what",
        "kind_name",
        "about",
        "user",
        "actor",
        "identifier_kind",
        "client",
        "ip",
        "agent",
        "request_id",
        "fingerprint",
    )

    def search_condition(self, text):
        """What happened to a user or was done by them, to these keyed hashes, or to exactly this username (ADM-02)."""
        own = id_condition(text, "user_id")
        if own:
            return own | Q(actor__in=audit.pseudonyms(text))
        prints = FINGERPRINT.findall(text)
        if prints:
            return Q(fingerprint__in=prints) | Q(actor__in=prints)
        return Q(fingerprint__in=fingerprints(identifiers.parse_sign_in_name(text).key))

    @admin.display(description=_("what"), ordering="kind")
    def what(self, event):
        return WORDS.get(event.kind, event.words)

    @admin.display(description=_("staff"), ordering="actor")
    def staff(self, event):
        """Which member of staff acted, by the beginning of the keyed hash."""
        return event.actor[:ACTOR_SHOWN]

    @admin.display(description=_("kind"))
    def kind_name(self, event):
        """What it is called in the address of a filter, and in the code."""
        return event.kind

    @admin.display(description=_("client"))
    def client(self, event):
        """What it came through: the pages, or a space of the API."""
        return client_label(event.space)

    @admin.display(description=_("browser and IP address"))
    def device(self, event):
        """The browser in words of ours, and where it was."""
        return with_subtext(event.device, event.ip) if event.device else event.ip
