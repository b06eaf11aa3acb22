"""One address, one network, one account: however often it is refused, it adds few rows and costs no hash."""

from datetime import timedelta

import phonenumbers
import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db.models import F, Sum
from django.utils.timezone import now

from accounts import conf, limits, refusals, retention
from accounts.identifiers import parse
from accounts.models import Challenge, Pool, RefusalCount, SecurityEvent, Session, SmsCountry, User
from accounts.sessions.client import ClientInfo
from backoffice.dashboard import rollups
from backoffice.models import Measure, SignupRollup
from backoffice.tasks import alert_on_bursts
from messaging.models import Alert, OutboxMessage
from ratelimits.engine import STAMP, Limit, buckets, consume, peek, refund, reset
from ratelimits.models import Bucket
from ratelimits.rates import Rate, parse_rates
from tests.support.account import DEVICES, OTHERS_OUT, joins, signs_in
from tests.support.people import (
    COMPLETE,
    LOGIN,
    PASSWORD,
    REGISTER,
    VERIFY,
    Postbox,
    Shopper,
    time_passes,
)
from tests.support.races import at_once
from tests.support.staff import knock, make_staff

pytestmark = pytest.mark.database

GROWING = (
    *(Alert, Bucket, Challenge, OutboxMessage, RefusalCount, SecurityEvent, Session, SmsCountry),
)
HERE = ClientInfo(ip="203.0.113.7")
DOWNLOAD, CONFIRM, NAMES = "/account/download/", "/account/confirm/", "/account/names/"
CHANGE_PASSWORD = "/account/password/"
LOGIN_CODE, RESET = "/login/code/", "/password-reset/"
LANDLINE = "+442079460958"
MANY = 60


class Hasher(MD5PasswordHasher):
    """Counts what it computes."""

    computed = 0

    def encode(self, password, salt):
        """Compute one."""
        Hasher.computed += 1
        return super().encode(password, salt)


@pytest.fixture
def hashes(settings):
    """How many hashes were computed since the last time somebody asked."""
    settings.PASSWORD_HASHERS = ["tests.accounts.test_rows.Hasher"]

    def lately():
        computed, Hasher.computed = Hasher.computed, 0
        return computed

    lately()
    return lately


def rows():
    """How many rows there are in all tables that a request can make grow."""
    return sum(model.objects.count() for model in GROWING)


def kinds(kind):
    """How many events of this kind were written."""
    return SecurityEvent.objects.filter(kind=kind).count()


def counted(kind):
    """How many refusals of this kind were counted."""
    return RefusalCount.objects.filter(kind=kind).aggregate(all=Sum("count"))["all"] or 0


def british(number):
    """One of many mobile numbers, no two of which stand next to each other."""
    return f"+4474{number:03d}00456"


def landlines():
    """A landline of each country that can tell them from mobile numbers."""
    line = phonenumbers.PhoneNumberType.FIXED_LINE
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(region, line)
        if number and phonenumbers.number_type(number) == line:
            yield phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


# Refusals of strangers


def test_an_attacker_with_every_landline_of_the_world_adds_few_rows(db):  # IDN-05, LOG-01
    eve = Shopper("json")

    answers = [eve.identify(number).status_code for number in landlines()]

    assert answers[:30] == [400] * 30
    assert set(answers[30:]) == {429}
    assert kinds("number_refused") == kinds("limit_hit") == 1
    assert (counted("number_refused"), counted("limit_hit")) == (30, len(answers) - 30)
    # Thirty of the counters are the thirty countries; nothing more comes however long it goes on.
    before = rows()
    for number in landlines():
        eve.identify(number)
    assert rows() <= before + 3


def test_an_owner_who_mistypes_is_told_so_and_goes_on(ana):  # IDN-05
    assert "landline" in ana.identify(LANDLINE).content.decode()

    assert ana.identify(british(1)).to == VERIFY


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("door", "allowed"), [(REGISTER, 20), (LOGIN_CODE, 30), (RESET, 30)], ids=lambda value: value
)
@pytest.mark.parametrize("reason", ["closed country", "no channel", "full recipient"])
def test_no_refusal_gives_the_households_hit_back(db, settings, door, allowed, reason):  # LIM-09
    SmsCountry.objects.create(code="GB", is_open=reason != "closed country")
    settings.MAILBOX = reason != "no channel"
    eve = Shopper("json")
    if reason == "full recipient":
        fill(british(0))

    numbers = [british(0 if reason == "full recipient" else n) for n in range(allowed + 5)]
    answers = [eve.post(door, identifier=number).status_code for number in numbers]

    assert set(answers[:allowed]) <= {429 if reason == "full recipient" else 503}
    assert answers[allowed:] == [429] * 5
    full = Bucket.objects.get(name__in=["registrations", "code requests"], size=allowed)
    assert len(full.hits) == allowed * 13
    assert not Challenge.objects.exists()
    assert kinds("sms_stopped") == (1 if reason == "closed country" else 0)
    assert kinds("limit_hit") == 1


def fill(number):
    """Let this number get as many messages as strangers may cause."""
    for _ in range(4):
        consume(*limits.messages(parse(number), Pool.SIGN_UP))


def test_a_program_in_the_trap_is_counted_like_a_person(db, monkeypatch):  # ABU-06
    monkeypatch.setattr(conf, "BOT_CHECK", "accounts.honeypot.trap")
    program = Shopper("json")

    answers = [program.identify(f"p{n}@example.com", memo="Buy!").status_code for n in range(22)]

    assert answers == [200] * 20 + [429] * 2


@pytest.mark.django_db(transaction=True)
def test_sign_ins_to_the_staff_pages_that_are_limited_add_few_rows(client):  # LIM-08
    make_staff()
    for number in range(30):
        knock(client, f"nobody{number}")
    before = rows()

    for number in range(MANY):
        knock(client, f"another{number}")

    assert kinds("staff_sign_in_failed") == 30
    assert kinds("staff_sign_in_limited") == 1
    assert counted("staff_sign_in_limited") == MANY
    assert rows() <= before + 4


def test_another_household_is_written_down_by_itself(db):  # LOG-01
    for ip in ("203.0.113.7", "203.0.113.8"):
        for _ in range(3):
            refusals.record("limit_hit", client=ClientInfo(ip=ip))

    assert kinds("limit_hit") == 2


def test_a_refusal_is_written_down_again_after_a_minute(db):  # LOG-01
    refusals.record("limit_hit", client=HERE)
    time_passes(seconds=59)
    refusals.record("limit_hit", client=HERE)
    assert kinds("limit_hit") == 1

    time_passes(seconds=1)
    refusals.record("limit_hit", client=HERE)

    assert kinds("limit_hit") == 2


# Replays


def begins(who):
    """A browser in the middle of a registration, and its code."""
    browser = Shopper()
    browser.identify(who)
    code = Postbox().code(who)
    time_passes(seconds=61)
    return browser, code


def test_a_used_code_that_is_typed_again_and_again_is_five_events(db):  # COD-05, LOG-01
    (again, older), (eve, code) = begins("eve@example.com"), begins("eve@example.com")
    eve.verify(code)

    for _ in range(20):
        again.verify(older)

    assert kinds("code_replay") == 5
    assert counted("code_replay") == 20


# What is counted is read


@pytest.mark.django_db(transaction=True)
def test_the_dashboard_counts_every_refusal(db):  # LOG-06
    for _ in range(7):
        refusals.record("number_refused", client=HERE, identifier=parse("+12025550123"))
        refusals.record("limit_hit", client=HERE, identifier=parse("+12025550123"))

    rollups.roll_up_hour(now())

    told = SignupRollup.objects.filter(granularity="hour", measure=Measure.REFUSED)
    assert {(row.detail, row.channel, row.country): row.count for row in told} == {
        ("number_refused", "sms", "US"): 7,
        ("limit_hit", "sms", ""): 7,
    }


@pytest.mark.parametrize(("times", "heard"), [(19, 0), (20, 1)])
def test_staff_hear_of_used_codes_from_twenty_on_though_few_are_events(db, times, heard):  # LOG-06
    for _ in range(times):
        refusals.count("code_replay")

    alert_on_bursts()

    assert Alert.objects.filter(kind="used_codes_typed_again").count() == heard


@pytest.mark.parametrize(("minutes", "heard"), [(9, 1), (10, 1), (12, 0)])
def test_refusals_of_long_ago_are_no_burst(db, monkeypatch, minutes, heard):  # LOG-06
    for _ in range(20):
        refusals.count("code_replay")
    RefusalCount.objects.update(minute=F("minute") - timedelta(minutes=minutes))

    alert_on_bursts()

    assert Alert.objects.count() == heard


@pytest.mark.parametrize(("hours", "left"), [(1, 1), (47, 1), (52, 0)])
def test_counts_go_once_the_dashboard_has_them_for_good(db, hours, left):  # LOG-06
    refusals.count("limit_hit")
    RefusalCount.objects.update(minute=F("minute") - timedelta(hours=hours))

    rollups.roll_up_hour(now() - timedelta(hours=hours))
    retention.purge()

    assert RefusalCount.objects.count() == left
    refused = SignupRollup.objects.filter(granularity="hour", measure=Measure.REFUSED)
    assert refused.aggregate(Sum("count"))["count__sum"] == 1


def test_counts_that_the_dashboard_has_not_read_stay(db):  # LOG-06
    refusals.count("limit_hit")
    RefusalCount.objects.update(minute=F("minute") - timedelta(days=30))

    assert retention.purge()["refusals"] == 0


@pytest.mark.django_db(transaction=True)
def test_fifty_refusals_at_once_are_fifty(db):  # LOG-06
    at_once(*[lambda: refusals.record("limit_hit", client=HERE)] * 50)

    assert counted("limit_hit") == 50
    assert kinds("limit_hit") == 1


# Empty limits


@pytest.mark.parametrize(("seconds", "gone"), [(3598, 0), (3600, 1)])
def test_a_limit_goes_when_its_newest_hit_is_older_than_its_period(ana, seconds, gone):
    ana.identify("ana@example.com")
    of_an_hour = Bucket.objects.filter(name="registrations")
    assert of_an_hour.exists()

    time_passes(seconds=seconds)
    retention.purge()

    assert of_an_hour.exists() is not bool(gone)


def test_a_limit_of_a_day_is_kept_for_a_day(ana, monkeypatch):  # ABU-01
    monkeypatch.setattr(conf, "MESSAGES_PER_RECIPIENT", parse_rates("1/d"))
    ana.identify("ana@example.com")
    time_passes(hours=23, minutes=59)
    retention.purge()
    assert ana.post("/register/resend/").status_code == 429

    time_passes(minutes=2)
    retention.purge()

    assert not Bucket.objects.filter(name="messages").exists()
    assert ana.identify("ana@example.com").to == VERIFY


LIMIT = Limit("test", "somebody", Rate(5, 86400))


def left_by_the_sweep():
    """How many moments the limit holds after what is old has gone, or None for no row."""
    retention.purge()
    kept = buckets([LIMIT])
    return len(kept[LIMIT].hits) // STAMP if kept else None


def test_a_limit_that_was_only_asked_leaves_no_row_for_a_day(db):  # LOG-01
    consume(*peek([LIMIT]))

    assert left_by_the_sweep() is None


@pytest.mark.parametrize("emptied", ["returned", "lifted"])
def test_a_limit_that_was_emptied_leaves_no_row_for_a_day(db, emptied):  # LOG-01
    taken = consume(LIMIT)
    if emptied == "returned":
        refund(*taken.values())
    else:
        reset(LIMIT)

    assert left_by_the_sweep() is None


def test_asking_and_returning_lets_no_other_hit_go_early(db):  # LIM-09
    consume(LIMIT)
    refund(*consume(LIMIT).values())
    consume(*peek([LIMIT]))

    assert left_by_the_sweep() == 1


def test_a_limit_that_was_emptied_counts_anew(db):  # LIM-09
    consume(LIMIT)
    reset(LIMIT)
    consume(LIMIT)

    assert left_by_the_sweep() == 1


# One account


def test_an_account_that_verifies_itself_for_ever_adds_few_rows(ana):  # REC-08
    joins(ana)

    answers = [ana.post(CONFIRM, current=PASSWORD).status_code for _ in range(MANY)]

    assert answers == [303] * 20 + [429] * (MANY - 20)
    assert kinds("reauthenticated") == 20


def test_an_account_that_downloads_for_ever_adds_few_rows(ana):
    joins(ana)

    answers = [ana.post(DOWNLOAD).status_code for _ in range(MANY)]

    assert answers == [200] * 20 + [429] * (MANY - 20)
    assert kinds("data_downloaded") == 20


def test_ending_the_other_devices_is_an_event_only_if_there_are_any(ana, bea):  # SES-05
    joins(ana)
    signs_in(bea)

    for _ in range(10):
        assert ana.post(OTHERS_OUT).to == DEVICES

    assert kinds("devices_signed_out") == 1


# No hash for a request that is refused


def test_a_sign_up_that_a_limit_refuses_costs_no_hash(ana, hashes):  # LIM-09
    known = {"name": "Ana", "password": PASSWORD}
    for number in range(20):
        ana.identify(f"ana{number}@example.com", **known)
    assert hashes() == 20

    assert ana.identify("ana@example.com", **known).status_code == 429
    assert hashes() == 0


def test_a_taken_username_costs_no_hash_at_the_first_step(ana, bea, hashes):  # REG-07
    joins(bea, username="bea")
    hashes()

    answer = ana.identify("ana@example.com", name="Ana", username="bea", password=PASSWORD)

    assert "That username is taken" in answer.content.decode()
    assert hashes() == 0


@pytest.mark.parametrize("reason", ["taken", "probed too often", "contact full"])
def test_a_third_step_that_is_refused_costs_no_hash(ana, bea, hashes, monkeypatch, reason):
    joins(bea, email="bea@example.com", username="bea")
    ana.identify("ana@example.com")
    ana.verify(Postbox().code("ana@example.com"))
    if reason == "probed too often":
        monkeypatch.setattr(conf, "USERNAME_PROBES_PER_IP", parse_rates("1/m"))
        ana.complete(username="bea")
    if reason == "contact full":
        fill(british(0))
    hashes()

    more = {"contact": british(0)} if reason == "contact full" else {"username": "bea"}
    answer = ana.complete(**more)

    assert answer.status_code == (422 if reason == "taken" else 429)
    assert hashes() == 0
    assert not User.objects.get(email="ana@example.com").completed_at


def test_a_change_of_password_that_a_limit_refuses_costs_no_hash(ana, hashes, monkeypatch):
    monkeypatch.setattr(conf, "CHANGES_PER_ACCOUNT", parse_rates("1/h"))
    joins(ana)
    ana.post(NAMES, name="Ann")
    hashes()

    answer = ana.post(CHANGE_PASSWORD, current=PASSWORD, password="another long password")

    assert (answer.status_code, hashes()) == (429, 0)
    assert ana.post(LOGIN, identifier="ana@example.com", password=PASSWORD).to != COMPLETE


def test_a_proof_that_a_limit_refuses_costs_no_hash(ana, hashes, monkeypatch):
    monkeypatch.setattr(conf, "CHANGES_PER_ACCOUNT", parse_rates("1/h"))
    joins(ana)
    ana.post(CONFIRM, current=PASSWORD)
    hashes()

    assert ana.post(CONFIRM, current=PASSWORD).status_code == 429
    assert hashes() == 0
