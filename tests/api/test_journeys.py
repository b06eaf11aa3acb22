"""A person and an app, from the first call to the last: what is made when, what is dropped, who is let in."""

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import conf
from accounts.models import Challenge, Client, SecurityEvent, Session, User
from ratelimits.rates import parse_rates
from tests.support.account import everything_in_the_database, kinds
from tests.support.contract import ANA, NEW, NUMBER, WHOLE, begun, begun_by_email, begun_by_phone
from tests.support.people import PASSWORD, Postbox, Shopper, make_user, time_passes, wrong
from tests.support.programs import Program

pytestmark = [pytest.mark.django_db, pytest.mark.database]

OTHER = "entirely another secret"


def signs_in(who, password, **more):
    """Whether a new app gets in with this password."""
    told = Program(ip="192.0.2.200").post("auth", "login/", identifier=who, password=password)
    return told.status == 200


# Nothing before the proof


def test_nothing_is_made_before_the_code_and_then_under_the_id_that_was_told(postbox):
    # promise 0.9, 0.13, 0.14
    program = Program()
    told = program.post("v1", "register/", email=ANA, **WHOLE)
    assert not User.objects.exists()

    done = program.post("v1", "verify-otp/", user_id=told["user_id"], otp=postbox.code(ANA))

    user = User.objects.get()
    assert str(user.pk) == told["user_id"] == done["user_id"] == done["user"]["id"]
    assert user.is_active
    assert user.email_verified_at
    assert kinds(user) == ["registered", "signed_in"]
    assert signs_in(ANA, PASSWORD)


def test_the_handle_stays_when_the_tries_are_used_up_and_another_attempt_begins(postbox):
    # promise 0.10: ux 37
    program = Program()
    given = begun(program)
    for _ in range(5):
        program.post("v1", "verify-otp/", user_id=given["id"], otp=given["wrong"])
    time_passes(seconds=61)
    assert program.post("v1", "resend-otp/", user_id=given["id"]).status == 200

    done = program.post("v1", "verify-otp/", user_id=given["id"], otp=postbox.code(ANA))

    assert done["user_id"] == given["id"]
    assert signs_in(ANA, PASSWORD)


def test_the_page_s_link_makes_the_user_under_the_id_that_was_told(ana, postbox):
    told = Program().post("v1", "register/", email=ANA, **WHOLE)
    ana.open(postbox.link(ANA))
    ana.post("/verify-email/")

    assert str(User.objects.get().pk) == told["user_id"]
    # What was typed elsewhere is not that person's (REG-08).
    assert not User.objects.get().has_usable_password()


def test_codes_that_are_sent_again_end_the_older_ones(postbox):  # promise 0.10, 1.11
    program = Program()
    given = begun(program)
    time_passes(seconds=61)
    program.post("v1", "resend-otp/", email_or_phone=ANA)

    old = program.post("v1", "verify-otp/", user_id=given["id"], otp=given["code"])
    new = program.post("v1", "verify-otp/", user_id=given["id"], otp=postbox.code(ANA))

    assert (old.code, new.status) == ("code_earlier", 200)


def test_no_row_holds_a_password_a_code_or_a_token(postbox):  # REG-10, REC-03
    program = Program()
    given = begun_by_phone(program)
    told = program.post("auth", "verify-otp/", phone=NUMBER, otp=given["code"])
    begun(program)

    facts = [PASSWORD, given["code"], told["registration_token"], postbox.code(ANA)]
    values = [str(text) for _column, text in everything_in_the_database()]
    assert not [
        fact
        for fact in facts
        for value in values
        if fact == value or (len(fact) > 6 and fact in value)
    ]


# Whose password it is


def test_a_stranger_s_password_goes_when_the_owner_proves(postbox):  # REG-08
    stranger, owner = Program(ip="192.0.2.66"), Program()
    stranger.post("v1", "register/", email=ANA, password=OTHER, password_confirm=OTHER)
    given = begun(owner)

    owner.post("v1", "verify-otp/", user_id=given["id"], otp=given["code"])

    assert signs_in(ANA, PASSWORD)
    assert not signs_in(ANA, OTHER)


@pytest.mark.parametrize("is_first", [True, False])
def test_without_a_handle_nobody_gets_a_password_that_a_stranger_typed(postbox, is_first):  # REG-08
    stranger, owner = Program(ip="192.0.2.66"), Program()
    theirs = {"email": ANA, "password": OTHER}
    if is_first:
        stranger.post("auth", "register/email/", theirs)
    owner.post("auth", "register/email/", email=ANA, password=PASSWORD)
    if not is_first:
        stranger.post("auth", "register/email/", theirs)

    told = owner.post("auth", "verify-otp/", email=ANA, otp=postbox.code(ANA))

    assert told.status == 200
    assert not told["user"]["completed"]
    assert not signs_in(ANA, OTHER)


def test_with_a_handle_the_owner_keeps_theirs(postbox):  # REG-08
    owner, stranger = Program(), Program(ip="192.0.2.66")
    given = begun_by_email(owner)
    stranger.post("auth", "register/email/", email=ANA, password=OTHER)

    owner.post("auth", "verify-otp/", email=ANA, otp=given["code"], attempt=given["attempt"])

    assert signs_in(ANA, PASSWORD)


def test_the_owner_of_an_account_proves_and_is_who_they_were(private, postbox):  # REG-02
    user = make_user(ANA)
    program = Program()
    told = program.post("v1", "register/", email=ANA, password=NEW, password_confirm=NEW)

    done = program.post("v1", "verify-otp/", user_id=told["user_id"], otp=postbox.code(ANA))

    assert done["user_id"] == str(user.pk) != told["user_id"]
    assert signs_in(ANA, PASSWORD)
    assert not signs_in(ANA, NEW)


# Whose attempt it is


def test_a_browser_s_attempt_is_none_of_an_app_s(ana, postbox):
    make_user(ANA)
    ana.post("/login/code/", identifier=ANA)

    told = Program().post("v1", "otp/verify/", email=ANA, code=postbox.code(ANA))

    assert (told.status, told.code) == (400, "code_wrong")
    assert Challenge.objects.get().tries_left == conf.CODE_MAX_ATTEMPTS


def test_a_shop_may_ask_for_the_attempt_always(monkeypatch, postbox):
    monkeypatch.setattr(conf, "API_NEEDS_ATTEMPT", True)
    make_user(ANA)
    program = Program()
    attempt = program.post("v1", "otp/request/", email=ANA)["attempt"]
    sent = {"email": ANA, "code": postbox.code(ANA)}

    assert program.post("v1", "otp/verify/", sent).code == "code_wrong"
    assert program.post("v1", "otp/verify/", sent, attempt=attempt).status == 200


def test_an_attempt_of_one_purpose_is_none_of_another(postbox):  # COD-08
    make_user(ANA)
    program = Program()
    attempt = program.post("v1", "otp/request/", email=ANA)["attempt"]
    code = postbox.code(ANA)

    assert program.post("v1", "verify-otp/", user_id=attempt, otp=code).status == 404
    assert program.post("auth", "verify-otp/", email=ANA, otp=code, attempt=attempt).status == 400
    reset = {"attempt": attempt, "otp": code, "password": NEW}
    assert program.post("auth", "password-reset/confirm/", reset).status == 400


def test_no_cookie_opens_what_an_app_is_in_the_middle_of(postbox):
    program = Program()
    given = begun_by_phone(program)
    told = program.post("auth", "verify-otp/", phone=NUMBER, otp=given["code"])
    row = Session.objects.get(client=Client.PENDING)
    browser = Shopper()

    for value in (row.session_key, row.public_id.hex, told["registration_token"], row.name):
        browser.client.cookies["__Host-session"] = value
        assert browser.get("/register/verify/").status_code == 303


# Three steps


def test_a_number_is_verified_once_and_its_account_made_at_the_end(postbox):
    # promise 2.2, 2.3, 2.8, 2.10
    program = Program()
    given = begun_by_phone(program)
    told = program.post("auth", "verify-otp/", phone=NUMBER, otp=given["code"])
    assert not User.objects.exists()

    sent = {"registration_token": told["registration_token"], "password": PASSWORD}
    weak = program.post("auth", "register/complete/", {**sent, "password": "short"})
    done = program.post("auth", "register/complete/", sent, name="Ana")
    again = program.post("auth", "register/complete/", sent)

    assert (weak.status, done.status, again.code) == (400, 200, "invalid_registration_token")
    program.access = done["access"]
    assert program.get("auth", "me/")["phone"] == NUMBER
    assert done["user"]["completed"]
    assert set(SecurityEvent.objects.values_list("kind", flat=True)) == {
        "code_sent",
        "code_verified",
        "registered",
        "signed_in",
    }


def test_a_registration_token_works_for_ten_minutes(postbox):  # promise 2.4, 2.8
    program = Program()
    given = begun_by_phone(program)
    told = program.post("auth", "verify-otp/", phone=NUMBER, otp=given["code"])
    time_passes(minutes=10, seconds=1)

    sent = {"registration_token": told["registration_token"], "password": PASSWORD}
    late = program.post("auth", "register/complete/", sent)

    assert (late.status, late.code) == (400, "invalid_registration_token")
    # Steps 1 and 2 are there to be done again.
    program.post("auth", "register/phone/", phone=NUMBER)
    again = program.post("auth", "verify-otp/", phone=NUMBER, otp=postbox.code(NUMBER))
    assert again.status == 200


def test_a_second_contact_counts_once_its_own_code_was_typed(postbox):  # promise 2.3, REG-04
    program = Program()
    given = begun_by_phone(program)
    told = program.post("auth", "verify-otp/", phone=NUMBER, otp=given["code"])
    sent = {"registration_token": told["registration_token"], "password": PASSWORD, "email": ANA}
    done = program.post("auth", "register/complete/", sent)
    assert done["user"]["email"] is None
    code = postbox.code(ANA)

    # Whoever reads the mailbox alone gets nothing: it may have been mistyped.
    alone = program.post("auth", "verify-otp/", email=ANA, otp=code)
    named = {"email": ANA, "otp": code, "attempt": done["email_attempt"]}

    assert alone.status == 400
    assert program.post("auth", "verify-otp/", named).status == 200
    assert User.objects.get().email == ANA


def test_three_more_codes_an_hour_go_to_a_number(postbox):  # promise 2.7
    program = Program()

    told = [program.post("auth", "register/phone/", phone=NUMBER) for _ in range(5)]

    assert [each.status for each in told] == [200] * 4 + [429]
    assert told[4].code == "too_often"


def test_a_number_without_its_country_needs_a_region(monkeypatch):  # promise 2.1
    program = Program()
    assert program.post("auth", "register/phone/", phone="01712345678").status == 400

    monkeypatch.setattr(conf, "PHONE_REGION", "BD")

    told = program.post("auth", "register/phone/", phone="01712345678")
    assert told.status == 200
    code = Postbox().code("+8801712345678")
    done = program.post("auth", "verify-otp/", phone="01712345678", otp=code)
    assert done["phone"] == "01712345678"


def test_what_the_password_of_design_002_is_made_of_can_be_set(settings):  # promise 2.6
    classes = ["upper", "lower", "digit", "special"]
    composition = "accounts.password_policy.validators.CompositionValidator"
    others = [each for each in settings.AUTH_PASSWORD_VALIDATORS if each["NAME"] != composition]
    asked = {"NAME": composition, "OPTIONS": {"classes": classes}}
    settings.AUTH_PASSWORD_VALIDATORS = [*others, asked]
    program = Program()

    plain = program.post("auth", "register/email/", email=ANA, password="correct horse battery")
    made = program.post("auth", "register/email/", email=ANA, password="Correct-horse-8attery")

    assert (plain.status, list(plain.fields), made.status) == (400, ["password"], 200)


# In, out, and forgotten


def test_five_wrong_passwords_close_the_way_for_half_an_hour(postbox):  # promise 2.9
    make_user(ANA)
    for _ in range(5):
        assert not signs_in(ANA, "not the password")
    assert not signs_in(ANA, PASSWORD)

    time_passes(minutes=30, seconds=1)

    assert signs_in(ANA, PASSWORD)


def test_a_page_and_an_app_have_one_allowance(ana):
    make_user(ANA)
    for _ in range(3):
        ana.post("/login/", identifier=ANA, password="not the password")
    for _ in range(2):
        signs_in(ANA, "not the password")

    assert ana.post("/login/", identifier=ANA, password=PASSWORD).status_code == 429


def test_an_app_that_was_here_has_tries_of_its_own(postbox):  # LIM-04
    make_user(ANA)
    mine = Program()
    known = mine.post("auth", "login/", email=ANA, password=PASSWORD)["device_token"]
    for _ in range(5):
        signs_in(ANA, "not the password")

    sent = {"email": ANA, "password": PASSWORD}
    assert mine.post("auth", "login/", sent).status == 429
    before = len(postbox)
    assert mine.post("auth", "login/", sent, device_token=known).status == 200
    # Nor is it new to its owner.
    assert len(postbox) == before


def test_staff_get_no_tokens(private, postbox):  # ADM-04
    user = make_user(ANA, phone=NUMBER, is_staff=True)
    program = Program()

    assert not signs_in(ANA, PASSWORD)
    attempt = program.post("v1", "otp/request/", email=ANA)["attempt"]
    for who, fields in (("v1", {"email": ANA, "code": "000000", "attempt": attempt}),):
        assert program.post(who, "otp/verify/", fields).status == 400
    told = program.post("v1", "register/", email=ANA, **WHOLE)
    challenge = Challenge.objects.get(pk=told["user_id"])
    done = program.post("v1", "verify-otp/", user_id=told["user_id"], otp=challenge.code)

    assert done.status == 400
    assert not user.sessions.exists()


def test_a_new_password_ends_every_app_and_signs_nobody_in(postbox):  # promise 2.5, REC-06
    make_user(ANA)
    program = Program()
    told = program.post("auth", "login/", email=ANA, password=PASSWORD)
    program.access = told["access"]
    program.post("auth", "password-reset/", email=ANA)
    token = postbox.link(ANA).partition("token=")[2]

    assert program.post("auth", "password-reset/confirm/", token=token, password=NEW).status == 200

    assert program.get("auth", "me/").code == "token_not_valid"
    assert program.post("auth", "token/refresh/", refresh=told["refresh"]).status == 401
    assert signs_in(ANA, NEW)
    again = program.post("auth", "password-reset/confirm/", token=token, password=OTHER)
    assert (again.status, again.code) == (400, "link_dead")
    assert "password_reset" in kinds()  # promise 2.10


def test_signing_out_ends_the_app_at_once(postbox):  # promise 2.5, 2.10
    user = make_user(ANA)
    program = Program()
    told = program.post("auth", "login/", email=ANA, password=PASSWORD)
    program.access = told["access"]
    assert program.get("auth", "me/").status == 200

    program.post("auth", "logout/", refresh=told["refresh"])

    assert program.get("auth", "me/").status == 401
    assert kinds(user)[-1] == "signed_out"


def test_an_account_that_was_closed_meanwhile_is_told_nothing_more(postbox):
    make_user(ANA)
    program = Program()
    program.access = program.post("auth", "login/", email=ANA, password=PASSWORD)["access"]
    User.objects.update(is_active=False)

    assert program.get("auth", "me/").code == "token_not_valid"


# What it costs


def statements(act):
    """What is asked of the database, without the borders of transactions."""
    with CaptureQueriesContext(connection) as queries:
        told = act()
    assert told.status < 300, told.body
    border = re.compile(r"BEGIN|COMMIT|SAVEPOINT|RELEASE|ROLLBACK")
    return [each["sql"] for each in queries if not border.match(each["sql"])]


@pytest.mark.usefixtures("_work_is_for_the_worker")
def test_a_registration_costs_at_most_nine_statements():
    program = Program()

    assert len(statements(lambda: program.post("v1", "register/", email=ANA, **WHOLE))) <= 9


@pytest.mark.usefixtures("_work_is_for_the_worker")
def test_every_other_call_has_its_budget_too(postbox):
    program = Program()
    given = begun(program)
    verify = {"user_id": given["id"], "otp": given["code"]}
    cost = {"verify-otp": statements(lambda: program.post("v1", "verify-otp/", verify))}
    sent = {"email": ANA, "password": PASSWORD}
    cost["login"] = statements(lambda: program.post("auth", "login/", sent))
    told = program.post("auth", "login/", sent)
    refresh = {"refresh": told["refresh"]}
    cost["refresh"] = statements(lambda: program.post("auth", "token/refresh/", refresh))
    program.access = told["access"]
    cost["me"] = statements(lambda: program.get("auth", "me/"))
    asked = statements(lambda: program.post("v1", "otp/request/", email=ANA))
    cost["otp/request"] = asked

    found = {name: len(each) for name, each in cost.items()}
    most = {"verify-otp": 10, "login": 11, "refresh": 3, "me": 1, "otp/request": 9}
    assert all(found[name] <= most[name] for name in most), json.dumps(found)


def test_many_tries_at_an_address_alone_are_held_up(monkeypatch):  # promise 1.12, COD-07
    monkeypatch.setattr(conf, "CODES_PER_IP", parse_rates("5/10m"))
    program = Program()

    told = [program.post("v1", "otp/verify/", email=ANA, code="123456") for _ in range(6)]

    assert [each.status for each in told] == [400] * 5 + [429]


def test_five_tries_and_the_right_code_is_dead(postbox):  # COD-06
    program = Program()
    given = begun(program)
    for _ in range(5):
        program.post("v1", "verify-otp/", user_id=given["id"], otp=wrong(given["code"]))

    told = program.post("v1", "verify-otp/", user_id=given["id"], otp=given["code"])

    assert (told.status, told.code) == (400, "code_used_up")
    assert not User.objects.exists()


# Where the emailed links lead


def test_the_links_of_what_a_program_began_lead_to_the_shop_s_own_app(settings, postbox):
    # promise 1.8, 1.25
    settings.FRONTEND_URL = "https://app.example"
    make_user("bea@example.com")
    Program().post("v1", "register/", email=ANA, **WHOLE)
    Program().post("auth", "password-reset/", email="bea@example.com")

    assert "https://app.example/verify-email?token=" in postbox.messages(ANA)[0]["text"]
    reset = postbox.messages("bea@example.com")[0]["text"]
    assert "https://app.example/password-reset?token=" in reset
    done = Program().get("v1", "verify-email/", token=postbox.link(ANA).partition("token=")[2])
    assert done.status == 200


def test_the_links_of_what_a_browser_began_lead_to_its_pages(settings, ana, postbox):
    settings.FRONTEND_URL = "https://app.example"
    ana.identify(ANA)

    assert postbox.messages(ANA)[0]["text"].count("https://shop.example/verify-email/?token=") == 1


def test_a_link_that_a_program_opens_signs_nobody_in(postbox):  # promise 1.6, 1.15
    told = Program().post("v1", "register/", email=ANA, **WHOLE)
    token = postbox.link(ANA).partition("token=")[2]

    Program().post("v1", "verify-email/", token=token, user_id=told["user_id"])

    assert kinds(User.objects.get()) == ["registered"]
    assert not Session.objects.exclude(client=Client.PENDING).exists()
    # Of whoever brought the handle the password is theirs (REG-08).
    assert signs_in(ANA, PASSWORD)


def test_without_the_handle_a_link_brings_no_password(postbox):  # REG-08
    Program().post("v1", "register/", email=ANA, **WHOLE)
    Program().post("v1", "verify-email/", token=postbox.link(ANA).partition("token=")[2])

    assert User.objects.get().email == ANA
    assert not signs_in(ANA, PASSWORD)


def test_the_owner_s_link_changes_nothing_but_the_attempt(private, postbox):  # REG-02
    user = make_user(ANA)
    Program().post("v1", "register/", email=ANA, password=NEW, password_confirm=NEW)
    # The owner gets no link, as an account is there; the token is worked out as an email would have it.
    token = Challenge.objects.get().link_token

    assert Program().post("v1", "verify-email/", token=token).status == 200

    assert kinds(user) == []
    assert signs_in(ANA, PASSWORD)


def test_whoever_loses_the_username_to_somebody_quicker_keeps_the_password(postbox):  # REG-07
    program = Program()
    fields = {"email": ANA, **WHOLE, "username": "ana.shop", "name": "Ana"}
    given = program.post("v1", "register/", fields)
    make_user("bea@example.com", username="ana.shop")

    told = program.post("v1", "verify-otp/", user_id=given["user_id"], otp=postbox.code(ANA))

    assert (told["user"]["username"], told["user_id"]) == (None, given["user_id"])
    assert signs_in(ANA, PASSWORD)


def test_a_call_leaves_a_message_in_the_outbox_and_waits_for_no_provider(settings):
    # promise 0.17, 1.5
    settings.EMAIL_URL = "smtp://127.0.0.1:9"

    told = Program().post("v1", "register/", email=ANA, **WHOLE)

    assert told.status == 201
