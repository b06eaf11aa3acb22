"""script/stack: one command starts the whole site, Ctrl-C ends all of it."""

import json
import os
import re
import signal
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from storefront import BASE_DIR
from tests.faults.parts import Shopper, free_port, wait_for

STARTS, STOPS = 120, 10
PREFIX = re.compile(r"^\S+ (web|worker|beat)\.\d+ *\| (.*)$", re.MULTILINE)


class Stack:
    """A running script/stack with a process group of its own, as a shell would start it."""

    def __init__(self, environment, log):
        self.mark, self.log, self.port = f"STACK_OF={uuid.uuid4().hex}", log, free_port()
        name, value = self.mark.split("=")
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [BASE_DIR / "script" / "stack", str(self.port)],
                env={**environment, name: value},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
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

    def wait_until_it_answers(self):
        wait_for(lambda: "Storefront: http" in self.said or self.process.poll() is not None, STARTS)
        assert self.process.poll() is None, self.said[-3000:]

    def _is_mine(self, path):
        try:
            return self.mark.encode() in path.read_bytes()
        except OSError:
            return False


@pytest.fixture
def stack(environment, tmp_path):
    # A Redis database of its own: no worker of another test takes its tasks.
    redis = urlunsplit(urlsplit(environment["REDIS_URL"])._replace(path="/7"))
    own = {"REDIS_URL": redis, "LOG_LEVEL": "INFO"}
    stack = Stack({**environment, **own}, tmp_path / "stack.log")
    stack.wait_until_it_answers()
    yield stack
    for process in stack.left:
        os.kill(int(process), signal.SIGKILL)


def sign_up(stack, post_office):
    """Walk the whole journey, and return the id of the request that asked for the code."""
    ana = Shopper(f"http://127.0.0.1:{stack.port}")
    answer = ana.identify()
    ana.finish(wait_for(lambda: post_office.to(ana.email), 15)[0].code)
    return answer.headers["X-Request-ID"]


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_the_stack_starts_serves_and_ends(stack, post_office, how):
    asked = sign_up(stack, post_office)

    # One id from the click to the task that it caused.
    wait_for(lambda: any(line["request_id"] == asked for line in stack.lines("worker")), 5)
    (line,) = [line for line in stack.lines("web") if line["request_id"] == asked]
    assert (line["path"], line["status"]) == ("/register/", 303)

    if how == "Ctrl-C":
        os.killpg(stack.process.pid, signal.SIGINT)  # a terminal tells the whole group
    else:
        os.kill(stack.process.pid, signal.SIGTERM)
    assert stack.process.wait(STOPS) == 0
    assert not stack.left
    assert "Traceback (most recent call last)" not in stack.said


def test_the_lines_of_the_stack_name_nobody(stack, post_office):  # LOG-03
    sign_up(stack, post_office)

    said = stack.said
    assert not [letter for letter in post_office.letters if letter.to in said]
    assert not [letter for letter in post_office.letters if letter.code in said]
    assert len(stack.lines("web")) > 5
