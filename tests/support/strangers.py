"""Strangers, each at home somewhere else, and what they type."""

from itertools import count

from tests.support.account import EMAIL
from tests.support.people import LOGIN, LOGOUT, PASSWORD, Shopper

# What many of them have in common: the address of one mobile network.
CARRIER = "198.51.100.1"
WRONG = "not the password"

addresses = (f"198.51.{number // 250}.{number % 250 + 1}" for number in count(500))


def somebody(face="json", **more):
    """A stranger in a browser of their own, somewhere else every time."""
    return Shopper(face, **{"ip": next(addresses), **more})


def sign_in(browser, who=EMAIL, password=PASSWORD):
    """Type a name and a password."""
    return browser.post(LOGIN, identifier=who, password=password)


def leaves(browser):
    """Sign out; the browser stays the same."""
    browser.post(LOGOUT)
    return browser
