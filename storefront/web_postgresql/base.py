"""Django's backend for PostgreSQL, which waits for nothing for long (AVL-01).

The web has it. Migrations, workers and commands have Django's own, which lets a statement take its time.
"""

from types import SimpleNamespace
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus

CONNECT_SECONDS, LOCK_SECONDS, STATEMENT_SECONDS = 2, 2, 10
# A server that says nothing at all: a little longer than it gives itself, where it is asked whether it is there less.
SILENT_SECONDS, THERE_SECONDS = STATEMENT_SECONDS + 1, 2
WAIT_INTERVAL = 0.1

SERVER_OPTIONS = f"-c lock_timeout={LOCK_SECONDS}s -c statement_timeout={STATEMENT_SECONDS}s"
# A host that has gone: the kernel tells, also in the middle of what is sent.
TCP_OPTIONS = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": STATEMENT_SECONDS * 1000,
}


class Connection(psycopg.Connection[Any]):
    """psycopg's, which hangs up on a server that falls silent."""

    silent_seconds: float = SILENT_SECONDS

    def wait(
        self, gen: PQGen[RV], interval: float = WAIT_INTERVAL, timeout: float | None = None
    ) -> RV:
        """As psycopg has it, with a limit of its own. Raises OperationalError."""
        try:
            return super().wait(gen, interval, self.silent_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                # The answer may still come: it must not be taken for that to the next question.
                self.close()
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django has it, with time-outs for connecting, locks, statements and silence."""

    # What Django asks of the driver, with a connection of ours.
    Database = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})  # type: ignore[assignment]  # a module

    def get_connection_params(self) -> dict[str, Any]:
        """Add the time-outs; what DATABASE_URL says stands.

        A pooler refuses what is set at connecting, or forgets it: its operator gives the role of the web its time-outs.
        """
        params = {**TCP_OPTIONS, **super().get_connection_params()}
        if not self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
            params["options"] = f"{SERVER_OPTIONS} {params.get('options', '')}".strip()
        return params

    def is_usable(self) -> bool:
        """Ask whether the server is there, and wait less for the answer than for that to a statement."""
        if self.connection is None:
            return False
        self.connection.silent_seconds = THERE_SECONDS
        usable = super().is_usable()
        self.connection.silent_seconds = SILENT_SECONDS
        return usable
