"""One variable switches it: the web answers the API on its event loop, or in threads as everything else."""

import json
import os
import subprocess
import sys

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.db import connection, connections

import asyncdb
from accounts.password_policy import hashers
from storefront import in_threads
from storefront.api_postgresql.base import Connection
from tests.support.lanes import in_one_lane, on_loop

ASKS = """
import json
from storefront import settings
print(json.dumps([
    settings.DATABASES["default"]["ENGINE"], settings.PASSWORD_HASHERS, settings.AUTH_PASSWORD_VALIDATORS
]))
"""
IN_THREADS = "storefront.in_threads."


def settings_with(**variables):
    """The engine of a process, and how many of its hashers and validators leave the loop."""
    env = {
        **{
            name: value for name, value in os.environ.items() if name not in ("IS_WEB", "API_ASYNC")
        },
        "DATABASE_URL": "postgres://shop@127.0.0.1/shop",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        **variables,
    }
    said = subprocess.run(
        [sys.executable, "-c", ASKS], env=env, capture_output=True, text=True, check=True
    )
    engine, *rest = json.loads(said.stdout)
    return engine, json.dumps(rest).count(IN_THREADS)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"IS_WEB": "1"}, ("storefront.api_postgresql", 3)),
        ({"IS_WEB": "1", "API_ASYNC": "0"}, ("storefront.web_postgresql", 0)),
        ({"IS_WEB": "1", "REDIS_URL": ""}, ("storefront.web_postgresql", 0)),
        ({"IS_WEB": "1", "DATABASE_URL": "sqlite:///x"}, ("django.db.backends.sqlite3", 0)),
        ({}, ("django.db.backends.postgresql", 0)),
    ],
)
def test_only_the_web_is_native_and_one_variable_switches_it_off(variables, expected):
    assert settings_with(**variables) == expected


@pytest.fixture
def _of_the_api(monkeypatch, settings):
    monkeypatch.setitem(connections.settings["default"], "ENGINE", "storefront.api_postgresql")
    settings.PASSWORD_HASHERS = [f"{IN_THREADS}Argon2id", f"{IN_THREADS}PBKDF2PasswordHasher"]


@pytest.mark.usefixtures("_of_the_api")
def test_the_time_outs_of_the_web_hold_in_lanes():  # AVL-01
    def time_outs():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
            )
            return cursor.fetchone(), type(connection.connection), connection.is_usable()

    assert in_one_lane(time_outs) == (("2s", "10s"), Connection, True)


@pytest.mark.usefixtures("_of_the_api")
def test_a_server_that_falls_silent_is_hung_up_on(monkeypatch):  # AVL-01
    monkeypatch.setattr(Connection, "silent_seconds", 0.2)

    def sleep():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    async def main():
        with pytest.raises(Exception, match="timeout"):
            await asyncdb.run(sleep)
        return await asyncdb.run(lambda: "still here")

    assert on_loop(main) == "still here"


@pytest.mark.usefixtures("_of_the_api")
def test_hashes_are_made_in_threads_and_read_by_the_pages():
    made = in_one_lane(make_password, "correct horse battery")

    assert hashers.Argon2id().verify("correct horse battery", made)
    assert in_one_lane(check_password, "correct horse battery", made)
    assert not in_one_lane(check_password, "wrong", made)


def test_whoever_finds_no_thread_for_a_hash_is_told_that_there_is_a_crowd(settings):  # LIM-09
    settings.ASYNCDB = {"THREADS": 0, "THREAD_TIMEOUT": 0.05}

    with pytest.raises(hashers.HashersBusy):
        in_one_lane(in_threads.Argon2id().encode, "password", "saltsaltsalt")
    assert in_one_lane(in_threads.BreachedValidator().look_up, "https://breach.example/") is None
