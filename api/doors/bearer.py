"""Who calls, by the access token in `Authorization`. No cookie is ever looked at."""

from accounts.models import Session
from api.errors import BEARER, NotAuthenticated
from api.operations.sessions import authenticate


def session_of(authorization: str) -> Session:
    """The live session of the app that sent this header, with its user. Raises NotAuthenticated, TokenNotValid."""
    scheme, _space, token = authorization.strip().partition(" ")
    if scheme.casefold() != BEARER.casefold() or not token.strip():
        raise NotAuthenticated
    return authenticate(token.strip())
