"""Many programs at once: real threads, each with a connection of its own, on whatever database the tests run on."""

from collections import Counter

import pytest

from accounts import conf
from accounts.models import Challenge, Client, SecurityEvent, Session, User
from ratelimits.rates import parse_rates
from tests.support.contract import ANA, NUMBER, begun, begun_by_phone
from tests.support.people import PASSWORD, wrong
from tests.support.programs import Program
from tests.support.races import assert_nothing_is_broken, at_once

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _nothing_is_broken(transactional_db):
    yield
    assert_nothing_is_broken()


def told(*acts):
    """How often each answer was given, by its status and code."""
    return Counter((each.status, each.code) for each in at_once(*acts))


def homes(count):
    """Programs in as many households."""
    return [Program(ip=f"198.51.100.{number + 1}") for number in range(count)]


def test_thirty_wrong_codes_at_once_spend_five_tries(postbox):  # COD-06
    given = begun(Program())
    sent = {"user_id": given["id"], "otp": given["wrong"]}

    answers = told(*[lambda each=each: each.post("v1", "verify-otp/", sent) for each in homes(30)])

    assert sum(answers.values()) == answers[400, "code_wrong"] + answers[400, "code_used_up"] == 30
    assert SecurityEvent.objects.filter(kind="code_wrong").count() == conf.CODE_MAX_ATTEMPTS
    assert Challenge.objects.get().tries_left == 0


def test_ten_right_codes_at_once_make_one_user_and_one_session(postbox):  # promise 0.14
    given = begun(Program())
    sent = {"user_id": given["id"], "otp": given["code"]}

    answers = told(*[lambda each=each: each.post("v1", "verify-otp/", sent) for each in homes(10)])

    assert answers[200, None] == 1
    assert str(User.objects.get().pk) == given["id"]
    assert Session.objects.filter(client=Client.APP).count() == 1


def test_two_who_type_the_code_of_a_number_get_one_token(postbox):
    given = begun_by_phone(Program())
    sent = {"phone": NUMBER, "otp": given["code"], "attempt": given["attempt"]}

    answers = told(*[lambda each=each: each.post("auth", "verify-otp/", sent) for each in homes(6)])

    assert answers[200, None] == 1
    assert not User.objects.exists()


def test_one_registration_token_makes_one_user(postbox):  # promise 2.3, 2.4
    program = Program()
    given = begun_by_phone(program)
    token = program.post("auth", "verify-otp/", phone=NUMBER, otp=given["code"])
    sent = {"registration_token": token["registration_token"], "password": PASSWORD}

    answers = told(
        *[lambda each=each: each.post("auth", "register/complete/", sent) for each in homes(6)]
    )

    assert answers == {(200, None): 1, (400, "invalid_registration_token"): 5}
    assert User.objects.count() == 1
    assert Session.objects.filter(client=Client.APP).count() == 1


def test_guesses_without_a_handle_are_as_few(postbox, monkeypatch):  # COD-06
    monkeypatch.setattr(conf, "CODES_PER_IP", parse_rates("1000/10m"))
    program = Program()
    program.post("auth", "register/email/", email=ANA, password=PASSWORD)
    sent = {"email": ANA, "otp": wrong(postbox.code(ANA))}

    told(*[lambda each=each: each.post("auth", "verify-otp/", sent) for each in homes(12)])

    assert SecurityEvent.objects.filter(kind="code_wrong").count() == conf.CODE_MAX_ATTEMPTS
