"""Under load, parts of the site die, hang and come back: no request fails, no message is lost, none is late."""

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.parts import TERMINAL, how_many, percentile, wait_for

SECONDS_HUNG, A_SECOND = 30, 20

# What time does to rows, done by hand: the database's clock is the one that counts.
TIME_PASSES = """
UPDATE messaging_outboxmessage SET created_at = created_at - %(span)s, due_at = due_at - %(span)s,
    expires_at = expires_at - %(span)s;
UPDATE accounts_challenge SET created_at = created_at - %(span)s, sent_at = sent_at - %(span)s,
    expires_at = expires_at - %(span)s, link_expires_at = link_expires_at - %(span)s;
"""


def time_passes(sql, span):
    """Everything is older by `span`."""
    for statement in TIME_PASSES.split(";")[:-1]:
        sql(statement.replace("%(span)s", f"interval '{span}'"))


def sign_up(shopper):
    """Step 1 of one shopper: status and seconds of the POST."""
    answer = shopper.identify()
    return answer.status_code, shopper.took


@pytest.mark.release
@pytest.mark.clocked
def test_two_hundred_people_sign_up_while_redis_is_down(  # OUT-01, FI-08
    new_shopper, line, sql, post_office, worker, beat, record_property
):
    people = [new_shopper() for _number in range(200)]
    line.refuse()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(sign_up, people))

    took = [seconds for _status, seconds in answers]
    record_property(
        "p50, p95, slowest POST", (percentile(took, 0.5), percentile(took, 0.95), max(took))
    )
    assert {status for status, _seconds in answers} == {303}
    assert percentile(took, 0.95) < 1

    line.open()
    back = time.monotonic()
    wait_for(lambda: how_many(sql, "status = 'sent'") == 200)
    record_property("seconds to deliver 200", time.monotonic() - back)
    assert sorted(letter.to for letter in post_office.letters) == sorted(
        one.email for one in people
    )


@pytest.mark.release
@pytest.mark.clocked
def test_nobody_waits_for_a_redis_that_hangs(  # OUT-01, FI-09
    new_shopper, line, sql, post_office, worker, beat, record_property
):
    line.hang()
    end, answers = time.monotonic() + SECONDS_HUNG, []

    with ThreadPoolExecutor(40) as pool:
        while time.monotonic() < end:
            answers.append(pool.submit(sign_up, new_shopper()))  # a GET and a POST
            time.sleep(2 / A_SECOND)

    answers = [answer.result() for answer in answers]
    took = [seconds for _status, seconds in answers]
    record_property(
        "p50, p95, slowest POST", (percentile(took, 0.5), percentile(took, 0.95), max(took))
    )
    assert {status for status, _seconds in answers} == {303}
    assert percentile(took, 0.95) < 2
    assert max(took) < 5

    line.open()
    wait_for(lambda: how_many(sql, "status = 'sent'") == len(answers), 60)


def test_processes_that_are_killed_cost_one_duplicate_each_at_most(  # OUT-02, OUT-03, FI-11
    queue_codes, start_worker, beat, post_office, sql, record_property, rounds
):
    kills, codes = rounds(3, 15), rounds(100, 500)
    post_office.takes = 0.3
    queue_codes(codes)
    worker = start_worker(processes=rounds(3, 6), level="info")

    for number in range(1, kills + 1):
        # While there is work: the last kill comes before the last message.
        wait_for(lambda number=number: len(post_office.letters) >= codes * number // (kills + 1))
        os.kill(random.choice(worker.children), signal.SIGKILL)

    wait_for(lambda: how_many(sql, TERMINAL) == codes, 180, 0.5)
    worker.kill()

    record_property("duplicates", post_office.duplicates)
    sent = {(letter.id, letter.to, letter.code) for letter in post_office.letters}
    assert len(sent) == codes, "each duplicate has the same id and the same code"
    assert post_office.duplicates <= kills
    assert how_many(sql, "status = 'sent'") == codes


def test_a_backlog_of_five_minutes_is_sent_within_one(  # OUT-02, FI-12
    queue_codes, start_worker, beat, post_office, sql, record_property, rounds
):
    backlog = rounds(100, 500)
    queue_codes(backlog)
    time_passes(sql, "5 minutes")
    worker = start_worker(level="info")

    start = time.monotonic()
    wait_for(lambda: how_many(sql, TERMINAL) == backlog, 60)
    record_property("seconds", time.monotonic() - start)
    worker.kill()

    assert len(post_office.letters) == backlog
    assert how_many(sql, "status = 'sent'") == backlog


# The people who get notices are made without a registration.
@pytest.mark.leaves_out("I1")
def test_after_fifteen_minutes_no_code_is_sent_and_every_notice_is(  # OUT-04, FI-12
    new_shopper, queue_codes, ask, start_worker, beat, post_office, sql, rounds
):
    ana, backlog = new_shopper(), rounds(100, 500)
    queue_codes(backlog)
    ask(QUEUE_NOTICES, number=20)
    time_passes(sql, "15 minutes")
    worker = start_worker(level="info")

    wait_for(lambda: how_many(sql, TERMINAL) == backlog + 20)
    worker.kill()

    assert how_many(sql, "status = 'expired' AND template = 'code'") == backlog
    assert how_many(sql, "status = 'sent' AND template = 'notice'") == 20
    assert {letter.subject for letter in post_office.letters} == {
        "Storefront: Your password was changed"
    }
    assert ana.get("/register/").status_code == 200


QUEUE_NOTICES = """
from unittest.mock import patch
from accounts.flows import notifications
from accounts.identifiers import parse
from accounts.models import User
from accounts.sessions.client import ClientInfo
with patch("messaging.outbox.api.nudge"):
    for n in range(number):
        user = User.objects.register(parse(f"customer{n}@example.com"), name="Ana")
        notifications.notify(user, "password_changed", client=ClientInfo(), to=user.contacts)
"""


@pytest.mark.release
@pytest.mark.clocked
def test_a_code_is_on_its_way_at_once(  # speed
    new_shopper, start_worker, beat, post_office, record_property
):
    worker = start_worker(level="info")
    new_shopper().identify()  # the first nudge makes the connection
    wait_for(lambda: post_office.letters)

    # The best of three rounds: what else this machine does is not what is measured.
    for _round in range(3):
        waited = [seconds_to_hand_over(new_shopper(), post_office) for _number in range(40)]
        halves = percentile(waited, 0.5), percentile(waited, 0.95)
        record_property("seconds from POST to hand-over, p50 and p95", halves)
        if halves[0] < 0.1 and halves[1] < 0.5:
            break
    worker.kill()

    assert halves[0] < 0.1
    assert halves[1] < 0.5


def seconds_to_hand_over(shopper, post_office):
    """How long after the POST of one shopper the mail server has the code."""
    shopper.get("/register/")
    asked = time.monotonic()
    shopper.post("/register/", identifier=shopper.email)
    letter = wait_for(lambda: post_office.to(shopper.email), 5, 0.002)[0]
    threading.Event().wait(0.1)
    return letter.at - asked


@pytest.mark.release
@pytest.mark.clocked
def test_how_fast_one_worker_is(queue_codes, start_worker, beat, post_office, sql, record_property):
    backlog = 500
    queue_codes(backlog)
    worker = start_worker(processes=1, level="info")

    start = time.monotonic()
    wait_for(lambda: len(post_office.letters) == backlog, 120)
    speed = backlog / (time.monotonic() - start)
    record_property("messages a second, MB", (speed, worker.megabytes))
    worker.kill()

    assert speed > 10
