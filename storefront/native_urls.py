"""The site's addresses for a server that awaits views: those of /api/v2/ before the plain ones."""

from api.doors import native
from storefront import urls
from storefront.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [*native.patterns(is_async=True), *urls.urlpatterns]
