"""Erase the accounts whose time has come, for whoever runs no beat: manage.py erase_accounts"""

from django.core.management.base import BaseCommand

from accounts.flows import deletion


class Command(BaseCommand):
    """Erases until nothing is due."""

    help = __doc__

    def handle(self, *args, **options):
        erased = sum(iter(deletion.erase_due, 0))
        self.stdout.write(f"{erased} erased")
