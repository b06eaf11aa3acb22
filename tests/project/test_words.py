"""Every sentence of ours, wherever it is written: plain, calm, complete."""

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.timezone import now

from accounts import conf, errors
from accounts.flows import contacts
from accounts.identifiers import parse
from tests.support.people import COMPLETE, REGISTER, VERIFY, Shopper

ROOT = Path(__file__).parents[2]
GETTEXT = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
UNKIND = re.compile(
    r"(?i)\b(please|sorry|invalid|oops|whoops|forbidden|illegal|failed to)\b|field is required"
)

# What JSON clients were promised word for word (promises 4.1, 4.3); no page shows it.
CONTRACT = {
    "Registration successful. Please verify OTP.",
    "OTP verified successfully. You are now logged in!",
}

NOW = now()
SOON = NOW + timedelta(minutes=5)
REFUSALS = {
    "anything": errors.Refused(),
    "wrong": errors.CodeWrong(4),
    "wrong, two left": errors.CodeWrong(2),
    "wrong, one left": errors.CodeWrong(1),
    "earlier": errors.CodeEarlier(SOON),
    "used up": errors.CodeUsedUp(),
    "expired": errors.CodeExpired(renewed=False),
    "expired and renewed": errors.CodeExpired(renewed=True),
    "closed": errors.CodeClosed(),
    "texts stopped": errors.SmsStopped("GB", parse("+447400123456")),
    "link": errors.LinkDead(),
    "link elsewhere": errors.LinkNotOpen(),
    "too often": errors.TooOften(SOON, asked_at=NOW),
    "too soon": errors.TooSoon(SOON, asked_at=NOW),
    "registered, email": errors.AlreadyRegistered("email"),
    "registered, phone": errors.AlreadyRegistered("phone"),
    "username": errors.UsernameTaken(),
    "sign-in": errors.SignInWrong(),
    "password": errors.PasswordWrong(),
    "password from a breach": errors.PasswordBreached(),
    "proof needed": errors.ReauthenticationNeeded(),
    "staff password, too often": errors.StaffPasswordLocked(SOON, asked_at=NOW),
    "password, too often": errors.PasswordLocked(SOON, asked_at=NOW),
    "signed out": errors.SignedOut(),
    "token": errors.TokenNotValid(),
    "only contact": errors.ContactKept(),
    "same email": errors.ContactKept(str(contacts.ALREADY["email"])),
    "same number": errors.ContactKept(str(contacts.ALREADY["phone"])),
    "no email": errors.ChannelDown("email"),
    "no texts": errors.ChannelDown("phone"),
}


def said_in_python(path):
    """The sentences that a module hands to gettext."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in GETTEXT:
            yield from (
                each.value for each in node.args if isinstance(each, ast.Constant) and each.value
            )


def said_in_template(path):
    """The sentences of `translate` and `blocktranslate` in a template."""
    source = path.read_text()
    yield from (found.group(2) for found in re.finditer(r"""{% translate (["'])(.+?)\1""", source))
    for block in re.findall(r"(?s){% blocktranslate[^%]*%}(.*?){% endblocktranslate %}", source):
        yield from (" ".join(text.split()) for text in block.split("{% plural %}"))


def sentences():
    """All of them, by where they stand."""
    for app in ("accounts", "backoffice", "demo", "jobs", "messaging", "ratelimits", "storefront"):
        for path in sorted((ROOT / app).rglob("*.py")):
            yield from (
                (f"{path.relative_to(ROOT)}: {text}", str(text)) for text in said_in_python(path)
            )
    for path in sorted((ROOT / "templates").rglob("*.*")):
        yield from ((f"{path.relative_to(ROOT)}: {text}", text) for text in said_in_template(path))


SENTENCES = {where: text for where, text in sentences() if text not in CONTRACT}


def test_there_is_something_to_read():
    assert len(SENTENCES) > 150
    assert any(
        "templates/messaging/code/sms.txt: {{ code }} is your" in where for where in SENTENCES
    )
    assert "accounts/errors.py: That username is taken. Choose another one." in SENTENCES
    assert (
        "templates/messaging/code/text.txt: Never share this code. We will not ask you for it."
        in SENTENCES
    )


def test_no_sentence_begs_apologises_or_scolds():  # ux 65
    assert [where for where, text in SENTENCES.items() if UNKIND.search(text)] == []


@pytest.mark.parametrize(
    "word", ["Please wait", "Sorry", "an Invalid code", "Oops", "This field is required."]
)
def test_the_guard_above_would_bite(word):  # ux 65
    assert UNKIND.search(word)


def test_no_sentence_is_written_carelessly():
    careless = re.compile(r"(?i)^\s|\s$|  |\s[.,;:?]|\.\.|\bclick here\b|\b(\w+) \1\b")

    assert [where for where, text in SENTENCES.items() if careless.search(text)] == []


def test_two_sentences_end_with_two_full_stops():
    ours = [
        (where, text)
        for where, text in SENTENCES.items()
        if where.startswith(("accounts", "backoffice", "messaging"))
    ]

    assert [
        where
        for where, text in ours
        if re.search(r"[a-z]\. [A-Z]", text) and not text.endswith((".", ":"))
    ] == []


# Refusals


def test_every_refusal_is_read_here():
    def below(kind):
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    assert {type(refusal) for refusal in REFUSALS.values()} == below(errors.Refused)


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_a_sentence(refusal):  # ux 65
    said = str(refusal.message)

    assert re.fullmatch(r"[A-Z][^%{}]{15,140}\.", said)
    assert not UNKIND.search(said)


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_an_answer_of_its_own(refusal):  # ux 67
    assert refusal.status in (401, 403, 409, 410, 422, 429, 503)


def test_what_is_wrong_with_a_code_is_said_in_different_words():  # ux 35
    kinds = ["wrong", "earlier", "used up", "expired", "expired and renewed", "closed"]

    assert len({str(REFUSALS[kind].message) for kind in kinds}) == len(kinds)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Enter the 6-digit code"),
        ("12345", "too short"),
        ("1234567", "too long"),
        ("abcdef", "6 digits and nothing else"),
        ("9" * 33, "too long"),
        ("123456 654321", "too long"),
    ],
)
def test_what_is_wrong_with_the_shape_of_a_code_costs_no_try(ana, postbox, typed, said):  # ux 35
    ana.identify("ana@example.com")

    for _ in range(conf.CODE_MAX_ATTEMPTS):
        assert said in ana.verify(typed).content.decode()

    ana.verify(postbox.code())
    assert ana.is_signed_in


# Through the door, with Django's own words


@pytest.mark.parametrize(
    "fields",
    [{}, {"identifier": "x" * 321}, {"identifier": "\x00"}, {"identifier": "ana"}],
    ids=str,
)
def test_a_form_that_is_sent_wrongly_answers_kindly(anyone, fields):  # ux 65
    answer = anyone.post(REGISTER, fields)

    assert answer.status_code in (400, 422)
    assert not re.search(r"(?i)\b(please|sorry|invalid|oops)\b|field is required", text_of(answer))


@pytest.mark.parametrize("name", ["", "x" * 151, "\x00", "\x07"], ids=ascii)
def test_a_profile_that_is_sent_wrongly_answers_kindly(anyone, postbox, name):  # ux 65
    anyone.identify("ana@example.com")
    anyone.verify(postbox.code())

    answer = anyone.post(COMPLETE, name=name, password="")

    assert answer.status_code in (400, 422)
    assert not re.search(r"(?i)\b(please|sorry|invalid|oops)\b|field is required", text_of(answer))


@pytest.mark.parametrize(
    "url", ["/nowhere/", VERIFY, "/verify-email/?token=x", "/account/", "/mailbox/x/html/"]
)
def test_a_wrong_address_answers_kindly(db, url):  # ux 65
    for face in ("page", "json"):
        assert not UNKIND.search(text_of(Shopper(face).get(url)))


def text_of(answer):
    """What a person reads of an answer."""
    return re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", answer.content.decode())
