"""Make somebody who may do everything on the staff pages, and write that down."""

from django.contrib.auth.management.commands import createsuperuser

from accounts import events
from accounts.flows import staff
from accounts.models import User
from accounts.origin import Origin


class Command(createsuperuser.Command):
    """Django's own, with its place in the audit."""

    def handle(self, *args, **options):
        """Make the account, and say what it is not."""
        known = list(User.objects.filter(is_superuser=True).values_list("pk", flat=True))
        super().handle(*args, **options)
        for user in User.objects.filter(is_superuser=True).exclude(pk__in=known):
            events.record("staff_role_changed", origin=Origin(), user=user)
        self.stdout.write(str(staff.TWO_ACCOUNTS))
