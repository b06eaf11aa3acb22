"""A query that every request asks, put into SQL once: to do it again each time takes longer than to run it."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.query import get_related_populators

Row = TypeVar("Row", bound=models.Model)


class Compiled(Generic[Row]):
    """A query for one row, of which one value changes: `Compiled(lambda value: ...).first(value)`.

    It is asked for first; everything else must be the same each time. Rows come with what `select_related` and
    `annotate` name.
    """

    def __init__(self, query: Callable[[str], models.QuerySet[Row]]) -> None:
        self._query = query
        # How values are read is a matter of the connection, which belongs to one thread.
        self._readers: WeakKeyDictionary[object, _Reader] = WeakKeyDictionary()

    def first(self, value: str) -> Row | None:
        """The row for `value`, or None. Raises whatever the database does."""
        connection = connections[DEFAULT_DB_ALIAS]
        reader = self._readers.get(connection)
        if reader is None:
            reader = self._readers[connection] = _Reader(self._query(value))
        with connection.cursor() as cursor:
            cursor.execute(reader.sql, [value, *reader.constants])
            found = cursor.fetchone()
        return reader.row(found) if found else None


class _Reader:
    """What Django's own iteration over a queryset works out before its first row."""

    def __init__(self, query: models.QuerySet[Any]) -> None:
        self._model, self._database = query.model, query.db
        self._compiler = compiler = query.query.get_compiler(query.db)
        # One value changes: the first parameter.
        self.sql, (_value, *self.constants) = compiler.as_sql()
        chosen, info = compiler.select, compiler.klass_info
        self._own = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
        self._names = [column[0].target.attname for column in chosen[self._own]]
        # The stubs are of a later Django.
        self._related = get_related_populators(info, chosen, query.db)  # type: ignore[call-arg]
        self._annotated = compiler.annotation_col_map
        self._converters = compiler.get_converters([column[0] for column in chosen])

    def row(self, found: tuple[Any, ...]) -> Any:
        values = next(iter(self._compiler.apply_converters([found], self._converters)))
        row = self._model.from_db(self._database, self._names, values[self._own])
        for related in self._related:
            related.populate(values, row)
        for name, at in self._annotated.items():
            setattr(row, name, values[at])
        return row
