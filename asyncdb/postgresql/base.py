"""Django's backend for PostgreSQL, on the event loop in a lane and blocking where there is no loop.

Django forbids its connections wherever a loop runs, or with DJANGO_ALLOW_ASYNC_UNSAFE nowhere. Here they are forbidden
where they would hold up the loop: on one, and not in a lane. The variable is not needed, and does not help.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
from django.core.exceptions import SynchronousOnlyOperation
from django.db import ProgrammingError
from django.db.backends.postgresql import base

from asyncdb import bridge
from asyncdb.postgresql.connection import Connection


def _unguarded(name: str) -> Any:
    """Django's method without its guard. Looked up each time, for tests put others in its place."""
    method = getattr(base.DatabaseWrapper, name)
    return getattr(method, "__wrapped__", method)


def _in_lanes(name: str) -> Callable[..., Any]:
    """Django's method, with its guard where there is no lane, and without it in one."""

    def method(self: base.DatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        chosen = _unguarded(name) if bridge.in_lane() else getattr(base.DatabaseWrapper, name)
        return chosen(self, *args, **kwargs)

    return method


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django has it, on a connection that waits in lanes."""

    # What Django asks of the driver, with a connection of ours.
    Database = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})  # type: ignore[assignment]  # a module

    health_check_done: bool

    # Of a pool: another one would be opened in a lane, and by nobody closed.
    is_lent = False
    # When it was given back (time.monotonic).
    last_used = 0.0

    def ensure_connection(self) -> None:
        """Connect if need be. Raises SynchronousOnlyOperation in a lane that has no connection of the pool."""
        if not bridge.in_lane():
            super().ensure_connection()
        elif self.connection is None:
            # As Django has it, in whose place tests put a method that has the guard.
            if not self.is_lent:
                raise SynchronousOnlyOperation("This lane has no database: see asyncdb.run().")
            if self.in_atomic_block and self.closed_in_transaction:
                raise ProgrammingError("Cannot open a new connection in an atomic block.")
            with self.wrap_database_errors:
                self.connect()

    def close(self) -> None:
        """Close the connection, for which nobody waits: on a loop, too."""
        _unguarded("close")(self)

    # What else Django guards by `async_unsafe`.
    chunked_cursor = _in_lanes("chunked_cursor")
    clean_savepoints = _in_lanes("clean_savepoints")
    commit = _in_lanes("commit")
    connect = _in_lanes("connect")
    create_cursor = _in_lanes("create_cursor")
    cursor = _in_lanes("cursor")
    get_new_connection = _in_lanes("get_new_connection")
    rollback = _in_lanes("rollback")
    savepoint = _in_lanes("savepoint")
    savepoint_commit = _in_lanes("savepoint_commit")
    savepoint_rollback = _in_lanes("savepoint_rollback")
