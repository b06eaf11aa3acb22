"""What a log line is: one line, JSON in production, that names its request and nobody's data (LOG-03, LOG-04)."""

import json
import linecache
import logging
import re
from collections.abc import Iterator, MutableMapping
from typing import Any

import structlog

from accounts import outages
from storefront import BASE_DIR

# So much of one value is kept, so many links of a chain of exceptions, and so many frames of each.
LONGEST_TEXT, CHAIN, FRAMES = 1000, 4, 30
UNAVAILABLE = 503
# No address is longer.
LONGEST_WORD = 254
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")

# Lines of Celery that say every few seconds that all is well.
CHATTY = ["celery.beat", "celery.worker.request", "celery.worker.strategy"]
ROUTINE = {"jobs.tasks.tick"}

TOKEN = re.compile(r"(token=)[^&\s\"']+")

# What a stranger typed may stand in any text: in a path, in the words of an exception, in a broken request.
PRIVATE_NAMES = r"token|secret|passw(?:or)?d|session(?:_?id|_?key)?|csrf\w*|api[_-]?key"
SECRET_NAME = re.compile(rf"(?:{PRIVATE_NAMES}|cookie|authorization)$", re.IGNORECASE)
PERSONAL = [
    (re.compile(r"://[^/\s@]*@"), "://[...]@"),
    (re.compile(r"\b((?:set-)?cookie|authorization)(\W{1,3}).*", re.IGNORECASE), r"\1\2..."),
    (
        re.compile(rf"((?:{PRIVATE_NAMES})[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;]+", re.IGNORECASE),
        r"\1...",
    ),
    # A dot in the host, or cut off before it: a Celery node is name@host.
    (
        re.compile(
            r"(?<![^\s@<>()\[\]\"',;:=/?&])[^\s@<>()\[\]\"',;:=/?&]+(?:@|%40)(?:[^\s@/?&]*\.[\w-]+|[^\s@]*$)"
        ),
        "[email]",
    ),
    (re.compile(r"(?:\+|%2B)\d(?:[ ().-]{0,2}\d){6,14}"), "[phone]"),
    # Standing alone: not in an id, a time, a duration or the number of a process.
    (
        re.compile(r"(?<!pid: )(?<!pid=)(?<![0-9A-Fa-f._-])\d{6,15}(?![0-9A-Za-z_-]|\.\d)"),
        "[digits]",
    ),
    # Of an address the household; what is not routed on the internet is a machine of ours.
    (
        re.compile(
            r"\b(?!127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)(\d{1,3}(?:\.\d{1,3}){2})\.\d{1,3}\b"
        ),
        r"\1.0",
    ),
    (
        re.compile(r"\b([0-9a-f]{1,4}(?::[0-9a-f]{1,4}){1,3})::[0-9a-f:]*[0-9a-f]", re.IGNORECASE),
        r"\1::",
    ),
    (
        re.compile(r"\b((?:[0-9a-f]{1,4}:){4})(?:[0-9a-f]{1,4}:){3}[0-9a-f]{1,4}", re.IGNORECASE),
        r"\1:",
    ),
]
LONG = re.compile(r"(?<![\w-])[\w-]{32,}")
# Long words that are no key: a UUID with or without dashes, or a name without a digit.
HARMLESS = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[^\d]+")
QUOTED = re.compile(
    r"'[^']*'|(?<!constraint )(?<!relation )(?<!column )(?<!table )\"[^\"]*\"", re.IGNORECASE
)
# Nearly all words and paths: nothing to look for.
PLAIN = re.compile(r"[A-Za-z/._-]{0,200}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

Event = MutableMapping[str, Any]


class RedactTokens(logging.Filter):
    """Blank the token of an emailed link wherever a line quotes an address (REC-03)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line; one that cannot be written, such as one with too few values, loses its values."""
        try:
            line = record.getMessage()
        except (TypeError, ValueError, KeyError):
            record.msg, record.args = str(record.msg), ()
            line = record.msg
        if "token=" in line:
            record.msg, record.args = TOKEN.sub(r"\1...", line), ()
        return True


class SkipRoutine(logging.Filter):
    """Leave out that a task of every few seconds succeeded; that it failed is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Look for the name that Celery gives along."""
        about = getattr(record, "data", None) or {}
        return record.levelno > logging.INFO or about.get("name") not in ROUTINE


class CalmOutages(logging.Filter):
    """Make a warning of each 503, without a trace where a database in trouble ended the request (AVL-01)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Look at the status and at the exception that Django logs along."""
        if getattr(record, "status_code", None) == UNAVAILABLE:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if outages.is_outage(error):
            record.exc_info = None
            record.fields = {"error": type(error).__name__, "sqlstate": outages.get_sqlstate(error)}
        return True


def config(*, debug: bool, level: str) -> dict[str, Any]:
    """Everything to stderr in one shape: LOGGING of the settings, for the web, the worker and beat."""
    handler = {
        "class": "logging.StreamHandler",
        "formatter": "line",
        "filters": ["redact_tokens", "skip_routine"],
    }
    quiet = {} if level == "DEBUG" else {name: {"level": "WARNING"} for name in CHATTY}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "redact_tokens": {"()": "storefront.observability.logging.RedactTokens"},
            "skip_routine": {"()": "storefront.observability.logging.SkipRoutine"},
            "calm_outages": {"()": "storefront.observability.logging.CalmOutages"},
        },
        "formatters": {
            "line": {"()": "storefront.observability.logging.formatter", "debug": debug}
        },
        "handlers": {"console": handler},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.request": {"filters": ["calm_outages"]},
            "django.server": {"handlers": ["console"], "propagate": False},
            "storefront.access": {"level": "INFO"},
            **quiet,
        },
    }


def formatter(*, debug: bool) -> logging.Formatter:
    """Make the formatter: JSON, or with `debug` a line for eyes."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            _add_fields,
        ],
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _add_exceptions,
            _redact,
            _readable if debug else _as_json,
        ],
    )


def redact_log_text(text: str) -> str:
    """Return `text` as it may be logged: cut, in ASCII, without control characters and without personal data."""
    if PLAIN.fullmatch(text):
        return text
    text = CONTROL.sub(" ", text if len(text) <= LONGEST_TEXT else _cut(text))
    for pattern, instead in PERSONAL:
        text = pattern.sub(instead, text)
    text = LONG.sub(lambda word: word[0] if HARMLESS.fullmatch(word[0]) else "[secret]", text)
    return text.encode("ascii", "backslashreplace").decode()[: LONGEST_TEXT + 3]


def _cut(text: str) -> str:
    """Cut between two words: half an address would not be recognised as one."""
    space = text.rfind(" ", LONGEST_TEXT - LONGEST_WORD, LONGEST_TEXT)
    return text[: space if space > 0 else LONGEST_TEXT - LONGEST_WORD] + "..."


def _add_fields(_logger: Any, _method: str, event: Event) -> Event:
    """Take what a stdlib record brings as extra={"fields": {...}}."""
    event.update(getattr(event["_record"], "fields", {}))
    return event


def _add_exceptions(_logger: Any, _method: str, event: Event) -> Event:
    """Say of an exception its class, its words without what they quote, and its frames without their variables."""
    found = event.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        # The line itself may quote the exception, as Celery's lines do.
        event["event"] = _unquoted(event["event"])
        tracebacks = [found[2]] if isinstance(found, tuple) else []
        event["exceptions"] = [_render_exception(each, tracebacks) for each in _chain(error)]
    return event


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _link in range(CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _render_exception(error: BaseException, tracebacks: list[Any]) -> Event:
    """`tracebacks` holds the one that was logged, for the first of a chain: Celery takes it off the exception."""
    trace = tracebacks.pop() if tracebacks else error.__traceback__
    kind = type(error)
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "message": _unquoted(str(error)),
        "frames": list(_frames(trace))[-FRAMES:],
    }


def _frames(trace: Any) -> Iterator[str]:
    while trace is not None:
        code, line = trace.tb_frame.f_code, trace.tb_lineno
        trace = trace.tb_next
        source = "" if trace else f": {linecache.getline(code.co_filename, line).strip()}"
        yield f"{_short(code.co_filename)}:{line} {code.co_name}{source}"


def _short(path: str) -> str:
    return path.partition("/site-packages/")[2] or path.removeprefix(f"{BASE_DIR}/")


def _unquoted(text: str) -> str:
    """The first line, which of a database names the constraint and no row, with all quotations blanked."""
    return QUOTED.sub("'...'", str(text).strip().partition("\n")[0][: 4 * LONGEST_TEXT])


def _redact(_logger: Any, _method: str, event: Event) -> Event:
    own = ("at", "level", "logger", "request_id")
    return {key: value if key in own else _redacted(key, value) for key, value in event.items()}


def _redacted(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if SECRET_NAME.search(key):
        return "..."
    if key == "exceptions":
        return [
            {
                **rendered,
                "message": redact_log_text(rendered["message"]),
                "frames": [*map(redact_log_text, rendered["frames"])],
            }
            for rendered in value
        ]
    return redact_log_text(str(value))


def _as_json(_logger: Any, _method: str, event: Event) -> str:
    first = {key: event.pop(key, "") for key in ("at", "level", "logger", "event", "request_id")}
    return json.dumps({**first, **event})


def _readable(_logger: Any, _method: str, event: Event) -> str:
    """For a developer: when, what, the values, and the frames on lines of their own."""
    at, level, logger, said, request_id = (
        event.pop(key, "") for key in ("at", "level", "logger", "event", "request_id")
    )
    exceptions = event.pop("exceptions", [])
    values = "".join(f" {key}={value}" for key, value in event.items())
    whose = f"  [{request_id[:8]}]" if request_id else ""
    lines = [f"{at[11:23]} {level:7} {logger} {said}{values}{whose}"]
    for rendered in exceptions:
        lines += [f"    {rendered['type']}: {rendered['message']}"]
        lines += [f"        {frame}" for frame in rendered["frames"]]
    return "\n".join(lines)
