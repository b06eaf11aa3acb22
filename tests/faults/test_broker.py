"""Redis refuses, hangs and comes back; no request fails and no message is lost."""

import time

import pytest

from tests.faults.parts import wait_for

ONE_SECOND, TICK = 1.0, 2.0


def unsettled(sql):
    return sql(
        "SELECT count(*) FROM messaging_outboxmessage WHERE status IN ('queued', 'sending')"
    ).fetchone()[0]


@pytest.mark.clocked
@pytest.mark.parametrize("trouble", ["refuse", "hang"])
def test_a_broker_in_trouble_slows_nobody_and_loses_nothing(  # OUT-01, FI-08, FI-09
    new_shopper, line, sql, post_office, worker, beat, trouble, record_property
):
    people = [new_shopper() for _number in range(8)]
    getattr(line, trouble)()
    # A tick of the clock that the worker has in its hands already still sends what it finds.
    time.sleep(TICK)

    waited = []
    for person in people:
        assert person.identify().status_code == 303
        waited.append(person.took)

    assert max(waited) < ONE_SECOND
    assert unsettled(sql) == len(people)

    line.open()
    back = time.monotonic()
    wait_for(lambda: not unsettled(sql))
    record_property("slowest POST, seconds to drain", (max(waited), time.monotonic() - back))
    assert sorted(letter.to for letter in post_office.letters) == sorted(
        person.email for person in people
    )
    people[0].finish(post_office.to(people[0].email)[0].code)


def test_without_any_nudge_the_sweeper_sends(  # OUT-01, OUT-02
    new_shopper, line, broker, sql, post_office, start_worker, beat
):
    ana = new_shopper()
    ana.identify()
    wait_for(lambda: broker.llen("celery"))
    broker.delete("celery")

    worker = start_worker()

    wait_for(lambda: post_office.to(ana.email))
    worker.kill()


def test_redis_may_forget_everything(new_shopper, broker, post_office, worker, beat):  # LIM-07
    ana = new_shopper()
    ana.identify()
    code = wait_for(lambda: post_office.to(ana.email))[0].code
    for _number in range(5):
        ana.post("/register/verify/", code=f"{(int(code) + 1) % 10**8:08d}")

    broker.flushall()

    assert ana.post("/register/verify/", code=code).status_code == 422
