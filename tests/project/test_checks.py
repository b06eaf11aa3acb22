"""What the site must not start with, and that it says why."""

import ast
import math
import os
import re
import runpy
import subprocess
import sys
from base64 import urlsafe_b64encode
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from accounts import conf
from ratelimits.rates import Rate, parse_rates
from storefront.checks import TAG, refuse_unsafe_start
from storefront.checks.values import BOUNDS, DAY, RATES

ROOT = Path(__file__).parents[2]

SOUND = {
    "PATH": os.environ["PATH"],
    "ENV_FILE": "",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "CODE_KEYS": bytes(range(2, 34)).hex(),
    "FINGERPRINT_KEYS": bytes(range(102, 134)).hex(),
    "TOKEN_KEYS": (
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUFFSU1RVVldYWVpbXF1eX2BhYmNkZWZn"
        "aGlqa2xtbm-hRANCAAS3nj19z6PxEYH0byR69WwGew71MlD8GOm-gsI-b4M_7okkcEFjeoZEL0WLeKXE"
        "OWC7rMw-sUyJ5a6a2vT3lFUw"
    ),
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
    "SECRET_KEY": "x",
    "ALLOWED_HOSTS": "*",
    "METRICS_TOKEN": "a",
    "REAUTH_WINDOW": "99999999",
    "FINGERPRINT_KEYS": "33" * 16,
    "TOKEN_KEYS": "no-key",
    "PROVIDER_NETWORKS": "the relay",
    "LOGIN_FAILURES": "1000/1m",
    "BOT_CHECK": "nothing.here",
    "DATABASE_URL": "sqlite://:memory:",
}
# What one variable cannot be together with what stands above.
UNSENT = {"EMAIL_URL": "consolemail://", "SITE_URL": "https://boss:secret@shop.example/shop"}
TOLD = {
    "no way for texts": "SMS_URL names no provider of texts",
    "keys that open nothing": "VAULT_KEYS holds something that is not a Fernet key",
    "a key that signs nothing": "TOKEN_KEYS holds something that is no key of P-256",
    "short codes": "CODE_LENGTH must be 6, 7 or 8",
    "long-lived codes": "CODE_TTL must be 600 seconds at most",
    "too many guesses": "Lower CODE_GUESSES_PER_ID",
    "a weak key": "CODE_KEYS needs random keys of 32 bytes or more",
    "short passwords": "PASSWORD_MIN_LENGTH must be 8 or more",
    "an unknown switch": "Set it to disclose or private",
    "the mailbox": "Leave MAILBOX out when DEBUG is off",
    "no shared cache": "Set REDIS_URL",
    "no mail": "Set EMAIL_URL",
    "no https": "SITE_URL must start with https://",
    "a plain secret": "SECRET_KEY, or one of SECRET_KEY_FALLBACKS, is too short or too simple",
    "any host": "ALLOWED_HOSTS lets anybody choose the host",
    "a guessable token": "METRICS_TOKEN needs 32 random characters or more",
    "a proof for years": "REAUTH_WINDOW must be between 60 and 3600",
    "weak keys of fingerprints": "FINGERPRINT_KEYS needs random keys of 32 bytes or more",
    "one key for two purposes": "CODE_KEYS and FINGERPRINT_KEYS hold the same key",
    "no network": "PROVIDER_NETWORKS holds the relay",
    "no limit": "LOGIN_FAILURES allows ",
    "a check that is none": "BOT_CHECK names no function",
    "rows of one connection": "DATABASE_URL names a database in memory",
}
TOLD_OF_UNSENT = ("EMAIL_URL names no mail server", "SITE_URL must be a scheme and a host")


def without(forgotten):
    """The variables of a sound site but one."""
    return {name: value for name, value in SOUND.items() if name != forgotten}


WORKER, BEAT = (["-m", "celery", "-A", "storefront", name] for name in ("worker", "beat"))
CHECK, DOOR, READ = (
    ["manage.py", "check"],
    ["-c", "import storefront.wsgi"],
    ["-c", "import storefront.settings"],
)
STARTS = {
    "sound": (DOOR, SOUND),
    "unsafe": (CHECK, SOUND | UNSAFE),
    "unsent": (CHECK, SOUND | UNSENT),
    "worker": (WORKER, SOUND | UNSAFE),
    "beat": (BEAT, SOUND | UNSAFE),
    "no FINGERPRINT_KEYS": (READ, without("FINGERPRINT_KEYS")),
    "no CODE_KEYS": (READ, without("CODE_KEYS")),
    "no SECRET_KEY": (READ, without("SECRET_KEY")),
}


FROM_EXAMPLE = """
import storefront, django
from django.conf import settings
django.setup()
from storefront.checks import refuse_unsafe_start
refuse_unsafe_start()
print(settings.CELERY_BROKER_URL, settings.CELERY_TASK_ALWAYS_EAGER, sep="\\n")
"""


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


def test_a_site_starts_from_the_example_with_keys_of_its_own(started, tmp_path):  # promise 1.25
    filled = {name: SOUND[name] for name in SOUND if name.endswith(("_KEY", "_KEYS"))}
    settings_file = tmp_path / "production.env"
    example = (ROOT / ".env.example").read_text()
    for name, value in filled.items():
        example = example.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    settings_file.write_text(example)

    done = subprocess.run(
        [sys.executable, "-c", FROM_EXAMPLE],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENV_FILE": str(settings_file)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    # The broker is the Redis of the example, and nothing is sent inside of a request.
    assert done.stdout.splitlines() == ["redis://host:6379/0", "False"]
    assert "Invalid line" not in done.stderr


@pytest.mark.parametrize("why", TOLD.values(), ids=TOLD)
def test_an_unsafe_site_does_not_start_and_says_why(
    started, why
):  # COD-01, COD-04, COD-07, LIM-07, PWD-01
    code, said = started["unsafe"]

    assert code != 0
    assert why in said


@pytest.mark.parametrize("why", TOLD_OF_UNSENT)
def test_a_site_that_reaches_nobody_does_not_start(started, why):
    code, said = started["unsent"]

    assert code != 0
    assert why in said
    assert "secret" not in said


@pytest.mark.parametrize("process", ["worker", "beat"])
@pytest.mark.parametrize("why", TOLD.values(), ids=TOLD)
def test_nor_do_its_worker_and_its_clock(started, process, why):  # COD-03, ADM-07
    code, said = started[process]

    assert code != 0
    assert why in said


@pytest.mark.parametrize("name", ["CODE_KEYS", "FINGERPRINT_KEYS", "SECRET_KEY"])
def test_a_forgotten_secret_stops_the_site(started, name):  # COD-03
    code, said = started[f"no {name}"]

    assert code != 0
    assert f"Set the {name} environment variable" in said


@pytest.mark.parametrize("door", ["storefront.wsgi", "storefront.asgi"])
def test_no_door_opens_on_an_unsafe_site(monkeypatch, door):  # COD-01
    monkeypatch.setattr(conf, "CODE_LENGTH", 4)

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
        ("CODE_TTL", conf.CODE_TTL + conf.CODE_TTL / 600, ["E002"]),
        ("CODE_GUESSES_PER_ID", parse_rates("56/d"), ["E003"]),
        ("CODE_GUESSES_PER_ID", parse_rates("5/h"), ["E003"]),
        ("PASSWORD_MIN_LENGTH", 7, ["E005"]),
        ("REGISTRATION_DUPLICATE_POLICY", "Disclose", ["E006"]),
    ],
    ids=str,
)
def test_one_weak_number_is_named_and_stops_the_site(
    monkeypatch, name, value, numbers
):  # COD-01, COD-04, COD-07
    monkeypatch.setattr(conf, name, value)

    assert found() == numbers
    with pytest.raises(ImproperlyConfigured, match="|".join(numbers)):
        refuse_unsafe_start()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CODE_LENGTH", 8),
        ("CODE_TTL", conf.CODE_TTL / 10),
        ("CODE_GUESSES_PER_ID", parse_rates("55/d")),
        ("PASSWORD_MIN_LENGTH", 8),
        ("REGISTRATION_DUPLICATE_POLICY", "private"),
    ],
    ids=str,
)
def test_what_is_just_strong_enough_passes(monkeypatch, name, value):
    monkeypatch.setattr(conf, name, value)

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
    monkeypatch.setattr(conf, "CODE_LENGTH", 4)
    monkeypatch.setattr(conf, "ALLOW_WEAK_CODES", True)
    settings.DEBUG = debug

    assert found() == ["E001", "E003"]
    assert any(problem.is_serious() for problem in checks.run_checks(tags=[TAG])) is stops


# Numbers that undo a promise


def say(monkeypatch, settings, name, number):
    """Set a number as the environment would."""
    home = conf if hasattr(conf, name) else settings
    is_span = isinstance(getattr(home, name), timedelta)
    value = timedelta(seconds=number) if is_span else number
    monkeypatch.setattr(home, name, value) if home is conf else setattr(home, name, value)


# What is kept for how long must be in order, too: the ends of one are past the others.
IN_ORDER = {"E021"}
ENDS = [(name, end, way) for name in BOUNDS for end, way in zip(BOUNDS[name], (-1, 1), strict=True)]


@pytest.mark.parametrize(
    ("name", "end", "way"),
    [(name, end, way) for name, end, way in ENDS if math.isfinite(end)],
    ids=str,
)
def test_a_number_at_its_end_passes_and_one_past_it_stops_the_site(
    monkeypatch, settings, name, end, way
):  # REC-08, SES-07, LOG-06, IDN-09
    say(monkeypatch, settings, name, end)
    assert set(found()) <= IN_ORDER

    say(monkeypatch, settings, name, end + way)

    assert [each for each in found() if each not in IN_ORDER] == ["E019"]
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be"):
        refuse_unsafe_start()


@pytest.mark.parametrize("name", RATES)
def test_a_rate_at_its_end_passes_and_one_past_it_stops_the_site(monkeypatch, name):  # LIM-01
    daily = RATES[name]
    single = isinstance(getattr(conf, name), Rate)

    def allow(times):
        rate = Rate(times, DAY)
        # Of several rates the tightest is the one that holds.
        monkeypatch.setattr(conf, name, rate if single else (Rate(times, 1), rate))

    allow(daily)
    assert found() == []
    allow(daily + 1)
    assert found() == ["E020"]


@pytest.mark.parametrize("name", [name for name, (least, _most) in BOUNDS.items() if least > 0])
@pytest.mark.parametrize("number", [0, -1])
def test_nothing_lasts_no_time_or_less(monkeypatch, settings, name, number):
    say(monkeypatch, settings, name, number)

    assert "E019" in found()


def test_every_span_and_every_rate_has_its_bounds():
    spans = {name for name, value in vars(conf).items() if isinstance(value, timedelta)}
    rated = {
        name
        for name, value in vars(conf).items()
        if isinstance(value, Rate) or (isinstance(value, tuple) and value and name.isupper())
    }
    # What texts cost, and when staff are alerted, is the shop's own affair; guesses at codes are E003's.
    free = {name for name in rated if name.startswith(("SMS_", "ALERT_"))}

    assert spans <= set(BOUNDS)
    assert rated - free - {"CODE_GUESSES_PER_ID"} == set(RATES)


@pytest.mark.parametrize("name", [name for name in BOUNDS if name != "CODE_TTL"])
def test_while_developing_any_number_will_do(monkeypatch, settings, name):
    settings.DEBUG = True
    say(monkeypatch, settings, name, BOUNDS[name][1] + 1)

    assert found() == []


# Keys, hosts, tokens, networks

KEY = bytes(range(32))


def put(monkeypatch, settings, name, value):
    """Set what the environment may set, wherever it is kept."""
    if hasattr(conf, name):
        monkeypatch.setattr(conf, name, value)
    else:
        setattr(settings, name, value)


def _vault_key(key):
    return urlsafe_b64encode(key).decode()


def _token_key(key, curve=None):
    private = ec.derive_private_key(int.from_bytes(key), curve or ec.SECP256R1())
    how = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return urlsafe_b64encode(private.private_bytes(*how)).decode()


TOKEN_KEY = _token_key(KEY)
GOOD = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
CASES = {
    "a short secret": ({"SECRET_KEY": GOOD[:49]}, "E015"),
    "a plain secret": ({"SECRET_KEY": "abcd" * 20}, "E015"),
    "Django's own": ({"SECRET_KEY": f"django-insecure-{GOOD}"}, "E015"),
    "an older one that is short": ({"SECRET_KEY_FALLBACKS": [GOOD, GOOD[:49]]}, "E015"),
    "any host": ({"ALLOWED_HOSTS": ["shop.example", "*"]}, "E016"),
    "all of .com": ({"ALLOWED_HOSTS": [".com"]}, "E016"),
    "all with a dot": ({"ALLOWED_HOSTS": ["."]}, "E016"),
    "a short token": ({"METRICS_TOKEN": GOOD[:31]}, "E017"),
    "a plain token": ({"METRICS_TOKEN": "a" * 32}, "E017"),
    "no keys of fingerprints": ({"FINGERPRINT_KEYS": []}, "E013"),
    "a short one": ({"FINGERPRINT_KEYS": [KEY, KEY[:31]]}, "E013"),
    "a plain one": ({"FINGERPRINT_KEYS": [bytes(32)]}, "E013"),
    "a word again and again": ({"SECRET_KEY": ("changeme-" * 9)[:50]}, "E015"),
    "five letters again and again": ({"SECRET_KEY": "abcde" * 10}, "E015"),
    "a token said twice": ({"METRICS_TOKEN": GOOD[:16] * 2}, "E017"),
    "and with a sign between": ({"METRICS_TOKEN": f"{GOOD[:16]}-{GOOD[:16]}"}, "E017"),
    "a key said twice": ({"FINGERPRINT_KEYS": [KEY[:16] * 2]}, "E013"),
    "one byte again and again": ({"CODE_KEYS": [b"7" * 64]}, "E004"),
    "credentials under zeros": ({"VAULT_KEYS": [_vault_key(bytes(32))]}, "E033"),
    "credentials under a pattern": ({"VAULT_KEYS": [_vault_key(KEY[:8] * 4)]}, "E033"),
    "a plain key of codes": ({"CODE_KEYS": [b"abcd" * 8]}, "E004"),
    "codes and fingerprints": ({"CODE_KEYS": [KEY], "FINGERPRINT_KEYS": [KEY]}, "E014"),
    "codes and the secret": ({"CODE_KEYS": [GOOD.encode()], "SECRET_KEY": GOOD}, "E014"),
    "the secret in hex": ({"CODE_KEYS": [KEY], "SECRET_KEY": KEY.hex()}, "E014"),
    "codes and an older secret": (
        {"CODE_KEYS": [GOOD.encode()], "SECRET_KEY_FALLBACKS": [GOOD]},
        "E014",
    ),
    "credentials and fingerprints": (
        {"VAULT_KEYS": [_vault_key(KEY)], "FINGERPRINT_KEYS": [KEY]},
        "E014",
    ),
    "no keys of tokens": ({"TOKEN_KEYS": []}, "E037"),
    "one that is none": ({"TOKEN_KEYS": [TOKEN_KEY, "MIGH"]}, "E038"),
    "one in other letters": ({"TOKEN_KEYS": [f"\u00e9{TOKEN_KEY}"]}, "E038"),
    "one of another curve": ({"TOKEN_KEYS": [_token_key(KEY, ec.SECP256K1())]}, "E038"),
    "the smallest of all": ({"TOKEN_KEYS": [_token_key(bytes([0] * 31 + [1]))]}, "E039"),
    "tokens and codes": ({"TOKEN_KEYS": [TOKEN_KEY], "CODE_KEYS": [KEY]}, "E014"),
    "no network": ({"PROVIDER_NETWORKS": ["relay.example"]}, "E018"),
    "an address in a network": ({"PROVIDER_NETWORKS": ["10.1.2.3/24"]}, "E018"),
    "the whole world": ({"PROVIDER_NETWORKS": ["0.0.0.0/0"]}, "E018"),
    "half of it": ({"PROVIDER_NETWORKS": ["10.0.0.0/7"]}, "E018"),
    "where clouds keep credentials": ({"PROVIDER_NETWORKS": ["169.254.169.254"]}, "E018"),
    "the same in IPv6": ({"PROVIDER_NETWORKS": ["fe80::/64"]}, "E018"),
    "mail that is printed": ({"EMAIL_URL": "consolemail://"}, "E030"),
    "mail that is forgotten": ({"EMAIL_URL": "dummymail://"}, "E030"),
    "mail in a file": ({"EMAIL_URL": "filemail:///tmp"}, "E030"),
    "mail in memory": ({"EMAIL_URL": "memorymail://"}, "E030"),
    "mail to no host": ({"EMAIL_URL": "smtp://"}, "E030"),
    "an app in the clear": ({"FRONTEND_URL": "http://app.example"}, "E040"),
    "an app with a path": ({"FRONTEND_URL": "https://app.example/x"}, "E040"),
    "a path": ({"SITE_URL": "https://shop.example/shop"}, "E031"),
    "a query": ({"SITE_URL": "https://shop.example?a=b"}, "E031"),
    "a fragment": ({"SITE_URL": "https://shop.example#a"}, "E031"),
    "a name and a password": ({"SITE_URL": "https://me:secret@shop.example"}, "E031"),
    "only a name": ({"SITE_URL": "https://shop.example@evil.example"}, "E031"),
    "a second line": ({"SITE_URL": "https://shop.example\n"}, "E031"),
    "no host": ({"SITE_URL": "https://:443"}, "E031"),
    "no such function": ({"BOT_CHECK": "accounts.honeypot.nothing"}, "E034"),
    "no such module": ({"BOT_CHECK": "nothing.here"}, "E034"),
    "no module at all": ({"BOT_CHECK": "trap"}, "E034"),
    "no function": ({"BOT_CHECK": "accounts.conf.BOT_CHECK"}, "E034"),
}
NETWORKS_PAST_THE_END = [
    *("8.8.8.0/23", "0.0.0.0/1", "11.0.0.0/8", "2606:4700::/47", "2000::/3"),
    *("100.64.0.0/10", "100.100.0.0/16", "100.100.100.200", "100.100.100.192/28"),
    *("fd00:ec2::254", "fd00::/8", "fd00:ec2::/32", "fd20:ce::/64", "168.63.129.0/24"),
    *("169.254.170.2", "fc00::/7", "192.0.0.0/7"),
]
NETWORKS_AT_THE_END = [
    *("8.8.8.0/24", "2606:4700::/48", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    *("100.64.0.0/11", "100.100.100.201", "fd01::/16", "fd00:ec2::255", "fc00::/8", "127.0.0.0/8"),
    "::1",
]
PASSES = {
    "SECRET_KEY": GOOD[:50],
    "SECRET_KEY_FALLBACKS": [GOOD],
    "ALLOWED_HOSTS": ["shop.example", ".shop.example", "10.0.0.7"],
    # One sign more between the halves than a token that only repeats itself.
    "METRICS_TOKEN": f"{GOOD[:16]}-+{GOOD[:16]}",
    "FINGERPRINT_KEYS": [KEY, KEY[::-1]],
    "VAULT_KEYS": [_vault_key(KEY)],
    "TOKEN_KEYS": [TOKEN_KEY, _token_key(KEY[::-1])],
    "EMAIL_URL": "smtp+tls://user:password@host:587",
    "SITE_URL": "https://shop.example:8443",
    "BOT_CHECK": "accounts.honeypot.trap",
    "PROVIDER_NETWORKS": NETWORKS_AT_THE_END,
}


@pytest.mark.parametrize(("values", "number"), CASES.values(), ids=CASES)
def test_what_others_may_guess_or_choose_stops_the_site(
    monkeypatch, settings, values, number
):  # COD-03, KEY-01, ADM-07
    for name, value in values.items():
        put(monkeypatch, settings, name, value)

    assert found() == [number]


@pytest.mark.parametrize(("name", "value"), PASSES.items(), ids=PASSES)
def test_what_is_just_good_enough_passes(monkeypatch, settings, name, value):
    put(monkeypatch, settings, name, value)

    assert found() == []


@pytest.mark.parametrize("network", NETWORKS_PAST_THE_END)
def test_no_network_of_others_is_called_in_the_clear(settings, network):  # ADM-07
    settings.PROVIDER_NETWORKS = [network]

    assert found() == ["E018"]


@pytest.mark.parametrize("url", ["smtp", "smtps", "smtp+tls", "smtp+ssl"])
def test_every_kind_of_mail_server_will_do(settings, url):
    settings.EMAIL_URL = f"{url}://host"

    assert found() == []


@pytest.mark.parametrize("name", [":memory:", "file:memorydb?mode=memory&cache=shared"])
def test_rows_in_memory_are_those_of_one_process(settings, name):
    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}}

    assert found() == ["E032"]


def test_while_developing_mail_may_be_printed_and_rows_forgotten(settings):
    settings.DEBUG = True
    settings.EMAIL_URL = "consolemail://"
    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}

    assert found() == []


def test_every_fault_has_a_number_of_its_own():
    numbers = [
        node.value.removeprefix("storefront.")
        for path in (ROOT / "storefront" / "checks").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and re.fullmatch(r"(storefront\.)?[EW]\d+", str(node.value))
    ]

    assert len(numbers) > 20
    assert sorted(numbers) == sorted(set(numbers))


def test_all_checks_of_ours_stand_in_one_folder():
    ours = [check for check in checks.registry.registry.registered_checks if TAG in check.tags]

    assert {check.__module__.rpartition(".")[0] for check in ours} == {"storefront.checks"}
