"""Challenges, as staff see them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts import identifiers
from accounts.admin import states
from accounts.identifiers import Unreadable
from accounts.models import Challenge
from messaging.admin.choices import ChoiceFilter, WithChoices
from messaging.admin.window import Window


class StateFilter(ChoiceFilter):
    """By what became of it, by the database's clock."""

    title, parameter_name, choices_of = _("status"), "state", states.WORDS.items()

    def narrow(self, queryset, chosen):
        """Those in one state."""
        condition = states.CONDITIONS.get(chosen)
        return queryset.none() if condition is None else queryset.filter(condition)


@admin.register(Challenge)
class ChallengeAdmin(WithChoices, Window):
    """Attempts to prove an identifier, whatever became of them."""

    list_display = (
        "created_at",
        "masked",
        "state",
        "purpose",
        "kind",
        "time_left",
        "age",
        "sends",
        "tries_left",
        "proved_at",
    )
    list_filter = ("purpose", "kind", StateFilter)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_fields = ("recipient",)
    search_help_text = _("A whole email address or mobile number, in any notation")
    fields = (
        *list_display,
        "user",
        "device",
        "sent_at",
        "expires_at",
        "link_expires_at",
        "closed_at",
    )

    def get_search_results(self, request, queryset, search_term):
        """Attempts at exactly this identifier: a part of one would be a question about what is hidden (ADM-02)."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(recipient=identifiers.parse(search_term).key), False
        except Unreadable:
            return queryset.none(), False

    @admin.display(description=_("recipient"))
    def masked(self, challenge):
        """The recipient, masked."""
        return challenge.identifier.masked

    @admin.display(description=_("status"))
    def state(self, challenge):
        """What became of it, as a badge."""
        return states.badge_of(challenge)

    @admin.display(description=_("time left"))
    def time_left(self, challenge):
        """How long the code, or the link, still works."""
        return states.time_left(challenge) or None

    @admin.display(description=_("age"))
    def age(self, challenge):
        """How long ago it began."""
        return states.age(challenge.created_at)
