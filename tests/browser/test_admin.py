"""The back of the shop, in a real browser: staff come in with a code, see what they need, and read it at any width."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.admin_pages import Staff
from tests.browser.pages import PASSWORD, email, resize

PAGES = [
    "/admin/",
    "/admin/lookup/",
    "/admin/signups/",
    "/admin/accounts/user/",
    "/admin/accounts/challenge/",
    "/admin/accounts/securityevent/",
    "/admin/accounts/smscountry/",
    "/admin/messaging/outboxmessage/",
    "/admin/messaging/provider/",
    "/admin/messaging/provider/add/",
    "/admin/messaging/provider/add/?kind=mailgun",
    "/admin/messaging/breaker/",
    "/admin/messaging/alert/",
    "/admin/password_change/",
    "/admin/contact_change/",
]
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
BAD = ("serious", "critical")


@pytest.fixture
def boss(shopper, customer, database, mailbox):
    """Makes a member of staff in front of a browser: `boss(javascript=False)`."""

    def boss(**how):
        who = customer()
        username = re.sub(r"\W", "", who.partition("@")[0])[:30]
        database.promotes(who, username)
        return Staff(shopper(**how).page, mailbox, username=username, contact=who)

    return boss


@pytest.fixture
def faults(witness):
    """Tells what is wrong with a page of staff: under our own policy, on a phone, by axe in light and in dark."""

    def faults(page):
        resize(page, 390)
        found = ["it scrolls sideways"] if page.evaluate(SIDEWAYS) else []
        resize(page, 1280)
        found += witness.complaints
        found += axe.faults(page, BAD)
        witness.complaints.clear()  # axe itself may style what it looks at
        return found

    return faults


def test_the_pages_of_staff_are_for_everybody(boss, customer, database, faults):  # ux 76, ux 77
    database.sounds_an_alert()
    staff = boss().arrives()
    customer()
    rows = []

    for path in PAGES:
        assert staff.open(path) == 200, path
        row = staff.page.locator("#result_list tbody th a").first
        rows += [row.get_attribute("href")] if row.count() else []
        assert (path, faults(staff.page)) == (path, [])
    assert len(rows) > 5
    for path in rows:
        assert staff.open(path) == 200, path
        assert (path, faults(staff.page)) == (path, [])


def test_what_staff_see_and_do_of_one_shopper_is_for_everybody(
    boss, customer, faults
):  # ux 76, ux 77
    staff = boss().arrives()
    who = customer()
    (person,) = staff.paths_of("/admin/accounts/user/", "[href$='/change/']", most=1)
    paths = staff.paths_of(person, ".object-tools a")
    assert any(path.endswith("/recover/") for path in paths)

    for path in paths:
        assert staff.open(path) == 200, path
        assert (path, faults(staff.page)) == (path, [])
    staff.looks_up(who)
    assert faults(staff.page) == []


def test_the_door_of_staff_is_for_everybody(boss, faults):  # ux 76
    staff = boss()

    staff.open("/admin/login/")
    assert faults(staff.page) == []
    staff.give_password("not the password")
    assert faults(staff.page) == []
    staff.give_password()
    expect(staff.page).to_have_url(re.compile(r"/code/$"))
    assert faults(staff.page) == []


def test_staff_come_in_with_a_password_and_a_code(boss):  # ADM-04
    staff = boss().signs_in()

    expect(staff.title).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_no_address_that_staff_search_for_stands_in_a_url(boss, customer, javascript):  # ADM-02
    who = customer()
    staff = boss(javascript=javascript, width=320).arrives()
    asked = []
    staff.page.on("request", lambda request: asked.append((request.method, request.url)))

    for window in ("accounts/user", "accounts/challenge", "messaging/outboxmessage"):
        staff.open(f"/admin/{window}/")
        staff.search.fill(who)
        staff.search.press("Enter")
        expect(staff.page).to_have_url(re.compile(r"/admin/lookup/$"))
        expect(staff.main).to_contain_text("What to tell the caller")
        # The style sheet may come after the words.
        staff.page.wait_for_load_state()
        assert not staff.page.evaluate(SIDEWAYS), window

    name = who.partition("@")[0]
    assert not [url for _method, url in asked if name in url]
    assert ("POST", f"{staff.page.url}") in asked


def test_a_name_is_searched_in_the_list_without_javascript(boss, ana):
    ana.registers(email(), name="Quentin Quill")
    staff = boss(javascript=False).arrives()

    staff.open("/admin/accounts/user/?verified=email")
    staff.search.fill("Quentin")
    staff.search.press("Enter")

    expect(staff.page).to_have_url(re.compile(r"\?verified=email&q=Quentin$"))
    expect(staff.rows()).to_have_count(1)


def test_staff_change_where_their_codes_go_without_a_script(boss):  # ux 76, ux 77, ADM-04
    staff = boss(width=320, javascript=False).arrives()
    elsewhere = f"new.{staff.contact}"

    staff.open("/admin/")
    staff.page.get_by_role("link", name="Change contact").click()
    staff.asks_for_code(current=PASSWORD, contact=elsewhere)
    staff.gives_code()
    staff.contact = elsewhere
    staff.gives_code()

    expect(staff.news).to_contain_text("Your codes now go to the new contact")
    assert not staff.page.evaluate(SIDEWAYS)


def test_support_finds_out_why_a_code_never_came_and_helps(boss, customer, database, mailbox):
    who = customer()
    database.bounces(who)
    staff = boss().arrives()
    received = len(mailbox.letters(who))

    staff.looks_up(who)
    expect(staff.main).to_contain_text("bounced")
    expect(staff.main).to_contain_text("What to tell the caller")

    staff.open("/admin/accounts/user/")
    staff.search.fill(who)
    staff.search.press("Enter")
    expect(staff.page).to_have_url(re.compile(r"/admin/lookup/$"))
    expect(staff.main).not_to_contain_text(who)
    staff.main.locator("[href$='/change/']").first.click()
    staff.page.get_by_role("link", name="Send recovery email").click()
    staff.page.locator("#content form [type='submit']").first.click()

    expect(staff.news).to_be_visible()
    assert "/password-reset/" in mailbox.letters(who, at_least=received + 1)[0]["text"]
