"""The one place where work leaves the loop: what takes the processor, or speaks to a server that is no database."""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from asyncdb import bridge, pool
from asyncdb.conf import option

Params = ParamSpec("Params")
Result = TypeVar("Result")


class ThreadsFull(Exception):
    """As many functions are in threads as may be at once, and none was done in time."""


class Threads:
    """So many threads at once. The others wait on the loop, for as long as `patience` (seconds)."""

    def __init__(self, size: int, patience: float) -> None:
        self._free = asyncio.Semaphore(size)
        self._patience = patience

    async def run(
        self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a function in a thread. Raises ThreadsFull."""
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise ThreadsFull from None
        work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
        work.add_done_callback(self._done)
        # A thread cannot be cancelled. Whoever is, goes, and the thread keeps its place until it is done.
        return await asyncio.shield(work)

    def _done(self, work: "asyncio.Future[Any]") -> None:
        self._free.release()
        # An error that nobody waits for any more is not told as one that was forgotten.
        if not work.cancelled():
            work.exception()


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
