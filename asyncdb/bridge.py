"""Plain functions on an event loop: each runs in a greenlet, and only what it waits for is awaited.

As SQLAlchemy's asyncio does it. The greenlet is called a lane: a function in it is interrupted where it waits for the
database, and nowhere else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.core.exceptions import SynchronousOnlyOperation
from greenlet import getcurrent, greenlet

Params = ParamSpec("Params")
Result = TypeVar("Result")


class Lane(greenlet):  # type: ignore[misc]  # greenlet has no types
    """Runs one function. Who started it awaits what it waits for."""

    cancelled: asyncio.CancelledError | None = None
    # Its coroutine is being closed: there is nobody left who could await anything.
    is_abandoned = False

    def fail(self, error: BaseException) -> Any:
        """Raise `error` where the function waits; returns what it waits for next, or its result."""
        if isinstance(error, asyncio.CancelledError):
            self.cancelled = error
        self.is_abandoned = isinstance(error, GeneratorExit)
        return self.throw(error)


async def run(
    function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
) -> Result:
    """Run a plain function in a lane; returns what it returns, raises what it raises.

    A cancelled task raises CancelledError where the function waits, so that its `with` and `finally` blocks do their
    work; they may wait for the database once more, as a rollback does.
    """
    lane = Lane(partial(function, *args, **kwargs))
    # Context variables are those of the task, and what the function sets is set there.
    lane.gr_context = getcurrent().gr_context
    try:
        result: Result = await _drive(lane)
    except Exception as error:
        # An error on the way out, as of a connection that cannot roll back, must not hide that the task was cancelled.
        if lane.cancelled is not None:
            raise lane.cancelled from error
        raise
    return result


async def _drive(lane: Lane) -> Any:
    step = lane.switch()
    while not lane.dead:
        try:
            value = await step
        except BaseException as error:  # noqa: BLE001  all of them belong to the function
            step = lane.fail(error)
        else:
            step = lane.switch(value)
    return step


def await_in_lane(awaitable: Awaitable[Result]) -> Result:
    """Wait for something from inside a lane, while the loop does other work."""
    lane = getcurrent()
    if not isinstance(lane, Lane) or lane.parent is None:
        raise RuntimeError("not in a lane: asyncdb.run() starts one")
    if lane.is_abandoned:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        raise GeneratorExit
    result: Result = lane.parent.switch(awaitable)
    return result


def in_lane() -> bool:
    """Whether the caller runs in a lane."""
    return isinstance(getcurrent(), Lane)


def refuse_to_block() -> None:
    """Raise SynchronousOnlyOperation where waiting would hold up the loop: on one, and not in a lane."""
    if in_lane():
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise SynchronousOnlyOperation(
        "This would hold up the event loop. Call it in a function that asyncdb.run() runs."
    )
