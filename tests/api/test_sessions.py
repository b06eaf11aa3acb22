"""An app signs in, refreshes, shows who it is and signs out: on the session's own row, without a cookie."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts import conf
from accounts.errors import PasswordLocked, SignedOut, SignInWrong, TokenNotValid
from accounts.flows import app_sessions, login, registration
from accounts.identifiers import parse
from accounts.models import Client, SecurityEvent, Session, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.store import PASSWORD as BY_PASSWORD
from api import tokens
from api.operations import sessions
from tests.support.apps import ANDROID, THIEF, App
from tests.support.people import HOME, LOGOUT, PASSWORD, Postbox, Shopper, make_user, time_passes

pytestmark = [pytest.mark.django_db, pytest.mark.database]

EMAIL = "ana@example.com"


@pytest.fixture
def ana(db):
    return make_user(EMAIL)


@pytest.fixture
def app(ana):
    return App(ana)


def kinds():
    return list(SecurityEvent.objects.order_by("pk").values_list("kind", flat=True))


# Who is there


def test_whoever_signed_in_is_known_by_the_access_token(app, ana):
    session = sessions.authenticate(app.tokens.access)

    assert session == app.session
    assert session.user == ana
    assert app.tokens.expires_in == 600


def test_it_costs_one_statement_to_know_who_is_there(app, django_assert_num_queries):
    with django_assert_num_queries(1):
        sessions.authenticate(app.tokens.access)


def test_an_app_that_is_used_idles_from_then_on_and_says_so_every_five_minutes(
    app, django_assert_num_queries
):  # SES-07
    time_passes(minutes=4)
    with django_assert_num_queries(1):
        sessions.authenticate(app.tokens.access)
    time_passes(minutes=2)
    before = Session.objects.get()
    with django_assert_num_queries(2):
        sessions.authenticate(app.tokens.access)
    with django_assert_num_queries(1):
        sessions.authenticate(app.tokens.access)

    row = Session.objects.get()
    assert row.last_used_at - before.last_used_at > timedelta(minutes=5)
    assert row.expire_date - row.last_used_at == conf.APP_SESSION_IDLE


def test_the_access_token_works_to_the_second(app):
    access = tokens.read_access(app.tokens.access)
    began = app.session.signed_in_at.replace(microsecond=0)

    assert access.is_current(began)
    assert access.is_current(began + timedelta(seconds=599, microseconds=999_999))
    assert not access.is_current(began + timedelta(seconds=600))
    assert not access.is_current(began - timedelta(microseconds=1))


def test_an_access_token_that_is_too_old_opens_nothing(app):
    time_passes(seconds=601)
    stale = tokens.mint_access(Session.objects.get())

    with pytest.raises(TokenNotValid):
        sessions.authenticate(stale)


def test_a_token_of_another_session_opens_nothing(app):
    bea = App(make_user("bea@example.com"))
    forged = app.session
    forged.public_id = bea.session.public_id

    with pytest.raises(TokenNotValid):
        sessions.authenticate(tokens.mint_access(forged))


@pytest.mark.parametrize("wrong", [-900, 900])
def test_a_process_whose_clock_is_wrong_knows_and_makes_the_same_tokens(
    ana, monkeypatch, wrong
):  # TIM-01
    app = App(ana)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong)

    assert app.is_signed_in
    app.refreshes()
    access = tokens.read_access(app.tokens.access)
    assert abs(access.begins - right()) < 60


# Refresh


def test_a_refresh_gives_a_new_pair_in_two_statements(
    app, django_assert_num_queries
):  # promise 2.5
    with django_assert_num_queries(2):
        before = app.refreshes()

    assert app.tokens.refresh != before.refresh
    assert app.tokens.access != before.access
    assert app.is_signed_in


def test_whoever_comes_second_by_a_hair_gets_the_same_in_three_statements(
    app, django_assert_num_queries
):
    with django_assert_num_queries(1):
        read = app_sessions.find(app.session.public_id)
    app.refreshes()

    with django_assert_num_queries(2):
        second = app_sessions.rotate(read, 1, client=ANDROID)

    assert tokens.mint_refresh(second) == app.tokens.refresh
    assert tokens.mint_access(second) == app.tokens.access


def test_a_lost_answer_is_given_again_byte_for_byte(app, django_assert_num_queries):
    before = app.refreshes()

    with django_assert_num_queries(1):
        again = sessions.refresh(before.refresh, client=ANDROID)

    assert again == app.tokens


def test_within_the_grace_even_a_second_refresh_follows_and_the_first_token_is_dead(app):
    before = app.refreshes()
    app.refreshes()

    with pytest.raises(TokenNotValid):
        sessions.refresh(before.refresh, client=THIEF)

    assert not app.is_signed_in


@pytest.mark.parametrize(("seconds", "is_repeated"), [(28, True), (31, False)])
def test_the_answer_is_given_again_for_thirty_seconds(app, seconds, is_repeated):
    before = app.refreshes()
    time_passes(seconds=seconds)

    if is_repeated:
        assert sessions.refresh(before.refresh, client=ANDROID).refresh
    else:
        with pytest.raises(TokenNotValid):
            sessions.refresh(before.refresh, client=ANDROID)
    assert Session.objects.exists() is is_repeated


def test_an_old_token_ends_the_family_and_its_owner_hears_of_it(app, ana):
    before = app.refreshes()
    time_passes(seconds=31)

    for token in (before.refresh, app.tokens.refresh, before.refresh):
        with pytest.raises(TokenNotValid):
            sessions.refresh(token, client=THIEF)

    assert not Session.objects.exists()
    event = SecurityEvent.objects.get(kind="token_replayed")
    assert (event.user, event.ip) == (ana, THIEF.ip)
    [message] = Postbox().messages(EMAIL)
    assert "An app was signed out to be safe" in message["subject"]
    assert "/not-me/" in message["text"]


def test_the_owner_of_a_number_hears_of_it_by_text():
    user = make_user("+447400123456")
    app = App(user)
    before = app.refreshes()
    time_passes(seconds=31)

    with pytest.raises(TokenNotValid):
        sessions.refresh(before.refresh, client=THIEF)

    [text] = Postbox().messages("+447400123456")
    assert "An app was signed out to be safe. Not you? https://" in text["text"]


def test_a_forged_token_ends_nothing(app):
    before = app.refreshes()
    time_passes(seconds=31)
    head, body, proof = before.refresh.split(".")
    changed = ("A" if proof[0] != "A" else "B") + proof[1:]

    for token in (f"{head}.{body}.{changed}", f"{head}.{body}.", f"{head}.{body}"):
        with pytest.raises(TokenNotValid):
            sessions.refresh(token, client=THIEF)

    assert app.is_signed_in
    assert "token_replayed" not in kinds()


def test_after_a_backup_was_restored_apps_sign_in_again_and_nobody_is_alarmed(app):
    app.refreshes()
    app.refreshes()
    Session.objects.update(generation=2, rotated_at=None)

    with pytest.raises(TokenNotValid):
        app.refreshes()

    assert not Session.objects.exists()
    assert "token_replayed" not in kinds()
    assert not Postbox().messages(EMAIL)


def test_another_app_of_the_same_person_goes_on(app, ana):
    other = App(ana)
    before = app.refreshes()
    time_passes(seconds=31)

    with pytest.raises(TokenNotValid):
        sessions.refresh(before.refresh, client=THIEF)
    other.refreshes()

    assert other.is_signed_in


def test_an_app_that_stays_away_for_thirty_days_is_signed_out(app):
    time_passes(days=29)
    app.refreshes()
    time_passes(days=29)
    app.refreshes()
    time_passes(days=30, seconds=1)

    with pytest.raises(TokenNotValid):
        app.refreshes()


def test_no_app_is_signed_in_for_longer_than_a_hundred_and_eighty_days(app):
    for _month in range(6):
        time_passes(days=29)
        app.refreshes()
    time_passes(days=6, seconds=1)

    with pytest.raises(TokenNotValid):
        app.refreshes()


def test_each_refresh_says_from_where(app):
    elsewhere = ClientInfo(ip="198.51.100.4", agent="MyShop/1.3 (iPhone)")
    sessions.refresh(app.tokens.refresh, client=elsewhere)

    assert Session.objects.get().ip == "198.51.100.4"
    assert Session.objects.get().device == "My Shop app on iPhone"


# Signing out


def test_an_app_that_signs_out_is_signed_out_everywhere(app):  # promise 2.5
    sessions.end(app.tokens.refresh, client=ANDROID)
    sessions.end(app.tokens.refresh, client=ANDROID)

    assert not app.is_signed_in
    assert kinds().count("signed_out") == 1


def test_the_token_from_before_the_last_one_signs_out_too(app):
    before = app.refreshes()

    sessions.end(before.refresh, client=ANDROID)

    assert not app.is_signed_in


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "\u00e9", "[" * 2000, "a" * 100_000])
def test_what_is_no_token_signs_nobody_out_and_is_no_error(app, token):
    sessions.end(token, client=THIEF)

    assert app.is_signed_in
    for ask in (sessions.authenticate, lambda token: sessions.refresh(token, client=THIEF)):
        with pytest.raises(TokenNotValid):
            ask(token)


def test_a_stranger_who_knows_the_name_of_a_session_ends_nothing(app):
    other = App(make_user("bea@example.com"))
    forged = other.session
    forged.public_id = app.session.public_id

    sessions.end(tokens.mint_refresh(forged), client=THIEF)

    assert app.is_signed_in


# Who gets tokens


def test_staff_get_no_tokens(ana):  # ADM-04
    ana.is_staff = True

    with pytest.raises(SignedOut):
        App(ana)


def test_no_cookie_opens_the_session_of_an_app(app):
    thief = Shopper()
    names = (app.session.session_key, app.session.name, str(app.session.public_id))
    for each in (*names, app.session.public_id.hex):
        thief.client.cookies["__Host-session"] = each
        assert not thief.is_signed_in
        thief.post(LOGOUT)
        thief.get(HOME)

    assert app.is_signed_in


def test_no_cookie_opens_what_an_app_is_in_the_middle_of(ana):
    key = "ab" * 20
    Session.objects.create(
        session_key=key, client=Client.PENDING, expire_date=Now() + timedelta(hours=1), user=ana
    )
    thief = Shopper()
    thief.client.cookies["__Host-session"] = key

    assert not thief.is_signed_in


def test_no_token_opens_the_session_of_a_browser(app):
    Session.objects.update(client=Client.BROWSER)

    assert not app.is_signed_in


@pytest.mark.parametrize("missing", ["user", "public_id", "seed"])
def test_the_session_of_an_app_is_whole(app, missing):
    with pytest.raises(IntegrityError), transaction.atomic():
        Session.objects.filter(pk=app.session.pk).update(**{missing: None})


def test_nothing_that_opens_anything_is_stored(app):  # SES-05
    first = app.refreshes()
    columns = " ".join(map(str, Session.objects.values_list().get()))

    for token in (app.tokens.access, app.tokens.refresh, first.device_token):
        assert token not in columns
        assert token.rpartition(".")[2] not in columns


# As a flow does it


def enter(*, device_token="", client=ANDROID):
    """What a flow gets: whoever asks, and what makes the session."""
    made = sessions.AppSignIn(
        by=BY_PASSWORD, app="My Shop", client=client, device_token=device_token
    )
    return {"visitor": sessions.get_visitor(client, device_token), "sign_in": made}, made


def test_a_password_signs_an_app_in_and_its_owner_hears_of_a_new_device_once(ana):  # LIM-04
    given, first = enter()
    login.sign_in_by_password(parse(EMAIL), PASSWORD, **given)
    given, second = enter(device_token=first.tokens.device_token)
    login.sign_in_by_password(parse(EMAIL), PASSWORD, **given)

    assert kinds() == ["signed_in", "new_device", "signed_in"]
    [message] = Postbox().messages(EMAIL)
    assert "New sign-in" in message["subject"]
    assert sessions.authenticate(second.tokens.access).user == ana
    assert second.tokens == second.tokens


def test_strangers_do_not_lock_out_an_app_that_the_account_trusts(ana):  # LIM-04
    given, first = enter()
    login.sign_in_by_password(parse(EMAIL), PASSWORD, **given)
    for _try in range(6):
        given, _none = enter(client=THIEF)
        with pytest.raises((SignInWrong, PasswordLocked)):
            login.sign_in_by_password(parse(EMAIL), "not the password", **given)

    given, again = enter(device_token=first.tokens.device_token)
    login.sign_in_by_password(parse(EMAIL), PASSWORD, **given)

    assert again.tokens.access


def test_a_new_password_makes_the_app_a_stranger(ana):  # REC-06
    given, first = enter()
    login.sign_in_by_password(parse(EMAIL), PASSWORD, **given)
    ana.set_password("another horse battery")
    ana.save()

    visitor = sessions.get_visitor(ANDROID, first.tokens.device_token)
    assert visitor.trusted_browser_id(ana) == ""


def test_a_registration_signs_an_app_in():
    challenge = registration.begin(parse("new@example.com"), client=ANDROID)
    given, made = enter()
    done = registration.confirm(challenge, challenge.code, profile=registration.Profile(), **given)

    assert sessions.authenticate(made.tokens.access).user == done.user
    assert made.session.user == done.user


def test_before_anybody_signed_in_there_are_no_tokens():
    _given, made = enter()

    with pytest.raises(LookupError):
        made.tokens  # noqa: B018  a property


# What an app calls itself


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("My Shop", "My Shop"),
        ("  Shop \n\t 2 ", "Shop 2"),
        ("Go to https://evil.example/x now", "Go to https evil example x now"),
        ("<b>Shop</b>", "b Shop b"),
        ("\u202eShop\u2066", "Shop"),
        ("Shop\u200b\u3164", "Shop"),
        ("दुकान", "दुकान"),
        ("متجري", "متجري"),
        ("a" + "\u0301" * 30, ""),
        ("x" * 1000, "x" * 40),
        ("\U0001f600", ""),
        ("-- & --", ""),
        ("\x00", ""),
    ],
)
def test_the_name_of_an_app_is_a_few_words(given, kept):  # ABU-04
    assert app_sessions.clean_name(given) == kept


@pytest.mark.parametrize(
    ("name", "agent", "shown"),
    [
        ("My Shop", "MyShop/1 (Android 14)", "My Shop app on Android"),
        ("Shop App", "okhttp/4", "Shop App"),
        ("", "MyShop/1 (iPhone)", "An app on iPhone"),
        ("", "", "An app"),
        ("متجري", "okhttp/4", "\u2068متجري\u2069 app"),
    ],
)
def test_an_app_is_named_by_its_own_name_and_its_system(ana, name, agent, shown):
    app = App(ana, name=name, client=ClientInfo(agent=agent))

    assert app.session.device == shown


def test_a_session_that_nobody_has_is_not_found():
    assert app_sessions.find(uuid4()) is None


def test_a_password_that_was_changed_in_the_row_alone_ends_the_app(app):  # SES-06
    User.objects.update(password="another")

    assert not app.is_signed_in
