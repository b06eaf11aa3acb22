"""What is logged: one line that a machine reads, the id of its request, and nobody's data."""

import io
import json
import logging
import threading
import timeit
import uuid
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.test import Client, RequestFactory
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from accounts import conf
from accounts.models import User
from messaging.outbox import wakeup
from storefront.middleware import request_id
from storefront.observability import access_log
from storefront.observability import logging as site_logging
from tests.support.people import Shopper

ID = "0123456789abcdef"
WHO, PHONE, CODE = "ana.lee+shop@example.com", "+447700900123", "493817"


@pytest.fixture(autouse=True)
def _no_request():
    clear_contextvars()
    yield
    clear_contextvars()


@pytest.fixture
def log():
    """A logger as the settings make it; its lines are read from `log.lines`."""
    return Log(debug=False)


class Log:
    """A logger of its own with the site's formatter and filters."""

    def __init__(self, *, debug):
        self.written = io.StringIO()
        handler = logging.StreamHandler(self.written)
        handler.setFormatter(site_logging.formatter(debug=debug))
        handler.addFilter(site_logging.RedactTokens())
        self.logger = logging.Logger("shop", logging.DEBUG)
        self.logger.addHandler(handler)

    @property
    def text(self):
        return self.written.getvalue()

    @property
    def lines(self):
        return [json.loads(line) for line in self.text.splitlines()]

    def said(self, *words):
        """Log it, and return what the line says."""
        self.logger.info(*words)
        return self.lines[-1]["event"]


def failure(error):
    """Raise it and log it, as Django does."""
    log = Log(debug=False)
    try:
        raise error
    except type(error):
        log.logger.exception("Internal Server Error: %s", "/register/")
    return log


def test_a_line_says_when_who_what_and_for_whom(log):
    bind_contextvars(request_id=ID)

    log.logger.warning("outbox %s: %s failed", 7, "smtp")

    (line,) = log.lines
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "warning", "logger": "shop", "event": "outbox 7: smtp failed", "request_id": ID,
    }  # fmt: skip


@pytest.mark.parametrize(
    "typed",
    [
        "ana\r\n{\"level\": \"critical\"}",
        "\x1b[2J\x1b[31mred",
        "nul\x00nul",
        "\u2028\u2029\x85 lines of other alphabets \U0001f600",
        "\udcff half a character",
        "x" * 100_000,
        "é" * 100_000,
        "%s %d %(x)s {0}",
    ],
    ids=["line ends", "ANSI", "NUL", "other line ends", "surrogate", "100 kB", "100 kB of é", "forms"],
)  # fmt: skip
def test_whatever_is_typed_one_line_is_written(log, typed):  # LOG-04
    log.logger.info("no such page: %s", typed, extra={"fields": {"path": typed}})

    assert log.text.count("\n") == 1
    assert log.text.isascii()
    assert "\x1b" not in log.text
    assert "\x00" not in log.text
    assert len(log.lines[0]["event"]) <= 1003
    assert len(log.lines[0]["path"]) <= 1003
    assert log.lines[0]["level"] == "info"


def test_a_line_with_too_few_values_is_written_all_the_same(log):  # LOG-04
    log.logger.info("%s and %s", "one")

    assert log.lines[0]["event"] == "%s and %s"


@pytest.mark.parametrize(
    ("words", "secret"),
    [
        (f"mail to {WHO} failed", "ana"),
        (f"<{WHO}>: relay denied", "ana"),
        ("GET /x/ana%40example.com/", "ana"),
        ("GET /reset/?token=aaaa-bbbb_cccc&x=1", "aaaa"),
        ("to ånä@exämple.com", "ånä"),
        (f"text to {PHONE} failed", "7700900123"),
        ("text to +44 7700 900-123", "900"),
        ("text to %2B447700900123", "7700900123"),
        ("number 2025550123 is no number", "2025550123"),
        (f"your code is {CODE}.", CODE),
        (f"code={CODE}&next=/", CODE),
        (f"typed '{CODE}'", CODE),
        (f"line\n{CODE}\nline", CODE),
        ("code 49381725", "49381725"),
        ("Cookie: __Host-session=abcdef; csrftoken=abcdef", "abcdef"),
        ("Set-Cookie: __Host-session=abcdef; Path=/", "abcdef"),
        ("{'cookie': 'a=b; c=abcdef'}", "abcdef"),
        ("Authorization: Bearer abcdef", "abcdef"),
        ("session_key=abcdef", "abcdef"),
        ('{"password": "hunter2"}', "hunter2"),
        ("session 0123456789abcdef0123456789abcdef01234567 is gone", "0123456789abcdef"),
        ("csrf a1B2c3D4e5F6g7H8a1B2c3D4e5F6g7H8", "a1B2c3D4"),
        ("redis://user:hunter2@redis.internal:6379/0", "hunter2"),
        ("Invalid request from ip=203.0.113.77", "113.77"),
        ("from 2001:db8:1:2:3:4:5:6", "3:4:5:6"),
        ("from 2001:db8::beef", "beef"),
        ("x" * 990 + " ana@example.com", "ana"),
        ("ana@example.com " * 100, "ana"),
    ],
)  # fmt: skip
def test_nobody_is_named_in_a_line(log, words, secret):  # LOG-03
    log.logger.info("%s", words, extra={"fields": {"path": words}})
    log.logger.info(words)

    assert secret not in log.text
    assert len(log.lines) == 2


@pytest.mark.parametrize(
    "harmless",
    [
        "outbox 5f0c3a52-1234-4678-9abc-123456789012: smtp failed: 421",
        "request 1234567890abcdef1234567890abcdef",
        "at 2026-11-21T13:14:31.123456+00:00",
        "at 2026-11-21 13:14:31,123",
        "succeeded in 0.012345678s: None",
        "Listening at: http://127.0.0.1:54321",
        "redis at 10.0.0.17:6379",
        "Booting worker with pid: 4194303",
        "celery@shop-7 ready.",
        "Task messaging.tasks.deliver succeeded",
        'violates unique constraint "accounts_user_email_key_uniq"',
        "took 1500 ms, 65536 bytes",
    ],
)
def test_what_an_operator_needs_stays(log, harmless):
    assert log.said(harmless) == harmless


def test_an_exception_is_told_without_what_it_quotes():  # LOG-03
    password = "hunter2 is my password"  # noqa: F841  a local variable: not for logs

    log = failure(ValueError(f"invalid literal: 'hunter2 is mine' {WHO} {CODE}\nDETAIL: {WHO}"))

    (line,) = log.lines
    (told,) = line["exceptions"]
    assert (told["type"], line["level"]) == ("builtins.ValueError", "error")
    assert told["message"] == "invalid literal: '...' [email] [digits]"
    assert told["frames"] == [
        frame for frame in told["frames"] if frame.startswith("tests/project/test_logs.py")
    ]
    assert told["frames"][-1].endswith("failure: raise error")
    assert "hunter2" not in log.text


def test_the_cause_of_an_exception_is_told_too():
    error = RuntimeError("outer")
    error.__cause__ = KeyError("inner")

    (line,) = failure(error).lines

    assert [told["type"] for told in line["exceptions"]] == [
        "builtins.RuntimeError",
        "builtins.KeyError",
    ]


@pytest.mark.django_db
def test_a_row_that_the_database_refused_is_not_quoted(log):  # LOG-03
    User.objects.create(username="hunter2")

    try:
        with transaction.atomic():
            User.objects.create(username="hunter2")
    except IntegrityError:
        log.logger.exception("refused")

    assert "hunter2" not in log.text
    assert "constraint" in log.lines[0]["exceptions"][0]["message"]


def test_a_value_with_the_name_of_a_secret_is_hidden(log):  # LOG-03
    log.logger.info("asked", extra={"fields": {"api_key": "abc", "session": "abc", "status": 200}})

    assert "abc" not in log.text
    assert log.lines[0]["status"] == 200


def test_a_developer_reads_lines_and_frames():
    log = Log(debug=True)
    bind_contextvars(request_id=ID)
    try:
        raise ValueError(WHO)
    except ValueError:
        log.logger.exception("Internal Server Error: /")

    first, second, *frames = log.text.splitlines()
    assert first[13:].startswith("error   shop Internal Server Error: /")
    assert ID[:8] in first
    assert second == "    builtins.ValueError: [email]"
    assert frames[0].startswith("        tests/project/test_logs.py:")


def test_a_task_of_every_second_tells_only_of_failure():
    ends = [
        logging.LogRecord("celery.app.trace", level, "", 0, "Task ended", (), None)
        for level in (logging.INFO, logging.ERROR)
    ]
    for end in ends:
        end.data = {"name": "jobs.tasks.tick"}

    assert [site_logging.SkipRoutine().filter(end) for end in ends] == [False, True]


# The id of a request


@pytest.fixture
def proxy(monkeypatch):
    """One proxy of ours stands in front."""
    monkeypatch.setattr(conf, "TRUSTED_PROXY_COUNT", 1)


def test_a_stranger_does_not_choose_the_id_under_which_we_log(client, db):  # LOG-04, LIM-06
    answered = client.get("/register/", headers={"X-Request-ID": "of-somebody-else"})

    assert answered["X-Request-ID"] != "of-somebody-else"
    assert site_logging.REQUEST_ID.fullmatch(answered["X-Request-ID"])


@pytest.mark.parametrize("given", ["abcdefgh", "0-9A-Za-z", "f" * 64, str(uuid.UUID(int=7))])
def test_an_id_that_the_proxy_gave_is_kept(client, db, proxy, given):
    assert client.get("/register/", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", ["", "short", "f" * 65, "evil\r\nX: y", "a b c d e f", '"};--------', "ünïcödeünï"]
)
def test_any_other_id_is_replaced(client, db, proxy, given):  # LOG-04
    answered = client.get("/register/", headers={"X-Request-ID": given})["X-Request-ID"]

    assert answered != given
    assert site_logging.REQUEST_ID.fullmatch(answered)


def test_every_request_has_an_id_of_its_own(client, db):
    assert client.get("/")["X-Request-ID"] != client.get("/nowhere/")["X-Request-ID"]


def test_the_lines_of_a_request_have_its_id(client, db, log, proxy):
    logger = logging.getLogger("django.request")
    logger.addHandler(log.logger.handlers[0])
    try:
        answer = client.get("/nowhere/", headers={"X-Request-ID": "of-this-request"})
    finally:
        logger.removeHandler(log.logger.handlers[0])

    assert answer.status_code == 404
    assert [line["request_id"] for line in log.lines] == ["of-this-request"]


def test_the_id_is_kept_when_the_message_is_sent_inside_the_request(ana, postbox, proxy):
    ana.client.post(
        "/register/", {"identifier": "ana@example.com"}, headers={"X-Request-ID": "still-mine"}
    )

    assert get_contextvars() == {"request_id": "still-mine"}


def test_the_id_goes_along_with_the_hint(settings):
    settings.CELERY_TASK_ALWAYS_EAGER = False
    asleep = threading.Thread(target=threading.Event().wait, args=(5,), daemon=True)
    asleep.start()
    wakeup._publisher, before = asleep, wakeup._publisher
    bind_contextvars(request_id=ID)

    try:
        wakeup.nudge("5f0c3a52-1234-4678-9abc-123456789012")
        assert wakeup._queued.get_nowait()[1] == {"request_id": ID}
    finally:
        wakeup._publisher = before


# The line of an answer


@pytest.fixture
def answered(log, monkeypatch):
    """Writes the line of one answer, and returns all lines there are."""
    monkeypatch.setattr(access_log, "logger", log.logger)

    def answered(path="/register/"):
        request = RequestFactory().get(
            "/", {"token": "SECRET"}, REMOTE_ADDR="203.0.113.77",
            headers={"Referer": "https://shop.example/?token=SECRET", "User-Agent": "SECRET", "Cookie": "a=SECRET"},
        )  # fmt: skip
        request.path_info = path
        headers = [(b"X-Request-ID", ID.encode()), (b"Vary", b"Cookie")]
        access_log.write(request, 303, headers, 123456, 0.01234)
        return log.lines

    return answered


def test_an_answer_is_one_line(answered):
    (line,) = answered()

    assert line.pop("at")
    assert line == {
        "level": "info", "logger": "shop", "event": "answered", "request_id": ID,
        "method": "GET", "path": "/register/", "status": 303, "bytes": 123456, "ms": 12.3,
        "ip": "203.0.113.0",
    }  # fmt: skip


def test_the_line_of_an_answer_knows_no_query_and_no_header(answered):  # LOG-03
    assert "SECRET" not in str(answered())


@pytest.mark.parametrize(
    "path", ["/\r\nx", "/\x1b[2J", "/" + "x" * 100_000, f"/{WHO}/{PHONE}/{CODE}/"]
)
def test_any_path_is_one_line_that_names_nobody(answered, path):  # LOG-03, LOG-04
    (line,) = answered(path)

    assert len(line["path"]) <= 1003
    assert not any(secret in line["path"] for secret in ("ana", "7700", CODE))


def test_probes_are_not_told_of(answered):
    assert not answered("/livez")


# The whole site


CANARIES = ["canary.lee@example.com", "+447700900199", "canary-password-7", "canary name"]


@pytest.mark.django_db
def test_what_a_shopper_types_is_in_no_line_even_when_the_site_breaks(log, settings):  # LOG-03
    settings.CODE_KEYS = []
    shopper, root = Shopper(), logging.getLogger()
    shopper.client = Client(raise_request_exception=False)
    root.addHandler(log.logger.handlers[0])
    try:
        for typed in CANARIES:
            fields = dict.fromkeys(["identifier", "code", "name", "password", "next"], typed)
            for page in ("/register/", "/login/code/", "/login/", "/nowhere/"):
                shopper.client.post(f"{page}?token={typed}", fields)
            shopper.client.post("/register/", {"identifier": CANARIES[0], "next": typed})
            shopper.client.post("/login/code/", {"identifier": CANARIES[0], "next": typed})
    finally:
        root.removeHandler(log.logger.handlers[0])

    assert sum("exceptions" in line for line in log.lines) >= 3
    assert not [word for word in CANARIES if word in log.text]


def test_every_logger_writes_through_one_handler():
    handlers = settings.LOGGING["handlers"]

    assert list(handlers) == ["console"]
    assert handlers["console"]["formatter"] == "line"


def test_naming_a_request_costs_less_than_30_microseconds():
    middleware = request_id(lambda request: SimpleNamespace(headers={}))
    times = timeit.repeat(
        lambda: middleware(SimpleNamespace(META={}, path_info="/")), number=200, repeat=20
    )

    assert min(times) / 200 < 30e-6
