"""What is answered under /api/ where no operation answers: middleware, unknown addresses, faults of ours."""

from http import HTTPStatus

from django.http import HttpRequest, JsonResponse
from django.urls import Resolver404, resolve
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from accounts import outages
from api import errors
from api.dialects import V1, Call, Space
from api.dialects_v2 import EVERY_SPACE
from api.errors import Problem, RequestRefused

PREFIX = "/api/"


def is_api(request: HttpRequest) -> bool:
    """Whether a program asks at an address of the API."""
    return request.path_info.startswith(PREFIX)


def refuse(
    request: HttpRequest, status: int, code: str = "unreadable", **headers: str
) -> JsonResponse:
    """Answer that what was sent cannot be served, in the shape of the space it was sent to."""
    problem = errors.find_problem(RequestRefused(status, code, **headers))
    assert problem is not None  # noqa: S101  of this kind there always is one
    return respond(request, problem)


@csrf_exempt
def unknown(request: HttpRequest, *_arguments: object, **_named: object) -> JsonResponse:
    """404 for an address that nothing stands at."""
    return refuse(request, HTTPStatus.NOT_FOUND, "not_found")


def unavailable(request: HttpRequest) -> JsonResponse:
    """503: a moment later the same may work."""
    return respond(request, errors.unavailable_problem(HTTPStatus.SERVICE_UNAVAILABLE))


def server_error(request: HttpRequest, error: BaseException | None) -> JsonResponse:
    """500 in the sentence that the design has for the call; or 503, where the database is in trouble (AVL-01)."""
    if outages.is_outage(error):
        return unavailable(request)
    call = _find_call(request)
    broken = call.broken if call else ""
    return respond(request, errors.unavailable_problem(HTTPStatus.INTERNAL_SERVER_ERROR, broken))


def respond(request: HttpRequest, problem: Problem) -> JsonResponse:
    """The problem as an answer in the shape of the space, or in that of RFC 9457 for whoever asks for it."""
    told, content_type = render(find_space(request.path_info), request, problem)
    response = JsonResponse(
        told, status=problem.status, headers=dict(problem.headers), content_type=content_type
    )
    patch_vary_headers(response, ["Accept"])
    return response


def render(space: Space, request: HttpRequest, problem: Problem) -> tuple[dict[str, object], str]:
    """The body that tells a problem, and its media type."""
    if errors.wants_problem(request.headers.get("Accept", "")):
        return errors.render_problem(problem), errors.PROBLEM_TYPE
    return space.render(problem), space.problem_type


def find_space(path: str) -> Space:
    """The space that an address is in, or that of most programs."""
    spaces = (space for space in EVERY_SPACE if path.startswith(f"/{space.prefix}"))
    return next(spaces, V1)


def _find_call(request: HttpRequest) -> Call | None:
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return None
    call = getattr(getattr(view, "view_class", view), "call", None)
    return call if isinstance(call, Call) else None
