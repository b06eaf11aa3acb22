"""With JavaScript a step brings the card of the next one: one page is loaded, and all of it is as if each had been."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.pages import EMAIL_OR_PHONE, PASSWORD, email, phone

NEW = "another long password"
# Two buttons of two cards in one place, so that a second click meets the card that the first one brought.
IN_ONE_PLACE = """(buttons) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${buttons} { position: fixed; inset: 1rem auto auto 1rem; z-index: 9 }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""


class Traffic:
    """What a tab asks for: the pages that it loads, and the forms that it sends."""

    def __init__(self, page):
        self.loads, self.forms = [], []
        page.on("request", self._note)

    def _note(self, request):
        if request.is_navigation_request():
            self.loads.append(request.url)
        elif request.method == "POST":
            self.forms.append(request.url)


@pytest.fixture
def traffic(ana):
    """What Ana's tab asks for."""
    return Traffic(ana.page)


def arrives(person, page, *, at=None):
    """Wait until the card of `page` is there as if it had been loaded: address, title, news for a reader, focus."""
    page.is_shown()
    heading = page.heading
    expect(person.page).to_have_title(re.compile(f"^{re.escape(heading)} - .*Storefront$"))
    expect(person.page.locator("#arrived")).to_have_text(person.page.title())
    expect(at or page.title).to_be_focused()


def seen(person):
    """What the page shows and what its forms would send, without the token, and without what the hour changes."""
    person.page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-settling')")
    main = person.page.get_by_role("main")
    words = main.inner_text()
    fields = main.locator("input:not([name=csrfmiddlewaretoken])")
    header = person.page.get_by_role("banner").inner_text()
    values = fields.evaluate_all("all => all.map(each => [each.name, each.type, each.value])")
    return header, re.sub(r"\(\d+ sec\)|Your email is on its way\.", "", words), values


def test_a_sign_up_loads_one_page(ana, traffic):  # ux 71, DESIGN "Registration"
    who = email()
    ana.identify.open()

    ana.identify.give(who)
    arrives(ana, ana.code, at=ana.code.box)
    ana.code.give(ana.mailbox.code(who))
    arrives(ana, ana.complete)
    ana.complete.give("Ana")
    ana.home.welcomes("Ana")
    expect(ana.home.title).to_be_focused()
    expect(ana.page.locator("#arrived")).to_have_text("Hello, Ana - Storefront")

    assert len(traffic.loads) == 1
    assert len(traffic.forms) == 3


def test_each_card_is_what_a_reload_shows(ana):  # ux 12, 70, 71
    who = email()
    ana.identify.open()
    ana.identify.give(who)
    ana.code.is_shown().says("The code works until")
    assert_a_reload_shows_the_same(ana)
    ana.code.give(ana.mailbox.code(who))
    ana.complete.is_shown()
    assert_a_reload_shows_the_same(ana)
    ana.complete.give("Ana")
    ana.home.welcomes("Ana")
    expect(ana.home.news).to_have_text("Your account is ready.")
    ana.page.reload()
    expect(ana.home.news).to_have_text("")
    ana.home.welcomes("Ana")


def assert_a_reload_shows_the_same(person):
    before = seen(person)
    person.page.reload()
    assert seen(person) == before
    assert axe.faults(person.page) == []


def test_the_header_knows_at_once_who_came_and_who_left(ana):  # WEB-02
    who = email()
    mine = ana.page.get_by_role("banner").get_by_role("link", name="My account")
    ana.asks_for_code(who)
    expect(mine).to_have_count(0)

    ana.code.give(ana.mailbox.code(who))

    ana.complete.is_shown()
    expect(mine).to_be_visible()
    ana.complete.give("Ana")
    ana.home.welcomes("Ana")
    ana.delete.open().delete.click()
    ana.home.knows_nobody()
    expect(mine).to_have_count(0)


def test_the_way_back_and_forth_is_one_of_pages(ana):  # ux 3, 70
    who = email()
    ana.asks_for_code(who)
    code_page = ana.page.url
    ana.page.go_back()
    ana.identify.is_shown()
    expect(ana.identify.box).to_have_value(who)
    ana.page.go_forward()
    ana.code.is_shown().says(who)
    assert ana.page.url == code_page
    ana.code.give(ana.mailbox.code(who))
    ana.complete.is_shown()

    # What is behind is over: it leads on, under its own address, and begins where a page does.
    ana.page.go_back()
    expect(ana.complete.news).to_have_text("You are already signed in.")
    expect(ana.complete.title).to_be_focused()
    ana.complete.is_shown().says("You are already signed in.")
    ana.complete.give("Ana")
    ana.home.welcomes("Ana")
    ana.page.go_back()
    ana.home.welcomes("Ana")
    assert len(ana.mailbox.letters(who)) == 1


@pytest.fixture
def _losses(witness):
    """Answers are lost: htmx tells the console about it."""
    yield
    witness.complaints.clear()


@pytest.mark.usefixtures("_losses")
def test_a_lost_answer_to_an_address_is_asked_for_again(ana):  # ux 69
    who = email()
    ana.identify.open()
    ana.page.route("**/register/", served_and_lost, times=1)
    ana.identify.give(who)

    ana.identify.try_again.click()

    ana.code.is_shown().says(who)
    assert len(ana.mailbox.letters(who)) == 1


@pytest.mark.usefixtures("_losses")
@pytest.mark.parametrize("cookies", ["kept", "lost"])
def test_a_lost_answer_to_the_right_code_loses_nothing(ana, cookies):  # COD-11, ux 69
    who = email()
    ana.asks_for_code(who)
    held = ana.page.context.cookies()
    ana.page.route("**/register/verify/", served_and_lost, times=1)
    ana.code.give(ana.mailbox.code(who))
    expect(ana.code.try_again).to_be_visible()
    if cookies == "lost":
        ana.page.context.clear_cookies()
        ana.page.context.add_cookies(held)

    ana.code.try_again.click()

    if cookies == "lost":
        # One step from another code, to sign in with.
        ana.page.get_by_label(EMAIL_OR_PHONE).fill(who)
        ana.page.get_by_role("button", name="Send code").click()
        ana.sign_in_code.give(ana.mailbox.code(who, number=2))
    ana.complete.is_shown().give("Ana")
    ana.home.welcomes("Ana")


def served_and_lost(route):
    """The site does what it is asked for, and nobody hears of it."""
    route.fetch()
    route.abort()


def test_the_second_of_two_clicks_does_not_meet_the_next_card(ana, traffic):  # ux 48, COD-11
    who = email()
    ana.asks_for_code(who)
    ana.code.box.fill(ana.mailbox.code(who))
    ana.page.evaluate(IN_ONE_PLACE, "#confirm-code, #create-account")
    mouse, (x, y) = ana.page.mouse, middle(ana.code.confirm)

    mouse.click(x, y)
    ana.complete.is_shown()
    expect(ana.complete.title).to_be_focused()
    mouse.move(x, y)
    mouse.down(click_count=2)
    mouse.up(click_count=2)

    expect(ana.complete.title).to_be_focused()
    expect(ana.complete.problem).to_have_count(0)
    assert len([url for url in traffic.forms if "complete" in url]) == 0
    # One that is meant counts.
    ana.complete.give("Ana")
    ana.home.welcomes("Ana")


def test_a_real_double_click_at_the_last_step_signs_nobody_out(ana, traffic):  # ux 48
    ana.verifies(email())
    ana.complete.name.fill("Ana")
    ana.complete.password.fill(PASSWORD)
    ana.page.evaluate(IN_ONE_PLACE, "#create-account, #log-out")
    mouse, (x, y) = ana.page.mouse, middle(ana.complete.create)

    mouse.click(x, y)
    ana.home.welcomes("Ana")
    mouse.down(click_count=2)
    mouse.up(click_count=2)
    expect(ana.home.log_out).to_be_visible()
    assert not [url for url in traffic.forms + traffic.loads if "logout" in url]
    ana.page.reload()

    ana.home.welcomes("Ana")


def test_a_key_that_is_held_down_sends_one_form(ana, traffic):  # ux 48
    ana.identify.open().box.fill(email())
    ana.identify.box.focus()
    ana.page.keyboard.down("Enter")
    expect(ana.code.box).to_be_focused()
    for _held in range(3):
        ana.page.keyboard.down("Enter")
    ana.page.keyboard.up("Enter")

    expect(ana.code.problem).to_have_count(0)
    assert len(traffic.forms) == 1


def test_a_second_tap_does_not_meet_the_next_card(shopper):  # ux 48
    ana, sent = shopper(), []
    ana.verifies(email())
    ana.page.on("request", lambda request: sent.append(request.url))
    ana.page.evaluate(IN_ONE_PLACE, "#create-account, #log-out")
    ana.complete.name.fill("Ana")
    ana.complete.password.fill(PASSWORD)

    ana.page.evaluate(TAPPED_TWICE, ["create-account", "log-out"])

    ana.home.welcomes("Ana")
    assert not [url for url in sent if "logout" in url]


# As a touch screen does it: each tap is the first. The second comes as soon as there is something to meet.
TAPPED_TWICE = """([first, second]) => {
  const tap = (button) => {
    const { x, y } = button.getBoundingClientRect();
    const at = { bubbles: true, cancelable: true, clientX: x + 5, clientY: y + 5 };
    button.dispatchEvent(new PointerEvent("pointerdown", { ...at, pointerType: "touch" }));
    button.dispatchEvent(new MouseEvent("click", { ...at, detail: 1 }));
  };
  new MutationObserver((_changes, watch) => {
    const next = document.getElementById(second);
    if (!next) return;
    watch.disconnect();
    tap(next);
  }).observe(document.body, { childList: true, subtree: true });
  tap(document.getElementById(first));
}"""


def test_going_back_where_nothing_comes_is_said_by_the_browser(ana):  # ux 69
    ana.asks_for_code(email())
    ana.page.route("**/register/", lambda route: route.abort())

    with ana.page.expect_event("requestfailed", lambda asked: asked.is_navigation_request()):
        ana.page.go_back()


def middle(button):
    """The middle of a button."""
    box = button.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_code_signs_in_without_another_page(ana, traffic, customer):
    who = customer()
    ana.sign_in.open().name.fill(who)
    ana.sign_in.code_instead.click()
    arrives(ana, ana.sign_in_code, at=ana.sign_in_code.box)

    ana.sign_in_code.give(ana.mailbox.code(who, number=2))

    ana.home.welcomes("Ana")
    expect(ana.home.title).to_be_focused()
    assert len(traffic.loads) == 1


def test_another_page_that_was_asked_for_is_loaded(ana, traffic, customer):  # ux 60
    who = customer()
    ana.page.goto("/login/?next=/account/activity/")

    ana.sign_in.give(who)

    expect(ana.page.get_by_role("heading", level=1)).to_have_text("Activity")
    assert len(traffic.loads) == 2


def test_a_forgotten_password_is_replaced_on_one_page(ana, traffic, customer):  # REC-04
    number = customer(phone())
    ana.reset.open()
    ana.reset.give(number)
    arrives(ana, ana.reset_code, at=ana.reset_code.box)
    ana.reset_code.give(ana.mailbox.code(number, number=2))
    arrives(ana, ana.new_password)
    assert "token" not in ana.page.url
    assert_a_reload_shows_the_same(ana)
    ana.new_password.give(NEW)
    arrives(ana, ana.sign_in)
    expect(ana.sign_in.news).to_have_text("Your password is changed. Sign in with it.")

    ana.sign_in.give(number, NEW)

    ana.home.welcomes("Ana")
    assert len(traffic.loads) == 2  # with the reload


def test_the_chains_of_the_account_load_no_page(ana, traffic, database):  # REC-08, SES-05
    who, number = email(), phone()
    ana.registers(who)
    database.forgets_reauthentication(who)
    ana.page.goto("/account/contacts/phone/")
    ana.confirm.is_shown()
    before = len(traffic.loads)

    ana.confirm.send.click()
    arrives(ana, ana.confirm_code, at=ana.confirm_code.box)
    ana.confirm_code.give(ana.mailbox.code(who, number=2))
    expect(ana.new_contact.title).to_have_text("Add a mobile number")
    expect(ana.new_contact.title).to_be_focused()
    ana.new_contact.give(number)
    arrives(ana, ana.contact, at=ana.contact.box)
    ana.contact.give(ana.mailbox.code(number))
    arrives(ana, ana.account)
    ana.account.says("Confirmed on")
    expect(ana.account.news).to_have_text("Your contact is confirmed.")

    assert len(traffic.loads) == before
    shown = [part for part in seen(ana)[1].splitlines() if part]
    ana.page.reload()
    assert [part for part in seen(ana)[1].splitlines() if part] == [
        part for part in shown if part != "Your contact is confirmed."
    ]


def test_going_back_while_a_page_comes_again_shows_the_page_of_the_address(ana):  # ux 70
    ana.asks_for_code(email())
    held = []
    ana.page.route("**/static/app.js", lambda route: held.append(route))
    ana.page.evaluate("location.reload()")
    expect(ana.code.title).to_be_visible()
    ana.page.wait_for_function("() => document.readyState !== 'complete'")

    # Nobody listens yet.
    ana.page.evaluate("history.back()")
    ana.page.wait_for_function("() => location.pathname === '/register/'")
    script, *_none = held
    ana.page.route("**/static/app.js", lambda route: route.continue_())
    script.continue_()

    ana.identify.is_shown()
