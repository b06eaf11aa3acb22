"""A database in trouble is said politely, by everything that asks it; what is a mistake of ours is an error."""

import logging
import sqlite3

import psycopg
import pytest
from django.db import (
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
)
from django.db.models.functions import Now

from accounts.models import Session
from accounts.models.sessions import TOUCH_EVERY
from accounts.outages import is_outage
from tests.support.pages import Page
from tests.support.people import PASSWORD, Shopper
from tests.support.staff import Member, make_staff, sign_in_staff

WITHOUT_COOKIE = [
    "/", "/register/", "/login/", "/login/code/", "/password-reset/", "/verify-email/", "/not-me/",
    "/password-reset/new/", "/there-is-no-such-page/",
]  # fmt: skip


def failure(kind, cause=None, **facts):
    """The error that Django makes of what a driver raises."""
    error = kind("words of the database")
    error.__cause__ = cause
    for name, value in facts.items():
        setattr(cause, name, value)
    return error


TROUBLE = {
    "the connection broke": failure(OperationalError, psycopg.OperationalError("closed")),
    "the connection was gone": failure(InterfaceError, psycopg.InterfaceError("closed")),
    "an operator ended it": failure(OperationalError, psycopg.errors.AdminShutdown()),
    "no connection is left": failure(OperationalError, psycopg.errors.TooManyConnections()),
    "the disk is full": failure(OperationalError, psycopg.errors.DiskFull()),
    "a lock took too long": failure(OperationalError, psycopg.errors.LockNotAvailable()),
    "a statement took too long": failure(OperationalError, psycopg.errors.QueryCanceled()),
    "it is read-only": failure(InternalError, psycopg.errors.ReadOnlySqlTransaction()),
    "SQLite is busy": failure(
        OperationalError, sqlite3.OperationalError("locked"), sqlite_errorcode=261
    ),
}
MISTAKES = {
    "two rows of one key": failure(IntegrityError, psycopg.errors.UniqueViolation()),
    "no such column": failure(ProgrammingError, psycopg.errors.UndefinedColumn()),
    "a deadlock": failure(OperationalError, psycopg.errors.DeadlockDetected()),
    "no such table in SQLite": failure(
        OperationalError, sqlite3.OperationalError("no such table"), sqlite_errorcode=1
    ),
    "a value of another type": ValueError("no number"),
}


@pytest.fixture
def trouble():
    """Lets statements fail: all, or those that hold certain words."""
    failing = []

    def fail(execute, sql, *rest):
        for error, words in failing:
            if words in sql:
                raise error
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        yield lambda error, words="": failing.append((error, words))


@pytest.fixture
def signed_in(anyone):
    """Somebody who is signed in, with each of the three faces."""
    anyone.signs_up()
    anyone.client.raise_request_exception = False
    return anyone


# What is trouble


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_is_told_from_mistakes(name):
    assert is_outage(TROUBLE[name])


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_from_trouble(name):
    assert not is_outage(MISTAKES[name])
    assert not is_outage(None)


# What is said


@pytest.mark.parametrize("name", ["the connection broke", "it is read-only"])
def test_a_database_in_trouble_is_a_503_that_says_when_to_try_again(  # AVL-01
    signed_in, trouble, caplog, name
):
    trouble(TROUBLE[name])

    for answer in (signed_in.get("/account/"), signed_in.post("/account/names/", name="Bea")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "Try again in a moment" in answer.content.decode()
        assert answer.headers["Cache-Control"] == "no-store"
        assert not answer.cookies
    if signed_in.face == "json":
        assert answer.json()["success"] is False
    else:
        assert ("<html" in answer.content.decode()) == (signed_in.face == "page")


@pytest.mark.parametrize(
    ("method", "url", "way_on"),
    [
        ("get", "/account/?a=b", "/account/?a=b"),
        ("post", "/account/names/", "/account/names/"),
        # No page stands there.
        ("post", "/register/resend/", "/"),
    ],
)
def test_whoever_is_told_so_tries_again_where_they_were(
    ana, trouble, method, url, way_on
):  # AVL-01
    ana.signs_up()
    ana.client.raise_request_exception = False
    trouble(TROUBLE["the connection broke"])

    (link,) = Page(getattr(ana, method)(url)).all("a", id="start-again")

    assert link["href"] == way_on


@pytest.mark.parametrize(
    ("stood_on", "way_on"),
    [("http://testserver/account/", "/account/"), ("https://evil.example/account/", "/")],
)
def test_a_form_that_htmx_sent_is_tried_again_on_its_page(db, trouble, stood_on, way_on):  # AVL-01
    ana = Shopper("htmx").signs_up()
    ana.client.raise_request_exception = False
    trouble(TROUBLE["the connection broke"])

    told = ana.client.post(
        "/account/names/", headers={"HX-Request": "true", "HX-Current-URL": stood_on}
    )

    assert Page(told).all("a", id="start-again")[0]["href"] == way_on


def test_it_is_logged_as_a_warning_without_a_trace(signed_in, trouble, caplog):  # AVL-01
    trouble(TROUBLE["it is read-only"])

    signed_in.get("/account/")

    (line,) = [each for each in caplog.records if each.name == "django.request"]
    assert (line.levelno, line.exc_info) == (logging.WARNING, None)
    assert line.fields == {"error": "InternalError", "sqlstate": "25006"}


def test_a_mistake_of_ours_is_a_500_with_its_trace(signed_in, trouble, caplog):  # AVL-01
    trouble(MISTAKES["no such column"], "accounts_user")

    answer = signed_in.post("/account/names/", name="Bea")

    assert answer.status_code == 500
    assert any(each.levelno == logging.ERROR and each.exc_info for each in caplog.records)


def test_a_page_that_does_not_exist_is_a_503_too_for_whoever_is_signed_in(ana, trouble):
    ana.signs_up()
    ana.client.raise_request_exception = False
    trouble(TROUBLE["the connection broke"])

    assert ana.get("/there-is-no-such-page/").status_code == 503


def test_nobody_is_signed_in_by_an_answer_that_failed(ana, trouble):  # AVL-01, I8
    ana.signs_up()
    ana.post("/logout/")
    ana.client.raise_request_exception = False
    trouble(TROUBLE["it is read-only"], 'UPDATE "accounts_session"')
    trouble(TROUBLE["it is read-only"], 'INSERT INTO "accounts_session"')

    answer = ana.post("/login/", identifier="ana@example.com", password=PASSWORD)

    assert answer.status_code == 503
    assert not answer.cookies


# What goes on without it


@pytest.mark.django_db
@pytest.mark.parametrize("page", WITHOUT_COOKIE)
def test_whoever_has_no_cookie_needs_no_database(page, trouble):  # AVL-01
    trouble(TROUBLE["the connection broke"])

    assert Shopper().get(page).status_code < 500


@pytest.mark.parametrize("what", ["it is read-only", "a lock took too long"])
def test_a_page_is_shown_though_nobody_can_note_that_it_was(signed_in, trouble, caplog, what):
    # AVL-01
    Session.objects.update(last_used_at=Now() - TOUCH_EVERY * 2)
    trouble(TROUBLE[what], "UPDATE")

    assert signed_in.get("/account/").status_code == 200
    assert "left out: a session was used" in caplog.text


def test_staff_see_a_row_though_nobody_can_note_that_they_did(db, trouble, caplog):  # AVL-01
    boss, member = make_staff(), Member()
    sign_in_staff(member.client)
    trouble(TROUBLE["it is read-only"], "INSERT")

    assert member.client.get(f"/admin/accounts/user/{boss.pk}/change/").status_code == 200
    assert "left out: a page of staff was opened" in caplog.text
