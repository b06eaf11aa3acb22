"""What a person types to say who they are: one canonical form, or a sentence that helps."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accounts import conf, identifiers, limits
from accounts.identifiers import EMAIL, PHONE, Identifier, InvalidIdentifier
from accounts.models import Challenge, Pool, SecurityEvent, User
from messaging.models import OutboxMessage
from tests.support.people import Shopper

ANA = "ana@example.com"
BEA = "+447400123456"

SAME_EMAIL = {
    "as is": "ana@example.com",
    "capitals": "ANA@Example.COM",
    "spaces around": "  ana@example.com\t",
    "line feed": "ana@example.com\n",
    "no-break space": "\u00a0ana@example.com\u00a0",
    "zero-width space": "ana\u200b@example.com",
    "byte order mark": "\ufeffana@example.com",
    "direction mark": "\u202aana@example.com\u202c",
    "full-width letters": "ana@ｅxample.com",
    "full-width at": "ana\uff20example.com",
    "circled letter": "ana@examⓟle.com",
    "soft hyphen": "ana@ex\u00adample.com",
    "full-width dot": "ana@example\uff0ecom",
}
NO_EMAIL = {
    "encoded word": "=?x?q?victim=40corp.com=3e=20?=@evil.com",
    "encoded NUL": "=?x?q?victim=40corp.com=00?=@evil.com",
    "quoted local part": '"a@corp.com"@evil.com',
    "quoted blank": '" "@evil.com',
    "option of sendmail": "-froot@e.com",
    "IP literal": "user@[127.0.0.1]",
    "IP without brackets": "user@127.0.0.1",
    "IPv6 literal": "user@[IPv6:::1]",
    "dotless domain": "user@localhost",
    "dotless i": "mıke@example.org",
    "long s": "ſam@example.org",
    "Kelvin sign": "mi\u212ae@example.org",
    "dotless i in the domain": "mike@ıxample",
    "NUL": "ana\x00@example.com",
    "header injection": "ana@example.com\r\nBcc: eve@example.com",
    "second recipient": "ana@example.com,eve@example.com",
    "second recipient, semicolon": "ana@example.com;eve@example.com",
    "display name": "Ana <ana@example.com>",
    "two at signs": "ana@corp.com@example.com",
    "no local part": "@example.com",
    "no domain": "ana@",
    "only an at": "@",
    "blank inside": "an a@example.com",
    "two dots": "ana..b@example.com",
    "dot first": ".ana@example.com",
    "hyphen at the label's end": "ana@example-.com",
    "broken punycode": "ana@xn--a.com",
    "percent hack": "ana%corp.com@localhost",
    "comment": "ana(hi)@example.com",
    "local part of 65": "a" * 65 + "@example.com",
    "longer than 254": "a" * 60 + "@" + ".".join(["b" * 60] * 4) + ".com",
}
SAME_PHONE = {
    "as is": "+447400123456",
    "spaces": "+44 7400 123 456",
    "dashes": "+44-7400-123-456",
    "dots": "+44.7400.123456",
    "brackets": "(+44) 7400 123456",
    "national zero": "+44 (0)7400 123456",
    "two zeros": "0044 7400 123456",
    "full-width plus": "＋447400123456",
    "full-width digits": "+４４７４００１２３４５６",
    "Arabic digits": "+٤٤٧٤٠٠١٢٣٤٥٦",
    "Persian digits": "+۴۴۷۴۰۰۱۲۳۴۵۶",
    "a link": "tel:+447400123456",
    "zero-width space": "+44\u200b7400123456",
    "line feed": "+447400123456\n",
    "no-break space": "+44\u00a07400\u00a0123456",
    "direction marks": "\u202a+447400123456\u202c",
}
NO_PHONE = {
    "extension ;ext": "+447400123456;ext=5",
    "extension x": "+447400123456x5",
    "extension word": "+447400123456 ext. 5",
    "extension sign": "+447400123456#5",
    "phone context": "tel:+447400123456;phone-context=evil.com",
    "vanity letters": "+1 800 FLOWERS",
    "no country": "07400 123456",
    "no country, no zero": "447400123456",
    "too short": "+44 7400",
    "too long": "+44 7400 123456 7890 1234",
    "no such country": "+999 123456789",
    "two numbers": "+447400123456 +447400123457",
    "plus twice": "++447400123456",
    "plus at the end": "447400123456+",
    "superscripts": "+⁴⁴⁷⁴⁰⁰¹²³⁴⁵⁶x",
    "only signs": "+()-.-()",
    "nothing": "",
    "a word": "ana",
    "an emoji": "☎️",
    "lone surrogate": "+4474001234\ud800",
}
NOT_FOR_TEXTS = {
    "premium rate, US": ("+1 900 555 0123", "premium-rate"),
    "premium rate, UK": ("+44 909 879 0000", "premium-rate"),
    "landline, UK": ("+44 20 7031 3000", "landline"),
    "landline, Germany": ("+49 30 123456", "landline"),
    "freephone": ("+1 800 253 0000", "cannot receive"),
    "personal number, UK": ("+44 70 1234 5678", "cannot receive"),
    "satellite": ("+881 6 123 45678", "cannot receive"),
    "at sea": ("+870 301 234 567", "cannot receive"),
    "international network": ("+882 34 21234", "cannot receive"),
    "international premium": ("+979 123 456 789", "premium-rate"),
    "pager, UK": ("+44 7640 123456", "cannot receive"),
}
TYPING_ERRORS = {
    "gmial.com": "gmail.com",
    "gmail.con": "gmail.com",
    "gmai.com": "gmail.com",
    "gamil.com": "gmail.com",
    "gmail.co": "gmail.com",
    "hotmial.com": "hotmail.com",
    "hotmail.cmo": "hotmail.com",
    "yaho.com": "yahoo.com",
    "yahooo.com": "yahoo.com",
    "outlok.com": "outlook.com",
    "iclod.com": "icloud.com",
    "protonmial.com": "protonmail.com",
    "googelmail.com": "googlemail.com",
    "aol.con": "aol.com",
    "GMIAL.COM": "gmail.com",
}
DOMAINS_THAT_EXIST = (
    "gmail.com mail.ru example.com shop.example acme.com acme-tools.com me.com mac.com yahoo.de live.fr "
    "gmx.at hotmail.de hotmail.it hotmail.es outlook.de yahoo.co.jp yahoo.com.br cox.net name.com"
).split()


# Email: IDN-01, IDN-03, ux 20


@pytest.mark.parametrize("typed", SAME_EMAIL.values(), ids=SAME_EMAIL)
def test_one_mailbox_has_one_key_however_it_is_typed(typed):  # IDN-01, ux 20
    found = identifiers.parse(typed)

    assert (found.kind, found.key) == (EMAIL, ANA)


def test_a_trailing_dot_gives_no_second_key():  # IDN-01
    assert identifiers.parse("ana@example.com.").key == ANA


def test_mail_goes_to_the_address_as_its_owner_writes_it():  # IDN-01
    found = identifiers.parse(" Ana.Maria@EXAMPLE.com ")

    assert found.address == "Ana.Maria@example.com"
    assert found.key == "ana.maria@example.com"


@pytest.mark.parametrize(
    "typed",
    ["ana@bücher.example", "ana@BÜCHER.example", "ana@bu\u0308cher.example"],
    ids=["small", "capitals", "in two parts"],
)
def test_a_domain_is_kept_as_the_network_knows_it(typed):  # IDN-01
    assert identifiers.parse(typed).key == "ana@xn--bcher-kva.example"


@pytest.mark.parametrize("typed", NO_EMAIL.values(), ids=NO_EMAIL)
def test_what_is_no_plain_address_is_refused(typed):  # IDN-03
    with pytest.raises(InvalidIdentifier):
        identifiers.parse_email(typed)


@pytest.mark.parametrize("typed", NO_EMAIL.values(), ids=NO_EMAIL)
def test_nothing_is_sent_to_what_is_no_address(db, typed):  # IDN-03, ux 67
    answer = Shopper("json").identify(typed)

    assert answer.status_code == 400
    assert not OutboxMessage.objects.exists()


def test_the_longest_address_still_fits():  # IDN-09
    domain = ".".join(["b" * 60] * 3)
    typed = "a" * (254 - len(domain) - len("@.com")) + f"@{domain}.com"

    assert len(typed) == conf.EMAIL_MAX
    with pytest.raises(InvalidIdentifier):
        identifiers.parse_email("a" + typed)


@pytest.mark.parametrize("typed", ["mıke@example.org", "mi\u212ae@example.org", "mike@ıxample.org"])
def test_a_look_alike_gets_no_mail_meant_for_another(ana, typed):  # IDN-02
    User.objects.register(identifiers.parse("mike@example.org"))

    ana.identify(typed)

    sent_to = set(OutboxMessage.objects.values_list("address", flat=True))
    assert "mike@example.org" not in sent_to
    assert typed not in sent_to


def test_mail_goes_to_the_stored_address_only(ana, postbox):  # IDN-02
    ana.identify(" ANA@Example.com ")

    assert Challenge.objects.get().recipient == ANA
    assert [message["to"] for message in postbox.messages()] == ["ANA@example.com"]


# Phone: IDN-04, IDN-05, ux 15, 18, 22


@pytest.mark.parametrize("typed", SAME_PHONE.values(), ids=SAME_PHONE)
def test_one_number_has_one_key_however_it_is_typed(typed):  # IDN-04, ux 15, ux 28
    assert identifiers.parse(typed) == Identifier(PHONE, BEA, BEA)


@pytest.mark.parametrize("typed", NO_PHONE.values(), ids=NO_PHONE)
def test_what_is_no_plain_number_is_refused(typed):  # IDN-04
    with pytest.raises(InvalidIdentifier):
        identifiers.parse_phone(typed)


@pytest.mark.parametrize(("typed", "why"), NOT_FOR_TEXTS.values(), ids=NOT_FOR_TEXTS)
def test_a_number_we_cannot_text_is_refused_with_a_reason(ana, typed, why):  # IDN-05, ux 22
    answer = ana.identify(typed)

    assert why in answer.content.decode()
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize("field", ["identifier", "phone"])
def test_a_number_that_would_cost_us_is_noted(ana, field):  # IDN-05
    ana.post("/register/", {field: "+19005550123"})
    ana.post("/register/", {field: "no number at all"})

    noted = SecurityEvent.objects.get()
    assert (noted.kind, noted.identifier_kind, noted.country) == ("number_refused", "phone", "US")


@pytest.mark.parametrize("typed", ["+881612345678", "+882161234567"])
def test_a_number_of_no_country_is_noted_without_one(ana, typed):  # IDN-05
    ana.identify(typed)

    assert SecurityEvent.objects.get(kind="number_refused").country == ""


def test_a_national_number_needs_a_region(monkeypatch):  # IDN-04
    monkeypatch.setattr(conf, "PHONE_REGION", "GB")

    assert identifiers.parse("07400 123456").key == BEA
    assert identifiers.parse("+1 202 555 0123").key == "+12025550123"


def test_without_a_region_we_ask_for_the_country():  # IDN-04
    with pytest.raises(InvalidIdentifier, match="country code"):
        identifiers.parse("07400 123456")


def test_only_the_countries_we_serve_are_texted(monkeypatch):  # IDN-05
    monkeypatch.setattr(conf, "PHONE_COUNTRIES", ["GB"])

    assert identifiers.parse(BEA).key == BEA
    with pytest.raises(InvalidIdentifier, match="that country"):
        identifiers.parse("+1 202 555 0123")


def test_a_number_in_json_is_not_a_text(db):  # IDN-04, IDN-08
    assert Shopper("json").identify(447400123456).status_code == 400


def test_the_number_is_shown_back_as_it_was_typed(ana):  # ux 18
    ana.identify("+44 (0)7400 123-456")

    assert "+44 (0)7400 123-456" in ana.get("/register/verify/").content.decode()


# Usernames: IDN-06


@pytest.mark.parametrize("typed", ["ana", "Ana", "ＡＮＡ", "aNA"])
def test_a_username_has_one_spelling(typed):  # IDN-06
    assert identifiers.parse_username(typed) == "ana"


def test_the_german_eszett_is_two_letters():  # IDN-06
    assert identifiers.parse_username("weiß") == identifiers.parse_username("WEISS") == "weiss"


@pytest.mark.parametrize(
    "typed",
    [
        "ana@example.com",
        "+447400123456",
        "447400123456",
        "44.7400-123_456",
        "аna",
        "an\u200ba",
        "ana\u202e",
        "ana\n",
        " ana",
        "an a",
        ".",
        "..",
        "...",
        "-ana",
        ".ana",
        "an",
        "a" * 33,
        "ana/..",
        "ana\x00",
        "<b>ana",
        "",
        "٤٤٧",
    ],
    ids=ascii,
)
def test_a_username_is_no_trap(typed):  # IDN-06
    with pytest.raises(InvalidIdentifier):
        identifiers.parse_username(typed)


@pytest.mark.parametrize(
    "typed", ["admin", "Admin", "ａｄｍｉｎ", "root", "support", "security", "api", "me", "staff"]
)
def test_nobody_may_pose_as_the_house(typed):  # IDN-06
    with pytest.raises(InvalidIdentifier):
        identifiers.parse_username(typed)


@pytest.mark.parametrize("typed", ["abc", "a-b", "a.b_c", "7up", "a" * 32])
def test_ordinary_usernames_are_welcome(typed):  # IDN-06
    assert identifiers.parse_username(typed) == typed


# Masked, counted, suggested


@pytest.mark.parametrize(
    ("typed", "shown"),
    [(ANA, "a•••@example.com"), ("a@b.example", "a•••@b.example"), (BEA, "+44•••56")],
)
def test_a_masked_address_tells_little(typed, shown):  # ENU-05
    assert identifiers.parse(typed).masked == shown


@pytest.mark.parametrize(
    "typed",
    ["ana.maria@example.com", "anamaria+shop@example.com", "a.n.a.maria+x+y@EXAMPLE.com"],
)
def test_tags_and_dots_reach_the_same_person(typed):  # ABU-01
    plain, dressed = identifiers.parse("anamaria@example.com"), identifiers.parse(typed)

    assert dressed.key != plain.key
    for pool in set(Pool) - {Pool.OWNER}:
        assert limits.messages(dressed, pool) == limits.messages(plain, pool)
    # An owner's are those of the very address: the owner of a like one must not use them up.
    assert limits.messages(dressed, Pool.OWNER) != limits.messages(plain, Pool.OWNER)
    for pool in Pool:
        assert limits.resends(dressed, pool) == limits.resends(plain, pool)


def test_two_people_are_counted_apart():  # ABU-01
    people = ["ana@example.com", "bea@example.com", "ana@example.org", BEA, "+447400123457"]

    assert len({identifiers.parse(who).mailbox for who in people}) == len(people)


@pytest.mark.parametrize(("typed", "meant"), TYPING_ERRORS.items(), ids=TYPING_ERRORS)
def test_a_slip_of_the_finger_is_noticed(typed, meant):  # ux 19
    assert identifiers.suggest_address(f"Ana@{typed}") == f"Ana@{meant}"


@pytest.mark.parametrize("domain", DOMAINS_THAT_EXIST)
def test_a_real_domain_is_not_doubted(domain):  # ux 19
    assert identifiers.suggest_address(f"ana@{domain}") == ""


@pytest.mark.parametrize("typed", ["", "ana", "@", BEA])
def test_what_is_no_address_suggests_nothing(typed):  # ux 19
    assert identifiers.suggest_address(typed) == ""


# Whatever anybody types


@given(st.one_of(st.text(), st.text('+0123456789 ()-.;ext=@a\u200b\ud800=?"<>', max_size=40)))
@example("+" + "1" * 5000)
@example("@" * 5000)
@example("a@" + "b." * 5000)
@example("ana@\u2488.com")
@example("\ud800@example.com")
def test_any_text_is_read_or_refused_with_a_sentence(text):  # IDN-08
    try:
        found, said = identifiers.parse(text), "read, and nothing is to be said"
    except InvalidIdentifier as refused:
        found, said = None, str(refused)

    assert len(said) > 20
    assert (
        found is None or identifiers.parse(found.address).key == found.key
    )  # reading twice changes nothing
    assert found is None or found.key.isascii()


@given(st.text(), st.text("abAB01._-ßＡ", max_size=34))
def test_any_username_is_read_or_refused(wild, likely):  # IDN-06
    for text in (wild, likely):
        try:
            name = identifiers.parse_username(text)
        except InvalidIdentifier:
            continue
        assert identifiers.USERNAME_SHAPE.fullmatch(name)
        assert identifiers.parse_username(name) == name


@given(st.text())
def test_a_suggestion_never_fails(text):  # ux 19
    assert identifiers.suggest_address(text) == "" or identifiers.suggest_address(text) != text
