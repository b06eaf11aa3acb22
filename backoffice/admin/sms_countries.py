"""Where texts go: a switch for each country, and one for everywhere."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.models import SmsCountry
from backoffice.modeladmin import LargeTableModelAdmin
from backoffice.support import challenge_status


@admin.register(SmsCountry)
class SmsCountryAdmin(LargeTableModelAdmin):
    """Which countries are texted, and how many of the codes sent there to sign-ups came back within a day."""

    list_display = ("__str__", "is_open", "state", "sent", "verified", "share_verified", "since")
    list_filter = ("is_open",)
    ordering = ("code",)
    fields = ("code", "is_open", "state", "sent", "verified", "share_verified", "since")
    actions = ("stop", "allow")

    def get_queryset(self, request):
        """Countries that know whether they have closed themselves."""
        return super().get_queryset(request).with_state()

    def get_readonly_fields(self, request, obj=None):
        """Staff turn the switch; the counting is ours."""
        counted = ("state", "sent", "verified", "share_verified", "since")
        return ("code", *counted) if obj else counted

    def has_delete_permission(self, request, obj=None):
        """Nobody: a country without a row would be open again."""
        return False

    def save_model(self, request, obj, form, change):
        """Turn the switch, which also begins to count anew or notes the reason."""
        if not change:
            super().save_model(request, obj, form, change)
        if "is_open" in form.changed_data or not change:
            country = SmsCountry.objects.filter(pk=obj.pk)
            country.open() if obj.is_open else country.close()

    @admin.display(description=_("who gets none"))
    def state(self, country):
        return challenge_status.country_state(country) if country else ""

    @admin.display(description=_("came back, %"))
    def share_verified(self, country):
        return country.share

    @admin.action(description=_("Send no texts there"), permissions=["change"])
    def stop(self, request, countries):
        """Close the chosen countries, at once."""
        countries.close()
        self._log(request, countries, _("Texts stopped"))

    @admin.action(description=_("Send texts again"), permissions=["change"])
    def allow(self, request, countries):
        countries.open()
        self._log(request, countries, _("Texts allowed"))

    def _log(self, request, countries, words):
        for country in countries.all():
            self.log_change(request, country, str(words))
