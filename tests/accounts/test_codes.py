"""One-time codes and link tokens: the arithmetic, and what nobody may learn or change."""

import ast
import hmac
import re
import string
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import example, given
from hypothesis import strategies as st

from accounts import codes, conf
from accounts.flows import challenge as challenges
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose
from accounts.sessions.client import ClientInfo

# RFC 4226, Appendix D: HMAC-SHA-1 over the counters 0 to 9.
RFC_KEY = b"12345678901234567890"
RFC_CODES = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489".split()

# With 9 degrees of freedom chance alone goes beyond this once in 100,000 times.
CHI_SQUARED_MAX = 39.4

MANY = 4000
SOURCES = [
    path
    for folder in ("accounts", "jobs", "messaging", "ratelimits")
    for path in Path(folder).rglob("*.py")
]

MANGLED_IN_TRANSIT = {
    "as sent": "123456",
    "spaces around": "  123456\n",
    "space inside": "123 456",
    "no-break space": "123\u00a0456",
    "thin space": "123\u2009456",
    "dash": "123-456",
    "en dash": "123\u2013456",
    "dots": "12.34.56",
    "each apart": "1 2 3 4 5 6",
    "with its words": "Code: 123456",
    "with a full stop": "123456.",
    "a whole sentence": "123456 is your Storefront code",
    "last line of a text": "@shop.example #123456",
    "full width": "１２３４５６",
    "Arabic": "١٢٣٤٥٦",
    "Persian": "۱۲۳۴۵۶",
    "Bengali": "১২৩৪৫৬",
    "Devanagari": "१२३४५६",
    "mixed scripts": "12३४٥٦",
}
NO_SINGLE_CODE = {
    "nothing": "",
    "white space": " \t\n",
    "words": "abcdef",
    "two codes": "123456 or 654321",
    "two codes, comma": "123456,654321",
    "exponent": "1e5",
    "hexadecimal": "0x1F",
    "superscripts": "²²²²²²",
    "circled": "①②③④⑤⑥",
    "Roman": "ⅠⅡⅢⅣⅤⅥ",
    "fractions": "½½½½½½",
}


@pytest.fixture
def ana(db):
    """An attempt at ana@example.com, as the database keeps it."""
    return challenges.issue(Purpose.REGISTER, parse("ana@example.com"), client=ClientInfo())


@pytest.fixture(scope="module")
def many():
    """What a few thousand attempts would be sent."""
    key = codes.current_key_id()
    return [codes.derive_code(codes.new_seed(), key, "register", str(n)) for n in range(MANY)]


# Shape: COD-01


def test_a_code_is_exactly_so_many_ascii_digits(many):  # COD-01
    shape = re.compile(rf"[0-9]{{{conf.CODE_LENGTH}}}", re.ASCII)

    assert [code for code in many if not shape.fullmatch(code)] == []


def test_leading_zeros_stay(many):  # COD-01
    share = sum(code.startswith("0") for code in many) / MANY

    assert 0.08 < share < 0.12


@pytest.mark.parametrize("position", range(6))
def test_every_digit_is_as_likely_as_any_other(many, position):  # COD-01
    seen = Counter(code[position] for code in many)

    expected = MANY / 10
    distance = sum((seen[digit] - expected) ** 2 / expected for digit in string.digits)
    assert distance < CHI_SQUARED_MAX


@pytest.mark.parametrize("length", [6, 7, 8])
def test_the_setting_gives_the_length(monkeypatch, length):  # COD-01
    monkeypatch.setattr(conf, "CODE_LENGTH", length)

    assert len(codes.derive_code(codes.new_seed(), codes.current_key_id())) == length


@pytest.mark.parametrize(("counter", "code"), list(enumerate(RFC_CODES)))
def test_digits_are_cut_as_rfc_4226_has_it(counter, code):  # COD-01
    digest = hmac.digest(RFC_KEY, counter.to_bytes(8, "big"), "sha1")

    assert codes.truncate(digest, 6) == code


# What it is derived from: COD-03


def test_every_seed_has_160_bits_of_its_own():  # COD-03
    seeds = {codes.new_seed() for _ in range(10_000)}

    assert len(seeds) == 10_000
    assert {len(seed) for seed in seeds} == {20}


def test_an_attempt_keeps_its_seed_and_never_its_code(ana):  # COD-02, COD-03
    row = Challenge.objects.filter(pk=ana.pk).values().get()

    assert len(bytes(row.pop("seed"))) == codes.SEED_BYTES
    assert ana.code not in " ".join(map(str, row.values()))


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": Purpose.CONTACT},
        {"recipient": "bea@example.com"},
        {"kind": "phone"},
        {"seed": bytes(codes.SEED_BYTES)},
        {"sends": 2},
        {"key_id": "00000000"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whoever_changes_the_row_changes_the_code(ana, change):  # COD-03, COD-08
    Challenge.objects.filter(pk=ana.pk).update(**change)

    changed = Challenge.objects.get(pk=ana.pk)
    assert changed.code != ana.code
    assert not changed.is_current_code(ana.code)


def test_a_copy_of_the_row_has_another_code(ana):  # COD-03
    before = ana.code

    ana.pk = None
    ana.save(force_insert=True)

    assert Challenge.objects.count() == 2
    assert ana.code != before


def test_a_database_in_other_hands_tells_no_code(ana, settings):  # COD-03
    before = ana.code

    settings.CODE_KEYS = [bytes(32)]

    assert ana.code != before


def test_an_older_key_still_checks_what_it_made(ana, settings):  # COD-03
    before = ana.code

    settings.CODE_KEYS = [bytes(32), *settings.CODE_KEYS]

    assert ana.is_current_code(before)
    assert codes.current_key_id() != ana.key_id


def test_a_retired_key_makes_no_code_twice(ana, settings):  # COD-03
    settings.CODE_KEYS = [bytes(32)]

    assert len({ana.code for _ in range(20)}) > 1  # not a fallback that two processes could share


def test_the_code_key_is_not_the_secret_key(ana):  # COD-03
    assert settings.SECRET_KEY.encode() not in settings.CODE_KEYS
    assert min(map(len, settings.CODE_KEYS)) >= 32


# Comparison: COD-12


def test_the_same_code_is_the_same_and_no_other():  # COD-12
    assert codes.is_same("123456", "123456")
    assert not codes.is_same("123456", "123457")
    assert not codes.is_same("123456", "12345")
    assert not codes.is_same("", "123456")


def test_no_secret_is_compared_in_a_way_that_leaks_time():  # COD-12
    guilty = [
        f"{path}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare) and _compares_secret(node)
    ]

    assert guilty == []


def _compares_secret(node):
    """Whether `==`, `!=` or `in` stands beside something that is called a code, a token or what was typed."""
    equal = any(isinstance(how, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for how in node.ops)
    sides = [side for side in [node.left, *node.comparators] if not isinstance(side, ast.Call)]
    names = {getattr(side, "attr", getattr(side, "id", "")) for side in sides}
    return equal and bool(names & {"code", "link_token", "token", "typed", "proof", "seed"})


@pytest.mark.parametrize("line", ["typed == row.code", "token in tokens", "code != self._code(1)"])
def test_the_guard_above_would_bite(line):
    assert _compares_secret(ast.parse(line, mode="eval").body)


@pytest.mark.parametrize("method", ["is_current_code", "is_earlier_code", "find_by_token"])
def test_the_row_compares_in_constant_time(method):  # COD-12
    tree = ast.parse(Path("accounts/models/challenges.py").read_text())

    body = next(node for node in ast.walk(tree) if getattr(node, "name", "") == method)
    assert "codes.is_same(" in ast.unparse(body)


# Reading what was typed: ux 26, ux 28, COD-10


@pytest.mark.parametrize("typed", MANGLED_IN_TRANSIT.values(), ids=MANGLED_IN_TRANSIT)
def test_a_code_is_read_however_it_arrives(typed):  # ux 26, ux 28
    assert codes.extract_digits(typed) == "123456"


@pytest.mark.parametrize("typed", NO_SINGLE_CODE.values(), ids=NO_SINGLE_CODE)
def test_what_holds_no_single_code_is_no_code(typed):  # COD-10, ux 35
    read = codes.extract_digits(typed)

    assert len(read) != conf.CODE_LENGTH


def test_a_leading_zero_is_a_digit_like_any_other():  # COD-01
    assert codes.extract_digits("012 345") == "012345"


@given(st.text())
@example("\ud800123456")
@example("1" * 10_000)
@example("000000\n" * 1000)
def test_one_answer_is_at_most_one_guess(typed):  # COD-10
    assert re.fullmatch("[0-9]*", codes.extract_digits(typed), re.ASCII)


@given(st.from_regex(r"[0-9]{6}", fullmatch=True), st.sampled_from(["", " ", "-", "\u00a0", "."]))
def test_any_code_survives_being_spaced_out(code, gap):  # ux 26
    assert codes.extract_digits(gap.join(code)) == code


# The link in the email: REC-03, ux 81


def test_a_token_is_short_and_safe_in_an_address(ana):  # ux 81
    assert re.fullmatch(r"[A-Za-z0-9_-]+", ana.link_token)
    assert len(ana.link_token) < 60
    assert codes.TOKEN_BYTES * 8 >= 128


def test_a_token_finds_its_own_attempt(ana):
    bea = challenges.issue(Purpose.REGISTER, parse("bea@example.com"), client=ClientInfo())

    assert Challenge.objects.find_by_token(ana.link_token) == ana
    assert Challenge.objects.find_by_token(bea.link_token) == bea


def test_a_token_with_one_letter_changed_opens_nothing(ana):
    token = ana.link_token

    for place, letter in enumerate(token):
        other = "A" if letter != "A" else "Q"
        assert Challenge.objects.find_by_token(token[:place] + other + token[place + 1 :]) is None


@pytest.mark.parametrize(
    "change", [str.lower, lambda token: token[:-1], lambda token: token + "A", lambda token: ""]
)
def test_half_a_token_opens_nothing(ana, change):
    assert Challenge.objects.find_by_token(change(ana.link_token)) is None


@given(st.text())
def test_any_text_may_be_tried_as_a_token(text):
    assert codes.challenge_id(text) is None or len(text) == 46
