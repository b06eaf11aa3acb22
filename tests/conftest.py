"""What every test may ask for. Few things: people and their postbox."""

import os
import shutil
from collections import defaultdict
from zlib import crc32

import hypothesis
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.template import Template
from django.test import TransactionTestCase
from django.test.utils import _TestState, instrumented_test_render

from accounts import conf
from accounts.models import User
from accounts.models.sms_countries import EVERYWHERE, SmsCountry
from jobs.runner import sync_rows
from storefront import celery_app
from tests.support.account import EMAIL, USERNAME
from tests.support.backoffice import PHONE, WHO
from tests.support.people import (
    FACES,
    LOGOUT,
    Postbox,
    Shopper,
    let_in,
    make_shopper,
    make_user,
)
from tests.support.staff import let_in_staff, make_staff
from tests.support.strangers import CARRIER

# What is there before the first test.
OF_MIGRATIONS = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
}


def pytest_addoption(parser):
    """Add the flag that a release uses."""
    parser.addoption(
        "--release",
        action="store_true",
        help="ask every rule with each of the three faces, and run exhaustive tests as a whole",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Draw few examples, and the same ones each time; before a release many, and new ones.

    Write which tests passed into a file of its own in the folder TEST_RESULTS, if there is one: for script/conformance.
    """
    if folder := os.environ.get("TEST_RESULTS"):
        config.option.xmlpath = f"{folder}/{os.getpid()}.xml"
    hypothesis.settings.register_profile("few", max_examples=20, derandomize=True, deadline=None)
    hypothesis.settings.register_profile("release", max_examples=300, deadline=None)
    hypothesis.settings.load_profile("release" if config.getoption("release") else "few")


def pytest_generate_tests(metafunc):
    """Give a test that asks for `anyone` or for a `face` one of the three, or each of them.

    What does not change with the face is asked with one: which, falls by the name of the test. Tests that are marked
    `every_face`, and all of a release, get each of the three.
    """
    given = {
        name for mark in metafunc.definition.iter_markers("parametrize") for name in _names(mark)
    }
    whole = metafunc.config.getoption("release") or metafunc.definition.get_closest_marker(
        "every_face"
    )
    name = metafunc.definition.nodeid.rpartition("/")[2]
    faces = FACES if whole else [FACES[crc32(name.encode()) % len(FACES)]]
    for asked in {"anyone", "face"}.intersection(metafunc.fixturenames) - given:
        metafunc.parametrize(asked, faces, indirect=True)


def pytest_collection_modifyitems(config, items):
    """Of the cases of a test with the mark `sample` keep so many, which fall by their names; before a release all."""
    if config.getoption("release"):
        return
    cases = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("sample")
        if mark:
            cases[item.nodeid.partition("[")[0], mark.args[0]].append(item)
    left_out = {
        item
        for (_test, size), every in cases.items()
        for item in sorted(every, key=lambda item: crc32(item.nodeid.encode()))[size:]
    }
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _names(mark):
    names = mark.args[0] if mark.args else mark.kwargs["argnames"]
    return [each.strip() for each in names.split(",")] if isinstance(names, str) else names


@pytest.fixture
def is_release(request):
    """Whether exhaustive tests run as a whole."""
    return request.config.getoption("release")


@pytest.fixture(autouse=True, scope="session")
def _plain_rendering(django_test_environment):
    """Let templates render as on a site: a copy of the context of each of them is most of a page's time."""
    noting, Template._render = Template._render, _TestState.saved_data.template_render
    yield
    Template._render = noting


@pytest.fixture(autouse=True, scope="session")
def _quick_emptying():
    """Take out what a test with transactions of its own wrote; what migrations wrote stands, and is not made anew."""
    emptying, TransactionTestCase._fixture_teardown = TransactionTestCase._fixture_teardown, _empty
    yield
    TransactionTestCase._fixture_teardown = emptying


def _empty(_test):
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Events stand, but for retention (LOG-02).
            cursor.execute("SET LOCAL storefront.retention = 'on'")
        for table in set(tables) - OF_MIGRATIONS:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608  a name of Django's
        # What a migration makes anew each time.
        sync_rows()
        # The one row that a migration writes into a table that tests write into, too.
        SmsCountry.objects.create(code=EVERYWHERE)


@pytest.fixture
def _contexts_are_noted(monkeypatch):
    """Let answers tell the context that they were rendered with, as Django's test client does."""
    monkeypatch.setattr(Template, "_render", instrumented_test_render)


@pytest.fixture(autouse=True)
def _empty_mailbox():
    shutil.rmtree(settings.MAILBOX_DIR, ignore_errors=True)


@pytest.fixture
def postbox(db):
    """Everything that was sent."""
    return Postbox()


@pytest.fixture
def ana(db):
    """A shopper with a plain browser."""
    return Shopper()


@pytest.fixture
def bea(db):
    """Another shopper, elsewhere."""
    return Shopper(ip="198.51.100.20")


@pytest.fixture
def face(request):
    """How somebody asks: for a page, for a fragment, or for JSON."""
    return request.param


@pytest.fixture
def anyone(request, db):
    """A shopper with one of the three faces, or with each in turn (`pytest_generate_tests`)."""
    return Shopper(request.param)


@pytest.fixture
def owner(db):
    """Ana's account: she verified an email address and a mobile number, and chose a username."""
    return make_user(EMAIL, phone=PHONE, username=USERNAME)


@pytest.fixture
def trusted(owner):
    """Ana's own browser, in which she is not signed in now."""
    browser = Shopper(ip=CARRIER)
    let_in(browser, owner)
    browser.post(LOGOUT)
    return browser


@pytest.fixture
def private(monkeypatch):
    """Nobody learns who has an account."""
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", "private")


@pytest.fixture
def boss(db):
    """A member of staff who may do everything."""
    return make_staff("boss")


@pytest.fixture
def staff(boss):
    """The browser of that member of staff."""
    browser = Shopper(ip="192.0.2.50")
    let_in_staff(browser.client, "boss")
    return browser


@pytest.fixture
def shopper(ana):
    """Ana, who is signed in in her browser, with an address, a number and a username."""
    make_shopper(ana, WHO, name="Ana Maria", username="ana.m", phone=PHONE)
    return User.objects.get(username="ana.m")


@pytest.fixture
def _work_is_for_the_worker(monkeypatch):
    """Requests only leave a hint for a worker, and no broker hears it."""
    # The app first: it reads the settings when it is first asked, and must not read the patched one.
    monkeypatch.setitem(celery_app.conf, "task_always_eager", False)
    monkeypatch.setattr(settings, "CELERY_TASK_ALWAYS_EAGER", False)
    monkeypatch.setitem(celery_app.conf, "broker_url", "memory://")
