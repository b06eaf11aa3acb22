"""The whole site behind a real socket, on a loop of its own in a thread: the application that the web is served by."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import requests
import uvicorn

from storefront.native_handler import Site
from storefront.serve import PatientProtocol
from tests.support.lanes import on_loop
from tests.support.programs import HOME_OF_PROGRAMS


@contextmanager
def served():
    """Serve; yields the address."""
    config = uvicorn.Config(
        Site(),
        host="127.0.0.1",
        port=0,
        http=PatientProtocol,
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=on_loop, args=[server.serve])
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def at_once(count, act):
    """Call `act` with a connection of its own, so many times at the same moment; returns what came back."""
    start = threading.Barrier(count, timeout=30)

    def run(number):
        with requests.Session() as session:
            start.wait()
            return act(session, number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def headers(number=0):
    """The head of a program, each in a household of its own."""
    ip = f"198.51.100.{number + 1}" if number else HOME_OF_PROGRAMS
    return {"Host": "shop.example", "X-Forwarded-For": ip, "X-Forwarded-Proto": "https"}
