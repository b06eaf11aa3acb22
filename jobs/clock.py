"""The one clock: the database's. What stands in rows is compared with the moment at which they were read (TIM-01).

Web, workers and beat run on machines whose clocks disagree; the database has one. Its time comes with a row that is
read anyway, so that no statement is added.
"""

from datetime import datetime
from typing import Self, TypeVar

from django.db import connection, models
from django.db.models.functions import Now
from django.utils.functional import cached_property

Row = TypeVar("Row", bound=models.Model)


class ReadAtQuerySet(models.QuerySet[Row]):
    """Rows that can bring the database's time along."""

    def with_read_at(self) -> Self:
        """Each with the moment at which it was read."""
        return self.annotate(read_at=Now())


class ReadAtMixin:
    """A row that knows when it was read."""

    @cached_property
    def read_at(self) -> datetime:
        """The database's time when the row was read; where the query did not bring it, now, by one more statement."""
        return database_time()


def database_time() -> datetime:
    """Ask the database what time it is: where no row is read that could bring it along."""
    now = Now()
    compiler = models.sql.Query(None).get_compiler(connection=connection)
    sql, params = compiler.compile(now)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}", params)
        values = cursor.fetchone()
    return next(compiler.apply_converters([values], compiler.get_converters([now])))[0]
