"""The whole journey in a real browser: by email and by phone, with and without JavaScript, large and small."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.pages import PASSWORD, email, phone, wrong

WAYS = {"JavaScript": True, "no JavaScript": False}


# Every two of them meet: email and phone, with and without JavaScript, large and small.
@pytest.mark.parametrize(
    ("who", "javascript", "width"),
    [(email, True, 1280), (email, False, 320), (phone, True, 320), (phone, False, 1280)],
    ids=["email, large", "email, no JavaScript", "phone, small", "phone, no JavaScript, large"],
)
def test_a_visitor_becomes_a_shopper(shopper, who, javascript, width):  # ux 9, 71, promises 4.1-4.4
    ana = shopper(javascript=javascript, width=width)

    ana.signs_up(who())

    ana.account.open().says("Ana")
    ana.account.log_out.click()
    ana.home.open().knows_nobody()


def test_a_shopper_needs_no_mouse(ana):  # ux 7, 78
    keys, who = ana.page.keyboard, email()
    ana.identify.open()
    keys.press("Tab")
    expect(ana.identify.skip_link).to_be_focused()
    keys.press("Enter")
    keys.press("Tab")
    expect(ana.identify.box).to_be_focused()
    keys.type(who)
    keys.press("Enter")
    ana.code.is_shown()
    expect(ana.code.box).to_be_focused()  # ux 31
    keys.type(ana.mailbox.code(who))
    keys.press("Enter")
    ana.complete.is_shown()
    ana.complete.name.focus()
    keys.type("Ana")
    for _ in range(6):
        keys.press("Tab")
        if ana.complete.password.evaluate("box => box === document.activeElement"):
            break
    keys.type(PASSWORD)
    keys.press("Enter")

    ana.home.welcomes("Ana")


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_a_wrong_code_is_explained_and_the_right_one_still_works(
    shopper, javascript
):  # ux 34, 61, 62
    ana, who = shopper(javascript=javascript), email()
    ana.asks_for_code(who)
    code = ana.mailbox.code(who)

    ana.code.give(wrong(code))
    ana.code.has_problem("That is not the code we sent.")
    summary = ana.code.problem.get_by_role("link")
    summary.click()
    expect(ana.code.box).to_be_focused()

    ana.code.give(code)
    ana.complete.is_shown()


@pytest.mark.parametrize("pasted", ["{} {}", "{}-{}", "Code: {}{}"])
def test_a_code_may_be_pasted_with_its_surroundings(ana, pasted):  # ux 26, 27
    who = email()
    ana.asks_for_code(who)
    code = ana.mailbox.code(who)

    ana.code.give(pasted.format(code[:3], code[3:]))

    ana.complete.is_shown()


def _is_ours(request):
    """Whether a page sent it: not the browser for its tab's picture, nor the line that follows a message."""
    asks = request.resource_type in ("document", "fetch", "xhr")
    return asks and "/delivery/" not in request.url


def test_six_digits_send_nothing_by_themselves(shopper):  # ux 32
    ana, who, sent = shopper(clock=True), email(), []
    ana.asks_for_code(who)
    ana.page.on("request", lambda request: sent.append(request.url) if _is_ours(request) else None)

    ana.code.box.press_sequentially("123456")
    ana.page.clock.run_for(5_000)
    ana.page.evaluate("fetch('/livez').then((answer) => answer.status)")

    assert [url for url in sent if not url.endswith("/livez")] == []


# A browser that reads codes out of text messages, as Chrome on Android does: the message comes when the test says so.
READS_MESSAGES = """
window.OTPCredential = class {};
window.asked = [];
navigator.credentials.get = (options) => {
  window.asked.push(options);
  return new Promise((come, go) => {
    window.messageComes = (code) => come({ code });
    options.signal.addEventListener("abort", () => go(new DOMException("", "AbortError")));
  });
};
"""


def test_a_browser_that_reads_messages_fills_in_the_code_and_sends_nothing(ana):  # ux 32, 33
    ana.page.add_init_script(READS_MESSAGES)
    who, sent = email(), []
    ana.asks_for_code(who)
    ana.page.on("request", lambda request: sent.append(request.url) if _is_ours(request) else None)
    ana.page.wait_for_function("() => window.asked.length")

    ana.page.evaluate("code => window.messageComes(code)", ana.mailbox.code(who))

    expect(ana.code.box).to_have_value(ana.mailbox.code(who))
    assert ana.page.evaluate("window.asked.length") == 1
    assert sent == []
    ana.code.confirm.click()
    ana.complete.is_shown()


def test_who_types_the_code_is_not_waited_for_by_a_message(ana):  # ux 33
    ana.page.add_init_script(READS_MESSAGES)
    who = email()
    ana.asks_for_code(who)
    ana.page.wait_for_function("() => window.asked.length")
    ana.page.evaluate("window.seen = window.asked[0].signal")

    ana.code.give(wrong(ana.mailbox.code(who)))

    ana.code.has_problem("That is not the code we sent.")
    assert ana.page.evaluate("window.seen.aborted")


def test_advice_on_a_password_comes_after_a_pause_and_stops_nobody(shopper):  # ux 56
    ana = shopper(clock=True)
    ana.verifies(email())
    advice = ana.complete.main.get_by_role("status").filter(has_text=re.compile("."))
    ana.page.clock.pause_at(ana.page.evaluate("Date.now() + 1000"))
    ana.complete.password.press_sequentially("a plain")
    ana.page.clock.run_for(500)
    expect(advice).to_have_count(0)

    ana.page.clock.resume()
    expect(advice).to_have_text("5 more characters to go.")
    guessable = "nonsensense nonsense"
    ana.complete.password.fill(guessable)
    expect(advice).to_contain_text("easy to guess")
    ana.complete.give("Ana", password=guessable)

    ana.home.welcomes("Ana")


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_a_typing_error_is_pointed_out_and_never_blocks(shopper, javascript):  # ux 19
    ana = shopper(javascript=javascript)
    typed = email(domain="gmial.com")
    ana.identify.open().give(typed)
    expect(ana.identify.hint).to_be_visible()

    ana.identify.keep.click()

    ana.code.is_shown().says(typed)


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_a_new_code_replaces_the_older_one(shopper, database, javascript):  # ux 40, 43, 44, 47
    ana, who = shopper(javascript=javascript, clock=True), email()
    ana.asks_for_code(who)
    older = ana.mailbox.code(who)
    ana.code.not_received.click()
    expect(ana.code.wait).to_be_visible()

    # A minute goes by, for the site and for the page.
    database.ages(61, who)
    if javascript:
        ana.page.clock.fast_forward(61_000)
        expect(ana.code.wait).to_be_hidden()
        expect(ana.page.locator("#wait-over")).to_have_text("You can ask for a new code now.")
    else:
        ana.code.open().not_received.click()
    ana.code.another.click()
    expect(ana.code.news).to_contain_text("We sent you a new code")
    newest = ana.mailbox.code(who, number=2)
    ana.code.give(older)
    ana.code.has_problem("That is an earlier code.")

    ana.code.give(newest)
    ana.complete.is_shown()


def test_asking_too_soon_is_answered_with_a_time(ana):  # ux 45, 46
    ana.asks_for_code(email())
    ana.code.not_received.click()
    expect(ana.code.another).to_be_enabled()

    ana.code.another.click()

    ana.code.has_problem("A message was sent a moment ago.")


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_another_address_for_the_same_registration(shopper, javascript):  # ux 49
    ana, first, second = shopper(javascript=javascript), email(), phone()
    ana.asks_for_code(first)
    ana.code.not_received.click()
    ana.code.other_address.click()
    ana.change.is_shown().give(second)
    ana.code.is_shown().says(second)  # ux 18

    ana.code.give(ana.mailbox.code(first))
    ana.code.says("That is not the code we sent.")
    ana.code.give(ana.mailbox.code(second))

    ana.complete.is_shown().says(second.replace(" ", ""))  # ux 11


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_the_link_goes_on_in_the_same_browser(shopper, javascript):  # ux 81, REC-04
    ana, who = shopper(javascript=javascript), email()
    ana.asks_for_code(who)

    ana.page.goto(ana.mailbox.link(who))
    ana.link.says(who)
    assert "token" not in ana.page.url
    ana.link.confirm.click()

    ana.complete.is_shown()


def test_the_link_in_another_browser_is_for_whoever_is_there(ana, bea):  # ux 81, REG-08
    who = email()
    ana.asks_for_code(who)

    bea.page.goto(bea.mailbox.link(who))
    bea.link.says("You began in another browser.")
    bea.link.confirm.click()
    bea.complete.is_shown()

    ana.home.open().knows_nobody()
    bea.page.goto(bea.mailbox.link(who))
    bea.link.says("This link")


def test_back_forward_and_reload_show_one_page_and_send_nothing(ana):  # ux 3, 12, 70
    who = email()
    ana.asks_for_code(who)

    ana.page.go_back()
    ana.identify.is_shown()
    expect(ana.identify.box).to_have_value(who)
    ana.page.go_forward()
    ana.code.is_shown()
    ana.page.reload()
    ana.code.is_shown()
    ana.code.back.click()
    ana.identify.is_shown()

    assert len(ana.mailbox.letters(who, at_least=1)) == 1


def test_two_tabs_end_in_one_account(ana):  # ux 41
    who = email()
    ana.asks_for_code(who)
    other = ana.new_tab()
    other.code.open().is_shown()
    code = ana.mailbox.code(who)
    ana.code.give(code)
    ana.complete.is_shown()

    other.code.give(code)  # ux 42: its form is older than the sign-in

    other.complete.is_shown().says("You are already signed in.")


def test_a_double_click_asks_once_and_signs_in(ana):  # ux 48, COD-11
    who = email()
    ana.asks_for_code(who)
    ana.code.box.fill(ana.mailbox.code(who))

    ana.code.confirm.dblclick()

    ana.complete.is_shown()
    assert len(ana.mailbox.letters(who)) == 1


def test_a_click_while_the_next_page_is_on_its_way_asks_nothing(ana, customer):  # ux 48, COD-11
    who, held, asked = customer(), [], []
    ana.page.goto("/login/?next=/account/")
    ana.sign_in.name.fill(who)
    ana.sign_in.password.fill(PASSWORD)
    ana.page.route("**/account/", lambda route: held.append(route))
    ana.page.on("request", lambda request: asked.append(request.method))

    spot = ana.sign_in.sign_in.bounding_box()
    with ana.page.expect_request("**/account/"):
        ana.sign_in.sign_in.click(no_wait_after=True)
    ana.page.mouse.click(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
    held[0].continue_()

    ana.account.is_shown()
    assert asked.count("POST") == 1


def test_a_double_click_without_javascript_loses_a_code_at_most(shopper):  # COD-11, COD-05
    ana, who = shopper(javascript=False), email()
    ana.asks_for_code(who)
    ana.code.box.fill(ana.mailbox.code(who))

    # The browser drops the first answer and its cookie; the second click holds a session that is no more.
    ana.code.confirm.dblclick()
    expect(ana.complete.create.or_(ana.identify.send).or_(ana.sign_in.code_instead)).to_be_visible()
    if ana.identify.send.is_visible():
        ana.identify.give(who)
        ana.code.give(ana.mailbox.code(who, number=2))
    elif ana.sign_in.code_instead.is_visible():
        ana.sign_in.name.fill(who)
        ana.sign_in.code_instead.click()
        ana.sign_in_code.give(ana.mailbox.code(who, number=2))

    ana.complete.is_shown().give()
    ana.home.welcomes("Ana")


# What every 503 of the site has but one about a provider, which stands on the form (AVL-01).
UNAVAILABLE = {"status": 503, "headers": {"Retry-After": "5"}, "body": "<p id='card'>Later</p>"}


@pytest.mark.parametrize(
    "answer",
    [lambda route: route.abort(), lambda route: route.fulfill(**UNAVAILABLE)],
    ids=["a lost network", "a database in trouble"],
)
def test_what_does_not_get_through_loses_nothing(ana, witness, answer):  # ux 69, AVL-01
    who = email()
    ana.identify.open()
    ana.page.route("**/register/", answer)
    ana.identify.give(who)
    expect(ana.identify.try_again).to_be_visible()
    expect(ana.identify.box).to_have_value(who)
    witness.complaints.clear()  # htmx tells the console about the loss

    ana.page.unroute("**/register/")
    ana.identify.try_again.click()

    ana.code.is_shown()


def test_a_password_can_be_looked_at_and_is_found_by_managers(ana):  # ux 53, 54
    who = email()
    ana.verifies(who)
    ana.complete.password.fill(PASSWORD)
    ana.complete.show_password.click()
    expect(ana.complete.password).to_have_attribute("type", "text")
    ana.complete.hide_password.click()

    expect(ana.complete.password).to_have_attribute("type", "password")
    expect(ana.complete.password).to_have_attribute("autocomplete", "new-password")
    assert ana.page.locator("input[autocomplete=username]").input_value() == who


def test_after_signing_out_the_back_button_shows_nothing_private(ana):  # SES-08, ux 72
    who = email()
    ana.registers(who)
    ana.account.open().says(who)
    ana.account.log_out.click()
    ana.home.knows_nobody()

    ana.page.go_back()

    ana.sign_in.is_shown()
    expect(ana.page.get_by_text(who)).to_have_count(0)
    assert who not in ana.page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_the_page_says_that_it_is_busy(ana):  # ux 73
    ana.identify.open()
    held = []
    ana.page.route("**/register/", lambda route: held.append(route))
    ana.identify.box.fill(email())

    ana.identify.send.click(no_wait_after=True)

    expect(ana.page.locator("form[aria-busy=true]")).to_be_visible()
    held[0].continue_()
    ana.code.is_shown()


def test_a_second_contact_counts_once_its_code_is_typed(ana):
    number = phone()
    ana.verifies(email())
    ana.complete.other_contact.fill(number)
    ana.complete.give()
    ana.home.welcomes("Ana")
    ana.account.open().enter_code.click()

    ana.contact.give(ana.mailbox.code(number))

    ana.account.is_shown().says(re.sub(r"[^+\d]", "", number))


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_a_form_without_its_cookie_leads_on(shopper, javascript):  # ux 42
    ana, who = shopper(javascript=javascript), email()
    ana.identify.open()
    ana.page.context.clear_cookies()

    ana.identify.give(who)
    expect(ana.page.get_by_role("heading", level=1)).to_have_text("Your browser sent no cookie")
    expect(ana.page.get_by_role("link", name="Storefront")).to_be_visible()
    expect(ana.identify.box).to_have_value(who)
    ana.page.get_by_role("button", name="Start again").click()

    ana.code.is_shown().says(who)
