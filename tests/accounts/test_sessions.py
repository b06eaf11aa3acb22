"""Sessions: made by us alone, renewed at every sign-in, ended by a button, by time, or from elsewhere."""

import pytest
from django.core import signing
from django.test import Client

from accounts import conf
from accounts.models import Session, User
from accounts.sessions.store import BY_KEY, SessionStore
from tests.support.pages import words
from tests.support.people import (
    ACCOUNT,
    CHANGE,
    COMPLETE,
    HOME,
    LOGIN,
    LOGOUT,
    PASSWORD,
    REGISTER,
    RESEND,
    VERIFY,
    Shopper,
    check_tokens,
    make_shopper,
    time_passes,
)
from tests.support.races import at_once

pytestmark = pytest.mark.database

WHO = "ana@example.com"
COOKIE, TOKEN = "__Host-session", "__Host-csrftoken"


def copy_of(shopper):
    """Somebody who has copied the cookie."""
    thief = Shopper()
    thief.client.cookies[COOKIE] = shopper.session_key
    return thief


# Signing out


def test_a_shopper_signs_out(anyone):  # SES-04, SES-08
    make_shopper(anyone, WHO)
    thief = copy_of(anyone)
    assert thief.is_signed_in

    out = anyone.post(LOGOUT)

    assert out.to == HOME or out.json() == {"success": True, "message": "You are signed out."}
    assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert not anyone.is_signed_in
    assert not thief.is_signed_in
    assert WHO not in words(anyone.get(ACCOUNT))
    assert not Session.objects.exists()


def test_the_cookie_goes_with_the_session(ana):  # SES-04
    make_shopper(ana, WHO)

    cookie = ana.post(LOGOUT).cookies[COOKIE]

    assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", 0, "/")
    assert cookie["secure"]


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "trace"])
def test_nothing_but_the_button_signs_out(ana, method):  # SES-04
    make_shopper(ana, WHO)

    assert ana.client.generic(method.upper(), LOGOUT).status_code == 405
    assert ana.is_signed_in


def test_nobody_signs_out_a_shopper_from_elsewhere(ana):  # SES-04, WEB-01
    make_shopper(ana, WHO)
    check_tokens(ana.client)

    assert ana.post(LOGOUT).status_code == 403
    assert ana.is_signed_in


def test_signing_out_forgets_what_was_half_done(anyone, postbox):  # SES-04, REG-10
    anyone.identify(WHO, name="Ana", password=PASSWORD)
    code = postbox.code()

    anyone.post(LOGOUT)

    assert not Session.objects.exists()
    assert anyone.verify(code).status_code in (303, 409)
    assert not User.objects.exists()


def test_signing_out_twice_or_as_a_stranger_is_no_fault(ana):
    make_shopper(ana, WHO)

    assert [ana.post(LOGOUT).to, ana.post(LOGOUT).to, Shopper().post(LOGOUT).to] == [HOME] * 3


# Whose session it is


@pytest.mark.parametrize("chosen", ["a" * 32, "0" * 40, "x", "", "'; --", "A" * 5000])
def test_nobody_chooses_the_name_of_a_session(ana, postbox, chosen):  # SES-02
    ana.client.cookies[COOKIE] = chosen
    ana.identify(WHO)
    assert ana.session_key != chosen

    ana.verify(postbox.code())

    assert ana.is_signed_in
    assert not Session.objects.filter(pk=chosen).exists()


def test_a_session_that_was_handed_over_gains_nothing(ana, postbox):  # SES-01, SES-02
    ana.identify(WHO)
    attacker = copy_of(ana)

    ana.verify(postbox.code())

    assert ana.is_signed_in
    assert not attacker.is_signed_in
    assert attacker.get(VERIFY).headers["Location"] == REGISTER


def test_what_was_planted_before_the_sign_in_is_gone_after_it(ana, postbox):  # SES-02, REG-10
    Shopper().identify("eve@example.com")
    planted = Session.objects.get()
    ana.client.cookies[COOKIE] = planted.pk
    ana.identify(WHO)

    ana.verify(postbox.code(WHO))

    kept = Session.objects.get(pk=ana.session_key).get_decoded()
    assert set(kept) == {"_auth_user_id", "_auth_user_backend", "_auth_user_hash"}


@pytest.mark.parametrize("url", [REGISTER, VERIFY, CHANGE])
def test_a_signed_in_shopper_begins_nothing_new(ana, url):  # REG-10
    make_shopper(ana, WHO)

    for answer in (ana.get(url), ana.post(url, identifier="bea@example.com", code="123456")):
        assert answer.headers["Location"] == HOME
    assert "pending" not in Session.objects.get().get_decoded()
    assert User.objects.count() == 1


def test_two_browsers_have_two_sessions(ana, bea, postbox):
    make_shopper(ana, WHO)
    make_shopper(bea, "bea@example.com")

    ana.post(LOGOUT)

    assert bea.is_signed_in


def test_a_session_remembers_where_it_is_from(db):  # SES-05
    agent = "Mozilla/5.0 (X11; Linux) Firefox/140\x1b"
    Shopper(ip="198.51.100.77", **{"user-agent": agent}).identify(WHO)

    session = Session.objects.get()
    assert (session.ip, session.agent) == ("198.51.100.77", agent.rstrip("\x1b"))


@pytest.mark.parametrize("name", [COOKIE, TOKEN])
def test_cookies_are_for_our_own_pages_alone(ana, name):  # SES-03
    ana.identify(WHO)
    ana.get(REGISTER)

    cookie = ana.client.cookies[name]

    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert len(cookie.value) >= 32
    assert len(cookie.OutputString()) < 4096


def test_the_cookie_lives_as_long_as_a_session_may(ana):  # SES-03, SES-07
    ana.identify(WHO)

    assert ana.client.cookies[COOKIE]["max-age"] == conf.SESSION_ABSOLUTE.total_seconds()


def test_two_session_keys_share_nothing(ana, bea):  # SES-03
    ana.identify(WHO)
    bea.identify("bea@example.com")

    assert len(ana.session_key) == len(bea.session_key) >= 32
    assert ana.session_key != bea.session_key


# Time


@pytest.mark.parametrize(
    ("idle", "alive"),
    [({"days": 13, "hours": 23, "minutes": 59}, True), ({"days": 14, "minutes": 1}, False)],
    ids=["within", "beyond"],
)
def test_a_session_nobody_uses_ends(ana, idle, alive):  # SES-07
    make_shopper(ana, WHO)

    time_passes(**idle)

    assert ana.is_signed_in is alive


@pytest.mark.parametrize(
    ("last", "alive"),
    [({"days": 3, "hours": 23, "minutes": 59}, True), ({"days": 4, "minutes": 1}, False)],
    ids=["within", "beyond"],
)
def test_a_session_in_use_ends_after_thirty_days(ana, last, alive):  # SES-07
    make_shopper(ana, WHO)
    for _ in range(2):
        time_passes(days=13)
        assert ana.is_signed_in

    time_passes(**last)

    assert ana.is_signed_in is alive


@pytest.mark.parametrize(
    ("gone", "touched"), [({"minutes": 4}, False), ({"minutes": 6}, True)], ids=["4 min", "6 min"]
)
def test_use_is_noted_every_five_minutes(ana, gone, touched):  # SES-07
    make_shopper(ana, WHO)
    time_passes(**gone)
    before = Session.objects.get()

    ana.get(HOME)

    after = Session.objects.get()
    assert (after.last_used_at > before.last_used_at) is touched
    assert (after.expire_date > before.expire_date) is touched
    assert after.created_at == before.created_at


def test_a_cookie_that_lives_on_does_not_keep_a_session(ana):  # SES-07
    make_shopper(ana, WHO)
    time_passes(days=31)

    assert ana.session_key
    assert not ana.is_signed_in
    assert ana.identify("bea@example.com").to == VERIFY


@pytest.mark.parametrize(
    ("gone", "alive"), [({"hours": 23}, True), ({"hours": 25}, False)], ids=["a day", "longer"]
)
def test_a_journey_that_was_left_is_forgotten(ana, gone, alive):  # REG-10
    ana.identify(WHO)

    time_passes(**gone)

    assert ana.get(VERIFY).headers.get("Location") == (None if alive else REGISTER)


# From elsewhere


def change_password(user):
    user.set_password("an entirely new one")
    user.save()


def close_account(user):
    user.is_active = False
    user.save()


def delete_account(user):
    user.delete()


def end_sessions(user):
    user.sessions.all().delete()


@pytest.mark.parametrize("event", [change_password, close_account, delete_account, end_sessions])
def test_what_happens_elsewhere_ends_the_session(ana, event):  # SES-05, SES-06
    make_shopper(ana, WHO)
    assert ana.is_signed_in

    event(User.objects.get())

    assert not ana.is_signed_in
    assert ana.get(ACCOUNT).headers["Location"].startswith(LOGIN)
    assert ana.get(COMPLETE).headers["Location"].startswith(LOGIN)


def test_the_first_password_does_not_end_the_session_it_was_typed_in(anyone, postbox):  # SES-01
    anyone.identify(WHO)
    anyone.verify(postbox.code())
    elsewhere = copy_of(anyone)

    anyone.complete()

    assert anyone.is_signed_in
    assert elsewhere.session_key == anyone.session_key


@pytest.mark.parametrize("kept", [True, False], ids=["kept as fallback", "dropped"])
def test_sessions_survive_a_new_secret_key_as_long_as_the_older_is_kept(
    ana, settings, kept
):  # SES-10
    make_shopper(ana, WHO)

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY] if kept else []
    settings.SECRET_KEY = "a new one, also only for tests: abcdefghijklmnopqrstuvwxyz0123456789"

    assert ana.is_signed_in is kept


def test_resending_keeps_the_session_as_it_is(ana):
    ana.identify(WHO)
    before = Session.objects.values().get()

    ana.post(RESEND)

    assert Session.objects.values().get() == before


def test_a_visit_without_a_cookie_is_a_stranger(ana):  # SES-09
    make_shopper(ana, WHO)

    assert Client().get(ACCOUNT).status_code == 303
    assert Session.objects.count() == 1


# How a row is read: in SQL that is put together once


def _as_django_reads_it(key):
    return Session.objects.select_related("user", "challenge").get(session_key=key)


@pytest.mark.parametrize("who", [WHO, "+447400123456"])
def test_a_row_reads_as_django_would_read_it(ana, bea, who):
    ana.identify(who)
    make_shopper(bea, "bea@example.com")

    for key in (ana.session_key, bea.session_key):
        read, expected = BY_KEY.first(key), _as_django_reads_it(key)

        for mine, django in (
            (read, expected),
            (read.user, expected.user),
            (read.challenge, expected.challenge),
        ):
            assert type(mine) is type(django)
            assert mine is None or _columns(mine) == _columns(django)
            assert mine is None or not mine.get_deferred_fields()


def _columns(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.parametrize("key", ["", "0" * 40, "' OR 1=1 --", "%s", "\N{SNOWMAN}"])
def test_no_row_is_none(ana, key):
    ana.identify(WHO)

    assert BY_KEY.first(key) is None


@pytest.mark.django_db(transaction=True)
def test_every_thread_reads_with_a_connection_of_its_own(ana):
    make_shopper(ana, WHO)
    key = ana.session_key

    found = at_once(*[lambda: BY_KEY.first(key).user.email] * 4)

    assert found == [WHO] * 4


def test_session_data_that_was_compressed_is_still_read(ana):  # SES-10
    ana.identify(WHO)
    row = Session.objects.get()
    data = row.get_decoded()
    store = SessionStore()
    former = signing.dumps(data, salt=store.key_salt, serializer=store.serializer, compress=True)

    assert len(former) < len(store.encode(data))
    assert store.decode(former) == data
