"""Staff accounts are not shoppers' accounts: every side door is tried, and the owner still gets in (ADM-04)."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, load_backend
from django.contrib.auth.hashers import check_password
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client

from accounts import audit, conf, limits, tasks
from accounts.flows import recovery
from accounts.identifiers import fingerprint, parse
from accounts.models import Challenge, Pool, Purpose, SecurityEvent, Session, SmsCountry, User
from accounts.sessions.store import STAFF_BACKEND
from backoffice import roles
from messaging.models import Channel, OutboxMessage
from ratelimits.engine import consume
from ratelimits.models import Bucket
from ratelimits.rates import parse_rates
from tests.support.pages import Page, words
from tests.support.people import (
    LOGIN,
    PASSWORD,
    REGISTER,
    Postbox,
    Shopper,
    make_shopper,
    time_passes,
    wrong,
)
from tests.support.races import at_once, refusal_of
from tests.support.staff import (
    ADMIN,
    CODE,
    SECRET,
    Member,
    code_of,
    hires,
    knock,
    let_in_staff,
    make_staff,
    sign_in_staff,
    type_code,
)
from tests.support.staff import LOGIN as DOOR

BOSS, NUMBER = "boss@staff.example", "+12025550123"
RESET, RESET_NEW, NOT_ME = "/password-reset/", "/password-reset/new/", "/not-me/"
SEND_CODE, SEND_CODE_VERIFY = "/login/code/", "/login/code/verify/"
PASSWORD_CHANGE, PASSWORD_CODE = "/admin/password_change/", "/admin/password_change/code/"
CONTACT_CHANGE, CONTACT_CODE = "/admin/contact_change/", "/admin/contact_change/code/"
NEW_CONTACT = "/admin/contact_change/new/"
CHOSEN = "another long staff secret"
NEW = "new@staff.example"

addresses = (f"198.51.100.{number}" for number in range(1, 250))


@pytest.fixture
def member(boss):
    """The browser of that member of staff, inside."""
    member = Member(ip="192.0.2.1")
    let_in_staff(member.client)
    assert member.is_signed_in
    time_passes(minutes=2)
    return member


def stranger(face="page"):
    """Somebody at home somewhere else every time."""
    return Shopper(face, ip=next(addresses))


def letters(to=BOSS):
    """Every message to this address, newest first."""
    return Postbox().messages(to)


def kinds(**more):
    """What was written down, in order."""
    return list(SecurityEvent.objects.filter(**more).order_by("pk").values_list("kind", flat=True))


def lets_nobody_in(message):
    """Whether a message has neither a code nor a link."""
    said = message["subject"] + message["text"] + message["html"]
    links = re.findall(r"https?://[^\s\"'<>]*token[^\s\"'<>]*", said)
    return not links and not re.search(r"(?<!\d)\d{6}(?!\d)", message["subject"] + message["text"])


# The two that gave the shop away


def test_one_mailbox_does_not_give_a_superuser(boss):  # ADM-09, ADM-04
    attacker = stranger()
    attacker.post(SEND_CODE, identifier=BOSS)
    [message] = letters()
    assert lets_nobody_in(message)
    assert not attacker.is_signed_in

    # What the mailbox held before the shopper became staff opens nothing either.
    for purpose in (Purpose.NOT_ME, Purpose.RESET):
        link = _attempt(boss, purpose).link_token
        page = NOT_ME if purpose == Purpose.NOT_ME else RESET_NEW
        assert attacker.open(f"{page}?token={link}").status_code == 410
        assert attacker.post(page, token=link, password=CHOSEN).status_code == 410

    boss.refresh_from_db()
    assert boss.check_password(SECRET)


def _attempt(user, purpose):
    """A link that stands, as it might have been sent at any time before."""
    return Challenge.objects.create(
        purpose=purpose,
        kind="email",
        recipient=user.email_key,
        address=user.email,
        user=user,
        tries_left=0,
        expires_at=Now() + timedelta(days=1),
        link_expires_at=Now() + timedelta(days=3),
    )


def test_a_replaced_address_gets_no_link_and_takes_nothing_back(
    boss,
):  # ADM-09, ADM-10, ADM-04, ADM-06
    call_command("staff_contact", "boss", NEW)

    [told] = letters()
    assert told["subject"] == "Storefront: A contact of your account was changed"
    assert lets_nobody_in(told)
    assert "tell whoever runs the site" in told["text"]
    for notice in Challenge.objects.filter(purpose=Purpose.NOT_ME):
        assert refusal_of(recovery.disown, notice.link_token, client=None) == "LinkDead"
    boss.refresh_from_db()
    assert boss.email == NEW


# For the shop a staff account does not exist


@pytest.mark.parametrize("name", ["boss", BOSS, NUMBER])
def test_the_right_password_opens_nothing_in_the_shop(boss, name):  # ADM-09, ADM-04
    User.objects.update(phone=NUMBER, phone_verified_at=Now())

    browser = stranger()
    answer = browser.post(LOGIN, identifier=name, password=SECRET)

    assert answer.status_code == 422
    assert "does not match an account" in words(answer)
    assert not browser.is_signed_in
    assert kinds(user=boss) == []


def test_a_number_of_staff_gets_no_text_of_the_shop(boss, private):  # ABU-03
    User.objects.update(phone=NUMBER, phone_verified_at=Now())

    for page in (SEND_CODE, RESET, REGISTER):
        stranger().post(page, identifier=NUMBER)

    assert letters(NUMBER) == []


def test_staff_hear_kindly_and_once_a_day_that_the_shop_is_not_for_them(
    boss, private
):  # ADM-09, ABU-03
    def knocks():
        for page in (REGISTER, SEND_CODE, RESET):
            stranger().post(page, identifier=BOSS)
            time_passes(minutes=1)
        return len(letters())

    first, told = knocks(), letters()[0]
    time_passes(hours=23)
    same_day = knocks()
    time_passes(days=1, minutes=1)

    assert (first, same_day, knocks()) == (1, 1, 2)
    assert told["subject"] == "This address belongs to a Storefront staff account"
    assert "sign in on the staff pages, with your username" in told["text"]
    assert lets_nobody_in(told)


def test_a_staff_address_is_taken_like_any_other(boss):  # ADM-09, REG-02
    refused = stranger().identify(BOSS)

    assert refused.status_code == 422
    assert "already an account with this email address" in words(refused)
    assert letters() == []


def test_nor_does_it_tell_more_where_nobody_is_told(boss, private, ana, bea):  # ADM-09, ENU-06
    answers = [browser.identify(who) for browser, who in ((ana, BOSS), (bea, "new@staff.example"))]

    assert [answer.to for answer in answers] == ["/register/verify/"] * 2
    code = Challenge.objects.get(recipient=BOSS).code
    refused = ana.verify(code)  # as if somebody had guessed it
    assert refused.status_code == 422
    assert not ana.is_signed_in


def test_no_shopper_can_add_a_staff_address(boss, ana):  # ENU-07
    make_shopper(ana, "ana@example.com")

    ana.post("/account/contacts/email/", contact=BOSS)

    [told] = letters()
    assert lets_nobody_in(told)
    code = Challenge.objects.get(purpose=Purpose.CONTACT).code
    ana.post("/account/contact/", code=code)
    assert User.objects.get(username="boss").email == BOSS


def test_colleagues_send_each_other_no_link(boss, member):  # ADM-04
    other = make_staff("other")

    page = member.client.get(f"/admin/accounts/user/{other.pk}/change/")
    assert "Send recovery email" not in words(page)
    member.client.post(f"/admin/accounts/user/{other.pk}/recover/")

    assert letters(other.email) == []
    assert not Challenge.objects.filter(purpose=Purpose.RESET).exists()


def test_support_is_told_why_a_colleague_gets_no_code_of_the_shop(boss, member):
    stranger().post(SEND_CODE, identifier=BOSS)

    told = member.client.post("/admin/lookup/", {"who": BOSS})

    assert "This address belongs to a staff account" in words(told)


# The session of staff


SHOP_PAGES = ["/account/", "/account/names/", "/account/password/", "/account/delete/"]


@pytest.mark.parametrize("url", SHOP_PAGES)
def test_in_the_shop_a_member_of_staff_is_nobody(member, url):  # ADM-09, ADM-04
    assert b'id="log-out"' not in member.client.get("/").content
    assert member.get(url).headers["Location"].startswith(LOGIN)
    assert member.post(url, current=SECRET, password=CHOSEN, name="X", username="x").to.startswith(
        LOGIN
    )

    user = User.objects.get()
    assert (user.username, user.deletion_due_at) == ("boss", None)
    assert user.check_password(SECRET)
    assert member.is_signed_in


@pytest.mark.parametrize("url", ["/", "/account/", ADMIN])
def test_a_session_of_staff_that_came_by_no_door_is_nobodys(client, boss, url):  # ADM-04
    client.force_login(boss)

    answer = client.get(url)

    assert b'id="log-out"' not in answer.content
    assert answer.status_code != 200 or url == "/"


def test_a_shopper_is_nobody_on_the_staff_pages(ana):  # ADM-04
    make_shopper(ana, "ana@example.com")

    assert ana.client.get(ADMIN).headers["Location"] == f"{DOOR}?next={ADMIN}"
    assert ana.is_signed_in


def test_who_works_here_shops_with_a_second_account(member):  # ADM-04, SES-02
    member.identify("boss@home.example")
    assert member.is_signed_in  # still inside while the code is on its way
    member.verify(Postbox().code("boss@home.example"))
    member.complete(name="Boss at home")

    assert b'id="log-out"' in member.client.get("/").content
    assert not member.is_signed_in
    assert Session.objects.exclude(user=None).get().user.email == "boss@home.example"
    time_passes(minutes=2)
    assert sign_in_staff(member.client).headers["Location"] == ADMIN
    assert member.is_signed_in
    assert b'id="log-out"' not in member.client.get("/").content


def test_the_shopper_in_that_browser_stays_for_as_long_as_shoppers_do(member):  # SES-07
    member.identify("boss@home.example")
    member.verify(Postbox().code("boss@home.example"))

    time_passes(days=13)

    assert b'id="log-out"' in member.client.get("/").content


def test_the_way_staff_came_in_is_none_that_django_loads(member):  # ADM-04
    way = Session.objects.get().get_decoded()[BACKEND_SESSION_KEY]

    assert way == STAFF_BACKEND
    with pytest.raises(ImportError, match="doesn't look like a module path"):
        load_backend(way)


def test_the_shop_keeps_no_staff_session_alive(member):  # SES-07
    for _minutes in range(4):
        time_passes(minutes=9)
        member.client.get("/account/")

    assert not member.is_signed_in


@pytest.mark.parametrize("hours", [11, 12])
def test_the_twelve_hours_run_from_the_sign_in(
    member, hours
):  # SES-11, SES-07: 83 h with one second step
    for number in range(hours * 3):
        time_passes(minutes=20)
        member.client.get(ADMIN)
        if number == 15:
            begin_password(member)
            done = type_code(member.client, code_of(), PASSWORD_CODE, follow=True)
            assert "Your password is changed" in words(done)

    assert member.is_signed_in is (hours < 12)


def test_a_proof_of_who_is_there_starts_no_new_thirty_days(ana):  # SES-11, SES-07
    make_shopper(ana, "ana@example.com")
    for _days in range(3):
        time_passes(days=9, hours=23)
        ana.post("/account/confirm/", current=PASSWORD)
    assert ana.is_signed_in

    time_passes(days=1)

    assert not ana.is_signed_in


# Promotion and demotion


def test_promotion_ends_what_the_shopper_had(ana, postbox):  # ADM-09, ADM-03, ADM-04
    make_shopper(ana, "ana@example.com", username="ana")
    other = Shopper(ip="198.51.100.77")
    other.post(LOGIN, identifier="ana", password=PASSWORD)
    not_me = postbox.link("ana@example.com")
    stranger().post(RESET, identifier="ana@example.com")
    reset = postbox.link("ana@example.com")
    ana.post("/account/delete/")
    assert User.objects.get().deletion_due_at

    call_command("staff_role", "ana", "Support")

    user = User.objects.get()
    assert user.is_staff
    assert user.deletion_due_at is None
    assert not Session.objects.filter(user=user).exists()
    assert not Challenge.objects.filter(verified_at=None, cancelled_at=None).exists()
    for link in (not_me, reset):
        assert stranger().open(link).status_code == 410
    assert kinds(user=user)[-1] == "staff_role_changed"

    # Nor do the links live again when it is a shopper's account again.
    call_command("staff_role", "ana", "none")
    for link in (not_me, reset):
        assert stranger().open(link).status_code == 410
    # The password of the shop went with the promotion; a mailbox is enough to choose another one.
    assert not User.objects.get().has_usable_password()
    stranger().post("/login/code/", identifier="ana@example.com")
    assert postbox.code("ana@example.com")


def test_demotion_ends_what_the_member_of_staff_had(boss, member):  # ADM-03
    member.client.post(PASSWORD_CHANGE, {"current": SECRET, "password": CHOSEN})
    code = code_of()

    call_command("staff_role", "boss", "none")

    assert not member.is_signed_in
    assert type_code(member.client, code, PASSWORD_CODE).status_code == 302
    assert not Challenge.objects.filter(verified_at=None, cancelled_at=None).exists()
    assert kinds(user=boss)[-1] == "staff_role_changed"
    assert User.objects.get().check_password(SECRET)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_again", range(5))
def test_of_promotion_and_not_me_at_once_no_link_is_left(ana, postbox, _again):  # ADM-09, ADM-04
    make_shopper(ana, "ana@example.com", username="ana")
    Shopper(ip="198.51.100.78").post(LOGIN, identifier="ana", password=PASSWORD)
    link = postbox.link("ana@example.com")
    token = link.partition("token=")[2]
    attacker = stranger("json")

    at_once(
        lambda: attacker.post(NOT_ME, token=token),
        lambda: roles.set_role(User.objects.get(), "Support"),
    )

    assert User.objects.get().is_staff
    assert not Challenge.objects.live().filter(purpose=Purpose.RESET).exists()
    assert attacker.post(RESET_NEW, token=token, password=CHOSEN).status_code == 410


def test_staff_are_never_erased(boss):  # ADM-04
    User.objects.update(deletion_due_at=Now() - timedelta(days=1))

    tasks.erase()

    assert User.objects.exists()


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("staff_role", ["ana", "Auditor"]), ("staff_contact", ["boss", NEW]), ("createsuperuser", [])],
    ids=["staff_role", "staff_contact", "createsuperuser"],
)
def test_each_command_says_that_there_are_two_accounts(  # ADM-04
    boss, ana, capsys, monkeypatch, command, arguments
):
    make_shopper(ana, "ana@example.com", username="ana")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", SECRET)
    options = {"interactive": False, "username": "chief"} if command == "createsuperuser" else {}

    call_command(command, *arguments, **options)

    assert "two accounts, with two addresses" in capsys.readouterr().out


def test_who_becomes_a_superuser_is_an_event(db, monkeypatch):  # LOG-01
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", SECRET)

    call_command("createsuperuser", interactive=False, username="chief")

    event = SecurityEvent.objects.get()
    assert (event.kind, event.user.username) == ("staff_role_changed", "chief")
    assert event.actor == audit.pseudonym(event.user.pk)


# Their own account, on their own pages


def begin_password(member, current=SECRET, new=CHOSEN):
    """The first page of a new password."""
    return member.client.post(PASSWORD_CHANGE, {"current": current, "password": new})


def begin_contact(member, contact=NEW, current=SECRET):
    """The first page of a new contact."""
    return member.client.post(CONTACT_CHANGE, {"current": current, "contact": contact})


def test_staff_change_their_password_with_it_and_a_code(boss, member):  # ADM-10, PWD-07, ADM-04
    elsewhere = Member(ip="192.0.2.2")
    let_in_staff(elsewhere.client)
    time_passes(minutes=2)
    key = member.session_key

    assert begin_password(member).headers["Location"].partition("?")[0] == PASSWORD_CODE
    assert "b•••@staff.example" in words(member.client.get(PASSWORD_CODE))
    done = type_code(member.client, code_of(), PASSWORD_CODE, follow=True)

    assert "Your password is changed" in words(done)
    boss.refresh_from_db()
    assert boss.check_password(CHOSEN)
    assert member.is_signed_in
    assert member.session_key != key
    assert not elsewhere.is_signed_in
    told = letters()[0]
    assert told["subject"] == "Storefront: Your password was changed"
    assert lets_nobody_in(told)
    assert kinds(user=boss)[-1] == "password_changed"
    assert sign_in_staff(Client(), password=CHOSEN).headers["Location"] == ADMIN


def test_a_new_password_waits_only_as_its_hash(member):  # REG-10
    begin_password(member)

    kept = Session.objects.get(user__isnull=False).get_decoded()
    assert CHOSEN not in str(kept)
    (journey,) = kept["pending"].values()
    assert check_password(CHOSEN, journey["profile"]["password"])
    assert SECRET not in str(kept)


@pytest.mark.parametrize("new", ["short", "password1234", ""])
def test_a_new_staff_password_is_judged_like_any_other(member, new):  # PWD-01
    assert begin_password(member, new=new).status_code == 422
    assert not Challenge.objects.filter(purpose=Purpose.STAFF_CHANGE).exists()


def test_staff_change_their_contact_with_two_codes(boss, member):  # ADM-10, REC-08, ADM-04
    elsewhere = Member(ip="192.0.2.2")
    let_in_staff(elsewhere.client)
    time_passes(minutes=2)

    assert begin_contact(member).headers["Location"].partition("?")[0] == CONTACT_CODE
    assert letters(NEW) == []
    verified = type_code(member.client, code_of(), CONTACT_CODE)
    assert verified.headers["Location"].partition("?")[0] == NEW_CONTACT
    assert User.objects.get().email == BOSS  # until the new one is verified
    done = type_code(member.client, Postbox().code(NEW), NEW_CONTACT, follow=True)

    assert "Your codes now go to the new contact" in words(done)
    boss.refresh_from_db()
    assert boss.contacts[0].key == NEW
    assert member.is_signed_in
    assert not elsewhere.is_signed_in
    told = letters()[0]
    assert told["subject"] == "Storefront: A contact of your account was changed"
    assert lets_nobody_in(told)
    assert kinds(user=boss)[-1] == "contact_changed"
    assert sign_in_staff(Client()).headers["Location"] == ADMIN


def test_a_number_becomes_where_codes_go(boss, member):
    begin_contact(member, NUMBER)
    type_code(member.client, code_of(), CONTACT_CODE)
    type_code(member.client, Postbox().code(NUMBER), NEW_CONTACT)

    boss.refresh_from_db()
    assert [contact.key for contact in boss.contacts] == [NUMBER, BOSS]


@pytest.mark.parametrize("begin", [begin_password, begin_contact])
def test_whoever_finds_the_browser_open_changes_nothing(boss, member, begin):  # ADM-04
    before = len(letters())

    refused = begin(member, current="a guess at it")

    assert "That is not your password" in words(refused)
    assert refused.status_code == 422
    assert len(letters()) == before
    assert kinds(user=boss)[-1] == "sign_in_failed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", [4, 5])
def test_guesses_at_the_current_password_are_counted_as_at_the_door(member, times):  # LIM-08
    for _ in range(times):
        begin_password(member, current="a guess at it")

    answer = begin_password(member)

    assert answer.status_code == (302 if times < 5 else 429)
    assert User.objects.get().check_password(SECRET)


def test_a_wrong_code_changes_nothing(boss, member):  # COD-06
    begin_password(member)

    refused = type_code(member.client, wrong(code_of()), PASSWORD_CODE)

    assert "That is not the code we sent" in words(refused)
    boss.refresh_from_db()
    assert boss.check_password(SECRET)


def test_a_page_acts_on_what_it_shows(boss, member):  # REC-09, DESIGN idea 6: two tabs
    begin_password(member)
    tab = form_of(member.client.get(PASSWORD_CODE))
    password_code = code_of()
    begin_contact(member)
    contact_code = code_of()
    shown = Challenge.objects.filter(purpose=Purpose.STAFF_CHANGE)

    # A form that names no attempt, or one that is not here, is about nothing.
    for named in ("", "0" * 16, tab["attempt"][:-1]):
        refused = member.client.post(CONTACT_CODE, {"code": contact_code, "attempt": named})
        assert refused.headers["Location"].partition("?")[0] == CONTACT_CODE
        assert "started something else" in words(member.client.get(refused.headers["Location"]))
    # Nor is the page for the one change about the other.
    crossed = member.client.post(CONTACT_CODE, {**tab, "code": password_code})
    assert crossed.headers["Location"] == CONTACT_CHANGE
    assert set(shown.values_list("tries_left", flat=True)) == {5}

    boss.refresh_from_db()
    assert boss.check_password(SECRET)
    assert (
        type_code(member.client, contact_code, CONTACT_CODE).headers["Location"].partition("?")[0]
        == NEW_CONTACT
    )


def test_the_tab_left_behind_makes_its_own_change(boss, member):  # REC-09, DESIGN idea 6
    begin_password(member)
    tab, code = form_of(member.client.get(PASSWORD_CODE)), code_of()
    begin_contact(member)

    changed = member.client.post(PASSWORD_CODE, {**tab, "code": code})

    assert changed.headers["Location"] == ADMIN
    boss.refresh_from_db()
    assert boss.check_password(CHOSEN)


def form_of(page):
    """The fields of the form with the code's box."""
    return next(form["fields"] for form in Page(page).forms if "code" in form["fields"])


def test_a_second_click_sends_no_second_code_and_ends_well(member):  # COD-11
    before = len(letters())
    begin_password(member)
    begin_password(member)
    assert len(letters()) == before + 1

    code = code_of()
    stale = Member(ip="192.0.2.1")
    stale.client.cookies.load({k: v.value for k, v in member.client.cookies.items()})
    type_code(member.client, code, PASSWORD_CODE)
    again = type_code(stale.client, code, PASSWORD_CODE)
    assert again.headers["Location"].startswith(DOOR)


def test_the_new_contact_may_not_be_somebody_elses(boss, member, ana):  # ENU-07
    make_shopper(ana, "ana@example.com")
    begin_contact(member, "ana@example.com")

    type_code(member.client, code_of(), CONTACT_CODE)

    told = Postbox().messages("ana@example.com")[0]
    assert "tried to add your address" in told["subject"]
    code = Challenge.objects.get(purpose=Purpose.STAFF_CONTACT).code
    assert type_code(member.client, code, NEW_CONTACT).status_code == 422
    boss.refresh_from_db()
    assert boss.email == BOSS


def test_codes_that_go_there_already_need_no_change(member):
    refused = begin_contact(member, "Boss@Staff.example")

    assert "Your codes already go there" in words(refused)


def test_what_was_begun_is_over_after_half_an_hour(member):  # REC-08
    begin_contact(member)
    for _ in range(2):
        time_passes(minutes=16)
        member.client.get(ADMIN)

    assert member.client.get(CONTACT_CODE).headers["Location"] == CONTACT_CHANGE
    assert type_code(member.client, "123456", NEW_CONTACT).headers["Location"] == CONTACT_CHANGE


PAGES = [PASSWORD_CHANGE, PASSWORD_CODE, CONTACT_CHANGE, CONTACT_CODE, NEW_CONTACT]


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize("who", ["nobody", "a shopper"])
def test_these_pages_are_for_staff_who_are_inside(ana, boss, url, who):  # ADM-03
    if who == "a shopper":
        make_shopper(ana, "ana@example.com")

    for answer in (ana.client.get(url), ana.client.post(url, {"code": "1"})):
        assert answer.headers["Location"] == f"{DOOR}?next={url}"


def test_the_pages_are_found_where_django_has_them_and_work_without_a_script(member):  # WEB-06
    front = Page(member.client.get(ADMIN))
    links = [link["href"] for link in front.all("a")]
    assert PASSWORD_CHANGE in links
    assert CONTACT_CHANGE in links
    for url in (PASSWORD_CHANGE, CONTACT_CHANGE):
        page = member.client.get(url)
        assert Page(page).all("form", id="login-form")[0]["method"] == "post"
        assert "no-store" in page.headers["Cache-Control"]
        assert "style=" not in page.content.decode()


# Who did what


def test_who_did_what_outlives_the_account(boss, member, ana):  # ADM-12, LOG-01, LOG-02
    make_shopper(ana, "ana@example.com", username="ana")
    hires("ana")
    worker = Member(ip="192.0.2.8")
    let_in_staff(worker.client, "ana")
    shopper = make_shopper(Shopper(ip="198.51.100.90"), "cleo@example.com")
    cleo = User.objects.get(email="cleo@example.com")
    worker.client.get(f"/admin/accounts/user/{cleo.pk}/change/")
    worker.client.post(f"/admin/accounts/user/{cleo.pk}/end-sessions/")
    assert not shopper.is_signed_in
    pk = User.objects.get(username="ana").pk
    did = kinds(actor=audit.pseudonym(pk))
    assert did == [
        "staff_role_changed",
        "staff_signed_in",
        "staff_viewed",
        "staff_ended_sessions",
        "staff_acted",
    ]

    call_command("staff_role", "ana", "none")
    User.objects.filter(pk=pk).update(deletion_due_at=Now() - timedelta(days=1))
    tasks.erase()

    assert not User.objects.filter(pk=pk).exists()
    assert kinds(actor=audit.pseudonym(pk)) == [*did, "staff_role_changed"]
    found = member.client.get(f"/admin/accounts/securityevent/?q={pk}")
    assert "Staff ended all sessions" in words(found)
    assert audit.pseudonym(pk)[:8] in words(found)
    ended = SecurityEvent.objects.get(kind="staff_ended_sessions")
    page = member.client.get(f"/admin/accounts/securityevent/{ended.pk}/change/")
    assert audit.pseudonym(pk) in words(page)


def test_shoppers_have_no_pseudonym(ana):  # LOG-01
    ana.signs_up("ana@example.com")

    assert {event.actor for event in SecurityEvent.objects.all()} == {""}


# Strangers cannot lock staff out


@pytest.mark.django_db(transaction=True)
def test_guesses_at_the_shop_shut_no_member_of_staff_out(boss):  # ADM-11, COD-07: 60 requests, 22 h
    for _ in range(12):
        attacker = stranger()
        attacker.post(SEND_CODE, identifier=BOSS)
        for number in range(5):
            attacker.post(SEND_CODE_VERIFY, code=f"00000{number}")
        time_passes(minutes=61)

    member = Member(ip="192.0.2.1")
    assert sign_in_staff(member.client).headers["Location"] == ADMIN
    assert member.is_signed_in


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("asks", [SEND_CODE, RESET, REGISTER])
def test_messages_of_the_shop_fill_no_cap_of_staff(boss, private, asks):  # ABU-01
    for _ in range(10):
        stranger().post(asks, identifier=BOSS)
        time_passes(minutes=61)

    member = Client()
    knock(member)
    time_passes(minutes=2)
    assert member.post("/admin/login/code/again/").status_code == 200
    assert type_code(member, code_of()).headers["Location"] == ADMIN


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", [19, 20])
def test_codes_of_the_staff_pages_have_a_budget_of_their_own(boss, times):  # ABU-01
    for _ in range(times):
        knock(Client())
        time_passes(seconds=61)
        _an_hour_is_long()

    refused = knock(Client())

    assert (refused.headers.get("Location") == CODE) is (times < 20)
    assert len(letters()) == min(times + 1, 20)


def _an_hour_is_long():
    """The minutes that just passed do not count for the budget of an hour."""
    for bucket in Bucket.objects.filter(name="staff messages"):
        hits = [int(bucket.hits[at : at + 13]) + 61_000 for at in range(0, len(bucket.hits), 13)]
        bucket.hits = "".join(f"{hit:013d}" for hit in hits)
        bucket.save(update_fields=["hits"])


@pytest.mark.django_db(transaction=True)
def test_wrong_passwords_of_strangers_close_no_browser_that_came_in_before(
    member,
):  # ADM-11, LIM-04
    member.client.post("/admin/logout/")
    for number in range(conf.STAFF_LOGINS_PER_NAME[0].times):
        knock(Client(REMOTE_ADDR=f"203.0.113.{number}"), password="a guess")
    assert "That was too often" in words(knock(Client(REMOTE_ADDR="203.0.113.99")))

    assert sign_in_staff(member.client).headers["Location"] == ADMIN
    assert member.is_signed_in


@pytest.mark.django_db(transaction=True)
def test_nor_does_a_full_household(member):  # ADM-11, LIM-04, LIM-05
    member.client.post("/admin/logout/")
    for number in range(conf.STAFF_LOGINS_PER_IP[0].times):
        knock(Client(REMOTE_ADDR="192.0.2.1"), f"person{number}", "a guess")
    assert "That was too often" in words(knock(Client(REMOTE_ADDR="192.0.2.1"), "nobody"))

    assert sign_in_staff(member.client).headers["Location"] == ADMIN


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", [4, 5])
def test_that_browser_has_tries_and_no_more(member, times):  # LIM-04, LIM-08
    member.client.post("/admin/logout/")
    for _ in range(times):
        knock(member.client, password="a guess")

    answer = knock(member.client)

    assert (answer.headers.get("Location") == CODE) is (times < 5)


def test_a_browser_of_the_shop_is_none_of_the_staff_pages(ana):  # LIM-04
    make_shopper(ana, "ana@example.com", username="ana")
    call_command("staff_role", "ana", "Support")

    knock(ana.client, "ana", "a guess")

    assert not Bucket.objects.filter(name="staff logins by browser").exists()
    assert Bucket.objects.filter(name="staff logins by name").exists()


@pytest.mark.django_db(transaction=True)
def at_the_door(member, code):
    """The password alone."""
    return knock(Client(REMOTE_ADDR="192.0.2.1"))


def at_a_change(member, code):
    """A password to change the password, and with it another code."""
    return begin_password(member)


def at_the_code(member, code):
    """The one guess that there is room for, and another one."""
    type_code(member.client, wrong(code), PASSWORD_CODE)
    return type_code(member.client, wrong(code), PASSWORD_CODE)


def at_another_code(member, code):
    """The button that sends one."""
    return member.client.post(f"{PASSWORD_CODE}again/")


@pytest.mark.parametrize("page", [at_the_door, at_a_change, at_the_code, at_another_code])
def test_a_limit_at_the_staff_pages_is_written_down(member, monkeypatch, page):  # LOG-01
    begin_password(member)
    code = code_of()
    time_passes(minutes=2)
    for name in ("STAFF_MESSAGES", "CODE_GUESSES_PER_ID"):
        monkeypatch.setattr(conf, name, parse_rates("1/d"))

    assert page(member, code).status_code in (200, 429)

    noted = SecurityEvent.objects.get(kind="limit_hit")
    assert noted.fingerprint == fingerprint(BOSS)


def test_a_password_tried_too_often_is_noted_once_and_as_such(boss, member):  # LOG-01
    for _ in range(conf.STAFF_LOGINS_PER_NAME[0].times + 1):
        begin_password(member, current="not the password")

    assert "limit_hit" not in kinds()
    assert kinds().count("staff_sign_in_limited") == 1


def test_a_success_returns_its_try(boss):  # ADM-11: the sixth own success in half an hour
    for _ in range(6):
        browser = Client()
        assert sign_in_staff(browser).headers["Location"] == ADMIN
        time_passes(minutes=2)

    assert not SecurityEvent.objects.filter(kind="staff_sign_in_limited").exists()
    assert not Bucket.objects.filter(name__startswith="staff logins").exclude(hits="").exists()


@pytest.mark.django_db(transaction=True)
def test_and_nothing_else(boss):  # LIM-02
    for _ in range(4):
        knock(Client(), password="a guess")
    assert knock(Client()).headers["Location"] == CODE
    knock(Client(), password="a guess")

    assert "That was too often" in words(knock(Client()))


def test_codes_of_staff_leave_whatever_is_stopped(boss, member):  # ABU-02
    for channel in ("email", "sms"):
        Channel.objects.update_or_create(name=channel, defaults={"is_open": False})
    SmsCountry.objects.create(code="US", is_open=False)
    for limit in [each for pool in Pool for each in limits.sms(parse(NUMBER), pool)]:
        for _ in range(limit.rate.times):
            consume(limit)

    assert sign_in_staff(Client()).headers["Location"] == ADMIN
    # A number that a member of staff types is nobody's yet: it gets a text when anybody would.
    begin_contact(member, NUMBER)
    assert type_code(member.client, code_of(), CONTACT_CODE).status_code == 503
    assert not OutboxMessage.objects.filter(channel="sms").exists()


@pytest.mark.parametrize("url", ["/admin/contact_change/", "/admin/password_change/"])
def test_a_page_of_staff_is_whole_whoever_asks(member, url):  # WEB-04
    answer = member.client.get(url, headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert b"<html" in answer.content


@pytest.mark.parametrize("url", ["/admin/contact_change/", "/admin/password_change/"])
def test_the_pages_of_staff_read_forms_alone(member, url):  # IDN-08
    sent = r'{"contact": "ana\ud800", "current": "x"}'

    answer = member.client.post(url, sent, content_type="application/json")

    assert answer.status_code == 415
