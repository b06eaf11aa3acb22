"""Challenges, as staff see them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.models import Challenge
from backoffice.filters import ChoiceFilter, DateFilter
from backoffice.modeladmin import ReadOnlyModelAdmin, id_condition
from backoffice.models import client_label
from backoffice.support import challenge_status


class StateFilter(ChoiceFilter):
    """By the state of the attempt, by the database's clock."""

    title, parameter_name, choices_of = _("status"), "state", challenge_status.STATE_LABELS.items()

    def narrow(self, queryset, chosen):
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
    list_filter = (("created_at", DateFilter), "purpose", "kind", StateFilter)
    sortable_by = ("created_at",)
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
        "client",
        "sent_at",
        "expires_at",
        "link_expires_at",
        "cancelled_at",
    )

    def search_condition(self, text):
        """Read an id: of one attempt, or of the user whose attempts are wanted."""
        return id_condition(text, "pk", "user_id")

    def get_queryset(self, request):
        """Attempts that know when they were read, by the database's clock."""
        return super().get_queryset(request).with_read_at()

    @admin.display(description=_("recipient"))
    def masked(self, challenge):
        return challenge.identifier.masked

    @admin.display(description=_("status"))
    def state(self, challenge):
        return challenge_status.state_badge(challenge)

    @admin.display(description=_("time left"))
    def time_left(self, challenge):
        return challenge_status.time_left(challenge) or None

    @admin.display(description=_("client"))
    def client(self, challenge):
        """What it was begun with: the pages, or an app in a space of the API."""
        return client_label(challenge.space)

    @admin.display(description=_("age"))
    def age(self, challenge):
        return challenge_status.age(challenge.read_at - challenge.created_at)
