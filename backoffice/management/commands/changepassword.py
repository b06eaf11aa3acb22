"""Set the password of an account, on the word of whoever runs the site: manage.py changepassword USERNAME"""

import getpass

from django.contrib.auth.management.commands import changepassword

from backoffice import staff_auth
from backoffice.management import usernames


class Command(changepassword.Command):
    """Django's own; whoever knew the former password does not get in with what it began."""

    help = __doc__

    def handle(self, *args, **options):
        """Set the password, end what was begun with the former one, and write it down."""
        username = options["username"] or getpass.getuser()
        done = super().handle(*args, **options | {"username": username})
        user = usernames.find(username)
        staff_auth.record_password_set(user)
        self.stdout.write(f"Whoever was signed in must sign in anew: {usernames.shown(user)}")
        return done
