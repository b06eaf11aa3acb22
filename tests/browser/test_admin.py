"""The back of the shop, in a real browser: staff come in with a code, see what they need, and read it at any width."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.admin_pages import Staff, Till
from tests.browser.pages import PASSWORD, email

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


@pytest.fixture
def till(base_url, pytestconfig, tmp_path_factory):
    """The rows of our own site; nobody gets at those of a site that runs already."""
    if pytestconfig.getoption("base_url"):
        pytest.skip("needs the database of the site")
    return Till(tmp_path_factory.getbasetemp() / "site0" / "db.sqlite3")


@pytest.fixture
def boss(shopper, till, mailbox):
    """Makes a member of staff, signed in: `boss(color_scheme=, viewport=)`."""

    def boss(**how):
        who = email()
        person = shopper()
        person.signs_up(who)
        username = re.sub(r"\W", "", who.partition("@")[0])[:30]
        till.promotes(who, username)
        staff = Staff(shopper(**how).page, mailbox, username=username, contact=who)
        return staff.signs_in()

    return boss


def faults(page):
    """What axe holds against the page that counts."""
    found = Axe().run(page).response["violations"]
    return [
        (fault["id"], fault["nodes"][0]["html"][:120])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


def one_of_each(staff):
    """The address of a row of each kind, of what can be done for a shopper, and of what was."""
    for path in PAGES:
        staff.open(path)
        row = staff.page.locator("#result_list tbody th a").first
        if row.count():
            yield row.get_attribute("href")
    (person,) = staff.paths_of("/admin/accounts/user/", "[href$='/change/']", most=1)
    yield from staff.paths_of(person, ".object-tools a")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_of_staff(boss, ana, till, scheme):  # ux 76
    till.sounds_an_alert()
    # axe itself may style what it looks at; the next test sees every page under our own policy.
    staff = boss(color_scheme=scheme, bypass_csp=True)
    ana.signs_up(email())
    rows = list(one_of_each(staff))
    assert any(path.endswith("/recover/") for path in rows)

    for path in [*PAGES, *rows]:
        assert staff.open(path) == 200, path
        assert (path, faults(staff.page)) == (path, [])

    staff.looks_up(staff.contact)
    assert faults(staff.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_at_the_door_of_staff(boss, scheme):  # ux 76
    staff = boss(color_scheme=scheme, bypass_csp=True)
    staff.page.context.clear_cookies()

    staff.open("/admin/login/")
    assert faults(staff.page) == []
    staff.give_password("not the password")
    assert faults(staff.page) == []
    staff.give_password()
    expect(staff.page).to_have_url(re.compile(r"/code/$"))
    assert faults(staff.page) == []


def test_the_pages_of_staff_fit_a_phone(boss, ana):  # ux 77
    staff = boss(viewport={"width": 390, "height": 800})
    ana.signs_up(email())

    for path in [*PAGES, *one_of_each(staff)]:
        staff.open(path)
        assert not staff.page.evaluate(SIDEWAYS), path
    staff.looks_up(staff.contact)
    assert not staff.page.evaluate(SIDEWAYS)


@pytest.mark.parametrize("javascript", [True, False])
def test_no_address_that_staff_search_for_stands_in_a_url(boss, ana, javascript):  # ADM-02
    who = email()
    ana.signs_up(who)
    staff = boss(javascript=javascript, width=320)
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
    ana.signs_up(email(), name="Quentin Quill")
    staff = boss(javascript=False)

    staff.open("/admin/accounts/user/?verified=email")
    staff.search.fill("Quentin")
    staff.search.press("Enter")

    expect(staff.page).to_have_url(re.compile(r"\?verified=email&q=Quentin$"))
    expect(staff.rows()).to_have_count(1)


def test_staff_change_where_their_codes_go_without_a_script(boss):  # ux 76, ux 77, ADM-04
    staff = boss(width=320, javascript=False)
    elsewhere = f"new.{staff.contact}"

    staff.open("/admin/")
    staff.page.get_by_role("link", name="Change contact").click()
    staff.asks_for_code(current=PASSWORD, contact=elsewhere)
    staff.gives_code()
    staff.contact = elsewhere
    staff.gives_code()

    expect(staff.news).to_contain_text("Your codes now go to the new contact")
    assert not staff.page.evaluate(SIDEWAYS)


def test_support_finds_out_why_a_code_never_came_and_helps(boss, ana, till):
    who = email()
    ana.signs_up(who)
    till.bounces(who)
    staff = boss()

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
    assert "/password-reset/" in ana.mailbox.letters(who)[0]["text"]
