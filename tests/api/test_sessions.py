"""An app signs in, refreshes, shows who it is and signs out: on the session's own row, without a cookie."""

import pytest
from django.db import transaction

from accounts.errors import SignedOut, TokenNotValid
from accounts.models import SecurityEvent, Session
from accounts.sessions.client import ClientInfo
from accounts.sessions.store import PASSWORD
from api import tokens
from api.operations import sessions
from tests.support.people import HOME, Postbox, Shopper, make_user, time_passes

pytestmark = [pytest.mark.django_db, pytest.mark.database]

PHONE = ClientInfo(ip="192.0.2.7", agent="MyShop/1.2 (Android 14)")
THIEF = ClientInfo(ip="203.0.113.9", agent="curl/8 (Linux)")


def sign_in(user, *, app="My Shop", client=PHONE, device_token="", by=PASSWORD):
    """Sign `user` in at an app, as a flow does."""
    entry = sessions.AppSignIn(by=by, app=app, client=client, device_token=device_token)
    with transaction.atomic():
        entry(user)
    return entry


@pytest.fixture
def ana(db):
    return make_user()


@pytest.fixture
def app(ana):
    return sign_in(ana)


def test_whoever_signed_in_is_known_by_the_access_token(app, ana):
    session = sessions.authenticate(app.tokens.access)

    assert session == app.session
    assert session.user == ana
    assert app.tokens.expires_in == 600


def test_it_costs_one_statement_to_know_who_is_there(app, django_assert_num_queries):
    with django_assert_num_queries(1):
        sessions.authenticate(app.tokens.access)


def test_a_refresh_gives_a_new_pair_in_two_statements(app, django_assert_num_queries):
    with django_assert_num_queries(2):
        second = sessions.refresh(app.tokens.refresh, client=PHONE)

    assert second.refresh != app.tokens.refresh
    assert sessions.authenticate(second.access) == app.session
    assert sessions.refresh(second.refresh, client=PHONE).refresh != second.refresh


def test_a_lost_answer_is_given_again_byte_for_byte(app):
    first = sessions.refresh(app.tokens.refresh, client=PHONE)

    assert sessions.refresh(app.tokens.refresh, client=PHONE) == first


def test_an_old_token_ends_the_family_and_its_owner_hears_of_it(app, ana):
    newest = sessions.refresh(app.tokens.refresh, client=PHONE)
    time_passes(seconds=31)

    for token in (app.tokens.refresh, newest.refresh):
        with pytest.raises(TokenNotValid):
            sessions.refresh(token, client=THIEF)

    assert not Session.objects.exists()
    event = SecurityEvent.objects.get(kind="token_replayed")
    assert (event.user, event.ip) == (ana, THIEF.ip)
    [message] = Postbox().messages("ana@example.com")
    assert "An app was signed out" in message["subject"]
    assert "/not-me/" in message["text"]


def test_an_app_that_signs_out_is_signed_out_everywhere(app):
    sessions.end(app.tokens.refresh, client=PHONE)
    sessions.end(app.tokens.refresh, client=PHONE)

    with pytest.raises(TokenNotValid):
        sessions.authenticate(app.tokens.access)
    with pytest.raises(TokenNotValid):
        sessions.refresh(app.tokens.refresh, client=PHONE)
    assert SecurityEvent.objects.filter(kind="signed_out").count() == 1


def test_no_cookie_opens_the_session_of_an_app(app):
    thief = Shopper()
    names = (app.session.session_key, app.session.name, str(app.session.public_id))
    for each in (*names, app.session.public_id.hex):
        thief.client.cookies["__Host-session"] = each
        assert not thief.is_signed_in
        assert thief.get(HOME).status_code == 200

    assert Session.objects.filter(pk=app.session.pk).exists()


def test_staff_get_no_tokens(ana):  # ADM-04
    ana.is_staff = True

    with pytest.raises(SignedOut):
        sign_in(ana)


def test_a_token_of_another_session_opens_nothing(app, ana):
    bea = sign_in(make_user("bea@example.com"))
    forged = app.session
    forged.public_id = bea.session.public_id

    with pytest.raises(TokenNotValid):
        sessions.authenticate(tokens.mint_access(forged))
