"""How often something was refused, for each minute."""

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

# The minute it is, by the database's clock, as the column keeps it.
THIS_MINUTE = {
    "postgresql": "date_trunc('minute', clock_timestamp())",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:00', 'now')",
}


# For this statement alone PostgreSQL does not wait for its disk: a flood shares one row, and each request would wait
# for the disk of all before it. A crash may forget the refusals of its last second.
AT_ONCE = {
    "postgresql": "set_config('synchronous_commit', 'off', true) = 'off'",
    "sqlite": "true",
}


ONE_MORE = """
INSERT INTO accounts_refusalcount AS kept (minute, kind, identifier_kind, country, space, count)
SELECT {minute}, %s, %s, %s, %s, 1 WHERE {at_once}
ON CONFLICT (minute, kind, identifier_kind, country, space) DO UPDATE SET count = kept.count + 1
"""


class RefusalCountManager(models.Manager["RefusalCount"]):
    """Counts refusals."""

    def add(
        self, kind: str, *, identifier_kind: str = "", country: str = "", space: str = ""
    ) -> None:
        """Count one more, in one statement, never in a transaction that matters."""
        vendor = connection.vendor
        statement = ONE_MORE.format(minute=THIS_MINUTE[vendor], at_once=AT_ONCE[vendor])
        with connection.cursor() as cursor:
            cursor.execute(statement, [kind, identifier_kind, country, space])


class RefusalCount(models.Model):
    """How often something was refused within one minute: a flood of refusals is a number and not a flood of rows."""

    minute = models.DateTimeField(_("minute"))
    kind = models.CharField(_("what"), max_length=40)
    identifier_kind = models.CharField(_("kind of identifier"), max_length=8, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    # Which space of the API was asked, "" for the pages.
    space = models.CharField(max_length=8, blank=True)
    count = models.PositiveIntegerField(_("number"))

    objects = RefusalCountManager()

    class Meta:
        verbose_name = _("count of refusals")
        verbose_name_plural = _("counts of refusals")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["minute", "kind", "identifier_kind", "country", "space"],
                name="refusals_counted_once",
            )
        ]

    def __str__(self):
        return f"{self.kind} {self.minute:%Y-%m-%d %H:%M}"
