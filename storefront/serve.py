"""How the web is served: python -m storefront.serve

HOST and PORT say where, WEB_CONCURRENCY how many processes, TLS_CERTIFICATE and TLS_KEY (files) that it speaks TLS
itself. HUP replaces the processes one by one, each once the new one is ready; TERM and INT let them finish.
"""

import asyncio
import logging
import os
import resource
import socket
import sys
from collections.abc import Callable
from typing import Any

import environ
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from storefront.observability import logging as site_logging

logger = logging.getLogger(__name__)

# A head has so many seconds and bytes. An idle connection is kept for longer than a proxy in front keeps its own.
HEAD_SECONDS, HEAD_BYTES, IDLE_SECONDS = 10, 64 * 1024, 75
# A process that ends waits so long for the request of a connection that is idle.
LAST_SECONDS = 1.0
# A client that reads nothing of its answer for so long loses it.
READING_SECONDS = 30
# A process that stops lets its requests finish for so long. One that starts, or does not answer, has so long.
STOP_SECONDS, START_SECONDS = 30, 60
# How the address of a stream of events ends, which ends when its client or this process does.
STREAMS = "/events"
BACKLOG, OPEN_FILES = 2048, 65536

# What glibc keeps for later: a hash takes 19 MiB, which should go back to the machine when it is done.
# Read when a process starts, so by the processes that this one starts.
MALLOC = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 20),
}


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which does not wait for ever: neither for a head nor for a client to read its answer.

    What stands behind a body in chunks is no header: uvicorn would add it to those of the head, behind what a proxy of
    ours has written there, so that a client could choose its own address (LIM-06).
    """

    deadline: asyncio.TimerHandle | None = None
    unread: asyncio.TimerHandle | None = None
    # How much came that was neither a whole head nor a piece of a body.
    head_bytes = 0
    in_head = False
    ending = False

    def connection_made(self, transport: Any) -> None:
        """Expect the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        super().connection_lost(exc)
        _cancel(self.deadline)
        _cancel(self.unread)

    def data_received(self, data: bytes) -> None:
        """Count a head, or trailers, that do not end; the first bytes on an idle connection begin a head."""
        if self.deadline is None and self.timeout_keep_alive_task is not None:
            self._expect_head()
        self.head_bytes += len(data)
        super().data_received(data)
        if self.head_bytes > HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """A head begins."""
        self.in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what the head says, and no trailer."""
        if self.in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A piece of the body is there; the handler counts those."""
        self.head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        self.head_bytes = 0
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """The head is there."""
        _cancel(self.deadline)
        self.deadline, self.head_bytes, self.in_head = None, 0, False
        super().on_headers_complete()
        if self.ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Answer once more on a connection that is idle: its request may be on the way when the process ends."""
        self.ending = True
        is_idle = self.cycle is None or self.cycle.response_complete
        if not is_idle and self.cycle.scope["path"].rstrip("/").endswith(STREAMS):
            # It would be open for minutes; its client begins another one, at another process.
            self.transport.close()
        self.loop.call_later(LAST_SECONDS if is_idle else 0, super().shutdown)

    def pause_writing(self) -> None:
        """The client has stopped reading."""
        super().pause_writing()
        self.unread = self.loop.call_later(READING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads."""
        super().resume_writing()
        _cancel(self.unread)

    def _expect_head(self) -> None:
        _cancel(self.deadline)
        self.deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)


class Processes(Multiprocess):
    """uvicorn's, which stops listening before the processes end: nobody shall wait for a process that is gone."""

    def keep_subprocess_alive(self) -> None:
        """Replace whoever has died, also in the middle of being asked whether it lives."""
        for process in self.processes:
            # With its own copy of the child's end, it would wait a minute for the answer of one that was killed.
            process.child_conn.close()
        super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        """At the end of all; a reload goes another way."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def load() -> Callable[..., Any]:
    """The site, in a process that serves it. What hinders it at the start would do so again: it ends them all."""
    try:
        from storefront.asgi import application  # noqa: PLC0415  in the serving processes alone
    except Exception:
        logger.exception("the site cannot start")
        sys.exit(STARTUP_FAILURE)
    return application


def main() -> None:
    """Serve until told to stop."""
    for name, value in MALLOC.items():
        os.environ.setdefault(name, value)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, OPEN_FILES), most))
    env = environ.Env()
    config = uvicorn.Config(
        "storefront.serve:load",
        factory=True,
        http="storefront.serve:PatientProtocol",
        loop="asyncio",
        host=env.str("HOST", "127.0.0.1"),
        port=env.int("PORT", 8000),
        workers=env.int("WEB_CONCURRENCY", 1),
        ssl_certfile=env.str("TLS_CERTIFICATE", "") or None,
        ssl_keyfile=env.str("TLS_KEY", "") or None,
        log_config=site_logging.config(
            debug=env.bool("DEBUG", False), level=env.str("LOG_LEVEL", "INFO")
        ),
        # The site writes its own lines, and judges by itself which proxies are believed.
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        ws="none",
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )
    listener = config.bind_socket()
    # A head and its content are two writes; connections inherit that the second does not wait for the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Processes(config, sockets=[listener]).run()


if __name__ == "__main__":
    main()
