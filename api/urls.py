"""The addresses of the API. What is under /api/ and nowhere here is unknown, and that is said in JSON."""

from django.urls import path

from api.dialects import AUTH, V1
from api.doors import native, refused, rest
from api.doors.document import document_view
from api.doors.jwks import jwks

urlpatterns = [
    path(".well-known/jwks.json", jwks, name="jwks"),
    path("api/v1/openapi.json", document_view(V1), name="openapi-v1"),
    path("api/openapi.json", document_view(AUTH), name="openapi-auth"),
    *rest.patterns(V1),
    *rest.patterns(AUTH),
    # For a server with threads; one with a loop has storefront/native_urls.py.
    *native.patterns(is_async=False),
    # The last ones.
    path("api/", refused.unknown),
    path("api/<path:rest>", refused.unknown),
]
