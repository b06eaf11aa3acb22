"""What stands in every message cannot make every message fail, and a name that doubles the price of texts is told."""

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured, ValidationError

from backoffice.admin.provider_form import sender
from storefront.checks import TAG, refuse_unsafe_start

SENDERS = {
    "an address": "hello@shop.example",
    "with a name": "Shop <hello@shop.example>",
    "a name with a comma": '"Ben, Jerry & Co" <hello@shop.example>',
    "a name in another script": "Café Zoë <hello@shop.example>",
    "the machine itself": "Storefront <no-reply@localhost>",
}
NO_SENDERS = {
    "a comma without quotes": "Ben, Jerry & Co <hello@shop.example>",
    "a semicolon without quotes": "Ben; Jerry <hello@shop.example>",
    "a colon without quotes": "Shop: Ben <hello@shop.example>",
    "two addresses": "hello@shop.example, sales@shop.example",
    "a word": "Shop",
    "no brackets": "Shop hello@shop.example",
    "no domain": "Shop <hello@>",
    "nothing": "",
    "a second header": "Shop <hello@shop.example>\nBcc: eve@example.com",
}
ONE_PART = ["Storefront", "Café Zoé", "Ben & Jerry's", "S" * 72]
TWO_PARTS = {
    "Café Zoë": "without ë.",
    "Магазин": "without",
    "S" * 73: "shorter",
    "€" * 37: "shorter",
}


def found():
    """The checks of ours that found something."""
    return [problem.id.partition(".")[2] for problem in checks.run_checks(tags=[TAG])]


@pytest.mark.parametrize("text", SENDERS.values(), ids=SENDERS)
def test_mail_can_leave_from_an_address(settings, text):
    settings.DEFAULT_FROM_EMAIL = text

    assert "E035" not in found()
    assert sender(text) is None


@pytest.mark.parametrize("text", NO_SENDERS.values(), ids=NO_SENDERS)
def test_a_sender_with_which_every_mail_fails_stops_the_start(settings, text):
    settings.DEFAULT_FROM_EMAIL = text

    with pytest.raises(ImproperlyConfigured, match="E035: DEFAULT_FROM_EMAIL"):
        refuse_unsafe_start()


@pytest.mark.parametrize("text", [text for text in NO_SENDERS.values() if "@" in text])
def test_staff_enter_no_such_sender_either(text):  # ADM-06
    with pytest.raises(ValidationError, match="Enter one address"):
        sender(text)


@pytest.mark.parametrize("text", ["+15005550006", "Storefront", "MG0123456789"])
def test_a_text_may_leave_from_a_number_or_a_name(text):
    assert sender(text) is None


@pytest.mark.parametrize("name", ["", "   ", "Shop\nBcc: eve@example.com", "Shop\u2028"])
def test_a_shop_without_a_name_of_one_line_does_not_start(settings, name):
    settings.SITE_NAME = name

    assert "E036" in found()


@pytest.mark.parametrize("name", ONE_PART)
def test_a_name_that_fits_a_text_is_not_talked_about(settings, name):  # ux 82
    settings.SITE_NAME = name

    assert "W001" not in found()


@pytest.mark.parametrize(("name", "hint"), TWO_PARTS.items())
def test_a_name_that_makes_every_text_two_parts_is_told(settings, name, hint):  # ux 82
    settings.SITE_NAME = name

    (problem,) = [each for each in checks.run_checks(tags=[TAG]) if each.id == f"{TAG}.W001"]

    assert not problem.is_serious()
    assert hint in problem.hint
