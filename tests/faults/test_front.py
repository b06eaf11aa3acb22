"""What reads the requests: it stands crowds and dawdlers, and is replaced without a failed request."""

import http.client
import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from accounts import conf
from tests.faults.parts import HOST, Shopper, free_port, percentile, wait_for

CROWD = 200
HEADERS = {
    "Host": HOST,
    "Origin": f"https://{HOST}",
    "X-Forwarded-Proto": "https",
    "Content-Type": "application/x-www-form-urlencoded",
}
DAWDLERS = {
    "half a head": b"POST /register/ HTTP/1.1\r\nHost: ",
    "half a body": {"Content-Length": "1000"},
    "half a chunk": {"Transfer-Encoding": "chunked"},
    "nothing": b"",
}


class Caller:
    """A client that sends what it is told, when it is told, over one connection."""

    def __init__(self, site):
        address = urlsplit(site)
        self.line = socket.create_connection((address.hostname, address.port), 5)
        self.line.settimeout(30)

    def send(self, data):
        self.line.sendall(data)
        return self

    def post(self, path, headers, body=b""):
        """Send a head, and `body` or the beginning of one."""
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def answer(self):
        """What comes back: status, headers and content."""
        response = http.client.HTTPResponse(self.line)
        response.begin()
        return response.status, response.headers, response.read()

    def is_hung_up_on(self):
        try:
            return not self.line.recv(4096)
        except ConnectionError:
            return True

    def close(self):
        self.line.close()


def dawdle(site, how):
    """Open a connection that begins a request, or nothing, and leaves it at that."""
    begun, caller = DAWDLERS[how], Caller(site)
    if isinstance(begun, bytes):
        return caller.send(begun)
    return caller.post("/register/", HEADERS | begun, b"5\r\nab")


def chunked(body, size=7):
    """`body` as a client sends it that does not know how long it will be."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def form(shopper, **fields):
    """The headers and the body of a form that `shopper` posts."""
    cookies = "; ".join(f"{name}={value}" for name, value in shopper.cookies.items())
    body = urlencode({**fields, "csrfmiddlewaretoken": shopper.token}).encode()
    return HEADERS | {"X-Forwarded-For": shopper.ip, "Cookie": cookies}, body


def timed(shopper, path):
    """Ask for a page; returns its status and how long it took."""
    status = shopper.get(path).status_code
    return status, shopper.took


@pytest.fixture
def front(start):
    """Starts a web of one's own, which a test may end; gives the process and its address."""
    webs = []

    def front(**environment):
        port = free_port()
        own = {"PORT": str(port), "WEB_CONCURRENCY": "2", "WEB_THREADS": "8", **environment}
        web = start(f"front-{port}", "python", "-m", "storefront.serve", env=own)
        webs.append(web)
        processes = int(own["WEB_CONCURRENCY"])
        wait_for(lambda: web.said.count("Started server process") == processes, 60)
        return web, f"http://127.0.0.1:{port}"

    yield front
    for web in webs:
        web.kill()


# Dawdlers


@pytest.mark.clocked
@pytest.mark.parametrize("how", DAWDLERS)
def test_dawdlers_hold_up_nobody(site, how):  # AVL-02
    shopper = Shopper(site)
    dawdlers = [dawdle(site, how) for _ in range(CROWD)]

    answers = [timed(shopper, path) for path in ("/livez", "/login/") * 6]

    assert {status for status, _took in answers} == {200}
    assert max(took for _status, took in answers[::2]) < 1
    for dawdler in dawdlers:
        dawdler.close()


def test_a_dawdler_is_let_go_in_the_end(site):
    dawdlers = {how: dawdle(site, how) for how in DAWDLERS}

    assert dawdlers["half a head"].is_hung_up_on()
    assert dawdlers["nothing"].is_hung_up_on()
    assert dawdlers["half a body"].answer()[0] == 408
    assert dawdlers["half a chunk"].answer()[0] == 408
    for dawdler in dawdlers.values():
        assert dawdler.is_hung_up_on()


def test_a_connection_that_was_used_dawdles_no_longer_than_a_new_one(site):
    caller = Caller(site)
    caller.send(f"GET /livez HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert caller.answer()[0] == 200

    caller.send(b"GET /liv")

    began = time.monotonic()
    assert caller.is_hung_up_on()
    assert time.monotonic() - began < 15


def test_a_head_has_an_end(site):
    caller = Caller(site).send(b"GET / HTTP/1.1\r\n")

    with pytest.raises(ConnectionError):
        caller.send((b"X-Padding: " + b"x" * 1000 + b"\r\n") * 20_000)


# Bodies


def test_a_body_may_come_in_chunks(site):  # AVL-02
    ana = Shopper(site)
    ana.get("/register/")
    headers, body = form(ana, identifier=ana.email)

    caller = Caller(site).post(
        "/register/", headers | {"Transfer-Encoding": "chunked"}, chunked(body)
    )

    status, headers, _content = caller.answer()
    assert status == 303
    assert headers["Location"].startswith("/register/verify/")


@pytest.mark.parametrize(("too_much", "status"), [(0, 303), (1, 413)])
def test_a_body_in_chunks_may_have_the_most_there_is(site, too_much, status):  # AVL-02, IDN-09
    ana = Shopper(site)
    ana.get("/register/")
    headers, body = form(ana, identifier=ana.email)
    body += b"&padding="
    body += b"x" * (conf.MAX_BODY + too_much - len(body))

    caller = Caller(site).post(
        "/register/", headers | {"Transfer-Encoding": "chunked"}, chunked(body, 4000)
    )

    assert caller.answer()[0] == status


@pytest.mark.parametrize("told", ["in its head", "in no head"])
def test_a_body_that_is_too_large_is_not_waited_for(site, told):  # IDN-09
    caller, large = Caller(site), 100_000_000
    if told == "in its head":
        caller.post("/register/", HEADERS | {"Content-Length": str(large)}, b"x" * 10)
    else:
        caller.post("/register/", HEADERS | {"Transfer-Encoding": "chunked"})
        # As much as shows it, and a part of what would follow.
        caller.send(b"%x\r\n" % large + b"x" * 80_000)

    status, headers, _content = caller.answer()

    assert (status, headers["Connection"]) == (413, "close")


def test_what_stands_behind_a_body_is_no_header(site, logs):  # LIM-06
    body = b"0\r\nX-Forwarded-For: 203.0.113.99\r\nHost: evil.example\r\n\r\n"
    told = HEADERS | {"X-Forwarded-For": "198.51.100.77", "Transfer-Encoding": "chunked"}

    caller = Caller(site).post("/there-is-no-trailer/", told, body)

    assert caller.answer()[0] == 404
    (line,) = re.findall(
        r'.*"path": "/there-is-no-trailer/".*"ip".*', (logs / "web.log").read_text()
    )
    assert "198.51.100." in line
    # The connection goes on.
    caller.send(f"GET /livez HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert caller.answer()[0] == 200


@pytest.mark.parametrize(
    ("begun", "piece"),
    [(b"0\r\n", b"X-Padding: " + b"x" * 1000 + b"\r\n"), (b"1;", b"x" * 1000)],
    ids=["trailers", "a note on a chunk"],
)
def test_what_is_said_beside_a_body_has_an_end(site, begun, piece):  # IDN-09
    caller = Caller(site).post("/register/", HEADERS | {"Transfer-Encoding": "chunked"}, begun)

    with pytest.raises(ConnectionError):
        caller.send(piece * 20_000)


# Crowds


def sign_in(site, count):
    """Post `count` wrong passwords at the same moment, each of somebody else; returns what reads the answers."""
    shoppers = [Shopper(site) for _ in range(count)]
    template = Shopper(site)
    template.get("/login/")
    callers = []
    for shopper in shoppers:
        shopper.cookies, shopper.token = template.cookies, template.token
        callers.append((Caller(site), form(shopper, identifier=shopper.email, password="x" * 20)))
    for caller, (headers, body) in callers:
        caller.post("/login/", headers | {"Content-Length": str(len(body))}, body)
    return [caller for caller, _form in callers]


def in_background(work):
    """Run `work` in a thread; returns a function that waits for what it returns."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()

    def result():
        thread.join(60)
        return results[0]

    return result, thread


@pytest.mark.clocked
def test_a_crowd_of_wrong_passwords_holds_up_no_other_page(front, sql, rounds):  # AVL-02, LIM-09
    web, site = front()
    shopper = Shopper(site)
    for _ in range(20):
        timed(shopper, "/login/")
    before, failed = web.megabytes, _failures(sql)

    answers, took, most = [], [], before
    for _round in range(rounds(1, 2)):
        callers = sign_in(site, rounds(80, CROWD))
        result, reading = in_background(lambda callers=callers: [each.answer() for each in callers])
        while reading.is_alive():
            status, seconds = timed(shopper, "/register/")
            assert status == 200
            took.append(seconds)
            most = max(most, web.megabytes)
        answers += result()

    statuses = Counter(status for status, _headers, _content in answers)
    assert percentile(took, 0.95) < 0.5
    assert set(statuses) <= {422, 503}
    turned_away = [headers for status, headers, _content in answers if status == 503]
    assert all(int(headers["Retry-After"]) > 0 for headers in turned_away)
    # Whoever was turned away has lost no try.
    assert _failures(sql) - failed == statuses[422]
    # Two hashes for each core are 38 MB, and each is given back when it is done.
    assert most < before + 38 * conf.CORES + 50
    wait_for(lambda: web.megabytes < before + 40)


def _failures(sql):
    asked = sql("SELECT count(*) FROM accounts_securityevent WHERE kind = 'sign_in_failed'")
    return asked.fetchone()[0]


# Reload and end


def test_a_reload_fails_nobody(front):
    web, site = front()
    before, answers, stop = set(web.children), Counter(), threading.Event()

    def visit():
        shopper = Shopper(site)
        while not stop.is_set():
            try:
                answers[shopper.get("/login/").status_code] += 1
            except OSError as problem:
                answers[repr(problem)] += 1

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    os.kill(web.process.pid, signal.SIGHUP)
    wait_for(lambda: web.said.count("Started server process") == 4, 90)
    wait_for(lambda: len(before & set(web.children)) < 2, 30)
    stop.set()
    for visitor in visitors:
        visitor.join()

    assert set(answers) == {200}, answers


def test_a_process_that_is_killed_while_it_is_asked_whether_it_lives_is_replaced_at_once(front):
    # AVL-02
    web, _site = front(WEB_CONCURRENCY="1")
    (pid,) = [pid for pid in web.children if is_serving(pid)]
    os.kill(pid, signal.SIGSTOP)
    # It is asked every half second, and waited for.
    time.sleep(1.5)

    os.kill(pid, signal.SIGKILL)

    wait_for(lambda: web.said.count("Started server process") == 2, 30)


def is_serving(pid):
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_what_is_under_way_is_finished_before_the_end(front):
    web, site = front()
    ana = Shopper(site)
    ana.get("/register/")
    headers, body = form(ana, identifier=ana.email)
    caller = Caller(site).post(
        "/register/", headers | {"Content-Length": str(len(body))}, body[:10]
    )
    wait_for(lambda: Shopper(site).get("/livez").status_code == 200)

    os.kill(web.process.pid, signal.SIGTERM)
    wait_for(lambda: _is_closed(site))
    caller.send(body[10:])

    assert caller.answer()[0] == 303
    assert web.process.wait(20) == 0
    line = re.search(r'.*"path": "/register/".*"status": 303.*', web.said)
    assert line
    assert ana.email not in web.said


def _is_closed(site):
    try:
        Caller(site).close()
    except OSError:
        return True
    return False
