"""What each space takes and answers, as OpenAPI 3.1: from the shapes that are read and answered, as Ninja makes it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Union

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Path, Query
from ninja.schema import NinjaGenerateJsonSchema
from ninja.security import HttpBearer
from pydantic import BaseModel

from accounts import errors as refusals
from accounts.forms.fields import NO_TEXT
from accounts.identifiers import EMAIL, PHONE
from api import errors, shapes
from api.dialects import Call, Space
from api.doors import events
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


def document_view(
    space: Space, api: NinjaAPI | None = None
) -> Callable[[HttpRequest], HttpResponse]:
    """The view that answers with the document of `space`, made once; it asks no database.

    `api` is the one that serves the space, if Ninja does.
    """
    made: list[bytes] = []

    @csrf_exempt
    @require_safe
    def view(_request: HttpRequest) -> HttpResponse:
        if not made:
            made.append(json.dumps(describe(space, api) if api else build(space)).encode())
        headers = {"Cache-Control": f"public, max-age={KEPT}"}
        return HttpResponse(made[0], content_type=JSON, headers=headers)

    return view


def make_api(space: Space, **options: Any) -> NinjaAPI:
    """Ninja for `space`, without a row yet, and with its own pages left out."""
    return NinjaAPI(
        title=space.title,
        version=VERSION,
        description=space.description,
        docs_url=None,
        openapi_url=None,
        servers=[{"url": settings.SITE_URL}],
        openapi_extra={"tags": [{"name": space.tag, "description": space.description}]},
        **options,
    )


def add(
    api: NinjaAPI, space: Space, call: Call, method: str, view: Callable[..., Any], auth: Any
) -> None:
    """Add a row to `api`: `view` is called with the request, and with what was sent as `sent` where something is."""
    takes = takes_of(call, method)
    if takes is not None:
        view.__annotations__["sent"] = takes
    refused = {status: _refusal_shape(space, status) for status in _problems(call)}
    decorate = api.api_operation(
        [method],
        f"/{space.prefix}{call.path}/",
        response={call.status: _one_of(_answers(call)), **refused},
        operation_id=_operation_id(call, method),
        summary=call.summary,
        description=call.operation.__doc__,
        tags=[space.tag],
        auth=auth if call.needs_bearer else None,
    )
    decorate(view)


def takes_of(call: Call, method: str) -> Any:
    """Where Ninja finds what a row takes, and in which shape; None for a row that takes nothing."""
    if call.takes is shapes.NothingIn:
        return None
    if "{" in call.path:
        return Path[call.takes]  # type: ignore[misc, name-defined]
    return Query[call.takes] if method == "GET" else call.takes  # type: ignore[misc, name-defined]


def build(space: Space) -> dict[str, Any]:
    """The document of a space that Ninja does not serve."""
    return describe(space, _unserved_api(space))


def describe(space: Space, api: NinjaAPI) -> dict[str, Any]:
    """The document of `space`, with an example of every answer and of every refusal."""
    document: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/")))
    document["components"]["schemas"]["ProblemOut"] = shapes.ProblemOut.model_json_schema()
    document["info"]["contact"] = {"name": settings.SITE_NAME, "url": settings.SITE_URL}
    with override("en"):
        if space.has_events:
            described = events.describe()
            described["get"]["tags"] = [space.tag]
            document["paths"][f"/{space.prefix}{events.PATH}/"] = described
        for call in space.calls:
            for method in call.methods:
                operation = document["paths"][f"/{space.prefix}{call.path}/"][method.lower()]
                _show_examples(operation, space, call)
                if "{" in call.path:
                    # Its members stand with the address.
                    document["components"]["schemas"].pop(call.takes.__name__, None)
                if call.either:
                    _show_both(operation, document["components"]["schemas"], call)
    return document


def _unserved_api(space: Space) -> NinjaAPI:
    """An api whose rows are read by the generator alone."""
    api = make_api(space, urls_namespace=f"document of {space.prefix}")
    for call in space.calls:
        for method in call.methods:
            add(api, space, call, method, _unserved_view(call, method), Bearer())
    return api


def _unserved_view(call: Call, method: str) -> Callable[..., None]:
    def view(request: HttpRequest, sent: Any) -> None:
        """Never called."""

    def bare_view(request: HttpRequest) -> None:
        """Never called."""

    return bare_view if takes_of(call, method) is None else view


def _answers(call: Call) -> tuple[type[shapes.Shape], ...]:
    more = call.other.answers if call.other else ()
    return (*call.answers, *more)


def _show_both(operation: dict[str, Any], schemas: dict[str, Any], call: Call) -> None:
    """Tell that a body is of one of two rows, which a member tells apart."""
    schemas.pop(call.takes.__name__, None)
    for shape in call.either:
        # As Ninja makes the others: a member that may be left out has no default, which generators take for a promise.
        schemas[shape.__name__] = shape.model_json_schema(schema_generator=NinjaGenerateJsonSchema)
    first, second = call.either
    # Whoever sends the handle of the first means the first, whatever else comes along.
    schemas[second.__name__]["not"] = {"required": [first.needed[0]]}
    refs = [{"$ref": f"#/components/schemas/{shape.__name__}"} for shape in call.either]
    operation["requestBody"]["content"][JSON]["schema"] = {"oneOf": refs}


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
        # That of the space first: generated clients read the first one that is named.
        shown = {space.problem_type: (schema, space.render)}
        shown.setdefault(errors.PROBLEM_TYPE, PROBLEM)
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
    for row in filter(None, (call, call.other)):
        told = map(row.find_problem, [*_samples(row), *SAMPLES])
        yield from (each for each in told if each and each.code in row.refusals)
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
