"""List providers, take one out of use or put it back: manage.py provider list|out|in NAME [--untested]"""

from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from accounts.sessions.client import ClientInfo
from backoffice.admin import provider_health
from messaging.models import Provider, Readiness

LIST, OUT, IN = "list", "out", "in"
NOTES = {
    Readiness.UNTESTED: "It is untested and carries nothing but test messages. To use it all the same: add --untested",
    Readiness.WAIVED: "Nobody tested it. If a setting is wrong, codes are lost, those of staff too.",
}


class Command(BaseCommand):
    """For whoever runs the site when staff cannot sign in: a provider that is wrong may have their codes."""

    help = __doc__

    def add_arguments(self, parser):
        """What to do, and with which provider."""
        parser.add_argument("wish", choices=[LIST, OUT, IN])
        parser.add_argument("name", nargs="?", default="")
        parser.add_argument(
            "--untested", action="store_true", help="with in: use it without a test message"
        )

    def handle(self, *args, wish, name, untested, **options):
        """Do it and write it down, then say how things are."""
        if wish != LIST:
            self._switch(self._find(name), wish == IN, untested)
        for row in provider_health.with_health(Provider.objects.all()):
            state = provider_health.state(row, has_sent=bool(row.handed_at))
            self.stdout.write(f"{row.channel}  {row.name} ({row.kind}): {state}")
        for notice in provider_health.notices():
            self.stdout.write(notice)

    def _find(self, name):
        row = Provider.objects.filter(name=name).first()
        if row is None:
            names = ", ".join(Provider.objects.order_by("name").values_list("name", flat=True))
            raise CommandError(f"No provider has that name. There are: {names or 'none'}")
        return row

    def _switch(self, row, on, untested):
        moved = row.switch(on)
        if on and untested and row.readiness == Readiness.UNTESTED:
            moved = row.release(Readiness.WAIVED) or moved
        if moved:
            audit.record("staff_changed", client=ClientInfo(), about=f"provider {row.pk}")
        row.refresh_from_db()
        if on and row.readiness in NOTES:
            self.stdout.write(NOTES[row.readiness])
