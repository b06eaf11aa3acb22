"""How often is too often: exact sliding windows, and who is counted together."""

import pytest
from django.db import transaction
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import conf, limits
from accounts.errors import TooOften
from accounts.models import SecurityEvent
from accounts.sessions.client import AGENT_MAX, ClientInfo, client_info
from ratelimits.engine import STAMP, Limit, consume, peek, try_consume
from ratelimits.models import Bucket
from ratelimits.rates import Rate, parse_rates
from tests.support.people import Shopper, time_passes

pytestmark = pytest.mark.database

FIVE_AN_HOUR = Rate(5, 3600)
WINDOW = 10

FORGED = {
    "X-Forwarded-For": "1.1.1.1",
    "X-Real-IP": "1.1.1.1",
    "Forwarded": "for=1.1.1.1",
    "CF-Connecting-IP": "1.1.1.1",
    "True-Client-IP": "1.1.1.1",
    "X-Client-IP": "1.1.1.1",
    "X-Cluster-Client-IP": "1.1.1.1",
    "Via": "1.1.1.1",
}
JUNK = {
    "nothing": "",
    "a word": "unknown",
    "hidden": "_hidden",
    "markup": "<script>",
    "out of range": "999.1.1.1",
    "octal": "010.1.1.1",
    "short": "10.1",
    "a number": "16843009",
    "other digits": "١.١.١.١",
    "network": "10.0.0.0/8",
    "long": "1" * 10_000,
    "commas": "," * 1000,
    "NUL": "1.1.1.1\x00",
    "quotes": "'; DROP TABLE ratelimits_bucket; --",
}


@pytest.fixture
def by_ana(db):
    """Five an hour, for Ana."""
    return Limit("greetings", "ana", FIVE_AN_HOUR)


def take(*asked):
    """Spend, inside a transaction as every flow does; tells whether there was room."""
    try:
        with transaction.atomic():
            limits.enforce(*asked)
    except TooOften:
        return False
    return True


def wait_told(*asked):
    """The seconds a refusal asks for."""
    with pytest.raises(TooOften) as refusal, transaction.atomic():
        limits.enforce(*asked)
    return refusal.value.retry_after


# The window


def test_so_many_are_allowed_and_not_one_more(by_ana):  # LIM-09
    assert [take(by_ana) for _ in range(7)] == [True] * 5 + [False] * 2


def test_room_returns_when_the_oldest_is_an_hour_old(by_ana):  # LIM-09
    for _ in range(5):
        take(by_ana)

    time_passes(minutes=59, seconds=58)
    assert not take(by_ana)

    time_passes(seconds=2)
    assert take(by_ana)


def test_the_turn_of_the_hour_doubles_nothing(by_ana):  # LIM-09
    time_passes(minutes=59)
    assert [take(by_ana) for _ in range(5)] == [True] * 5

    time_passes(minutes=2)

    assert [take(by_ana) for _ in range(5)] == [False] * 5


def test_room_comes_back_one_by_one(by_ana):  # LIM-09
    for _ in range(5):
        take(by_ana)
        time_passes(minutes=10)

    time_passes(minutes=10)  # the first is an hour old, the second fifty minutes

    assert [take(by_ana) for _ in range(2)] == [True, False]


def test_a_refusal_does_not_make_the_wait_longer(by_ana):  # LIM-03
    for _ in range(20):
        take(by_ana)
    time_passes(minutes=59, seconds=59)
    take(by_ana)

    time_passes(seconds=1)

    assert take(by_ana)


@pytest.mark.parametrize(
    ("passed", "told"),
    [({}, 60), ({"minutes": 20}, 40), ({"minutes": 59, "seconds": 30}, 1)],
    ids=["at once", "later", "almost there"],
)
def test_the_wait_is_told_in_whole_minutes(by_ana, passed, told):  # LIM-08
    for _ in range(5):
        take(by_ana)
    time_passes(**passed)

    assert wait_told(by_ana) == told * 60


def test_the_longest_wait_is_the_one_that_is_told(db):  # LIM-08
    short, long = Limit("short", "ana", Rate(1, 60)), Limit("long", "ana", Rate(1, 86400))
    take(short, long)

    assert wait_told(short, long) == 86400


def test_a_stricter_setting_holds_for_what_was_counted_before(db):
    for _ in range(5):
        take(Limit("greetings", "ana", FIVE_AN_HOUR))

    assert not take(Limit("greetings", "ana", Rate(3, 3600)))
    assert take(Limit("greetings", "ana", Rate(6, 3600)))


def test_what_is_kept_does_not_grow(by_ana):
    for _ in range(5):
        take(by_ana)
    time_passes(hours=2)

    for _ in range(5):
        take(by_ana)

    assert len(Bucket.objects.get().hits) == 5 * STAMP


def test_two_people_have_a_limit_each(db):
    ana, bea = (Limit("greetings", who, Rate(1, 60)) for who in ("ana", "bea"))

    assert take(ana)
    assert take(bea)
    assert not take(ana)


def test_the_table_names_nobody(db):  # ENU-05
    take(
        *limits.registrations(ClientInfo(ip="203.0.113.7")), Limit("greetings", "ana", FIVE_AN_HOUR)
    )

    kept = " ".join(map(str, Bucket.objects.values_list()))
    assert "203.0.113.7" not in kept
    assert "ana" not in kept


@given(st.lists(st.integers(0, WINDOW + 2), min_size=4, max_size=14))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_than_three_in_any_ten_seconds(db, waits):  # LIM-09
    Bucket.objects.all().delete()
    limit, clock, taken = Limit("greetings", "ana", Rate(3, WINDOW)), 0, []

    for wait in waits:
        time_passes(seconds=wait)
        clock += wait
        recent = [moment for moment in taken if clock - moment < WINDOW]
        assert take(limit) == (len(recent) < 3)
        if len(recent) < 3:
            taken.append(clock)


# Several at once


def test_one_full_limit_spends_none_of_the_others(db):
    full, fresh = Limit("full", "ana", Rate(1, 60)), Limit("fresh", "ana", Rate(2, 60))
    take(full)

    assert not take(fresh, full)

    assert [take(fresh) for _ in range(3)] == [True, True, False]


def test_two_rates_hold_together(db):
    asked = [Limit("greetings", "ana", rate) for rate in parse_rates("2/m,3/h")]

    assert [take(*asked) for _ in range(3)] == [True, True, False]
    time_passes(minutes=1)
    assert [take(*asked) for _ in range(2)] == [True, False]


def test_asking_for_room_takes_none(by_ana):
    for _ in range(10):
        assert take(*peek([by_ana]))

    assert [take(by_ana) for _ in range(6)] == [True] * 5 + [False]


def test_asking_for_room_where_there_is_none_says_so(by_ana):
    for _ in range(5):
        take(by_ana)

    assert not take(*peek([by_ana]))
    assert wait_told(*peek([by_ana])) == 3600


def test_two_limits_with_one_bucket_are_refused_loudly(db):
    twice = [Limit("greetings", "ana", Rate(times, 60)) for times in (5, 50)]

    with pytest.raises(ValueError, match="one bucket for two of"):
        consume(*twice)

    assert not Bucket.objects.exists()


@pytest.mark.parametrize("way", [limits.enforce_durably, try_consume])
def test_one_limit_joins_no_transaction_either_that_could_take_it_back(by_ana, way):  # LIM-09
    with pytest.raises(RuntimeError), transaction.atomic():
        way(by_ana)


# The numbers in words


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("5/h", [(5, 3600)]),
        ("5/h,10/d", [(5, 3600), (10, 86400)]),
        ("30/10m", [(30, 600)]),
        ("1/s", [(1, 1)]),
        (" 5/h , 10/d ", [(5, 3600), (10, 86400)]),
    ],
)
def test_a_rate_is_read(text, read):
    assert list(parse_rates(text)) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5/",
        "/h",
        "5/x",
        "5/H",
        "-1/h",
        "five/h",
        "5/h,",
        "5/h 10/d",
        "5 per hour",
        "1.5/h",
        "5/h/d",
    ],
)
def test_what_is_no_rate_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="is not a rate like 5/h or 30/10m"):
        parse_rates(text)


@pytest.mark.parametrize("text", ["0/h", "5/0h", "5/h,0/d"])
def test_a_rate_that_would_limit_nothing_is_refused(text):
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rates(text)


# Who is counted: LIM-05, LIM-06


def come_from(ip="203.0.113.7", **headers):
    """The origin of a request from the socket `ip`."""
    return client_info(RequestFactory().get("/", REMOTE_ADDR=ip, headers=headers))


@pytest.mark.parametrize("name", FORGED)
def test_nobody_may_name_their_own_address(name):  # LIM-06
    assert come_from(**{name: FORGED[name]}).ip == "203.0.113.7"


def test_forty_forged_addresses_are_one_household(db):  # LIM-06, promise 1.2
    answers = []

    for n in range(23):
        eve = Shopper(
            "json",
            ip="203.0.113.7",
            **{"X-Forwarded-For": f"10.0.0.{n}", "X-Real-IP": f"10.1.0.{n}"},
        )
        answers.append(eve.identify(f"somebody{n}@example.com").status_code)

    assert answers == [200] * 20 + [429] * 3
    assert set(SecurityEvent.objects.values_list("ip", flat=True)) == {"203.0.113.7"}


@pytest.mark.parametrize(
    ("proxies", "said", "believed"),
    [
        (0, "1.1.1.1, 2.2.2.2", "203.0.113.7"),
        (1, "1.1.1.1, 2.2.2.2", "2.2.2.2"),
        (2, "1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (2, "9.9.9.9, 1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (1, "2.2.2.2", "2.2.2.2"),
        (1, "1.1.1.1,2.2.2.2", "2.2.2.2"),
        (1, "1.1.1.1, 2.2.2.2:4711", "2.2.2.2"),
        (1, "::ffff:2.2.2.2", "2.2.2.2"),
        (1, "2001:DB8:0::1", "2001:db8::1"),
        (1, "[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_only_our_own_proxies_are_believed(monkeypatch, proxies, said, believed):  # LIM-06
    monkeypatch.setattr(conf, "TRUSTED_PROXY_COUNT", proxies)

    assert come_from(**{"X-Forwarded-For": said}).ip == believed


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_a_proxy_that_says_nonsense_is_taken_for_the_client(monkeypatch, junk):  # LIM-06
    monkeypatch.setattr(conf, "TRUSTED_PROXY_COUNT", 1)

    assert come_from(**{"X-Forwarded-For": junk}).ip == "203.0.113.7"


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_a_shopper_from_nowhere_is_still_counted(monkeypatch, db, junk):  # LIM-06
    monkeypatch.setattr(conf, "REGISTER_PER_IP", parse_rates("1/h"))
    eve = Shopper("json", ip=junk)

    answers = [eve.identify(f"somebody{n}@example.com").status_code for n in range(2)]

    assert answers == [200, 429]


@pytest.mark.parametrize("ip", ["fe80::1%eth0", "::1%lo"])
def test_an_address_is_stored_without_its_zone(ip):  # LIM-06: PostgreSQL knows no zones
    assert "%" not in come_from(ip).ip


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("::ffff:cb00:7107", "203.0.113.7", True),
        ("64:ff9b::203.0.113.7", "203.0.113.7", True),
        ("64:ff9b::203.0.113.7", "64:ff9b::203.0.113.8", False),
        ("64:ff9b:1::203.0.113.7", "203.0.113.7", False),
    ],
    ids=[
        *("one /64", "two /64", "two of IPv4", "IPv4 in IPv6", "IPv4 in IPv6, hexadecimal"),
        *("NAT64", "two behind NAT64", "not NAT64"),
    ],
)
def test_a_household_is_a_64_of_ipv6_and_one_of_ipv4(one, other, together):  # LIM-05
    assert (come_from(one).networks[0] == come_from(other).networks[0]) is together


@given(st.text(), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_header_gives_an_address_and_a_short_agent(ip, agent):  # IDN-08, ABU-04
    request = RequestFactory().get("/", REMOTE_ADDR=ip, HTTP_USER_AGENT=agent)

    found = client_info(request)

    assert found.networks
    assert len(found.agent) <= AGENT_MAX
    assert found.agent.isascii()
