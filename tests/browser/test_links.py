"""Emailed links in the tabs of one real browser: cookies, hidden fields and reloads as a browser has them."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.pages import PASSWORD, email

WAYS = {"javascript": True, "no javascript": False}
NEW = "a brand new battery staple"

either_way = pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)


def opens_reset(browser, who):
    """Another tab, in which a new link for a new password is open; the first message to `who` was the code."""
    tab = browser.new_tab()
    tab.reset.open().give(who)
    tab.check_email.is_shown()
    tab.page.goto(browser.mailbox.link(who, number=2))
    assert "token" not in tab.page.url
    return tab


def kept(browser):
    """The links this browser keeps, by the name of their cookie."""
    cookies = browser.page.context.cookies()
    return {cookie["name"]: cookie for cookie in cookies if cookie["name"].startswith("link-")}


@either_way
def test_each_tab_sets_the_password_of_the_account_it_shows(shopper, app, customer, javascript):
    aa, bb = customer(email("aa")), customer(email("bb"))
    ana = shopper(javascript=javascript)
    first = opens_reset(ana, aa)
    second = opens_reset(ana, bb)
    assert len(kept(ana)) == 2
    first.new_password.is_shown().give("too short")
    first.new_password.has_problem("at least 12 characters")

    first.new_password.give(NEW)

    first.sign_in.is_shown()
    app().signs_in(aa, NEW)
    app().signs_in(bb, PASSWORD)
    # The other tab still acts on the link it shows.
    second.new_password.give(NEW)
    second.sign_in.is_shown()
    assert not kept(ana)
    app().signs_in(bb, NEW)


@either_way
def test_each_tab_verifies_the_address_it_shows(shopper, app, javascript):
    aa, bb = email("aa"), email("bb")
    ana = shopper(javascript=javascript)
    for who in (aa, bb):
        app().asks_for_code(who)
    first, second = ana.new_tab(), ana.new_tab()
    first.page.goto(ana.mailbox.link(aa))
    second.page.goto(ana.mailbox.link(bb))

    first.link.is_shown().confirm.click()
    first.complete.is_shown().give("Ana")
    expect(first.page.get_by_text("Your account is ready.")).to_be_visible()

    first.account.open().says(aa)
    assert not kept(ana)


@either_way
def test_a_dead_link_beside_a_live_one_leaves_it_alive(shopper, customer, javascript):
    who = customer()
    ana = shopper(javascript=javascript)
    live = opens_reset(ana, who)
    dead = ana.new_tab()

    dead.page.goto(f"/password-reset/new/?token={'A' * 46}")

    expect(dead.page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    live.page.reload()
    live.new_password.is_shown().give(NEW)
    live.sign_in.is_shown()


def test_a_link_is_kept_for_its_own_life_and_the_sixth_drops_the_first(ana, app):
    names = []
    for number in range(6):
        who = email(f"fan{number}")
        app().asks_for_code(who)
        ana.page.goto(ana.mailbox.link(who))
        names.append(f"link-{re.search('link=([0-9a-f]{16})', ana.page.url)[1]}")

    assert {*kept(ana)} == {*names[1:]}
    cookie = kept(ana)[names[-1]]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    now = ana.page.evaluate("Date.now() / 1000")
    assert 0 < now + 24 * 3600 - cookie["expires"] < 120
