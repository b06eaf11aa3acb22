"""Every page and every error state for everybody: by axe, and by what axe does not see (ux 64, 76, 77, 78)."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.pages import email, phone, wrong

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


def states(ana):
    """Walk through every page and error state, stopping at each once it is all there, its style sheet too."""
    for state in _states(ana):
        ana.page.wait_for_load_state("load")
        yield state


def _states(ana):
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
    yield "code"
    ana.code.give(wrong(ana.mailbox.code(who)))
    ana.code.has_problem("That is not the code we sent.")
    yield "wrong code"
    ana.code.give("12")
    ana.code.has_problem("too short")
    yield "short code"
    link = ana.mailbox.link(who)
    ana.page.goto(link)
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
    yield from _account_states(ana)
    ana.page.goto(f"/mailbox/?to={who}")  # a mailbox of a whole day takes long to draw
    yield "mailbox"


def _account_states(ana):
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_no_id_dangles(shopper, scheme):  # ux 64, 76
    ana, found = shopper(color_scheme=scheme, reduced_motion="reduce"), {}

    for state in states(ana):
        results = Axe().run(ana.page)
        faults = [
            f"{fault['id']}: {fault['nodes'][0]['html'][:120]}"
            for fault in results.response["violations"]
        ]
        faults += ana.page.evaluate(DANGLING)
        if faults:
            found[state] = faults

    assert found == {}


def test_a_small_screen_scrolls_one_way_and_a_thumb_hits(shopper):  # ux 77
    ana, found = shopper(width=320), {}

    for state in states(ana):
        wide = ana.page.evaluate("document.documentElement.scrollWidth")
        faults = [f"{wide} px wide"] if wide > 320 else []
        if state != "mailbox":
            faults += ana.page.evaluate(TOO_SMALL) + ana.page.evaluate(SMALL_PRINT)
        if faults:
            found[state] = faults

    assert found == {}


def test_text_twice_as_large_still_fits(shopper):  # ux 77, WCAG 1.4.4
    ana, found = shopper(width=640), {}

    for state in states(ana):
        ana.page.evaluate("document.documentElement.style.fontSize = '200%'")
        wide = ana.page.evaluate("document.documentElement.scrollWidth")
        if wide > 640:
            found[state] = wide

    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whoever_tabs_sees_where_they_are(shopper, scheme):  # ux 76
    ana = shopper(color_scheme=scheme)
    ana.asks_for_code(email())
    ana.page.locator("body").click(position={"x": 2, "y": 2})

    unseen = []
    for _ in range(8):
        ana.page.keyboard.press("Tab")
        unseen.append(ana.page.evaluate(FOCUS_UNSEEN))

    assert not any(unseen), [each for each in unseen if each]


def test_the_boxes_say_what_they_are_for(ana):  # ux 14, 17, 29, 64
    ana.identify.open()
    expect(ana.identify.box).to_have_accessible_description(
        "We will send a 6-digit code to it. Texts may cost what your carrier charges."
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
