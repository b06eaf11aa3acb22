"""What no person types: every field takes it calmly, at most one try is spent, and nothing breaks."""

import json
import re

import pytest
from django.contrib.auth import hashers
from django.test import Client

from accounts import conf
from accounts.models import Challenge, Session, User
from ratelimits.rates import parse_rates
from tests.support.pages import words
from tests.support.people import (
    CHANGE,
    COMPLETE,
    HOME,
    LINK,
    LOGOUT,
    REGISTER,
    RESEND,
    VERIFY,
    Shopper,
)

CONTACT = "/account/contact/"
EMAIL = "ana@example.com"
CALM = {200, 303, 400, 409, 410, 413, 415, 422, 429}

STEP_ONE = (
    "identifier next hints keep email phone name first_name last_name username password "
    "password_confirm password2"
).split()
FIELDS = {
    REGISTER: STEP_ONE,
    CHANGE: STEP_ONE,
    VERIFY: ["code", "otp", "username"],
    CONTACT: ["code", "otp", "username"],
    COMPLETE: ["name", "password", "username", "contact", "next"],
    LINK: ["token"],
}
PLACES = [(url, field) for url, fields in FIELDS.items() for field in fields]

# As they stand in a JSON text, so that what Python could not write is there too.
JSON_VALUES = [
    r'"\u0000"',
    r'"ana\u0000@example.com"',
    r'"\ud800"',
    r'"\udc00\ud800"',
    r'"a\r\nBcc: eve@example.com"',
    "1e999",
    "NaN",
    "123456",
    "9" * 400,
    "9" * 5000,
    "true",
    "null",
    "[]",
    "{}",
    '["000000"]',
    '[["a"], {"b": null}]',
    "[" * 1000 + "]" * 1000,
    '{"a":' * 1000 + "1" + "}" * 1000,
    '"' + "x" * 60000 + '"',
    '"' + r"\u202e" * 200 + '"',
]
FORM_VALUES = [
    "\x00",
    "ana\x00@example.com",
    "a\r\nBcc: eve@example.com",
    "\u202e" * 200,
    "x" * 60000,
    "<img src=x onerror=alert(1)></script><script>",
]


def there(url, shopper, postbox):
    """Bring a shopper to the page where the field is."""
    if url in (VERIFY, CHANGE):
        shopper.identify(EMAIL)
    elif url == CONTACT:
        shopper.signs_up(EMAIL, contact="+12025550123")
    elif url == COMPLETE:
        shopper.identify(EMAIL)
        shopper.verify(postbox.code())
    return shopper


def right(url):
    """Fields that are as they should be, so that the bad one is alone."""
    return {COMPLETE: {"name": "Ana", "password": "correct horse battery"}}.get(url, {})


@pytest.fixture(autouse=True)
def _room(monkeypatch):
    """So many requests that the limits would answer them."""
    for name in ("REGISTER_PER_IP", "MESSAGES_PER_RECIPIENT", "CODE_GUESSES_PER_ID"):
        monkeypatch.setattr(conf, name, parse_rates("1000/h"))


@pytest.mark.parametrize("url", FIELDS)
def test_json_of_any_kind_is_answered_calmly(postbox, url):  # IDN-08
    shopper = there(url, Shopper("json"), postbox)

    for value in JSON_VALUES:
        body = ", ".join(f'"{field}": {value}' for field in FIELDS[url])
        answer = shopper.client.post(url, f"{{{body}}}", content_type="application/json")
        assert answer.status_code in CALM, value[:40]
        assert isinstance(answer.json()["success"], bool)


@pytest.mark.sample(14)
@pytest.mark.parametrize(("url", "field"), PLACES, ids=lambda value: value.strip("/"))
def test_every_field_takes_odd_json_calmly(postbox, url, field):  # IDN-08
    shopper = there(url, Shopper("json"), postbox)

    for value in (r'"a\u0000b"', r'"\ud800"', "1e999", "[[]]", '{"a": 1}'):
        body = json.dumps(right(url) | {field: "?"}).replace('"?"', value)
        answer = shopper.client.post(url, body, content_type="application/json")
        assert answer.status_code in CALM, value
        assert not answer.json()["success"] or url in (REGISTER, CHANGE)


@pytest.mark.sample(5)
@pytest.mark.parametrize("url", FIELDS)
@pytest.mark.parametrize("face", ["page", "htmx"])
def test_text_of_any_kind_is_answered_calmly(postbox, url, face):  # IDN-08, WEB-08
    shopper = there(url, Shopper(face), postbox)

    for value in FORM_VALUES:
        answer = shopper.post(url, dict.fromkeys(FIELDS[url], value[:4000]))
        assert answer.status_code in CALM, value[:40]
        assert b"<img src=x" not in answer.content
        assert b"<script>" not in answer.content


@pytest.mark.sample(14)
@pytest.mark.parametrize(("url", "field"), PLACES, ids=lambda value: value.strip("/"))
def test_every_field_takes_odd_text_calmly(postbox, url, field):  # IDN-08
    shopper = there(url, Shopper("htmx"), postbox)

    for value in ("a\x00b", "x" * 60000):
        assert shopper.post(url, right(url), **{field: value}).status_code in CALM


@pytest.mark.parametrize("field", STEP_ONE)
def test_a_nul_or_half_a_letter_is_refused_in_every_field(db, field):  # IDN-08
    shopper = Shopper("json")
    mine = {} if field in ("identifier", "email", "phone") else {"identifier": EMAIL}

    for value in ("a\x00b", "a\ud800b"):
        refused = shopper.post(REGISTER, mine, **{field: value})
        if "password" not in field:
            assert refused.json()["errors"][field] == [
                "Use letters, digits and ordinary signs only"
            ]
        assert not Challenge.objects.exists() or field == "password"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\xff\xfe", 400),
        (b'{"identifier": "\xff"}', 400),
        (b'{"identifier": "ana@example.com"', 400),
        (b'"ana@example.com"', 400),
        (b"[" * 30000, 400),
        (b'{"a":' * 10000, 400),
        (b"{" + b",".join(b'"%d":1' % number for number in range(100_000)) + b"}", 413),
        (b"{" + b",".join(b'"%d":1' % number for number in range(6_000)) + b"}", 400),
        (b'{"identifier": "eve@example.com", "identifier": "ana@example.com"}', 200),
        ('{"identifier": "ana@example.com"}'.encode("utf-16"), 200),
        (b'{"__proto__": {"success": true}, "identifier": "ana@example.com"}', 200),
    ],
    ids=[
        "no text", "broken letter", "cut off", "a text", "deep", "deeper", "100000 keys",
        "6000 keys", "twice", "utf-16", "prototype",
    ],
)  # fmt: skip
def test_a_json_body_of_any_shape_is_answered_calmly(postbox, body, status):  # IDN-08
    answer = Client().post(REGISTER, body, content_type="application/json")

    assert answer.status_code == status
    assert [message["to"] for message in postbox.messages()] == ([EMAIL] if status == 200 else [])


@pytest.mark.parametrize("face", ["page", "htmx"])
@pytest.mark.parametrize(
    "body",
    [
        b"&" * 60000,
        b"&".join(b"f%d=1" % number for number in range(51)),
        b"identifier=%ff%fe%00",
        b"identifier=" + b"%25" * 2000,
        b"identifier[]=a&identifier.b=c&=&==&%=",
        b"csrfmiddlewaretoken=a&csrfmiddlewaretoken=b",
    ],
    ids=["ampersands", "51 fields", "broken letters", "percents", "odd names", "two tokens"],
)
def test_a_form_body_of_any_shape_is_answered_calmly(db, face, body):  # IDN-08
    kind = "application/x-www-form-urlencoded"
    headers = {"HX-Request": "true"} if face == "htmx" else {}

    for client in (Client(), Client(enforce_csrf_checks=True)):
        assert client.post(REGISTER, body, content_type=kind, headers=headers).status_code in (
            {400, 403, 422}
        )


@pytest.mark.parametrize("file", [b"", b"\x00" * 100], ids=["empty", "binary"])
def test_a_file_in_place_of_a_text_is_no_text(ana, tmp_path, file):  # IDN-08
    (tmp_path / "file").write_bytes(file)
    with (tmp_path / "file").open("rb") as upload:
        answer = ana.post(REGISTER, identifier=upload)

    assert answer.status_code == 422
    assert "Enter your email address or mobile number" in words(answer)


# Cookies, addresses and headers


BAD_COOKIES = [
    "",
    "x",
    "x" * 40,
    "x" * 4000,
    r'"\000aaaaaaaaaaaaaaa"',
    r'"\303\050aaaaaaaaaaaa"',
    "\u00e9" * 32,
    "../../../../etc/passwd",
    "' OR 1=1 --aaaaaaaaaaa",
    "%00" * 12,
    "a;b=c",
]


@pytest.mark.sample(12)
@pytest.mark.parametrize("name", ["__Host-session", "__Host-csrftoken", "__Host-messages"])
@pytest.mark.parametrize("value", BAD_COOKIES, ids=lambda value: ascii(value)[:20])
def test_a_broken_cookie_is_no_cookie(db, name, value):  # IDN-08, SES-02
    client = Client(headers={"Cookie": f"{name}={value}"})

    assert client.get(HOME).status_code == 200
    assert client.get(VERIFY).headers["Location"] == REGISTER
    assert client.post(REGISTER, {"identifier": EMAIL}).headers["Location"].startswith(VERIFY)
    assert not Session.objects.filter(pk__contains="x").filter(pk=value).exists()


@pytest.mark.parametrize(
    "query",
    ["%00", "token=%00", "next=%00", "next=" + "/" * 7000, "token=" + "%ff" * 99, "&" * 999],
)
def test_a_query_of_any_kind_is_answered_calmly(ana, query):  # IDN-08
    for url in (REGISTER, LINK, "/mailbox/"):
        assert ana.get(f"{url}?{query}").status_code in CALM


@pytest.mark.parametrize(
    "path", ["/%00/", "/%ff%fe/", "/register/%0d%0aX: y/", "/" + "a/" * 2000, "/..%2f/"]
)
def test_a_path_of_any_kind_is_not_found(ana, path):  # IDN-08
    assert ana.get(path).status_code == 404


HEADERS = [
    ("User-Agent", "\x00\r\n\x1b" + "x" * 9000),
    ("User-Agent", "\u00e9\u202e"),
    ("X-Forwarded-For", "unknown"),
    ("X-Forwarded-For", ",,,"),
    ("X-Forwarded-For", "1.2.3.4:99"),
    ("X-Forwarded-For", "::ffff:1.2.3.4"),
    ("X-Forwarded-For", "1" * 9000),
    ("Accept-Language", "x" * 9000),
    ("Content-Length", "-1"),
    ("Content-Length", "x"),
    ("Content-Type", "application/json; charset=nonsense"),
    ("Content-Type", ";;;"),
    ("HX-Current-URL", "\x00//"),
    ("Referer", "//[::"),
]


@pytest.mark.parametrize(
    ("name", "value"), HEADERS, ids=[f"{name} {ascii(value)[:16]}" for name, value in HEADERS]
)
def test_a_header_of_any_kind_is_answered_calmly(db, monkeypatch, name, value):  # IDN-08, LIM-06
    monkeypatch.setattr(conf, "TRUSTED_PROXY_COUNT", 1)
    client = Client(headers={"HX-Request": "true"})

    answers = [
        client.get(REGISTER, headers={name: value}),
        client.post(REGISTER, {"identifier": EMAIL}, headers={name: value}),
    ]

    assert all(answer.status_code in CALM for answer in answers)


# Sizes, before any work (IDN-09)


@pytest.fixture
def hashed(monkeypatch):
    """The passwords that were hashed."""
    seen = []
    hasher = type(hashers.get_hasher())
    encode = hasher.encode
    monkeypatch.setattr(
        hasher,
        "encode",
        lambda self, password, salt: seen.append(1) or encode(self, password, salt),
    )
    return seen


@pytest.mark.parametrize("size", [129, 60_000, 2_400_000])
@pytest.mark.parametrize("url", [REGISTER, COMPLETE, "/admin/login/"])
def test_a_huge_password_costs_nothing(ana, postbox, hashed, url, size):  # IDN-09
    there(url, ana, postbox)
    hashed.clear()
    fields = {"identifier": EMAIL, "name": "Ana", "username": "somebody"}

    answer = ana.post(url, fields, password="x" * size)

    assert answer.status_code in (200, 413, 422)
    assert not hashed
    assert not User.objects.exclude(completed_at=None).exists()


def test_an_ordinary_password_is_hashed_once(ana, postbox, hashed):  # IDN-09: the counter counts
    there(COMPLETE, ana, postbox)
    hashed.clear()

    ana.complete()

    assert len(hashed) == 1


LONGEST = {
    "identifier": 320,
    "email": 320,
    "phone": 64,
    "name": 150,
    "first_name": 150,
    "last_name": 150,
    "username": 32,
    "password": 128,
}


@pytest.mark.parametrize(("field", "longest"), LONGEST.items(), ids=LONGEST)
def test_every_field_has_a_largest_size(db, field, longest):  # IDN-09
    mine = {} if field in ("identifier", "email", "phone") else {"identifier": EMAIL}

    refused = Shopper("json").post(REGISTER, mine, **{field: "x" * (longest + 1)})

    assert field in refused.json()["errors"]


# Codes of every shape: at most one guess (COD-10)


SHAPES = [
    "", "12345", "1234567", "²²²²²²", "1e5", "+12345", "0x1F", "123456\x00", "x" * 10_000, "١٢٣٤٥",
    "１２３４５６７", "12 34 5", "1" * 33, "123456 654321", "-123456", "\u202e123456", "Ⅵ", "½½½½½½", "𝟏𝟐𝟑",
]  # fmt: skip


@pytest.mark.parametrize("code", SHAPES, ids=lambda code: ascii(code)[:16])
def test_a_code_of_any_shape_is_one_guess_at_most(ana, code):  # COD-10
    ana.identify(EMAIL)

    assert ana.verify(code).status_code == 422

    assert Challenge.objects.get().tries_left >= conf.CODE_MAX_ATTEMPTS - 1
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "shape",
    [r" \1\2 ", r"\1 \2", r"\1-\2", r"Code: \1\2", "\\1\u2009\\2", "\u200e\\1\\2\n"],
    ids=ascii,
)
def test_a_code_may_be_pasted_with_its_surroundings(ana, postbox, shape):  # COD-10, ux 26
    ana.identify(EMAIL)

    pasted = re.sub(r"(\d{3})(\d{3})", shape, postbox.code())

    assert ana.verify(pasted).to == COMPLETE


@pytest.mark.parametrize("zero", "０٠۰০", ids=["full-width", "Arabic", "Persian", "Bengali"])
def test_a_code_may_be_typed_in_the_digits_of_any_script(ana, postbox, zero):  # ux 28
    ana.identify(EMAIL)

    typed = "".join(chr(ord(zero) + int(digit)) for digit in postbox.code())

    assert ana.verify(typed).to == COMPLETE


@pytest.mark.parametrize(
    "code", [123456, 0, None, True, {}, [], ["000000"] * 1000, {"code": "000000"}, 1.5]
)
def test_a_code_that_is_no_text_is_not_tried(db, code):  # COD-10
    shopper = Shopper("json")
    shopper.identify(EMAIL)

    assert shopper.verify(code).status_code == 400
    assert Challenge.objects.get().tries_left == conf.CODE_MAX_ATTEMPTS


@pytest.mark.parametrize(("times", "left"), [(1000, 5), (40, 4)])
def test_many_codes_in_one_request_are_one_guess(ana, times, left):  # COD-10
    ana.identify(EMAIL)

    answer = ana.post(VERIFY, code=[f"{number:06d}" for number in range(times)])

    assert answer.status_code in (400, 413, 422)
    assert Challenge.objects.get().tries_left == left


@pytest.mark.parametrize("url", [RESEND, LOGOUT])
def test_a_button_reads_no_body(anyone, url):  # IDN-08
    anyone.identify(EMAIL)

    answer = anyone.client.post(url, b"\xff\x00", content_type="application/octet-stream")

    assert answer.status_code in (303, 429)
