"""The database is cut off, full, read-only, dead or slow: people are told at once, and all goes on after it."""

import os
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.faults.parts import Line, Shopper, free_port, wait_for
from tests.support.invariants import lost_messages, strange_sessions, violated

PEOPLE, SECONDS = 4, 3
SERVED, REFUSED, UNAVAILABLE = {200, 303}, {422, 429}, 503
ANONYMOUS = ["/", "/login/", "/register/", "/password-reset/", "/verify-email/", "/not-me/"]


class Shop:
    """A site with a database and a role of its own, reached over a line that can be cut."""

    def __init__(self, servers, start, environment):
        self.name = self.role = f"trouble_{os.getpid()}"
        self.admin_url = servers[0]
        address = urlsplit(servers[0])
        self.line = Line(address.hostname, address.port or 5432)
        own = address._replace(path=f"/{self.name}")
        self.own_url = urlunsplit(own)
        self.sql(f"CREATE ROLE {self.role} LOGIN", url=servers[0])
        self.sql(f"CREATE DATABASE {self.name} OWNER {self.role}", url=servers[0])
        netloc = f"{self.role}@127.0.0.1:{{}}"
        self.direct_url = direct = urlunsplit(
            own._replace(netloc=netloc.format(address.port or 5432))
        )
        through_line = urlunsplit(own._replace(netloc=netloc.format(self.line.port)))
        migrating = start("migrate", "python", "manage.py", "migrate", env={"DATABASE_URL": direct})
        assert migrating.process.wait(120) == 0, migrating.said
        port = free_port()
        own = {"PORT": str(port), "WEB_CONCURRENCY": "1", "WEB_THREADS": "8", "LOG_LEVEL": "INFO"}
        self.address = f"http://127.0.0.1:{port}"
        self.web = start(
            "shop", "python", "-m", "storefront.serve", env={**own, "DATABASE_URL": through_line}
        )
        self.worker = start(
            "shop-worker", "celery", "-A", "storefront", "worker", "--concurrency", "1",
            "--loglevel", "info", "--without-gossip", "--without-mingle", env={"DATABASE_URL": direct},
        )  # fmt: skip
        self.worker.wait_until_it_says(" ready.")
        wait_for(self.answers, 60)

    def sql(self, statement, *values, url=None):
        """Ask the database itself, as its operator."""
        with psycopg.connect(url or self.own_url, autocommit=True) as connection:
            cursor = connection.execute(statement, *values)
            return cursor.fetchall() if cursor.description else []

    def answers(self):
        try:
            return Shopper(self.address).get("/readyz").status_code == 200
        except OSError:
            return False

    def end_connections(self):
        """Terminate all that the site has, as an operator may."""
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [self.role]
        )

    def set_role(self, what):
        self.sql(f"ALTER ROLE {self.role} {what}")


@pytest.fixture(scope="module")
def shop(servers, start, environment):
    shop = Shop(servers, start, environment)
    yield shop
    shop.line.refuse()
    shop.web.kill()
    shop.worker.kill()
    shop.sql(f"DROP DATABASE {shop.name} WITH (FORCE)", url=servers[0])
    shop.sql(f"DROP ROLE {shop.role}", url=servers[0])


@pytest.fixture(scope="module")
def people(shop, post_office):
    """Some who are signed in."""
    people = [Shopper(shop.address) for _ in range(PEOPLE)]
    for person in people:
        person.identify()
        letter = wait_for(lambda person=person: post_office.to(person.email))[-1]
        person.finish(letter.code)
    return people


@pytest.fixture(autouse=True)
def _shop_is_whole(shop, people, post_office):
    """After each fault what must hold holds (I1 to I8), and everybody is served."""
    yield
    wait_for(shop.answers)
    for person in people:
        assert person.get("/account/").status_code == 200
    # Some typed a password (I3).
    assert not violated(shop.sql, leave_out=["I3"])
    assert not lost_messages(shop.sql, post_office.ids)
    assert not strange_sessions(shop.sql, [person.cookies["__Host-session"] for person in people])


class Visits:
    """What happened to people who came while something was wrong."""

    def __init__(self):
        self.statuses, self.slowest, self.retries = Counter(), 0.0, set()
        self.pages = Counter()

    def note(self, ask, page, **fields):
        """One request."""
        began = time.monotonic()
        try:
            answer = ask(page, **fields)
        except OSError as problem:
            self.statuses[repr(problem)] += 1
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.statuses[answer.status_code] += 1
        if answer.status_code not in SERVED | REFUSED:
            self.retries.add(answer.headers.get("Retry-After"))
            self.pages[answer.status_code, answer.request.method, answer.request.path_url] += 1


@contextmanager
def visits(shop, people):
    """People come and go, some signed in, some not, as long as the block runs."""
    seen, stop = Visits(), threading.Event()

    def visit(person):
        while not stop.is_set():
            stranger = Shopper(shop.address)
            wrong = {"identifier": stranger.email, "password": "x" * 20}
            for ask, page, fields in [
                (person.get, "/account/", {}),
                (stranger.get, "/login/", {}),
                (stranger.post, "/login/", wrong),
                (stranger.get, "/register/", {}),
                (stranger.post, "/register/", {"identifier": stranger.email}),
                (stranger.get, "/register/verify/", {}),
            ]:
                if not stop.is_set():
                    seen.note(ask, page, **fields)

    visitors = [threading.Thread(target=visit, args=(person,)) for person in people]
    for visitor in visitors:
        visitor.start()
    try:
        yield seen
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join(60)


def assert_told(seen, shop, before):
    """Nobody got a 500, and whoever got a 503 knows when to try again; no trace is in the log."""
    assert set(seen.statuses) <= SERVED | REFUSED | {UNAVAILABLE}, (seen.statuses, seen.pages)
    assert seen.retries <= {"5"}
    assert '"exceptions"' not in shop.web.said[before:]
    assert '"level": "error"' not in shop.web.said[before:]


def test_connections_are_ended_while_people_are_there(  # AVL-01, I1 to I8
    shop, people, record_property
):
    before = len(shop.web.said)
    with visits(shop, people) as seen:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            shop.end_connections()
            time.sleep(0.05)

    record_property("answers, slowest", (dict(seen.statuses), seen.slowest))
    assert_told(seen, shop, before)
    assert seen.statuses[UNAVAILABLE]
    assert seen.slowest < 3


def test_no_connection_is_left(shop, people, record_property):  # AVL-01
    before = len(shop.web.said)
    shop.set_role("CONNECTION LIMIT 0")
    shop.end_connections()
    try:
        with visits(shop, people) as seen:
            time.sleep(SECONDS)
        strangers = {page: Shopper(shop.address).get(page).status_code for page in ANONYMOUS}
    finally:
        shop.set_role("CONNECTION LIMIT -1")

    record_property("answers, slowest", (dict(seen.statuses), seen.slowest))
    assert_told(seen, shop, before)
    assert all(status < 500 for status in strangers.values()), strangers
    assert seen.slowest < 3


def test_the_database_can_only_be_read(shop, people, record_property):  # AVL-01
    before = len(shop.web.said)
    # Whoever was idle for a while: to note that they are back fails.
    shop.sql("UPDATE accounts_session SET last_used_at = now() - interval '10 minutes'")
    shop.set_role("SET default_transaction_read_only = on")
    shop.end_connections()
    try:
        wait_for(lambda: people[0].get("/account/").status_code == 200)
        shown = [person.get("/account/").status_code for person in people]
        with visits(shop, people) as seen:
            time.sleep(SECONDS)
        assert not shop.answers()
        assert Shopper(shop.address).get("/livez").status_code == 200
    finally:
        shop.set_role("RESET default_transaction_read_only")
        shop.end_connections()

    record_property("answers, slowest", (dict(seen.statuses), seen.slowest))
    assert shown == [200] * PEOPLE
    assert_told(seen, shop, before)
    assert {method for _status, method, _page in seen.pages} == {"POST"}


def test_the_database_dies_and_comes_back(shop, people, sql, record_property):  # AVL-01
    ((pid,),) = shop.sql("SELECT pid FROM pg_stat_activity WHERE usename = %s LIMIT 1", [shop.role])
    if Path(f"/proc/{pid}").stat().st_uid != os.geteuid() and os.geteuid():
        pytest.skip("may not kill the database")
    before = len(shop.web.said)
    # It is of the same server, and does not outlive it.
    sql("SELECT 1").connection.close()
    with visits(shop, people) as seen:
        time.sleep(0.5)
        # All others end with it, and the server starts anew.
        os.kill(pid, signal.SIGKILL)
        time.sleep(SECONDS)

    record_property("answers, slowest", (dict(seen.statuses), seen.slowest))
    assert_told(seen, shop, before)
    assert seen.slowest < 5


# Nothing waits for ever


def test_a_table_is_locked(shop, people, record_property):  # AVL-01
    before, alive = len(shop.web.said), Visits()
    with psycopg.connect(shop.own_url) as holder:
        holder.execute("LOCK TABLE accounts_securityevent IN ACCESS EXCLUSIVE MODE")
        with visits(shop, people) as seen:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                alive.note(Shopper(shop.address).get, "/livez")
                time.sleep(0.1)

    record_property("answers, slowest", (dict(seen.statuses), seen.slowest, alive.slowest))
    assert_told(seen, shop, before)
    assert seen.statuses[UNAVAILABLE]
    assert "55P03" in shop.web.said[before:]
    assert seen.slowest < 4
    assert set(alive.statuses) == {200}
    # Whoever waited for the table would wait for three seconds.
    assert alive.slowest < 2


def test_the_database_falls_silent(shop, people, record_property):  # AVL-01
    before = len(shop.web.said)
    with visits(shop, people) as seen:
        time.sleep(0.5)
        shop.line.hang()
        time.sleep(SECONDS)
    slowest, told = seen.slowest, dict(seen.statuses)
    with visits(shop, people) as seen:
        time.sleep(SECONDS)
    shop.line.open()

    record_property("answers, slowest", (told, slowest, dict(seen.statuses), seen.slowest))
    assert_told(seen, shop, before)
    # A statement was under way; then nobody was there.
    assert slowest < 14
    assert seen.slowest < 6


SHOW = """
from django.db import connection
with connection.cursor() as cursor:
    for name in ("lock_timeout", "statement_timeout"):
        cursor.execute(f"SHOW {name}")
        print(cursor.fetchone()[0])
"""


def test_who_waits_how_long(shop, start):  # AVL-01
    shop.set_role("SET lock_timeout = '3s'")
    try:
        asked = {
            name: start(
                name, "python", "manage.py", "shell", "--no-imports", "-c", SHOW,
                env={"DATABASE_URL": shop.direct_url, "LOG_LEVEL": "WARNING", **own},
            )
            for name, own in {
                "asks-web": {"IS_WEB": "1"},
                # There nothing is set at connecting, and the role has its own.
                "asks-pooled": {"IS_WEB": "1", "DATABASE_POOLED": "1"},
                "asks-by-hand": {},
            }.items()
        }  # fmt: skip
        said = {name: (each.process.wait(60), each.said.split()) for name, each in asked.items()}
    finally:
        shop.set_role("RESET lock_timeout")

    assert said == {
        "asks-web": (0, ["2s", "10s"]),
        "asks-pooled": (0, ["3s", "0"]),
        "asks-by-hand": (0, ["3s", "0"]),
    }
