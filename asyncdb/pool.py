"""The connections of an event loop: so many, each lent to one lane at a time, and none that may be broken."""

import asyncio
import select
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import load_backend
from psycopg.pq import TransactionStatus

from asyncdb import bridge, listen
from asyncdb.conf import option
from asyncdb.postgresql.base import DatabaseWrapper

Params = ParamSpec("Params")
Result = TypeVar("Result")

# A connection that answered so short a time ago, and whose socket is silent, is not asked whether it is there.
FRESH_SECONDS = 5.0


class PoolFull(Exception):
    """All connections are in use, and none was given back in time. A moment later one may be free."""


class Pool:
    """At most `size` connections; whoever finds none free waits for as long as `patience` (seconds)."""

    def __init__(self, size: int, patience: float, alias: str = DEFAULT_DB_ALIAS) -> None:
        self.alias = alias
        self._free = asyncio.Semaphore(size)
        self._patience = patience
        # The last one given back is lent first. The others grow old, and are closed when they are lent again.
        self._idle: list[DatabaseWrapper] = []
        self._is_closed = False

    async def run(
        self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a plain function in a lane with a connection of its own. Raises PoolFull before it begins."""
        loan = Loan(self)
        await loan.take()
        before = _loan.set(loan)
        try:
            return await bridge.run(function, *args, **kwargs)
        finally:
            _loan.reset(before)
            loan.give_back()

    async def lend(self) -> DatabaseWrapper:
        """Take a connection out. Raises PoolFull."""
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise PoolFull from None
        try:
            return self._checked(self._idle.pop()) if self._idle else self._made()
        except BaseException:
            self._free.release()
            raise

    def take_back(self, wrapper: DatabaseWrapper) -> None:
        """Keep a connection for the next lane if it is as good as new, else close it."""
        if _is_clean(wrapper) and not self._is_closed:
            wrapper.last_used = time.monotonic()
            wrapper.queries_log.clear()
            self._idle.append(wrapper)
        else:
            # The server rolls back what a connection leaves open.
            _drop(wrapper)
        self._free.release()

    def close(self) -> None:
        """Close the connections that nobody uses; the others are closed when they are given back."""
        self._is_closed = True
        while self._idle:
            _drop(self._idle.pop())

    def _made(self) -> DatabaseWrapper:
        wrapper = connections.create_connection(self.alias)
        if not isinstance(wrapper, DatabaseWrapper):
            raise ImproperlyConfigured(f"ENGINE of {self.alias!r} is none of asyncdb.postgresql")
        wrapper.is_lent = True
        return wrapper

    def _checked(self, wrapper: DatabaseWrapper) -> DatabaseWrapper:
        """What Django does between two requests: close what is too old, and ask again whether the server is there."""
        now = time.monotonic()
        if _has_news(wrapper) or (wrapper.close_at is not None and now >= wrapper.close_at):
            wrapper.close()
        wrapper.health_check_done = now - wrapper.last_used < FRESH_SECONDS
        return wrapper


class Loan:
    """The connection that a lane has, between `take` and `give_back`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._wrapper: DatabaseWrapper | None = None

    async def take(self) -> None:
        """Have a connection: `django.db.connection` is it from now on. Raises PoolFull."""
        self._wrapper = connections[self._pool.alias] = await self._pool.lend()

    def give_back(self) -> None:
        """Have none any more. What was taken back before stays so."""
        if self._wrapper is not None:
            del connections[self._pool.alias]
            wrapper, self._wrapper = self._wrapper, None
            self._pool.take_back(wrapper)

    @property
    def can_pause(self) -> bool:
        """Whether the lane is between two transactions, so that the next one may be on another connection."""
        return self._wrapper is not None and not self._wrapper.in_atomic_block


_loan: ContextVar[Loan | None] = ContextVar("asyncdb.loan", default=None)
_pools: "WeakKeyDictionary[asyncio.AbstractEventLoop, Pool]" = WeakKeyDictionary()


async def run(
    function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
) -> Result:
    """Run a plain function on the event loop, with the ORM in it and without a thread.

    It has a connection of its own; returns what it returns and raises what it raises. Raises PoolFull before it
    begins where no connection is free, and CancelledError when its task is cancelled: its query is then cancelled on
    the server, and its transaction rolled back.
    """
    return await _of_loop().run(function, *args, **kwargs)


@asynccontextmanager
async def paused() -> AsyncIterator[None]:
    """Give the connection of this lane back for a while, unless it is in a transaction. Raises PoolFull at the end."""
    loan = _loan.get()
    if loan is None or not loan.can_pause:
        yield
        return
    loan.give_back()
    try:
        yield
    except Exception:
        await loan.take()
        raise
    # Whoever is cancelled needs no connection: it has no transaction that could be rolled back.
    await loan.take()


async def close() -> None:
    """Close the connections of this loop, when its process ends."""
    listen.close()
    pool = _pools.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        pool.close()


def is_native(alias: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether the database is reached by this package, so that `run` works."""
    backend = load_backend(connections.settings[alias]["ENGINE"])
    return issubclass(backend.DatabaseWrapper, DatabaseWrapper)


def _of_loop() -> Pool:
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        _pools[loop] = Pool(int(option("POOL_SIZE")), option("POOL_TIMEOUT"))
    return _pools[loop]


def _is_clean(wrapper: DatabaseWrapper) -> bool:
    """Whether nothing of the lane that had it is left: no transaction, no hooks, no error that it may not survive."""
    if wrapper.connection is None:
        return True
    left_over = wrapper.in_atomic_block, wrapper.run_on_commit, wrapper.execute_wrappers
    return (
        not any(left_over)
        and not wrapper.errors_occurred
        and wrapper.autocommit == wrapper.settings_dict["AUTOCOMMIT"]
        and wrapper.connection.info.transaction_status == TransactionStatus.IDLE
    )


def _has_news(wrapper: DatabaseWrapper) -> bool:
    """Whether the server said something while nobody asked: mostly that it is gone."""
    connection = wrapper.connection
    if connection is None or connection.closed:
        return connection is not None
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _drop(wrapper: DatabaseWrapper) -> None:
    wrapper.run_on_commit = []
    # Not by its own close(), which keeps the connection of an open transaction for its end.
    if wrapper.connection is not None:
        wrapper.connection.close()
