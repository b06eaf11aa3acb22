"""What the database says of its own accord: one connection of the loop listens, for however many wait for a word."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

logger = logging.getLogger(__name__)

# After a connection is lost, or cannot be made.
RETRY_SECONDS = 2.0
# What Django hands to psycopg itself, and not to the server.
OF_DJANGO = ("context", "cursor_factory", "prepare_threshold")


class Listener:
    """Listens to one channel. Whoever subscribes to a payload is woken by each notification with it."""

    def __init__(self, channel: str, alias: str = DEFAULT_DB_ALIAS) -> None:
        self._channel, self._alias = channel, alias
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def subscribed(self, payload: str) -> Iterator[asyncio.Event]:
        """Give an event that is set by each notification, and whenever one may have been missed."""
        news = asyncio.Event()
        self._waiting.setdefault(payload, set()).add(news)
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        try:
            yield news
        finally:
            self._waiting[payload].discard(news)
            if not self._waiting[payload]:
                del self._waiting[payload]

    def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (psycopg.Error, OSError) as error:
                logger.warning("not listening to %s: %s", self._channel, type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self) -> None:
        connection = await psycopg.AsyncConnection.connect(_address(self._alias), autocommit=True)
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            # Whatever was said before this one listened.
            for waiting in self._waiting.values():
                _wake(waiting)
            async for notice in connection.notifies():
                _wake(self._waiting.get(notice.payload, set()))


def _wake(waiting: set[asyncio.Event]) -> None:
    for news in waiting:
        news.set()


def _address(alias: str) -> str:
    """LISTEN_URL of the setting ASYNCDB, which leads past a pooler; else the address of the database."""
    url: str = getattr(settings, "ASYNCDB", {}).get("LISTEN_URL", "")
    if url:
        return url
    params: dict[str, Any] = connections.create_connection(alias).get_connection_params()
    return make_conninfo(**{name: each for name, each in params.items() if name not in OF_DJANGO})


_listeners: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Listener]]" = (
    WeakKeyDictionary()
)


def listener(channel: str) -> Listener:
    """The listener of this loop for a channel."""
    of_loop = _listeners.setdefault(asyncio.get_running_loop(), {})
    if channel not in of_loop:
        of_loop[channel] = Listener(channel)
    return of_loop[channel]


def close() -> None:
    """Let all listeners of this loop end."""
    for each in _listeners.pop(asyncio.get_running_loop(), {}).values():
        each.close()
