"""What becomes of a code, as it happens: for whoever registers, and for nobody else."""

import asyncio
import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from accounts import conf
from accounts.models import Challenge
from api.doors import events
from api.operations.news import read_news
from messaging.models import OutboxMessage, Status
from storefront.native_handler import ProgramsHandler
from tests.support.contract import NOBODYS, begun, begun_by_phone, code_asked
from tests.support.lanes import on_loop
from tests.support.native import NativeClient
from tests.support.people import time_passes
from tests.support.programs import V2, Program


def url(handle):
    return f"/api/v2/auth/attempts/{handle}/events"


class Stream:
    """One program that listens: what it has heard, until it hangs up."""

    def __init__(self, handler, handle, **client):
        self.heard, self.status, self.headers = b"", None, {}
        self._gone = asyncio.Event()
        self._begun = False
        scope = NativeClient(**client).scope("GET", url(handle), {"Accept": "text/event-stream"})
        self.task = asyncio.create_task(handler(scope, self._receive, self._send))

    async def _receive(self):
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b""}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        self.heard += message.get("body", b"")

    async def until(self, words, seconds=10):
        """Wait until these words were heard."""
        async with asyncio.timeout(seconds):
            while words not in self.heard:
                await asyncio.sleep(0.01)

    async def hang_up(self):
        self._gone.set()
        await self.task

    @property
    def states(self):
        return re.findall(rb'"delivery": "(\w+)"', self.heard)


@pytest.fixture
def _quick(monkeypatch):
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.45)


def settled(status):
    """A worker, or a provider's receipt, elsewhere."""
    OutboxMessage.objects.get().move(status, over=[Status.SENT])


def test_whoever_registers_hears_at_once_that_the_code_was_delivered(native, hops, monkeypatch):
    given = begun(native)
    time_passes(seconds=3)

    async def main():
        stream = Stream(ProgramsHandler(), given["id"])
        await stream.until(b"sent")
        # Somewhere else: nothing asks again, so what is heard was said by the database.
        await asyncio.sleep(0.3)
        await asyncio.to_thread(in_a_thread, settled, Status.DELIVERED)
        await stream.until(b"delivered", seconds=1.5)
        await stream.hang_up()
        return stream

    stream = on_loop(main)

    assert (stream.status, stream.headers[b"Content-Type"]) == (200, b"text/event-stream")
    assert stream.headers[b"Cache-Control"] == b"no-store"
    assert stream.states == [b"sent", b"delivered"]
    assert not events._open
    assert hops == []


def in_a_thread(act, *args):
    try:
        return act(*args)
    finally:
        connection.close()


def test_what_changes_with_its_age_alone_is_told_too(native, monkeypatch):
    monkeypatch.setattr(events, "LOOKS", (1.0,))
    given = begun(native)

    async def main():
        stream = Stream(ProgramsHandler(), given["id"])
        await stream.until(b"queued")
        await asyncio.to_thread(in_a_thread, lambda: time_passes(seconds=3))
        await stream.until(b"sent")
        await stream.hang_up()
        return stream.states

    assert on_loop(main) == [b"queued", b"sent"]


@pytest.mark.usefixtures("_quick")
def test_every_other_stream_is_the_same_silence(native):  # ENU-01, ENU-03
    known = code_asked(native)["attempt"]
    unknown = native.post("v1", "otp/request/", email="nobody@example.com")["attempt"]
    forgotten = native.post("auth", "password-reset/", email="ana@example.com")["attempt"]
    handles = [known, unknown, forgotten, NOBODYS, str(uuid4()), "no-uuid", "\u200b"]

    async def main():
        streams = [Stream(ProgramsHandler(), handle) for handle in handles]
        await asyncio.gather(*(stream.task for stream in streams))
        return [(each.status, each.heard, set(each.headers)) for each in streams]

    first, *others = on_loop(main)

    assert first[0] == 200
    assert first[1].startswith(events.BEGINNING + events.BEAT * 3)
    assert b"event" not in first[1]
    assert all(each == first for each in others)


def test_a_shop_that_tells_nobody_who_is_registered_says_nothing(native, monkeypatch):  # ENU-01
    given = begun(native)
    time_passes(seconds=3)
    assert read_news(Challenge.objects.get().pk)

    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", "private")

    assert read_news(Challenge.objects.get().pk) is None
    assert str(Challenge.objects.get().pk) == given["id"]


def listeners():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'")
        return [pid for (pid,) in cursor.fetchall()]


def connections_of_others():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


def test_a_thousand_who_listen_hold_one_connection(native, settings):
    given = begun(native)
    time_passes(seconds=3)
    settings.ASYNCDB = {"POOL_SIZE": 2, "POOL_TIMEOUT": 60}

    async def main():
        handler = ProgramsHandler()
        streams = [Stream(handler, given["id"]) for _ in range(1000)]
        await asyncio.gather(*(stream.until(b"sent", 60) for stream in streams))
        held = await asyncio.to_thread(in_a_thread, connections_of_others)
        await asyncio.to_thread(in_a_thread, settled, Status.DELIVERED)
        await asyncio.gather(*(stream.until(b"delivered", 60) for stream in streams))
        await asyncio.gather(*(stream.hang_up() for stream in streams))
        return held

    # Two of the pool, which are free, and the one that listens; that of the test may be beside them.
    assert on_loop(main) <= 4


def test_a_connection_that_is_lost_is_made_anew_and_nothing_is_missed(native, monkeypatch):
    monkeypatch.setattr("asyncdb.listen.RETRY_SECONDS", 0.2)
    given = begun(native)
    time_passes(seconds=3)

    def cut():
        (pid,) = listeners()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        settled(Status.DELIVERED)

    async def main():
        stream = Stream(ProgramsHandler(), given["id"])
        await stream.until(b"sent")
        await asyncio.sleep(0.3)
        await asyncio.to_thread(in_a_thread, cut)
        await stream.until(b"delivered")
        await stream.hang_up()
        return stream.states

    assert on_loop(main) == [b"sent", b"delivered"]


def test_more_streams_than_a_process_has_are_told_to_come_later(native, monkeypatch):
    monkeypatch.setattr(events, "MOST_STREAMS", 0)

    answer = native.client.get(url(NOBODYS))

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_one_household_cannot_take_all_streams(native, monkeypatch):  # LIM-05, AVL-02
    monkeypatch.setattr(events, "HOUSEHOLD_STREAMS", 2)

    async def main():
        handler = ProgramsHandler()
        held = [Stream(handler, NOBODYS, ip="2001:db8:0:1::1") for _ in range(2)]
        for each in held:
            await each.until(b"retry")
        # Another /64 of the same customer, and somebody else.
        third, others = Stream(handler, NOBODYS, ip="2001:db8:0:2::1"), Stream(handler, NOBODYS)
        await third.task
        await others.until(b"retry")
        await held.pop().hang_up()
        again = Stream(handler, NOBODYS, ip="2001:db8:0:2::1")
        await again.until(b"retry")
        for each in (*held, others, again):
            await each.hang_up()
        return third.status, others.status, again.status

    assert on_loop(main) == (503, 200, 200)
    assert not events._open


# Without a loop


@pytest.mark.django_db
def test_a_server_without_a_loop_tells_what_it_knows_and_ends():
    given = begun_by_phone(Program(spaces=V2))
    time_passes(seconds=3)

    mine, nobodys = Client().get(url(given["attempt"])), Client().get(url(NOBODYS) + "/")

    assert mine["Content-Type"] == nobodys["Content-Type"] == "text/event-stream"
    assert b'"delivery": "sent"' in mine.content
    assert nobodys.content == events.BEGINNING


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"])
def test_streams_are_asked_for_by_get(method):
    answer = Client().generic(method, url(NOBODYS))

    assert (answer.status_code, answer["Allow"]) == (405, "GET")
