"""Two tabs of one browser, each in the middle of something."""

import pytest

from tests.browser.pages import email

WAYS = {"JavaScript": True, "no JavaScript": False}


@pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)
def test_each_of_two_tabs_takes_the_code_it_asked_for(shopper, javascript):  # REC-09, DESIGN idea 6
    ana, first, second = shopper(javascript=javascript), email(), email()
    other = ana.new_tab()
    ana.asks_for_code(first)
    other.asks_for_code(second)

    ana.page.reload()
    ana.code.is_shown().says(first)
    ana.page.go_back()
    ana.page.go_forward()
    ana.code.is_shown().says(first)
    ana.code.give(ana.mailbox.code(second))
    ana.code.has_problem("That is not the code we sent.")
    ana.code.give(ana.mailbox.code(first))
    ana.complete.is_shown().says(first)

    # The tab left behind is led on, and nothing is lost.
    other.code.give(other.mailbox.code(second))
    other.complete.is_shown().says("You are already signed in.")
    ana.complete.give("Ana")
    ana.home.welcomes("Ana")
