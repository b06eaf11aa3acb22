"""What is known of somebody is still known after a new key: locks stand, and the look-up finds what was before."""

import html
import re
import shutil
import subprocess
import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import conf, limits
from accounts.errors import TooOften
from accounts.flows import deletion, devices, passwords
from accounts.identifiers import fingerprint, fingerprints
from accounts.models import SecurityEvent, User
from accounts.sessions.client import ClientInfo
from ratelimits.engine import STAMP, Limit, buckets, consume
from ratelimits.models import Bucket
from ratelimits.rates import Rate
from storefront import BASE_DIR
from tests.support.people import PASSWORD, Shopper, make_shopper, time_passes
from tests.support.staff import let_in_staff, make_staff

pytestmark = pytest.mark.database

OLD, NEW = bytes([7]) * 32, bytes([8]) * 32
ANA = "ana@example.com"
# What each process is told, one step after the other.
STEPS = {
    "before": [OLD],
    "the new one is known": [OLD, NEW],
    "the new one writes": [NEW, OLD],
}
LIMIT = Limit("of a test", "somebody", Rate(5, 1800))


@pytest.fixture(autouse=True)
def _before(settings):
    settings.FINGERPRINT_KEYS = [OLD]


def guesses(times=conf.LOGIN_FAILURES.times, ip="198.51.100.66"):
    """A stranger tries passwords."""
    attacker = Shopper(ip=ip)
    for number in range(times):
        attacker.post("/login/", identifier=ANA, password=f"wrong {number}")


def comes_in(password=PASSWORD):
    """Whether the password opens the account in a browser that was never here."""
    browser = Shopper(ip="192.0.2.9")
    browser.post("/login/", identifier=ANA, password=password)
    return browser.is_signed_in


def found_by_staff(client, who):
    """What happened around an address, as the list of events has it."""
    found = client.post("/admin/lookup/", {"who": who}).content.decode()
    events = re.search(r'href="(/admin/accounts/securityevent/\?q=[^"]+)"', found)[1]
    page = client.get(html.unescape(events)).content.decode()
    return set(re.findall(r'class="field-what">(?:<a[^>]*>)?([^<]+)', page))


# A new SECRET_KEY


def test_a_locked_account_stays_locked_after_a_new_secret_key(ana, settings):  # KEY-01, LIM-01
    make_shopper(ana, ANA)
    guesses()
    assert not comes_in()

    settings.SECRET_KEY = "another one, which nothing here was made with: 9876543210abcdef"

    assert not comes_in()


def test_staff_find_what_was_before_a_new_secret_key(client, ana, settings):  # KEY-01, ADM-02
    ana.signs_up(ANA)
    settings.SECRET_KEY = "another one, which nothing here was made with: 9876543210abcdef"
    make_staff()
    let_in_staff(client)

    assert "The account was created" in found_by_staff(client, ANA)


# FINGERPRINT_KEYS in two steps


def test_a_locked_account_stays_locked_through_both_steps(ana, settings):  # KEY-01, LIM-01
    ana.signs_up(ANA)
    guesses()

    for keys in [*STEPS.values(), [NEW]]:
        settings.FINGERPRINT_KEYS = keys
        assert not comes_in(), keys


def test_processes_of_both_steps_count_one_lock_together(ana, settings):  # KEY-01, LIM-01
    make_shopper(ana, ANA)
    for number in range(conf.LOGIN_FAILURES.times):
        settings.FINGERPRINT_KEYS = [[OLD, NEW], [NEW, OLD]][number % 2]
        guesses(1, ip=f"198.51.100.{number}")

    for keys in ([OLD, NEW], [NEW, OLD]):
        settings.FINGERPRINT_KEYS = keys
        assert not comes_in()
    time_passes(seconds=conf.LOGIN_FAILURES.seconds + 1)
    assert comes_in()


@pytest.mark.parametrize("keys", STEPS.values(), ids=STEPS)
def test_whoever_lifts_a_lock_lifts_it_under_every_key(ana, settings, keys):  # KEY-01, LIM-03
    make_shopper(ana, ANA)
    guesses()
    settings.FINGERPRINT_KEYS = keys

    passwords.unlock(User.objects.get())

    assert comes_in()


def test_until_when_a_limit_is_full_is_known_under_every_key(db, settings):  # KEY-01
    for _number in range(5):
        limits.enforce(LIMIT)
    settings.FINGERPRINT_KEYS = [NEW, OLD]

    full = Limit(LIMIT.name, LIMIT.subject, LIMIT.rate)

    assert buckets([full])[full].hits
    with pytest.raises(TooOften):
        limits.enforce(full)


def test_the_bucket_under_the_first_key_is_the_one_that_counts(db, settings):  # KEY-01
    for _number in range(5):
        limits.enforce(LIMIT)
    settings.FINGERPRINT_KEYS = [NEW]
    limits.enforce(Limit(LIMIT.name, LIMIT.subject, LIMIT.rate))

    settings.FINGERPRINT_KEYS = [NEW, OLD]
    both = Limit(LIMIT.name, LIMIT.subject, LIMIT.rate)
    limits.enforce(both)

    assert buckets([both])[both].key == both.key
    assert len(buckets([both])[both].hits) == 2 * STAMP
    assert Bucket.objects.count() == 2


def test_three_keys_are_followed_too(db, settings):  # KEY-01
    for _number in range(5):
        limits.enforce(LIMIT)
    settings.FINGERPRINT_KEYS = [NEW, bytes([9]) * 32, OLD]

    with pytest.raises(TooOften):
        limits.enforce(Limit(LIMIT.name, LIMIT.subject, LIMIT.rate))

    assert Bucket.objects.get().key == Limit(LIMIT.name, LIMIT.subject, LIMIT.rate).key


def test_with_one_key_a_limit_is_one_statement_as_before(db, settings):
    def statements():
        with CaptureQueriesContext(connection) as asked:
            consume(Limit(LIMIT.name, LIMIT.subject, LIMIT.rate))
        return [query["sql"].split()[0] for query in asked]

    assert statements() == ["INSERT"]
    settings.FINGERPRINT_KEYS = [NEW, OLD]
    assert statements().count("UPDATE") == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_come_through_while_the_bucket_moves(settings):  # KEY-01, LIM-02
    for _number in range(4):
        limits.enforce(LIMIT)
    settings.FINGERPRINT_KEYS = [NEW, OLD]
    start, let_in = threading.Barrier(12), []

    def try_it():
        start.wait()
        try:
            limits.enforce(Limit(LIMIT.name, LIMIT.subject, LIMIT.rate))
            let_in.append(1)
        except TooOften:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=try_it) for _number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(let_in) == 1
    assert Bucket.objects.count() == 1


def test_events_are_found_under_every_key(client, ana, settings):  # KEY-01, ADM-02
    ana.signs_up(ANA)
    settings.FINGERPRINT_KEYS = [NEW, OLD]
    guesses(1)
    make_staff()
    let_in_staff(client)

    found = found_by_staff(client, ANA)

    assert {"The account was created", "A wrong password was typed"} <= found
    assert SecurityEvent.objects.filter(fingerprint__in=fingerprints(ANA)).count() >= 2


def test_erasure_finds_what_was_written_under_an_older_key(db, settings, postbox):  # KEY-01, LOG-07
    Shopper(ip="203.0.113.77").post("/login/", identifier=ANA, password="somebody who guesses")
    settings.FINGERPRINT_KEYS = [NEW, OLD]
    make_shopper(Shopper(), ANA)
    User.objects.update(deletion_due_at="2020-01-01T00:00Z")

    assert deletion.erase_due() == 1
    assert not SecurityEvent.objects.filter(ip="203.0.113.77").exists()


def test_a_device_is_ended_from_a_page_that_was_opened_before_the_new_key(ana, settings):  # KEY-01
    make_shopper(ana, ANA)
    other = Shopper(ip="192.0.2.10")
    other.post("/login/", identifier=ANA, password=PASSWORD)
    session = User.objects.get().sessions.exclude(ip="203.0.113.7").get()
    name = session.name
    settings.FINGERPRINT_KEYS = [NEW, OLD]

    assert devices.end_session(User.objects.get(), name, client=ClientInfo())
    assert not other.is_signed_in


def test_the_keys_are_apart(settings):
    assert fingerprints(ANA) == [fingerprint(ANA)]
    settings.FINGERPRINT_KEYS = [NEW, OLD]
    new, old = fingerprints(ANA)
    settings.FINGERPRINT_KEYS = [OLD]

    assert new != old == fingerprint(ANA)


# A developer who pulls, and starts


@pytest.mark.parametrize(
    ("before", "added"),
    [
        (
            "DEBUG=1\nSECRET_KEY=mine\nCODE_KEYS=ab",
            {"FINGERPRINT_KEYS", "VAULT_KEYS", "TOKEN_KEYS"},
        ),
        (
            "DEBUG=1\nFINGERPRINT_KEYS=ab\nSECRET_KEY=mine\nCODE_KEYS=ab\nVAULT_KEYS=\nTOKEN_KEYS=\n",
            set(),
        ),
        # The keys of a production are shared by all of its machines: none is made up on one.
        ("DEBUG=0\nSECRET_KEY=mine\nCODE_KEYS=ab\n", set()),
    ],
    ids=["an older .env", "one that is whole", "one of a production"],
)
def test_an_env_file_that_stands_gets_the_keys_that_are_new_since(tmp_path, before, added):
    (tmp_path / "script").mkdir()
    shutil.copy(BASE_DIR / "script" / "venv.sh", tmp_path / "script")
    (tmp_path / ".venv").symlink_to((BASE_DIR / ".venv").resolve())
    file = tmp_path / ".env"
    file.write_text(before)

    for _start in range(2):
        told = subprocess.run(
            ["bash", "-c", f". {tmp_path}/script/venv.sh && unset ENV_FILE && ensure_env"],
            check=True,
            capture_output=True,
            text=True,
        )

    kept = file.read_text()
    names = [line.partition("=")[0] for line in kept.splitlines()]
    assert kept.startswith(before)
    assert set(names) - {line.partition("=")[0] for line in before.splitlines()} == added
    assert len(names) == len(set(names))
    assert told.stderr == ""
