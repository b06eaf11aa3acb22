"""psycopg's plain connection, whose waits are awaited in a lane.

A statement is a generator in psycopg, and all that AsyncConnection does otherwise is how it waits for one. So does
this class. What it uses of psycopg that is not public is pinned by tests/asyncdb/test_contract.py.
"""

import asyncio
import logging
import threading
from types import TracebackType
from typing import Any, Self

import psycopg
from django.core.exceptions import SynchronousOnlyOperation
from psycopg import waiting
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus

from asyncdb import bridge

logger = logging.getLogger(__name__)

WAIT_INTERVAL = 0.1
# A server that does not stop a query for so long loses the connection.
CANCEL_SECONDS = 2.0


class Connection(psycopg.Connection[Any]):
    """A connection of psycopg: in a lane it waits on the loop, where there is no loop as always, else not at all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lock = Lock()  # type: ignore[assignment]  # it is entered and left, and no more

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect as psycopg does. Raises OperationalError."""
        if not bridge.in_lane():
            bridge.refuse_to_block()
            return super().connect(conninfo, **kwargs)
        # AsyncConnection.connect() makes its object by this generator, and then sets its adapters and the like.
        opener: type[Any] = type(
            "Opener", (psycopg.AsyncConnection,), {"_connect_gen": cls._connect_gen}
        )
        connection: Self = bridge.await_in_lane(opener.connect(conninfo, **kwargs))
        return connection

    def wait(
        self, gen: PQGen[RV], interval: float = WAIT_INTERVAL, timeout: float | None = None
    ) -> RV:
        """Wait until the statement is done. Raises SynchronousOnlyOperation on a loop outside of a lane."""
        if bridge.in_lane():
            return bridge.await_in_lane(self._wait_async(gen, interval, timeout))
        bridge.refuse_to_block()
        return super().wait(gen, interval, timeout)

    def cancel(self) -> None:
        """Cancel what the server does for this connection."""
        if bridge.in_lane():
            return self.cancel_safe()
        bridge.refuse_to_block()
        return super().cancel()

    def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """The same, within `timeout` seconds. Raises OperationalError."""
        if bridge.in_lane():
            return bridge.await_in_lane(self._cancel_async(timeout))
        bridge.refuse_to_block()
        return super().cancel_safe(timeout=timeout)

    async def _wait_async(self, gen: PQGen[RV], interval: float, timeout: float | None) -> RV:
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval, timeout)
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._stop(gen, interval)
            raise

    async def _stop(self, gen: PQGen[RV], interval: float) -> None:
        """End a statement whose task was cancelled, as AsyncConnection.wait() does, so that a rollback can follow."""
        try:
            await self._cancel_async(CANCEL_SECONDS)
            await waiting.wait_async(gen, self.pgconn.socket, interval, CANCEL_SECONDS)
        except psycopg.errors.QueryCanceled:
            pass
        except Exception as error:  # noqa: BLE001  whatever it is, the connection cannot be used again
            logger.warning("a query could not be cancelled: %s", type(error).__name__)
            self.pgconn.finish()
        except BaseException:
            self.pgconn.finish()
            raise

    async def _cancel_async(self, timeout: float) -> None:
        if self._should_cancel():
            await waiting.wait_conn_async(self._cancel_gen(), WAIT_INTERVAL, timeout)


class Lock:
    """psycopg's lock of a connection, by threads. A lane must not wait for one: it would wait for another lane."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=not bridge.in_lane()):
            raise SynchronousOnlyOperation("Two lanes must not share a connection.")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()
