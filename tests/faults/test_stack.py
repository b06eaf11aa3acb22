"""script/stack and script/server: one command starts the whole site, Ctrl-C ends all of it."""

import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from storefront import BASE_DIR
from tests.faults.parts import Shopper, free_port, wait_for

STARTS, STOPS = 180, 20
PREFIX = re.compile(r"^\S+ (web|worker|beat)\.\d+ *\| (.*)$", re.MULTILINE)


def listen_to_ctrl_c():
    """In the child, before it becomes the script: end at SIGINT, as in a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Stack:
    """A running script/stack, or another script, with a process group of its own, as a shell would start it."""

    def __init__(self, environment, log, script="stack"):
        self.mark, self.log, self.port = f"STACK_OF={uuid.uuid4().hex}", log, free_port()
        self.home = log.parent / "stack"
        name, value = self.mark.split("=")
        own = {"PORT": str(self.port), "STACK_HOME": str(self.home), name: value}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [BASE_DIR / "script" / script, *([str(self.port)] if script == "stack" else [])],
                env={**environment, **own},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Whatever runs the tests in the background ignores Ctrl-C, and its children inherit that.
                preexec_fn=listen_to_ctrl_c,
            )

    @property
    def said(self):
        return self.log.read_text(errors="replace")

    @property
    def left(self):
        """What still runs of it: every process inherits the mark."""
        return [
            path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if self._is_mine(path)
        ]

    def lines(self, name):
        """What one of its processes logged."""
        found = [text for process, text in PREFIX.findall(self.said) if process == name]
        return [json.loads(text) for text in found if text.startswith("{")]

    def visitor(self, **host):
        """A browser that was told to trust the certificate of this stack."""
        address = f"https://127.0.0.1:{self.port}"
        return Shopper(address, certificate=self.home / "certificate.pem", **host)

    def wait_until_it_answers(self):
        wait_for(lambda: "Storefront: http" in self.said or self.process.poll() is not None, STARTS)
        assert self.process.poll() is None, self.said[-3000:]

    def _is_mine(self, path):
        try:
            return self.mark.encode() in path.read_bytes()
        except OSError:
            return False


@pytest.fixture
def start_stack(environment, tmp_path):
    """Starts script/stack with some variables of the environment, and what else a test sets."""
    # A Redis database of its own: no worker of another test takes its tasks.
    redis = urlunsplit(urlsplit(environment["REDIS_URL"])._replace(path="/7"))
    own = {"REDIS_URL": redis, "LOG_LEVEL": "INFO"}
    started = []

    def start_stack(names=tuple(environment)):
        settings = {name: environment[name] for name in names}
        started.append(Stack({**settings, **own}, tmp_path / "stack.log"))
        started[-1].wait_until_it_answers()
        return started[-1]

    yield start_stack
    for stack in started:
        for process in stack.left:
            os.kill(int(process), signal.SIGKILL)


@pytest.fixture
def server(environment, tmp_path):
    """script/server as on a developer's machine: SQLite, and neither a broker nor a worker."""
    own = {
        name: value
        for name, value in environment.items()
        if name not in ("REDIS_URL", "DATABASE_URL")
    }
    own |= {"DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}", "DEBUG": "1"}
    server = Stack(own, tmp_path / "server.log", script="server")
    server.wait_until_it_answers()
    yield server
    for process in server.left:
        os.kill(int(process), signal.SIGKILL)


def sign_up(stack, post_office):
    """Walk the whole journey, and return the id of the request that asked for the code."""
    ana = stack.visitor()
    answer = ana.identify()
    ana.finish(wait_for(lambda: post_office.to(ana.email))[0].code)
    return answer.headers["X-Request-ID"]


def ends(stack, how):
    """End it, and see that nothing of it is left."""
    if how == "Ctrl-C":
        os.killpg(stack.process.pid, signal.SIGINT)  # a terminal tells the whole group
    else:
        os.kill(stack.process.pid, signal.SIGTERM)
    assert stack.process.wait(STOPS) == 0
    assert not stack.left
    assert "Traceback (most recent call last)" not in stack.said


def test_the_stack_of_an_operator_serves_names_nobody_and_ends(start_stack, post_office):  # LOG-03
    stack = start_stack()
    asked = sign_up(stack, post_office)

    # One id from the click to the task that it caused.
    wait_for(lambda: any(line["request_id"] == asked for line in stack.lines("worker")))
    (line,) = [line for line in stack.lines("web") if line["request_id"] == asked]
    assert (line["path"], line["status"]) == ("/register/", 303)

    said = stack.said
    assert not [letter for letter in post_office.letters if letter.to in said]
    assert not [letter for letter in post_office.letters if letter.code in said]
    assert len(stack.lines("web")) > 5

    ends(stack, "SIGTERM")


# Its mail lies in a folder.
@pytest.mark.leaves_out("I6")
def test_a_stack_of_which_nothing_was_set_is_closed_and_keeps_mail_keys_and_certificate(
    start_stack,
):  # COD-03, LIM-07
    names = ("PATH", "DATABASE_URL", "PYTHONWARNINGS")
    stack = start_stack(names)
    ana = stack.visitor(host=f"127.0.0.1:{stack.port}")

    ana.identify()
    (letter,) = wait_for(lambda: list(stack.home.glob("mail/new/*")))
    ana.finish(re.search(r"^Subject: (\d{6})", letter.read_text(), re.MULTILINE)[1])

    assert ana.get("/mailbox/").status_code == 404
    missing = ana.get("/nothing-here/")
    assert missing.status_code == 404
    assert "DEBUG" not in missing.text
    for name in ("keys.env", "key.pem", "running.env"):
        assert stat.S_IMODE((stack.home / name).stat().st_mode) == 0o600
    assert str(stack.home / "mail/new") in stack.said

    kept = {name: (stack.home / name).read_bytes() for name in ("keys.env", "certificate.pem")}
    ends(stack, "Ctrl-C")
    again = start_stack(names)
    assert kept == {name: (again.home / name).read_bytes() for name in kept}


def test_a_site_without_a_worker_keeps_time_by_itself_until_it_ends(server, post_office, tmp_path):
    ana = Shopper(f"http://127.0.0.1:{server.port}")
    wait_for(lambda: _answers(ana))
    ana.identify()
    wait_for(lambda: post_office.to(ana.email))

    # As if the mail server had been away: nothing but the clock looks at the row again.
    with sqlite3.connect(tmp_path / "db.sqlite3", timeout=10) as rows:
        rows.execute("UPDATE messaging_outboxmessage SET status = 'queued', settled_at = NULL")

    wait_for(lambda: len(post_office.to(ana.email)) == 2)
    assert "celery" in _commands(server)

    os.kill(server.process.pid, signal.SIGTERM)

    server.process.wait(STOPS)
    wait_for(lambda: not server.left)


def _answers(shopper):
    try:
        return shopper.get("/livez").status_code == 200
    except OSError:
        return False


def _commands(server):
    """The words of the command lines of everything that runs."""
    lines = [Path(f"/proc/{process}/cmdline").read_bytes() for process in server.left]
    return " ".join(line.replace(b"\0", b" ").decode() for line in lines)
