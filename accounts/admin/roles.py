"""Roles, as Django has them: what is changed about them is written down, too."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group

from messaging.admin.noted import Noted

admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(Noted, GroupAdmin):
    """Who may do what."""
