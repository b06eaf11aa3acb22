"""Many programs at once at the door on the loop: real sockets, one thread, and what must stand afterwards."""

from collections import Counter

import pytest
from django.db import connections

from accounts import conf
from accounts.models import Challenge, Client, SecurityEvent, Session, User
from tests.support.contract import begun, number_verified
from tests.support.native_server import at_once, headers, served
from tests.support.people import PASSWORD, make_user
from tests.support.races import assert_nothing_is_broken

V2 = "/api/v2/auth/"


@pytest.fixture
def address(_on_a_loop, monkeypatch, settings):
    """Where the site is served, behind a proxy that says where a request is from; whoever comes may wait for long."""
    monkeypatch.setattr(conf, "TRUSTED_PROXY_COUNT", 1)
    settings.ASYNCDB = {"POOL_TIMEOUT": 60}
    # Those of the threads for pages end with each page.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    monkeypatch.setattr("storefront.native_handler.PASSWORD_PATIENCE", 60)
    with served() as address:
        yield address


def posting(address, path, sent):
    def post(session, number):
        url = f"{address}{V2}{path}"
        answer = session.post(url, json=sent, headers=headers(number), timeout=60)
        return answer.status_code, answer.json()

    return post


def test_of_a_hundred_guesses_five_are_evaluated(native, address):  # COD-06, promise 0.19
    given = begun(native)
    sent = {"user_id": given["id"], "otp": given["wrong"]}

    answers = at_once(100, posting(address, "verify-otp/", sent))

    told = Counter((status, body["code"]) for status, body in answers)
    assert told[400, "code_wrong"] + told[400, "code_used_up"] == 100
    assert SecurityEvent.objects.filter(kind="code_wrong").count() == conf.CODE_MAX_ATTEMPTS
    assert Challenge.objects.get().tries_left == 0
    assert_nothing_is_broken()


def test_fifty_refreshes_with_one_token_get_one_answer(native, address):
    make_user("ana@example.com")
    told = native.post("auth", "login/", email="ana@example.com", password=PASSWORD)

    answers = at_once(50, posting(address, "token/refresh/", {"refresh": told["refresh"]}))

    assert {status for status, _body in answers} == {200}
    assert len({body["refresh"] for _status, body in answers}) == 1
    assert Session.objects.get().generation == 2
    assert not SecurityEvent.objects.filter(kind="token_replayed").exists()


def test_two_who_complete_one_registration_make_one_user(native, address):  # promise 2.3, 2.4
    given = number_verified(native)
    sent = {"registration_token": given["token"], "password": PASSWORD}

    answers = at_once(2, posting(address, "register/complete/", sent))

    assert sorted(status for status, _body in answers) == [200, 400]
    assert User.objects.count() == 1
    assert Session.objects.filter(client=Client.APP).count() == 1
    assert_nothing_is_broken()


def test_twenty_right_codes_at_once_make_one_user_under_the_id_that_was_told(native, address):
    # promise 0.9, 0.14
    given = begun(native)
    sent = {"user_id": given["id"], "otp": given["code"]}

    answers = at_once(20, posting(address, "verify-otp/", sent))

    assert [status for status, _body in answers].count(200) == 1
    assert str(User.objects.get().pk) == given["id"]
    assert Session.objects.filter(client=Client.APP).count() == 1
    assert_nothing_is_broken()


def test_pages_and_programs_are_served_by_one_process(native, address):
    make_user("ana@example.com")
    sent = {"email": "ana@example.com", "password": PASSWORD}

    def act(session, number):
        if number % 2:
            return posting(address, "login/", sent)(session, number)[0]
        return session.get(f"{address}/login/", headers=headers(number), timeout=60).status_code

    assert at_once(20, act) == [200] * 20
