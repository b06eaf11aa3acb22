"""Who calls, by the access token in `Authorization`. No cookie is ever looked at."""

from django.http import HttpRequest

from accounts.models import Session
from api.errors import BEARER, NotAuthenticated
from api.operations.sessions import authenticate


def session_of(request: HttpRequest) -> Session:
    """The live session of the app that sent this request, with its user. Raises NotAuthenticated, TokenNotValid."""
    authorization = request.headers.get("Authorization", "")
    scheme, _space, token = authorization.strip().partition(" ")
    if scheme.casefold() != BEARER.casefold() or not token.strip():
        raise NotAuthenticated
    return authenticate(token.strip())
