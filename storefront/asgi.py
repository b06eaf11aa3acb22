"""The door for an ASGI server; the site itself is synchronous."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
application = get_asgi_application()

from storefront.checks import refuse_unsafe_start  # noqa: E402  needs the apps to be loaded

refuse_unsafe_start()
