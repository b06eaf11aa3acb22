"""Who is one household: an address of IPv4; in IPv6 a /64 and, with more allowance, the /56 and /48 around it."""

import ipaddress
import random

import pytest
from django.db import transaction

from accounts import conf, limits
from accounts.errors import TooOften
from accounts.identifiers import parse
from accounts.models import SecurityEvent
from accounts.sessions.client import ClientInfo
from ratelimits.models import Bucket
from ratelimits.rates import parse_rates
from tests.support.people import LOGIN, PASSWORD, Shopper

pytestmark = pytest.mark.database

SITE = int(ipaddress.IPv6Address("2001:db8:1::"))
ALLOWED = 2


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    """One household may begin two registrations an hour."""
    monkeypatch.setattr(conf, "REGISTER_PER_IP", parse_rates(f"{ALLOWED}/h"))


def at(number):
    """An address in the /64 of this number within one /48."""
    return str(ipaddress.IPv6Address(SITE + (number << 64) + random.getrandbits(32) + 1))


def signs_up(ip, who):
    """Somebody from there begins to register."""
    return Shopper("json", ip=ip).identify(who).status_code


def sign_ups(*ips):
    """What so many sign-ups, one from each address, are answered."""
    return [signs_up(ip, f"somebody{number}@example.com") for number, ip in enumerate(ips)]


# Each width with its number of /64s: all in one, those of a /56, those of a /48.
WIDTHS = {"a /64": ([7], 1), "a /56": (range(0, 256, 5), 4), "a /48": (range(0, 65536, 300), 16)}


@pytest.mark.parametrize(("homes", "times"), WIDTHS.values(), ids=WIDTHS)
def test_each_width_has_its_allowance_and_not_one_more(db, homes, times):  # LIM-11, LIM-05
    homes = [home for home in homes for _ in range(ALLOWED)]
    room = ALLOWED * times

    answers = sign_ups(*(at(homes[n % len(homes)]) for n in range(room + 1)))

    assert answers == [200] * room + [429]


def test_a_neighbour_in_another_network_goes_on(db):  # LIM-11, LIM-05
    sign_ups(*(at(n) for n in range(ALLOWED * 16 + 1)))

    assert signs_up("2001:db8:2::1", "ana@example.com") == 200
    assert signs_up("203.0.113.7", "bea@example.com") == 200


@pytest.mark.parametrize("written", ["{}", "::ffff:{}", "64:ff9b::{}"])
def test_an_address_of_ipv4_is_one_household_however_it_is_written(db, written):  # LIM-05, LIM-06
    assert sign_ups(*["203.0.113.7"] * ALLOWED) == [200] * ALLOWED

    assert signs_up(written.format("203.0.113.7"), "last@example.com") == 429
    assert signs_up(written.format("203.0.113.8"), "next@example.com") == 200


def test_a_site_that_is_full_adds_no_rows_from_however_many_homes(db):  # LIM-09, LOG-01
    sign_ups(*(at(n << 8) for n in range(ALLOWED * 16)))
    home = random.Random(11)
    for _ in range(40):
        signs_up(at(home.getrandbits(16)), "eve@example.com")
    before = Bucket.objects.count()

    answers = {signs_up(at(home.getrandbits(16)), "eve@example.com") for _ in range(50)}

    assert answers == {429}
    assert Bucket.objects.count() == before
    assert SecurityEvent.objects.filter(kind="limit_hit").count() == 16


def test_a_hit_of_a_household_cannot_be_taken_back(db):  # LIM-09
    with pytest.raises(RuntimeError), transaction.atomic(), transaction.atomic():
        limits.enforce_durably(*limits.registrations(ClientInfo(ip=at(1))))


def test_a_network_that_is_full_takes_nothing_from_the_narrower_ones(db):
    narrow, _middle, wide = limits.registrations(ClientInfo(ip=at(1)))
    for _ in range(wide.rate.times):
        limits.enforce_durably(wide)

    with pytest.raises(TooOften):
        limits.enforce_durably(narrow, wide)

    assert not Bucket.objects.filter(key=narrow.key).exists()


@pytest.mark.parametrize(("one", "other"), [("gmail.com", "googlemail.com")])
def test_two_names_of_one_mail_service_are_one_mailbox_and_two_accounts(one, other):  # ABU-01
    first, second = parse(f"a.na+x@{one}"), parse(f"Ana@{other}")

    assert first.mailbox == second.mailbox == "ana@gmail.com"
    assert first.key != second.key


def test_googlemail_gets_no_messages_on_top_of_those_of_gmail(db, monkeypatch):  # ABU-01
    monkeypatch.setattr(conf, "REGISTER_PER_IP", parse_rates("20/h"))
    names = [f"a{'.' * (n % 2)}na+{n}@{['gmail', 'googlemail'][n % 2]}.com" for n in range(6)]

    answers = [signs_up("203.0.113.7", name) for name in names]

    # Four for strangers; the fifth is kept for the owner (LIM-12).
    assert answers == [200] * 4 + [429] * 2


def test_a_wrong_password_from_ipv6_is_refused_like_any_other(db):  # LIM-05
    answer = Shopper("json", ip=at(3)).post(LOGIN, identifier="nobody", password=PASSWORD)

    assert answer.status_code == 400
