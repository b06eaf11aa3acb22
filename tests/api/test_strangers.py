"""A stranger with the API in hand: what they do beside the owner, before or after, changes nothing of the owner's."""

import pytest

from accounts.models import Challenge, User
from tests.support.contract import ANA, NUMBER, begun_by_phone
from tests.support.people import PASSWORD, make_user, time_passes
from tests.support.programs import HOME_OF_PROGRAMS, V2, Program

pytestmark = [pytest.mark.django_db, pytest.mark.database]

STRANGERS = "entirely another secret"
ELSEWHERE = "192.0.2.66"
# What a form on any page may send without being asked for it first.
FORMS = {
    "application/x-www-form-urlencoded": b"email=ana%40example.com",
    "multipart/form-data; boundary=x": (
        b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nana@example.com\r\n--x--\r\n'
    ),
    "text/plain": b'{"email": "ana@example.com"}',
}


def signs_in(who, password):
    """Whether a new app gets in with this password."""
    told = Program(ip="192.0.2.200").post("auth", "login/", identifier=who, password=password)
    return told.status == 200


def verified_number(owner):
    """Ana has typed the code of her number, and may choose a password."""
    given = begun_by_phone(owner)
    told = owner.post("auth", "verify-otp/", phone=NUMBER, otp=given["code"])
    return {**given, "registration_token": told["registration_token"], "password": PASSWORD}


# Before the owner has proved


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("home", [HOME_OF_PROGRAMS, ELSEWHERE], ids=["neighbour", "elsewhere"])
def test_the_owner_types_a_code_and_gets_no_password_of_a_stranger_s(postbox, home, is_first):
    # REG-02, REG-08: a neighbour comes from the same address, like all of a café or of a mobile network.
    owner, stranger = Program(), Program(ip=home)
    acts = [(owner, PASSWORD), (stranger, STRANGERS)]
    for program, password in reversed(acts) if is_first else acts:
        program.post("auth", "register/email/", email=ANA, password=password)

    told = owner.post("auth", "verify-otp/", email=ANA, otp=postbox.code(ANA))

    assert told.status == 200
    assert not signs_in(ANA, STRANGERS)


# Between the owner's code and the owner's password


def test_a_stranger_who_asks_for_the_next_code_takes_no_registration_token_away(postbox):
    # promise 2.4, 2.8
    owner, stranger = Program(), Program(ip=ELSEWHERE)
    sent = verified_number(owner)
    time_passes(minutes=2)
    before = len(postbox)

    stranger.post("v1", "resend-otp/", phone=NUMBER)

    assert len(postbox) == before
    assert Challenge.objects.count() == 1
    assert owner.post("auth", "register/complete/", sent).status == 200


@pytest.mark.parametrize("named", ["phone", "user_id"])
def test_a_registration_token_lives_no_longer_for_codes_that_are_sent_again(postbox, named):
    # promise 2.4, 2.8, COD-04
    owner = Program()
    sent = verified_number(owner)
    time_passes(minutes=2)
    owner.post("v1", "resend-otp/", {named: {"phone": NUMBER, "user_id": sent["attempt"]}[named]})
    time_passes(minutes=9)

    told = owner.post("auth", "register/complete/", sent)

    assert (told.status, told.code) == (400, "invalid_registration_token")
    assert not User.objects.exists()


def test_whoever_lost_the_registration_token_proves_again_and_the_lost_one_is_dead(postbox):
    # promise 2.4, COD-09
    owner = Program()
    lost = verified_number(owner)
    time_passes(minutes=2)

    owner.post("v1", "resend-otp/", user_id=lost["attempt"])
    early = owner.post("auth", "register/complete/", lost)
    named = {"attempt": lost["attempt"], "otp": postbox.code(NUMBER)}
    token = owner.post("auth", "verify-otp/", named)["registration_token"]

    assert (early.status, early.code) == (400, "invalid_registration_token")
    done = owner.post("auth", "register/complete/", registration_token=token, password=PASSWORD)
    assert done.status == 200


# By the browsers of other people


@pytest.mark.parametrize("content_type", FORMS)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://shop.example"])
def test_a_form_on_a_stranger_s_page_makes_its_visitors_send_nothing(postbox, content_type, origin):
    # WEB-01: each visitor would bring the allowance of their household along, and lose it.
    make_user(ANA)
    for url in ("/api/v1/auth/otp/request/", "/api/auth/password-reset/", V2["v1"] + "otp/request"):
        answer = Program().client.generic(
            "POST", url, FORMS[content_type], content_type, headers={"Origin": origin}
        )

        assert answer.status_code == 415
        assert answer.json()["code"] == "unreadable"
    assert len(postbox) == 0
    assert not Challenge.objects.exists()


@pytest.mark.parametrize("origin", ["https://shop.example", "https://app.example", ""])
def test_a_form_of_the_shop_s_own_pages_and_of_programs_is_read(settings, origin):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    headers = {"Origin": origin} if origin else {}

    told = Program(form="multipart", **headers).post("v1", "otp/request/", email=ANA)

    assert told.status == 200
