"""What one sign-up by email costs the web process: statements and CPU for each request.

A browser with HTMX loads one page, and each step brings the card of the next one; `--pages` walks without JavaScript.
Either sends the forms that it was shown, hidden fields and all. Round trips are those to the database: a statement has
one, and so has the check of the connection with which a request begins on PostgreSQL.

Django's test client stands in for the server, in the same process and with CSRF on; what it adds to each request, about
0.2 ms, is counted as ours. No template is instrumented. The broker is the one in REDIS_URL, and publishing to it
counts; sending is a worker's work and does not. The password hash is measured on its own.
"""

import argparse
import cProfile
import logging
import os
import pstats
import re
import secrets
import statistics
import time
from urllib.parse import urlencode

DEFAULTS = {
    "DEBUG": "0",
    "SECRET_KEY": secrets.token_hex(32),
    "CODE_KEYS": secrets.token_hex(32),
    "FINGERPRINT_KEYS": secrets.token_hex(32),
    "SITE_URL": "https://shop.example",
    "ALLOWED_HOSTS": "shop.example",
    "EMAIL_URL": "smtp://127.0.0.1:9",
    "DJANGO_SETTINGS_MODULE": "storefront.settings",
}
os.environ.update(DEFAULTS)

import django  # noqa: E402  the environment above must be set first

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.test.client import ClientHandler  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from accounts.models import Challenge  # noqa: E402

# One for all, as in a web process: a client's own would load the middleware again for each shopper.
SITE = ClientHandler(enforce_csrf_checks=True)
WARM_UP = 20
# As a browser sends a form; the test client would send one with files.
FORM = "application/x-www-form-urlencoded"
PASSWORD = "correct horse battery"
INPUT, ATTRIBUTE = re.compile(r"<input[^>]*>"), re.compile(r'(\w+)="([^"]*)"')
CHEAP = {
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    # Without this the first page of a fresh checkout would need collectstatic.
    "STORAGES": {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
}


class Shopper:
    """A browser that shows pages, or cards, and sends the forms it found on them."""

    def __init__(self, number, *, htmx):
        self.email = f"shopper{number}@example.com"
        ip = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
        self.client = Client(REMOTE_ADDR=ip, SERVER_NAME="shop.example")
        self.client.handler = SITE
        self.htmx, self.form, self.next = htmx, {}, ""

    def requests(self):
        """The name of each request of a sign-up, and the request."""
        yield "GET /register/", lambda: self.get("/register/")
        for step, fields in self.steps():
            yield f"POST {step}", lambda step=step, fields=fields: self.post(step, **fields)
            if not self.htmx:
                # The client's own next request, wherever the answer led.
                yield f"then GET {self.next.partition('?')[0]}", lambda: self.get(self.next)

    def steps(self):
        """Where each form goes, and what is typed into it."""
        yield "/register/", {"identifier": self.email}
        yield "/register/verify/", {"code": Challenge.objects.latest("created_at").code}
        yield "/register/complete/", {"name": "Ana", "password": PASSWORD}

    def get(self, url):
        return self.client.get(url, secure=True, headers={"accept": "text/html,*/*"})

    def post(self, url, **typed):
        asked_by = (
            {"hx-request": "true", "accept": "*/*"} if self.htmx else {"accept": "text/html,*/*"}
        )
        headers = {"origin": "https://shop.example", **asked_by}
        body = urlencode({**self.form, **typed})
        return self.client.post(url, body, FORM, secure=True, headers=headers)

    def read(self, response):
        """Look at the first form of the answer, or at where it leads."""
        assert response.status_code in (200, 303), (response.status_code, response.content)
        assert "HX-Redirect" not in response.headers
        self.next = response.headers.get("Location", "")
        if not self.next:
            form = response.content.decode().partition("<form")[2].partition("</form>")[0]
            self.form = {
                name: value for name, value in map(attributes, INPUT.findall(form)) if name
            }
            self.is_signed_in = 'id="log-out"' in response.content.decode()


def attributes(element):
    """The name of a box and what stands in it."""
    found = dict(ATTRIBUTE.findall(element))
    return found.get("name"), found.get("value", "")


def sign_up(number, measure, *, htmx):
    """Walk through one sign-up, to its end; `measure` does the request and notes what it cost."""
    shopper = Shopper(number, htmx=htmx)
    for name, request in shopper.requests():
        shopper.read(measure(name, request))
    assert shopper.is_signed_in


def cpu(spent):
    """Note the CPU time of each request, of all threads of this process."""

    def measure(name, request):
        start = time.process_time()
        response = request()
        spent.setdefault(name, []).append((time.process_time() - start) * 1000)
        return response

    return measure


def statements(counted):
    """Note how many statements each request sends, BEGIN and COMMIT among them."""

    def measure(name, request):
        with CaptureQueriesContext(connection) as queries:
            response = request()
        counted[name] = len(queries)
        return response

    return measure


def profiled(profile):
    """Run each request under the profiler."""

    def measure(name, request):
        return profile.runcall(request)

    return measure


def hash_ms():
    """The CPU time of the one hash of a sign-up, with the site's own hasher."""
    make_password(PASSWORD)
    start = time.process_time()
    for _number in range(10):
        make_password(PASSWORD)
    return (time.process_time() - start) * 100


def report(spent, counted, one_hash):
    """Print the table."""
    checks = len(counted) if connection.vendor == "postgresql" else 0
    wide = max(map(len, spent))
    print(f"\n{connection.vendor}: {len(next(iter(spent.values())))} sign-ups")
    print(f"{'request':{wide}}  statements  CPU ms mean  median   p95")
    for name, times in spent.items():
        p95 = statistics.quantiles(times, n=20)[-1]
        print(
            f"{name:{wide}}  {counted[name]:10}  {statistics.mean(times):11.2f}"
            f"  {statistics.median(times):6.2f}  {p95:4.2f}"
        )
    whole = [sum(one) for one in zip(*spent.values(), strict=True)]
    print(
        f"{'one sign-up, besides the hash':{wide}}  {sum(counted.values()):4}"
        f"  {statistics.mean(whole):11.2f}  {statistics.median(whole):6.2f}"
        f"  {statistics.quantiles(whole, n=20)[-1]:4.2f}"
    )
    print(
        f"round trips to the database: {sum(counted.values()) + checks} in {len(counted)} requests"
    )
    print(f"the hash on top: {one_hash:.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", nargs="?", type=int, default=200, help="sign-ups to measure")
    parser.add_argument("--pages", action="store_true", help="without JavaScript")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    arguments = parser.parse_args()
    logging.disable()
    one_hash = hash_ms()
    database = connection.creation.create_test_db(verbosity=0, serialize=False)
    try:
        with override_settings(**CHEAP):
            walk(arguments, one_hash)
    finally:
        connection.creation.destroy_test_db(database, verbosity=0)


def walk(arguments, one_hash):
    """Warm up, count, measure, print."""
    spent, counted, profile, htmx = {}, {}, cProfile.Profile(), not arguments.pages
    for number in range(WARM_UP):
        sign_up(number, lambda name, request: request(), htmx=htmx)
    sign_up(WARM_UP, statements(counted), htmx=htmx)
    measure = profiled(profile) if arguments.profile else cpu(spent)
    for number in range(arguments.number):
        sign_up(WARM_UP + 1 + number, measure, htmx=htmx)
    if arguments.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        pstats.Stats(profile).sort_stats("cumtime").print_stats(90)
    else:
        report(spent, counted, one_hash)


if __name__ == "__main__":
    main()
