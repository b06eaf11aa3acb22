"""What staff call the providers that messages and rollups know by their id, also those that were deleted."""

from functools import cached_property
from uuid import UUID

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from messaging import providers
from messaging.models import Provider

# For rows with a `provider_id`: the name in the same statement, None for what is no row now.
NAME = Subquery(Provider.objects.filter(pk=OuterRef("provider_id")).values("name"))


class ProviderNames:
    """The names of all providers at this moment: made once for a page, and asked for when one is needed."""

    def name_for(self, provider_id: UUID | str | None, *, known: str | None = None, nobody=""):
        """What to call the provider with this id, when `known` does not say it; `nobody` without one."""
        if not provider_id:
            return nobody
        pk = UUID(str(provider_id))
        return (
            known
            or providers.ENVIRONMENT_PROVIDERS.get(pk)
            or self._entered.get(pk)
            or self._deleted_name(pk)
        )

    @cached_property
    def _entered(self):
        return providers.names()

    @cached_property
    def _deleted(self):
        """The last names of the providers that staff deleted, by id as text."""
        rows = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Provider), action_flag=DELETION
        )
        return dict(rows.values_list("object_id", "object_repr"))

    def _deleted_name(self, pk):
        key = str(pk)
        return _("%(name)s (deleted)") % {"name": self._deleted.get(key, key[:8])}


class NamesProvidersMixin:
    """For an admin whose rows have a `provider_id`: gives each row on a page its `provider_name`."""

    def get_changelist_instance(self, request):
        changelist = super().get_changelist_instance(request)
        names = ProviderNames()
        for row in changelist.result_list:
            row.provider_name = names.name_for(row.provider_id)
        return changelist

    def get_object(self, request, object_id, from_field=None):
        row = super().get_object(request, object_id, from_field)
        if row:
            row.provider_name = ProviderNames().name_for(row.provider_id)
        return row
