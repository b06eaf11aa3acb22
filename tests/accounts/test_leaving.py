"""A shopper takes the data along, and leaves: asked for, waited for, then erased from every table."""

import json
import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db.models.functions import Now

from accounts import conf, tasks
from accounts.flows import account, deletion, login, recovery
from accounts.flows import contacts as contact_flow
from accounts.models import Challenge, SecurityEvent, Session, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from messaging.models import OutboxMessage
from tests.support.account import (
    CONFIRM,
    CONTACT,
    DELETE,
    DOWNLOAD,
    EMAIL,
    EMAIL_PAGE,
    LOGIN_CODE,
    LOGIN_VERIFY,
    NAMES,
    NEW,
    OTHER_EMAIL,
    OTHER_PHONE,
    PHONE,
    PHONE_PAGE,
    RESET,
    adds,
    changes_password,
    days_pass,
    file_of,
    found_of,
    is_refused,
    is_stale,
    joins,
    kinds,
    must_confirm,
    news,
    signs_in,
)
from tests.support.apps import App
from tests.support.pages import Page, words
from tests.support.people import (
    HOME,
    LOGIN,
    PASSWORD,
    Postbox,
    Shopper,
    make_shopper,
    nowhere,
    time_passes,
    wrong,
)
from tests.support.races import at_once, refusal_of
from tests.support.staff import hires, let_in_staff, make_staff

NAME, USERNAME = "Anabelle Quux", "anabelle.quux"
HERE, ELSEWHERE = "203.0.113.201", "198.51.100.202"
AGENT = "QuuxBrowser/7 (Windows NT 10.0) Firefox/140"
OTHER_AGENT = "QuuxPhone/9 (Android) Chrome/140"
GRACE = conf.DELETION_GRACE


@pytest.fixture
def me(anyone):
    """Somebody who is signed in, with each of the three faces."""
    joins(anyone, phone=PHONE, username=USERNAME, name=NAME)
    return anyone


# The data


def test_the_data_comes_as_one_file(me):
    page = me.get(DOWNLOAD)
    file = me.post(DOWNLOAD)

    assert page.status_code == 200
    assert file.status_code == 200
    assert file.headers["Content-Type"] == "application/json"
    assert re.fullmatch(
        r'attachment; filename="account-\d{4}-\d\d-\d\d\.json"', file.headers["Content-Disposition"]
    )
    assert "no-store" in file.headers["Cache-Control"]
    assert kinds()[-1] == "data_downloaded"


def test_the_button_is_an_ordinary_one(ana):
    joins(ana)

    form = next(form for form in Page(ana.get(DOWNLOAD)).forms if form["action"] == DOWNLOAD)

    assert "hx-post" not in form


def test_the_data_is_given_to_nobody_who_has_just_found_the_browser(me):  # REC-08
    is_stale()

    assert must_confirm(me, me.post(DOWNLOAD), DOWNLOAD)
    assert "data_downloaded" not in kinds()


def test_the_file_says_who_i_am(me):
    told = file_of(me.post(DOWNLOAD))

    person = told["account"]
    assert (person["name"], person["username"]) == (NAME, USERNAME)
    assert (person["email"], person["phone"], person["primary"]) == (EMAIL, PHONE, "email")
    assert all(person[date] for date in ("email_verified_at", "phone_verified_at", "date_joined"))
    assert told["has_password"] is True


def test_the_file_names_the_apps_and_nothing_that_opens_one(me):
    app = App(User.objects.get())

    answer = me.post(DOWNLOAD)

    apps_of_file = [each for each in file_of(answer)["sessions"] if each["client"] == "app"]
    assert [each["app"] for each in apps_of_file] == ["My Shop"]
    for secret in (app.session.seed.hex(), str(app.session.public_id), app.tokens.refresh):
        assert secret not in answer.content.decode()


# Where each table's rows about a person stand in the file.
SECTIONS = {
    "accounts.session": "sessions",
    "accounts.formerusername": "former_usernames",
    "accounts.challenge": "confirmations",
    "accounts.securityevent": "activity",
    "messaging.outboxmessage": "messages",
}
# Rows of staff, who are no shoppers.
STAFF = {"admin.logentry", "accounts.user_groups", "accounts.user_user_permissions"}
ADDRESSES = {"address", "email", "phone", "recipient"}


def tables_about_people():
    """Every table but the account's own that has a person or an address in it."""
    for model in apps.get_models(include_auto_created=True):
        fields = model._meta.get_fields()
        people = [field.name for field in fields if field.concrete and field.related_model is User]
        places = [field.name for field in fields if field.name in ADDRESSES]
        if (people or places) and model is not User:
            yield model, people, places


def test_every_table_about_people_has_its_place_in_the_file():
    assert {model._meta.label_lower for model, _, _ in tables_about_people()} - STAFF == set(
        SECTIONS
    )


def test_the_file_is_complete(bea, postbox):
    me = whole_life()
    user = User.objects.get()
    mine = {EMAIL, OTHER_EMAIL, PHONE}
    me.post("/account/names/", name="Ana", username="another")
    joins(bea, email="bea@example.com")
    len(postbox)

    told = file_of(me.post(DOWNLOAD))

    for model, people, places in tables_about_people():
        if model._meta.label_lower in STAFF:
            continue
        found = {row.pk for name in people for row in model.objects.filter(**{name: user})}
        found |= {
            row.pk for name in places for row in model.objects.filter(**{f"{name}__in": mine})
        }
        assert len(told[SECTIONS[model._meta.label_lower]]) == len(found), model


def test_the_file_holds_no_secret(me, postbox):  # COD-02, ADM-01
    me.post(EMAIL_PAGE, contact=OTHER_EMAIL)
    code = postbox.code(OTHER_EMAIL)
    challenge = Challenge.objects.get(purpose="contact")

    text = me.post(DOWNLOAD).content.decode()

    secrets = [code, challenge.seed.hex(), challenge.key_id, challenge.link_token, PASSWORD]
    secrets += [User.objects.get().password, *Session.objects.values_list("pk", flat=True)]
    secrets += SecurityEvent.objects.exclude(fingerprint="").values_list("fingerprint", flat=True)
    secrets += [str(pk) for pk in Challenge.objects.values_list("pk", flat=True)]
    assert not [secret for secret in secrets if secret in text]
    assert not {"seed", "key_id", "session_key", "session_data", "fingerprint", "password"} & {
        key for rows in file_of(me.post(DOWNLOAD)).values() for key in keys_in(rows)
    }


def keys_in(rows):
    """The names of all values in a section."""
    if isinstance(rows, dict):
        return set(rows)
    return {key for row in rows for key in row} if isinstance(rows, list) else set()


def test_the_file_holds_nothing_of_anybody_else(me, bea, postbox):  # ENU-07
    joins(bea, email=OTHER_EMAIL, phone=OTHER_PHONE, name="Bea Person")
    bea.post(EMAIL_PAGE, contact=EMAIL)
    me.post(EMAIL_PAGE, contact=OTHER_EMAIL)
    len(postbox)

    told = file_of(me.post(DOWNLOAD))

    text = json.dumps({**told, "confirmations": []})
    assert not any(fact in text for fact in ("Bea", OTHER_EMAIL, OTHER_PHONE, "198.51.100.20"))
    contacts = [row for row in told["confirmations"] if row["purpose"] == "contact"]
    assert [row["address"] for row in contacts] == [OTHER_EMAIL]  # what I typed myself


def test_the_file_does_not_tell_whose_an_address_is(me, bea, postbox):  # ENU-07
    joins(bea, email=OTHER_EMAIL)
    for contact in (OTHER_EMAIL, "ana@example.net"):
        me.post(EMAIL_PAGE, contact=contact)
        len(postbox)

    told = file_of(me.post(DOWNLOAD))

    asked = [row for row in told["confirmations"] if row["purpose"] == "contact"]
    free = {"address": "", "created_at": "", "sent_at": "", "expires_at": "", "cancelled_at": ""}
    assert len(asked) == 2
    assert {**asked[0], **free} == {**asked[1], **free}
    assert not [row for row in told["messages"] if row["address"] not in (EMAIL, PHONE)]


def test_a_number_that_was_somebody_elses_tells_nothing_of_them(ana, bea, postbox):
    make_shopper(bea, PHONE, name="Bea")
    adds(bea, "phone", OTHER_PHONE)
    joins(ana)
    len(postbox)
    time_passes(minutes=61)

    adds(ana, "phone", PHONE)
    told = file_of(ana.post(DOWNLOAD))

    about = [row for row in told["messages"] + told["confirmations"] if row["address"] == PHONE]
    assert [row.get("template", row.get("purpose")) for row in about] == ["code", "contact"]


# Asking to leave


def test_the_page_says_what_will_happen(me):
    said = words(me.get(DELETE))

    assert me.face == "json" or "After 14 days we erase your account and all we know of you" in said


def test_opening_the_page_deletes_nothing(me):  # WEB-01
    me.get(DELETE)

    assert User.objects.get().deletion_due_at is None


def test_asking_to_leave_signs_out_everywhere(me, bea):  # SES-06
    signs_in(bea)

    asked = me.post(DELETE)

    assert (me.is_signed_in, bea.is_signed_in) == (False, False)
    assert not Session.objects.exclude(user=None).exists()
    assert asked.to == HOME or asked.json()["success"]
    assert kinds()[-1] == "deletion_asked"
    due = User.objects.get().deletion_due_at
    assert due.date().isoformat() == (SecurityEvent.objects.last().at + GRACE).date().isoformat()


def day():
    due = User.objects.get().deletion_due_at
    return f"{due.day} {due:%B %Y}"


def test_the_shopper_is_told_until_when_it_can_be_undone(me):
    asked = me.post(DELETE)

    said = words(me.follow(asked))
    assert f"Your account will be deleted on {day()}. Sign in before then to keep it." in said


def test_every_contact_is_told_the_day(me, postbox):
    me.post(DELETE)

    assert news(EMAIL)[0] == "Storefront: Your account will be deleted"
    assert f"Sign in before {day()} to keep it." in postbox.messages(EMAIL)[0]["text"]
    assert "not-me" in postbox.link(EMAIL)
    assert day() in postbox.messages(PHONE)[0]["text"]


def test_the_day_is_the_same_on_the_page_and_in_the_message(ana, postbox, settings):
    settings.TIME_ZONE = "Pacific/Kiritimati"
    joins(ana)
    ana.post(DELETE)

    said = re.search(r"deleted on (.*?)\. Sign in", words(ana.get(HOME)))[1]
    assert f"Sign in before {said} to keep it." in postbox.messages(EMAIL)[0]["text"]


def test_leaving_needs_a_fresh_proof(me):  # REC-08
    is_stale()

    assert must_confirm(me, me.post(DELETE), DELETE)
    assert User.objects.get().deletion_due_at is None


def test_two_clicks_plan_one_end(me, postbox):  # COD-11
    me.post(DELETE)
    due = User.objects.get().deletion_due_at

    me.post(DELETE)

    assert User.objects.get().deletion_due_at == due
    assert kinds().count("deletion_asked") == 1


def test_what_waits_is_withdrawn(me, postbox):  # REG-05
    me.post(EMAIL_PAGE, contact=OTHER_EMAIL)

    me.post(DELETE)

    assert not Challenge.objects.live().exclude(purpose="not_me").exists()


def test_meanwhile_the_contacts_stay_taken(me, bea, postbox):
    joins(bea, email="bea@example.com")
    me.post(DELETE)

    stranger = Shopper(ip="192.0.2.99")
    assert "There is already an account" in words(stranger.identify(EMAIL))
    assert "That username is taken." in words(bea.post(NAMES, name="Bea", username=USERNAME))
    bea.post(PHONE_PAGE, contact=PHONE)
    assert is_refused(bea.post(CONTACT, code=Challenge.objects.get(purpose="contact").code))


# Staying after all


@pytest.mark.parametrize("password", [PASSWORD, None], ids=["by password", "by code"])
def test_signing_in_undoes_it(anyone, postbox, password):
    user = joins(anyone, password=password)
    anyone.post(DELETE)

    back = signs_in(anyone, password=password)

    said = words(anyone.follow(back))
    assert "Welcome back. Your account will not be deleted." in said
    assert User.objects.get().deletion_due_at is None
    assert news(EMAIL)[0] == "Storefront: Your account stays"
    assert kinds(user)[-1] == "deletion_undone"
    days_pass(days=15)
    tasks.erase()
    assert User.objects.exists()


def test_a_wrong_password_undoes_nothing(me):
    me.post(DELETE)

    signs_in(me, password=NEW)

    assert User.objects.get().deletion_due_at


def test_asking_for_a_code_undoes_nothing(me, postbox):
    me.post(DELETE)

    me.post(LOGIN_CODE, identifier=EMAIL)
    me.post(LOGIN_VERIFY, code=wrong(postbox.code(EMAIL)))

    assert User.objects.get().deletion_due_at


def test_registering_again_under_private_undoes_it_and_says_so(anyone, postbox, monkeypatch):
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", "private")
    joins(anyone)
    anyone.post(DELETE)
    anyone.identify(EMAIL)

    back = anyone.verify(postbox.code(EMAIL))

    said = words(anyone.follow(back))
    assert User.objects.get().deletion_due_at is None
    assert "Your account will not be deleted." in said


def test_whoever_came_back_may_ask_again(me):
    me.post(DELETE)
    signs_in(me)
    days_pass(days=5)

    me.post(DELETE)

    assert User.objects.get().deletion_due_at > SecurityEvent.objects.last().at + timedelta(days=13)


def test_signing_in_late_still_saves_what_is_not_yet_erased(me):
    me.post(DELETE)
    days_pass(days=14, minutes=5)

    signs_in(me)
    tasks.erase()

    assert User.objects.get().deletion_due_at is None
    assert me.is_signed_in


# Erased

ERASERS = {"task": tasks.erase, "command": lambda: call_command("erase_accounts", verbosity=0)}


@pytest.mark.parametrize("erase", ERASERS.values(), ids=ERASERS)
def test_nothing_is_erased_before_its_time(ana, erase, capsys):
    joins(ana)
    ana.post(DELETE)
    days_pass(days=13, hours=23, minutes=59)

    erase()

    assert User.objects.get().email == EMAIL


@pytest.mark.parametrize("erase", ERASERS.values(), ids=ERASERS)
def test_after_two_weeks_the_account_is_erased(ana, bea, erase, capsys):
    joins(ana)
    joins(bea, email="bea@example.com", name="Bea")
    ana.post(DELETE)
    days_pass(days=14)

    erase()

    assert User.objects.get().name == "Bea"
    assert kinds()[-1] == "erased"


def test_the_command_says_how_many(db, capsys):
    for number in range(3):
        joins(Shopper(), email=f"ana{number}@example.com")
    User.objects.update(deletion_due_at=Now())

    call_command("erase_accounts")
    call_command("erase_accounts")

    assert capsys.readouterr().out == "3 erased\n0 erased\n"


def test_more_than_one_batch_is_erased(db, capsys, monkeypatch):
    monkeypatch.setattr(deletion, "BATCH", 2)
    User.objects.bulk_create(User(deletion_due_at=Now(), name="Ana") for _number in range(5))

    call_command("erase_accounts")

    assert not User.objects.exists()
    assert capsys.readouterr().out == "5 erased\n"


def test_whoever_is_shut_out_is_erased_all_the_same(ana):
    joins(ana)
    ana.post(DELETE)
    User.objects.update(is_active=False)
    days_pass(days=14)

    tasks.erase()

    assert not User.objects.exists()


def test_a_contact_of_somebody_erased_can_be_registered_anew(anyone, postbox):
    joins(anyone, phone=PHONE, username=USERNAME)
    anyone.post(DELETE)
    days_pass(days=14)
    tasks.erase()

    anyone.identify(EMAIL)
    anyone.verify(postbox.code(EMAIL))
    anyone.complete(name="Ana", username=USERNAME)

    assert User.objects.get().username == USERNAME
    assert "deletion_asked" not in kinds(User.objects.get())


# What is left


def browser(place="here"):
    """A browser of somebody whose traces can be told from everybody else's."""
    ip, agent = {"here": (HERE, AGENT), "elsewhere": (ELSEWHERE, OTHER_AGENT)}[place]
    return Shopper(ip=ip, **{"user-agent": agent})


def plain_life():
    """Registers, mistypes, looks around, comes back."""
    me = browser()
    me.identify(EMAIL)
    me.verify(wrong(Postbox().code(EMAIL)))
    me.verify(Postbox().code(EMAIL))
    me.complete(name=NAME, username=USERNAME)
    me.post(CONFIRM, current=NEW)
    adds(me, "phone", PHONE)
    signs_in(browser("elsewhere"), USERNAME)
    signs_in(browser("elsewhere"), PHONE, password=None)
    signs_in(browser("elsewhere"), USERNAME, password=NEW)
    changes_password(me)
    return me


def whole_life():
    """The same with an address that was changed, and messages that were read."""
    me = plain_life()
    adds(me, "email", OTHER_EMAIL)
    len(Postbox())
    return me


def two_renamed_numbers():
    """Two numbers, of which one was removed and one replaced."""
    me = plain_life()
    adds(me, "phone", OTHER_PHONE)
    me.post(f"{PHONE_PAGE}remove/")
    return me


def abandoned_browsers():
    """A code and a reset that were asked for elsewhere and never used, and a change that waits."""
    me = plain_life()
    browser("elsewhere").post(LOGIN_CODE, identifier=EMAIL)
    browser("elsewhere").post(RESET, identifier=PHONE)
    me.post(EMAIL_PAGE, contact=OTHER_EMAIL)
    return me


def clumsy_life():
    """Tried to register once more, with each contact."""
    me = plain_life()
    browser("elsewhere").identify(EMAIL)
    browser("elsewhere").identify(PHONE, name=NAME, username=USERNAME)
    return me


def renamed():
    """Had another name to sign in with."""
    me = plain_life()
    me.post(NAMES, name=NAME, username="quux.anabelle")
    signs_in(browser("elsewhere"), "quux.anabelle", password=NEW)
    return me


def staff_life():
    """Was staff for a while: did something in the admin, and something was done to the account there."""
    me = plain_life()
    user = User.objects.get()
    hires(USERNAME, password=NEW)
    staff = Shopper(ip=HERE)
    let_in_staff(staff.client, USERNAME)
    assert staff.client.get(f"/admin/accounts/user/{user.pk}/change/").status_code == 200
    call_command("staff_role", USERNAME, "none")
    signs_in(me, EMAIL, password=NEW)
    boss = User.objects.create_superuser("boss", PASSWORD)
    kind = ContentType.objects.get_for_model(User)
    for actor in (user, boss):
        LogEntry.objects.create(
            user=actor,
            content_type=kind,
            object_id=str(user.pk),
            object_repr=str(user),
            action_flag=ADDITION,
        )
    return me


def watched_life():
    """Staff looked at the account, and did something for its owner."""
    me, staff = plain_life(), Shopper(ip="192.0.2.50")
    pk = User.objects.get().pk
    make_staff()
    let_in_staff(staff.client)
    assert staff.client.get(f"/admin/accounts/user/{pk}/change/").status_code == 200
    staff.client.post(f"/admin/accounts/user/{pk}/end-sessions/")
    signs_in(me, EMAIL, password=NEW)
    return me


LIVES = [
    plain_life,
    whole_life,
    two_renamed_numbers,
    abandoned_browsers,
    clumsy_life,
    renamed,
    staff_life,
    watched_life,
]


@pytest.mark.sample(4)
@pytest.mark.parametrize("life", LIVES, ids=[life.__name__ for life in LIVES])
def test_nothing_of_a_person_is_left_in_any_table(db, life):
    me = life()
    pk = User.objects.get(name=NAME).pk
    facts = ["Quux", EMAIL, OTHER_EMAIL, PHONE, OTHER_PHONE, HERE, ELSEWHERE, str(pk), pk.hex]
    assert {fact.rpartition(": ")[2] for fact in found_of(facts)} >= {EMAIL, PHONE, HERE, ELSEWHERE}

    me.post(DELETE)
    len(Postbox())
    days_pass(days=14)
    tasks.erase()

    assert found_of(facts) == set()


def test_traces_of_an_address_that_only_the_trail_remembers_go_too(db):
    me = plain_life()
    browser("elsewhere").post(RESET, identifier=EMAIL)
    signs_in(browser("elsewhere"), EMAIL, password="not my password")
    adds(me, "email", OTHER_EMAIL)
    # Long ago: retention took the attempts and the messages, and nobody knows who asked for those codes.
    SecurityEvent.objects.filter(kind__in=["code_sent", "sign_in_failed"]).update(user=None)
    Challenge.objects.exclude(recipient=OTHER_EMAIL).delete()
    OutboxMessage.objects.exclude(address=OTHER_EMAIL).delete()
    Session.objects.filter(user=None).delete()
    places = [HERE, ELSEWHERE, "Quux"]
    assert {fact.rpartition(": ")[2] for fact in found_of(places)} == set(places)

    me.post(DELETE)
    len(Postbox())
    days_pass(days=14)
    tasks.erase()

    assert found_of(places) == set()


def test_the_audit_keeps_what_happened_but_not_to_whom(ana, postbox):  # LOG-01
    user = joins(ana)
    ana.post(DELETE)
    before = kinds()
    days_pass(days=14)

    tasks.erase()

    assert kinds() == [*before, "erased"]
    assert not SecurityEvent.objects.filter(user=user.pk).exists()
    assert {*SecurityEvent.objects.values_list("ip", "agent", "country")} == {(None, "", "")}
    assert SecurityEvent.objects.get(kind="erased").fingerprint


def test_nobody_is_left_with_the_country_of_their_number(ana, postbox):  # LOG-01
    make_shopper(ana, "+447400123456")
    assert SecurityEvent.objects.filter(country="GB").exists()
    ana.post(DELETE)
    days_pass(days=14)

    tasks.erase()

    assert SecurityEvent.objects.filter(kind="erased").exists()
    assert {*SecurityEvent.objects.values_list("country", flat=True)} == {""}


def test_what_belongs_to_others_stays(ana, bea, postbox):
    joins(ana)
    joins(bea, email=OTHER_EMAIL, phone=OTHER_PHONE, name="Bea")
    ana.post(EMAIL_PAGE, contact=OTHER_EMAIL)
    ana.post(PHONE_PAGE, contact=OTHER_PHONE)
    adds(bea, "email", "bea@example.com")
    mine = [
        OutboxMessage.objects.filter(about_id=pk).values_list("pk", flat=True)
        for pk in User.objects.get(name="Bea").challenges.values_list("pk", flat=True)
    ]
    mine = {pk for found in mine for pk in found}
    events = User.objects.get(name="Bea").events.count()
    ana.post(DELETE)
    days_pass(days=14)

    tasks.erase()

    assert set(OutboxMessage.objects.filter(pk__in=mine).values_list("pk", flat=True)) == mine
    theirs = User.objects.get(name="Bea").events
    assert theirs.count() == events
    assert not theirs.filter(ip=None).exists()
    assert Session.objects.get(user__name="Bea").ip == "198.51.100.20"


def test_a_number_that_went_to_somebody_else_keeps_their_messages(ana, bea, postbox):
    joins(ana, phone=PHONE)
    joins(bea, email="bea@example.com", name="Bea")
    ana.post(f"{PHONE_PAGE}remove/")
    adds(bea, "phone", PHONE)
    adds(bea, "email", OTHER_EMAIL)
    told = OutboxMessage.objects.filter(address=PHONE, part="contact_changed").count()
    ana.post(DELETE)
    days_pass(days=14)

    tasks.erase()

    kept = OutboxMessage.objects.filter(address=PHONE, part="contact_changed").count()
    assert (told, kept) == (1, 1)


# At the very moment


def with_the_password(shopper, who):
    """Ready to send it."""
    return lambda: shopper.post(LOGIN, identifier=who, password=PASSWORD)


def with_a_code(shopper, who):
    """Has it, and is ready to send it."""
    shopper.post(LOGIN_CODE, identifier=who)
    code = Postbox().code(who)
    return lambda: shopper.post(LOGIN_VERIFY, code=code)


MOMENTS = {"password": with_the_password, "code": with_a_code}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", MOMENTS)
def test_signing_in_at_the_moment_of_erasure_ends_in_one_sane_state(way, capsys):  # I7
    for number in range(5):
        who = f"ana{number}@example.com"
        ana = Shopper("json", ip=f"198.51.100.{number + 1}")
        joins(ana, email=who)
        ana.client.raise_request_exception = False
        ana.post(DELETE)
        User.objects.filter(email=who).update(deletion_due_at=Now())
        enters = MOMENTS[way](ana, who)

        answer, _ = at_once(enters, tasks.erase)

        stays = User.objects.filter(email=who, deletion_due_at=None).exists()
        assert stays or not User.objects.filter(email=who).exists()
        assert (answer.status_code == 200) is stays, words(answer)
        assert answer.status_code < 500
        assert ana.is_signed_in is stays


@pytest.mark.django_db(transaction=True)
def test_whatever_is_typed_into_a_page_that_is_open_while_the_account_goes(ana, postbox):
    user = joins(ana, phone=PHONE)
    client = ClientInfo()
    sent = [
        login.send_code(user.contacts[0], visitor=Visitor(client)),
        recovery.begin(user.contacts[1], visitor=Visitor(client)),
        contact_flow.add(user, joins_nobody(), client=client),
    ]
    proof = account.send_code(user, client=client)
    User.objects.update(deletion_due_at=Now())
    tasks.erase()

    visitor = Visitor(client)
    refused = [
        refusal_of(login.sign_in_by_code, sent[0], "000000", visitor=visitor, sign_in=nowhere),
        refusal_of(recovery.exchange_code, sent[1], "000000", client=client),
        refusal_of(
            contact_flow.confirm,
            user,
            sent[2],
            "000000",
            session=Session(),
            visitor=visitor,
            renew_session=nowhere,
        ),
        refusal_of(
            account.confirm_by_code, user, proof, "000000", client=client, renew_session=nowhere
        ),
        refusal_of(account.confirm_by_password, user, NEW, visitor=visitor, renew_session=nowhere),
    ]

    assert refused == ["CodeClosed"] * 4 + ["PasswordWrong"]
    assert not User.objects.exists()


def joins_nobody():
    """A contact that is nobody's."""
    return User(email=OTHER_EMAIL, email_key=OTHER_EMAIL).contacts[0]


@pytest.mark.django_db(transaction=True)
def test_two_erasers_at_once_erase_once(ana):
    for number in range(5):
        joins(Shopper(ip=f"192.0.2.{number + 1}"), email=f"ana{number}@example.com")
    User.objects.update(deletion_due_at=Now())

    at_once(*[tasks.erase] * 4)

    assert not User.objects.exists()
    assert kinds().count("erased") == 5


@pytest.mark.django_db(transaction=True)
def test_a_change_of_mind_at_the_moment_of_asking(ana):
    joins(ana)
    elsewhere = Shopper("json", ip="192.0.2.8")
    elsewhere.client.raise_request_exception = False

    answers = at_once(lambda: ana.post(DELETE), lambda: signs_in(elsewhere))

    assert max(answer.status_code for answer in answers) < 500
    signs_in(Shopper("json"))
    assert User.objects.get().deletion_due_at is None
