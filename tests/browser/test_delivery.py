"""The line that tells what became of the message, in a real browser: it changes by itself, moves nobody, and ends."""

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.pages import email, phone, resize

WAYS = {"JavaScript": True, "no JavaScript": False}
# So long after sending the site looks up what became of it; so often a page asks; then it asks no more.
JUST_NOW, OFTEN, LONG = 3, 2_000, 60
SENTENCES = {
    "sent": "Handed to your mail provider.",
    "delivered": "Delivered. Look in your inbox.",
    "bounced": "It came back: this address cannot be reached.",
}
CHANGES = """() => {
  window.frame = document.getElementById("delivery");
  window.changes = 0;
  new MutationObserver((records) => { window.changes += records.length; })
    .observe(window.frame, { childList: true, subtree: true, characterData: true });
}"""


@pytest.fixture
def who():
    """An address nobody has used."""
    return email()


def line(shopper):
    """The line, by what it is to a screen reader."""
    return shopper.page.get_by_role("status").and_(shopper.page.locator("#delivery"))


def questions_of(shopper):
    """A list that grows with every question for news."""
    asked = []
    shopper.page.on(
        "request",
        lambda request: asked.append(request.url) if "/delivery/" in request.url else None,
    )
    return asked


def later(shopper, milliseconds):
    """The page's own clock goes on by so much, and whatever it then asks has been asked."""
    shopper.page.clock.run_for(milliseconds)
    shopper.page.evaluate("fetch('/livez').then((answer) => answer.status)")


def asks_for_news(shopper):
    """The page's own clock goes on to its next question, and the answer is there."""
    with shopper.page.expect_event("requestfinished", lambda request: "/delivery/" in request.url):
        shopper.page.clock.run_for(OFTEN)


@pytest.fixture
def waiting(shopper, database, who):
    """Somebody on the page of the code whose message was handed over; the clock of the page is in our hands."""
    ana = shopper(clock=True)
    ana.asks_for_code(who)
    database.ages(JUST_NOW, who)
    ana.page.clock.run_for(OFTEN)
    expect(line(ana)).to_have_text(SENTENCES["sent"])
    return ana


def test_the_words_change_by_themselves_and_the_questions_end(shopper, database, who):  # ux 51
    ana = shopper(clock=True)
    asked = questions_of(ana)
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text("Your email is on its way.")
    # Nobody moves the clock here: two seconds are two seconds.
    expect(line(ana)).to_have_text(SENTENCES["sent"])

    database.becomes("delivered", who)
    expect(line(ana)).to_have_text(SENTENCES["delivered"])

    before = len(asked)
    later(ana, 10 * OFTEN)
    assert len(asked) == before > 0
    ana.code.give(ana.mailbox.code(who))
    ana.complete.is_shown()


def test_news_moves_neither_the_focus_nor_what_is_typed(waiting, database, who):  # ux 51
    waiting.code.box.press_sequentially("123")

    database.becomes("delivered", who)
    waiting.page.clock.run_for(OFTEN)
    expect(line(waiting)).to_have_text(SENTENCES["delivered"])

    expect(waiting.code.box).to_be_focused()
    waiting.page.keyboard.type("456")
    expect(waiting.code.box).to_have_value("123456")


def test_news_moves_nobody_who_is_nowhere(waiting, database, who):  # ux 51
    # The page puts the focus into the box a moment after the box is there.
    expect(waiting.code.box).to_be_focused()
    waiting.code.box.blur()

    database.becomes("delivered", who)
    waiting.page.clock.run_for(OFTEN)
    expect(line(waiting)).to_have_text(SENTENCES["delivered"])
    # What a page does after a change, it does in the next moments.
    later(waiting, 1_000)

    assert waiting.page.evaluate("document.activeElement === document.body")


def test_the_same_is_not_said_twice(waiting):  # WCAG 4.1.3
    waiting.page.evaluate(CHANGES)

    asks_for_news(waiting)
    asks_for_news(waiting)
    later(waiting, 1_000)

    assert waiting.page.evaluate("window.changes") == 0
    assert waiting.page.evaluate("window.frame === document.getElementById('delivery')")


def test_after_a_minute_the_questions_end(waiting, database, who):  # ux 51
    asked = questions_of(waiting)

    database.ages(LONG, who)
    asks_for_news(waiting)
    before = len(asked)
    later(waiting, 10 * OFTEN)

    assert len(asked) == before
    expect(line(waiting)).to_have_text(SENTENCES["sent"])


def test_a_tab_that_nobody_sees_asks_nothing(waiting, database, who):
    waiting.page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true })"
    )
    # A question that was under way has its answer.
    later(waiting, 0)
    asked = questions_of(waiting)

    later(waiting, 10 * OFTEN)
    assert asked == []
    database.becomes("delivered", who)
    waiting.page.evaluate("delete document.hidden")
    waiting.page.clock.run_for(OFTEN)

    expect(line(waiting)).to_have_text(SENTENCES["delivered"])


def test_a_question_that_is_lost_troubles_nobody(waiting, database, who, witness):  # ux 69
    lost = questions_of(waiting)
    waiting.page.route("**/delivery/**", lambda route: route.abort())
    later(waiting, 2 * OFTEN)
    assert lost
    expect(waiting.code.try_again).to_have_count(0)
    expect(waiting.code.box).to_be_focused()

    waiting.page.unroute("**/delivery/**")
    database.becomes("delivered", who)
    waiting.page.clock.run_for(OFTEN)

    expect(line(waiting)).to_have_text(SENTENCES["delivered"])
    witness.complaints.clear()  # htmx tells the console about the loss


def test_another_tab_that_finishes_ends_the_line(waiting, who):
    other = waiting.new_tab()
    other.code.open().give(waiting.mailbox.code(who))
    other.complete.is_shown()

    waiting.page.clock.run_for(OFTEN)
    expect(line(waiting)).to_have_text("")
    asked = questions_of(waiting)
    later(waiting, 10 * OFTEN)

    assert asked == []
    expect(waiting.code.box).to_be_visible()


def test_without_javascript_a_reload_tells_the_newest(shopper, database, who):  # ux 9, 51
    ana = shopper(javascript=False)
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text("Your email is on its way.")

    database.ages(JUST_NOW, who)
    for status in ("sent", "delivered", "bounced"):
        database.becomes(status, who)
        ana.page.reload()
        expect(line(ana)).to_contain_text(SENTENCES[status])


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_a_message_that_came_back_offers_what_helps(shopper, database, who, javascript):  # ux 51
    ana, other = shopper(javascript=javascript), phone()
    ana.asks_for_code(who)
    database.becomes("bounced", who)
    database.ages(JUST_NOW, who)
    if not javascript:
        ana.page.reload()
    expect(line(ana)).to_contain_text(SENTENCES["bounced"])
    expect(ana.code.box).to_be_focused()

    line(ana).get_by_role("link", name="Check the address or use your mobile number.").click()
    ana.change.is_shown()
    expect(ana.change.box).to_have_value(who)
    ana.change.give(other)

    ana.code.is_shown().says(other)
    expect(line(ana)).to_have_text("Your text message is on its way.")


def test_every_state_is_readable_and_nothing_moves(shopper, database, who):  # ux 76, 77
    ana, places = shopper(reduced_motion="reduce"), {}
    ana.asks_for_code(who)

    for status in ("queued", "sent", "delivered", "expired", "bounced"):
        database.becomes(status, who)
        database.ages(11 if status == "queued" else 0, who)
        ana.page.reload()
        ana.page.wait_for_load_state("load")
        for width in (320, 1280):
            resize(ana.page, width)
            assert (status, width, axe.faults(ana.page)) == (status, width, [])
            assert ana.page.evaluate("document.documentElement.scrollWidth") <= width
            places[status, width] = ana.code.box.bounding_box()["y"]

    del places["bounced", 320], places["bounced", 1280]  # a notice, which needs room
    assert len(set(places.values())) == 2, places
