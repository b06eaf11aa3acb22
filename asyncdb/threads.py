"""The one place where work leaves the loop: what takes the processor, or speaks to a server that is no database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from asyncdb import bridge, pool
from asyncdb.conf import option

Params = ParamSpec("Params")
Result = TypeVar("Result")


class ThreadsFull(Exception):
    """As many functions are in threads as may be at once, and none was done in time."""


class Place:
    """Room for one thread, kept by whoever reserved it and by what runs in it."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._keepers = 1
        self.is_running = False

    def start(self) -> None:
        """A thread begins here."""
        self._keepers += 1
        self.is_running = True

    def done(self, work: "asyncio.Future[Any]") -> None:
        """It ends."""
        self.is_running = False
        self.leave()
        # An error that nobody waits for any more is not told as one that was forgotten.
        if not work.cancelled():
            work.exception()

    def leave(self) -> None:
        """Keep it no longer. The next in the queue has it when nobody does."""
        self._keepers -= 1
        if not self._keepers:
            self._free.release()


_reserved: ContextVar[Place | None] = ContextVar("asyncdb.reserved", default=None)


class Threads:
    """So many threads at once. The others wait on the loop, for as long as `patience` (seconds)."""

    def __init__(self, size: int, patience: float) -> None:
        self._free = asyncio.Semaphore(size)
        self._patience = patience

    async def take(self) -> Place:
        """Wait for a place. Raises ThreadsFull."""
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise ThreadsFull from None
        return Place(self._free)

    async def run(
        self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a function in a thread: in the place that was reserved, if one was. Raises ThreadsFull."""
        reserved = _reserved.get()
        if reserved is not None and not reserved.is_running:
            return await _in(reserved, function, *args, **kwargs)
        place = await self.take()
        try:
            return await _in(place, function, *args, **kwargs)
        finally:
            place.leave()


async def _in(
    place: Place, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
) -> Result:
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    place.start()
    work.add_done_callback(place.done)
    # A thread cannot be cancelled. Whoever is, goes, and the thread keeps its place until it is done.
    return await asyncio.shield(work)


_threads: "WeakKeyDictionary[asyncio.AbstractEventLoop, Threads]" = WeakKeyDictionary()


def in_thread(
    function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
) -> Result:
    """Run a function in a thread while this lane waits, or here where there is no loop. It must not use the database.

    Outside of a transaction the lane gives its connection back for as long as it takes: a queue for hashes must not
    keep connections from others. Raises ThreadsFull, and PoolFull where no connection is free afterwards.
    """
    if bridge.in_lane():
        return bridge.await_in_lane(_run(function, *args, **kwargs))
    bridge.refuse_to_block()
    return function(*args, **kwargs)


@asynccontextmanager
async def thread_reserved() -> AsyncIterator[None]:
    """Wait for a thread before a flow begins, so that `in_thread` in it need not wait. Raises ThreadsFull.

    For flows that count a try before they look at a password: whoever is turned away for want of a thread is turned
    away before anything was counted.
    """
    place = await _of_loop().take()
    before = _reserved.set(place)
    try:
        yield
    finally:
        _reserved.reset(before)
        place.leave()


async def _run(
    function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
) -> Result:
    async with pool.paused():
        return await _of_loop().run(function, *args, **kwargs)


def _of_loop() -> Threads:
    loop = asyncio.get_running_loop()
    if loop not in _threads:
        _threads[loop] = Threads(int(option("THREADS")), option("THREAD_TIMEOUT"))
    return _threads[loop]
