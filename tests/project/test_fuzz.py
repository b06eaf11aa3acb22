"""Every address and every field takes what people paste and programs send: nothing is an error of ours.

The addresses are those of the URL patterns, the fields those of the forms and of the pages themselves. By default each
field gets a few of the values, the same ones each time, and all addresses together get them all; before a release
(script/test --release) each field gets each of them.
"""

import json
import re
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlencode
from zlib import crc32

import pytest
from django.db import transaction
from django.urls import URLPattern, get_resolver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import conf
from accounts.models import User
from ratelimits.rates import Rate
from tests.support.pages import Page
from tests.support.people import LOGOUT, PASSWORD, REGISTER, Postbox, Shopper, make_shopper
from tests.support.staff import Member, let_in_staff, make_staff

ANA, PHONE = "ana@example.com", "+12025550123"
# How many values a field gets by default.
FEW = 1

TYPED = {
    "decomposed": "fac\u0327ade n\u0303andu\u0301 e\u0301lan",
    "another space": "correct\u00a0horse\u3000battery",
    "only an invisible": "\u200b",
    "only a filler": "\u3164",
    "an empty pattern": "\u2800",
    "an open override": "Ana\u202e",
    "an isolate closed twice": "\u2067Ana\u2069\u2069",
    "no character": "Ana\ufdd0\U0010ffff",
    "a tower of marks": "A" + "\u0301\u0316" * 60,
    "a page of marks": "A" + "\u0301\u0316" * 4000,
    "a joiner in the domain": "a@نامه\u200cای.com",
    "a digit with a dot": "me@⒈wouldbeinvalid.com",
    "a right-to-left domain": "a@1.אב.com",
    "a long domain": "a@" + "é" * 300 + ".com",
    "a broken label": "a@xn--0.com",
    "a link": "mailto:ana%40example.com?subject=%00",
    "brackets": "<ana@example.com>,",
    "two addresses": "ana@example.com,eve@example.com",
    "a dash that does not break": "+44 7400\u2011123456",
    "a variation selector": "+44\ufe0f 7400 123456",
    "the old form of Mexico": "+52 1 55 1234 5678",
    "no nine": "+54 11 2345 6789",
    "digits of another script": "+٤٤٧٤٠٠١٢٣٤٥٦",
    "only a plus": "+",
    "a whole text": "123456 is your code. Works for 10 minutes.\n\n@shop.example #123456",
    "superscripts": "²²²²²²",
    "a minus": "-1",
    "more than any number": "9" * 5000,
    "a fraction": "1e309",
    "a date past all dates": "999999-12-31T23:59:59Z",
    "a date before all dates": "0000-00-00",
    "NUL": "ana\x00@example.com",
    "a line feed": "a\r\nBcc: eve@example.com",
    "a line separator": "a\u2028b",
    "half a character": "ana\ud800",
    "a reserved name": "ad.min",
    "markup": "</script><img src=x onerror=alert(1)>{{ 7*7 }}",
    "a path up": "../../../../etc/passwd",
    "an address elsewhere": "//evil.example/\\",
    "an expression": "' OR 1=1 --",
    "very long": "x" * 60_000,
    "nothing": "",
}
# What JSON can say besides.
OTHER = {
    "a number": 123456,
    "a large number": 10**400,
    "a fraction of a number": -1.5e300,
    "yes": True,
    "null": None,
    "a list": ["123456"],
    "an object": {"a": [None]},
}
# What pages read from their addresses, and forms that are not on every page.
NAMES = {
    "next",
    "token",
    "link",
    "page",
    "to",
    "p",
    "o",
    "q",
    "e",
    "before",
    "since",
    "span",
    "kind",
    "attempt",
}
# Whoever may not be there.
DENIED = (401, 403, 409, 410)
# Codes, links and sessions last while a test runs, and no limit answers for a form.
ROOM = Rate(100_000, 3600)

pytestmark = pytest.mark.django_db


def addresses(resolver=None, prefix="/"):
    """Every address of the site that a pattern makes: its example, and what answers it."""
    for entry in (resolver or get_resolver()).url_patterns:
        pattern = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLPattern):
            yield example(pattern), entry.callback
        else:
            yield from addresses(entry, pattern)


def example(pattern):
    """An address that fits the pattern; of what may be anything it has something odd."""
    pattern = re.sub(r"\(\?P<\w+>([^|)]+)[^)]*\)", r"\1", pattern.replace("^", "").replace("$", ""))
    kinds = {"uuid": "00000000-0000-4000-8000-000000000000", "slug": "nobodys-0123"}
    return re.sub(r"<(\w+):\w+>", lambda found: kinds.get(found[1], "0\u200b1"), pattern)


def shop(callback):
    """The view class, for an address of the shop's; None in the admin."""
    return getattr(callback, "view_class", None)


ADDRESSES = [(at, callback) for at, callback in addresses() if at != LOGOUT]
SHOP = [each for each in ADDRESSES if not each[0].startswith("/admin/")]
ADMIN = [each for each in ADDRESSES if each[0].startswith("/admin/") and "logout" not in each[0]]


@pytest.fixture(autouse=True)
def _room(monkeypatch):
    """So much room that no limit answers instead of a form."""
    for name, value in vars(conf).items():
        if isinstance(value, Rate):
            monkeypatch.setattr(conf, name, ROOM)
        elif isinstance(value, tuple) and value and all(isinstance(each, Rate) for each in value):
            monkeypatch.setattr(conf, name, (ROOM,))
    monkeypatch.setattr(conf, "CODE_RESEND_COOLDOWN", timedelta(0))
    monkeypatch.setattr(conf, "CODE_MAX_ATTEMPTS", 10_000)


def stranger():
    """Nothing done yet."""
    return Shopper()


def begun():
    """A code is on its way."""
    shopper = Shopper()
    shopper.identify(ANA)
    return shopper


def unfinished():
    """The third step of a registration."""
    shopper = begun()
    shopper.verify(Postbox().code(ANA))
    return shopper


def finished():
    """Signed in, with a second contact that waits for its code."""
    shopper = Shopper()
    make_shopper(shopper, ANA)
    shopper.post("/account/contacts/phone/", contact=PHONE)
    return shopper


def member():
    """Somebody who may do everything on the staff pages."""
    staff = Member()
    make_staff()
    make_shopper(Shopper(), ANA)
    let_in_staff(staff.client)
    return staff


def at_the_staff_door():
    """The first page of the staff pages, and a code that waits."""
    staff = Member()
    make_staff()
    staff.client.post("/admin/login/", {"username": "boss", "password": "a long staff secret"})
    return staff


STATES = {
    stranger: SHOP,
    begun: SHOP,
    unfinished: SHOP,
    finished: SHOP,
    at_the_staff_door: ADMIN[:12],
    member: ADMIN,
}


@contextmanager
def nothing_stands(shopper):
    """Take rows and cookies back."""
    cookies = shopper.client.cookies.copy()
    atomic = transaction.atomic()
    # As Django marks those of a test: what is durable for the site ends here.
    atomic._from_testcase = True
    with atomic:
        yield
        transaction.set_rollback(True)
    shopper.client.cookies = cookies


def here(address):
    """The address, with the id of a row that is there in the place of one that is not."""
    pk = User.objects.values_list("pk", flat=True).first()
    return address.replace("0\u200b1", str(pk)) if "/user/" in address and pk else address


def fields(shopper, address, callback):
    """The names that are read at an address: those of its form, and of the page; one where nobody here may go."""
    form = getattr(shop(callback), "form_class", None)
    names = NAMES | set(getattr(form, "base_fields", ()))
    with nothing_stands(shopper):
        denied = shopper.client.post(address, headers={"Accept": "application/json"})
        if denied.status_code in DENIED:
            return ["next"]
        answer = shopper.client.get(address)
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            names |= {name for each in Page(answer).forms for name in each["fields"]}
    return sorted(names - {"csrfmiddlewaretoken"})


def some(values, seed, is_release):
    """All values for a release; else a few, which the seed chooses."""
    names, start = list(values), crc32(seed.encode())
    count = len(names) if is_release else FEW
    return [values[names[(start + number) % len(names)]] for number in range(count)]


def few(names, address, most=3):
    """All names, or in the admin, whose pages are many and slow, a few: which, the address chooses."""
    if not address.startswith("/admin/"):
        return names
    start = crc32(address.encode())
    return [names[(start + number) % len(names)] for number in range(min(most, len(names)))]


def send(shopper, address, values, kind):
    """One request with these values; what cannot be written in a kind is written as near as a program would."""
    texts = {name: str(value).encode(errors="surrogatepass") for name, value in values.items()}
    if kind == "json":
        headers, body = {"Accept": "application/json"}, json.dumps(values)
        return shopper.client.post(address, body, content_type="application/json", headers=headers)
    if kind == "get":
        return shopper.client.get(f"{address}?{urlencode(texts)[:4000]}")
    headers = {"HX-Request": "true"} if kind == "htmx" else {}
    form = "application/x-www-form-urlencoded"
    return shopper.client.post(address, urlencode(texts), content_type=form, headers=headers)


KINDS = ("json", "page", "htmx", "get")


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_no_field_of_any_address_brings_about_an_error(state, is_release):  # IDN-08, IDN-10, COD-10
    shopper, asked = state(), 0

    for address, callback in STATES[state]:
        address = here(address)
        names = fields(shopper, address, callback)
        for name in names if is_release else few(names, address):
            for value in some(TYPED | OTHER, f"{address} {name}", is_release):
                kind = KINDS[crc32(f"{address} {name} {value}".encode(errors="replace")) % 4]
                with nothing_stands(shopper):
                    answer = send(
                        shopper, address, {"name": "Ana", "password": PASSWORD, name: value}, kind
                    )
                asked += 1
                assert answer.status_code < 500, (address, name, value, kind)
    assert asked >= FEW * len(STATES[state])


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_no_value_in_all_fields_at_once_does(state, is_release):  # IDN-08, IDN-10
    shopper = state()

    for address, callback in STATES[state]:
        address = here(address)
        names = fields(shopper, address, callback)
        for value in some(TYPED | OTHER, address, is_release):
            for kind in KINDS if is_release else few(KINDS, address, 1):
                with nothing_stands(shopper):
                    answer = send(shopper, address, dict.fromkeys(names, value), kind)
                assert answer.status_code < 500, (address, value, kind)


PARTS = st.sampled_from([*TYPED.values(), "ana@example.com", "+447400123456", "123456", "Ana"])
LETTERS = st.characters(codec=None, max_codepoint=0x10FFFF)
TEXTS = st.builds(
    lambda one, letters, other: f"{one[:200]}{letters}{other[:200]}",
    PARTS,
    st.text(LETTERS, max_size=8),
    PARTS,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    text=TEXTS,
    kind=st.sampled_from(KINDS),
    at=st.sampled_from([REGISTER, "/login/", "/register/verify/"]),
)
def test_no_mixture_of_them_does(a_beginning, text, kind, at):  # IDN-08, IDN-10
    names = ("identifier", "name", "username", "password", "password_confirm", "code", "next")
    values = dict.fromkeys(names, text)

    with nothing_stands(a_beginning):
        assert send(a_beginning, at, values, kind).status_code < 500


@pytest.fixture
def a_beginning(db):
    return begun()


def test_every_address_has_an_example_that_fits(client):
    assert len(SHOP) > 35
    assert len(ADMIN) > 60
    for address, _callback in ADDRESSES:
        assert not re.search(r"[<>^$|()?]", address.replace("(?P<url>.*)", "")), address


def test_all_addresses_together_get_every_value():
    given = set()
    for address, callback in [*SHOP, *ADMIN]:
        form = getattr(shop(callback), "form_class", None)
        for name in NAMES | set(getattr(form, "base_fields", ())):
            given |= {str(value) for value in some(TYPED | OTHER, f"{address} {name}", False)}

    assert given == {str(value) for value in (TYPED | OTHER).values()}
