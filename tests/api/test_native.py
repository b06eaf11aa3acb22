"""/api/v2/auth/: the same contract at the door for new apps, in threads and on the event loop."""

import asyncio
import json
import re
import time
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

import asyncdb
from accounts.models import Client as ClientKind
from accounts.models import SecurityEvent, Session, User
from api.dialects_v2 import V2
from api.doors import document
from api.doors.native import make_api
from storefront import BASE_DIR
from storefront.native_handler import ProgramsHandler
from tests.support import programs
from tests.support.contract import (
    GARBAGE,
    NUMBER,
    ROWS,
    V2_ONLY,
    WHOLE,
    begun,
    begun_by_phone,
    signed_in,
    walk,
)
from tests.support.lanes import at_wait, on_loop
from tests.support.native import NativeClient
from tests.support.people import PASSWORD, Postbox, make_user
from tests.support.programs import Program
from tests.support.races import assert_nothing_is_broken

# What is told to whoever names no attempt, which nobody may here.
NAMELESS = {"step 2, twice", "in with a wrong old code", "in with a code alone"}
V2_ROWS = [*(row for row in ROWS if row.name not in NAMELESS), *V2_ONLY]


# promise 0.1, 0.20
@pytest.mark.django_db
@pytest.mark.database
@pytest.mark.parametrize("row", V2_ROWS, ids=str)
def test_a_row_of_the_contract_holds_in_a_thread(row):
    walk(row, Program(spaces=programs.V2), names_attempt=True)


# promise 0.1, 0.16, 0.20
@pytest.mark.parametrize("row", V2_ROWS, ids=str)
def test_a_row_of_the_contract_holds_on_the_loop_and_takes_no_thread(row, native, hops):
    walk(row, native, names_attempt=True)

    assert hops == []


# Design 000's checklist, by the names that its rows have in the contract.
CHECKLIST = [
    "an address",
    "a number",
    "both",
    "neither",
    "an address that is taken",
    "two passwords",
    "the right code",
    "a code that is wrong",
    "a code that is too old",
    "again",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", ["in a thread", "on the loop"])
@pytest.mark.parametrize("name", CHECKLIST)
def test_a_line_of_the_checklist_holds_at_both_doors(name, door, request):  # promise 0.20
    (row,) = [row for row in V2_ROWS if (row.space, row.name) == ("v1", name)]
    is_native = door == "on the loop"
    program = request.getfixturevalue("native") if is_native else Program(spaces=programs.V2)

    told = walk(row, program)

    if row.status == 400:
        assert told.headers["Content-Type"] == "application/problem+json"


def test_nothing_takes_a_thread_but_hashes_and_the_breach_check():  # promise 0.16
    calls = {}
    for room in ("api", "asyncdb", "storefront"):
        for path in (BASE_DIR / room).rglob("*.py"):
            found = re.findall(
                r"\b(sync_to_async|database_sync_to_async|to_thread)\(", path.read_text()
            )
            if found:
                calls[str(path.relative_to(BASE_DIR))] = found

    assert calls == {"asyncdb/threads.py": ["to_thread"]}


@pytest.mark.usefixtures("_on_a_loop")
@pytest.mark.parametrize(
    "call", [call for call in V2.calls if "{" not in call.path], ids=lambda call: call.name
)
def test_whatever_a_field_holds_nothing_is_a_fault_of_ours_on_the_loop(call):
    client = NativeClient()
    bodies = [{name: value} for name in call.takes.model_fields for value in GARBAGE]

    async def main():
        handler = ProgramsHandler()
        url = f"/{V2.prefix}{call.path}/"
        return [
            await client.ask(handler, call.methods[-1], url, json.dumps(body)) for body in bodies
        ]

    for body, answer in zip(bodies, on_loop(main), strict=True):
        assert answer.status_code in (200, 400, 401, 404, 429), (body, answer.content)
        if answer.status_code >= 400:
            assert is_refusal(answer.headers["Content-Type"], answer.json()), body


def is_refusal(content_type, told):
    return content_type == "application/problem+json" and {"type", "title", "detail"} <= set(told)


# promise 0.16
@pytest.mark.usefixtures("_on_a_loop")
@pytest.mark.parametrize(
    ("method", "path", "content", "content_type", "status"),
    [
        ("POST", "register/", b"{", "application/json", 400),
        ("POST", "register/", b"[]", "application/json", 400),
        ("POST", "register/", b"a: b", "application/yaml", 415),
        ("POST", "register/", b"a=b", "application/x-www-form-urlencoded", 415),
        ("POST", "register/", b"x" * 70_000, "application/json", 413),
        ("GET", "register/", b"", "application/json", 405),
        ("PUT", "me/", b"{}", "application/json", 405),
        ("GET", "nothing/", b"", "application/json", 404),
        ("GET", "", b"", "application/json", 404),
    ],
)
def test_what_is_for_no_call_is_told_on_the_loop_as_in_a_thread(
    method, path, content, content_type, status, hops
):
    url = f"/{V2.prefix}{path}"

    answer = NativeClient().generic(method, url, content, content_type)

    threaded = Client().generic(method, url, content, content_type)
    assert answer.status_code == threaded.status_code == status
    assert answer.json() == threaded.json()
    # What knows people by a cookie stands before pages alone.
    mine = {name.lower() for name in answer.headers}
    assert {name.lower() for name in threaded.headers} - mine <= {"content-length"}
    assert {"cache-control", "x-request-id", "vary"} <= mine
    assert not answer.cookies
    assert hops == []


@pytest.mark.usefixtures("_on_a_loop")
def test_a_host_of_nobodys_is_refused_on_the_loop():
    answer = NativeClient().generic("GET", "/api/v2/auth/me/", headers={"Host": "evil.example"})

    assert answer.status_code == 400


@pytest.mark.usefixtures("_on_a_loop")
def test_a_browser_that_opens_a_link_is_led_to_the_page():  # promise 1.6
    url = "/api/v2/auth/verify-email/?token=x"

    answer = NativeClient().generic("GET", url, headers={"Sec-Fetch-Mode": "navigate"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/verify-email/?token=x")
    # Another program gets something else at the same address.
    assert "Accept" in answer.headers["Vary"]


def sleep(seconds):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


@pytest.mark.usefixtures("_on_a_loop")
def test_a_full_pool_is_told_within_two_seconds(settings):  # AVL-01
    settings.ASYNCDB = {**settings.ASYNCDB, "POOL_SIZE": 1}

    async def main():
        holding = asyncio.create_task(asyncdb.run(sleep, 5))
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        sent = json.dumps({"email": "ana@example.com", "password": PASSWORD})
        answer = await NativeClient().ask(ProgramsHandler(), "POST", "/api/v2/auth/login/", sent)
        took = time.monotonic() - begun
        # What needs no connection is answered at once.
        beside = await NativeClient().ask(ProgramsHandler(), "POST", "/api/v2/auth/login/", b"{")
        holding.cancel()
        return answer, took, beside

    answer, took, beside = on_loop(main)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert took < 2
    assert beside.status_code == 400


@pytest.mark.usefixtures("_on_a_loop")
def test_whoever_finds_no_turn_for_a_password_is_told_before_anything_is_counted(  # LIM-09
    monkeypatch,
):
    make_user("ana@example.com")
    monkeypatch.setattr("storefront.native_handler.PASSWORD_PATIENCE", 0.05)
    sent = json.dumps({"email": "ana@example.com", "password": "not the password"})

    async def main():
        handler = ProgramsHandler(asyncio.Semaphore(0))
        return await NativeClient().ask(handler, "POST", "/api/v2/auth/login/", sent)

    answer = on_loop(main)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert not SecurityEvent.objects.exists()


def test_a_server_that_cuts_the_line_is_a_503_and_the_next_one_is_served(native):  # AVL-01
    given = begun(native)
    sent = json.dumps({"user_id": given["id"], "otp": given["wrong"]})

    def cut(link):
        link.pgconn.finish()

    async def main():
        handler, url = ProgramsHandler(), "/api/v2/auth/verify-otp/"
        with at_wait(2, cut):
            first = await NativeClient().ask(handler, "POST", url, sent)
        return first, await NativeClient().ask(handler, "POST", url, sent)

    first, second = on_loop(main)

    assert (first.status_code, first.json()["code"]) == (503, "unavailable")
    assert (second.status_code, second.json()["code"]) == (400, "code_wrong")


def test_wherever_a_client_hangs_up_all_of_its_rows_are_there_or_none(native):  # promise 0.14, 0.15
    number, is_past = 0, False
    while not is_past:
        native.client.ip = f"198.51.{number}.1"
        who = f"ana{number}@example.com"
        told = native.post("v1", "register/", email=who, **WHOLE)
        sent = json.dumps({"user_id": told["user_id"], "otp": Postbox().code(who)})

        is_past = on_loop(partial(cancelled_at, number, "/api/v2/auth/verify-otp/", sent))

        users, apps = User.objects.count(), Session.objects.filter(client=ClientKind.APP).count()
        assert users == apps, number
        assert_nothing_is_broken()
        number += 1
    assert number > 10
    # The last one was let through, and before it whoever hung up after the commit.
    assert 1 <= users < number - 5


async def cancelled_at(number, url, sent):
    """Hang up at the wait of this number; returns whether the request was over before it."""
    task = asyncio.create_task(NativeClient().ask(ProgramsHandler(), "POST", url, sent))
    with at_wait(number, lambda _link: task.cancel()) as waits:
        await asyncio.wait([task])
    return len(waits) <= number


def test_a_client_that_hangs_up_ends_its_query(native, monkeypatch):
    make_user("ana@example.com")
    ended = []

    def slow(*_args, **_kwargs):
        with transaction.atomic():
            User.objects.update(name="Changed")
            try:
                sleep(30)
            except BaseException:
                ended.append(True)
                raise

    monkeypatch.setattr("accounts.flows.login.sign_in_by_password", slow)
    sent = json.dumps({"email": "ana@example.com", "password": PASSWORD})
    begun_at = time.monotonic()

    answer = on_loop(
        lambda: NativeClient().ask(
            ProgramsHandler(), "POST", "/api/v2/auth/login/", sent, gone_after=0.3
        )
    )

    assert answer is None
    assert ended == [True]
    assert time.monotonic() - begun_at < 10
    assert not User.objects.filter(name="Changed").exists()


def test_a_device_is_signed_out_by_the_app_and_by_its_own_name(native):  # SES-05
    make_user("ana@example.com", name="Ana")
    sent = {"email": "ana@example.com", "password": PASSWORD, "app": "My Shop"}
    first, second = native.post("auth", "login/", sent), native.post("auth", "login/", sent)
    native.access = second["access"]
    devices = native.get("auth", "devices/")["devices"]
    assert [each["is_current"] for each in devices] == [True, False]
    assert {each["device"] for each in devices} == {"My Shop app"}

    ended = native.call("DELETE", "auth", f"devices/{devices[1]['sid']}/")

    assert ended.status == 200
    assert native.call("DELETE", "auth", f"devices/{devices[1]['sid']}/").status == 404
    assert native.get("auth", "devices/")["devices"] == devices[:1]
    native.access = first["access"]
    assert native.get("auth", "me/").code == "token_not_valid"


def test_nobody_ends_anothers_device(native):  # SES-05
    make_user("bea@example.com")
    other = Session.objects.create(
        session_key="0" * 40,
        user=User.objects.get(),
        expire_date=timezone.now() + timedelta(days=1),
    )
    native.access = signed_in(native)["access"]

    assert native.call("DELETE", "auth", f"devices/{other.name}/").status == 404
    assert Session.objects.filter(pk=other.pk).exists()


def test_an_attempt_is_named_by_its_handle_alone(native):
    given = begun_by_phone(native)

    told = native.post("auth", "verify-otp/", phone=NUMBER, otp=given["code"])

    assert (told.status, told.code) == (400, "code_wrong")


def test_what_is_served_and_what_is_documented_are_one():  # promise 2.14
    assert document.describe(V2, make_api(is_async=True)) == document.build(V2)
    verify = document.build(V2)["paths"]["/api/v2/auth/verify-otp/"]["post"]

    assert len(verify["requestBody"]["content"]["application/json"]["schema"]["oneOf"]) == 2
    assert verify["tags"] == ["Authentication V2"]
