"""Browsers, a site to drive and its mailbox. `--base-url http://host:port` names a site that runs already.

Such a site needs its mailbox, and room for many sign-ups from one address: script/server --for-tests
Watch with --headed --slowmo 300; keep what went wrong with --tracing retain-on-failure --screenshot only-on-failure.
"""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.pages import Mailbox
from tests.browser.shopper import Shopper
from tests.browser.site import running

HERE = Path(__file__).parent
DESKTOP, SMALL = 1280, 320


def pytest_collection_modifyitems(items):
    """Mark everything in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def base_url(pytestconfig, tmp_path_factory):
    """The site that was named, or one of our own for as long as the tests run."""
    named = pytestconfig.getoption("base_url")
    if named:
        yield named.rstrip("/")
        return
    with running(tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args, playwright):
    """The Chromium in CHROMIUM, else Playwright's own, else the system's, quiet."""
    return {**browser_type_launch_args, **launch_options(playwright)}


def launch_options(playwright):
    """How to start Chromium here."""
    quiet = "gpu quic background-networking component-update sync".split()
    options = {"args": ["--no-first-run", *[f"--disable-{name}" for name in quiet]]}
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


@pytest.fixture(autouse=True)
def witness(base_url):
    """On every page of every test: no policy or script error, no foreign host (WEB-06, ux 74)."""
    witness = Witness(urlsplit(base_url).hostname)
    yield witness
    assert not witness.complaints
    assert not witness.strangers


@pytest.fixture
def shopper(new_context, mailbox, witness):
    """A maker of shoppers, each with a browser of their own: `shopper(javascript=False, width=320)`."""

    def make(*, javascript=True, width=DESKTOP, **options):
        context = new_context(java_script_enabled=javascript, ignore_https_errors=True, **options)
        context.set_default_timeout(10_000)
        witness.watch(context)
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 800})
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
