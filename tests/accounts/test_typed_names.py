"""What people are called, in any script: somebody sees it, and it leaves the text around it alone."""

import pytest

from accounts import characters
from accounts.models import User
from tests.support.pages import words
from tests.support.people import COMPLETE, REGISTER, Shopper
from tests.support.staff import make_staff, sign_in_staff

NAMES_PAGE, USERS = "/account/names/", "/admin/accounts/user/"

NAMES = {
    "one letter": "A",
    "Persian, with a joiner": "نیلوفر علی\u200cزاده",
    "Sinhala, with a joiner": "ශ්\u200dරී",
    "Vietnamese, decomposed": "Nguye\u0302\u0303n",
    "Hebrew, with points": "בְּרֵאשִׁית",
    "Tibetan": "བསྒྲུབས",
    "Arabic in isolates": "\u2067علي\u2069 Ali",
    "with a direction mark": "علي\u200f 2",
    "emoji of a family": "👨\u200d👩\u200d👧",
    "a heart": "❤\ufe0f",
    "a flag of England": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "a letter of a later Unicode": "\U0001e4d0\U0001e4d1",
    "a sign": "-",
    "a digit": "7",
}
NO_NAMES = {
    "a zero-width space": ("\u200b", "at least one letter"),
    "a Hangul filler": ("\u3164", "at least one letter"),
    "an empty pattern of Braille": ("\u2800", "at least one letter"),
    "many of them": ("\u2060\ufeff\u3164", "at least one letter"),
    "a mark on nothing": ("\u0301", "at least one letter"),
    "an open override": ("Ana\u202e", "turns the text around"),
    "an open isolate": ("\u2067Ana", "turns the text around"),
    "an isolate that it did not open": ("Ana\u2069", "turns the text around"),
    "an embedding that it did not open": ("Ana\u202c", "turns the text around"),
    "closed crosswise": ("\u2067\u202eAna\u2069\u202c", "turns the text around"),
    "no character": ("Ana\ufdd0", "ordinary signs only"),
    "the last of a plane": ("Ana\U0001ffff", "ordinary signs only"),
    "a line separator": ("Ana\u2028Lee", "ordinary signs only"),
    "a tower of marks": ("Ana" + "\u0301" * 9, "fewer accents"),
    "a tower of marks below and above": ("A" + "\u0316\u0301" * 5 + "na", "fewer accents"),
}


@pytest.fixture
def verified(ana, postbox):
    """A shopper at step 3."""
    ana.identify("ana@example.com")
    ana.verify(postbox.code())
    return ana


@pytest.mark.sample(6)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_in_any_script_is_kept_as_it_was_typed(verified, name):  # IDN-10, ux 57
    assert verified.complete(name=name).status_code == 303

    assert User.objects.get().name == name


@pytest.mark.sample(7)
@pytest.mark.parametrize(("name", "why"), NO_NAMES.values(), ids=NO_NAMES)
def test_what_nobody_sees_or_what_spills_over_is_no_name(verified, name, why):  # IDN-10
    refused = verified.complete(name=name)

    assert refused.status_code == 422
    assert why in words(refused)
    assert not User.objects.get().name


NAMES_THAT_TURN = {
    "Hebrew": "אנה",
    "Arabic digits": "٣٤",
    "an override": "\u202eAna\u202c",
}


@pytest.mark.parametrize("name", NAMES_THAT_TURN.values(), ids=NAMES_THAT_TURN)
def test_a_name_leaves_the_lists_of_staff_in_their_order(ana, client, name):  # IDN-10, WEB-08
    ana.signs_up("ana@example.com", name=name)
    make_staff()
    sign_in_staff(client)

    users = client.get(USERS).content.decode()
    assert users.count(name) == users.count(f"\u2068{name}\u2069") > 0
    page = client.get(f"{USERS}{User.objects.get(is_staff=False).pk}/change/").content.decode()
    assert f"\u2068{name}\u2069" in page[: page.index("</title>")]
    assert f"Hello, \u2068{name}\u2069" in words(ana.get("/"))


@pytest.mark.parametrize("name", ["Ana", "José", "Žofie", "Αννα", "安娜"])
def test_a_name_that_turns_nothing_stands_as_it_is(name):
    assert str(User(name=name)) == name


@pytest.mark.parametrize("field", ["name", "first_name", "last_name"])
def test_the_same_holds_where_a_name_comes_along(db, field):  # IDN-10
    refused = Shopper("json").post(REGISTER, {"identifier": "ana@example.com", field: "\u3164"})

    assert list(refused.json()["errors"]) == [field]


def test_the_same_holds_when_a_name_is_changed(ana):  # IDN-10
    ana.signs_up()

    assert ana.post(NAMES_PAGE, name="\u200b").status_code == 422
    assert User.objects.get().name == "Ana"


def test_a_tower_of_marks_is_one_higher_than_any_that_is_read():
    assert not characters.has_tall_stack("a" + "\u0301" * characters.MOST_MARKS)
    assert characters.has_tall_stack("a" + "\u0301" * (characters.MOST_MARKS + 1))


def test_a_page_full_of_marks_is_too_long_before_it_is_read(verified):  # IDN-09
    refused = verified.post(
        COMPLETE, name="a" + "\u0301\u0316" * 9000, password="correct horse battery"
    )

    assert refused.status_code == 422
    assert "fewer accents" not in words(refused)
