"""The entry point of Django's runserver, and for servers that speak WSGI; the site is served by storefront.serve."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
os.environ.setdefault("IS_WEB", "1")
application = get_wsgi_application()

from storefront.checks import refuse_unsafe_start  # noqa: E402  needs the apps to be loaded

refuse_unsafe_start()
