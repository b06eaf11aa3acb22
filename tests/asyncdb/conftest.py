"""Tests on the event loop: the engine of asyncdb under the test database, for the connections that lanes open."""

import pytest
from django.conf import settings
from django.db import connections

ON_POSTGRESQL = "postgres" in settings.DATABASES["default"]["ENGINE"]


def pytest_collection_modifyitems(items):
    """Leave out what needs PostgreSQL where there is none: script/test --postgres tests/asyncdb"""
    for item in items:
        if "tests/asyncdb" in item.nodeid and not ON_POSTGRESQL:
            item.add_marker(pytest.mark.skip(reason="asyncdb speaks to PostgreSQL alone"))


@pytest.fixture(autouse=True)
def _native(transactional_db, monkeypatch):
    """Connections that are made from now on wait in lanes; that of the test itself is Django's own."""
    monkeypatch.setitem(connections.settings["default"], "ENGINE", "asyncdb.postgresql")


@pytest.fixture
def pool_of(settings):
    """Say how large the pool is, and how patient."""

    def set_size(size, patience=0.2):
        settings.ASYNCDB = {"POOL_SIZE": size, "POOL_TIMEOUT": patience}

    return set_size
