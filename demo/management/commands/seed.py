"""Fill PostgreSQL with a believable year of made-up people, to try the site at size: script/seed --users 100000"""

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, connections
from django.utils.timezone import now

from accounts import audit, limits
from accounts.models import Challenge, SecurityEvent, Session, User
from accounts.sessions.client import ClientInfo
from backoffice.dashboard import rollups
from demo import year
from messaging.models import OutboxMessage, Provider, Receipt
from ratelimits.engine import consume, exhaust

TABLES = (User, Challenge, SecurityEvent, Session, OutboxMessage, Receipt)
# Who carried the messages: kept out of use, for they have no credentials.
PROVIDERS = (
    ("Main post", "postmark", "email", 1),
    ("Spare post", "amazon_ses", "email", 2),
    ("Main texts", "twilio", "sms", 1),
    ("Spare texts", "vonage", "sms", 2),
)
SLICE = 20_000
LOCKED_ACCOUNTS, ORIGIN = 20, ClientInfo(ip="192.0.2.1")


class Command(BaseCommand):
    """Makes people, a slice at a time, on as many connections as there are jobs."""

    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--users", type=int, default=100_000, help="how many people")
        parser.add_argument("--jobs", type=int, default=2, help="connections that write at once")
        parser.add_argument(
            "--dashboard-days",
            type=int,
            default=90,
            help="days that the sign-up dashboard is counted for",
        )
        parser.add_argument("--more", action="store_true", help="although there are users already")
        parser.add_argument(
            "--yes-this-database", metavar="NAME", help="its name, where DEBUG is off"
        )

    def handle(self, *, users, jobs, dashboard_days, more, yes_this_database, **options):
        """Refuse where it could do harm, write, and say how fast it went."""
        there = self._refuse(more, yes_this_database)
        start = time.monotonic()
        values = year.values_for(there + users, salt=settings.SITE_NAME, providers=_add_providers())
        slices = [
            (first, min(first + SLICE, there + users))
            for first in range(there, there + users, SLICE)
        ]
        with ThreadPoolExecutor(jobs, initializer=year.prepare, initargs=(values,)) as pool:
            done = [pool.submit(year.write, *part, values) for part in slices]
            for (_first, until), written in zip(slices, done, strict=True):
                self._say(
                    f"{until - there:,} of {users:,} people, {written.result():,} rows", start
                )
            _lock_some()
            _analyze()
            self._say("Counting what the sign-up dashboard shows", start)
            list(pool.map(rollups.roll_up_day, _days(dashboard_days)))
            for _job in range(jobs):
                pool.submit(connections.close_all)
        rows = sum(written.result() for written in done)
        took = time.monotonic() - start
        self._say(f"Done: {rows:,} rows, {rows / took:,.0f} a second", start)

    def _refuse(self, more, named):
        if connection.vendor != "postgresql":
            raise CommandError(
                "This fills PostgreSQL only: its statements make the rows inside the database. "
                "Set DATABASE_URL to a PostgreSQL, or run: script/services script/seed --users 1000"
            )
        name = connection.settings_dict["NAME"]
        if not settings.DEBUG and named != name:
            raise CommandError(
                f"DEBUG is off, so these may be real people. If not: --yes-this-database {name}"
            )
        there = User.objects.filter(is_staff=False).count()
        if there and not more:
            raise CommandError(f"There are {there:,} users already. To add others: --more")
        return there

    def _say(self, what, start):
        self.stdout.write(f"{time.monotonic() - start:6.1f} s  {what}")


def _days(number):
    return (now() - ago * rollups.DAY for ago in range(number))


def _add_providers():
    """Enter those who carried the messages; returns their ids, by channel."""
    ids: dict[str, list[UUID]] = defaultdict(list)
    for name, kind, channel, rank in PROVIDERS:
        facts = {"kind": kind, "channel": channel, "rank": rank, "is_active": False}
        row, _is_new = Provider.objects.get_or_create(name=name, defaults=facts)
        ids[channel].append(row.pk)
    return ids


def _lock_some():
    """Close the password's way of the newest few, as so many failures would."""
    newest = User.objects.filter(email__isnull=False).order_by("-date_joined")[:LOCKED_ACCOUNTS]
    for user in newest:
        taken = consume(
            limits.passwords_by_name(user.contacts[0]), limits.passwords_by_account(str(user.pk))
        )
        exhaust(*taken.values())
        audit.record("password_locked", client=ORIGIN, identifier=user.contacts[0], user=user)


def _analyze():
    """Tell the planner what there is now, and mark pages that everybody may see."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"VACUUM (ANALYZE) {table._meta.db_table}")
