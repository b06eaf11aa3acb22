"""Roles, as Django has them: what is changed about them is written down, too."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.db.models import Q

from backoffice.modeladmin import LargeTableModelAdmin

admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(LargeTableModelAdmin, GroupAdmin):
    """A role: a group of permissions."""

    def search_condition(self, text):
        """Read a part of a role's name."""
        return Q(name__icontains=text)
