"""No other host of our domain plants a cookie with us: every one that any page sets is of __Host- (SES-03)."""

import re

import pytest
from django.urls import get_resolver

from accounts.models import User
from messaging.models import Provider
from tests.support.people import PASSWORD, Postbox, Shopper, make_shopper, wrong
from tests.support.staff import let_in_staff, make_staff

ANA = "ana@example.com"
ALL = {"session", "csrftoken", "trusted-browsers", "link", "messages"}


class Watched:
    """A browser that keeps every cookie that it was ever told to set or to drop."""

    def __init__(self, client):
        self.client, self.told = client, []
        ask = client.request

        def request(**how):
            answer = ask(**how)
            self.told += answer.cookies.values()
            return answer

        client.request = request


def pages(client):
    """Open every page that needs no id."""
    for pattern in _patterns(get_resolver().url_patterns):
        if "<" not in pattern and "(?P" not in pattern and "logout" not in pattern:
            client.get(f"/{pattern}")


def _patterns(branches, before=""):
    for branch in branches:
        path = before + str(branch.pattern).removeprefix("^").rstrip("$")
        yield from (
            _patterns(branch.url_patterns, path) if hasattr(branch, "url_patterns") else [path]
        )


@pytest.fixture
def told(db):
    """Every cookie of a shopper's and of a staff member's life with us."""
    ana = Shopper()
    shopper = Watched(ana.client)
    pages(ana.client)
    ana.identify(ANA)
    ana.client.get(Postbox().link(ANA))
    ana.verify(wrong(Postbox().code(ANA)))
    ana.verify(Postbox().code(ANA))
    ana.complete()
    pages(ana.client)
    ana.post("/account/names/", name="Ana Lee")
    ana.get("/account/")
    ana.post("/logout/")
    ana.get("/account/")
    ana.post("/login/", identifier=ANA, password=PASSWORD)
    ana.post("/login/", identifier=ANA, password=PASSWORD)

    make_staff()
    boss = Shopper(ip="192.0.2.7").client
    staff = Watched(boss)
    let_in_staff(boss)
    pages(boss)
    row = Provider.objects.create(name="One", kind="smtp", channel="email")
    boss.post("/admin/messaging/provider/", {"deactivate": row.pk})
    boss.get("/admin/messaging/provider/")
    boss.post("/admin/logout/")
    assert User.objects.count() == 2
    return shopper.told + staff.told


def test_every_cookie_is_of_this_host_alone_encrypted_and_for_no_script(told):  # SES-03
    names = {re.sub(r"-[0-9a-f]{16}$", "", cookie.key) for cookie in told}
    assert names == {f"__Host-{name}" for name in ALL}
    for cookie in told:
        # What __Host- demands, of cookies that are dropped, too.
        assert (cookie["path"], cookie["domain"], cookie["secure"]) == ("/", "", True), cookie
        assert cookie["samesite"] == "Lax", cookie
        assert cookie["httponly"] or cookie["max-age"] == 0, cookie


def test_a_cookie_under_the_plain_name_is_not_read(db):  # SES-03
    ana = make_shopper(Shopper(), ANA)
    ana.post("/account/names/", name="Ana Lee")
    kept = ana.client.cookies["__Host-messages"].value
    bea = Shopper(ip="192.0.2.8")
    bea.client.cookies["messages"] = kept

    assert "messages" not in bea.get("/").cookies
    assert b"saved" not in bea.get("/").content.lower()
