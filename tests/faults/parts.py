"""The real parts of a site, each a process or a socket of its own, that a test may stop, kill or cut off."""

import asyncio
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from email import message_from_bytes, policy
from http.cookies import SimpleCookie
from pathlib import Path

import requests
from aiosmtpd.controller import Controller

BIN = Path(sys.executable).parent
HOST = "shop.example"
CODE = re.compile(r"(?<!\d)\d{8}(?!\d)")


def free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, seconds=60, pause=0.05):
    """Return what `what()` gives as soon as it is true; fail when it never is. Nobody waits longer than need be."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s for {what}")


class Process:
    """A program of the site, in a process group of its own, that logs into a file."""

    def __init__(self, name, *command, env, home, logs):
        self.name, self.log = name, logs / f"{name}.log"
        self.before = len(self.said)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / command[0], *command[1:]],
                cwd=home,
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self):
        """What all processes of this name have logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def is_alive(self):
        return self.process.poll() is None

    def wait_until_it_says(self, words):
        """Wait for a line that this process, not one before it, writes."""
        wait_for(lambda: not self.is_alive or words in self.said[self.before :])
        assert self.is_alive, self.said[-3000:]

    @property
    def children(self):
        """The processes it has started, by id."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in listed.read_text().split()]

    @property
    def megabytes(self):
        """Its memory and that of its children, shared pages counted once (PSS)."""
        pids = [self.process.pid, *self.children]
        return sum(_pss(pid) for pid in pids) / 1024

    def stop(self, how=signal.SIGTERM):
        """End it and its children, and wait."""
        if self.is_alive:
            os.killpg(self.process.pid, how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def retire(self):
        """Let its main process end it, once the children are done with what they are at; and wait."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        """End it as a power cut would."""
        self.stop(signal.SIGKILL)


class Shell:
    """A Python inside the site that does one thing after another, as `manage.py shell` would each."""

    def __init__(self, env, home):
        self.process = subprocess.Popen(
            [sys.executable, "-c", LISTEN],
            cwd=home,
            env={**env, "DJANGO_SETTINGS_MODULE": "storefront.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code, **values):
        """Run some code that knows `values`; it fails here if it failed there."""
        print(json.dumps([code, values]), file=self.process.stdin, flush=True)
        trouble = json.loads(self.process.stdout.readline())
        assert not trouble, trouble

    def close(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait(10)


LISTEN = """
import json, sys, traceback
import django
django.setup()
from django.db import connections
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    code, values = json.loads(line)
    connections.close_all()
    try:
        exec(code, values)
        trouble = ""
    except Exception:
        trouble = traceback.format_exc()
    print(json.dumps(trouble), file=answers, flush=True)
"""


def _pss(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])


def percentile(values, share):
    """The value that `share` of all stay under."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Line:
    """A TCP line to a server that a test can cut: `open`, `refused` (nobody listens) or `hung` (nobody answers)."""

    def __init__(self, host, port):
        self.target, self.port = (host, port), free_port()
        self.ends, self.server = [], None
        self.state = "refused"
        self.open()

    def open(self):
        """Carry what is sent."""
        self._cut()
        self._listen("open")

    def refuse(self):
        """Hang up, and take no more calls."""
        self._cut()
        self._stop_listening("refused")

    def hang(self):
        """Take calls and say nothing; the calls there are go silent too."""
        if self.state != "open":
            self._listen("hung")
        self.state = "hung"

    def _listen(self, state):
        self.state = state
        if self.server:
            return
        line = self

        class Call(socketserver.BaseRequestHandler):
            def handle(self):
                line._carry(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 100

        self.server = Server(("127.0.0.1", self.port), Call)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _stop_listening(self, state):
        self.state = state
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def _cut(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.ends.clear()

    def _carry(self, near):
        self.ends.append(near)
        while self.state == "hung":
            time.sleep(0.05)
        try:
            far = socket.create_connection(self.target, 2)
        except OSError:
            return
        far.settimeout(None)
        self.ends.append(far)
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()

    def _pump(self, source, sink):
        try:
            while chunk := source.recv(65536):
                while self.state == "hung":
                    time.sleep(0.05)
                sink.sendall(chunk)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


class PostOffice:
    """A real SMTP server that keeps what it gets; it can be told to refuse once, or to fall silent."""

    def __init__(self):
        self.letters, self.refused, self.refuse_once = [], [], set()
        # Of all there ever were, also when a test has emptied the shelf.
        self.ids = []
        self.silent_for, self.takes = set(), 0.0
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.controller.start()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.controller.port}"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        letter = Letter(envelope)
        if letter.to in self.refuse_once:
            self.refuse_once.discard(letter.to)
            self.refused.append(letter)
            return f"451 4.7.1 I will not take: {letter.subject} {letter.code}"
        self.letters.append(letter)
        self.ids.append(letter.id)
        await asyncio.sleep(self.takes)
        while letter.to in self.silent_for:
            await asyncio.sleep(0.05)
        return "250 OK"

    @property
    def duplicates(self):
        """How many letters came that had come before."""
        return len(self.letters) - len({letter.id for letter in self.letters})

    def to(self, address):
        """What came for one address, oldest first."""
        return [letter for letter in self.letters if letter.to == address]

    def close(self):
        self.silent_for.clear()
        self.controller.stop()


class Letter:
    """One message as it arrived."""

    def __init__(self, envelope):
        self.at = time.monotonic()
        self.to = envelope.rcpt_tos[0]
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.id, self.subject = message["Message-ID"], message["Subject"]
        self.text = message.get_body(("plain",)).get_content()

    @property
    def code(self):
        return CODE.search(self.subject + self.text).group()


class Shopper:
    """A browser behind our proxy: HTTPS for all it knows, an address of its own, forms with their CSRF token."""

    numbers = iter(range(1, 60000))

    def __init__(self, url, host=HOST, certificate=True):
        number = next(self.numbers)
        self.url, self.cookies, self.token = url, {}, ""
        self.host, self.certificate = host, certificate
        self.ip = f"10.1.{number // 250}.{number % 250 + 1}"
        self.email = f"shopper{number}@example.com"
        self.slowest = 0.0

    def get(self, path):
        return self._ask("GET", path)

    def post(self, path, **fields):
        return self._ask("POST", path, data={**fields, "csrfmiddlewaretoken": self.token})

    def identify(self):
        """Step 1."""
        self.get("/register/")
        return self.post("/register/", identifier=self.email)

    def finish(self, code):
        """Steps 2 and 3."""
        self.get("/register/verify/")
        verified = self.post("/register/verify/", code=code)
        assert verified.status_code == 303, verified.text[:500]
        self.get("/register/complete/")
        done = self.post("/register/complete/", name="Ana", password="correct horse battery")
        assert done.status_code == 303, done.text[:500]
        assert 'id="log-out"' in self.get("/").text

    def _ask(self, method, path, **kwargs):
        start = time.monotonic()
        response = requests.request(
            method,
            f"{self.url}{path}",
            headers={
                "Host": self.host,
                "Origin": f"https://{self.host}",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-For": self.ip,
                "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            },
            allow_redirects=False,
            timeout=30,
            verify=self.certificate,
            **kwargs,
        )
        self.took = time.monotonic() - start
        self._keep_cookies(response)
        found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', response.text)
        self.token = found[1] if found else self.token
        return response

    def _keep_cookies(self, response):
        for header in response.raw.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value


TERMINAL = "status NOT IN ('queued', 'sending')"


def how_many(sql, where):
    """The number of messages of which this is true."""
    return sql(f"SELECT count(*) FROM messaging_outboxmessage WHERE {where}").fetchone()[0]  # noqa: S608  words of ours
