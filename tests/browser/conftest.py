"""Browsers, a site to drive and its mailbox. `--base-url http://host:port` names a site that runs already.

Such a site needs its mailbox, and room for many sign-ups from one address: script/server --for-tests
Watch with --headed --slowmo 300; keep what went wrong with --tracing retain-on-failure --screenshot only-on-failure.
"""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser import example
from tests.browser.app import App
from tests.browser.database import Database
from tests.browser.pages import Mailbox, email
from tests.browser.profiles import Profiles
from tests.browser.shopper import Shopper
from tests.browser.site import running

HERE = Path(__file__).parent
DESKTOP, HEIGHT = 1280, 800
# How long a busy machine may take; nobody waits for it who need not.
PATIENCE = 15_000


def pytest_collection_modifyitems(items):
    """Mark everything in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def elsewhere():
    """What serves the example, at an origin that is not the site's."""
    with example.served() as server:
        yield server


@pytest.fixture(scope="session")
def base_url(pytestconfig, tmp_path_factory, elsewhere):
    """The site that was named, or one of our own for as long as the tests run."""
    named = pytestconfig.getoption("base_url")
    if named:
        yield named.rstrip("/")
        return
    # A page of the example may ask it, too.
    more = {"CORS_ALLOWED_ORIGINS": elsewhere.origin}
    with running(tmp_path_factory.mktemp("site"), **more) as address:
        elsewhere.shop = address
        yield address


@pytest.fixture(scope="session")
def database(base_url, pytestconfig, tmp_path_factory):
    """The rows of our own site; nobody gets at those of a site that runs already."""
    if pytestconfig.getoption("base_url"):
        pytest.skip("needs the database of the site")
    return Database(tmp_path_factory.getbasetemp() / "site0" / "db.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _patience():
    expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args, playwright):
    """The Chromium in CHROMIUM, else Playwright's own, else the system's, quiet."""
    return {**browser_type_launch_args, **launch_options(playwright)}


def launch_options(playwright):
    """How to start Chromium here."""
    quiet = "gpu quic background-networking component-update sync".split()
    options = {
        "args": [
            "--no-first-run",
            # A browser's tabs share one process, which a closed tab leaves warm for the next.
            "--renderer-process-limit=1",
            *[f"--disable-{name}" for name in quiet],
        ]
    }
    path = os.environ.get("CHROMIUM")
    if not path and not os.path.exists(playwright.chromium.executable_path):
        path = shutil.which("chromium") or shutil.which("google-chrome")
    return {**options, "executable_path": path} if path else options


@pytest.fixture(scope="session")
def mailbox(playwright, base_url):
    """What the site sent."""
    http = playwright.request.new_context(base_url=base_url, ignore_https_errors=True)
    yield Mailbox(http)
    http.dispose()


class Witness:
    """Whoever watches every browser: what the console complained about, and who else was asked for something."""

    def __init__(self, host):
        self.host = host
        self.complaints, self.strangers = [], []

    def watch(self, context):
        """Listen to all pages of a browser."""
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", self._see)

    def _hear(self, message):
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _see(self, request):
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob", "about") and url.hostname != self.host:
            self.strangers.append(request.url)


@pytest.fixture(scope="session")
def watchful(base_url):
    """The one who watches all browsers."""
    return Witness(urlsplit(base_url).hostname)


@pytest.fixture(autouse=True)
def witness(watchful):
    """On every page of every test: no policy or script error, no foreign host (WEB-06, ux 74)."""
    watchful.complaints, watchful.strangers = [], []
    yield watchful
    assert not watchful.complaints
    assert not watchful.strangers


@pytest.fixture(scope="session")
def profiles(browser, base_url, browser_context_args, watchful):
    """Browsers, each as new."""
    profiles = Profiles(browser, base_url, browser_context_args, watchful.watch)
    yield profiles
    profiles.close()


@pytest.fixture
def take_profile(request, pytestconfig, witness):
    """Gives out an empty browser: one that is used again, unless what happens in it is to be kept."""
    if any(pytestconfig.getoption(kept) != "off" for kept in ("tracing", "video", "screenshot")):
        new_context = request.getfixturevalue("new_context")

        def take(*, again=True, **options):
            context = new_context(**options)
            witness.watch(context)
            return context

        yield take
        return
    profiles = request.getfixturevalue("profiles")
    yield profiles.take
    profiles.empty()


@pytest.fixture
def shopper(take_profile, mailbox):
    """A maker of shoppers, each with a browser of their own: `shopper(javascript=False, width=320)`.

    `media` is what the page may ask the device: `color_scheme="dark"`, `reduced_motion="reduce"`. With `clock` the time
    of the pages is in our hands, for as long as there is this browser: nobody else gets it.
    """

    def make(*, javascript=True, width=DESKTOP, clock=False, **media):
        context = take_profile(
            again=not clock,
            java_script_enabled=javascript,
            ignore_https_errors=True,
            viewport={"width": DESKTOP, "height": HEIGHT},
        )
        context.set_default_timeout(PATIENCE)
        if clock:
            context.clock.install()
        page = context.new_page()
        if width != DESKTOP:
            page.set_viewport_size({"width": width, "height": HEIGHT})
        if media:
            page.emulate_media(**media)
        return Shopper(page, mailbox)

    return make


@pytest.fixture
def ana(shopper):
    """A shopper."""
    return shopper()


@pytest.fixture
def bea(shopper):
    """Another shopper, elsewhere."""
    return shopper()


@pytest.fixture
def app(playwright, base_url, mailbox):
    """Makes clients of the site that are no browser: `app().signs_in(who)`."""
    opened = []

    def make():
        http = playwright.request.new_context(base_url=base_url, ignore_https_errors=True)
        opened.append(http)
        return App(http, lambda: http.storage_state()["cookies"], mailbox)

    yield make
    for http in opened:
        http.dispose()


@pytest.fixture
def customer(app):
    """Makes an account in no browser at all, and tells its address: `customer(phone())`."""

    def make(who=None):
        who = who or email()
        app().signs_up(who)
        return who

    return make
