"""What arrives: the words of an email and of a text message, and whose words they are."""

import html
import json
import re
import uuid
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import transaction

from accounts import conf
from accounts.flows import challenge as challenges
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, User
from accounts.sessions.client import ClientInfo
from tests.support.people import COMPLETE, LINK, PASSWORD, VERIFY, Postbox, Shopper

ANA, BEA, EVE = "ana@example.com", "+447400123456", "eve@example.com"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
LONG_NAME = "The Quite Extraordinarily Long Shop Name"

# 3GPP TS 23.038: what fits into seven bits; anything else makes a text cost double.
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
LURE = "Win $1000 at http://evil.example"
PURPOSES = {
    "registration": Purpose.REGISTER,
    "welcome back": Purpose.REGISTER,
    "second contact": Purpose.CONTACT,
    "sign-in": Purpose.LOGIN,
    "confirmation": Purpose.CONFIRM,
}
KINDS = list(PURPOSES)


class Seen(HTMLParser):
    """What a person sees of an HTML part, and every attribute in it."""

    def __init__(self, part):
        super().__init__()
        self.words, self.attributes, self.hidden, self.tags = [], [], 0, set()
        self.feed(part)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        self.hidden += tag in ("style", "title")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "title")

    def handle_data(self, data):
        if not self.hidden:
            self.words += data.split()

    @property
    def text(self):
        return " ".join(self.words)


def send(kind="registration", who=ANA, agent=CHROME):
    """Have one message written and delivered, and open it."""
    owner = EVE if kind == "second contact" else who
    user = None if kind == "registration" else User.objects.register(parse(owner))
    asked_by = None if kind == "welcome back" else user
    challenges.issue(
        PURPOSES[kind], parse(who), client=ClientInfo(agent=agent), user_id=asked_by and asked_by.pk
    )
    return Postbox().messages(who)[0]


@pytest.fixture(scope="module")
def letters(django_db_setup, django_db_blocker):
    """An email and a text message of each kind; written once, because reading changes nothing."""
    written = {}
    for kind in KINDS:
        for who in (ANA, BEA):
            with django_db_blocker.unblock(), transaction.atomic():
                written[kind, who] = send(kind, who)
                transaction.set_rollback(True)
    return written


@pytest.fixture(params=KINDS)
def email(request, letters):
    """An email with a code, of each kind."""
    return letters[request.param, ANA]


@pytest.fixture(params=KINDS)
def text(request, letters):
    """A text message with a code, of each kind."""
    return letters[request.param, BEA]["text"]


def code_of(message):
    """The code, from where a notification shows it."""
    return re.match(r"\d{6}", message["subject"] or message["text"]).group()


def numbers(text):
    """Everything in it that could be taken for a code; addresses of pages aside."""
    return set(re.findall(r"\b\d{4,8}\b", re.sub(r"https?://\S+", "", text)))


# The email: ux 79, ux 80, COD-13


def test_the_subject_starts_with_the_code(email):  # ux 79, promise 0.12
    assert re.fullmatch(r"\d{6} is your Storefront code", email["subject"])


def test_no_other_number_could_be_taken_for_the_code(email):  # ux 79
    code = {code_of(email)}

    assert numbers(email["subject"]) == code
    assert numbers(email["text"]) == code
    assert numbers(Seen(email["html"]).text) == code


def test_both_parts_say_the_same(email):  # ux 79, promise 1.20
    _code, *sentences = re.split(r"(?<=[.:])\s+|\n\n", email["text"].strip())

    seen = Seen(email["html"])
    links = [value for name, value in seen.attributes if name == "href"]
    for sentence in sentences:
        assert sentence.strip() in [*links, "Storefront"] or sentence.strip() in seen.text


def test_an_email_says_what_it_is_and_how_long_it_lives(email):  # COD-13, ux 79, promise 1.20
    assert "is your Storefront code" in email["text"]
    assert "works for 10 minutes" in email["text"]
    assert "Never share this code" in email["text"]
    assert "If it was not you, ignore this message" in email["text"]


def test_it_says_when_and_on_what_the_code_was_asked_for(email):  # ux 79
    assert re.search(r"Asked for at \d\d:\d\d UTC from Chrome on Linux\.", email["text"])


@pytest.mark.parametrize("agent", ["", "curl/8.0", LURE], ids=["no name", "a tool", "a lure"])
def test_an_unknown_device_is_not_named(db, agent):  # ux 79, ABU-04
    assert re.search(r"Asked for at \d\d:\d\d UTC\. If", send(agent=agent)["text"])


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0 Safari/537.36 Edg/126.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14) SamsungBrowser/25.0 Chrome/121.0 Mobile",
            "Samsung Internet on Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko Firefox/127.0",
            "Firefox on Mac",
        ),
        (f"Firefox {LURE}", "Firefox"),
    ],
    ids=["iPhone", "Windows", "Android", "Mac", "a lure"],
)
def test_a_device_is_named_in_words_of_ours(db, agent, device):  # ABU-04, ux 79
    assert f"UTC from {device}." in send(agent=agent)["text"]


def test_the_headers_are_those_of_an_automatic_message(email):  # ux 80
    headers = email["headers"]

    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["From"] == "Storefront <hello@shop.example>"
    assert headers["To"] == ANA
    assert not {"List-Unsubscribe", "Precedence", "Bcc", "Cc"} & set(headers)


def test_the_message_id_is_the_rows_and_on_our_domain(email):  # ux 80, OUT-03
    _when, _dash, row = email["id"].partition("-")

    assert email["headers"]["Message-ID"] == f"<{uuid.UUID(row)}@shop.example>"


def test_the_html_loads_nothing_and_runs_nothing(email):  # ux 79, WEB-06
    seen = Seen(email["html"])

    assert not seen.tags & {
        "img",
        "script",
        "iframe",
        "link",
        "object",
        "form",
        "video",
        "base",
        "svg",
    }
    assert not re.search(r"url\(|@import|expression\(|javascript:", email["html"])


def test_the_html_needs_no_inline_styles(email):
    names = {name for name, _value in Seen(email["html"]).attributes}

    assert "style" not in names
    assert not {
        name for name in names if name.startswith("on") or name in ("src", "background", "srcset")
    }


def test_the_only_address_in_an_email_is_the_link(email):  # ux 79
    for part in (email["text"], html.unescape(email["html"])):
        addresses = set(re.findall(r"(?:https?:)?//[^\s\"<>]+", part))
        assert len(addresses) <= 1
        assert all(
            address.startswith("https://shop.example/verify-email/?token=") for address in addresses
        )


# The link: ux 81


def test_the_link_leads_to_our_own_host(db):  # ux 81
    message = send()

    (link,) = [value for name, value in Seen(message["html"]).attributes if name == "href"]
    found = urlsplit(link)
    assert (found.scheme, found.netloc, found.path) == ("https", "shop.example", "/verify-email/")
    assert set(parse_qs(found.query)) == {"token"}
    assert link in message["text"]


def test_whatever_the_browser_calls_us_the_link_is_ours(db, postbox):  # WEB-05, ux 81
    ana = Shopper(
        **{
            "Host": "testserver",
            "X-Forwarded-Host": "evil.example",
            "Origin": "https://evil.example",
        }
    )

    ana.identify(ANA)

    assert "https://shop.example/verify-email/" in postbox.messages(ANA)[0]["text"]
    assert "evil.example" not in json.dumps(postbox.messages(ANA))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_there_is_no_link_where_a_link_could_sign_somebody_in(db, kind):  # REG-08
    message = send(kind)

    assert "http" not in message["text"]
    assert "href" not in message["html"]


def test_opening_the_link_twenty_times_changes_nothing(ana, postbox):  # ux 81, COD-13
    ana.identify(ANA)
    link = postbox.link(ANA)

    for _ in range(10):
        assert Shopper().open(link).status_code == 200
        assert Shopper().client.head(link).status_code == 303

    assert not User.objects.exists()
    ana.open(link)
    assert ana.post(LINK).to == COMPLETE


# The text message: ux 82, COD-13


def test_a_text_is_one_cheap_segment(text):  # ux 82, COD-13
    assert len(text) <= 160
    assert set(text) <= GSM_7


def test_a_text_starts_with_the_code_and_names_the_shop(text):  # ux 82
    assert re.match(r"\d{6} (is your|signs you in to) Storefront", text)


def test_a_text_ends_with_the_line_a_phone_fills_in(text):  # ux 82, COD-13
    code = text[:6]

    assert text.splitlines()[-1] == f"@shop.example #{code}"
    assert numbers(text) == {code}


def test_a_text_has_no_link(text):  # ux 82
    assert not re.search(r"https?:|www\.|token", text)


def test_a_text_says_how_long_it_lives(text):  # COD-13
    assert "Works for 10 minutes." in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_shop_name_still_fits_into_one_text(db, settings, kind):  # ux 82
    settings.SITE_NAME = LONG_NAME

    text = send(kind, BEA)["text"]

    assert LONG_NAME in text
    assert len(text) <= 160


# Whose shop, whose words: ABU-04


@pytest.mark.parametrize(
    "name", [LONG_NAME, 'Ann & Bob\'s "Café"', "Straße <3"], ids=["long", "signs", "markup"]
)
def test_the_shops_name_arrives_as_it_is(db, settings, name):  # ux 79
    settings.SITE_NAME = name

    message = send()

    assert message["subject"] == f"{code_of(message)} is your {name} code"
    assert f"is your {name} code." in message["text"]
    assert f"your {name} code:" in Seen(message["html"]).text


def test_a_code_that_works_one_minute_says_so(db, monkeypatch):
    monkeypatch.setattr(conf, "CODE_TTL", conf.CODE_TTL / 10)

    assert "It works for 1 minute, on the page" in send()["text"]


@pytest.mark.parametrize("who", [ANA, BEA], ids=["email", "phone"])
def test_nobody_can_put_words_into_our_messages(anyone, postbox, who):  # ABU-04
    anyone.client.defaults["HTTP_USER_AGENT"] = f"{CHROME} {LURE}"

    anyone.identify(
        who, name=LURE, username="evil.example", password=PASSWORD, next="/?evil.example"
    )

    (message,) = postbox.messages(who)
    assert "evil.example" not in json.dumps(message)
    assert "Win $" not in json.dumps(message)


def test_a_display_name_in_the_address_is_no_way_in(ana, postbox):  # ABU-04
    ana.identify(f'"{LURE}" <{ANA}>')

    assert len(postbox) == 0


# Those who have an account: REG-02, ENU-03


@pytest.mark.parametrize("who", [ANA, BEA], ids=["email", "phone"])
def test_whoever_has_an_account_is_welcomed_back(ana, postbox, monkeypatch, who):  # REG-02
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", "private")
    Shopper().signs_up(who)

    ana.identify(who)

    assert "ou already have an account" in postbox.messages(who)[0]["text"]
    assert "ou already have an account" not in postbox.messages(who)[1]["text"]


def test_the_owner_is_written_to_without_their_name(ana, postbox, monkeypatch):  # ABU-04, ENU-03
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", "private")
    Shopper().signs_up(ANA, name="Anastasia", username="anastasia99")

    ana.identify(ANA)

    assert "nastasia" not in json.dumps(postbox.messages(ANA)[0])


def test_an_account_that_was_switched_off_gets_no_code(ana, postbox):  # REG-02
    User.objects.register(parse(ANA), is_active=False)

    ana.identify(ANA)

    assert len(postbox) == 0


# Looking costs nothing: COD-13


def test_looking_at_the_code_page_twenty_times_sends_nothing(anyone, postbox):  # COD-13
    anyone.identify(ANA)

    for _ in range(20):
        anyone.get(VERIFY)

    assert len(postbox) == 1
    assert Challenge.objects.get().tries_left == conf.CODE_MAX_ATTEMPTS
