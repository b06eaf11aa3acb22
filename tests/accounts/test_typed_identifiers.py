"""What people really type and paste to say who they are: read if it can mean one thing only, else a sentence helps."""

import unicodedata

import pytest

from accounts import characters, codes, conf, identifiers
from accounts.identifiers import EMAIL, PHONE, InvalidIdentifier, NotTexted
from tests.support.pages import words
from tests.support.people import REGISTER, Postbox, Shopper

ANA, BEA, CODE = "ana@example.com", "+447400123456", "123456"

# As a domain's owner registered it, and where mail for it goes.
OWN_DOMAINS = {
    "a joiner that IDNA keeps": ("a@نامه\u200cای.com", "a@xn--mgba3gch31f060k.com"),
    "the same as the network knows it": ("a@xn--mgba3gch31f060k.com", "a@xn--mgba3gch31f060k.com"),
    "another joiner": ("a@ශ්\u200dරී.com", "a@xn--10cl1a0b660p.com"),
    "sharp s": ("a@faß.de", "a@xn--fa-hia.de"),
    "final sigma": ("a@φας.gr", "a@xn--mxa8ak.gr"),
    "right to left": ("a@אב.com", "a@xn--4dbc.com"),
}
NO_DOMAINS = {
    "a digit with a dot": "me@⒈wouldbeinvalid.com",
    "a joiner between Latin letters": "me@exam\u200dple.com",
    "an override in the middle": "me@exam\u202eple.com",
    "a number beside right to left": "me@1.אב.com",
    "a heart": "me@i♥ny.com",
    "a no-break space inside": "me@exam\u00a0ple.com",
}
PASTED = {
    "a link": "mailto:ana@example.com",
    "a link in capitals": "MAILTO:ana@example.com",
    "a link with a subject": "mailto:ana@example.com?subject=Hello&body=Hi",
    "a link with an escape": "mailto:an%61@example.com",
    "angle brackets": "<ana@example.com>",
    "angle brackets around a link": "<mailto:ana@example.com>",
    "a comma": "ana@example.com,",
    "a comma and a space": "ana@example.com, ",
    "a semicolon": "ana@example.com;",
    "a full stop": "ana@example.com.",
    "brackets and a comma": " <ana@example.com>,\n",
}
NOT_PASTED = {
    "a second address in the link": "mailto:ana@example.com,eve@example.com",
    "a header in the link": "mailto:ana@example.com%0ABcc:eve@example.com",
    "only a bracket": "<ana@example.com",
    "nothing in the brackets": "<>@",
}

DASHES = [chr(code) for code in range(0x10FFFF) if unicodedata.category(chr(code)) == "Pd"]
DASHES += ["\u2212", "\u2053", "\u207b", "\u208b", "\u30fc"]
# The first and the last of each range, and one within.
INVISIBLE = sorted(
    {chr(code) for first, last in characters.DEFAULT_IGNORABLE for code in (first, last)}
)
NUMBERS = {
    "a hyphen that does not break": "+44 7400\u2011123456",
    "a variation selector": "+44\ufe0f 7400 123456",
    "a Hangul filler": "+44\u3164 7400 123456",
    "square brackets": "+44 [0]7400 123456",
    "full-width brackets": "（+44）7400 123456",
    "a link in capitals": "TEL:+447400123456",
    "a link to a text": "sms:+447400123456",
    "a comma": "+44 7400 123456,",
}
OLD_MEXICO = ["+52 1 55 1234 5678", "+5215512345678", "0052 1 55 1234 5678", "+52 (1) 55-1234-5678"]

SMS = f"{CODE} is your Shop24 code. Works for 10 minutes. Not you? Ignore this.\n\n@shop.example #{CODE}"
WHOLE_MESSAGES = {
    "our text": SMS,
    "our text in one line": SMS.replace("\n", " "),
    "another language": f"Ihr Code ist {CODE}. Er gilt 10 Minuten.\n\n@shop.example #{CODE}",
    "the last line": f"@shop.example #{CODE}",
    "a zero-width space": "123\u200b456",
    "a hyphen that does not break": "123\u2011456",
    "a minus": "123\u2212456",
    "a swung dash": "123\u301c456",
    "a filler": "\u3164123456",
    "direction marks": "\u2066123456\u2069",
}

REAL = (
    "email.com my.com mail.ru yahoo.gr yahoo.co.id yahoo.co.th yahoo.de yahoo.it gmx.at gmx.ch web.dk "
    "free.fi we.com love.com 126.com me.ca hotmail.fi orange.pl nail.com"
).split()
SLIPS = {
    "gmail.con": "gmail.com",
    "gmail.co": "gmail.com",
    "hotmail.co.uj": "hotmail.co.uk",
    "mail.cim": "mail.com",
}

RESERVED = [
    "ad.min",
    "admin_",
    "ad-min",
    "no-reply",
    "no_reply",
    "noreply",
    "mailer-daemon",
    "post.master",
    "r.o.o.t",
]


# Addresses


@pytest.mark.parametrize(("typed", "key"), OWN_DOMAINS.values(), ids=OWN_DOMAINS)
def test_a_code_goes_to_the_domain_that_was_typed(typed, key):  # IDN-10, IDN-01
    assert identifiers.parse(typed).key == key


@pytest.mark.parametrize("typed", NO_DOMAINS.values(), ids=NO_DOMAINS)
def test_what_is_no_domain_is_not_made_into_another(typed):  # IDN-10
    with pytest.raises(InvalidIdentifier):
        identifiers.parse(typed)


def test_nobody_else_gets_the_code(ana):  # IDN-10, IDN-02
    ana.identify("a@نامه\u200cای.com")

    assert [each["to"] for each in Postbox().messages()] == ["a@xn--mgba3gch31f060k.com"]


@pytest.mark.parametrize("typed", PASTED.values(), ids=PASTED)
def test_an_address_is_read_out_of_what_was_pasted(typed):  # IDN-10, ux 20
    assert identifiers.parse(typed).key == ANA


@pytest.mark.parametrize("typed", NOT_PASTED.values(), ids=NOT_PASTED)
def test_two_things_pasted_are_no_address(typed):  # IDN-03
    with pytest.raises(InvalidIdentifier):
        identifiers.parse_email(typed)


def test_a_long_link_to_an_address_is_no_long_address():  # IDN-09
    assert identifiers.parse(f"mailto:{ANA}?body={'x' * 250}").key == ANA


@pytest.mark.parametrize("domain", REAL)
def test_a_domain_that_exists_is_no_slip(domain):  # ux 19
    assert identifiers.suggest_address(f"ana@{domain}") == ""


@pytest.mark.parametrize(("typed", "meant"), SLIPS.items())
def test_a_slip_is_still_asked_about(typed, meant):  # ux 19
    assert identifiers.suggest_address(f"ana@{typed}") == f"ana@{meant}"


# Numbers


def test_python_knows_the_dashes_that_are_tested():
    assert {"-", "\u2010", "\u2011", "\u2014", "\ufe63", "\uff0d", "\u05be"} < set(DASHES)


@pytest.mark.parametrize("dash", DASHES, ids=lambda dash: f"U+{ord(dash):04X}")
def test_every_dash_in_a_number_and_a_code_is_read_through(dash):  # IDN-10
    assert identifiers.parse(f"+44 7400{dash}123456").key == BEA
    assert codes.extract_digits(f"123{dash}456") == CODE


@pytest.mark.parametrize("hidden", INVISIBLE, ids=lambda hidden: f"U+{ord(hidden):04X}")
def test_every_invisible_in_a_number_and_a_code_is_read_through(hidden):  # IDN-10
    assert identifiers.parse(f"+44{hidden} 7400 123456{hidden}").key == BEA
    assert codes.extract_digits(f"123{hidden}456{hidden}") == CODE


@pytest.mark.parametrize("typed", NUMBERS.values(), ids=NUMBERS)
def test_a_number_is_read_however_it_was_pasted(typed):  # IDN-10, ux 15
    assert identifiers.parse(typed).key == BEA


@pytest.mark.parametrize("typed", OLD_MEXICO)
def test_the_old_mobile_form_of_mexico_is_read(typed):  # IDN-10
    found = identifiers.parse(typed)

    assert (found.kind, found.key) == (PHONE, "+525512345678")


@pytest.mark.parametrize("typed", ["+521551234567", "+52 1 55 1234 56789", "+52 1 00 0000 0000"])
def test_another_one_after_the_country_is_no_number(typed):
    with pytest.raises(InvalidIdentifier):
        identifiers.parse(typed)


@pytest.mark.parametrize("typed", ["+54 11 2345 6789", "+54 351 234 5678"])
def test_a_number_of_argentina_without_the_nine_is_answered_with_a_hint(typed):  # IDN-10, IDN-05
    with pytest.raises(NotTexted, match=r"a 9 after \+54"):
        identifiers.parse(typed)


@pytest.mark.parametrize("typed", ["+54 9 11 2345 6789", "+54 11 15 2345 6789"])
def test_both_forms_of_a_mobile_number_of_argentina_are_read(typed):  # IDN-10
    assert identifiers.parse(typed).key == "+5491123456789"


# Codes


@pytest.mark.parametrize("typed", WHOLE_MESSAGES.values(), ids=WHOLE_MESSAGES)
def test_a_whole_message_holds_one_code(typed):  # IDN-10, ux 26, COD-10
    assert codes.extract_digits(typed) == CODE


@pytest.mark.parametrize("typed", [f"{CODE} or 654321", f"{CODE}, no: 654321, no: {CODE}"])
def test_two_codes_are_none(typed):  # COD-10
    assert codes.extract_digits(typed) == ""


def test_our_own_text_is_pasted_whole(anyone, postbox):  # IDN-10, ux 26
    anyone.identify(BEA)
    text = postbox.messages(BEA)[0]["text"]

    assert len(text) > 32
    assert anyone.verify(text).status_code in (200, 303)
    assert anyone.is_signed_in


def test_a_longer_text_is_too_long(ana, postbox):  # IDN-09
    ana.identify(ANA)

    refused = ana.verify(postbox.code() + "x" * conf.CODE_INPUT_MAX)

    assert refused.status_code == 422
    assert "too long" in words(refused)


# Usernames


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_stays_reserved_with_signs_in_it(name):  # IDN-06
    with pytest.raises(InvalidIdentifier, match="reserved"):
        identifiers.parse_username(name)


def test_a_name_that_only_begins_like_a_reserved_one_is_free():  # IDN-06
    assert identifiers.parse_username("admin.ana") == "admin.ana"


# JSON


@pytest.mark.parametrize("field", ["identifier", "phone", "username", "name", "password"])
@pytest.mark.parametrize("value", [447400123456, 4.5, ["a"], {"a": 1}, True])
def test_what_is_no_text_gets_a_sentence_that_helps(db, field, value):  # IDN-08, IDN-10
    refused = Shopper("json").post(REGISTER, {"identifier": ANA, field: value})

    assert refused.status_code == 400
    assert refused.json()["errors"][field] == [
        "Send this as text, in quotes, not as a number or a list"
    ]


def test_a_code_as_a_number_gets_a_sentence_that_helps(db, postbox):  # IDN-08, COD-10
    shopper = Shopper("json")
    shopper.identify(ANA)

    refused = shopper.post("/register/verify/", code=int(postbox.code()))

    assert "in quotes" in refused.json()["message"]
    assert identifiers.parse(ANA).kind == EMAIL
    assert shopper.verify(postbox.code()).status_code == 200
