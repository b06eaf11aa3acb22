"""The staff's door: a password and then a code, with the limits of everybody (ADM-04)."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Challenge, SecurityEvent, Session, User
from messaging.models import OutboxMessage
from tests.support.pages import Page, words
from tests.support.people import (
    LOGOUT,
    PASSWORD,
    Postbox,
    Shopper,
    make_shopper,
    time_passes,
    wrong,
)
from tests.support.staff import (
    ADMIN,
    AGAIN,
    CODE,
    LOGIN,
    SECRET,
    code_of,
    hires,
    knock,
    sign_in_staff,
    type_code,
)


@pytest.fixture
def knocked(client, boss):
    """The browser of that member of staff, between the two steps."""
    assert knock(client).headers["Location"] == CODE
    return client


def is_open(browser):
    """Whether the admin opens in this browser."""
    return browser.get(ADMIN).status_code == 200


def kinds(**more):
    """What was written down, in order."""
    return list(SecurityEvent.objects.filter(**more).order_by("pk").values_list("kind", flat=True))


def test_a_fresh_install_has_no_accounts(db):  # ADM-04
    assert not User.objects.exists()


def test_the_password_alone_opens_nothing(knocked):  # ADM-04
    assert not is_open(knocked)
    assert not Session.objects.exclude(user=None).exists()
    assert knocked.get("/account/").status_code == 303
    assert kinds() == ["code_sent"]


def test_the_code_opens(knocked, boss):  # ADM-04
    page = knocked.get(CODE)
    assert "b•••@staff.example" in words(page)
    assert boss.email not in page.content.decode()

    entered = type_code(knocked, code_of())

    assert entered.headers["Location"] == ADMIN
    assert is_open(knocked)
    assert kinds() == ["code_sent", "staff_signed_in"]
    assert SecurityEvent.objects.latest("pk").user == boss
    assert knocked.get(LOGIN).headers["Location"] == ADMIN
    assert knocked.get(CODE).headers["Location"] == ADMIN


def test_the_session_gets_a_new_id_at_each_step(client, boss):  # SES-01, SES-02
    browser = Shopper()
    browser.identify("half@example.com", name="Half", password=PASSWORD)
    keys = [browser.session_key]
    knock(browser.client)
    keys.append(browser.session_key)

    type_code(browser.client, code_of())

    assert len({*keys, browser.session_key}) == 3
    assert set(Session.objects.values_list("pk", flat=True)) == {browser.session_key}


def test_staff_go_where_they_came_for(client, boss):
    url = "/admin/accounts/securityevent/"
    assert client.get(url).headers["Location"] == f"{LOGIN}?next={url}"
    knock(client, next=url)

    assert type_code(client, code_of()).headers["Location"] == url


@pytest.mark.parametrize("away", ["//evil.example/", "https://evil.example/", "/admin/logout/"])
def test_the_second_step_leads_nowhere_else(client, boss, away):  # WEB-03
    knock(client, next=away)

    assert type_code(client, code_of()).headers["Location"] == ADMIN


def test_who_signs_in_to_the_shop_later_has_left_the_admin(boss, ana, bea):  # ADM-04
    make_shopper(ana, "ana@b.example")
    sign_in_staff(bea.client)
    assert is_open(bea.client)

    bea.post("/login/", identifier="ana@b.example", password=PASSWORD)

    assert bea.is_signed_in
    assert not is_open(bea.client)


def test_a_code_of_another_purpose_is_no_code_here(client, knocked, boss):  # COD-08
    sign_in_staff(client)
    time_passes(minutes=2)
    client.post("/admin/password_change/", {"current": SECRET, "password": "another staff secret"})
    code = code_of()
    other = Client()
    assert knock(other).headers["Location"] == CODE

    assert type_code(other, code).status_code == 422
    assert not is_open(other)


def test_a_wrong_code_is_refused_in_words(knocked):
    refused = type_code(knocked, wrong(code_of()))

    assert refused.status_code == 422
    assert "That is not the code we sent" in words(refused)
    assert kinds() == ["code_sent", "code_wrong"]
    assert not is_open(knocked)


@pytest.mark.parametrize("typed", ["", "abc", "1" * 99, "\x00"])
def test_what_is_no_code_costs_no_try(knocked, typed):
    assert type_code(knocked, typed).status_code == 422
    assert Challenge.objects.get().tries_left == 5


@pytest.mark.django_db(transaction=True)
def test_five_wrong_codes_end_it(knocked):  # COD-06, ADM-04
    right = code_of()
    for _ in range(5):
        type_code(knocked, wrong(right))

    assert "tried too often" in words(type_code(knocked, right))
    assert not is_open(knocked)
    time_passes(minutes=1, seconds=1)
    assert "We sent you a new code" in words(knocked.post(AGAIN))
    assert type_code(knocked, code_of()).headers["Location"] == ADMIN


def test_a_new_code_replaces_the_older_one(knocked):  # COD-09
    first = code_of()
    soon = knocked.post(AGAIN)
    assert soon.status_code == 429
    assert "You can ask for another one at" in words(soon)
    time_passes(minutes=1, seconds=1)

    assert "We sent you a new code" in words(knocked.post(AGAIN))

    assert type_code(knocked, first).status_code == 422
    assert type_code(knocked, code_of()).headers["Location"] == ADMIN


def test_the_code_expires(knocked):  # COD-04
    code = code_of()
    time_passes(minutes=10, seconds=1)

    assert "The code has expired" in words(type_code(knocked, code))
    assert not is_open(knocked)


def test_the_password_is_asked_again_after_half_an_hour(knocked):  # ADM-04
    time_passes(minutes=29)
    assert knocked.get(CODE).status_code == 200

    time_passes(minutes=2)

    for answer in (knocked.get(CODE), type_code(knocked, "123456"), knocked.post(AGAIN)):
        assert answer.headers["Location"] == LOGIN
    assert Challenge.objects.get().sends == 1


def test_the_code_works_once_and_in_one_browser(knocked):  # COD-05
    code = code_of()
    assert Client().post(CODE, {"code": code}).headers["Location"] == LOGIN
    type_code(knocked, code)
    other = Client()
    knock(other)

    assert type_code(other, code).status_code == 422


def test_one_password_after_the_other_sends_one_code(client, boss):
    for _ in range(3):
        knock(client)

    assert len(Postbox()) == 1
    assert type_code(client, code_of()).headers["Location"] == ADMIN


@pytest.mark.parametrize(
    "change",
    [
        {"is_staff": False},
        {"is_active": False},
        {"email": "new@staff.example", "email_key": "new@staff.example"},
    ],
    ids=["no staff", "not active", "another contact"],
)
def test_who_changed_between_the_steps_stays_outside(knocked, change):  # SES-06
    code = code_of()
    User.objects.update(**change)

    assert type_code(knocked, code).status_code == 422
    assert not is_open(knocked)


def test_a_new_password_ends_the_steps_in_progress(knocked, boss):  # PWD-07
    owner = Client()
    time_passes(minutes=2)
    sign_in_staff(owner)
    time_passes(minutes=2)
    knock(knocked)
    code = code_of()
    owner.post("/admin/password_change/", {"current": SECRET, "password": "another staff secret"})
    type_code(owner, code_of(), "/admin/password_change/code/")
    boss.refresh_from_db()
    assert boss.check_password("another staff secret")

    assert type_code(knocked, code).status_code == 422
    assert not is_open(knocked)


@pytest.mark.django_db(transaction=True)
def test_six_bad_passwords_lock(boss):  # ADM-04, LIM-08
    for number in range(6):
        answer = knock(Client(REMOTE_ADDR=f"192.0.2.{number}"), password="bad")

    assert "That was too often" in words(answer)
    assert "That was too often" in words(knock(Client(REMOTE_ADDR="192.0.2.77")))
    assert kinds() == ["staff_sign_in_failed"] * 5 + ["staff_sign_in_limited"] * 2
    assert all(SecurityEvent.objects.values_list("fingerprint", flat=True))
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_strangers_cannot_fill_the_caps_of_staff(boss):  # ABU-01, ADM-04
    for number in range(5):
        Shopper(ip=f"192.0.2.{number}").post("/login/code/", identifier=boss.email)
        time_passes(minutes=1)

    browser = Client()
    assert knock(browser).headers["Location"] == CODE
    type_code(browser, code_of())

    assert is_open(browser)


def test_nobody_waits_for_a_code_that_cannot_leave(client, boss, settings):
    settings.MAILBOX = False

    refused = knock(client)

    assert "We cannot send the code at the moment" in words(refused)
    assert client.get(CODE).headers["Location"] == LOGIN


def test_without_a_contact_there_is_a_way(client, db):  # ADM-04
    User.objects.create_superuser("root.of.all", SECRET)
    told = words(knock(client, "root.of.all"))
    assert "there is no contact to send a code to" in told
    assert "no contact" not in words(knock(client, "root.of.all", "bad"))

    call_command("staff_contact", "root.of.all", "Root@Staff.example")

    assert sign_in_staff(client, "root.of.all").headers["Location"] == ADMIN
    assert "staff_contact_set" in kinds(user=User.objects.get())


def test_a_code_goes_to_a_number_if_that_is_primary(client, db):
    User.objects.create_superuser("boss", SECRET)
    call_command("staff_contact", "boss", "+12025550123")

    knock(client)

    assert "text message to +12•••23" in words(client.get(CODE))
    assert type_code(client, code_of()).headers["Location"] == ADMIN


def test_a_contact_set_by_command_signs_out_and_is_told_to_the_former_one(
    client, boss
):  # ADM-10, ADM-06
    sign_in_staff(client)

    call_command("staff_contact", "boss", "new@staff.example")

    assert not is_open(client)
    assert "contact" in Postbox().messages("boss@staff.example")[0]["subject"]


@pytest.mark.parametrize(
    ("who", "contact"),
    [("nobody", "a@b.example"), ("ana", "a@b.example"), ("boss", "???"), ("boss", "ana@b.example")],
    ids=["nobody", "a shopper", "unreadable", "taken"],
)
def test_the_command_refuses_in_words(boss, ana, who, contact):
    make_shopper(ana, "ana@b.example", username="ana")

    with pytest.raises(CommandError):
        call_command("staff_contact", who, contact)

    assert "staff_contact_set" not in kinds()


def test_a_role_by_command_makes_and_ends_staff(ana):  # ADM-03
    make_shopper(ana, "ana@b.example", username="ana")
    hires("ana")
    assert not ana.is_signed_in
    assert sign_in_staff(ana.client, "ana").headers["Location"] == ADMIN
    assert is_open(ana.client)
    assert [group.name for group in User.objects.get().groups.all()] == ["Support"]

    call_command("staff_role", "ana", "Auditor")
    assert not is_open(ana.client)
    call_command("staff_role", "ana", "none")

    user = User.objects.get()
    assert not user.is_staff
    assert not user.groups.exists()
    assert kinds(user=user).count("staff_role_changed") == 3


def test_leaving_the_admin_is_written_down(client, boss):  # LOG-01
    sign_in_staff(client)

    client.post("/admin/logout/")

    assert kinds()[-1] == "signed_out"
    assert not is_open(client)


def test_leaving_the_shop_leaves_the_admin(client, boss):  # SES-04
    sign_in_staff(client)

    client.post(LOGOUT)

    assert not is_open(client)


@pytest.mark.parametrize("url", [CODE, AGAIN])
def test_nobody_begins_in_the_middle(client, db, url):  # SES-09
    assert client.get(url).headers["Location"] == LOGIN
    assert client.post(url, {"code": "123456"}).headers["Location"] == LOGIN
    assert not Session.objects.exists()


@pytest.mark.parametrize("url", [LOGIN, CODE])
def test_the_door_works_without_a_script(knocked, url):  # WEB-06
    page = knocked.get(url)

    assert "no-store" in page.headers["Cache-Control"]
    assert Page(page).all("form", id="login-form")[0]["method"] == "post"
    assert "style=" not in page.content.decode()


def test_a_shopper_between_the_steps_is_nobody(ana, bea, boss):  # SES-02
    make_shopper(ana, "ana@b.example")

    knock(ana.client)

    assert not ana.is_signed_in
    assert not is_open(ana.client)
