"""The entry point of the server that the site is served by (storefront/serve.py)."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
os.environ.setdefault("IS_WEB", "1")
django.setup(set_prefix=False)

from storefront.checks import refuse_unsafe_start  # noqa: E402  needs the apps to be loaded
from storefront.handler import BufferingHandler  # noqa: E402

refuse_unsafe_start()
application = BufferingHandler()
