"""The ways to reach a shopper: add, change, verify by its own code, choose for messages, remove all but the last."""

import re

import pytest

from accounts import conf
from accounts.models import Challenge, User
from messaging.models import OutboxMessage
from tests.support.account import (
    CONTACT,
    EMAIL,
    EMAIL_PAGE,
    LOGIN_CODE,
    NEW,
    OTHER_EMAIL,
    OTHER_PHONE,
    OTHERS_OUT,
    PHONE,
    PHONE_PAGE,
    RESET,
    RESET_NEW,
    SECRET,
    adds,
    confirms_by_code,
    copy_of,
    is_refused,
    joins,
    kinds,
    may_sign_in,
    news,
    signs_in,
)
from tests.support.pages import Page, comparable, words
from tests.support.people import (
    ACCOUNT,
    HOME,
    LOGOUT,
    PASSWORD,
    Postbox,
    Shopper,
    time_passes,
    wrong,
)
from tests.support.races import at_once, tabs

CONTACT_RESEND = "/account/contact/resend/"
NOTHING = "There is nothing waiting to be confirmed."
TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+-]+|\d\d:\d\d(:\d\d)? UTC")


@pytest.fixture
def me(anyone):
    """Somebody with an email address, with each of the three faces."""
    joins(anyone)
    return anyone


@pytest.fixture
def both(anyone):
    """Somebody with an email address and a mobile number."""
    joins(anyone, phone=PHONE)
    return anyone


@pytest.fixture
def neighbour(bea):
    """Somebody else, who has OTHER_EMAIL and OTHER_PHONE."""
    joins(bea, email=OTHER_EMAIL, phone=OTHER_PHONE, name="Bea")
    return bea


def opens(contact):
    """Which ways into an account this contact is: the password, a code, the reset."""
    before = len(Postbox())
    stranger = Shopper(ip="192.0.2.77")
    ways = {"password"} if may_sign_in(contact) else set()
    stranger.post(LOGIN_CODE, identifier=contact)
    stranger.post(RESET, identifier=contact)
    new = Postbox().messages()[: len(Postbox()) - before]
    said = " ".join(f"{message['subject']} {message['text']}" for message in new)
    if re.search(r"\d{6} is your Storefront code", said):
        ways.add("code")
    if "Choose a new Storefront password" in said or len(re.findall(r"\d{6} is your", said)) > 1:
        ways.add("reset")
    return ways


EVERY_WAY = {"password", "code", "reset"}


# A second contact


def test_a_shopper_adds_a_number(me, postbox):  # REC-08, REG-04
    asked = me.post(PHONE_PAGE, contact="+1 (202) 555-0123")
    assert asked.to == CONTACT or asked.json()["message"] == "We sent you a code."
    assert User.objects.get().phone is None

    verified = me.post(CONTACT, code=postbox.code(PHONE))

    assert verified.to == ACCOUNT or verified.json()["message"] == "Your contact is confirmed."
    assert User.objects.get().phone == PHONE
    assert kinds()[-2:] == ["code_sent", "contact_added"]


def test_a_shopper_adds_an_address(anyone, postbox):
    joins(anyone, email=None, phone=PHONE)

    adds(anyone, "email", "Ana@Example.org")

    user = User.objects.get()
    assert (user.email, user.email_key) == ("Ana@example.org", OTHER_EMAIL)


@pytest.mark.parametrize(
    ("kind", "contact"), [("email", OTHER_EMAIL), ("phone", PHONE)], ids=["email", "phone"]
)
def test_a_contact_counts_for_nothing_until_it_is_verified(
    ana, postbox, kind, contact
):  # REG-04, REC-08
    joins(ana)
    ana.post(f"/account/contacts/{kind}/", contact=contact)

    assert opens(contact) == set()
    assert opens(EMAIL) == EVERY_WAY
    assert contact in words(ana.get(ACCOUNT))


def test_a_verified_contact_opens_the_account(ana, postbox):  # REG-04
    joins(ana)
    adds(ana, "phone", PHONE)

    assert opens(PHONE) == EVERY_WAY
    assert opens(EMAIL) == EVERY_WAY


def test_the_contact_that_was_there_is_told_of_the_new_one(me, postbox):  # REG-04
    adds(me, "phone", PHONE)

    assert news(EMAIL)[0] == "Storefront: A contact was added to your account"
    assert "not-me" in postbox.link(EMAIL)
    assert len(postbox.messages(PHONE)) == 1  # its code


def test_a_new_contact_renews_the_session(me, postbox):  # SES-01
    me.post(PHONE_PAGE, contact=PHONE)
    before, thief = me.session_key, copy_of(me)

    me.post(CONTACT, code=postbox.code(PHONE))

    assert me.is_signed_in
    assert me.session_key != before
    assert not thief.is_signed_in


@pytest.mark.parametrize(
    ("kind", "typed", "sentence"),
    [
        ("email", "", "Enter your email address"),
        ("phone", "", "Enter your mobile number"),
        ("email", PHONE, "Enter an email address in the correct format"),
        ("phone", OTHER_EMAIL, "Enter an email address or a mobile number"),
        ("email", "ana@", "Enter an email address in the correct format"),
        ("phone", "12025550123", "Start the mobile number with +"),
        ("phone", "+1202555", "That mobile number does not exist."),
        ("email", "ana@example.org\x00", "Use letters, digits and ordinary signs only"),
        ("email", f"{'a' * 321}", "320"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_what_is_no_contact_is_refused(ana, kind, typed, sentence):  # IDN-03, IDN-05
    joins(ana)
    refused = ana.post(f"/account/contacts/{kind}/", contact=typed)

    assert is_refused(refused)
    assert sentence in words(refused)
    assert not Challenge.objects.filter(purpose="contact").exists()


def test_what_was_typed_stays_in_its_box(ana):  # ux 66
    joins(ana)

    page = Page(ana.post(EMAIL_PAGE, contact="ana@"))

    assert page.inputs["contact"]["value"] == "ana@"
    assert page.inputs["contact"]["aria-invalid"] == "true"
    assert page.text("title").startswith("Error: ")


@pytest.mark.parametrize("typed", [EMAIL, "ANA@EXAMPLE.COM", " ana@example.com "])
def test_the_address_one_has_is_not_asked_for_again(ana, postbox, typed):
    joins(ana)
    before = len(postbox)

    refused = ana.post(EMAIL_PAGE, contact=typed)

    assert is_refused(refused)
    assert "That is your email address already." in words(refused)
    assert len(postbox) == before


def test_the_number_one_has_is_not_asked_for_again(both, postbox):
    refused = both.post(PHONE_PAGE, contact="+1 202 555 0123")

    assert is_refused(refused)
    assert "That is your mobile number already." in words(refused)


# Another one in its place


def test_until_it_is_verified_the_older_address_stands(ana, postbox):  # REC-08
    joins(ana)
    ana.post(EMAIL_PAGE, contact=OTHER_EMAIL)

    assert User.objects.get().email == EMAIL
    assert opens(EMAIL) == EVERY_WAY
    assert opens(OTHER_EMAIL) == set()


def test_once_it_is_verified_the_older_address_is_nobodys(ana, postbox):  # REC-08
    joins(ana)
    adds(ana, "email", OTHER_EMAIL)

    assert User.objects.get().email == OTHER_EMAIL
    assert opens(OTHER_EMAIL) == EVERY_WAY
    assert opens(EMAIL) == set()


def test_the_older_address_is_told_and_can_say_no(both, bea, postbox):  # REC-08
    adds(both, "email", OTHER_EMAIL)

    assert news(EMAIL)[0] == "Storefront: A contact of your account was changed"
    assert any("A contact of your account was changed" in said for said in news(PHONE))
    assert "changed" not in " ".join(news(OTHER_EMAIL))
    bea.open(postbox.link(EMAIL))
    bea.post("/not-me/")
    assert User.objects.get().email == EMAIL
    assert not both.is_signed_in


def test_a_changed_contact_is_written_down(me):  # LOG-01
    adds(me, "email", OTHER_EMAIL)

    assert kinds()[-2:] == ["code_sent", "contact_changed"]


def test_an_older_link_to_a_new_password_dies_with_the_address(ana, bea, postbox):  # REC-05
    joins(ana)
    bea.post(RESET, identifier=EMAIL)
    link = postbox.link(EMAIL)

    adds(ana, "email", OTHER_EMAIL)

    assert bea.open(link).status_code == 410


# One less


@pytest.mark.parametrize(
    ("kind", "gone", "kept"),
    [("email", EMAIL, PHONE), ("phone", PHONE, EMAIL)],
    ids=["email", "phone"],
)
def test_a_shopper_removes_a_contact(both, postbox, kind, gone, kept):  # REC-08
    asked = both.get(f"/account/contacts/{kind}/remove/")
    assert both.face == "json" or gone in words(asked)

    removed = both.post(f"/account/contacts/{kind}/remove/")

    said = "It is removed, and your other devices are signed out."
    assert removed.to == ACCOUNT or removed.json()["message"] == said
    assert [contact.address for contact in User.objects.get().contacts] == [kept]
    assert may_sign_in(kept)
    assert not may_sign_in(gone)


def test_both_contacts_are_told_of_a_removal(both, postbox):  # REC-08
    both.post(f"{EMAIL_PAGE}remove/")

    assert "Storefront: A contact was removed from your account" in news(EMAIL)
    assert any("A contact was removed from your account" in said for said in news(PHONE))
    assert kinds()[-1] == "contact_removed"


def test_messages_go_to_the_contact_that_is_left(both, postbox):
    both.post(f"{EMAIL_PAGE}remove/")

    assert User.objects.get().primary == "phone"


@pytest.mark.parametrize(
    ("kind", "has"), [("email", EMAIL), ("phone", PHONE)], ids=["email", "phone"]
)
def test_the_last_contact_stays(anyone, kind, has):  # REC-08
    joins(anyone, **({"email": None, "phone": PHONE} if kind == "phone" else {}))
    before = list(User.objects.values())

    refused = anyone.post(f"/account/contacts/{kind}/remove/")

    assert is_refused(refused)
    assert "This is your only contact. Add another one before you remove it." in words(refused)
    assert list(User.objects.values()) == before
    assert "contact_removed" not in kinds()
    assert f'id="remove-{kind}"' not in anyone.client.get(ACCOUNT).content.decode()


@pytest.mark.django_db(transaction=True)
def test_two_removals_at_once_leave_one_contact(ana):  # REC-08
    joins(ana, phone=PHONE)
    first, second = tabs(ana, 2, ["page"])

    answers = at_once(
        lambda: first.post(f"{EMAIL_PAGE}remove/"), lambda: second.post(f"{PHONE_PAGE}remove/")
    )

    assert sorted(answer.status_code for answer in answers) == [303, 422]
    assert len(User.objects.get().contacts) == 1


def test_a_removed_contact_is_free_for_others(both, bea, postbox):
    joins(bea, email="bea@example.com")
    both.post(f"{PHONE_PAGE}remove/")

    adds(bea, "phone", PHONE)

    assert User.objects.get(phone=PHONE).email == "bea@example.com"


@pytest.mark.parametrize("act", ["remove", "primary"])
def test_nothing_is_claimed_of_a_contact_that_is_not_there(ana, postbox, act):
    joins(ana)
    before, sent = list(User.objects.values()), len(postbox)

    answer = ana.post(f"{PHONE_PAGE}{act}/")
    said = words(answer) + words(ana.client.get(ACCOUNT))

    assert list(User.objects.values()) == before
    assert len(postbox) == sent
    assert "It is removed," not in said
    assert "Messages go there from now on." not in said


def test_nobody_is_asked_to_remove_what_is_not_there(ana):
    joins(ana)

    assert "sign in with or get" not in words(ana.get(f"{PHONE_PAGE}remove/"))


@pytest.mark.parametrize("kind", ["username", "Email", "post", "email/email"])
def test_there_are_two_kinds_of_contacts(ana, kind):
    joins(ana)

    assert ana.post(f"/account/contacts/{kind}/", contact=OTHER_EMAIL).status_code == 404


# Where messages go


def test_a_shopper_chooses_where_messages_go(both, postbox):
    chosen = both.post(f"{PHONE_PAGE}primary/")

    assert chosen.to == ACCOUNT or chosen.json()["message"] == "Messages go there from now on."
    assert User.objects.get().primary == "phone"
    assert kinds()[-1] == "primary_changed"
    assert "Storefront: Messages go elsewhere now" in news(EMAIL)
    assert any("Messages go elsewhere now" in said for said in news(PHONE))


def test_the_chosen_contact_gets_the_codes(ana, postbox):
    joins(ana, phone=PHONE)
    ana.post(f"{PHONE_PAGE}primary/")

    assert confirms_by_code(ana, PHONE).to == ACCOUNT


def test_the_button_stands_at_the_other_contact_alone(ana):
    joins(ana, phone=PHONE)
    before = Page(ana.get(ACCOUNT)).ids
    ana.post(f"{PHONE_PAGE}primary/")
    after = Page(ana.get(ACCOUNT)).ids

    assert ("primary-phone" in before, "primary-email" in before) == (True, False)
    assert ("primary-phone" in after, "primary-email" in after) == (False, True)


def test_whoever_has_one_contact_has_nothing_to_choose(ana):
    joins(ana)

    assert not {"primary-email", "primary-phone", "remove-email"} & set(Page(ana.get(ACCOUNT)).ids)


def test_choosing_by_opening_a_page_does_nothing(both):  # WEB-01
    assert both.get(f"{PHONE_PAGE}primary/").status_code == 405
    assert User.objects.get().primary == "email"


# Somebody else's


def told(shopper, contact, kind):
    """Everything the page says on the way, without the contact and the time of day."""
    url = f"/account/contacts/{kind}/"
    yield shopper.post(url, contact=contact)
    yield shopper.get(CONTACT)
    yield shopper.get(ACCOUNT)
    yield shopper.post(CONTACT_RESEND)
    yield shopper.post(CONTACT, code="000000")
    time_passes(seconds=61)
    yield shopper.post(CONTACT_RESEND)
    for number in range(6):
        yield shopper.post(CONTACT, code=f"00000{number}")
    yield shopper.post(CONTACT_RESEND)
    yield shopper.get(CONTACT)
    time_passes(days=2)


@pytest.mark.parametrize(
    ("kind", "taken", "free"),
    [
        ("email", OTHER_EMAIL, "ana@example.net"),
        ("phone", OTHER_PHONE, "+12025550177"),
    ],
    ids=["email", "phone"],
)
def test_nobody_learns_that_a_contact_is_somebody_elses(me, neighbour, kind, taken, free):  # ENU-07
    me.get(CONTACT)
    me.client.get(ACCOUNT)  # from here on the browser has every cookie there is
    said = {}
    for contact in (free, taken):
        said[contact] = [
            TIMES.sub("<time>", repr(comparable(answer)).replace(contact, "<contact>"))
            for answer in told(me, contact, kind)
        ]

    assert len(said[taken]) == 14
    assert said[taken] == said[free]
    assert User.objects.filter(email=EMAIL, phone=None).exists()


def test_the_owner_of_an_address_is_told_and_gets_no_code(me, neighbour, postbox):  # ENU-07, ABU-03
    me.post(EMAIL_PAGE, contact="Ana@Example.ORG")

    letter = postbox.messages(OTHER_EMAIL)[0]
    assert letter["subject"] == "Another Storefront account tried to add your address"
    assert not re.search(r"\d{6}|https?://", letter["text"])
    assert EMAIL not in letter["text"]


def test_the_owner_of_a_number_gets_no_text(me, neighbour, postbox):  # ENU-07, ABU-03
    before = len(postbox.messages(OTHER_PHONE))

    me.post(PHONE_PAGE, contact=OTHER_PHONE)

    assert len(postbox.messages(OTHER_PHONE)) == before
    assert OutboxMessage.objects.filter(address=OTHER_PHONE).last().status == "cancelled"


def test_not_even_the_right_code_takes_somebody_elses_address(me, neighbour):  # REG-06, ENU-07
    me.post(EMAIL_PAGE, contact=OTHER_EMAIL)

    refused = me.post(CONTACT, code=Challenge.objects.get(purpose="contact").code)

    assert is_refused(refused)
    assert "already been used or replaced" in words(refused)
    assert User.objects.get(name="Bea").email == OTHER_EMAIL
    assert User.objects.get(name="Ana").email == EMAIL


def test_of_two_who_ask_for_one_address_the_first_to_verify_it_has_it(me, bea, postbox):  # REG-06
    joins(bea, email="bea@example.com", name="Bea")
    me.post(EMAIL_PAGE, contact=OTHER_EMAIL)
    code = postbox.code(OTHER_EMAIL)
    bea.post(EMAIL_PAGE, contact=OTHER_EMAIL)
    bea.post(CONTACT, code=postbox.code(OTHER_EMAIL))

    late = me.post(CONTACT, code=code)

    assert User.objects.get(email=OTHER_EMAIL).name == "Bea"
    assert User.objects.get(name="Ana").email == EMAIL
    assert NOTHING in words(late) + words(me.client.get(ACCOUNT))


@pytest.mark.django_db(transaction=True)
def test_two_who_verify_one_address_at_once(ana, bea):  # REG-06, I4
    joins(ana)
    joins(bea, email="bea@example.com", name="Bea")
    acts = []
    for person in (ana, bea):
        person.post(EMAIL_PAGE, contact=OTHER_EMAIL)
        code = Postbox().code(OTHER_EMAIL)
        acts.append(lambda person=person, code=code: person.post(CONTACT, code=code))

    answers = at_once(*acts)

    assert max(answer.status_code for answer in answers) < 500
    assert User.objects.filter(email=OTHER_EMAIL).count() == 1
    assert User.objects.count() == 2


# The code of the new contact


def test_another_user_cannot_use_the_code(me, bea, postbox):  # COD-08
    joins(bea, email="bea@example.com", name="Bea")
    me.post(PHONE_PAGE, contact=PHONE)
    bea.post(PHONE_PAGE, contact=OTHER_PHONE)

    refused = bea.post(CONTACT, code=postbox.code(PHONE))

    assert refused.status_code == 422
    assert not User.objects.exclude(phone=None).exists()
    assert set(
        Challenge.objects.filter(purpose="contact").values_list("tries_left", flat=True)
    ) == {4, 5}


def test_another_browser_of_the_same_user_cannot_use_the_code(me, bea, postbox):  # COD-08
    signs_in(bea)
    me.post(PHONE_PAGE, contact=PHONE)

    turned_away = bea.post(CONTACT, code=postbox.code(PHONE))

    assert turned_away.to == ACCOUNT
    assert NOTHING in words(bea.get(ACCOUNT))
    assert User.objects.get().phone is None


def test_the_code_is_of_no_use_after_signing_out(me, postbox):  # SES-04
    me.post(PHONE_PAGE, contact=PHONE)
    code = postbox.code(PHONE)
    me.post(LOGOUT)
    signs_in(me)

    me.post(CONTACT, code=code)

    assert User.objects.get().phone is None


def test_fields_that_come_along_change_nothing(me, postbox):  # COD-08
    me.post(PHONE_PAGE, contact=PHONE, email="eve@example.com", user="1", kind="email")

    me.post(CONTACT, code=postbox.code(PHONE), contact=OTHER_PHONE, phone=OTHER_PHONE)

    assert (User.objects.get().phone, User.objects.get().email) == (PHONE, EMAIL)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Enter the 6-digit code"),
        ("12345", "The code you typed is too short."),
        ("1234567", "The code you typed is too long."),
        ("secret", "The code has 6 digits and nothing else."),
    ],
)
def test_what_is_no_code_costs_no_try(ana, typed, sentence):  # ux 35
    joins(ana)
    ana.post(PHONE_PAGE, contact=PHONE)

    refused = ana.post(CONTACT, code=typed)

    assert is_refused(refused)
    assert sentence in words(refused)
    assert Challenge.objects.get(purpose="contact").tries_left == conf.CODE_MAX_ATTEMPTS


def test_a_wrong_code_is_counted(me, postbox):  # COD-06
    me.post(PHONE_PAGE, contact=PHONE)
    code = postbox.code(PHONE)
    refused = [me.post(CONTACT, code=wrong(code)) for _ in range(conf.CODE_MAX_ATTEMPTS)]

    assert all("That is not the code we sent." in words(answer) for answer in refused[:4])
    assert "tried too often" in words(refused[4])
    assert is_refused(me.post(CONTACT, code=code))
    assert User.objects.get().phone is None


def test_a_used_up_code_is_replaced(me, postbox):  # ux 37
    me.post(PHONE_PAGE, contact=PHONE)
    for _ in range(conf.CODE_MAX_ATTEMPTS):
        me.post(CONTACT, code=wrong(postbox.code(PHONE)))
    time_passes(seconds=61)

    me.post(CONTACT_RESEND)
    me.post(CONTACT, code=postbox.code(PHONE))

    assert User.objects.get().phone == PHONE


def test_an_expired_code_is_replaced(me, postbox):  # ux 36
    me.post(PHONE_PAGE, contact=PHONE)
    code = postbox.code(PHONE)
    time_passes(minutes=10, seconds=1)

    refused = me.post(CONTACT, code=code)

    assert "The code has expired. We sent you a new one." in words(refused)
    me.post(CONTACT, code=postbox.code(PHONE))
    assert User.objects.get().phone == PHONE


def test_an_earlier_code_is_called_so(me, postbox):  # COD-09
    me.post(PHONE_PAGE, contact=PHONE)
    older = postbox.code(PHONE)
    time_passes(seconds=61)
    me.post(CONTACT_RESEND)

    assert "That is an earlier code." in words(me.post(CONTACT, code=older))
    assert User.objects.get().phone is None


def test_two_clicks_add_one_contact(me, postbox):  # COD-11
    me.post(PHONE_PAGE, contact=PHONE)
    code = postbox.code(PHONE)
    first, second = tabs(me, 2, [me.face])

    answers = [tab.post(CONTACT, code=code) for tab in (first, second)]

    assert max(answer.status_code for answer in answers) < 500
    for answer in answers:
        me.client.cookies.update(answer.cookies)
    assert me.is_signed_in
    assert kinds().count("contact_added") == 1


def test_a_reload_sends_nothing(me, postbox):  # ux 12
    me.post(PHONE_PAGE, contact=PHONE)
    before = len(postbox)
    for url in (CONTACT, PHONE_PAGE, ACCOUNT, HOME, CONTACT):
        me.get(url)

    assert len(postbox) == before


# What withdraws a change that waits


def changes_the_password(shopper):
    shopper.post(SECRET, current=PASSWORD, password=NEW)


def resets_the_password(shopper):
    elsewhere = Shopper(ip="192.0.2.60")
    elsewhere.post(RESET, identifier=EMAIL)
    elsewhere.open(Postbox().link(EMAIL))
    assert elsewhere.post(RESET_NEW, password=NEW).status_code == 303


def changes_the_other_contact(shopper):
    adds(shopper, "phone", OTHER_PHONE)


def removes_the_other_contact(shopper):
    shopper.post(f"{PHONE_PAGE}remove/")


def signs_the_others_out(shopper):
    shopper.post(OTHERS_OUT)


def asks_for_another(shopper):
    shopper.post(EMAIL_PAGE, contact="ana@example.net")


def waits_for_a_day(shopper):
    time_passes(hours=24, seconds=1)


def says_it_was_not_me(shopper):
    adds(shopper, "phone", OTHER_PHONE)
    elsewhere = Shopper(ip="192.0.2.60")
    elsewhere.open(Postbox().link(EMAIL))
    assert elsewhere.post("/not-me/").status_code == 303


def asks_to_leave(shopper):
    shopper.post("/account/delete/")


TRIGGERS = [
    changes_the_password,
    resets_the_password,
    changes_the_other_contact,
    removes_the_other_contact,
    signs_the_others_out,
    asks_for_another,
    waits_for_a_day,
    says_it_was_not_me,
    asks_to_leave,
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=[act.__name__ for act in TRIGGERS])
def test_a_change_that_waits_dies_when_the_owner_acts(ana, postbox, trigger):  # REG-05, REC-05
    joins(ana, phone=PHONE)
    ana.post(EMAIL_PAGE, contact="evil@example.com")
    challenge = Challenge.objects.get(recipient="evil@example.com")
    code = postbox.code("evil@example.com")

    trigger(ana)
    ana.post(CONTACT, code=code)

    assert User.objects.get().email == EMAIL
    assert not Challenge.objects.live().filter(pk=challenge.pk).exists()


def test_a_number_and_an_address_may_wait_together(ana, postbox):
    joins(ana)
    ana.post(PHONE_PAGE, contact=PHONE)
    ana.post(EMAIL_PAGE, contact=OTHER_EMAIL)

    assert Challenge.objects.live().filter(purpose="contact").count() == 2


# Limits and outages


def test_one_address_gets_five_messages_an_hour(me, postbox):  # ABU-01
    answers = [me.post(EMAIL_PAGE, contact=OTHER_EMAIL) for _ in range(6)]

    assert [answer.status_code for answer in answers][-1] == 429
    assert "That was too often." in words(answers[-1])
    assert (
        len(postbox.messages(OTHER_EMAIL)) == 1
    )  # each new code kills the one before, sent or not


def test_a_refused_new_contact_leaves_the_one_that_waits(me, postbox):
    answers = [me.post(EMAIL_PAGE, contact=OTHER_EMAIL).status_code for _ in range(6)]
    assert answers[-1] == 429

    me.post(CONTACT, code=postbox.code(OTHER_EMAIL))

    assert User.objects.get().email == OTHER_EMAIL


@pytest.mark.parametrize("kind", ["email", "phone"])
def test_without_a_provider_the_shopper_is_told(me, settings, kind):  # ux 68
    settings.MAILBOX = False

    refused = me.post(
        f"/account/contacts/{kind}/", contact={"email": OTHER_EMAIL, "phone": PHONE}[kind]
    )

    assert refused.status_code == 503
    assert "at the moment" in words(refused)
    assert not Challenge.objects.filter(purpose="contact").exists()
