"""Whoever is not the owner cannot tell who has an account by asking as a program: the same bytes for the same work."""

import json
import re
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import SecurityEvent, User
from messaging.models import OutboxMessage
from tests.support.contract import ANA, NEW, NOBODYS, NUMBER, WHOLE, ana, shut_out
from tests.support.hashes import Counted
from tests.support.people import time_passes
from tests.support.programs import Program

pytestmark = pytest.mark.django_db

# As long as those of Ana, so that lengths can be compared, too.
NOBODY = {ANA: "new@example.com", NUMBER: "+12025550177"}
VARIES = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d\d:\d\d UTC")
homes = (f"198.51.{number // 250}.{number % 250 + 1}" for number in count(2000))


@pytest.fixture(autouse=True)
def _hashes_are_counted(settings):
    settings.PASSWORD_HASHERS = ["tests.support.hashes.Counted"]


def of_staff(program):
    """Ana works here."""
    ana(program)
    User.objects.update(is_staff=True)


def seen(program, who, space, path, **sent):
    """What a stranger sees of one answer, and the work it cost."""
    hashes, waiting = Counted.computed, OutboxMessage.objects.count()
    events = SecurityEvent.objects.count()
    with CaptureQueriesContext(connection) as queries:
        told = program.post(space, path, sent)
    body = VARIES.sub("", json.dumps(told.body)).replace(who, "<who>")
    return {
        "status": told.status,
        "body": body,
        "headers": {
            name: value
            for name, value in told.headers.items()
            if name not in ("X-Request-ID", "Content-Length")
        },
        "hashes": Counted.computed - hashes,
        "statements": [_shape(each["sql"]) for each in queries],
        "messages": OutboxMessage.objects.count() - waiting,
        "events": SecurityEvent.objects.count() - events,
    }


def _shape(statement):
    return " ".join(re.findall(r"^\w+|(?:FROM|INTO|UPDATE) \S+", statement))


def steps(kind, who):
    """All that a stranger can ask about an address."""
    yield "v1", "otp/request/", {kind: who}
    yield "v1", "otp/verify/", {kind: who, "code": "000000"}
    yield "v1", "otp/verify/", {kind: who, "code": "000000", "attempt": NOBODYS}
    yield "v1", "resend-otp/", {kind: who}
    yield "v1", "resend-otp/", {"email_or_phone": who}
    yield "auth", "verify-otp/", {kind: who, "otp": "000000"}
    yield "auth", "password-reset/", {kind: who}
    yield "auth", "login/", {kind: who, "password": "not the password"}
    yield "auth", "login/", {"identifier": who, "password": "not the password"}
    if kind == "email":
        yield "v1", "resend-verification/", {kind: who}


@pytest.mark.parametrize("kind", ["email", "phone"])
@pytest.mark.parametrize("state", [ana, shut_out, of_staff], ids=lambda state: state.__name__)
def test_a_stranger_cannot_tell_who_has_an_account(kind, state):  # ENU-01, ENU-02, ENU-03
    state(None)
    who = {"email": ANA, "phone": NUMBER}[kind]

    for known, unknown in zip(steps(kind, who), steps(kind, NOBODY[who]), strict=True):
        told = []
        for name, (space, path, sent) in ((who, known), (NOBODY[who], unknown)):
            told.append(seen(Program(ip=next(homes)), name, space, path, **sent))
        assert told[0] == told[1], known


@pytest.mark.parametrize("space", ["v1", "auth"])
def test_a_stranger_with_a_code_of_five_tries_cannot_tell_either(space):  # ENU-02, COD-06
    ana(None)
    told = []
    for who in (ANA, NOBODY[ANA]):
        program, found = Program(ip=next(homes)), []
        attempt = program.post("v1", "otp/request/", email=who)["attempt"]
        for number in range(7):
            sent = {"email": who, "code": f"00000{number}", "attempt": attempt}
            found.append(seen(program, who, "v1", "otp/verify/", **sent))
        time_passes(minutes=10, seconds=1)
        found.append(seen(program, who, "v1", "otp/verify/", **sent))
        told.append(found)

    assert told[0] == told[1]
    assert '"code_used_up"' in told[0][5]["body"]


@pytest.mark.parametrize(
    ("space", "path", "more"),
    [
        ("v1", "register/", WHOLE),
        ("auth", "register/phone/", {}),
        ("auth", "register/email/", {"password": NEW}),
    ],
)
def test_where_it_is_private_nobody_learns_who_has_registered(private, space, path, more):  # ENU-06
    ana(None)
    kind, who = ("phone", NUMBER) if "phone" in path else ("email", ANA)

    known, unknown = (
        seen(Program(ip=next(homes)), each, space, path, **{kind: each}, **more)
        for each in (who, NOBODY[who])
    )

    assert known == unknown
    assert known["status"] in (200, 201)


def test_the_password_s_way_closes_for_names_of_nobody_s_like_for_any_other():  # ENU-05, promise 2.9
    ana(None)
    told = []
    for who in (ANA, NOBODY[ANA]):
        program = Program(ip=next(homes))
        sent = {"email": who, "password": "not the password"}
        told.append([seen(program, who, "auth", "login/", **sent) for _ in range(6)])

    assert told[0] == told[1]
    assert [each["status"] for each in told[0]] == [401] * 5 + [429]
    assert [each["hashes"] for each in told[0]] == [1] * 5 + [0]
