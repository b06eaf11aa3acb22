"""Every page and every error state for everybody: by axe, and by what axe does not see (ux 64, 76, 77, 78)."""

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.pages import email, phone, resize, wrong

DANGLING = """() => [...document.querySelectorAll('[aria-describedby],[aria-labelledby],[aria-controls],label[for]')]
  .flatMap(el => ['aria-describedby', 'aria-labelledby', 'aria-controls', 'for']
    .flatMap(name => (el.getAttribute(name) || '').split(/\\s+/).filter(Boolean))
    .filter(id => !document.getElementById(id)))"""
TOO_SMALL = """() => [...document.querySelectorAll('a, button, input, summary')]
  .filter(el => el.type !== 'hidden' && el.offsetParent && getComputedStyle(el).position !== 'absolute'
    && !el.closest('p, li, dd'))
  .map(el => [el.id || el.textContent.trim(), (el.closest('.choice') || el).getBoundingClientRect()])
  .filter(([, box]) => box.height < 44 || box.width < 24)
  .map(([name, box]) => `${name} ${box.width}x${box.height}`)"""
SMALL_PRINT = """() => [...document.querySelectorAll('input:not([type=hidden])')]
  .filter(el => el.offsetParent && parseFloat(getComputedStyle(el).fontSize) < 16).map(el => el.id)"""
FOCUS_UNSEEN = """() => { const el = document.activeElement, s = getComputedStyle(el);
  return el !== document.body && (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 2) && s.boxShadow === 'none'
    ? el.outerHTML.slice(0, 80) : '' }"""
PAGES_OF_AN_ACCOUNT = [
    *[
        f"/account/{page}/"
        for page in "names password devices activity download delete confirm".split()
    ],
    "/account/contacts/email/",
    "/account/contacts/phone/",
    "/account/contacts/email/remove/",
]


SMALL, ZOOMED = 320, 640


def faults(ana, state):
    """What is wrong with a page, by whom it fails: who reads it with axe's eyes, on a phone, or twice as large."""
    page = ana.page
    # All of it is there, its style sheet too.
    page.wait_for_load_state("load")
    found = {"axe": axe.faults(page), "ids that lead nowhere": page.evaluate(DANGLING)}
    resize(page, SMALL)
    found["a small screen"] = too_wide(page, SMALL)
    if state != "mailbox":
        found["a thumb"] = page.evaluate(TOO_SMALL) + page.evaluate(SMALL_PRINT)
    resize(page, ZOOMED)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    found["text twice as large"] = too_wide(page, ZOOMED)
    page.evaluate("document.documentElement.style.fontSize = ''")
    resize(page, 1280)
    return {whom: what for whom, what in found.items() if what}


def too_wide(page, width):
    """Nothing, or how wide it is."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{wide} px wide"] if wide > width else []


def states_of_a_visitor(ana):
    """Every page and error state from the front page to the account."""
    who, number = email(), phone()
    ana.home.open()
    yield "front page"
    ana.identify.open()
    yield "identify"
    ana.identify.send.click()
    ana.identify.has_problem("Enter your email address or mobile number")
    yield "identify, nothing typed"
    ana.identify.give(email(domain="gmial.com"))
    expect(ana.identify.hint).to_be_visible()
    yield "typing error"
    ana.asks_for_code(who)
    ana.code.not_received.click()
    expect(ana.code.another).to_be_visible()
    yield "code"
    ana.code.give(wrong(ana.mailbox.code(who)))
    ana.code.has_problem("That is not the code we sent.")
    yield "wrong code"
    ana.code.give("12")
    ana.code.has_problem("too short")
    yield "short code"
    ana.page.goto(ana.mailbox.link(who))
    yield "link"
    ana.code.open()
    ana.code.not_received.click()
    ana.code.other_address.click()
    ana.change.is_shown()
    yield "other address"
    ana.verifies(email("eva"))
    yield "complete"
    ana.complete.give("", "short")
    ana.complete.has_problem("Enter your name")
    yield "complete, with errors"
    ana.complete.other_contact.fill(number)
    ana.complete.give("Ana Lindqvist")
    ana.home.welcomes("Ana Lindqvist")
    yield "front page, signed in"
    ana.account.open()
    yield "account"
    ana.account.enter_code.click()
    ana.contact.is_shown()
    yield "second contact"
    ana.page.goto("/verify-email/?token=dead")
    yield "dead link"
    ana.page.goto(f"/mailbox/?to={who}")  # a mailbox of a whole day takes long to draw
    yield "mailbox"


def states_of_a_customer(ana):
    """Every page and error state of an account, and on the way back into it."""
    ana.registers(email())
    for page in PAGES_OF_AN_ACCOUNT:
        ana.page.goto(page)
        yield page
    ana.password.open().save.click()
    ana.password.has_problem("Enter your current password")
    yield "password, nothing typed"
    ana.account.open().log_out.click()
    ana.home.knows_nobody()
    ana.sign_in.open()
    yield "sign in"
    ana.sign_in.give(email(), "not my password")
    ana.sign_in.has_problem("That does not match an account.")
    yield "sign in, refused"
    ana.sign_in.code_instead.click()
    ana.sign_in_code.is_shown()
    yield "sign-in code"
    ana.page.goto("/login/code/")
    yield "sign in with a code"
    ana.reset.open()
    yield "reset"
    ana.reset.give(email())
    ana.check_email.is_shown()
    yield "check your email"


# By day and by night; on a small screen that scrolls one way, where a thumb hits; and with text twice as large.
@pytest.mark.parametrize("states", [states_of_a_visitor, states_of_a_customer])
def test_every_state_of_every_page_is_for_everybody(shopper, states):  # ux 64, 76, 77, WCAG 1.4.4
    ana = shopper(reduced_motion="reduce")

    found = {state: trouble for state in states(ana) if (trouble := faults(ana, state))}

    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whoever_tabs_sees_where_they_are(shopper, scheme):  # ux 76
    ana = shopper(color_scheme=scheme, reduced_motion="reduce")
    ana.asks_for_code(email())
    # The page puts the focus into the box a moment after the box is there.
    expect(ana.code.box).to_be_focused()
    ana.page.locator("body").click(position={"x": 2, "y": 2})

    unseen = []
    for _ in range(8):
        ana.page.keyboard.press("Tab")
        unseen.append(ana.page.evaluate(FOCUS_UNSEEN))

    assert not any(unseen), [each for each in unseen if each]


def test_the_boxes_say_what_they_are_for(ana):  # ux 14, 17, 29, 64
    ana.identify.open()
    expect(ana.identify.box).to_have_accessible_description(
        "We will send a code of 6 digits to it. Texts may cost what your carrier charges."
    )
    width, size = ana.identify.box.evaluate(
        "b => [b.clientWidth, parseFloat(getComputedStyle(b).fontSize)]"
    )
    assert width >= 30 * size * 0.5
    ana.asks_for_code(email())
    ana.code.give("")
    ana.code.has_problem("Enter the 6-digit code")

    expect(ana.code.box).to_have_accessible_description("Enter the 6-digit code")
    assert ana.code.box.evaluate("b => parseFloat(getComputedStyle(b).letterSpacing)") > 0


def test_a_page_from_right_to_left_fits_and_keeps_its_numbers(shopper):  # ux 78
    ana, who = shopper(width=320), phone()
    ana.asks_for_code(who)
    ana.page.evaluate("document.documentElement.dir = 'rtl'")

    assert ana.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert ana.page.locator("bdi[dir=ltr]").first.inner_text() == who
    expect(ana.code.box).to_have_css("direction", "ltr")
