"""Tells programs from people, where the shop asks for it: BOT_CHECK names a function like the one here (ABU-06)."""

from collections.abc import Mapping

from django.http import HttpRequest
from django.utils.module_loading import import_string

from accounts import conf


def is_bot(request: HttpRequest, posted: Mapping[str, str]) -> bool:
    """Whether the check that the shop chose, if it chose one, takes this for a program."""
    return bool(conf.BOT_CHECK) and bool(import_string(conf.BOT_CHECK)(request, posted))


def trap(request: HttpRequest, posted: Mapping[str, str]) -> bool:
    """Whether the box was filled that no person sees."""
    return bool(posted.get("memo"))
