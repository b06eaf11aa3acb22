"""What each call of the JSON API costs its process, by turns with the same call in the JSON of the pages.

Doors: the pages as a program uses them, `/api/v1/auth/` with `/api/auth/`, `/api/v2/auth/` in the sync server, and on
PostgreSQL `/api/v2/auth/` on the event loop. All are called as a server calls them, in one process, without a socket;
within a round each door does the same step for somebody of its own, and each round begins with another door. Times are
medians of the CPU of all threads. Statements have BEGIN and COMMIT among them; on the loop they are the waits for the
database. Passwords are hashed cheaply here: the real hash is measured on its own, and costs every door the same.
"""

import argparse
import asyncio
import io
import json
import logging
import math
import statistics
import time
from itertools import product

from bench.signup import CHEAP, PASSWORD, hash_ms  # the first of ours: it sets up Django

# isort: split
from asgiref.sync import SyncToAsync
from django.core.wsgi import get_wsgi_application
from django.db import connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

import asyncdb
from accounts.models import Challenge, Session
from api import tokens
from asyncdb.postgresql.connection import Connection
from storefront.native_handler import ProgramsHandler

WARM_UP = 10
# What a door may cost of another one's CPU, and what a call of it may cost by itself: ms and statements.
RATIOS = {("v1", "pages"): 1, ("v2", "v1"): 1.1, ("v2 native", "v1"): 1.35}
MOST = {"register": (math.inf, 9), "token/refresh": (2, 3), "me": (1, 1)}
MEASURED_WITH_RATIO = ("register", "verify-otp")
MINT_AND_READ = 0.25
HOST = "shop.example"
LOOP = asyncio.new_event_loop()


class Wsgi:
    """The sync server's side of one client; keeps its cookies."""

    application = staticmethod(get_wsgi_application())

    def __init__(self, ip):
        self.ip, self.cookies = ip, {}

    def call(self, method, path, sent=None, **headers):
        """One request; gives the status and what the JSON says."""
        body = json.dumps(sent).encode() if sent is not None else b""
        path, _mark, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": HOST,
            "SERVER_PORT": "443",
            "HTTP_HOST": HOST,
            "REMOTE_ADDR": self.ip,
            "CONTENT_TYPE": "application/json" if body else "",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "HTTP_ACCEPT": "application/json",
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        told = []
        response = self.application(environ, lambda status, head: told.append((status, head)))
        answer = b"".join(response)
        response.close()
        for name, value in told[0][1]:
            if name.lower() == "set-cookie":
                self.cookies.update([value.partition(";")[0].split("=", 1)])
        is_json = answer.startswith((b"{", b"["))
        return int(told[0][0][:3]), json.loads(answer) if is_json else {}


class Native:
    """The event loop's side of one client."""

    handler = None

    def __init__(self, ip):
        self.ip = ip

    def call(self, method, path, sent=None, **headers):
        """The same as one ASGI scope."""
        Native.handler = Native.handler or ProgramsHandler()
        waiting = [{"type": "http.request", "body": json.dumps(sent).encode() if sent else b""}]
        told = []

        async def receive():
            if waiting:
                return waiting.pop()
            return await asyncio.Future()

        async def send(message):
            told.append(message)

        head = {"host": HOST, "content-type": "application/json", "accept": "*/*", **headers}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in head.items()],
            "client": (self.ip, 50000),
            "server": (HOST, 443),
            "scheme": "https",
        }
        LOOP.run_until_complete(self.handler(scope, receive, send))
        body = b"".join(each.get("body", b"") for each in told[1:])
        return told[0]["status"], json.loads(body or b"{}")


class Pages:
    """A program that uses the pages' own JSON."""

    name = "pages"

    def __init__(self, client, who):
        self.client, self.who = client, who
        self.client.call("GET", "/register/", accept="text/html")

    def steps(self):
        """Each call and what it does."""
        yield "register", lambda: self.post("/register/", **self.whole())
        yield "verify-otp", lambda: self.post("/register/verify/", code=code_of(self.who))
        yield "me", lambda: self.client.call("GET", "/account/")
        yield "logout", lambda: self.post("/logout/")
        yield "login", lambda: self.login()

    def whole(self):
        """All that an account needs."""
        return {"identifier": self.who, "name": "Ana Lopez", "password": PASSWORD}

    def login(self):
        return self.post("/login/", identifier=self.who, password=PASSWORD)

    def post(self, path, **sent):
        token = next(
            (value for name, value in self.client.cookies.items() if name.endswith("csrftoken")), ""
        )
        return self.client.call("POST", path, sent, x_csrftoken=token, origin=f"https://{HOST}")


class Api:
    """An app, in one space or two."""

    def __init__(self, client, who, *, first="/api/v1/auth/", second="/api/auth/"):
        self.client, self.who, self.first, self.second = client, who, first, second
        self.user_id = self.access = self.refresh = self.device_token = ""

    def steps(self):
        """Each call and what it does."""
        yield "register", self.register
        yield "verify-otp", self.verify
        yield (
            "me",
            lambda: self.client.call(
                "GET", f"{self.second}me/", authorization=f"Bearer {self.access}"
            ),
        )
        yield (
            "token/refresh",
            lambda: self.keep(
                self.client.call("POST", f"{self.second}token/refresh/", {"refresh": self.refresh})
            ),
        )
        yield (
            "logout",
            lambda: self.client.call("POST", f"{self.second}logout/", {"refresh": self.refresh}),
        )
        yield (
            "login",
            lambda: self.client.call(
                "POST",
                f"{self.second}login/",
                # As a browser comes back: known by what an earlier sign-in left with it.
                {"email": self.who, "password": PASSWORD, "device_token": self.device_token},
            ),
        )

    def register(self):
        sent = {"email": self.who, "password": PASSWORD, "password_confirm": PASSWORD}
        status, told = self.client.call(
            "POST", f"{self.first}register/", {**sent, "name": "Ana Lopez"}
        )
        self.user_id = told.get("user_id")
        return status, told

    def verify(self):
        sent = {"user_id": self.user_id, "otp": code_of(self.who)}
        return self.keep(self.client.call("POST", f"{self.first}verify-otp/", sent))

    def keep(self, answer):
        self.access, self.refresh = answer[1].get("access"), answer[1].get("refresh")
        self.device_token = answer[1].get("device_token", self.device_token)
        return answer


V2 = {"first": "/api/v2/auth/", "second": "/api/v2/auth/"}
DOORS = {
    "pages": lambda ip, who: Pages(Wsgi(ip), who),
    "v1": lambda ip, who: Api(Wsgi(ip), who),
    "v2": lambda ip, who: Api(Wsgi(ip), who, **V2),
}
NATIVE = {"v2 native": lambda ip, who: Api(Native(ip), who, **V2)}
CALLS = ("register", "verify-otp", "me", "token/refresh", "logout", "login")
codes = {}


def code_of(who):
    """The code of somebody, looked up before their turn."""
    return codes[who]


def play(number, doors, measure):
    """One round: each door does each step for somebody of its own, `measure` notes what it costs."""
    order = list(doors)[number % len(doors) :] + list(doors)[: number % len(doors)]
    people = {}
    for place, door in enumerate(order):
        ip = f"10.{place}.{number // 250}.{number % 250 + 1}"
        who = f"{door.replace(' ', '-')}-{number}@example.com"
        people[door] = (who, dict(doors[door](ip, who).steps()))
    for call in CALLS:
        for door, (who, steps) in people.items():
            if call == "verify-otp":
                codes[who] = newest_code(who)
            if call in steps:
                status, told = measure(door, call, steps[call])
                assert status < 400, (door, call, status, told)


def newest_code(who):
    """The code that was sent last."""
    return Challenge.objects.filter(address=who).latest("created_at").code


class Costs:
    """What each call of each door cost."""

    def __init__(self):
        self.spent, self.counted, self.hops = {}, {}, 0

    def time(self, door, call, act):
        """Note the CPU of all threads of this process."""
        start = time.process_time()
        answer = act()
        spent = (time.process_time() - start) * 1000
        self.spent.setdefault((door, call), []).append(spent)
        return answer

    def count(self, door, call, act):
        """Note the statements; on the loop the waits, and each time that something left it for a thread."""
        waits, hops = [], []
        wait, hop = Connection._wait_async, SyncToAsync.__call__

        async def counted_wait(connection, *args):
            waits.append(args)
            return await wait(connection, *args)

        async def counted_hop(self, *args, **kwargs):
            hops.append(args)
            return await hop(self, *args, **kwargs)

        Connection._wait_async, SyncToAsync.__call__ = counted_wait, counted_hop
        try:
            with CaptureQueriesContext(connection) as queries:
                answer = act()
        finally:
            Connection._wait_async, SyncToAsync.__call__ = wait, hop
        self.counted[door, call] = len(waits) if door in NATIVE else len(queries)
        self.hops += len(hops)
        return answer

    def report(self, doors):
        """Print the table, with how each door compares with the one before it."""
        rounds = len(next(iter(self.spent.values())))
        print(f"\n{connection.vendor}: {rounds} rounds; CPU in ms, statements in brackets")
        heads = "".join(f"{door:>16}" for door in doors)
        ratios = [pair for pair in RATIOS if pair[0] in doors]
        print(f"{'call':14}{heads}" + "".join(f"{f'{a} / {b}':>17}" for a, b in ratios))
        for call in CALLS:
            cells = "".join(f"{self._cell(door, call):>16}" for door in doors)
            more = "".join(f"{self._ratio(call, *pair):>17}" for pair in ratios)
            print(f"{call:14}{cells}{more}")
        if "v2 native" in doors:
            print(f"times that the loop left something to a thread of Django's: {self.hops}")
        for line in self._over(doors):
            print(f"over what it is to cost: {line}")

    def _over(self, doors):
        """What costs more than it is to."""
        pairs = [(pair, most) for pair, most in RATIOS.items() if pair[0] in doors]
        for call, ((door, other), most) in product(MEASURED_WITH_RATIO, pairs):
            if self._median(door, call) > most * self._median(other, call):
                yield f"{call} of {door}, more than {most} times that of {other}"
        for call, (milliseconds, statements) in MOST.items():
            if self._median("v1", call) > milliseconds:
                yield f"{call} of v1, more than {milliseconds} ms"
            if self.counted["v1", call] > statements:
                yield f"{call} of v1, more than {statements} statements"

    def _median(self, door, call):
        return statistics.median(self.spent[door, call])

    def _cell(self, door, call):
        times = self.spent.get((door, call))
        return f"{statistics.median(times):.2f} ({self.counted[door, call]})" if times else "-"

    def _ratio(self, call, door, other):
        both = [self.spent.get((each, call)) for each in (door, other)]
        if not all(both):
            return "-"
        return f"{statistics.median(both[0]) / statistics.median(both[1]):.2f}"


def papers():
    """What is answered without a row, and what a token costs."""
    client = Wsgi("10.9.9.9")
    for path in ("/.well-known/jwks.json", "/api/v1/openapi.json", "/api/v2/openapi.json"):
        client.call("GET", path)
        with CaptureQueriesContext(connection) as queries:
            client.call("GET", path)
        start = time.process_time()
        for _number in range(50):
            client.call("GET", path)
        spent = (time.process_time() - start) * 20
        print(f"GET {path}: {spent:.2f} ms, {len(queries)} statements")
    session = Session.objects.filter(client="app").select_related("user").first()
    start = time.process_time()
    for _number in range(500):
        tokens.read_access(tokens.mint_access(session))
    spent = (time.process_time() - start) * 2
    print(f"an access token made and read: {spent:.3f} ms, of {MINT_AND_READ} at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", nargs="?", type=int, default=100, help="rounds to measure")
    parser.add_argument("--api", action="store_true", help="as script/bench is asked for this one")
    arguments = parser.parse_args()
    logging.disable()
    one_hash = hash_ms()
    database = connection.creation.create_test_db(verbosity=0, serialize=False)
    try:
        with override_settings(**CHEAP, TOKEN_KEYS=[tokens.new_key()]):
            walk(arguments.number)
        print(f"the hash on top of each password: {one_hash:.1f} ms")
    finally:
        LOOP.run_until_complete(asyncdb.close())
        connections.close_all()
        connection.creation.destroy_test_db(database, verbosity=0)


def walk(rounds):
    """Warm up, count, measure, print."""
    doors, costs = dict(DOORS), Costs()
    if connection.vendor == "postgresql":
        # Connections that the loop makes wait on it; the one that stands is the sync server's.
        connections.settings["default"]["ENGINE"] = "storefront.api_postgresql"
        doors |= NATIVE
    for number in range(WARM_UP):
        play(number, doors, lambda door, call, act: act())
    play(WARM_UP, doors, costs.count)
    for number in range(WARM_UP + 1, WARM_UP + 1 + rounds):
        play(number, doors, costs.time)
    costs.report(doors)
    papers()


if __name__ == "__main__":
    main()
