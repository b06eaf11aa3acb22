"""Many at once: real threads, each with a connection of its own, and what must stand afterwards."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, connections

from accounts.errors import Refused
from tests.support.invariants import violated
from tests.support.people import Shopper

# Rendering a hundred pages at once only warms the machine.
MOSTLY_JSON = ["page", "htmx", *["json"] * 18]


def at_once(*acts):
    """Do all of it at the same moment; returns what each came to, in order."""
    start = threading.Barrier(len(acts), timeout=30)

    def run(act):
        try:
            connection.ensure_connection()
            start.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [done.result() for done in [pool.submit(run, act) for act in acts]]


def refusal_of(act, *args, **kwargs):
    """What `act` was refused with, or None."""
    try:
        act(*args, **kwargs)
    except Refused as refusal:
        return type(refusal).__name__
    return None


def tabs(shopper, count, faces=MOSTLY_JSON, **client):
    """The same browser, `count` times: every tab has the cookies as they are now. `client` may say its address."""
    return [_tab(shopper, faces[number % len(faces)], **client) for number in range(count)]


def _tab(shopper, face, **client):
    tab = Shopper(face, **client)
    tab.link = shopper.link
    tab.client.cookies.load(
        {name: morsel.value for name, morsel in shopper.client.cookies.items() if morsel.value}
    )
    return _in_a_hurry(tab)


def crowd(count):
    """Strangers, each at home somewhere else."""
    return [_in_a_hurry(Shopper(ip=f"198.51.100.{number + 1}")) for number in range(count)]


def _in_a_hurry(shopper):
    """Let a crash be an answer, 500."""
    shopper.client.raise_request_exception = False
    return shopper


def statuses(responses):
    return {response.status_code for response in responses}


def assert_nothing_is_broken():
    # Nobody sweeps here: what nobody sends stays (I5).
    assert not violated(rows, leave_out=["I5"])


def rows(statement):
    """What a statement finds."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
