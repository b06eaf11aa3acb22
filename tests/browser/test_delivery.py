"""The line that tells what became of the message, in a real browser: it changes by itself, moves nobody, and ends."""

import sqlite3

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.pages import email, phone

WAYS = {"JavaScript": True, "no JavaScript": False}
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


class Outbox:
    """The rows of the site that is driven, as a worker or a receipt would change them."""

    def __init__(self, path):
        self._path = path

    def becomes(self, status, to):
        """Write what became of every message to `to`."""
        self._write("UPDATE messaging_outboxmessage SET status = ? WHERE address = ?", status, to)

    def ages(self, seconds, to):
        """Let the code sent to `to` have left so much earlier."""
        self._write(
            "UPDATE accounts_challenge SET sent_at = strftime('%Y-%m-%d %H:%M:%f', sent_at, ?) WHERE address = ?",
            f"-{seconds} seconds",
            to,
        )

    def _write(self, statement, *values):
        rows = sqlite3.connect(self._path, timeout=10)
        with rows:
            assert rows.execute(statement, values).rowcount
        rows.close()


@pytest.fixture
def outbox(base_url, pytestconfig, tmp_path_factory):
    """The outbox of our own site; nobody gets at the one of a site that runs already."""
    if pytestconfig.getoption("base_url"):
        pytest.skip("needs the database of the site")
    return Outbox(tmp_path_factory.getbasetemp() / "site0" / "db.sqlite3")


@pytest.fixture
def who():
    """An address nobody has used."""
    return email()


def line(shopper):
    """The line, by what it is to a screen reader."""
    return shopper.page.get_by_role("status").and_(shopper.page.locator("#delivery"))


def polls_of(shopper):
    """A list that grows with every question for news."""
    asked = []
    shopper.page.on(
        "request",
        lambda request: asked.append(request.url) if "/delivery/" in request.url else None,
    )
    return asked


def test_the_words_change_by_themselves_and_the_questions_end(ana, outbox, who):  # ux 51
    asked = polls_of(ana)
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text("Your email is on its way.")
    expect(line(ana)).to_have_text(SENTENCES["sent"])

    outbox.becomes("delivered", who)
    expect(line(ana)).to_have_text(SENTENCES["delivered"])

    before = len(asked)
    ana.page.wait_for_timeout(4_500)
    assert len(asked) == before > 0
    ana.code.give(ana.mailbox.code(who))
    ana.complete.is_shown()


def test_news_moves_neither_the_focus_nor_what_is_typed(ana, outbox, who):  # ux 51
    ana.asks_for_code(who)
    ana.code.box.press_sequentially("123")

    outbox.becomes("delivered", who)
    expect(line(ana)).to_have_text(SENTENCES["delivered"])

    expect(ana.code.box).to_be_focused()
    ana.page.keyboard.type("456")
    expect(ana.code.box).to_have_value("123456")


def test_news_moves_nobody_who_is_nowhere(ana, outbox, who):  # ux 51
    ana.asks_for_code(who)
    # The page puts the focus into the box a moment after the box is there.
    expect(ana.code.box).to_be_focused()
    ana.code.box.blur()

    outbox.becomes("delivered", who)
    expect(line(ana)).to_have_text(SENTENCES["delivered"])

    assert ana.page.evaluate("document.activeElement === document.body")


def test_the_same_is_not_said_twice(ana, outbox, who):  # WCAG 4.1.3
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text(SENTENCES["sent"])
    asked = polls_of(ana)
    ana.page.evaluate(CHANGES)

    ana.page.wait_for_timeout(4_500)

    assert len(asked) >= 2
    assert ana.page.evaluate("window.changes") == 0
    assert ana.page.evaluate("window.frame === document.getElementById('delivery')")


def test_after_a_minute_the_questions_end(ana, outbox, who):  # ux 51
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text(SENTENCES["sent"])
    asked = polls_of(ana)

    outbox.ages(60, who)
    ana.page.wait_for_timeout(2_500)
    before = len(asked)
    ana.page.wait_for_timeout(4_500)

    assert len(asked) == before == 1
    expect(line(ana)).to_have_text(SENTENCES["sent"])


def test_a_tab_that_nobody_sees_asks_nothing(ana, outbox, who):
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text(SENTENCES["sent"])
    ana.page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true })"
    )
    ana.page.wait_for_timeout(500)
    asked = polls_of(ana)

    ana.page.wait_for_timeout(4_500)
    assert asked == []
    outbox.becomes("delivered", who)
    ana.page.evaluate("delete document.hidden")

    expect(line(ana)).to_have_text(SENTENCES["delivered"])


def test_a_question_that_is_lost_troubles_nobody(ana, outbox, who, witness):  # ux 69
    ana.asks_for_code(who)
    lost = polls_of(ana)
    ana.page.route("**/delivery/**", lambda route: route.abort())
    ana.page.wait_for_timeout(4_500)
    assert lost
    expect(ana.code.try_again).to_have_count(0)
    expect(ana.code.box).to_be_focused()
    witness.complaints.clear()  # htmx tells the console about the loss

    ana.page.unroute("**/delivery/**")

    expect(line(ana)).to_have_text(SENTENCES["sent"])


def test_another_tab_that_finishes_ends_the_line(ana, outbox, who):
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text(SENTENCES["sent"])
    other = ana.new_tab()
    other.code.open().give(ana.mailbox.code(who))
    other.complete.is_shown()

    expect(line(ana)).to_have_text("")
    asked = polls_of(ana)
    ana.page.wait_for_timeout(4_500)

    assert asked == []
    expect(ana.code.box).to_be_visible()


def test_without_javascript_a_reload_tells_the_newest(shopper, outbox, who):  # ux 9, 51
    ana = shopper(javascript=False)
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text("Your email is on its way.")

    for status in ("sent", "delivered", "bounced"):
        outbox.becomes(status, who)
        ana.page.wait_for_timeout(2_000)
        ana.page.reload()
        expect(line(ana)).to_contain_text(SENTENCES[status])


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_a_message_that_came_back_offers_what_helps(shopper, outbox, who, javascript):  # ux 51
    ana, other = shopper(javascript=javascript), phone()
    ana.asks_for_code(who)
    outbox.becomes("bounced", who)
    ana.page.wait_for_timeout(0 if javascript else 2_000)
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_every_state_is_readable_and_nothing_moves(
    shopper, outbox, who, scheme, width
):  # ux 76, 77
    ana, places = shopper(width=width, color_scheme=scheme, reduced_motion="reduce"), {}
    ana.asks_for_code(who)
    expect(line(ana)).to_have_text(SENTENCES["sent"])

    for status in ("queued", "sent", "delivered", "expired", "bounced"):
        outbox.becomes(status, who)
        outbox.ages(11 if status == "queued" else 0, who)
        ana.page.reload()
        ana.page.wait_for_load_state("load")
        found = Axe().run(ana.page).response["violations"]
        assert not found, (status, found)
        assert ana.page.evaluate("document.documentElement.scrollWidth") <= width
        places[status] = ana.code.box.bounding_box()["y"]

    del places["bounced"]  # a notice, which needs room
    assert len(set(places.values())) == 1, places
