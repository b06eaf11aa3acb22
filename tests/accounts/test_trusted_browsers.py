"""What a browser shows to be trusted costs the same for somebody and for nobody, and little."""

import pytest
from django.core.signing import Signer
from django.utils.timezone import now

from accounts.sessions import trusted_browsers
from accounts.sessions.trusted_browsers import COOKIE_ACCOUNTS_MAX, COOKIE_LENGTH_MAX
from tests.support.people import PASSWORD, Shopper, make_shopper
from tests.support.staff import LOGIN as STAFF_LOGIN
from tests.support.staff import make_staff

TRUSTED = "__Host-trusted-browsers"
MADE_UP = "~".join(["0123456789abcdef.1767225600." + "A" * 43] * COOKIE_ACCOUNTS_MAX)

pytestmark = pytest.mark.django_db


@pytest.fixture
def looked_at(monkeypatch):
    """The texts whose signature was looked at."""
    texts, unsign = [], Signer.unsign

    def look(signer, text):
        if "trusted_browsers" in signer.salt:
            texts.append(text)
        return unsign(signer, text)

    monkeypatch.setattr(Signer, "unsign", look)
    return texts


def stranger(cookie):
    """A browser of somebody else, who made a cookie up."""
    other = Shopper(ip="198.51.100.66")
    other.client.cookies[TRUSTED] = cookie
    return other


@pytest.mark.sample(8)
@pytest.mark.parametrize("cookie", [MADE_UP, "x", "~" * 100, "~".join(["a.1." + "s" * 1500] * 5)])
@pytest.mark.parametrize(
    ("door", "field", "known", "more"),
    [
        ("/login/", "identifier", "ana@example.com", {"password": "not the password"}),
        ("/login/code/", "identifier", "ana@example.com", {}),
        ("/password-reset/", "identifier", "ana@example.com", {}),
        (STAFF_LOGIN, "username", "boss", {"password": "not the password"}),
    ],
    ids=["password", "code", "reset", "staff"],
)
def test_a_made_up_cookie_costs_the_same_for_somebody_and_nobody(  # ENU-02
    looked_at, door, field, known, more, cookie
):
    make_shopper(Shopper(), "ana@example.com")
    make_staff("boss")
    looked_at.clear()

    counted = []
    for who in (known, f"nobody-{known}"):
        stranger(cookie).post(door, {field: who, **more})
        counted.append(len(looked_at))
        looked_at.clear()

    assert counted[0] == counted[1] <= COOKIE_ACCOUNTS_MAX


def test_a_cookie_of_five_accounts_is_read_and_a_longer_one_is_not(looked_at):
    keys = [{"owner": f"account {number}", "password": "hash"} for number in range(6)]
    cookie = ""
    for key in keys:
        cookie = trusted_browsers.add(cookie, **key, at=now)

    assert len(cookie) == COOKIE_LENGTH_MAX
    assert trusted_browsers.find(cookie, **keys[-1])[0]
    assert trusted_browsers.find(cookie, **keys[1])[0]
    looked_at.clear()
    assert trusted_browsers.find(f"{cookie}~", **keys[-1]) == ("", "")
    assert looked_at == []


def test_a_browser_that_signed_in_is_still_known(looked_at):
    ana = make_shopper(Shopper(), "ana@example.com")
    ana.post("/logout/")
    looked_at.clear()

    ana.post("/login/", identifier="ana@example.com", password=PASSWORD)

    assert ana.is_signed_in
    assert looked_at
