"""Make somebody who may do everything on the staff pages, and write that down."""

from django.contrib.auth.management.commands import createsuperuser

from accounts import audit
from accounts.models import User
from accounts.sessions.client import Origin
from backoffice import roles


class Command(createsuperuser.Command):
    """Django's own, with its place in the audit."""

    def handle(self, *args, **options):
        """Make the account, and say what it is not."""
        known = list(User.objects.filter(is_superuser=True).values_list("pk", flat=True))
        super().handle(*args, **options)
        for user in User.objects.filter(is_superuser=True).exclude(pk__in=known):
            audit.record("staff_role_changed", origin=Origin(), user=user)
        self.stdout.write(str(roles.TWO_ACCOUNTS))
