"""Providers of texts that fail in every way, played by real servers: what can be delivered is."""

import random
import threading
import time
from collections import Counter

from tests.faults.parts import TERMINAL, how_many, wait_for
from tests.support.provider_server import Answer

FIVE_A_SECOND = 0.2
PREFIX = "+44740012"


def test_a_provider_that_fails_in_every_way_gets_everything_in_the_end(  # OUT-05, FI-13
    provider, use, queue_codes, start_worker, beat, sql, record_property, rounds
):
    server, tried = provider(), Counter()
    messages = rounds(60, 200)
    # Numbers that no phone has, as the provider says.
    permanent = rounds(6, 20)
    chance = random.Random(4)

    def behave(request):
        to = request.form.get("To", "")
        tried[to] += 1
        if to[-3:] in gone:
            return Answer(400, {"code": 21211, "message": f"The number {to} is not valid."})
        fate = chance.random()
        if fate < 0.30:
            return 500
        if fate < 0.50:
            return "hang"
        if fate < 0.60:
            return "reset"
        if fate < 0.70:
            return Answer(429, {"code": 20429}, {"Retry-After": "1"})
        return None

    gone = {f"{number:03d}" for number in random.Random(7).sample(range(messages), permanent)}
    server.behave = behave
    use(server, "moody")
    queue_codes(messages, PREFIX + "3{:03d}")
    worker = start_worker(processes=rounds(6, 12), level="info")

    start = time.monotonic()
    wait_for(lambda: how_many(sql, TERMINAL) == messages, 180, 0.5)
    record_property("seconds, tries", (time.monotonic() - start, sum(tried.values())))
    worker.kill()

    assert how_many(sql, "status = 'sent'") == messages - permanent
    assert how_many(sql, "status = 'failed'") == permanent
    assert {times for to, times in tried.items() if to[-3:] in gone} == {1}
    assert len({message.to for message in server.messages}) == messages - permanent
    errors = {row[0] for row in sql("SELECT error FROM messaging_outboxmessage")}
    assert not any(PREFIX in error for error in errors)


def test_when_one_provider_dies_the_other_takes_over_until_it_is_back(  # OUT-05, FI-14
    provider, use, queue_codes, start_worker, beat, sql, record_property
):
    first, second = provider(), provider()
    use(first, "first", 1)
    use(second, "second", 2)
    queue_codes(450, PREFIX + "3{:03d}")
    # They come in one by one, five a second.
    sql("UPDATE messaging_outboxmessage SET due_at = now() + interval '1 hour'")
    worker = start_worker(processes=4, level="info")
    over, oldest = threading.Event(), [0.0]

    def come_in(seconds):
        for _number in range(int(seconds / FIVE_A_SECOND)):
            sql(NEXT)
            oldest[0] = max(oldest[0], sql(OLDEST).fetchone()[0] or 0)
            over.wait(FIVE_A_SECOND)

    come_in(5)
    assert first.messages
    assert not second.messages

    first.behave = lambda request: "hang"
    died = time.monotonic()
    come_in(15)
    open_since = sql(PAUSED).fetchone()
    assert open_since[0] is not None
    assert second.messages
    record_property("first message through the second, seconds", second.messages[0].at - died)

    come_in(10)
    count = len(first.messages)
    first.behave = lambda request: None
    back = time.monotonic()
    while len(first.messages) == count and time.monotonic() < back + 60:
        come_in(1)
    record_property("back with the first after, seconds", time.monotonic() - back)
    record_property("oldest waiting message, seconds", oldest[0])

    assert len(first.messages) > count
    assert oldest[0] < 30
    wait_for(lambda: how_many(sql, "status = 'queued' AND due_at < now()") == 0)
    worker.kill()


PAUSED = """
SELECT open_until FROM messaging_breaker
WHERE provider_id = (SELECT id FROM messaging_provider WHERE name = 'first')
"""
NEXT = """
UPDATE messaging_outboxmessage SET due_at = now() WHERE id = (
    SELECT id FROM messaging_outboxmessage WHERE due_at > now() + interval '30 minutes' LIMIT 1)
"""
OLDEST = """
SELECT extract(epoch FROM now() - min(due_at))::float FROM messaging_outboxmessage
WHERE status IN ('queued', 'sending') AND due_at < now()
"""
