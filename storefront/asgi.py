"""The entry point of the server that the site is served by (storefront/serve.py)."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
os.environ.setdefault("IS_WEB", "1")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402  needs the apps to be loaded, as all of these

from storefront.checks import refuse_unsafe_start  # noqa: E402
from storefront.handler import BufferingHandler  # noqa: E402
from storefront.native_handler import Site  # noqa: E402

refuse_unsafe_start()
application = Site() if settings.API_IS_NATIVE else BufferingHandler()
