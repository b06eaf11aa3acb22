"""What the site must not start with, and that it says why."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from accounts import policy
from accounts.policy import rates
from storefront.checks import TAG, refuse_unsafe_start

ROOT = Path(__file__).parent.parent

SOUND = {
    "PATH": os.environ["PATH"],
    "ENV_FILE": "",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "CODE_KEYS": "22" * 32,
    "FINGERPRINT_KEYS": "66" * 32,
    "SITE_URL": "https://shop.example",
    "ALLOWED_HOSTS": "shop.example",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "EMAIL_URL": "smtp://127.0.0.1:2525",
    "DATABASE_URL": "sqlite:////nowhere/db.sqlite3",
}
UNSAFE = {
    "SMS_URL": "pigeon://",
    "VAULT_KEYS": "no-key",
    "CODE_LENGTH": "4",
    "CODE_TTL": "601",
    "CODE_KEYS": "33" * 16,
    "PASSWORD_MIN_LENGTH": "7",
    "REGISTRATION_DUPLICATE_POLICY": "shout",
    "MAILBOX": "1",
    "REDIS_URL": "",
    "EMAIL_URL": "",
    "SITE_URL": "http://shop.example",
    "ALLOW_WEAK_CODES": "1",
}
TOLD = {
    "no way for texts": "SMS_URL names no provider of texts",
    "keys that open nothing": "VAULT_KEYS holds something that is no Fernet key",
    "short codes": "CODE_LENGTH must be 6, 7 or 8",
    "long-lived codes": "CODE_TTL must be 600 seconds at most",
    "too many guesses": "Lower CODE_GUESSES_PER_ID",
    "a weak key": "CODE_KEYS needs keys of 32 bytes or more",
    "short passwords": "PASSWORD_MIN_LENGTH must be 8 or more",
    "an unknown switch": "Set it to disclose or private",
    "the mailbox": "Leave MAILBOX out when DEBUG is off",
    "no shared cache": "Set REDIS_URL",
    "no mail": "Set EMAIL_URL",
    "no https": "SITE_URL must start with https://",
}
CHECK, DOOR, READ = (
    ["manage.py", "check"],
    ["-c", "import storefront.wsgi"],
    ["-c", "import storefront.settings"],
)
STARTS = {
    "sound": (DOOR, SOUND),
    "unsafe": (CHECK, SOUND | UNSAFE),
    "no CODE_KEYS": (READ, {name: SOUND[name] for name in SOUND if name != "CODE_KEYS"}),
    "no SECRET_KEY": (READ, {name: SOUND[name] for name in SOUND if name != "SECRET_KEY"}),
}


@pytest.fixture(scope="module")
def started():
    """How each process fared: its exit code, and what it said. They start together, to save time."""
    running = {
        name: subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, (command, env) in STARTS.items()
    }
    said = {name: process.communicate(timeout=60)[0] for name, process in running.items()}
    return {name: (running[name].returncode, said[name]) for name in STARTS}


def found():
    """The numbers of everything our checks find here."""
    return sorted(problem.id.partition(".")[2] for problem in checks.run_checks(tags=[TAG]))


# A process of its own, with DEBUG off because nobody says otherwise


def test_a_sound_site_starts(started):
    code, said = started["sound"]

    assert code == 0, said


@pytest.mark.parametrize("why", TOLD.values(), ids=TOLD)
def test_an_unsafe_site_does_not_start_and_says_why(
    started, why
):  # COD-01, COD-04, COD-07, LIM-07, PWD-01
    code, said = started["unsafe"]

    assert code != 0
    assert why in said


@pytest.mark.parametrize("name", ["CODE_KEYS", "SECRET_KEY"])
def test_a_forgotten_secret_stops_the_site(started, name):  # COD-03
    code, said = started[f"no {name}"]

    assert code != 0
    assert f"Set the {name} environment variable" in said


@pytest.mark.parametrize("door", ["storefront.wsgi", "storefront.asgi"])
def test_no_door_opens_on_an_unsafe_site(monkeypatch, door):  # COD-01
    monkeypatch.setattr(policy, "CODE_LENGTH", 4)

    with pytest.raises(ImproperlyConfigured, match="CODE_LENGTH must be 6, 7 or 8"):
        runpy.run_module(door)


# One fault at a time


def test_the_numbers_as_shipped_are_safe(db):
    assert found() == []
    refuse_unsafe_start()


@pytest.mark.parametrize(
    ("name", "value", "numbers"),
    [
        ("CODE_LENGTH", 5, ["E001", "E003"]),
        ("CODE_LENGTH", 9, ["E001"]),
        ("CODE_TTL", policy.CODE_TTL + policy.CODE_TTL / 600, ["E002"]),
        ("CODE_GUESSES_PER_ID", rates("101/d"), ["E003"]),
        ("CODE_GUESSES_PER_ID", rates("5/h"), ["E003"]),
        ("PASSWORD_MIN_LENGTH", 7, ["E005"]),
        ("REGISTRATION_DUPLICATE_POLICY", "Disclose", ["E006"]),
    ],
    ids=str,
)
def test_one_weak_number_is_named_and_stops_the_site(
    monkeypatch, name, value, numbers
):  # COD-01, COD-04, COD-07
    monkeypatch.setattr(policy, name, value)

    assert found() == numbers
    with pytest.raises(ImproperlyConfigured, match="|".join(numbers)):
        refuse_unsafe_start()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CODE_LENGTH", 8),
        ("CODE_TTL", policy.CODE_TTL / 10),
        ("CODE_GUESSES_PER_ID", rates("100/d")),
        ("PASSWORD_MIN_LENGTH", 8),
        ("REGISTRATION_DUPLICATE_POLICY", "private"),
    ],
    ids=str,
)
def test_what_is_just_strong_enough_passes(monkeypatch, name, value):
    monkeypatch.setattr(policy, name, value)

    assert found() == []


@pytest.mark.parametrize(
    "keys", [[], [bytes(31)], [bytes(32), b""]], ids=["none", "short", "a short one behind"]
)
def test_code_keys_are_long_and_there_is_one(settings, keys):  # COD-03
    settings.CODE_KEYS = keys

    assert found() == ["E004"]


@pytest.mark.parametrize(
    ("debug", "stops"), [(True, False), (False, True)], ids=["development", "production"]
)
def test_weak_codes_are_for_demonstrations_only(monkeypatch, settings, debug, stops):  # COD-01
    monkeypatch.setattr(policy, "CODE_LENGTH", 4)
    monkeypatch.setattr(policy, "ALLOW_WEAK_CODES", True)
    settings.DEBUG = debug

    assert found() == ["E001", "E003"]
    assert any(problem.is_serious() for problem in checks.run_checks(tags=[TAG])) is stops
