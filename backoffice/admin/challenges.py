"""Challenges, as staff see them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.models import Challenge
from backoffice.filters import ChoiceFilter
from backoffice.modeladmin import ReadOnlyModelAdmin, by_id
from backoffice.support import challenge_status


class StateFilter(ChoiceFilter):
    """By what became of it, by the database's clock."""

    title, parameter_name, choices_of = _("status"), "state", challenge_status.WORDS.items()

    def narrow(self, queryset, chosen):
        """Those in one state."""
        condition = challenge_status.CONDITIONS.get(chosen)
        return queryset.none() if condition is None else queryset.filter(condition)


@admin.register(Challenge)
class ChallengeAdmin(ReadOnlyModelAdmin):
    """Attempts to verify an identifier, whatever became of them."""

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
        "verified_at",
    )
    list_filter = ("purpose", "kind", StateFilter)
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_fields = ("id",)
    search_help_text = _(
        "The id of an attempt or a user. An email address or mobile number leads to the look-up instead, "
        "which is recorded."
    )
    fields = (
        *list_display,
        "user",
        "device",
        "sent_at",
        "expires_at",
        "link_expires_at",
        "cancelled_at",
    )

    def meant(self, text):
        """One attempt, or those of a user."""
        return by_id(text, "pk", "user_id")

    @admin.display(description=_("recipient"))
    def masked(self, challenge):
        """The recipient, masked."""
        return challenge.identifier.masked

    @admin.display(description=_("status"))
    def state(self, challenge):
        """What became of it, as a badge."""
        return challenge_status.badge_of(challenge)

    @admin.display(description=_("time left"))
    def time_left(self, challenge):
        """How long the code, or the link, still works."""
        return challenge_status.time_left(challenge) or None

    @admin.display(description=_("age"))
    def age(self, challenge):
        """How long ago it began."""
        return challenge_status.age(challenge.created_at)
