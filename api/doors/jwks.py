"""The public keys that access tokens are verified with."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from api import tokens

# How long a verifier may go by what it has: a new key is made known that long before it signs.
KEPT = 600


@require_safe
def jwks(request: HttpRequest) -> JsonResponse:
    """Answer with all of them, as RFC 7517 has it."""
    return JsonResponse(tokens.jwks(), headers={"Cache-Control": f"public, max-age={KEPT}"})
