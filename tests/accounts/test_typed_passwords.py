"""A password opens on every keyboard: composed or decomposed, with any space, it has one spelling and one hash."""

import unicodedata

import pytest
from django import forms
from django.contrib.auth import hashers
from django.contrib.auth.management.commands import changepassword
from django.core.management import call_command

from accounts import conf
from accounts import forms as account_forms
from accounts.models import User
from backoffice.site import StaffSignInForm
from tests.support.people import LOGIN, Shopper
from tests.support.staff import SECRET, Member, code_of, make_staff, sign_in_staff, type_code

COMPOSED = unicodedata.normalize("NFC", "façade ñandú élan")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
# As a Mac, a word processor and a Japanese keyboard write the spaces.
SPACED = [DECOMPOSED.replace(" ", space) for space in "\u00a0\u2009\u3000"]
OTHER = unicodedata.normalize("NFD", "ein größerer Übermut hält")

CONFIRM, PASSWORD_PAGE = "/account/confirm/", "/account/password/"
RESET, NEW = "/password-reset/", "/password-reset/new/"
STAFF_CHANGE, STAFF_CODE = "/admin/password_change/", "/admin/password_change/code/"

SPELLINGS = {"decomposed": DECOMPOSED, **{f"U+{ord(each[6]):04X}": each for each in SPACED}}

pytestmark = pytest.mark.django_db


@pytest.fixture
def shopper(ana):
    return ana.signs_up("ana@example.com", password=COMPOSED, username="ana")


def opens(password, ip="198.51.100.9"):
    """Whether the account opens in another browser."""
    other = Shopper(ip=ip)
    other.post(LOGIN, identifier="ana@example.com", password=password)
    return other.is_signed_in


def test_the_two_spellings_are_two_texts():
    assert COMPOSED != DECOMPOSED
    assert len(DECOMPOSED) > len(COMPOSED)


@pytest.mark.usefixtures("shopper")
@pytest.mark.parametrize("typed", [COMPOSED, *SPELLINGS.values()], ids=["as it was", *SPELLINGS])
def test_what_was_set_composed_opens_in_every_spelling(typed):  # IDN-10, PWD-01
    assert opens(typed)


def test_what_was_set_decomposed_opens_composed(ana):  # IDN-10
    ana.signs_up("ana@example.com", password=DECOMPOSED)

    assert opens(COMPOSED)


@pytest.mark.usefixtures("shopper")
@pytest.mark.parametrize(
    "typed", [COMPOSED.upper(), COMPOSED.replace("é", "e"), f" {COMPOSED}", COMPOSED + "\t"]
)
def test_no_other_difference_is_forgiven(typed):  # PWD-01
    assert not opens(typed)


def test_one_hash_is_made_and_one_looked_at(shopper, monkeypatch):  # IDN-10, ENU-02
    looked_at, check = [], hashers.check_password

    def counted(*args, **kwargs):
        looked_at.append(args[0])
        return check(*args, **kwargs)

    monkeypatch.setattr("accounts.flows.passwords.check_password", counted)

    assert opens(DECOMPOSED)
    assert looked_at == [COMPOSED]
    assert User.objects.get().check_password(DECOMPOSED)


def test_a_password_that_comes_along_is_compared_with_its_double_in_one_spelling(
    ana, postbox
):  # IDN-10
    ana.identify("ana@example.com", name="Ana", password=COMPOSED, password_confirm=DECOMPOSED)
    ana.verify(postbox.code())

    assert opens(SPACED[0])


def test_who_is_signed_in_confirms_with_either(shopper):  # IDN-10, REC-08
    assert shopper.post(CONFIRM, current=DECOMPOSED).status_code == 303


def test_a_changed_password_opens_in_either(shopper):  # IDN-10, PWD-07
    shopper.post(CONFIRM, current=DECOMPOSED)

    assert shopper.post(PASSWORD_PAGE, current=DECOMPOSED, password=OTHER).status_code == 303
    assert opens(unicodedata.normalize("NFC", OTHER))


def test_a_reset_password_opens_in_either(shopper, postbox, bea):  # IDN-10, REC-06
    bea.post(RESET, identifier="ana@example.com")
    bea.open(postbox.link("ana@example.com"))
    bea.post(NEW, password=OTHER)

    assert opens(unicodedata.normalize("NFC", OTHER))


def test_the_length_is_that_of_the_one_spelling(ana, postbox):  # PWD-01
    ana.identify("ana@example.com")
    ana.verify(postbox.code())

    short = unicodedata.normalize("NFD", "éàüñôé")
    assert len(short) == conf.PASSWORD_MIN_LENGTH
    assert ana.complete(password=short).status_code == 422
    longest = "éàüñôç vwxyz" * 11
    assert ana.complete(password=unicodedata.normalize("NFD", longest[:128])).status_code == 303
    assert opens(longest[:128])


def test_a_body_full_of_marks_is_refused_without_being_spelled(monkeypatch, ana):  # IDN-09
    spelled, normalize = [], unicodedata.normalize

    def counted(form, text):
        spelled.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr("accounts.characters.unicodedata.normalize", counted)

    refused = ana.post(LOGIN, identifier="ana", password="a" + "\u0301\u0316" * 9000)

    assert refused.status_code == 422
    assert max(spelled, default=0) <= 4 * conf.PASSWORD_MAX_LENGTH


def test_every_box_for_a_password_reads_it_in_one_spelling():  # IDN-10
    every = [getattr(account_forms, name) for name in account_forms.__all__]
    boxes = [
        (form.__name__, name, field)
        for form in [*every, StaffSignInForm]
        if isinstance(form, type) and issubclass(form, forms.Form)
        for name, field in form.base_fields.items()
        if isinstance(field.widget, forms.PasswordInput)
    ]

    assert len(boxes) > 8
    assert [box[:2] for box in boxes if not isinstance(box[2], account_forms.PasswordField)] == []


# Staff


@pytest.fixture
def member():
    make_staff("boss", COMPOSED)
    return Member()


def test_staff_sign_in_with_either(member):  # IDN-10, ADM-04
    sign_in_staff(member.client, password=DECOMPOSED)

    assert member.is_signed_in


def test_staff_change_their_password_to_one_that_opens_in_either(member):  # IDN-10, PWD-07
    sign_in_staff(member.client, password=SPACED[1])
    member.client.post(STAFF_CHANGE, {"current": DECOMPOSED, "password": OTHER})
    type_code(member.client, code_of(), STAFF_CODE)

    assert User.objects.get().check_password(unicodedata.normalize("NFC", OTHER))
    elsewhere = Member()
    sign_in_staff(elsewhere.client, password=unicodedata.normalize("NFC", OTHER))
    assert elsewhere.is_signed_in


def test_a_superuser_made_at_the_command_line_comes_in_with_either(monkeypatch):  # IDN-10
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", DECOMPOSED)
    call_command("createsuperuser", interactive=False, username="boss")

    assert User.objects.get().check_password(COMPOSED)


def test_a_password_set_at_the_command_line_opens_in_either(monkeypatch):  # IDN-10
    make_staff("boss", SECRET)
    monkeypatch.setattr(changepassword.Command, "_get_pass", lambda *_args: DECOMPOSED)
    call_command("changepassword", "boss")

    assert User.objects.get().check_password(COMPOSED)
