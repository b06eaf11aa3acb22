"""Passwords that a stranger would try first: listed, made of what is known of the shopper, or seen in a breach."""

import hashlib
import html
import random
import runpy
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import override_settings

from accounts import conf
from accounts.identifiers import parse
from accounts.models import SecurityEvent, User
from accounts.password_policy.validators import (
    BREACH_THREADS,
    COMMON,
    BlocklistValidator,
    BreachedValidator,
    ContextValidator,
)
from tests.support.people import CHANGE, COMPLETE, PASSWORD, Shopper, make_shopper
from tests.support.staff import SECRET, let_in_staff, make_staff

LISTED = COMMON.read_text().split("\n")[:-1]
SAMPLES = random.Random(3).sample(LISTED, 100)  # the same hundred every time
ANA, BEA = "ana.maria@example.com", "+12025550123"
OUR_RULES = [
    {"NAME": "accounts.password_policy.validators.BlocklistValidator"},
    {"NAME": "accounts.password_policy.validators.ContextValidator"},
]

DRESSED_UP = {
    "as listed": "motherfucker",
    "capitals": "MotherFucker",
    "digits after it": "motherfucker1987",
    "signs before it": "!!motherfucker",
    "both": "1motherfucker2!",
    "spaces around it": "  motherfucker ",
    "seven more": "motherfucker1987!!!",
    "short, but on Django's list": "superman",
    "a word and a year": "Liverpool2026!",
    "a word and a count": "sunshine12345",
    "two words everybody has": "passwordqwerty",
}
WITHOUT_A_LIST = {
    "one key": "aaaaaaaaaaaa",
    "one key beyond ASCII": "жжжжжжжжжжжж",
    "one emoji": "🐴" * 12,
    "three keys": "abcabcabcabc",
    "four keys": "123412341234",
    "four keys, cut off": "xkzqxkzqxkzqx",
    "a row": "qwertyuiopas",
    "a row backward": "SAPOIUYTREWQ",
    "rows in pieces": "qwertasdfgzxcvb",
    "a row and an end": "qwertyuiopas!7",
    "columns": "1qaz2wsx3edc4rf",
    "digits up": "012345678901",
    "digits down": "98765432109876",
    "the alphabet": "abcdefghijklmnop",
    "with shift": "!@#$%^&*()_+",
    "three of each": "111222333444",
    "a Russian row": "йцукенгшщзхъ",
}
WELCOME = {
    "three words": "correct horse battery",
    "four words": "correct horse battery staple",
    "four words, a year": "correct horse battery staple 2026",
    "no spaces": "correcthorsebattery",
    "common words in a phrase": "my password is a monkey",
    "a phrase with a row": "qwerty met the horse",
    "digits": "840293746152",
    "random": "vu8Kd0-wq2Zr",
    "a common word and a long number": "motherfucker 8402-9374",
    "five keys again": "xkzq7xkzq7xkzq7",
    "three emoji again": "🐴🔋📎" * 4,
    "other scripts": "правильная лошадь",
    "the sample of many a guide": "Password123!",
}


def refuses(validator, password, user=None):
    """Whether `validator` says no."""
    try:
        validate_password(password, user, password_validators=[validator])
    except ValidationError:
        return True
    return False


# What everybody's attacker tries: PWD-03


def test_the_list_is_long_enough_and_nothing_in_it_too_short():  # PWD-03
    long_enough = {line for line in LISTED if len(line) >= conf.PASSWORD_MIN_LENGTH}

    assert len(long_enough) >= 3_000
    assert len(long_enough) == len(LISTED)
    assert [line.casefold() for line in LISTED] == LISTED


def test_the_list_is_what_its_script_makes():
    made = runpy.run_path(str(Path(__file__).parents[2] / "script" / "blocklist"))

    assert made["blocklist"](made["common"]()) == LISTED


@pytest.mark.parametrize("password", [*SAMPLES, *DRESSED_UP.values(), *WITHOUT_A_LIST.values()])
def test_what_is_tried_first_is_refused(password):  # PWD-03
    assert refuses(BlocklistValidator(), password)


@pytest.mark.parametrize("password", WELCOME.values(), ids=WELCOME)
def test_a_phrase_of_ones_own_is_welcome(password):  # PWD-02, PWD-03
    assert not refuses(BlocklistValidator(), password)
    assert not refuses(ContextValidator(), password)


def test_a_longest_password_is_judged_at_once():  # PWD-03
    longest = [
        text * conf.PASSWORD_MAX_LENGTH for text in ("7", "q", "🐴", "qw", "3.14159265", "word ")
    ]
    refuses(BlocklistValidator(), PASSWORD)  # reads the list

    begun = time.monotonic()
    for text in longest:
        refuses(BlocklistValidator(), text[: conf.PASSWORD_MAX_LENGTH])

    assert time.monotonic() - begun < 0.1


@pytest.mark.parametrize("password", SAMPLES[:3])
@override_settings(AUTH_PASSWORD_VALIDATORS=OUR_RULES)
def test_nobody_signs_up_with_a_listed_password(anyone, postbox, password):  # PWD-03
    anyone.identify(ANA)
    anyone.verify(postbox.code(ANA))

    answer = anyone.complete(name="Bo", password=password)

    assert answer.status_code in {400, 422}
    assert "on lists that attackers try first" in html.unescape(answer.content.decode())
    assert not User.objects.get().has_usable_password()


# What this shopper's attacker tries: PWD-04


def ana_maria():
    """What is known of Ana before she is a row."""
    return User(name="Ana María O'Brien", username="thunder_cats77", email=ANA, phone=BEA)


THEIRS = {
    "product": "Storefront2026!!",
    "host": "shop.example2026",
    "labels of the host": "example-shop1!",
    "local part": "ana.maria12345",
    "pieces of it": "mariaana12345",
    "address": "ANA.MARIA@example.com",
    "username": "thunder_cats77!!",
    "pieces of it, turned": "cats77thunder!",
    "phone": "+12025550123",
    "last eight digits": "2555012325550123",
    "phone as one says it": "2025550123!!",
    "name": "ana maría o'brien",
    "family name twice": "O'Brien O'Brien",
    "everything": "StorefrontMaría12025550123",
}


@pytest.mark.parametrize("password", THEIRS.values(), ids=THEIRS)
def test_what_a_stranger_knows_is_no_password(password):  # PWD-04
    assert refuses(ContextValidator(), password, ana_maria())


@pytest.mark.parametrize(
    "password",
    [
        "my storefront horse battery",
        "my cats need 2 beds",
        "correct horse battery",
        "maria and her 7 cats",
    ],
)
def test_a_phrase_may_mention_what_is_known(password):  # PWD-04
    assert not refuses(ContextValidator(), password, ana_maria())


@pytest.mark.parametrize(("rest", "refused"), [("x7!kq2w", True), ("x7!kq2wz", False)])
def test_eight_other_characters_are_enough(rest, refused):  # PWD-04
    assert refuses(ContextValidator(), "Storefront" + rest) is refused


def test_the_shops_own_name_is_known(settings):  # PWD-04
    settings.SITE_NAME, settings.SITE_URL = "Blümchen & Söhne", "https://www.bluemchen.example:8000"

    assert refuses(ContextValidator(), "BLÜMCHEN söhne 1")
    assert refuses(ContextValidator(), "bluemchen2026!!")


@pytest.mark.parametrize(
    "user",
    [None, User(), User(name="李"), User(username="a-b"), User(phone="+1")],
    ids=["nobody", "nothing known", "one letter", "short pieces", "short number"],
)
def test_little_known_forbids_little(user):  # PWD-04
    assert not refuses(ContextValidator(), "a correct b 1 李", user)
    assert refuses(ContextValidator(), "storefront2026", user)


@override_settings(AUTH_PASSWORD_VALIDATORS=OUR_RULES)
def test_nobody_signs_up_with_their_own_address(anyone, postbox):  # PWD-04
    anyone.identify(ANA)
    anyone.verify(postbox.code(ANA))

    answer = anyone.complete(name="Bo", password="ana.maria12345")

    assert answer.status_code in {400, 422}
    assert "mostly your own details" in html.unescape(answer.content.decode())


# What was seen in a breach: PWD-03


class RangeServer(ThreadingHTTPServer):
    """Speaks the range interface. `answer` writes the response, given the request."""

    daemon_threads = True

    def __init__(self, answer):
        self.answer, self.asked = answer, []
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_port}/range/"


class Request(BaseHTTPRequestHandler):
    """One request to the range server."""

    def do_GET(self):  # noqa: N802  the name http.server calls
        """Answer as the test wants."""
        self.server.asked.append((self.path, str(self.headers), self.headers))
        self.server.answer(self)

    def log_message(self, *_args):
        """Keep the test's output clean."""

    def reply(self, body, status=200, **headers):
        """Answer in one piece."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def serve():
    """Start a range server; it stops with the test."""
    servers = []

    def start(answer):
        servers.append(RangeServer(answer))
        threading.Thread(target=servers[-1].serve_forever, args=[0.01], daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def hashed(password):
    """The hash as the range interface writes it."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def listing(*passwords, count=3):
    """Answer with these and two others, as the real server does."""
    lines = [
        "0" * 35 + ":7",
        *(f"{hashed(each)[5:]}:{count}" for each in passwords),
        "F" * 35 + ":0",
    ]
    return lambda request: request.reply("\r\n".join(lines).encode())


def drip(request):
    """Send a byte now and then, for ever."""
    request.send_response(200)
    request.end_headers()
    for _tick in range(30):
        request.wfile.write(b"0")
        time.sleep(0.1)


def drip_headers(request):
    """The same, before there is a body."""
    for _tick in range(30):
        request.wfile.write(b"H")
        time.sleep(0.1)


def cut_off(request):
    """Promise more than comes."""
    request.send_response(200)
    request.send_header("Content-Length", "900")
    request.end_headers()
    request.wfile.write(b"0" * 35 + b":7\r\n")


FAILURES = {
    "hung": lambda request: time.sleep(5),
    "dripping": drip,
    "dripping headers": drip_headers,
    "cut off": cut_off,
    "error": lambda request: request.reply(hashed(PASSWORD)[5:].encode() + b":9", status=500),
    "too many": lambda request: request.reply(b"", status=429),
    "garbage": lambda request: request.reply(b"<html>\xff\x00 Welcome to our Wi-Fi </html>"),
    "nothing": lambda request: request.reply(b""),
    "no HTTP": lambda request: request.wfile.write(b"220 mail.example ESMTP\r\n"),
    "endless": lambda request: request.reply(b"0" * 3_000_000),
}


def events():
    """What was recorded."""
    return list(SecurityEvent.objects.values_list("kind", flat=True))


def test_a_password_from_a_breach_is_refused(db, serve):  # PWD-03
    server = serve(listing("another", PASSWORD))

    with pytest.raises(ValidationError) as refusal:
        BreachedValidator(server.url).validate(PASSWORD)

    assert refusal.value.code == "password_breached"
    assert not events()


@pytest.mark.parametrize(
    "answer", [listing("another"), listing(PASSWORD, count=0)], ids=["another", "padding"]
)
def test_a_password_from_no_breach_is_accepted(db, serve, answer):  # PWD-03
    assert not refuses(BreachedValidator(serve(answer).url), PASSWORD)
    assert not events()


def test_five_characters_of_the_hash_leave_and_no_more(db, serve):  # PWD-03
    server = serve(listing())

    refuses(BreachedValidator(server.url), PASSWORD)

    [(path, sent, headers)] = server.asked
    assert path == f"/range/{hashed(PASSWORD)[:5]}"
    assert headers["Add-Padding"] == "true"
    assert hashed(PASSWORD)[5:10] not in sent.upper()
    assert not any(word in sent for word in PASSWORD.split())


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES)
def test_a_server_that_fails_closes_no_door(db, serve, answer):  # PWD-03
    url = serve(answer).url
    begun = time.monotonic()

    assert not refuses(BreachedValidator(url), PASSWORD)

    assert time.monotonic() - begun < 2.5
    assert events() == ["breach_check_failed"]


def test_a_server_that_is_not_there_closes_no_door(db, serve):  # PWD-03
    server = serve(listing())
    server.shutdown()
    server.server_close()

    assert not refuses(BreachedValidator(server.url), PASSWORD)
    assert events() == ["breach_check_failed"]


def test_nobody_is_sent_elsewhere_with_the_hash(db, serve):  # PWD-03
    elsewhere = serve(listing(PASSWORD))
    server = serve(lambda request: request.reply(b"", status=302, Location=elsewhere.url))

    assert not refuses(BreachedValidator(server.url), PASSWORD)
    assert not elsewhere.asked
    assert events() == ["breach_check_failed"]


def test_a_crowd_at_a_hung_server_does_not_wait(db, serve):  # PWD-03
    url = serve(FAILURES["hung"]).url

    with ExitStack() as crowd:
        for _shopper in range(8):
            crowd.enter_context(BREACH_THREADS)
        begun = time.monotonic()
        assert not refuses(BreachedValidator(url), PASSWORD)

    assert time.monotonic() - begun < 0.5
    assert events() == ["breach_check_failed"]


def test_nothing_is_asked_unless_a_setting_says_whom():  # PWD-03
    assert not refuses(BreachedValidator(), PASSWORD)
    assert not refuses(BreachedValidator(url=""), PASSWORD)


@pytest.mark.parametrize("kind", [BlocklistValidator, ContextValidator, BreachedValidator])
def test_these_rules_need_no_telling_first(kind):  # ux 55
    assert kind().get_help_text() == ""


def test_a_sign_up_waits_for_no_hung_server(ana, postbox, serve):  # PWD-03
    rule = {
        "NAME": "accounts.password_policy.validators.BreachedValidator",
        "OPTIONS": {"url": serve(drip).url},
    }
    ana.identify(ANA)
    ana.verify(postbox.code(ANA))
    begun = time.monotonic()

    with override_settings(AUTH_PASSWORD_VALIDATORS=[rule]):
        ana.complete()

    assert time.monotonic() - begun < 2.5
    assert User.objects.get().check_password(PASSWORD)
    assert events().count("breach_check_failed") == 1


def asking(server):
    """A shop that asks this server, and nobody else, about a new password."""
    name = "accounts.password_policy.validators.BreachedValidator"
    rule = {"NAME": name, "OPTIONS": {"url": server.url}}
    return override_settings(AUTH_PASSWORD_VALIDATORS=[rule])


def registers(postbox, password):
    """All in one step."""
    fields = {"name": "Ana", "username": "ana", "password": password}
    return Shopper().identify(ANA, **fields)


def completes(postbox, password):
    """In the third step."""
    ana = Shopper()
    ana.identify(ANA)
    ana.verify(postbox.code(ANA))
    return ana.complete(password=password)


def changes(postbox, password):
    """Signed in, with the password that was."""
    with override_settings(AUTH_PASSWORD_VALIDATORS=[]):
        ana = make_shopper(Shopper(), ANA)
    return ana.post("/account/password/", current=PASSWORD, password=password)


def recovers(postbox, password):
    """With the link in an email."""
    User.objects.register(parse(ANA))
    ana = Shopper()
    ana.post("/password-reset/", identifier=ANA)
    ana.open(postbox.link(ANA))
    return ana.post("/password-reset/new/", password=password)


def changes_as_staff(postbox, password):
    """On the staff pages."""
    make_staff()
    boss = Shopper()
    let_in_staff(boss.client)
    return boss.post("/admin/password_change/", current=SECRET, password=password)


DOORS = [registers, completes, changes, recovers, changes_as_staff]
BREACHED, FINE = "a password in a breach", "a password in no breach"


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_door_asks_about_a_new_password(postbox, serve, door):  # PWD-03
    with asking(serve(listing(BREACHED))):
        refused = door(postbox, BREACHED)

    assert refused.status_code == 422
    assert "has been seen in a data breach" in refused.content.decode()


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_and_lets_another_one_pass_after_one_question(postbox, serve, door):  # PWD-03
    server = serve(listing(BREACHED))
    with asking(server):
        passed = door(postbox, FINE)

    assert passed.status_code in (302, 303)
    assert len(server.asked) == 1


def test_one_household_makes_us_ask_no_more_often_than_it_may_register(postbox, serve):  # LIM-09
    server = serve(listing(BREACHED))
    (rate,) = conf.REGISTER_PER_IP
    with asking(server):
        for number in range(rate.times + 5):
            answer = Shopper().identify(f"ana{number}@example.com", name="Ana", password=BREACHED)

    assert answer.status_code == 429
    assert len(server.asked) == rate.times
    assert len(postbox) == 0


@pytest.mark.parametrize("door", ["complete", "recover", "staff"])
def test_nor_does_anybody_who_is_further_in(postbox, serve, door):  # LIM-09
    server = serve(listing(BREACHED))
    (rate,) = conf.CHANGES_PER_ACCOUNT
    post = further_in(postbox, door)
    with asking(server):
        answers = [post(BREACHED).status_code for _ in range(rate.times + 2)]

    assert answers == [422] * rate.times + [429] * 2
    assert len(server.asked) == rate.times


def further_in(postbox, door):
    """Somebody who may choose a password, again and again; returns how they do it."""
    ana = Shopper()
    if door == "staff":
        make_staff()
        let_in_staff(ana.client)
        page, more = "/admin/password_change/", {"current": SECRET}
    elif door == "recover":
        User.objects.register(parse(ANA))
        ana.post("/password-reset/", identifier=ANA)
        ana.open(postbox.link(ANA))
        page, more = "/password-reset/new/", {}
    else:
        ana.identify(ANA)
        ana.verify(postbox.code(ANA))
        page, more = COMPLETE, {"name": "Ana"}
    return lambda password: ana.post(page, password=password, **more)


def test_another_address_costs_no_hash_and_no_question(postbox, serve, monkeypatch):  # LIM-09
    server, hashed_here = serve(listing(BREACHED)), []
    ana = Shopper()
    ana.identify(ANA, name="Ana", password=PASSWORD)
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher, "encode", lambda *told: hashed_here.append(told) or encode(*told)
    )

    with asking(server):
        ana.post(CHANGE, identifier="other@example.com", name="Eve", password=BREACHED)

    assert (server.asked, hashed_here) == ([], [])
    ana.verify(postbox.code("other@example.com"))
    user = User.objects.get()
    assert (user.email, user.name) == ("other@example.com", "Ana")
    assert user.check_password(PASSWORD)
