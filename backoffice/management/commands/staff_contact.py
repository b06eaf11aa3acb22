"""Set where the codes of a member of staff go, on your word: manage.py staff_contact USERNAME EMAIL-OR-NUMBER"""

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from accounts import identifiers
from backoffice import roles, staff_auth
from backoffice.management import usernames


class Command(BaseCommand):
    """Takes the contact as verified: whoever may run commands here answers for it."""

    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("username")
        parser.add_argument("contact")

    def handle(self, *args, username, contact, **options):
        user = usernames.find(username, is_staff=True)
        try:
            found = identifiers.parse(contact)
            staff_auth.set_contact(user, found)
        except identifiers.InvalidIdentifier as problem:
            raise CommandError(str(problem)) from None
        except IntegrityError:
            raise CommandError("Another account has that contact.") from None
        self.stdout.write(f"Codes for {user.username} go to {found.masked}")
        self.stdout.write(str(roles.TWO_ACCOUNTS))
