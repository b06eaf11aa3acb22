"""People, challenges, sessions and events, as staff see them: windows without codes, seeds or full addresses."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.texts import TextCountryAdmin
from accounts.identifiers import EMAIL, PHONE, Identifier
from accounts.models import Challenge, SecurityEvent, User
from messaging.admin.window import Window

__all__ = ["TextCountryAdmin"]


@admin.register(User)
class UserAdmin(Window):
    """Who registered, and what they proved."""

    list_display = (
        "date_joined",
        "name",
        "username",
        "masked_email",
        "masked_phone",
        "is_active",
        "last_login",
    )
    list_filter = ("is_active", "is_staff")
    date_hierarchy = "date_joined"
    ordering = ("-date_joined",)
    search_fields = ("username",)
    fields = (*list_display, "email_proved_at", "phone_proved_at", "completed_at", "is_staff")

    @admin.display(description=_("email address"))
    def masked_email(self, user):
        """The address without what makes it usable."""
        return Identifier(EMAIL, user.email_key, user.email).masked if user.email else ""

    @admin.display(description=_("mobile number"))
    def masked_phone(self, user):
        """The number without its middle."""
        return Identifier(PHONE, user.phone, user.phone).masked if user.phone else ""


@admin.register(Challenge)
class ChallengeAdmin(Window):
    """Attempts to prove an identifier, whatever became of them."""

    list_display = (
        "created_at",
        "purpose",
        "kind",
        "masked",
        "sends",
        "tries_left",
        "expires_at",
        "proved_at",
    )
    list_filter = ("purpose", "kind")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (*list_display, "user", "device", "sent_at", "link_expires_at", "closed_at")

    @admin.display(description=_("recipient"))
    def masked(self, challenge):
        """The recipient, masked."""
        return challenge.identifier.masked


@admin.register(SecurityEvent)
class SecurityEventAdmin(Window):
    """The audit trail."""

    list_display = ("at", "kind", "user", "channel", "ip")
    list_filter = ("kind", "channel")
    list_select_related = ("user",)
    date_hierarchy = "at"
    ordering = ("-at",)
    fields = (*list_display, "agent", "fingerprint")
