"""Every change is told to the owner, with a link that takes the account back: "this was not me"."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from accounts import conf
from accounts.composers import NEWS
from accounts.flows import notifications
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, SecurityEvent, Session, User
from accounts.sessions.client import ClientInfo
from messaging.models import OutboxMessage
from ratelimits.models import Bucket
from ratelimits.rates import Rate
from tests.support.account import USERNAME, account
from tests.support.pages import Page, comparable, words
from tests.support.people import (
    ACCOUNT,
    LOGIN,
    PASSWORD,
    Postbox,
    Shopper,
    let_in,
    link_cookies,
    time_passes,
)
from tests.support.races import at_once, tabs

RESET, NEW_PASSWORD, NOT_ME = "/password-reset/", "/password-reset/new/", "/not-me/"
CODE, CODE_VERIFY = "/login/code/", "/login/code/verify/"
CONTACTS, CONTACT_VERIFY = "/account/contacts/{}/", "/account/contact/"
CHANGE_PASSWORD, DELETE = "/account/password/", "/account/delete/"
CONFIRM_CODE = "/account/confirm/code/"

EMAIL, PHONE = "ana@example.com", "+12025550123"
EVIL_EMAIL, EVIL_PHONE = "evil@example.com", "+12025550199"
CHOSEN = "another good password"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
ROWS = (Bucket, Challenge, OutboxMessage, SecurityEvent, Session, User)
# 3GPP TS 23.038: what fits into seven bits; a text of 160 of these is one text.
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


def sign_in(who=EMAIL, password=PASSWORD, *, shopper=None, **headers):
    """A browser of somebody who signs in with the password."""
    shopper = shopper or Shopper(ip="198.51.100.9", **headers)
    shopper.post(LOGIN, identifier=who, password=password, remember="on")
    return shopper


@pytest.fixture
def attacker(owner):
    """Somebody who knows Ana's password and is signed in with it; the notice of that is gone."""
    shopper = Shopper(ip="192.0.2.66")
    let_in(shopper, owner)
    OutboxMessage.objects.all().delete()
    Challenge.objects.all().delete()
    return shopper


def moves(attacker, contact, kind="email"):
    """The attacker puts a contact of theirs into Ana's account."""
    attacker.post(CONTACTS.format(kind), contact=contact)
    attacker.post(CONTACT_VERIFY, code=Postbox().code(contact))


def later(**span):
    """Time passes, for the proofs of contacts too."""
    time_passes(**span)
    back = timedelta(**span)
    names = ("email_verified_at", "phone_verified_at")
    User.objects.update(**{name: F(name) - back for name in names})


def link_in(message):
    """The path and query of the link in an email or text message."""
    return re.search(r"https://shop\.example(/not-me/\S+)", message["text"])[1]


def token_of(link):
    """What only the message knows."""
    return link.partition("=")[2]


def press(shopper, link):
    """Open the link and press its button; a JSON client sends the token instead."""
    if shopper.face == "json":
        return shopper.post(NOT_ME, token=token_of(link))
    shopper.open(link)
    return shopper.post(NOT_ME)


def everything():
    """Every row there is."""
    return [list(model.objects.order_by("pk").values()) for model in ROWS]


def told(postbox):
    """Who has been told what, by email or by text."""
    sent = [message for message in postbox.messages() if "Storefront: " in _title(message)]
    return sorted((message["to"], _title(message).removeprefix("Storefront: ")) for message in sent)


def _title(message):
    return message["subject"] or message["text"].partition(". ")[0]


# Who is told what


def password_changed(browser):
    """With the current one."""
    browser.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)


def password_set(browser):
    """By somebody who had none."""
    User.objects.update(password=make_password(None))
    by_code(browser)
    browser.post(CHANGE_PASSWORD, password=CHOSEN)


def password_reset(browser):
    """By link."""
    Shopper().post(RESET, identifier=EMAIL)
    row = Challenge.objects.live().get(purpose=Purpose.RESET)
    Shopper().post(NEW_PASSWORD, token=row.link_token, password=CHOSEN)


def email_changed(browser):
    """For one of somebody else's."""
    moves(browser, EVIL_EMAIL)


def phone_changed(browser):
    """For one of somebody else's."""
    moves(browser, EVIL_PHONE, "phone")


def phone_added(browser):
    """To an account that had none."""
    User.objects.update(**User.removed_columns("phone"))
    moves(browser, EVIL_PHONE, "phone")


def username_changed(browser):
    """A name to sign in with."""
    browser.post("/account/names/", name="Ana", username="mallory")


def email_removed(browser):
    """The number is left."""
    browser.post(CONTACTS.format("email") + "remove/")


def phone_removed(browser):
    """The address is left."""
    browser.post(CONTACTS.format("phone") + "remove/")


def primary_changed(browser):
    """Messages go to the number."""
    browser.post(CONTACTS.format("phone") + "primary/")


def new_device(browser):
    """Somebody signs in where nobody has before."""
    sign_in()


def by_code(browser):
    """Somebody signs in there with a code."""
    browser.client.cookies.clear()
    browser.post(CODE, identifier=EMAIL)
    browser.post(CODE_VERIFY, code=Challenge.objects.live().get(purpose=Purpose.LOGIN).code)


def deletion_asked(browser):
    """For good."""
    browser.post(DELETE)


def deletion_undone(browser):
    """Ana signs in, where she has before."""
    User.objects.update(deletion_due_at=Now() + conf.DELETION_GRACE)
    sign_in(shopper=browser)
    browser.post("/logout/")
    sign_in(shopper=browser)


CHANGED = "Your password was changed"
REPLACED = "A contact of your account was changed"
RENAMED = "Your username was changed"
REMOVED = "A contact was removed from your account"
ELSEWHERE = "Messages go elsewhere now"
NEW = "New sign-in"
LEAVES = "Your account will be deleted"
TOLD = [
    (password_changed, [(PHONE, CHANGED), (EMAIL, CHANGED)]),
    (
        password_set,
        [
            (PHONE, "Your account has a password now"),
            (EMAIL, NEW),
            (EMAIL, "Your account has a password now"),
        ],
    ),
    (password_reset, [(PHONE, CHANGED), (EMAIL, CHANGED)]),
    (email_changed, [(PHONE, REPLACED), (EMAIL, REPLACED)]),
    (phone_changed, [(PHONE, REPLACED), (EMAIL, REPLACED)]),
    (phone_added, [(EMAIL, "A contact was added to your account")]),
    (username_changed, [(PHONE, RENAMED), (EMAIL, RENAMED)]),
    (email_removed, [(PHONE, REMOVED), (EMAIL, REMOVED)]),
    (phone_removed, [(PHONE, REMOVED), (EMAIL, REMOVED)]),
    (primary_changed, [(PHONE, ELSEWHERE), (EMAIL, ELSEWHERE)]),
    (new_device, [(EMAIL, NEW)]),
    (by_code, [(EMAIL, NEW)]),
    (deletion_asked, [(PHONE, LEAVES), (EMAIL, LEAVES)]),
    (deletion_undone, [(EMAIL, "Your account stays")]),
]


@pytest.mark.parametrize(("change", "notices"), TOLD, ids=[each[0].__name__ for each in TOLD])
def test_every_change_is_told(attacker, postbox, change, notices):  # REC-08, PWD-07
    change(attacker)

    assert told(postbox) == sorted(notices)


def names_changed(browser):
    """What the shopper is called."""
    browser.post("/account/names/", name="Ana Maria", username=USERNAME)


def signed_in_again(browser):
    """Where the shopper has signed in before."""
    browser.post("/logout/")
    sign_in(shopper=browser)


def wrong_password(browser):
    """By somebody."""
    sign_in(password="not the password")


def contact_unverified(browser):
    """It only waits."""
    browser.post(CONTACTS.format("phone"), contact=EVIL_PHONE)


@pytest.mark.parametrize(
    "nothing",
    [names_changed, signed_in_again, wrong_password, contact_unverified],
    ids=lambda nothing: nothing.__name__,
)
def test_what_changes_nothing_is_told_to_nobody(attacker, postbox, nothing):
    nothing(attacker)

    assert told(postbox) == []


def test_a_registration_is_told_to_nobody(ana, postbox):
    ana.signs_up(EMAIL)

    assert told(postbox) == []


def test_the_new_contact_is_not_told_of_itself(attacker, postbox):  # REC-08
    moves(attacker, EVIL_EMAIL)

    (only,) = postbox.messages(EVIL_EMAIL)
    assert "code" in only["subject"]


@pytest.mark.parametrize("worker", ["at once", "late"])
def test_sign_ins_on_new_devices_are_told_five_times_an_hour(owner, postbox, worker):  # ABU-01
    for _number in range(7):
        sign_in()
        if worker == "at once":
            postbox.messages()

    assert len(told(postbox)) == 5


def test_other_notices_do_not_use_up_those_of_new_devices(attacker, postbox):
    for kind in ("phone", "email", "phone"):
        attacker.post(CONTACTS.format(kind) + "primary/")
    before = told(postbox)

    sign_in(PHONE)

    assert len(before) == 6
    assert len(told(postbox)) == 7


def test_notices_of_an_account_that_is_shut_out_are_not_sent(attacker, postbox):  # REC-07
    attacker.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)
    User.objects.update(is_active=False)

    assert told(postbox) == []


# Words


def notify(what, to=EMAIL, device=""):
    """Have one notice written and delivered, and open it."""
    with transaction.atomic():
        notifications.notify(
            User.objects.get(), what, client=ClientInfo(agent=device), to=[parse(to)]
        )
    return Postbox().messages(to)[0]


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize("what", [each for each in NEWS if each != "disowned"])
def test_an_email_says_what_happened_when_and_where(what):  # REC-08, ABU-04
    title, sentence = NEWS[what]

    email = notify(what, device=f"{FIREFOX} http://evil.example")

    assert email["subject"] == f"Storefront: {title}"
    assert str(sentence) in email["text"]
    assert re.search(r"On \d+ \w+ at \d\d:\d\d UTC, from Firefox on Linux\.", email["text"])
    assert "If this was you, there is nothing to do." in email["text"]
    assert re.findall(r"https?://\S+", email["text"]) == [f"https://shop.example{link_in(email)}"]
    assert "This was not me" in email["html"]
    assert link_in(email) in email["html"]
    assert "evil" not in email["text"] + email["html"]
    assert not re.search(r"\b\d{6}\b", email["text"])


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize("what", NEWS)
def test_a_text_message_is_one_text(what, settings):  # COD-13
    settings.SITE_URL = "https://shop.storefront.com"

    text = notify(what, PHONE)["text"]

    assert len(text) <= 160
    assert set(text) <= GSM_7
    assert text.startswith(f"Storefront: {NEWS[what][0]}.")


@pytest.mark.usefixtures("owner")
def test_a_text_message_ends_with_the_link():
    text = notify("contact_removed", PHONE)["text"]

    assert re.search(r" Not you\? https://shop\.example/not-me/\?token=[\w-]{46}$", text)


def test_the_notice_of_a_deletion_says_until_when(attacker, postbox):
    attacker.post(DELETE)

    text = postbox.messages(EMAIL)[0]["text"]
    day = User.objects.get().deletion_due_at
    assert f"Sign in before {day.day} {day:%B %Y} to keep it." in text


def test_every_notice_has_a_link_of_its_own(attacker, postbox):
    attacker.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)

    links = {link_in(postbox.messages(contact)[0]) for contact in (EMAIL, PHONE)}
    assert len(links) == 2


# Looking changes nothing


@pytest.fixture
def link(attacker, postbox):
    """The link Ana got by email when the attacker changed the password."""
    attacker.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)
    return link_in(postbox.messages(EMAIL)[0])


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_scanners_that_open_the_link_change_nothing(link, attacker, method):  # REC-01
    before = everything()

    for _number in range(20):
        scanner = Client(headers={"User-Agent": "SafeLinks"})
        assert getattr(scanner, method)(link).status_code in (200, 303)
        assert getattr(scanner, method)(NOT_ME).status_code in (200, 410)

    assert everything() == before
    assert attacker.is_signed_in


def test_a_scanner_that_presses_buttons_gains_nothing(link, attacker):  # REC-01, WEB-01
    scanner = Client(enforce_csrf_checks=True)
    scanner.get(link, follow=True)

    assert scanner.post(NOT_ME, {"token": token_of(link)}).status_code == 403
    assert attacker.is_signed_in


def test_looking_signs_nobody_out(link, ana):  # REC-01
    sign_in(password=CHOSEN, shopper=ana)

    ana.open(link)

    assert ana.is_signed_in


def test_the_page_says_what_the_button_does(link, ana):
    page = ana.open(link)

    assert "Was this not you?" in words(page)
    assert "We sign everybody out" in words(page)
    assert "nothing happens without the button" in words(page)
    assert Page(page).all("button", id="not-me")


def test_the_token_leaves_the_address_for_a_cookie(link, ana):  # REC-04
    opened = ana.get(link)
    shown = ana.get(opened.to)

    assert (opened.status_code, opened.to) == (303, f"{NOT_ME}?link={ana.link}")
    assert opened.headers["Referrer-Policy"] == "no-referrer"
    (cookie,) = link_cookies(ana).values()
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert token_of(link) not in f"{shown.headers} {shown.content.decode()}"


# The button


def test_the_button_leads_to_a_new_password_and_back_in(link, attacker, anyone):
    is_json = anyone.face == "json"
    pressed = press(anyone, link)
    on = f"{NEW_PASSWORD}?link={anyone.link}"
    form = anyone.get(on)
    saved = anyone.post(NEW_PASSWORD, password="a password of her own")

    assert pressed.to == (None if is_json else on)
    assert pressed.status_code == (303 if anyone.face == "page" else 200)
    assert "Choose a new password" in words(form)
    assert saved.to == (None if is_json else LOGIN)
    assert sign_in(password="a password of her own", shopper=anyone).is_signed_in
    assert not attacker.is_signed_in


def test_the_button_signs_nobody_in(link, anyone):  # REC-06
    press(anyone, link)

    assert not anyone.is_signed_in
    assert anyone.get(ACCOUNT).status_code in (303, 401)


def test_a_link_by_text_does_the_same(attacker, ana, postbox):
    attacker.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)

    press(ana, link_in(postbox.messages(PHONE)[0]))

    assert not attacker.is_signed_in
    assert ana.post(NEW_PASSWORD, password="a password of her own").to == LOGIN


def test_every_session_ends(link, attacker, ana):
    others = [sign_in(password=CHOSEN), sign_in(PHONE, CHOSEN), attacker]
    assert all(other.is_signed_in for other in others)

    press(ana, link)

    assert not any(other.is_signed_in for other in others)
    assert not Session.objects.exclude(user=None).exists()


def test_the_browser_of_the_button_is_signed_out_too(link, ana):
    sign_in(password=CHOSEN, shopper=ana)

    press(ana, link)

    assert not ana.is_signed_in


def test_the_password_that_the_attacker_knows_opens_nothing_any_more(attacker, ana, postbox):
    sign_in()
    press(ana, link_in(postbox.messages(EMAIL)[0]))

    assert not sign_in(shopper=attacker).is_signed_in
    assert ana.post(NEW_PASSWORD, password=CHOSEN).to == LOGIN


def test_what_waits_is_withdrawn(link, attacker, ana, bea):  # REG-05
    attacker.post(CONTACTS.format("phone"), contact=EVIL_PHONE)
    attacker.post(CONFIRM_CODE)
    bea.post(CODE, identifier=PHONE)
    Shopper(ip="192.0.2.7").post(RESET, identifier=EMAIL)

    press(ana, link)

    (left,) = Challenge.objects.live().exclude(purpose=Purpose.NOT_ME)
    assert left.purpose == Purpose.RESET
    assert [left.link_token] == [cookie.value for cookie in link_cookies(ana).values()]


def test_a_code_that_was_on_its_way_to_the_attacker_is_dead(link, attacker, ana, postbox):
    attacker.post(CONTACTS.format("phone"), contact=EVIL_PHONE)
    code = postbox.code(EVIL_PHONE)

    press(ana, link)
    attacker.post(CONTACT_VERIFY, code=code)
    sign_in(password=CHOSEN, shopper=attacker).post(CONTACT_VERIFY, code=code)

    assert User.objects.get().phone == PHONE


def test_the_new_password_of_the_button_is_sent_nowhere(link, ana, postbox):
    before = len(postbox)

    press(ana, link)

    assert len(postbox) == before


def test_the_activity_says_so(link, ana):  # LOG-01
    press(ana, link)
    ana.post(NEW_PASSWORD, password="a password of her own")
    sign_in(password="a password of her own", shopper=ana)

    assert "this was not me" in words(ana.get("/account/activity/"))


def test_another_account_is_left_alone(link, ana, bea):
    account("bea@example.com", "+12025550188")
    sign_in("bea@example.com", shopper=bea)

    press(ana, link)

    assert bea.is_signed_in


def test_the_deletion_that_was_not_asked_for_does_not_happen(attacker, ana, postbox):
    attacker.post(DELETE)

    press(ana, link_in(postbox.messages(EMAIL)[0]))

    assert User.objects.get().deletion_due_at is None


# Contacts


def test_the_contact_of_the_attacker_goes_and_the_replaced_one_is_back(attacker, anyone, postbox):
    moves(attacker, EVIL_EMAIL)

    press(anyone, link_in(postbox.messages(EMAIL)[0]))

    user = User.objects.get()
    assert (user.email, user.email_key, user.phone, user.primary) == (EMAIL, EMAIL, PHONE, "email")
    assert anyone.post(NEW_PASSWORD, password=CHOSEN).status_code in (200, 303)
    assert sign_in(EMAIL, CHOSEN).is_signed_in
    assert not sign_in(EVIL_EMAIL, CHOSEN).is_signed_in


def test_the_number_that_was_replaced_is_back(attacker, ana, postbox):
    moves(attacker, EVIL_PHONE, "phone")

    press(ana, link_in(postbox.messages(PHONE)[0]))

    user = User.objects.get()
    assert (user.email, user.phone, user.primary) == (EMAIL, PHONE, "phone")


def test_the_contact_that_was_removed_is_back(attacker, ana, postbox):
    attacker.post(CONTACTS.format("email") + "remove/")

    press(ana, link_in(postbox.messages(EMAIL)[0]))

    user = User.objects.get()
    assert (user.email, user.phone, user.primary) == (EMAIL, PHONE, "email")


def test_the_contact_that_was_added_goes(ana, postbox):
    account(phone="")
    moves(sign_in(), EVIL_PHONE, "phone")

    press(ana, link_in(postbox.messages(EMAIL)[0]))

    user = User.objects.get()
    assert (user.email, user.phone, user.primary) == (EMAIL, None, "email")


def test_messages_go_to_the_owner_again(attacker, ana, postbox):
    attacker.post(CONTACTS.format("phone") + "primary/")

    press(ana, link_in(postbox.messages(EMAIL)[0]))

    assert User.objects.get().primary == "email"


def test_a_contact_that_was_there_before_stays(link, ana):
    press(ana, link)

    user = User.objects.get()
    assert (user.email, user.phone) == (EMAIL, PHONE)


def test_a_link_brings_back_the_contact_it_went_to_alone(attacker, ana, postbox):
    moves(attacker, EVIL_EMAIL)

    press(ana, link_in(postbox.messages(PHONE)[0]))

    user = User.objects.get()
    assert (user.email, user.phone, user.primary) == (None, PHONE, "phone")


def test_pressing_both_links_keeps_both_contacts(attacker, ana, postbox):
    attacker.post(CONTACTS.format("email") + "remove/")
    email, text = (link_in(postbox.messages(contact)[0]) for contact in (EMAIL, PHONE))

    press(ana, email)
    press(ana, text)

    user = User.objects.get()
    assert (user.email, user.phone) == (EMAIL, PHONE)


def test_two_links_bring_back_two_contacts(attacker, ana, postbox):
    moves(attacker, EVIL_EMAIL)
    moves(attacker, EVIL_PHONE, "phone")

    press(ana, link_in(postbox.messages(EMAIL)[0]))
    press(ana, link_in(postbox.messages(PHONE)[0]))

    user = User.objects.get()
    assert (user.email, user.phone) == (EMAIL, PHONE)


def test_everything_since_the_message_is_taken_back_however_many_steps(attacker, ana, postbox):
    moves(attacker, EVIL_PHONE, "phone")
    first = link_in(postbox.messages(EMAIL)[0])
    attacker.post(CONTACTS.format("phone") + "primary/")
    attacker.post(CONTACTS.format("email") + "remove/")
    moves(attacker, EVIL_EMAIL)

    press(ana, first)

    user = User.objects.get()
    assert (user.email, user.phone, user.primary) == (EMAIL, None, "email")


def test_the_dropped_contact_is_told(attacker, ana, postbox):
    moves(attacker, EVIL_EMAIL)

    press(ana, link_in(postbox.messages(EMAIL)[0]))

    message = postbox.messages(EVIL_EMAIL)[0]
    assert message["subject"] == "Storefront: A change of your account was taken back"
    assert "said that a change was not theirs. Your contact was removed." in message["text"]
    assert "://" not in message["text"] + re.sub(r"<!DOCTYPE[^>]*>|xmlns\S*", "", message["html"])


def test_the_dropped_contact_cannot_take_the_account_back(attacker, ana, bea, postbox):
    moves(attacker, EVIL_EMAIL)
    press(ana, link_in(postbox.messages(EMAIL)[0]))

    for message in postbox.messages(EVIL_EMAIL):
        for token in re.findall(r"/not-me/\?token=(\S+)", message["text"]):
            press(bea, f"{NOT_ME}?token={token}")

    assert User.objects.get().email == EMAIL


def test_an_earlier_notice_to_the_dropped_contact_is_worth_nothing(attacker, ana, bea, postbox):
    moves(attacker, EVIL_EMAIL)
    hers = link_in(postbox.messages(EMAIL)[0])
    attacker.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)
    theirs = link_in(postbox.messages(EVIL_EMAIL)[0])
    press(ana, hers)

    assert press(bea, theirs).status_code == 410

    assert User.objects.get().email == EMAIL
    assert ana.post(NEW_PASSWORD, password="a password of her own").to == LOGIN


def test_the_attacker_cannot_be_first_either(attacker, ana, bea, postbox):
    moves(attacker, EVIL_EMAIL)
    hers = link_in(postbox.messages(EMAIL)[0])
    attacker.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)
    press(bea, link_in(postbox.messages(EVIL_EMAIL)[0]))

    press(ana, hers)

    user = User.objects.get()
    assert (user.email, user.primary) == (EMAIL, "email")
    assert bea.post(NEW_PASSWORD, password="the password of a thief").status_code == 410


def test_an_address_that_is_somebody_elses_by_now_stays_theirs(attacker, ana, postbox):
    moves(attacker, EVIL_EMAIL)
    link = link_in(postbox.messages(EMAIL)[0])
    other = account(phone="", password="a password of another")

    pressed = press(ana, link)

    assert pressed.status_code == 410
    other.refresh_from_db()
    assert other.email == EMAIL
    assert User.objects.exclude(pk=other.pk).get().email == EVIL_EMAIL
    assert sign_in(EMAIL, "a password of another").is_signed_in


# How long, and how often


def test_a_link_works_once(link, ana, anyone):  # REC-03
    press(ana, link)
    ana.post(NEW_PASSWORD, password="a password of her own")
    inside = sign_in(password="a password of her own")

    assert anyone.open(link).status_code == 410
    assert press(anyone, link).status_code == 410
    assert inside.is_signed_in


def test_two_clicks_end_at_the_new_password(link, ana):
    ana.open(link)
    first, second = ana.post(NOT_ME), ana.post(NOT_ME, token=token_of(link))

    assert first.to == f"{NEW_PASSWORD}?link={ana.link}"
    assert second.status_code == 410


@pytest.mark.parametrize(("beyond", "status"), [(-5, 200), (1, 410)], ids=["in time", "too late"])
def test_a_link_lives_for_three_days(link, attacker, anyone, beyond, status):  # REC-03
    later(seconds=conf.NOT_ME_TTL.total_seconds() + beyond)

    assert anyone.open(link).status_code == status
    press(anyone, link)
    assert attacker.is_signed_in is (status == 410)


def test_the_browser_has_an_hour_for_the_new_password(link, ana):
    press(ana, link)
    later(hours=1, seconds=1)

    assert ana.post(NEW_PASSWORD, password="a password of her own").status_code == 410


def by_change(attacker):
    """With the current one."""
    attacker.post(CHANGE_PASSWORD, current=CHOSEN, password="the password of a thief")


def by_reset(attacker):
    """Through a message."""
    password_reset(attacker)


def by_moving(attacker):
    """A contact of theirs, verified."""
    moves(attacker, EVIL_EMAIL)


def by_removing(attacker):
    """Ana's contact."""
    attacker.post(CONTACTS.format("email") + "remove/")


def by_signing_out(attacker):
    """Every other device."""
    attacker.post("/account/devices/sign-out/")


def by_deleting(attacker):
    """The account."""
    attacker.post(DELETE)


@pytest.mark.parametrize(
    "defence",
    [by_change, by_reset, by_moving, by_removing, by_signing_out, by_deleting],
    ids=lambda defence: defence.__name__,
)
def test_whatever_the_attacker_does_next_the_link_works(link, attacker, ana, defence):  # REG-05
    defence(attacker)

    press(ana, link)
    ana.post(NEW_PASSWORD, password="a password of her own")

    assert not attacker.is_signed_in
    assert User.objects.get().email == EMAIL
    assert sign_in(EMAIL, "a password of her own").is_signed_in
    assert not sign_in(EMAIL, CHOSEN).is_signed_in


def test_somebody_shut_out_gets_nowhere(link, anyone):  # REC-07, SES-06
    User.objects.update(is_active=False)

    assert anyone.open(link).status_code == 410
    assert press(anyone, link).status_code == 410


def test_a_dead_link_offers_a_new_beginning(link, anyone):  # REC-03
    later(days=4)

    gone = anyone.open(link)

    assert "This link no longer works" in words(gone)
    if anyone.face != "json":
        assert Page(gone).all("a", id="start-again", href=RESET)


def test_a_dead_link_looks_the_same_whatever_it_died_of(link, ana, postbox):  # REC-03
    later(seconds=1)
    sign_in(password=CHOSEN)
    other = link_in(postbox.messages(EMAIL)[0])
    press(ana, link)
    never = f"{NOT_ME}?token={'A' * 46}"
    recovery = f"{NOT_ME}?token={next(iter(link_cookies(ana).values())).value}"
    pages = [comparable(Shopper().open(way)) for way in (link, never, recovery)]
    later(days=4)
    pages.append(comparable(Shopper().open(other)))

    assert all(page == pages[0] for page in pages)
    assert pages[0][0] == 410


@pytest.mark.django_db(transaction=True)
def test_race_of_twenty_posts_of_one_link_one_wins(postbox):  # COD-05
    account()
    moves(sign_in(), EVIL_EMAIL)
    ana = Shopper()
    ana.open(link_in(postbox.messages(EMAIL)[0]))

    answers = at_once(
        *[lambda tab=tab: tab.post(NOT_ME) for tab in tabs(ana, 20, ["page", "json"])]
    )

    assert sorted(answer.status_code for answer in answers)[1:] == [410] * 19
    assert User.objects.get().email == EMAIL
    assert Challenge.objects.live().filter(purpose=Purpose.RESET).count() == 1


@pytest.mark.django_db(transaction=True)
def test_race_of_the_owner_and_the_attacker_ends_with_the_owner(postbox):  # REG-05
    account()
    thief = sign_in(shopper=Shopper("json", ip="192.0.2.66"))
    thief.post(CHANGE_PASSWORD, current=PASSWORD, password=CHOSEN)
    ana = Shopper()
    ana.open(link_in(postbox.messages(EMAIL)[0]))
    thief.post(CONTACTS.format("email"), contact=EVIL_EMAIL)
    code = postbox.code(EVIL_EMAIL)

    answers = at_once(
        lambda: tabs(ana, 1)[0].post(NOT_ME),
        *[lambda tab=tab: tab.post(CONTACT_VERIFY, code=code) for tab in tabs(thief, 5, ["json"])],
    )

    assert max(answer.status_code for answer in answers) < 500
    assert answers[0].status_code in (200, 303)
    assert User.objects.get().email == EMAIL
    assert not thief.is_signed_in


@pytest.mark.django_db(transaction=True)
def test_race_of_changes_in_many_tabs_breaks_nothing(postbox, monkeypatch):
    for name in ("MESSAGES_PER_RECIPIENT", "CHANGES_PER_ACCOUNT"):
        monkeypatch.setattr(conf, name, (Rate(1000, 3600),))
    account()
    ana = sign_in(shopper=Shopper("json"))

    for number in range(3):
        phones = [f"+1202555{number}{each:03d}" for each in range(5)]
        adding, naming, choosing = (tabs(ana, 5, ["json"]) for _each in range(3))
        answers = at_once(
            *[
                lambda tab=tab, phone=phone: tab.post(CONTACTS.format("phone"), contact=phone)
                for tab, phone in zip(adding, phones, strict=True)
            ],
            *[
                lambda tab=tab: tab.post("/account/names/", name="Ana", username="")
                for tab in naming
            ],
            *[lambda tab=tab: tab.post(CONTACTS.format("phone") + "primary/") for tab in choosing],
        )

        assert {answer.status_code for answer in answers} == {200}
