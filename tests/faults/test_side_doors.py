"""Somebody reads the mail of a member of staff, and tries to open the staff pages with it: over the wire (ADM-04)."""

import re

import pytest

from tests.faults.parts import CODE, wait_for

LINK = re.compile(r"https://shop\.example(/\S+token=\S+)")
SECRET, CHOSEN = "a long staff secret", "chosen by an attacker"
# A code nobody was sent, for whoever found none in the mail.
GUESS = "00000000"

MAKE_STAFF = """
from django.db.models.functions import Now
from accounts.models import User
User.objects.filter(username=name).delete()
User.objects.create_superuser(
    name, password, email=address, email_key=address, email_verified_at=Now(), is_active=True
)
"""
SET_CONTACT = (
    "from django.core.management import call_command; call_command('staff_contact', name, address)"
)


@pytest.fixture
def boss(ask):
    """A member of staff who may do everything; the name, and where the codes go."""
    ask(MAKE_STAFF, name="boss", password=SECRET, address="boss@staff.example")
    return "boss", "boss@staff.example"


def reads(post_office, address):
    """The newest code and link in this mailbox, as far as there are any."""
    texts = [letter.subject + " " + letter.text for letter in post_office.to(address)]
    codes = [CODE.search(text)[0] for text in texts if CODE.search(text)]
    links = [LINK.search(text)[1] for text in texts if LINK.search(text)]
    return (codes or [GUESS])[-1], (links or [""])[-1]


def chooses_a_password(browser, link):
    """Follow a link from a mail, press whatever button there is, and choose a password."""
    to = link
    while to:
        page = browser.get(to)
        to = page.headers.get("Location", "") if page.status_code == 303 else ""
    browser.post(link.partition("?")[0])
    browser.get("/password-reset/new/")
    browser.post("/password-reset/new/", password=CHOSEN)


def opens_the_staff_pages(browser, post_office, name, password, address):
    """Whether name, password and the code that then comes to `address` open the admin."""
    known = reads(post_office, address)[0]
    browser.get("/admin/login/")
    asked = browser.post("/admin/login/", username=name, password=password, next="/admin/")
    if asked.status_code != 302:
        return False
    wait_for(lambda: reads(post_office, address)[0] != known)
    page = browser.get("/admin/login/code/")
    attempt = re.search(r'name="attempt" value="([^"]+)"', page.text)[1]
    browser.post("/admin/login/code/", code=reads(post_office, address)[0], attempt=attempt)
    return browser.get("/admin/").status_code == 200


# Staff are made without a registration, and sign in by password.
pytestmark = pytest.mark.leaves_out("I1", "I3", "I8")


def test_one_mailbox_does_not_open_the_staff_pages(boss, worker, new_shopper, post_office):
    name, address = boss
    attacker = new_shopper()
    attacker.get("/login/code/")
    attacker.post("/login/code/", identifier=address)
    wait_for(lambda: post_office.to(address))
    attacker.get("/login/code/verify/")
    signed_in = attacker.post("/login/code/verify/", code=reads(post_office, address)[0])
    if signed_in.status_code == 303:
        wait_for(lambda: reads(post_office, address)[1])

    chooses_a_password(attacker, reads(post_office, address)[1] or "/not-me/?token=none")

    assert not opens_the_staff_pages(attacker, post_office, name, CHOSEN, address)
    assert len(post_office.to(address)) == 1
    assert reads(post_office, address) == (GUESS, "")
    assert opens_the_staff_pages(new_shopper(), post_office, name, SECRET, address)


def test_a_replaced_address_does_not_open_the_staff_pages(
    boss, worker, beat, new_shopper, post_office, ask
):
    name, former = boss
    new = "boss.new@staff.example"

    ask(SET_CONTACT, name=name, address=new)
    wait_for(lambda: post_office.to(former))
    attacker = new_shopper()
    chooses_a_password(attacker, reads(post_office, former)[1] or "/not-me/?token=none")

    assert not opens_the_staff_pages(attacker, post_office, name, CHOSEN, former)
    assert reads(post_office, former) == (GUESS, "")
    assert opens_the_staff_pages(new_shopper(), post_office, name, SECRET, new)
