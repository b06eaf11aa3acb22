"""A password: long, kept exactly as typed, and hard to guess for whoever knows its owner."""

import html
import re

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type
from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts import conf
from accounts.identifiers import parse
from accounts.models import User
from accounts.password_policy.validators import CompositionValidator
from storefront import settings as production
from tests.support.people import PASSWORD, REGISTER, Shopper

ANA, BEA = "ana.maria@example.com", "+12025550123"
WORDS = "correct horse battery staple "

WELCOME = {
    "twelve": "vu8Kd0-wq2Zr",
    "sixty-four": (WORDS * 3)[:64],
    "a hundred and twenty-eight": (WORDS * 5)[:128],
    "words": "correct horse battery staple",
    "one kind of letter": "qzvkxjwymhtb",
    "digits alone": "840293746152",
    "spaces at both ends": "  wide open door  ",
    "a tab": "wide\topen door",
    "a line feed": "wide\nopen door",
    "emoji": "🐴🔋📎🐴🔋📎🐴🔋📎🐴🔋📎",
    "other scripts": "правильная лошадь",
    "right to left": "סוס נכון סוללה",
    "combining marks": "ca\u0301ba\u0301llo correcto",
    "markup": "<script>'\"--;%00",
}
REFUSED = {
    "eleven": ("vu8Kd0-wq2Z", "at least 12 characters"),
    "a hundred and twenty-nine": ((WORDS * 5)[:129], "at most 128 characters"),
    "two megabytes": ("x" * 60_000, "at most 128 characters"),
    "eleven emoji": ("🐴🔋📎🐴🔋📎🐴🔋📎🐴🔋", "at least 12 characters"),
    "common": ("qwertyqwerty", "too common"),
    "common in capitals": ("QwertyQwerty", "too common"),
    "the name": ("Anastasia Maria", "too similar to the name"),
    "the name and a digit": ("anastasia maria1", "too similar to the name"),
    "the address": ("ana.maria@example.com", "too similar to the email address"),
    "the address, nearly": ("ana.maria@example", "too similar to the email address"),
    "nothing": ("", "Choose a password"),
}


@pytest.fixture
def verified(ana):
    """Ana has verified her address and chooses a password."""
    ana.client.force_login(User.objects.register(parse(ANA)))
    return ana


@pytest.fixture
def argon2id(settings):
    """The hasher that production uses."""
    settings.PASSWORD_HASHERS = production.PASSWORD_HASHERS


# Length and letters: PWD-01, PWD-02


@pytest.mark.parametrize("password", WELCOME.values(), ids=WELCOME)
def test_any_long_password_is_welcome_and_kept_exactly(verified, password):  # PWD-01, PWD-02, ux 55
    verified.complete(name="Ana", password=password)

    user = User.objects.get()
    assert user.completed_at
    assert user.check_password(password)


@pytest.mark.parametrize(
    "change",
    [
        str.strip,
        str.swapcase,
        lambda text: text[:-1],
        lambda text: text + " ",
        lambda text: text.replace(" ", "", 1),
    ],
    ids=["trimmed", "other case", "cut", "longer", "a space less"],
)
def test_nothing_but_the_password_opens_the_account(verified, change):  # PWD-01
    password = "  Wide Open Door  "

    verified.complete(password=password)

    assert User.objects.get().check_password(password)
    assert not User.objects.get().check_password(change(password))


@pytest.mark.parametrize(("password", "why"), REFUSED.values(), ids=REFUSED)
def test_a_weak_password_is_refused_and_the_reason_is_told(
    verified, password, why
):  # PWD-01, PWD-03, PWD-04, promise 1.3
    answer = verified.complete(name="Anastasia Maria", password=password)

    assert answer.status_code == 422
    assert why in html.unescape(answer.content.decode())
    assert not User.objects.get().has_usable_password()


def test_the_phone_number_is_no_password(ana):  # PWD-04
    ana.client.force_login(User.objects.register(parse(BEA)))

    assert b"too similar to the mobile number" in ana.complete(password="+12025550123").content


def test_the_username_is_no_password(verified):  # PWD-04
    answer = verified.complete(username="thundercats77", password="thundercats77!")

    assert b"too similar to the username" in answer.content


@pytest.mark.parametrize(
    "password", ["vu8Kd0-wq2Z", "qwertyqwerty", ANA], ids=["short", "common", "address"]
)
def test_the_rules_hold_where_the_password_comes_first(db, password):  # PWD-01, PWD-04
    answer = Shopper("json").identify(ANA, name="Ana", password=password)

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"password"}


@pytest.mark.parametrize(
    "password", [123456789012, True, ["x" * 12], {"a": 1}, "\ud800" * 12], ids=ascii
)
def test_what_is_no_text_is_no_password(db, password):  # IDN-08
    answer = Shopper("json").identify(ANA, name="Ana", password=password)

    assert answer.status_code == 400
    assert "password" in answer.json()["errors"]


def test_the_rules_are_told_before_anybody_types(verified):  # ux 55
    page = verified.get("/register/complete/").content.decode()

    assert "At least 12 characters" in page
    assert not re.search(r"capital letter|special character|must contain", page)


@pytest.mark.parametrize("password", ["xq7 kz", "1qaz2wsx3edc", PASSWORD[:11]])
def test_a_refused_password_is_not_shown_again(verified, password):  # ux 58
    answer = verified.complete(password=password)

    assert password not in answer.content.decode()


@pytest.mark.parametrize(
    "name", ["O'Brien", "Nguyễn", "X", "عائشة", "José María", "李", "Anne-Marie d’Arc"]
)
def test_any_name_is_a_name(verified, name):  # ux 57
    verified.complete(name=name)

    assert User.objects.get().name == name


def test_no_refusal_begs_or_scolds(verified):  # ux 65
    answers = [
        verified.complete(name="Anastasia Maria", password=password)
        for password, _why in REFUSED.values()
    ]

    said = re.sub(
        r"(?s)<(script|style).*?</\1>|<[^>]*>",
        " ",
        " ".join(each.content.decode() for each in answers),
    )
    assert "There is a problem" in said
    assert not re.search(r"(?i)\b(please|sorry|invalid|oops)\b|field is required", said)


# Kinds of letters, for shops that want them: PWD-02


ALL_KINDS = ["upper", "lower", "digit", "special"]


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("all small letters", "a capital letter, a digit"),
        ("ALL CAPITALS 99", "a small letter"),
        ("Tr0ub4dorand3", "a special character"),
    ],
)
def test_a_shop_may_ask_for_kinds_of_letters(password, missing):  # PWD-02, promise 2.6
    with pytest.raises(ValidationError) as refusal:
        CompositionValidator(ALL_KINDS).validate(password)

    assert refusal.value.messages == [f"Add to the password: {missing}"]


@pytest.mark.parametrize("password", ["Tr0ub4dor and 3", "Straße Nummer ٣"])
def test_every_script_has_kinds_of_letters(password):  # PWD-02
    assert CompositionValidator(ALL_KINDS).validate(password) is None


def test_a_shop_that_asks_says_so_first():  # ux 55
    assert CompositionValidator(["upper"]).get_help_text() == "It must contain: a capital letter."
    assert CompositionValidator().get_help_text() == ""


def test_no_kinds_are_asked_for_unless_a_setting_does():  # PWD-02
    assert conf.PASSWORD_COMPOSITION == []
    validate_password("qzvkxjwymhtb", User())


# How it is kept: PWD-05, PWD-06


def test_a_password_is_kept_as_argon2id_with_bounded_memory(argon2id):  # PWD-05
    kept = make_password(PASSWORD)

    parameters = extract_parameters(kept.removeprefix("argon2"))
    assert kept.startswith("argon2$argon2id$")
    assert (parameters.type, parameters.memory_cost) == (Type.ID, 19 * 1024)
    assert (parameters.time_cost, parameters.parallelism) == (2, 1)


def test_position_73_counts(argon2id):  # PWD-01: bcrypt would not see it
    user = User(password=make_password(WORDS * 2 + "mere words to get beyond it a"))

    assert user.check_password(WORDS * 2 + "mere words to get beyond it a")
    assert not user.check_password(WORDS * 2 + "mere words to get beyond it b")


def test_an_older_hash_would_be_renewed(argon2id):  # PWD-05
    stronger = make_password(PASSWORD)
    weaker = stronger.replace("m=19456", "m=1024")

    assert not identify_hasher(stronger).must_update(stronger)
    assert identify_hasher(weaker).must_update(weaker)


@pytest.mark.parametrize("password", ["", " ", None, "!", "x" * 12])
def test_an_account_without_a_password_has_none(verified, password):  # PWD-06
    user = User.objects.get()

    assert not user.has_usable_password()
    assert not user.check_password(password)


def test_a_password_is_in_no_answer(face, db, postbox):  # ux 58
    ana = Shopper(face)

    answers = [
        ana.identify(ANA, password=PASSWORD),
        ana.get(REGISTER),
        ana.verify("000000"),
        ana.complete(),
    ]

    assert not any(PASSWORD in answer.content.decode() for answer in answers)
