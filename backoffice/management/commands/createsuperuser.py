"""Make somebody who may do everything on the staff pages, and write that down."""

from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandError
from django.db import IntegrityError

from accounts import audit, identifiers
from accounts.models import User
from accounts.sessions.client import ClientInfo
from backoffice import roles
from backoffice.management import usernames

USERNAME_TAKEN = "That username is taken, or kept for somebody who gave it up a short time ago."


class Command(createsuperuser.Command):
    """Django's own, with its place in the audit and the spelling that all usernames have."""

    def handle(self, *args, **options):
        """Make the account, say how its name is spelled, and what it is not."""
        known = list(User.objects.filter(is_superuser=True).values_list("pk", flat=True))
        try:
            super().handle(*args, **options)
        except IntegrityError:
            # Somebody took the name a moment ago.
            raise CommandError(USERNAME_TAKEN) from None
        for user in User.objects.filter(is_superuser=True).exclude(pk__in=known):
            audit.record("staff_role_changed", client=ClientInfo(), user=user)
            self.stdout.write(f"To sign in, in small letters: {usernames.shown(user)}")
        self.stdout.write(str(roles.TWO_ACCOUNTS))

    def _validate_username(self, username, verbose_field_name, database):
        """What is wrong with the name, or None; Django asks before the password."""
        problem = super()._validate_username(username, verbose_field_name, database)
        if problem:
            return problem
        try:
            name = identifiers.normalize_username(username)
        except identifiers.InvalidIdentifier as unreadable:
            return str(unreadable)
        return USERNAME_TAKEN if User.objects.is_username_taken(name) else None
