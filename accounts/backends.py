"""Who may do what on the staff pages."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import Q


class OneQuestionBackend(ModelBackend):
    """Django's own, but a user's permissions and those of their roles are read in one statement."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Names like "accounts.view_user"; none of single rows, and none for whoever is shut out."""
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        if not hasattr(user_obj, "_perm_cache"):
            may = Q(user=user_obj) | Q(group__user=user_obj)
            names = (
                Permission.objects.all()
                if user_obj.is_superuser
                else Permission.objects.filter(may)
            )
            pairs = names.order_by().values_list("content_type__app_label", "codename").distinct()
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in pairs}
        return user_obj._perm_cache
