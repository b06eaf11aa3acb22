"""The sign-up dashboard: numbers that agree with what happened, whatever beat did, and a page that shows them."""

import csv
import io
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localtime, now, override

from accounts import conf
from accounts.models import Challenge, SecurityEvent, SmsCountry, User
from api.dialects import SPACES
from api.dialects_v2 import V2 as V2_SPACE
from backoffice.dashboard import rollups
from backoffice.dashboard.rollups import (
    DAY,
    FINAL,
    HOUR,
    OPEN,
    percentile,
    roll_up_due,
    roll_up_hour,
)
from backoffice.models import (
    CLIENTS,
    KEY,
    PAGE,
    Granularity,
    Measure,
    SignupRollup,
    client_label,
)
from backoffice.tasks import roll_up_signups as tick
from messaging import providers
from messaging.models import EMAIL, SMS, Channel, OutboxMessage, Provider, Readiness, Status
from messaging.outbox import breaker
from ratelimits.models import Bucket
from ratelimits.rates import parse_rates
from tests.support.pages import Page, words
from tests.support.people import PASSWORD, Postbox, Shopper, check_tokens, time_passes, wrong
from tests.support.programs import V2, Program
from tests.support.races import at_once
from tests.support.staff import let_in_staff, make_staff, sign_in_staff

pytestmark = pytest.mark.database

DASHBOARD = "/admin/signups/"
FUNNEL = "How far people came"
BRITISH, AMERICAN, CANADIAN = "+447400123456", "+12025550123", "+15062345678"


def stranger(number):
    """A browser from an address of its own."""
    return Shopper(ip=f"198.51.100.{number}")


def count():
    """Count the hours in which this test can have run."""
    for hour in (now() - HOUR, now()):
        roll_up_hour(hour)


def numbers(measure, by="channel", granularity=Granularity.HOUR):
    """What was counted, by one column."""
    found = Counter()
    for row in SignupRollup.objects.filter(measure=measure, granularity=granularity):
        found[getattr(row, by)] += row.count
    return dict(found)


def every_row():
    """All rollups, without their keys."""
    columns = ["granularity", "starts_at", *KEY, "count"]
    return sorted(SignupRollup.objects.values_list(*columns))


@pytest.fixture
def traffic(db):
    """Eight people at the door; how far each of them came."""
    stranger(1).signs_up("ana@example.com")
    stranger(2).signs_up("bea@example.com")
    stranger(3).signs_up(BRITISH)
    verifies = stranger(4)
    verifies.identify("carl@example.com")
    verifies.verify(Postbox().code("carl@example.com"))
    for number, who in enumerate([AMERICAN, CANADIAN, "dora@example.com"], 5):
        stranger(number).identify(who)
    Postbox().messages()
    # Nobody carries the last one's message.
    stranger(8).identify("eve@example.com")
    later = {"status": Status.QUEUED, "due_at": now() + HOUR, "settled_at": None}
    OutboxMessage.objects.filter(address="eve@example.com").update(**later)
    return Counter()


@pytest.fixture
def staff(client, db):
    """A member of staff, in a browser, with the permissions that are named."""

    def staff(*permissions):
        person = make_staff("sam")
        User.objects.filter(pk=person.pk).update(is_superuser=False)
        names = [name.partition(".")[2] for name in permissions]
        person.user_permissions.set(Permission.objects.filter(codename__in=names))
        let_in_staff(client, "sam")
        return client

    return staff


@pytest.fixture
def sam(staff):
    """Staff who may look at the dashboard and turn its switches."""
    return staff(
        "backoffice.view_signuprollup", "messaging.change_provider", "accounts.change_smscountry"
    )


def row(measure=Measure.SIGN_UPS, count=1, *, starts_at=None, granularity=Granularity.DAY, **more):
    """One rollup, as counting would have written it."""
    starts_at = starts_at or rollups.start_of_day(now())
    return SignupRollup.objects.create(
        granularity=granularity, starts_at=starts_at, measure=measure, count=count, **more
    )


def shown(page, name):
    """The table beside a picture."""
    section = re.search(rf'<section[^>]*id="{name}".*?</section>', page.content.decode(), re.S)[0]
    lines = re.findall(r'<th scope="row">(.*?)</th>\s*<td>(.*?)</td>', section, re.S)
    return {label.strip(): int(number) for label, number in lines}


# Numbers that agree with what happened


def test_each_step_counts_who_came_there(traffic):
    count()

    assert numbers(Measure.IDENTIFIED) == {EMAIL: 5, SMS: 3}
    assert numbers(Measure.HANDED) == {EMAIL: 4, SMS: 3}
    assert numbers(Measure.DELIVERED) == {EMAIL: 3, SMS: 1}
    assert numbers(Measure.VERIFIED) == {EMAIL: 3, SMS: 1}
    assert numbers(Measure.COMPLETED) == {EMAIL: 2, SMS: 1}
    assert numbers(Measure.SIGN_UPS) == {EMAIL: 3, SMS: 1}


def test_numbers_count_for_their_country(traffic):
    count()

    assert numbers(Measure.IDENTIFIED, "country") == {"": 5, "GB": 1, "US": 1, "CA": 1}
    assert numbers(Measure.SIGN_UPS, "country") == {"": 3, "GB": 1}
    texts = SignupRollup.objects.filter(
        measure=Measure.MESSAGES, channel=SMS, granularity=Granularity.HOUR
    )
    assert set(texts.values_list("country", flat=True)) == {"GB", "US", "CA"}


def test_messages_count_for_who_carried_them_and_how_they_ended(traffic):
    OutboxMessage.objects.filter(address=AMERICAN).update(status=Status.FAILED)
    count()

    settled = OutboxMessage.objects.exclude(settled_at=None)
    assert numbers(Measure.MESSAGES, "provider_id") == {
        str(providers.environment_id("mailbox")): settled.count()
    }
    assert numbers(Measure.MESSAGES, "detail") == dict(
        Counter(settled.values_list("status", flat=True))
    )
    assert sum(numbers(Measure.HANDOVER_TIME).values()) == settled.count() - 1


def test_somebody_who_begins_twice_is_one_person(ana):
    ana.identify("ana@example.com")
    Challenge.objects.update(tries_left=0, sent_at=now() - timedelta(minutes=2))
    ana.post("/register/resend/")
    count()

    assert Challenge.objects.count() == 2
    assert numbers(Measure.IDENTIFIED) == {EMAIL: 1}


def test_a_later_message_of_the_same_attempt_counts(ana, postbox):
    ana.identify("ana@example.com")
    OutboxMessage.objects.update(status=Status.FAILED, settled_at=now())
    Challenge.objects.update(sent_at=now() - timedelta(minutes=2))
    ana.post("/register/resend/")
    len(postbox)
    count()

    assert OutboxMessage.objects.count() == 2
    assert numbers(Measure.HANDED) == {EMAIL: 1}


def test_the_owner_of_an_account_does_not_sign_up_again(ana, bea, postbox, monkeypatch):
    monkeypatch.setattr("accounts.conf.REGISTRATION_DUPLICATE_POLICY", "private")
    ana.signs_up("ana@example.com")
    bea.identify("ana@example.com")
    bea.verify(postbox.code("ana@example.com"))
    count()

    assert numbers(Measure.VERIFIED) == numbers(Measure.SIGN_UPS) == {EMAIL: 1}


def test_other_journeys_are_no_sign_up(ana, bea):
    ana.signs_up("ana@example.com")
    bea.post("/login/code/", identifier="ana@example.com")
    bea.post("/password-reset/", identifier="ana@example.com")
    count()

    assert numbers(Measure.IDENTIFIED) == {EMAIL: 1}


def test_refusals_count_by_their_reason(ana, bea, postbox):
    ana.signs_up("ana@example.com")
    bea.identify("ana@example.com")
    bea.identify("bea@example.com")
    for _try in range(5):
        bea.verify(wrong(postbox.code("bea@example.com")))
    bea.post("/login/", identifier="ana@example.com", password="not the password")
    count()

    assert numbers(Measure.REFUSED, "detail") == {
        "duplicate_registration": 1,
        "code_wrong": 5,
        "code_used_up": 1,
        "sign_in_failed": 1,
    }


def test_refusals_count_for_their_country(ana, postbox, monkeypatch):
    ana.identify(BRITISH)
    ana.verify(wrong(postbox.code(BRITISH)))
    stranger(1).identify("+19005550123")
    monkeypatch.setattr(conf, "SMS_PER_PREFIX", parse_rates("1/h"))
    stranger(2).identify(BRITISH[:-1] + "7")
    carl = stranger(3)
    carl.identify("carl@example.com")
    carl.verify(wrong(postbox.code("carl@example.com")))
    count()

    by_country = {
        (row.country, row.channel, row.detail): row.count
        for row in SignupRollup.objects.filter(
            measure=Measure.REFUSED, granularity=Granularity.HOUR
        )
    }
    assert by_country == {
        ("GB", SMS, "code_wrong"): 1,
        ("US", SMS, "number_refused"): 1,
        ("GB", SMS, "sms_stopped"): 1,
        ("", EMAIL, "code_wrong"): 1,
    }


def test_the_reasons_of_one_country_are_shown(sam):
    row(Measure.REFUSED, 4, channel=SMS, country="GB", detail="code_wrong")
    row(Measure.REFUSED, 9, channel=SMS, country="US", detail="code_wrong")

    page = sam.get(DASHBOARD, {"country": "GB"})

    assert shown(page, "refusals") == {"wrong code": 4}


def test_every_reason_has_words():
    assert set(rollups.REFUSALS) >= {"code_wrong", "password_locked", "sms_stopped", "limit_hit"}


@pytest.mark.parametrize(
    ("seconds", "step"), [(0.05, "0.1"), (4, "5"), (5, "5"), (61, "120"), (90_000, "inf")]
)
def test_time_to_hand_over_and_to_verify_is_counted_in_steps(ana, postbox, seconds, step):
    ana.signs_up("ana@example.com")
    began = rollups._start_of_hour(now())
    later = began + timedelta(seconds=seconds)
    Challenge.objects.update(created_at=began, verified_at=later)
    User.objects.update(date_joined=later)
    OutboxMessage.objects.update(created_at=began - timedelta(seconds=seconds), settled_at=began)
    roll_up_hour(began)

    assert numbers(Measure.VERIFICATION_TIME, "detail") == {step: 1}
    assert numbers(Measure.HANDOVER_TIME, "detail") == {step: 1}


@pytest.mark.parametrize(
    ("steps", "half", "most"),
    [
        ({}, "", ""),
        ({"0.5": 1}, "0.5", "0.5"),
        ({"1": 94, "60": 6}, "1", "60"),
        ({"1": 95, "60": 5}, "1", "1"),
        ({"2": 50, "5": 49, "inf": 51}, "5", "inf"),
    ],
)
def test_percentiles_come_from_the_steps(steps, half, most):
    assert (percentile(steps, 0.5), percentile(steps, 0.95)) == (half, most)


def test_a_row_names_nobody(traffic):
    count()

    told = str(every_row())
    for user in User.objects.all():
        assert str(user.pk) not in told
        assert user.email is None or user.email not in told
    for number in (BRITISH, AMERICAN, CANADIAN):
        assert number[1:] not in told


# Which client


def browser(number):
    """A program of somebody, from an address of its own."""
    return Program(ip=f"198.51.100.{number}")


def signs_up_by_phone(number, phone):
    """Somebody registers in an app of /api/auth/, in its three steps."""
    app = browser(number)
    app.post("auth", "register/phone/", phone=phone)
    told = app.post("auth", "verify-otp/", phone=phone, otp=Postbox().code(phone))
    token = told["registration_token"]
    app.post("auth", "register/complete/", registration_token=token, password=PASSWORD)


@pytest.fixture
def clients(db):
    """Five people at the door: two with pages, one with an app of each space; the one of v2 comes to a page later."""
    stranger(1).signs_up("ana@example.com")
    stranger(2).identify("bea@example.com")
    typed = {"password": PASSWORD, "password_confirm": PASSWORD}
    first = browser(3)
    told = first.post("v1", "register/", email="carl@example.com", **typed)
    code = Postbox().code("carl@example.com")
    first.post("v1", "verify-otp/", user_id=told["user_id"], otp=wrong(code))
    first.post("v1", "verify-otp/", user_id=told["user_id"], otp=code)
    signs_up_by_phone(4, BRITISH)
    second = Program(ip="198.51.100.5", spaces=V2)
    second.post("v1", "register/", email="dora@example.com", **typed)
    Postbox().messages()


def test_each_step_counts_for_the_client_it_was_begun_with(clients):
    count()

    assert numbers(Measure.IDENTIFIED, "client") == {"page": 2, "v1": 1, "auth": 1, "v2": 1}
    assert numbers(Measure.VERIFIED, "client") == {"page": 1, "v1": 1, "auth": 1}
    assert numbers(Measure.SIGN_UPS, "client") == {"page": 1, "v1": 1, "auth": 1}
    assert numbers(Measure.VERIFICATION_TIME, "client") == {"page": 1, "v1": 1, "auth": 1}
    assert numbers(Measure.REFUSED, "client") == {"v1": 1}
    sent = OutboxMessage.objects.exclude(settled_at=None).count()
    assert sum(numbers(Measure.MESSAGES, "client").values()) == sent
    assert set(numbers(Measure.MESSAGES, "client")) == {"page", "v1", "auth", "v2"}


def test_a_link_of_an_app_counts_as_the_apps_wherever_it_is_opened(clients):
    opener = stranger(6)
    opener.open(Postbox().link("dora@example.com"))
    opener.post("/verify-email/")
    count()

    assert numbers(Measure.SIGN_UPS, "client")["v2"] == 1
    assert numbers(Measure.VERIFIED, "client")["v2"] == 1


def test_whoever_begins_with_two_clients_is_one_person_of_the_one_that_led_further(ana, postbox):
    browser(3).post("auth", "register/phone/", phone=BRITISH)
    ana.signs_up(BRITISH)
    count()

    assert numbers(Measure.IDENTIFIED, "client") == {"page": 1}
    before = every_row()
    count()
    assert every_row() == before


def test_a_refusal_that_is_only_counted_has_a_client_too(db):
    for _try in range(20):
        told = browser(3).post("auth", "register/phone/", phone=BRITISH)
        if told.status == 429:
            break
    count()

    assert "limit_hit" in numbers(Measure.REFUSED, "detail")
    assert set(numbers(Measure.REFUSED, "client")) == {"auth"}


def test_what_is_about_no_attempt_is_of_no_client(ana, postbox):
    ana.identify("ana@example.com")
    len(postbox)
    Challenge.objects.all().delete()
    count()

    assert numbers(Measure.MESSAGES, "client") == {"": 1}


def test_every_space_of_the_api_is_a_client():
    spaces = {space.name for space in (*SPACES, V2_SPACE)}

    assert spaces | {PAGE} == set(dict(CLIENTS))


def test_attempts_and_events_know_the_space_they_came_through(db):
    browser(3).post("auth", "register/phone/", phone=BRITISH)

    row = Challenge.objects.get()
    assert (row.space, client_label(row.space)) == ("auth", "API auth")
    assert SecurityEvent.objects.get(kind="code_sent").space == "auth"


# Counting again


def test_counting_again_changes_nothing(traffic):
    count()
    before, keys = every_row(), set(SignupRollup.objects.values_list("pk", flat=True))

    with CaptureQueriesContext(
        connection,
    ) as asked:
        count()

    assert every_row() == before
    assert set(SignupRollup.objects.values_list("pk", flat=True)) == keys
    assert not [query for query in asked if query["sql"].startswith(("UPDATE", "DELETE"))]


def test_a_late_receipt_moves_a_person_on(ana, postbox):
    ana.identify("ana@example.com")
    len(postbox)
    count()
    assert numbers(Measure.DELIVERED) == {}

    OutboxMessage.objects.update(status=Status.DELIVERED)
    count()

    assert numbers(Measure.DELIVERED) == {EMAIL: 1}
    assert numbers(Measure.MESSAGES, "detail") == {"delivered": 1}
    assert numbers(Measure.MESSAGES, "detail", Granularity.DAY) == {"delivered": 1}


def test_a_bounce_was_handed_over_and_not_delivered(ana, postbox):
    ana.identify("ana@example.com")
    len(postbox)
    OutboxMessage.objects.update(status=Status.BOUNCED)
    count()

    assert numbers(Measure.HANDED) == {EMAIL: 1}
    assert numbers(Measure.DELIVERED) == {}


def test_a_day_is_the_sum_of_its_hours(db):
    noon = rollups.start_of_day(now()).replace(hour=12)
    for hour in (noon, noon + HOUR):
        who = f"ana{hour.hour}@example.com"
        stranger(hour.hour).identify(who)
        Challenge.objects.filter(recipient=who).update(created_at=hour)
        roll_up_hour(hour)

    assert (
        SignupRollup.objects.filter(
            granularity=Granularity.HOUR, measure=Measure.IDENTIFIED
        ).count()
        == 2
    )
    day = SignupRollup.objects.get(granularity=Granularity.DAY, measure=Measure.IDENTIFIED)
    assert (localtime(day.starts_at), day.count) == (rollups.start_of_day(noon), 2)


@pytest.mark.parametrize(("day", "hours"), [((3, 31), 23), ((6, 1), 24), ((10, 27), 25)])
def test_a_day_has_its_hours_also_when_clocks_change(db, day, hours):
    with override("Europe/Berlin"):
        rollups.roll_up_day(datetime(2024, *day, 12, tzinfo=UTC))

    assert (
        SignupRollup.objects.filter(granularity=Granularity.HOUR, measure=Measure.COUNTED).count()
        == hours
    )


def test_a_day_counted_at_once_is_the_same(traffic):
    count()
    yesterday = Challenge.objects.filter(purpose="register").first()
    Challenge.objects.filter(pk=yesterday.pk).update(created_at=now() - DAY)
    for hour in range(25):
        roll_up_hour(now() - hour * HOUR)
    by_hour = every_row()
    SignupRollup.objects.all().delete()

    for day in (now(), now() - DAY):
        rollups.roll_up_day(day)

    assert {*by_hour} <= {*every_row()}
    assert numbers(Measure.IDENTIFIED, granularity=Granularity.DAY) == numbers(
        Measure.IDENTIFIED, granularity=Granularity.HOUR
    )


@pytest.mark.django_db(transaction=True)
def test_two_who_count_at_once_end_in_one_set_of_rows():
    for number in range(1, 6):
        stranger(number).identify(f"ana{number}@example.com")
    hour = now()
    SignupRollup.objects.all().delete()

    at_once(*[lambda: roll_up_hour(hour)] * 6)
    at_once(*[lambda: roll_up_hour(hour), lambda: roll_up_hour(hour - HOUR)] * 3)

    began = SignupRollup.objects.filter(
        measure=Measure.IDENTIFIED,
        granularity=Granularity.HOUR,
        starts_at=rollups._start_of_hour(hour),
    )
    assert [one.count for one in began] == [
        Challenge.objects.filter(created_at__gte=rollups._start_of_hour(hour)).count()
    ]
    before = every_row()
    roll_up_hour(hour)
    assert every_row() == before


# Beat


@pytest.fixture
def two_days(monkeypatch):
    """The dashboard looks back no further than four days: enough to see, and quick."""
    monkeypatch.setattr(rollups, "LOOKBACK", 4 * DAY)


def catches_up():
    """Tick until nothing is missing; returns how many ticks it took."""
    for ticks in range(1, 20):
        if roll_up_due() <= rollups.NEWEST_HOURS + 1:
            return ticks
    raise AssertionError("never")


def test_one_tick_counts_the_newest_hours(traffic, two_days):
    tick()

    assert sum(numbers(Measure.IDENTIFIED).values()) == 8


def test_beat_was_away_for_three_days(db, two_days):
    then = rollups._start_of_hour(now()) - 3 * DAY
    stranger(1).identify("ana@example.com")
    catches_up()
    Challenge.objects.update(created_at=then)
    SignupRollup.objects.filter(starts_at__gt=then - HOUR).delete()

    ticks = catches_up()

    assert ticks > 1
    began = SignupRollup.objects.get(measure=Measure.IDENTIFIED, granularity=Granularity.HOUR)
    assert (began.starts_at, began.count) == (then, 1)


def test_one_run_takes_on_no_more_than_it_can(db, two_days):
    assert roll_up_due() <= rollups.MAX_HOURS + rollups.NEWEST_HOURS + 1


def test_what_beat_left_half_counted_is_counted_for_the_last_time(db, two_days):
    then = rollups._start_of_hour(now()) - 3 * DAY
    catches_up()
    SignupRollup.objects.filter(
        starts_at=then, measure=Measure.COUNTED, granularity=Granularity.HOUR
    ).update(count=OPEN)
    stranger(1).identify("ana@example.com")
    Challenge.objects.update(created_at=then + timedelta(minutes=5))

    roll_up_due()

    assert (
        SignupRollup.objects.get(measure=Measure.IDENTIFIED, granularity=Granularity.HOUR).starts_at
        == then
    )
    assert (
        SignupRollup.objects.get(
            starts_at=then, measure=Measure.COUNTED, granularity=Granularity.HOUR
        ).count
        == FINAL
    )


def test_sixty_ticks_count_each_of_the_last_two_days_hours(db, two_days):
    catches_up()
    start = rollups._start_of_hour(now())

    due = {
        hour for minute in range(60) for hour in rollups._due(start + minute * timedelta(minutes=1))
    }

    assert due == {start - n * HOUR for n in range(49)}


def test_old_hours_go_and_days_stay(db, two_days):
    old = now() - 101 * DAY
    row(starts_at=old, granularity=Granularity.HOUR)
    row(starts_at=old, granularity=Granularity.DAY)

    roll_up_due()

    assert SignupRollup.objects.filter(starts_at=old).get().granularity == Granularity.DAY


# The page


def test_the_page_shows_what_was_counted(traffic, sam):
    count()
    page = sam.get(DASHBOARD)

    assert list(shown(page, "funnel").values()) == [8, 7, 4, 4, 3]
    assert sum(shown(page, "sign-ups").values()) == 4
    assert sum(shown(page, "verifying").values()) == 4
    assert "unsafe" not in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("query", "steps"),
    [
        ({"channel": "email"}, [5, 4, 3, 3, 2]),
        ({"channel": "sms"}, [3, 3, 1, 1, 1]),
        ({"country": "GB"}, [1, 1, 1, 1, 1]),
        ({"channel": "sms", "country": "US"}, [1, 1, 0, 0, 0]),
        ({"period": "90"}, [8, 7, 4, 4, 3]),
        ({"client": "page"}, [8, 7, 4, 4, 3]),
        ({"client": "v2"}, []),
    ],
)
def test_the_page_can_be_narrowed(traffic, sam, query, steps):
    count()

    assert list(shown(sam.get(DASHBOARD, query), "funnel").values()) == steps


@pytest.mark.parametrize(
    ("query", "steps"),
    [
        ({"client": "page"}, [2, 2, 1, 1, 1]),
        ({"client": "v1"}, [1, 1, 1, 1, 0]),
        ({"client": "auth"}, [1, 1, 1, 1, 0]),
        ({"client": "v2"}, [1, 1, 0, 0, 0]),
        ({"client": "auth", "channel": "sms", "country": "GB"}, [1, 1, 1, 1, 0]),
    ],
)
def test_the_page_and_the_file_can_be_narrowed_to_a_client(clients, sam, query, steps):
    count()

    page = sam.get(DASHBOARD, query)

    assert list(shown(page, "funnel").values()) == steps
    funnel = [int(number) for where, _, number in lines(sam, **query) if where == FUNNEL]
    assert funnel == steps
    (chosen,) = Page(page).all("option", value=query["client"])
    assert "selected" in chosen
    assert f"client={query['client']}" in page.content.decode()


def test_the_file_says_in_its_name_what_it_was_narrowed_to(sam):
    answer = sam.get(DASHBOARD, {"format": "csv", "channel": "sms", "client": "v1"})

    assert 'filename="sign-ups-7-sms-v1.csv"' in answer.headers["Content-Disposition"]


def test_a_span_holds_its_days_and_no_more(sam):
    today = rollups.start_of_day(now())
    for days in (0, 6, 7, 29, 89, 90):
        row(Measure.IDENTIFIED, 10**5 + days, starts_at=today - timedelta(days=days), channel=EMAIL)
    row(Measure.IDENTIFIED, 3, starts_at=today, granularity=Granularity.HOUR, channel=EMAIL)

    first = [
        next(iter(shown(sam.get(DASHBOARD, {"period": days}), "funnel").values()))
        for days in (1, 7, 30, 90)
    ]

    assert first == [3, 200_006, 400_042, 500_131 - 0]


def test_today_has_hours_and_a_week_has_days(sam):
    row(starts_at=rollups.start_of_day(now()), granularity=Granularity.HOUR, channel=EMAIL)
    row(starts_at=rollups.start_of_day(now()), channel=EMAIL)

    assert len(shown(sam.get(DASHBOARD, {"period": 1}), "sign-ups")) == 24
    assert len(shown(sam.get(DASHBOARD, {"period": 7}), "sign-ups")) == 7


def test_an_empty_span_is_no_fault(sam):
    page = sam.get(DASHBOARD)

    assert page.status_code == 200
    assert "Nothing was counted yet" in words(page)
    assert words(page).count("None in this period.") == 5
    assert sam.get(DASHBOARD, {"format": "csv"}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"period": "x"},
        {"period": "365"},
        {"channel": "fax"},
        {"client": "v9"},
        {"country": "<b>"},
        {"format": "x"},
    ],
)
def test_a_choice_that_is_not_offered_is_no_fault(sam, query):
    row(Measure.IDENTIFIED, 4, channel=EMAIL)

    page = sam.get(DASHBOARD, query)

    assert shown(page, "funnel")["identified"] == 4
    assert "<b>" not in page.content.decode()


def test_the_page_says_when_counting_is_behind(sam):
    row(Measure.COUNTED, starts_at=now() - 5 * HOUR, granularity=Granularity.HOUR)
    assert "Counting is behind" in words(sam.get(DASHBOARD))

    roll_up_hour(now())
    assert "Counting is behind" not in words(sam.get(DASHBOARD))


def test_each_picture_is_told_in_words_and_has_a_table(traffic, sam):
    count()
    stranger(20).post("/login/", identifier="ana@example.com", password="not the password")
    count()
    page = Page(sam.get(DASHBOARD))

    pictures = page.all("svg", role="img")
    assert len(pictures) == 5
    assert all(picture["aria-label"] for picture in pictures)
    assert len(page.all("details")) >= 5
    assert not page.all("script", src=None)
    assert not [element for element in page.elements if "style" in element]


def test_a_picture_stretches_no_letter_and_leaves_its_frame_nowhere(traffic, sam):
    count()
    page = Page(sam.get(DASHBOARD))

    assert not [svg for svg in page.all("svg", role="img") if "viewbox" in svg]
    widths = [float(bar["width"].strip("%")) for bar in page.all("rect", class_="bar")]
    assert widths or page.all("rect")
    assert all(0 <= width <= 100 for width in widths)


def test_the_page_asks_little_and_never_the_raw_rows(traffic, sam):
    count()
    sam.get(DASHBOARD)
    with CaptureQueriesContext(connection) as asked:
        sam.get(DASHBOARD, {"period": "90"})

    assert len(asked) <= 12
    raw = [Challenge, OutboxMessage, SecurityEvent]
    for model in raw:
        assert not [query for query in asked if f'FROM "{model._meta.db_table}"' in query["sql"]]


def test_the_page_tells_nothing_about_a_person(traffic, sam):
    count()
    told = (
        sam.get(DASHBOARD).content.decode() + sam.get(DASHBOARD, {"format": "csv"}).content.decode()
    )

    for secret in ("@example.com", BRITISH[1:], AMERICAN[1:], CANADIAN[1:]):
        assert secret not in told


def test_the_front_page_leads_there(sam):
    assert f'href="{DASHBOARD}"' in sam.get("/admin/").content.decode()


# Who may


def test_a_visitor_is_sent_to_the_door(client, db):
    assert client.get(DASHBOARD).headers["Location"].startswith("/admin/login/")


def test_a_shopper_is_sent_to_the_door(ana):
    ana.signs_up("ana@example.com")

    assert ana.get(DASHBOARD).headers["Location"].startswith("/admin/login/")


def test_staff_without_the_permission_are_refused(staff):
    browser = staff("accounts.view_user")

    assert browser.get(DASHBOARD).status_code == 403
    assert DASHBOARD not in browser.get("/admin/").content.decode()


def test_whoever_may_only_look_has_no_switch(staff):
    browser = staff("backoffice.view_signuprollup")
    one = provider()

    assert 'name="state"' not in browser.get(DASHBOARD).content.decode()
    for fields in ({"provider": one.pk}, {"texts": "*"}, {"channel": EMAIL}):
        assert browser.post(DASHBOARD, {**fields, "state": "off"}).status_code == 403
    one.refresh_from_db()
    assert one.is_active
    assert SmsCountry.objects.get(pk="*").is_open
    assert not Channel.objects.exists()


def test_a_forged_switch_is_refused(sam):
    one = provider()
    check_tokens(sam)

    assert sam.post(DASHBOARD, {"provider": one.pk, "state": "off"}).status_code == 403
    assert Provider.objects.get().is_active


# The file


def lines(browser, **query):
    """The file, read."""
    answer = browser.get(DASHBOARD, {"format": "csv", **query})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_the_file_has_the_numbers_of_the_page(traffic, sam):
    count()
    page, file = sam.get(DASHBOARD, {"channel": "email"}), lines(sam, channel="email")

    funnel = {what: int(number) for where, what, number in file if where == "How far people came"}
    assert funnel == shown(page, "funnel")
    sent = OutboxMessage.objects.filter(channel=EMAIL).exclude(settled_at=None).count()
    assert ["Providers: email", "mailbox: handed over", str(sent)] in file


def test_no_cell_of_the_file_is_a_formula(sam):
    strange = provider("=cmd|' /C calc'!A0")
    row(Measure.MESSAGES, 2, channel=EMAIL, provider_id=str(strange.pk), detail=Status.SENT)
    row(Measure.REFUSED, 2, channel=EMAIL, detail="@SUM(1)")

    cells = [cell for line in lines(sam) for cell in line]
    assert "'=cmd|' /C calc'!A0: handed over" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


# Live states and switches


def provider(name="Post", channel=EMAIL, **more):
    """A provider as staff entered it."""
    columns = {"name": name, "kind": "smtp", "channel": channel, "readiness": Readiness.TESTED}
    return Provider.objects.create(**columns | more)


def test_states_are_of_this_moment(sam):
    provider("Well")
    ill = provider("Ill")
    provider("Off", is_active=False)
    for _failure in range(3):
        breaker.record_failure(ill.pk)

    told = words(sam.get(DASHBOARD))

    assert re.search(r"Well email tested", told)
    assert re.search(r"Ill email paused until \d\d:\d\d", told)
    assert re.search(r"Off email not in use", told)


def test_a_provider_of_the_environment_is_listed_too(traffic, sam):
    count()

    sent = OutboxMessage.objects.filter(channel=EMAIL).exclude(settled_at=None).count()
    assert f"mailbox email not entered here {sent} 0" in words(sam.get(DASHBOARD))


def test_a_provider_can_be_switched_off_and_on(sam):
    one = provider()
    address = f"{DASHBOARD}?period=30&channel=email"

    for state, is_active in (("off", False), ("on", True)):
        answer = sam.post(address, {"provider": one.pk, "state": state})
        assert answer.headers["Location"] == address
        one.refresh_from_db()
        assert one.is_active is is_active
    noted = LogEntry.objects.filter(object_id=str(one.pk)).values_list("change_message", flat=True)
    assert set(noted) == {"Taken out of use.", "Put in use."}


def test_a_second_click_changes_and_notes_nothing(sam):
    one = provider()
    for _click in range(2):
        sam.post(DASHBOARD, {"provider": one.pk, "state": "off"})

    assert LogEntry.objects.count() == 1


def test_texts_can_be_stopped_everywhere(sam):
    sam.post(DASHBOARD, {"texts": "*", "state": "off"})
    assert not SmsCountry.objects.get(pk="*").is_open
    assert "closed by staff" in words(sam.get(DASHBOARD))

    sam.post(DASHBOARD, {"texts": "*", "state": "on"})
    assert SmsCountry.objects.get(pk="*").is_open
    assert LogEntry.objects.count() == 2


def test_email_can_be_stopped_and_started_again(sam, ana, postbox):
    begun = stranger(1)
    begun.identify("begun@example.com")

    for _click in range(2):
        sam.post(DASHBOARD, {"channel": EMAIL, "state": "off"})
    assert "stopped" in words(sam.get(DASHBOARD))
    refused = ana.identify("ana@example.com")
    assert refused.status_code == 503
    assert "Use your mobile number instead" in words(refused)
    time_passes(minutes=2)
    assert "Use your mobile number instead" in words(begun.post("/register/resend/"))
    assert ana.identify(BRITISH).status_code == 303

    sam.post(DASHBOARD, {"channel": EMAIL, "state": "on"})
    assert ana.identify("ana@example.com").status_code == 303
    entries = LogEntry.objects.order_by("pk").values_list("object_id", "change_message")
    assert [*entries] == [(EMAIL, "Stopped"), (EMAIL, "Started again")]


NO_EMAIL = {"email": None, "email_key": None, "email_verified_at": None}
BY_PHONE = {**NO_EMAIL, "primary": "phone", "phone": BRITISH, "phone_verified_at": now()}


@pytest.mark.parametrize(
    ("switch", "columns"), [({"channel": EMAIL}, {}), ({"texts": "*"}, BY_PHONE)]
)
def test_a_stopped_channel_shuts_no_member_of_staff_out(sam, postbox, switch, columns):
    sam.post(DASHBOARD, {**switch, "state": "off"})
    make_staff("boss", **columns)

    assert sign_in_staff(stranger(1).client).headers["Location"] == "/admin/"
    assert (
        SmsCountry.objects.get(pk="*").verified,
        Bucket.objects.filter(name="texts").count(),
    ) == (0, 0)


def test_a_caller_can_be_told_that_email_is_stopped(sam, ana, postbox):
    ana.identify("ana@example.com")
    sam.post(DASHBOARD, {"channel": EMAIL, "state": "off"})
    make_staff("boss")
    boss = stranger(1)
    let_in_staff(boss.client)

    page = words(boss.post("/admin/lookup/", who="ana@example.com"))

    assert "staff stopped the channel" in page


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"provider": "x"}, 404),
        ({"provider": "0" * 32}, 404),
        ({"texts": "QQ"}, 404),
        ({"channel": "pigeon"}, 404),
    ],
)
def test_a_switch_of_nothing_is_no_fault(sam, fields, status):
    assert sam.post(DASHBOARD, {**fields, "state": "off"}).status_code == status


def test_budgets_show_what_was_used(sam):
    for number, to in enumerate([BRITISH, "+447500123456", AMERICAN], 1):
        stranger(number).identify(to)

    told = words(sam.get(DASHBOARD))

    assert re.search(r"everywhere open above 3 of 500 in 1 h", told)
    assert re.search(r"GB open Stop texts 2 of 200 in 1 h", told)
