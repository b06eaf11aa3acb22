"""A year of people, made once for all tests here: script/test --postgres tests/scale --users 100000

In CI a small year is made, so that what these tests ask stays true; their figures mean something from a million on.
"""

import gc

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import User
from tests.scale import plans

FIGURES = []


def pytest_addoption(parser):
    parser.addoption("--users", type=int, help="how many people there are in tests/scale")


@pytest.fixture(scope="session")
def django_db_setup(request, django_db_setup, django_db_blocker):
    """The database, filled."""
    users = request.config.getoption("users", None)
    with django_db_blocker.unblock():
        if users and connection.vendor == "postgresql" and not User.objects.exists():
            name = connection.settings_dict["NAME"]
            days = 90 if users >= plans.TIMED_FROM else 2
            call_command("seed", users=users, dashboard_days=days, yes_this_database=name)


@pytest.fixture(scope="session", autouse=True)
def _as_a_server():
    """A server does not go through a whole test suite when it looks for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _only_at_size(request):
    if not request.config.getoption("users", None) or connection.vendor != "postgresql":
        pytest.skip("needs script/services and --users")


@pytest.fixture
def figures():
    """Where a test puts a line for the table at the end."""
    return FIGURES


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("what each page costs")
        terminalreporter.line(f"{'page':44} queries  median ms  p95 ms  rows read  note")
    for line in FIGURES:
        terminalreporter.line(line)
