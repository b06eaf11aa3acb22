"""People sign up, and no code of theirs is found anywhere in the system."""

import base64
import binascii
import re
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.faults.parts import CODE, wait_for


class Ear(threading.Thread):
    """Listens to every command that Redis gets."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.heard, self.client = [], redis.Redis.from_url(url)
        self.start()

    def run(self):
        with self.client.monitor() as monitor:
            for command in monitor.listen():
                self.heard.append(command["command"])


@pytest.fixture
def ear(servers, broker):
    ear = Ear(servers[1])
    wait_for(lambda: broker.ping() and any("PING" in command for command in ear.heard))
    return ear


def every_row(sql):
    """Every table as text, and what its sessions hold in clear."""
    tables = sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    for (table,) in tables:
        with sql("SELECT 1").connection.cursor().copy(f'COPY "{table}" TO STDOUT') as rows:
            yield b"".join(rows).decode()
    for (kept,) in sql("SELECT session_data FROM accounts_session"):
        yield session_text(kept)


def session_text(kept):
    """A session's data, without its signature and packing."""
    packed = kept.lstrip(".").partition(":")[0]
    data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    return (zlib.decompress(data) if kept.startswith(".") else data).decode()


def every_value(broker):
    """Everything Redis holds, the queue among it."""
    read = {
        b"string": broker.get,
        b"list": lambda key: broker.lrange(key, 0, -1),
        b"hash": broker.hgetall,
        b"set": broker.smembers,
        b"zset": lambda key: broker.zrange(key, 0, -1),
    }
    for key in broker.scan_iter():
        yield f"{key} {read[broker.type(key)](key)}"


def unpacked(text):
    """The text, and whatever base64 in it says: Celery packs the body of its messages."""
    yield text
    for packed in set(re.findall(r"[A-Za-z0-9+/_-]{16,}={0,2}", text)):
        try:
            plain = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_")
        except binascii.Error:
            continue
        yield plain.decode("latin-1")


def test_no_code_is_at_rest_or_in_transit_inside(  # COD-02
    new_shopper, start_worker, beat, post_office, sql, broker, ear, logs, rounds
):
    people = [new_shopper() for _number in range(rounds(15, 50))]
    post_office.refuse_once.update(person.email for person in people[:5])
    found = []

    # No worker yet: the messages wait, in the outbox and in the queue.
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda person: person.identify().status_code, people))
    assert answers == [303] * len(people)
    wait_for(lambda: broker.llen("celery") >= len(people))
    found += [*every_row(sql), *every_value(broker)]

    worker = start_worker()
    wait_for(lambda: len(post_office.letters) == len(people))
    found += [*every_row(sql), *every_value(broker)]

    codes = {person.email: post_office.to(person.email)[0].code for person in people}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda person: person.finish(codes[person.email]), people))
    worker.stop()
    found += [*every_row(sql), *every_value(broker), *ear.heard]
    found += [path.read_text(errors="replace") for path in logs.glob("*.log")]

    texts = [plain for text in found for plain in unpacked(text)]
    leaked = {digits for text in texts for digits in CODE.findall(text)} & set(codes.values())
    assert not leaked

    # The search finds what is there: addresses in rows and sessions, ids in the queue, lines in the logs.
    assert len(set(codes.values())) == len(people)
    assert len(post_office.refused) == 5
    assert sum(people[0].email in text for text in texts) > 3
    (message,) = sql(
        "SELECT id::text FROM messaging_outboxmessage WHERE address = %s", [people[0].email]
    ).fetchone()
    assert any(f'[["{message}"]' in text.replace("'", '"') for text in texts)
    said = {name: (logs / f"{name}.log").read_text() for name in ("web", "worker")}
    assert all('"level": "debug"' in text for text in said.values())
    # Nor was one there that the log's own redaction took out.
    assert not [line for text in said.values() for line in text.splitlines() if "[digits]" in line]
    assert {path.stem for path in logs.glob("*.log")} >= {"web", "worker", "beat"}
