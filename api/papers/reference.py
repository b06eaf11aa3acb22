"""docs/API_AUTH.md: every call of every space, out of their documents."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from django.utils.translation import override

from accounts import conf
from accounts.errors import CodeWrong
from api import errors
from api.dialects import OTP_WRONG, Call, Space
from api.dialects_v2 import EVERY_SPACE
from api.doors.document import build
from api.papers.examples import EXAMPLES, Address, shell
from api.papers.page import fill, table
from ratelimits.rates import Rate

METHODS = ("get", "post", "patch", "delete")
REF = "#/components/schemas/"
NO_EMAIL = "Enter your email address"


def make() -> str:
    """The page."""
    with override("en"):
        return fill(
            "api_auth.md",
            spaces=[_space(space) for space in EVERY_SPACE],
            shapes=[_shape(space.render, space) for space in EVERY_SPACE],
            problem=_shape(errors.render_problem),
            codes=table(["code", "status", "what a person may be told"], list(_codes())),
            limits=table(["what", "how often", "setting"], LIMITS),
            numbers=NUMBERS,
        )


def _minutes(span: Any) -> int:
    return int(span.total_seconds() // 60)


def _days(span: Any) -> int:
    return int(span.days)


NUMBERS = {
    "access_minutes": _minutes(conf.API_ACCESS_TTL),
    "code_minutes": _minutes(conf.CODE_TTL),
    "tries": conf.CODE_MAX_ATTEMPTS,
    "cooldown": int(conf.CODE_RESEND_COOLDOWN.total_seconds()),
    "token_minutes": _minutes(conf.AUTH_REGISTRATION_TOKEN_EXPIRY_MINUTES),
    "grace": int(conf.REFRESH_GRACE.total_seconds()),
    "idle_days": _days(conf.APP_SESSION_IDLE),
    "absolute_days": _days(conf.APP_SESSION_ABSOLUTE),
    "kilobytes": conf.MAX_BODY // 1024,
    "password_length": conf.PASSWORD_MIN_LENGTH,
}


def _often(rates: Rate | tuple[Rate, ...]) -> str:
    each = (rates,) if isinstance(rates, Rate) else rates
    return ", ".join(f"{rate.times} in {_span(rate.seconds)}" for rate in each)


def _span(seconds: int) -> str:
    sizes = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    size, name = next((size, name) for size, name in sizes if seconds % size == 0)
    count = seconds // size
    return f"{'an' if name == 'hour' else 'a'} {name}" if count == 1 else f"{count} {name}s"


LIMITS = [
    [what, _often(getattr(conf, name)), f"`{name}`"]
    for what, name in [
        ("registrations from one address of the net", "REGISTER_PER_IP"),
        ("addresses that one household learns to be taken", "DUPLICATE_PROBES_PER_IP"),
        ("codes and links asked for, and codes tried without `attempt`", "CODES_PER_IP"),
        ("messages to one person", "MESSAGES_PER_RECIPIENT"),
        ("codes sent again to one person", "RESENDS_PER_RECIPIENT"),
        ("codes tried for one person", "CODE_GUESSES_PER_ID"),
        ("wrong passwords of one account", "LOGIN_FAILURES"),
        ("wrong passwords from one address of the net", "LOGIN_FAILURES_PER_IP"),
        ("sign-ins of one account from devices it does not trust yet", "SIGN_INS_PER_ACCOUNT"),
        ("new passwords asked for by one person", "RESETS_PER_ID"),
    ]
]


def _shape(render: errors.Renderer, space: Space | None = None) -> dict[str, str]:
    """How a refusal is told: one sentence, and what is wrong with a field."""
    fields = errors.Problem(400, "invalid", NO_EMAIL, fields={"email": [NO_EMAIL]})
    wrong = errors.Problem(400, "code_wrong", OTP_WRONG, str(CodeWrong(4).message))
    return {
        "prefix": f"/{space.prefix}" if space else "",
        "media_type": space.problem_type if space else errors.PROBLEM_TYPE,
        "sentence": _pretty(render(wrong)),
        "fields": _pretty(render(fields)),
    }


def _codes() -> Iterator[list[str]]:
    """Each code once, with its status and the hint that the documents show."""
    hints: dict[str, str] = {}
    statuses: dict[str, set[str]] = {}
    for space in EVERY_SPACE:
        for operation in _operations(build(space)):
            for status, code, problem in _problems(operation):
                hints.setdefault(code, problem.get("hint") or problem["detail"])
                statuses.setdefault(code, set()).add(status)
    for code in sorted(hints):
        yield [f"`{code}`", ", ".join(sorted(statuses[code])), hints[code]]


def _space(space: Space) -> dict[str, Any]:
    document = build(space)
    operations = list(_operations(document))
    addresses = {
        name: Address(operation["method"], operation["path"])
        for operation in operations
        for name in _names(operation)
    }
    return {
        "prefix": f"/{space.prefix}",
        "description": space.description,
        "document": f"/{space.prefix.removesuffix('auth/')}openapi.json",
        "calls": [
            _call(operation, document, addresses, _rows(space, operation["path"]))
            for operation in operations
        ],
        "error_kind": "RFC 9457"
        if space.problem_type == errors.PROBLEM_TYPE
        else "as the design has them",
    }


def _rows(space: Space, path: str) -> list[Call]:
    """The rows at an address."""
    found = [call for call in space.calls if f"/{space.prefix}{call.path}/" == path]
    return found + [call.other for call in found if call.other]


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                yield {**operations[method], "method": method.upper(), "path": path}


def _names(operation: Mapping[str, Any]) -> list[str]:
    """Under which names its examples stand: the id, but where two calls have one name, or one address."""
    name: str = operation["operationId"]
    if name != "verify_otp":
        return [name]
    told = json.dumps(operation["requestBody"])
    shapes = {"VerifyOtpIn": "verify_otp", "VerifyAddressIn": "verify_address"}
    return [name for shape, name in shapes.items() if f"{REF}{shape}" in told]


def _call(
    operation: dict[str, Any],
    document: Mapping[str, Any],
    addresses: Mapping[str, Address],
    rows: list[Call],
) -> dict[str, Any]:
    name, refusals = _names(operation)[0], _refusals(operation)
    return {
        "heading": f"{operation['method']} {operation['path']}",
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "needs_bearer": bool(operation.get("security")),
        "fields": list(_fields(operation, document)),
        "example": shell(name, addresses) if name in EXAMPLES else "",
        "answers": list(_answers(operation, document, rows)),
        "refusals": table(["status", "code", "sentence"], refusals) if refusals else "",
    }


HEADS = ["member", "", "what it is", "example"]


def _fields(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """What is sent: in the address, or in the body, which may be one of several."""
    rows = [
        _field(each["name"], each["schema"], is_needed=each.get("required", False))
        for each in operation.get("parameters", [])
    ]
    if rows:
        yield table(HEADS, rows)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    for schema in _each(body["schema"], document) if body else []:
        needed = schema.get("required", [])
        members = schema.get("properties", {}).items()
        yield table(HEADS, [_field(name, told, is_needed=name in needed) for name, told in members])


def _field(name: str, schema: Mapping[str, Any], *, is_needed: bool) -> list[str]:
    shown = next((str(each) for each in schema.get("examples", []) if each), "")
    return [
        f"`{name}`",
        "needed" if is_needed else "",
        schema.get("description", "").rstrip("."),
        f"`{shown}`" if shown else "",
    ]


def _each(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The shapes that a schema is one of."""
    for each in schema.get("anyOf") or schema.get("oneOf") or [schema]:
        yield _resolve(each, document)


def _resolve(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].removeprefix(REF)]
    return schema


def _answers(
    operation: Mapping[str, Any], document: Mapping[str, Any], rows: list[Call]
) -> Iterator[dict[str, str]]:
    """What is answered when all is well, in each shape that it may have."""
    for status, answer in operation["responses"].items():
        contents = answer.get("content", {}).values() if status.startswith("2") else []
        for schema in chain.from_iterable(_each(told["schema"], document) for told in contents):
            shown = _example(schema, document)
            if isinstance(shown, str):
                yield {
                    "status": status,
                    "text": schema["description"],
                    "kind": "text",
                    "shown": shown.strip(),
                }
                continue
            if "message" in shown:
                shown |= {"message": _message(schema["title"], shown, rows)}
            text = schema.get("description", "")
            yield {"status": status, "text": text, "kind": "json", "shown": _pretty(shown)}


def _message(title: str, answer: Mapping[str, Any], rows: list[Call]) -> str:
    """The sentence that is said with the answer of this shape."""
    row = next(row for row in rows if title in [shape.__name__ for shape in row.answers])
    if isinstance(row.message, str):
        return row.message
    return row.message(row.takes(), {"is_repeated": False, "verified": True, **answer})


def _example(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """What the schema looks like, of the examples of its members."""
    schema = _resolve(schema, document)
    if schema.get("examples"):
        return schema["examples"][0]
    if "properties" in schema:
        members = schema["properties"].items()
        return {name: _example(each, document) for name, each in members}
    if "items" in schema:
        return [_example(schema["items"], document)]
    return schema.get("const", schema.get("default"))


def _problems(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """What is refused, as RFC 9457 tells it: status, code, all."""
    for status, answer in operation["responses"].items():
        shown = answer.get("content", {}).get(errors.PROBLEM_TYPE, {}).get("examples", {})
        for code, example in shown.items():
            yield status, code, example["value"]


# What every call may refuse stands once, with the rules for all of them.
OF_ALL = ("unreadable", "unavailable")


def _refusals(operation: Mapping[str, Any]) -> list[list[str]]:
    return [
        [status, f"`{code}`", _told(problem)]
        for status, code, problem in _problems(operation)
        if code not in OF_ALL
    ]


def _told(problem: Mapping[str, Any]) -> str:
    fields = problem.get("errors")
    if not fields:
        return str(problem["detail"])
    return "; ".join(f"`{name}`: {texts[0]}" for name, texts in fields.items())


def _pretty(told: Any) -> str:
    return json.dumps(told, indent=2, ensure_ascii=False)
