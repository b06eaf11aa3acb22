"""A real worker hands real mail over; it survives what does not belong in its queue, and its death loses nothing."""

import base64
import json
import pickle
import time
import uuid

import pytest

from tests.faults.parts import wait_for

HAND_OVER = 2.0


class Bomb:
    """What a pickle can do to whoever opens it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def push(broker, pattern, task, body, content_type="application/json"):
    """Put a message into the queue, made like `pattern`, a real one."""
    message = json.loads(pattern)
    message["body"] = base64.b64encode(body).decode()
    message["content-type"] = content_type
    message["headers"] |= {"task": task, "id": str(uuid.uuid4())}
    message["properties"]["delivery_tag"] = str(uuid.uuid4())
    broker.lpush("celery", json.dumps(message))


def nudges(broker):
    """The hints in the queue; the ticks of the clock lie there, too."""
    queued = [json.loads(message) for message in broker.lrange("celery", 0, -1)]
    return [message for message in queued if message["headers"]["task"].endswith(".deliver")]


@pytest.mark.clocked
def test_a_message_is_handed_over_at_once(
    new_shopper, worker, post_office, record_property, rounds
):
    new_shopper().identify()  # the first nudge makes the connection
    wait_for(lambda: post_office.letters)
    waited = []

    for _number in range(rounds(4, 10)):
        ana = new_shopper()
        ana.get("/register/")
        asked = time.monotonic()
        ana.post("/register/", identifier=ana.email)
        waited.append(wait_for(lambda ana=ana: post_office.to(ana.email), 60, 0.002)[0].at - asked)

    record_property("seconds from POST to hand-over", sorted(waited))
    assert max(waited) < HAND_OVER


def test_the_queue_holds_ids_and_nothing_else(new_shopper, broker, sql):  # OUT-06, promise 1.17
    for _number in range(3):
        new_shopper().identify()

    messages = wait_for(lambda: len(nudges(broker)) == 3 and nudges(broker))

    arguments = [json.loads(base64.b64decode(message["body"]))[:2] for message in messages]
    ids = [str(row[0]) for row in sql("SELECT id FROM messaging_outboxmessage")]
    assert sorted(arguments) == sorted([[each], {}] for each in ids)
    assert {message["content-type"] for message in messages} == {"application/json"}


def test_what_does_not_belong_in_the_queue_is_left_alone(  # OUT-06
    new_shopper, broker, start_worker, post_office, tmp_path
):
    new_shopper().identify()
    pattern = json.dumps(wait_for(lambda: nudges(broker))[0])
    deliver, opened = "messaging.tasks.deliver", tmp_path / "opened"
    push(
        broker, pattern, deliver, pickle.dumps(([Bomb(opened)], {}, {})),
        "application/x-python-serialize",
    )  # fmt: skip
    push(broker, pattern, "os.system", json.dumps([["true"], {}, {}]).encode())
    push(broker, pattern, deliver, b"no json at all")
    for bogus in [
        str(uuid.uuid4()),
        "",
        "../../etc/passwd",
        "' OR 1=1 --",
        None,
        7,
        {},
        [],
        "x" * 99999,
    ]:
        push(broker, pattern, deliver, json.dumps([[bogus], {}, {}]).encode())
    push(broker, pattern, deliver, json.dumps([[], {}, {}]).encode())
    push(broker, pattern, deliver, json.dumps([["a", "b", "c"], {"d": 1}, {}]).encode())
    push(broker, pattern, "jobs.tasks.tick", json.dumps([[1, 2], {}, {}]).encode())
    for bogus in ["nobody.job", None, 7, {}, [], "\0", "x" * 99999]:
        push(broker, pattern, "jobs.tasks.tick", json.dumps([[bogus], {}, {}]).encode())

    worker = start_worker()
    wait_for(lambda: not broker.llen("celery"))
    ana = new_shopper()
    ana.identify()

    wait_for(lambda: post_office.to(ana.email))
    assert worker.is_alive
    assert not opened.exists()
    worker.kill()


def test_a_worker_killed_while_it_sends_loses_nothing(  # OUT-03, FI-11
    new_shopper, start_worker, beat, post_office, sql
):
    ana, worker = new_shopper(), start_worker()
    post_office.silent_for.add(ana.email)
    ana.identify()
    first = wait_for(lambda: post_office.to(ana.email))[0]
    worker.kill()
    assert sql("SELECT status FROM messaging_outboxmessage").fetchone() == ("sending",)

    post_office.silent_for.clear()
    sql("UPDATE messaging_outboxmessage SET lease_until = now() - interval '1 second'")
    start_worker()

    again = wait_for(lambda: post_office.to(ana.email)[1:])[0]
    assert (again.id, again.code) == (first.id, first.code)
    wait_for(
        lambda: sql("SELECT status, tries FROM messaging_outboxmessage").fetchone() == ("sent", 2)
    )
    ana.finish(again.code)
