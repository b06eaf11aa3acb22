"""Say what an account may do on the staff pages: manage.py staff_role USERNAME Support|Operations|Auditor|none"""

from django.core.management.base import BaseCommand

from backoffice import roles
from backoffice.management import usernames

NONE = "none"


class Command(BaseCommand):
    """Gives exactly one role, or takes all. Superusers come from createsuperuser alone."""

    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("username")
        parser.add_argument("role", choices=[*roles.ROLE_NAMES, NONE])

    def handle(self, *args, username, role, **options):
        user = usernames.find(username)
        was_staff, was_superuser = user.is_staff, user.is_superuser
        roles.set_role(user, "" if role == NONE else role)
        self.stdout.write(f"{usernames.shown(user)}: {role}")
        if role != NONE:
            self.stdout.write(str(roles.TWO_ACCOUNTS))
        if was_superuser:
            self.stdout.write(f"{user.username} is no superuser any more.")
        if role != NONE and not was_staff:
            self.stdout.write(
                f"The password of the shop is gone. Set one: script/manage changepassword {user.username}"
            )
        if role != NONE and not user.contacts:
            self.stdout.write(
                "There is no contact to send a code to yet: script/manage staff_contact"
            )
