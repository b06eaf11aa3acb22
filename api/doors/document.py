"""What each space takes and answers, as OpenAPI 3.1: from the shapes that are read and answered, as Ninja makes it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Union

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import override
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Query
from ninja.security import HttpBearer
from pydantic import BaseModel

from accounts import errors as refusals
from accounts.forms.fields import NO_TEXT
from accounts.identifiers import EMAIL, PHONE
from api import errors, shapes
from api.dialects import Call, Space
from api.errors import Problem
from api.operations.base import AttemptUnknown, FormInvalid, RegistrationTokenInvalid

VERSION = "1.0.0"
# Seconds a client may go by what it has.
KEPT = 600
JSON = "application/json"
# Statuses of what nobody can read.
UNREADABLE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
PROBLEM = ({"$ref": "#/components/schemas/ProblemOut"}, errors.render_problem)
MOMENT = datetime(2026, 12, 1, 10, tzinfo=UTC)
LATER = {"room_at": MOMENT + timedelta(minutes=5), "asked_at": MOMENT}
# One of each that a row may refuse.
SAMPLES: tuple[Exception, ...] = (
    refusals.CodeWrong(4),
    refusals.CodeEarlier(MOMENT),
    refusals.CodeExpired(renewed=True),
    refusals.CodeUsedUp(),
    refusals.CodeClosed(),
    refusals.LinkDead(),
    refusals.TooOften(**LATER),
    refusals.TooSoon(**LATER),
    refusals.PasswordLocked(**LATER),
    refusals.UsernameTaken(),
    refusals.SignInWrong(),
    refusals.TokenNotValid(),
    refusals.ChannelDown(EMAIL),
    AttemptUnknown(),
    RegistrationTokenInvalid(),
    errors.NotAuthenticated(),
)


class Bearer(HttpBearer):
    """Names the scheme in a document; who calls is read elsewhere."""

    openapi_bearerFormat = "JWT"  # noqa: N815  the name that Ninja reads

    def authenticate(self, request: HttpRequest, token: str) -> Any | None:
        """Let nobody in: nothing is served by what is made here."""
        return None


def document_view(space: Space) -> Callable[[HttpRequest], HttpResponse]:
    """The view that answers with the document of `space`, made once; it asks no database."""
    made: list[bytes] = []

    @require_safe
    def view(_request: HttpRequest) -> HttpResponse:
        if not made:
            made.append(json.dumps(build(space)).encode())
        headers = {"Cache-Control": f"public, max-age={KEPT}"}
        return HttpResponse(made[0], content_type=JSON, headers=headers)

    return view


def build(space: Space) -> dict[str, Any]:
    """The document of `space`, with an example of every answer and of every refusal."""
    api = NinjaAPI(
        title=space.title,
        version=VERSION,
        description=space.description,
        urls_namespace=f"document of {space.prefix}",
        docs_url=None,
        openapi_url=None,
        servers=[{"url": settings.SITE_URL}],
        openapi_extra={"tags": [{"name": space.tag, "description": space.description}]},
    )
    rows = [(call, method) for call in space.calls for method in call.methods]
    for call, method in rows:
        _add(api, space, call, method)
    document: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/")))
    document["components"]["schemas"]["ProblemOut"] = shapes.ProblemOut.model_json_schema()
    document["info"]["contact"] = {"name": settings.SITE_NAME, "url": settings.SITE_URL}
    with override("en"):
        for call, method in rows:
            operation = document["paths"][f"/{space.prefix}{call.path}/"][method.lower()]
            _show_examples(operation, space, call)
    return document


def _add(api: NinjaAPI, space: Space, call: Call, method: str) -> None:
    """Let the generator read a row as it reads a view."""

    def view(request: HttpRequest, sent: Any) -> None:
        """Never called."""

    def bare_view(request: HttpRequest) -> None:
        """Never called."""

    view.__annotations__["sent"] = Query[call.takes] if method == "GET" else call.takes  # type: ignore[misc, name-defined]
    refused = {status: _refusal_shape(space, status) for status in _problems(call)}
    api.api_operation(
        [method],
        f"/{space.prefix}{call.path}/",
        response={call.status: _one_of(call.answers), **refused},
        operation_id=_operation_id(call, method),
        summary=call.summary,
        description=call.operation.__doc__,
        tags=[space.tag],
        auth=Bearer() if call.needs_bearer else None,
    )(bare_view if call.takes is shapes.NothingIn else view)


def _operation_id(call: Call, method: str) -> str:
    name = call.name.removeprefix("auth-").replace("-", "_")
    return name if len(call.methods) == 1 or method == "POST" else f"{name}_by_{method.lower()}"


def _one_of(answers: tuple[type[BaseModel], ...]) -> Any:
    return answers[0] if len(answers) == 1 else Union[answers]  # noqa: UP007  of a tuple


def _refusal_shape(space: Space, status: int) -> Any:
    """How the space tells a refusal: one sentence, or of what was sent also what is wrong with each field."""
    if status == HTTPStatus.BAD_REQUEST:
        return _one_of(space.refusals)
    return space.refusals[0]


def _show_examples(operation: dict[str, Any], space: Space, call: Call) -> None:
    """Put an example of each refusal beside its status, in the two shapes that it has."""
    for parameter in operation["parameters"]:
        # In the schema they are a list, here they would be named.
        parameter.pop("examples", None)
    for status, problems in _problems(call).items():
        answer = operation["responses"][str(status)]
        schema = answer["content"].pop(JSON)["schema"]
        shown = {space.problem_type: (schema, space.render), errors.PROBLEM_TYPE: PROBLEM}
        answer["content"] = {
            media_type: {"schema": schema, "examples": _examples(problems, render)}
            for media_type, (schema, render) in shown.items()
        }


def _examples(problems: list[Problem], render: errors.Renderer) -> dict[str, Any]:
    return {each.code: {"summary": each.sentence, "value": render(each)} for each in problems}


def _problems(call: Call) -> dict[int, list[Problem]]:
    """What the row may refuse, by status."""
    found: dict[int, list[Problem]] = {}
    for problem in _each_problem(call):
        same = found.setdefault(int(problem.status), [])
        if problem.code not in [each.code for each in same]:
            same.append(problem)
    return dict(sorted(found.items()))


def _each_problem(call: Call) -> Iterator[Problem]:
    told = map(call.find_problem, [*_samples(call), *SAMPLES])
    yield from (each for each in told if each and each.code in call.refusals)
    for status in UNREADABLE:
        problem = call.find_problem(errors.RequestRefused(status))
        if problem:
            yield problem
    problem = call.find_problem(refusals.TooOften(**LATER))
    if problem:
        yield problem
    yield errors.unavailable_problem(HTTPStatus.INTERNAL_SERVER_ERROR, call.broken)
    yield errors.unavailable_problem(HTTPStatus.SERVICE_UNAVAILABLE)


def _samples(call: Call) -> Iterator[Exception]:
    """Of refusals that name a field, those of the row."""
    named = [name for name in (*call.takes.needed[::-1], EMAIL) if name in call.takes.model_fields]
    if named:
        yield FormInvalid({named[0]: [str(NO_TEXT)]})
        taken = refusals.AlreadyRegistered(EMAIL)
        taken.field = EMAIL if EMAIL in call.takes.model_fields else PHONE
        yield taken
