"""A web process is killed while it proves who somebody is: whoever is verified is in, or one click from it."""

import os
import random
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.faults.parts import Shopper, free_port, wait_for

KILLS = 30
# Events of sign-ins and sessions, for each user.
UNEQUAL = """
SELECT person.id FROM accounts_user person WHERE person.id = ANY(%s) AND
    (SELECT count(*) FROM accounts_securityevent WHERE kind = 'signed_in' AND user_id = person.id)
    <> (SELECT count(*) FROM accounts_session WHERE user_id = person.id)
"""
VERIFIED = (
    "SELECT count(*) FROM accounts_challenge WHERE recipient = %s AND verified_at IS NOT NULL"
)
USERS = "SELECT id FROM accounts_user WHERE email_key = ANY(%s)"


class Web:
    """One serving process, which is replaced when it dies; whoever calls meanwhile waits."""

    def __init__(self, start):
        port = free_port()
        own = {"PORT": str(port), "WEB_CONCURRENCY": "1", "WEB_THREADS": "4", "LOG_LEVEL": "INFO"}
        self.process = start(f"killed-{port}", "python", "-m", "storefront.serve", env=own)
        self.address = f"http://127.0.0.1:{port}"
        self.wait_until_it_answers()

    @property
    def server(self):
        """The id of the process that serves, or None while there is none."""
        for pid in self.process.children:
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def kill(self):
        os.kill(self.server, signal.SIGKILL)

    def wait_until_it_answers(self):
        wait_for(lambda: answers(self.address), 60, 0.2)


def answers(address):
    try:
        return Shopper(address).get("/livez").status_code == 200
    except OSError:
        return False


@pytest.fixture
def web(start):
    web = Web(start)
    yield web
    web.process.kill()


def code_to(shopper, post_office, number):
    """The newest of so many codes that came to a shopper."""
    return wait_for(lambda: post_office.to(shopper.email)[number - 1 :])[-1].code


def type_code(shopper, page, code):
    """Type a code into the form that the shopper sees; returns the answer, or None if it was lost."""
    attempt = re.search(r'name="attempt" value="([^"]+)"', page)
    fields = {"attempt": attempt[1]} if attempt else {}
    try:
        return shopper.post("/register/verify/", code=code, identifier=shopper.email, **fields)
    except OSError:
        return None


def clicks_once_more(shopper, post_office, answer):
    """Follow the page that a lost answer leads to: one click asks for another code, which signs in."""
    page = answer.text
    if answer.status_code == 303:
        page = shopper.get(answer.headers["Location"]).text
    form = re.search(r'<form[^>]*action="/login/code/".*?</form>', page, re.DOTALL)
    assert form, page[:2000]
    assert f'value="{shopper.email}"' in form[0] or "already confirmed" in page
    asked = shopper.post("/login/code/", identifier=shopper.email)
    assert asked.status_code == 303, asked.text[:500]
    where = asked.headers["Location"]
    page = shopper.get(where).text
    attempt = re.search(r'name="attempt" value="([^"]+)"', page)[1]
    code = code_to(shopper, post_office, 2)
    return shopper.post("/login/code/verify/", code=code, attempt=attempt)


@pytest.mark.release
def test_whoever_is_verified_when_the_process_is_killed_is_in_or_one_click_from_it(  # SES-13, I8
    web, start_worker, post_office, sql, record_property
):
    start_worker(level="info")
    first = Shopper(web.address)
    first.identify()
    page = first.get("/register/verify/").text
    type_code(first, page, code_to(first, post_office, 1))
    typical, chance = first.took, random.Random(13)
    people, became = [], []

    for number in range(KILLS):
        ana = Shopper(web.address)
        people.append(ana.email)
        ana.identify()
        page, code = ana.get("/register/verify/").text, code_to(ana, post_office, 1)
        # All moments of the request, the same number of times each.
        moment = typical * 1.2 * (number + chance.random()) / KILLS
        killer = threading.Timer(moment, web.kill)
        killer.start()
        answer = type_code(ana, page, code)
        killer.join()
        time.sleep(0.1)
        web.wait_until_it_answers()

        verified = sql(VERIFIED, [ana.email]).fetchone()[0]
        ids = [row[0] for row in sql(USERS, [people])]
        assert not sql(UNEQUAL, [ids]).fetchall()
        became.append(("answered" if answer else "lost", verified))
        if answer is None:
            answer = type_code(ana, page, code)
            if verified:
                answer = clicks_once_more(ana, post_office, answer)
        assert answer.status_code == 303, answer.text[:500]
        assert ana.get("/register/complete/").status_code == 200

    record_property("answers, and whether the shopper was verified", became)
    assert ("lost", 0) in became
    assert ("lost", 1) in became
