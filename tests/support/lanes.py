"""What tests on the event loop act with: a loop that closes its connections, and a count of what lanes wait for."""

import asyncio
from collections import Counter
from contextlib import contextmanager

import asyncdb
from asyncdb.postgresql.connection import Connection


def on_loop(main):
    """Run an async function without arguments on a loop of its own; returns what it returns."""

    async def whole():
        try:
            return await main()
        finally:
            await asyncdb.close()

    return asyncio.run(whole())


def in_one_lane(function, *args):
    """Run one plain function on a loop of its own."""
    return on_loop(lambda: asyncdb.run(function, *args))


async def gather(*functions):
    """Run plain functions at once, each in a lane; returns what each came to, in order."""
    return await asyncio.gather(*(asyncdb.run(function) for function in functions))


def outcomes(results):
    """How often each came to pass."""
    return dict(Counter(results))


@contextmanager
def at_wait(number, do):
    """Call `do` before the wait of this number (from 0) of all lanes; yields a list with one entry for each wait."""
    waits, original = [], Connection._wait_async

    async def counted(self, *args):
        waits.append(self)
        if len(waits) - 1 == number:
            do(self)
        return await original(self, *args)

    Connection._wait_async = counted
    try:
        yield waits
    finally:
        Connection._wait_async = original
