"""What a program is told that is refused something: one list of codes, and a renderer for each space."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts import errors as refusals
from accounts.forms.fields import NO_TEXT, UNREADABLE
from api.operations.base import (
    AttemptUnknown,
    FieldMissing,
    FormInvalid,
    LinkExpired,
    LinkFailed,
    RegistrationTokenInvalid,
)

PROBLEM_TYPE = "application/problem+json"
RETRY_SECONDS = 5
BEARER = "Bearer"

# Of each refusal its code; of one that is not named here the code of the nearest class above it.
CODES: dict[type[Exception], str] = {
    refusals.Refused: "invalid",
    refusals.CodeWrong: "code_wrong",
    refusals.CodeEarlier: "code_earlier",
    refusals.CodeExpired: "code_expired",
    refusals.CodeUsedUp: "code_used_up",
    refusals.CodeClosed: "code_closed",
    refusals.LinkDead: "link_dead",
    refusals.TooOften: "too_often",
    refusals.TooSoon: "too_soon",
    refusals.PasswordLocked: "password_closed",
    refusals.AlreadyRegistered: "already_registered",
    refusals.UsernameTaken: "username_taken",
    refusals.SignInWrong: "invalid_credentials",
    refusals.SignedOut: "token_not_valid",
    refusals.TokenNotValid: "token_not_valid",
    refusals.ChannelDown: "channel_down",
    AttemptUnknown: "not_found",
    FieldMissing: "invalid",
    LinkExpired: "link_dead",
    LinkFailed: "link_dead",
    RegistrationTokenInvalid: "invalid_registration_token",
}
STATUSES = {
    "invalid_credentials": 401,
    "token_not_valid": 401,
    "not_authenticated": 401,
    "not_found": 404,
    "too_soon": 429,
    "too_often": 429,
    "password_closed": 429,
    "channel_down": 503,
    "unavailable": 503,
}
# Under which names a row of a dialect may have a sentence of its own, beside the code: what is told apart in no code.
KEYS: dict[type[Exception], str] = {LinkExpired: "link_expired", LinkFailed: "link_failed"}
CODE_FAMILY = "code_"
# Refusals that belong to one field of what was sent.
OF_A_FIELD = (
    refusals.AlreadyRegistered,
    refusals.UsernameTaken,
    refusals.PasswordBreached,
)
# The sentences of what flows do not refuse.
HINTS = {
    "not_found": _("There is nothing here that we know of. Start again."),
    "not_authenticated": _("Sign in, and send the access token along."),
    "invalid_registration_token": _(
        "That took too long, or was done already. Start again with the number."
    ),
    "unreadable": _("Send a JSON object with texts in it, or a form."),
    "invalid": _("Something is missing. Check what was sent."),
    "link_dead": refusals.LinkDead.message,
    "unavailable": _("Nothing you typed was wrong, and nothing is lost. Try again in a moment."),
}
# Of those that HTTP alone refuses.
HINTS_BY_STATUS = {
    HTTPStatus.METHOD_NOT_ALLOWED: refusals.OTHER_METHOD,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: refusals.TOO_LARGE,
}
# What is wrong with the type of a member, by the start of pydantic's name for it.
TYPE_SENTENCES = {
    "string_unicode": UNREADABLE,
    "string_too_long": _("This is longer than we can take"),
    "uuid": _("Send the id as it was given to you"),
    "literal": _("Only “client” is possible here"),
}


class ShapeInvalid(Exception):
    """Members of what was sent are not of their types, as pydantic found: the name of a member stands last."""

    def __init__(self, found: Iterable[Mapping[str, Any]]) -> None:
        super().__init__()
        self.errors: dict[str, list[str]] = {}
        for each in found:
            name = str(each["loc"][-1]) if each["loc"] else ""
            self.errors.setdefault(name, []).append(_type_sentence(each["type"]))


class NotAuthenticated(Exception):
    """No access token came along where one is needed."""


class RequestRefused(Exception):
    """What was sent cannot be read, or not there, or not so: by HTTP alone."""

    def __init__(self, status: int, code: str = "unreadable", **headers: str) -> None:
        super().__init__()
        self.status, self.code, self.headers = status, code, headers


@dataclass(frozen=True, slots=True)
class Problem:
    """What is told: S as `sentence`, ours as `hint`, or what is wrong with each field."""

    status: int
    code: str
    sentence: str
    hint: str = ""
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def find_problem(
    error: Exception,
    *,
    sentences: Mapping[str, str] | None = None,
    field_sentences: Mapping[str, str] | None = None,
) -> Problem | None:
    """What is told of `error`, in the sentences of a row where it has them; None for what is a fault of ours.

    `sentences` are by code, "code_" for all that is wrong with a code, or by the name of a missing field;
    `field_sentences` by field.
    """
    if isinstance(error, FormInvalid | ShapeInvalid):
        return _of_fields(error.errors, "invalid", field_sentences or {})
    if isinstance(error, OF_A_FIELD):
        errors = {str(error.field): [str(error.message)]}
        return _of_fields(errors, _code(error), sentences or {})
    if isinstance(error, RequestRefused):
        hint = str(HINTS_BY_STATUS.get(HTTPStatus(error.status)) or HINTS[error.code])
        return Problem(error.status, error.code, hint, hint, headers=error.headers)
    if isinstance(error, NotAuthenticated):
        hint = str(HINTS["not_authenticated"])
        headers = {"WWW-Authenticate": BEARER}
        return Problem(401, "not_authenticated", hint, hint, headers=headers)
    if not isinstance(error, tuple(CODES)):
        return None
    return _of_refusal(error, sentences or {})


def unavailable_problem(status: int, sentence: str = "") -> Problem:
    """What is told when it is our fault: 500, or 503 where a moment later may be better."""
    hint = str(HINTS["unavailable"])
    headers = (
        {"Retry-After": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    )
    return Problem(status, "unavailable", sentence or hint, hint, headers=headers)


def render_plain(problem: Problem) -> dict[str, object]:
    """As /api/v1/auth/ tells: the fields as the designs have them, or one sentence."""
    if problem.fields:
        return dict(problem.fields)
    return {"error": problem.sentence, "code": problem.code, "hint": problem.hint}


def render_with_message(problem: Problem) -> dict[str, object]:
    """As /api/auth/ tells: the sentence under the name of the answers, too."""
    told = render_plain(problem)
    return told if problem.fields else {**told, "message": problem.sentence}


def render_problem(problem: Problem) -> dict[str, object]:
    """As RFC 9457 has it; the only shape of /api/v2/auth/."""
    told: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.sentence,
        "code": problem.code,
    }
    if problem.hint:
        told["hint"] = problem.hint
    if problem.fields:
        told["errors"] = dict(problem.fields)
    return told


Renderer = Callable[[Problem], dict[str, object]]


def wants_problem(accept: str) -> bool:
    """Whether whoever sent this `Accept` asks for RFC 9457."""
    return any(each.partition(";")[0].strip().lower() == PROBLEM_TYPE for each in accept.split(","))


def _of_fields(errors: Mapping[str, list[str]], code: str, sentences: Mapping[str, str]) -> Problem:
    told = {
        name: [sentences[name]] if name in sentences else texts for name, texts in errors.items()
    }
    first = next(iter(told.values()))[0]
    return Problem(400, code, first, fields=told)


def _of_refusal(error: Exception, sentences: Mapping[str, str]) -> Problem:
    code = _code(error)
    hint = str(getattr(error, "message", "") or HINTS[code])
    key = error.field if isinstance(error, FieldMissing) else KEYS.get(type(error), code)
    family = CODE_FAMILY if code.startswith(CODE_FAMILY) else key
    sentence = sentences.get(key) or sentences.get(family) or hint
    headers = dict(getattr(error, "headers", {}))
    if code == "token_not_valid":
        headers["WWW-Authenticate"] = f'{BEARER} error="invalid_token"'
    if code == "channel_down":
        headers["Retry-After"] = str(RETRY_SECONDS)
    return Problem(STATUSES.get(code, 400), code, sentence, hint, headers=headers)


def _code(error: Exception) -> str:
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def _type_sentence(kind: str) -> str:
    found = next(
        (text for start, text in TYPE_SENTENCES.items() if kind.startswith(start)), NO_TEXT
    )
    return str(found)
