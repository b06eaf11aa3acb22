"""The door on the event loop: with PostgreSQL alone, under the backend that the web has there."""

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.db import connections

from tests.support.native import native_program

ON_POSTGRESQL = "postgres" in settings.DATABASES["default"]["ENGINE"]


@pytest.fixture
def _on_a_loop(transactional_db, monkeypatch):
    """Connections that are made from now on wait in lanes; that of the test itself is Django's own."""
    if not ON_POSTGRESQL:
        pytest.skip("the loop speaks to PostgreSQL alone: script/test --postgres tests/api")
    monkeypatch.setitem(connections.settings["default"], "ENGINE", "storefront.api_postgresql")


@pytest.fixture
def native(_on_a_loop):
    """A program at the door on the loop."""
    return native_program()


@pytest.fixture
def hops(monkeypatch):
    """Each time that something leaves the loop for a thread, by whatever way Django has."""
    made = []
    monkeypatch.setattr(SyncToAsync, "__call__", lambda *args, **kwargs: made.append(args))
    return made
