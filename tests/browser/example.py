"""The page in examples/, served from an origin of its own, and what a person does on it."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import expect

PAGE = Path(__file__).parents[2] / "examples" / "shop.html"
# The shop that the page names, as a newcomer starts it.
SHOP = "http://127.0.0.1:8000"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802  the name that the server calls
        """Answer with the page, in which a newcomer changes one line."""
        page = PAGE.read_text().replace(SHOP, self.server.shop)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_words):
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Serves the page at `origin`, for the shop at `shop`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.origin, self.shop = f"http://127.0.0.1:{self.server_address[1]}", SHOP


@contextlib.contextmanager
def served():
    """Serve the page for as long as it takes."""
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Example:
    """The page in front of somebody: one section is shown at a time."""

    def __init__(self, page, mailbox, origin):
        self.page, self.mailbox = page, mailbox
        self.title = page.get_by_role("heading", level=1)
        self.alert = page.get_by_role("alert")
        self.devices = page.get_by_role("main").get_by_role("listitem")
        page.goto(f"{origin}/")

    def is_at(self, title):
        """Wait for a step; its heading has the focus, so that it is read aloud."""
        expect(self.title).to_have_text(title)
        expect(self.title).to_be_focused()
        return self

    def types(self, label, text):
        """Fill the box of this name that is shown."""
        self.page.get_by_label(label, exact=True).locator("visible=true").fill(text)
        return self

    def clicks(self, name):
        """Press the button of this name that is shown."""
        self.page.get_by_role("button", name=name, exact=True).first.click()
        return self

    def has_problem(self, label, text):
        """What is wrong is told at the box, which has the focus."""
        box = self.page.get_by_label(label, exact=True).locator("visible=true")
        expect(box).to_be_focused()
        expect(box).to_have_attribute("aria-invalid", "true")
        expect(box).to_have_accessible_description(text)
        return self

    def begins(self, who):
        """Step 1."""
        self.is_at("Create an account")
        return self.types("Email address or mobile number", who).clicks("Go on")

    def gives_code(self, who, number=1):
        """Type the code that was sent."""
        self.is_at("Type the code")
        return self.types("6-digit code", self.mailbox.code(who, number=number)).clicks("Confirm")

    def gives_profile(self, name, password):
        """Name and password."""
        self.is_at("Your name and a password")
        return self.types("Name", name).types("Password", password).clicks("Go on")

    def signs_in(self, who, password):
        """Come back with a password."""
        self.is_at("Sign in")
        self.types("Email address, mobile number or username", who).types("Password", password)
        self.page.locator("#sign-in form .button").first.click()
        return self
