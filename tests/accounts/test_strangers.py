"""A stranger fills every limit: the owner still gets in, support still helps, and nothing tells who has an account."""

from datetime import timedelta
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import conf
from accounts.models import Challenge, SecurityEvent, Session, SmsCountry, User
from messaging.models import OutboxMessage
from ratelimits.models import Bucket
from ratelimits.rates import Rate, parse_rates
from tests.support.account import CONFIRM, CONFIRM_CODE, EMAIL, PHONE, RESET, RESET_NEW
from tests.support.backoffice import LOOKUP, USERS
from tests.support.pages import comparable, words
from tests.support.people import (
    ACCOUNT,
    HOME,
    PASSWORD,
    RESEND,
    TIMES,
    VERIFY,
    Shopper,
    make_shopper,
    time_passes,
    wrong,
)
from tests.support.strangers import CARRIER, WRONG, leaves, sign_in, somebody

CODE, CODE_VERIFY, CODE_RESEND = "/login/code/", "/login/code/verify/", "/login/code/resend/"
CONTACT, DELETE = "/account/contacts/email/", "/account/delete/"

NEIGHBOUR = "+12025550124"  # has no account


def sent_by_text():
    """How many texts were promised."""
    return OutboxMessage.objects.filter(channel="sms").count()


# Texts: every one takes a budget, the switches and the closed countries


def leave_and_come_back(browser):
    """Ask for the end of the account, and sign in."""
    browser.post(CONFIRM, current=PASSWORD)
    browser.post(DELETE)
    return sign_in(browser, PHONE)


@pytest.fixture
def phone_only(trusted):
    """Ana, who has a number alone, in her own browser."""
    User.objects.update(primary="phone", **User.removed_columns("email"))
    sign_in(trusted, PHONE)
    return trusted


def test_looping_deletion_and_sign_in_sends_no_text_to_a_closed_country(phone_only):  # ABU-07
    SmsCountry.objects.create(code="US")
    SmsCountry.objects.update(is_open=False)
    before = OutboxMessage.objects.count(), Challenge.objects.count()

    for _ in range(40):
        leave_and_come_back(phone_only)

    assert sent_by_text() == 0
    assert (OutboxMessage.objects.count(), Challenge.objects.count()) == before
    assert User.objects.get().events.filter(kind="deletion_asked").count() == 10


def test_looping_deletion_and_sign_in_counts_as_changes(phone_only, monkeypatch):  # ABU-07
    monkeypatch.setattr(conf, "CHANGES_PER_ACCOUNT", parse_rates("5/h"))

    for _ in range(10):
        leave_and_come_back(phone_only)

    # Three deletions and two times coming back: the last of these found no room, and was let in all the same.
    assert sent_by_text() == 5
    assert phone_only.is_signed_in
    assert User.objects.get().deletion_due_at is None
    assert phone_only.post(DELETE).status_code in (303, 429)


def test_a_deletion_past_the_changes_is_refused_and_coming_back_is_not(trusted, monkeypatch):
    monkeypatch.setattr(conf, "CHANGES_PER_ACCOUNT", parse_rates("1/h"))
    sign_in(trusted)
    trusted.post(CONFIRM, current=PASSWORD)
    assert trusted.post(DELETE).status_code == 303

    assert sign_in(trusted).to == HOME
    trusted.post(CONFIRM, current=PASSWORD)

    assert trusted.post(DELETE).status_code == 429
    assert User.objects.get().deletion_due_at is None


@pytest.mark.parametrize("stop", ["the country", "the channel", "the budget"])
def test_a_notice_that_may_not_be_texted_goes_by_email(owner, staff, monkeypatch, stop):  # ABU-07
    User.objects.filter(pk=owner.pk).update(primary="phone")
    if stop == "the country":
        SmsCountry.objects.create(code="US", is_open=False)
    elif stop == "the channel":
        staff.client.post("/admin/signups/", {"channel": "sms", "state": "off"})
    else:
        monkeypatch.setattr(conf, "SMS_TOTAL", parse_rates("1/h"))
        sign_in(somebody(), PHONE)
        assert sent_by_text() == 1
    before = sent_by_text()

    sign_in(somebody(), PHONE)

    assert sent_by_text() == before
    notice = OutboxMessage.objects.filter(template="notice").latest("created_at")
    assert (notice.channel, notice.address) == ("email", EMAIL)


def test_a_notice_to_both_is_not_sent_to_the_email_address_twice(trusted):  # ABU-07
    SmsCountry.objects.create(code="US", is_open=False)
    sign_in(trusted)

    trusted.post("/account/password/", current=PASSWORD, password="purple monkey dishwasher")

    told = OutboxMessage.objects.filter(template="notice", part="password_changed")
    assert [message.address for message in told] == [EMAIL]


def test_a_code_that_is_renewed_obeys_a_stopped_channel(ana, staff, postbox):  # ABU-07
    ana.identify(PHONE)
    code = postbox.code(PHONE)
    time_passes(minutes=11)
    staff.client.post("/admin/signups/", {"channel": "sms", "state": "off"})

    answer = ana.verify(code)

    assert "The code has expired. Get a new code." in words(answer)
    assert sent_by_text() == 1


# Texts: whose budget it is


def test_sign_ups_never_stop_a_sign_in(owner, postbox, monkeypatch):  # ABU-08
    monkeypatch.setattr(conf, "SMS_TOTAL", parse_rates("20/h"))
    monkeypatch.setattr(conf, "SMS_PER_PREFIX", parse_rates("1000/h"))
    answers = [somebody().identify(f"+12025551{n:03d}").status_code for n in range(21)]
    assert answers == [200] * 20 + [503]
    shopper = Shopper()

    shopper.post(CODE, identifier=PHONE)
    shopper.post(CODE_VERIFY, code=postbox.code(PHONE))

    assert shopper.is_signed_in


def test_new_contacts_cost_what_sign_ups_cost(trusted, monkeypatch):  # ABU-08
    monkeypatch.setattr(conf, "SMS_PER_COUNTRY", parse_rates("1/h"))
    sign_in(trusted)
    trusted.post(CONFIRM, current=PASSWORD)

    added = trusted.post("/account/contacts/phone/", contact="+12025550188")
    sign_up = somebody().identify("+12025551001")

    assert (added.status_code, sign_up.status_code) == (303, 503)


def test_a_trusted_browser_has_a_budget_that_strangers_cannot_spend(
    trusted, monkeypatch
):  # ABU-08, LIM-12
    monkeypatch.setattr(conf, "SMS_PER_PREFIX", parse_rates("2/h"))
    strangers = [somebody().post(CODE, identifier=f"+1202555{n:04d}") for n in range(120, 123)]
    assert [answer.status_code for answer in strangers] == [200, 200, 503]

    assert trusted.post(CODE, identifier=PHONE).to == CODE_VERIFY


def test_forty_six_sign_ups_close_a_country_for_sign_ups_alone(owner, postbox):  # ABU-05, ABU-08
    SmsCountry.objects.create(code="US", sent=4, verified=0)
    answers = []
    for number in range(47):
        answers.append(somebody().identify(f"+120255{60 + number // 8}{number % 8:03d}"))
    assert [answer.status_code for answer in answers] == [200] * 46 + [503]

    shopper = Shopper()
    shopper.post(CODE, identifier=PHONE)
    shopper.post(CODE_VERIFY, code=postbox.code(PHONE))

    assert shopper.is_signed_in


def test_a_country_that_closed_itself_opens_after_a_day(db):  # ABU-05
    SmsCountry.objects.create(code="US", sent=50)
    assert somebody().identify(PHONE).status_code == 503
    time_passes(hours=23, minutes=59)
    assert somebody().identify(PHONE).status_code == 503

    time_passes(minutes=2)

    assert somebody().identify(PHONE).status_code == 200
    country = SmsCountry.objects.get(code="US")
    assert (country.sent, country.verified) == (1, 0)


def test_what_staff_closed_stays_closed_for_all_shoppers(trusted, staff):  # ABU-07
    SmsCountry.objects.create(code="US", is_open=False)
    user = User.objects.get(email=EMAIL)
    answer = staff.client.post(f"{USERS}{user.pk}/recover-by-text/", follow=True)
    assert "We cannot send texts at the moment" in words(answer)

    time_passes(days=2)

    assert somebody().identify(NEIGHBOUR).status_code == 503
    assert trusted.post(CODE, identifier=PHONE).status_code == 503


def test_staff_read_which_of_the_two_it_is_and_open_either(staff):  # ABU-05
    SmsCountry.objects.create(code="GB", is_open=False, reason="closed by staff")
    SmsCountry.objects.create(code="US", sent=50)
    somebody().identify(PHONE)
    for page in ("/admin/accounts/smscountry/", "/admin/signups/"):
        said = words(staff.client.get(page))
        assert "closed by staff, for everybody" in said
        assert "closed to sign-ups until" in said

    staff.client.post("/admin/signups/", {"texts": "US", "state": "on"})

    assert somebody().identify(PHONE).status_code == 200


def test_a_country_that_closed_itself_is_not_said_to_get_no_texts(owner, staff):  # ABU-05
    day = timedelta(days=1)
    SmsCountry.objects.create(code="US", sent=50, closed_until=now() + day)

    said = words(staff.client.post(LOOKUP, {"who": PHONE}))

    assert "Texts to US: closed to sign-ups until" in said
    assert "Texts are stopped" not in said


def test_the_board_shows_no_budget_of_texts_that_does_not_exist(staff):  # ABU-08
    SmsCountry.objects.create(code="US")

    said = words(staff.client.get("/admin/signups/"))

    assert "sign-in and recovery in other browsers" in said
    assert "codes of the staff pages" not in said


def test_the_share_of_codes_that_come_back_is_that_of_sign_ups(owner, postbox):  # ENU-08
    for who in (PHONE, NEIGHBOUR):
        somebody().post(CODE, identifier=who)
        somebody().post(RESET, identifier=who)
    shopper = Shopper()
    shopper.post(CODE, identifier=PHONE)
    shopper.post(CODE_VERIFY, code=postbox.code(PHONE))

    assert not SmsCountry.objects.filter(code="US").exists()


# Oracles: a limit tells nothing


def refusals_after(who, journey, neighbours):
    """The moment at which neighbours of `who` are refused, when somebody asks about `who` first."""
    Bucket.objects.all().delete()
    first = somebody().post(journey, identifier=who).status_code
    return [first, *(somebody().post(journey, identifier=each).status_code for each in neighbours)]


@pytest.mark.parametrize("journey", [CODE, RESET])
def test_counting_the_refusals_of_neighbours_tells_nothing(owner, journey):  # ENU-08
    neighbours = [f"+1202555{number:04d}" for number in range(130, 141)]

    real, decoy = (refusals_after(who, journey, neighbours) for who in (PHONE, NEIGHBOUR))

    assert real == decoy == [200] * 10 + [503] * 2


def test_resending_costs_the_same_with_and_without_an_account(owner, monkeypatch):  # ENU-08
    monkeypatch.setattr(conf, "SMS_PER_PREFIX", parse_rates("2/h"))
    seen = []
    for who in (PHONE, NEIGHBOUR):
        Bucket.objects.all().delete()
        asker = somebody()
        asker.post(CODE, identifier=who)
        time_passes(seconds=61)
        asker.post(CODE_RESEND)
        seen.append(somebody().post(CODE, identifier="+12025550155").status_code)

    assert seen == [503, 503]


def tries_left():
    """How many wrong passwords of strangers are looked at before they are told to wait."""
    return next(
        number for number in count() if sign_in(somebody(), EMAIL, WRONG).status_code == 429
    )


@pytest.mark.parametrize("way", ["a trusted browser", "a new browser", "a code"])
def test_a_success_leaves_the_failures_of_strangers(trusted, postbox, way):  # LIM-13, ENU-08
    for _ in range(3):
        sign_in(somebody(), EMAIL, WRONG)

    if way == "a trusted browser":
        sign_in(trusted)
    elif way == "a new browser":
        sign_in(somebody())
    else:
        trusted.post(CODE, identifier=EMAIL)
        trusted.post(CODE_VERIFY, code=postbox.code(EMAIL))

    assert SecurityEvent.objects.filter(kind="signed_in").count() == 2
    assert tries_left() == 2


def test_the_browser_of_a_success_has_tries_of_its_own_from_then_on(owner):  # LIM-04, LIM-13
    browser = Shopper()
    sign_in(browser)
    leaves(browser)
    tries_left()

    assert [sign_in(browser, EMAIL, WRONG).status_code for _ in range(4)] == [422] * 4
    assert sign_in(browser).to == HOME


def test_a_new_password_clears_the_lock(owner, postbox):  # LIM-03
    tries_left()
    reader = Shopper()
    reader.post(RESET, identifier=EMAIL)
    reader.open(postbox.link(EMAIL))
    reader.post(
        RESET_NEW,
        password="purple monkey dishwasher",
        token=postbox.link(EMAIL).partition("token=")[2],
    )

    assert sign_in(somebody(), EMAIL, "purple monkey dishwasher").status_code == 200


# Lock-outs: strangers fill every cap


def fifteen_requests_of_strangers():
    """Passwords, codes and links, until nobody new gets any further."""
    for _ in range(5):
        sign_in(somebody(), EMAIL, WRONG)
        somebody().post(CODE, identifier=EMAIL)
        somebody().post(RESET, identifier=EMAIL)
    assert sign_in(somebody()).status_code == 429
    for way in (CODE, RESET):
        assert somebody().post(way, identifier=EMAIL).status_code == 429


def test_strangers_shut_no_trusted_browser(trusted, postbox):  # LIM-12, LIM-04
    fifteen_requests_of_strangers()

    assert sign_in(trusted).to == HOME
    leaves(trusted)
    assert trusted.post(CODE, identifier=EMAIL).to == CODE_VERIFY
    trusted.post(CODE_VERIFY, code=postbox.code(EMAIL))
    assert trusted.is_signed_in


def test_strangers_shut_no_recovery_in_a_trusted_browser(trusted, postbox):  # LIM-12
    fifteen_requests_of_strangers()

    trusted.post(RESET, identifier=EMAIL)

    assert trusted.open(postbox.link(EMAIL)).status_code == 200


@pytest.mark.parametrize("keeps_cookie", [True, False], ids=["trusted", "cookie lost"])
def test_strangers_shut_no_owner_who_is_signed_in(trusted, postbox, keeps_cookie):  # LIM-12
    sign_in(trusted)
    if not keeps_cookie:
        del trusted.client.cookies["__Host-trusted-browsers"]
    fifteen_requests_of_strangers()

    assert trusted.post(CONFIRM, current=PASSWORD).to == ACCOUNT
    trusted.post(CONFIRM_CODE)
    assert trusted.post("/account/confirm/verify/", code=postbox.code(EMAIL)).to == ACCOUNT


def test_strangers_shut_no_support(owner, staff, postbox):  # LIM-12
    fifteen_requests_of_strangers()

    answer = staff.client.post(f"{USERS}{owner.pk}/recover/", follow=True)

    assert "The recovery message is on its way." in words(answer)
    assert Shopper().open(postbox.link(EMAIL)).status_code == 200


def test_a_stranger_with_an_account_fills_no_more_than_any_stranger(trusted, bea):  # LIM-12
    make_shopper(bea, "bea@example.com", name="Bea")
    answers = []
    for _ in range(6):
        bea.post(CONFIRM, current=PASSWORD)
        answers.append(bea.post(CONTACT, contact=EMAIL).status_code)
    assert answers[-1] == 429

    assert trusted.post(CODE, identifier=EMAIL).to == CODE_VERIFY


def test_counting_refusals_does_not_tell_when_the_owner_got_a_code(trusted):  # ABU-08
    """What a stranger gets is the same whether or not the owner has asked meanwhile."""
    assert trusted.post(CODE, identifier=EMAIL).to == CODE_VERIFY

    answers = [somebody().post(CODE, identifier=EMAIL).status_code for _ in range(5)]

    assert answers == [200] * 4 + [429]


def test_an_honest_newcomer_gets_a_code_and_three_more(ana):  # LIM-12
    ana.identify("new@example.com")
    answers = []
    for _ in range(4):
        time_passes(seconds=61)
        answers.append(ana.post(RESEND).status_code)

    assert answers == [303] * 3 + [429]


def test_staff_see_what_is_full_and_until_when_and_lift_it(owner, staff):  # LIM-12
    fifteen_requests_of_strangers()
    page = words(staff.client.get(f"{USERS}{owner.pk}/change/"))
    found = words(staff.client.post(LOOKUP, {"who": EMAIL}))
    for said in (page, found):
        assert "messages to this address, in new browsers, full until" in said
        assert "passwords tried for the account, full until" in said
    assert "Lift lock" in page

    staff.client.post(f"{USERS}{owner.pk}/lift-lock/")

    assert "Limit reached" not in words(staff.client.get(f"{USERS}{owner.pk}/change/"))
    assert somebody().post(CODE, identifier=EMAIL).status_code == 200
    assert somebody().post(RESET, identifier=EMAIL).status_code == 200
    assert sign_in(somebody()).status_code == 200


def test_staff_lift_the_guesses_and_resends_of_each_contact(owner, staff, monkeypatch, postbox):
    monkeypatch.setattr(conf, "CODE_GUESSES_PER_ID", parse_rates("2/d"))
    guesser = Shopper()
    guesser.post(CODE, identifier=PHONE)
    answers = [guesser.post(CODE_VERIFY, code=wrong(postbox.code(PHONE))) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [422, 429]

    staff.client.post(f"{USERS}{owner.pk}/lift-lock/")

    assert guesser.post(CODE_VERIFY, code=postbox.code(PHONE)).to == HOME


# Lock-outs: a household


def test_thirty_wrong_passwords_behind_one_address_close_no_trusted_browser(trusted):  # LIM-04, 05
    neighbour = Shopper("json", ip=CARRIER)
    answers = [sign_in(neighbour, f"person{number}", WRONG).status_code for number in range(32)]
    assert answers == [400] * 30 + [429] * 2

    assert sign_in(trusted).to == HOME


def test_a_trusted_browser_is_not_counted_for_its_household(trusted):  # LIM-04, LIM-05
    sign_in(Shopper(ip=CARRIER), EMAIL, WRONG)
    used = Bucket.objects.get(name="passwords by IP").hits
    for _ in range(5):
        sign_in(trusted, EMAIL, WRONG)

    assert Bucket.objects.get(name="passwords by IP").hits == used


def test_a_household_that_is_refused_adds_no_row(db, monkeypatch):  # LIM-10
    monkeypatch.setattr(conf, "LOGIN_FAILURES_PER_IP", parse_rates("3/10m"))
    neighbour = Shopper("json", ip=CARRIER)
    for number in range(3):
        sign_in(neighbour, f"person{number}", WRONG)
    rows = Bucket.objects.count()

    for number in range(50):
        assert sign_in(neighbour, f"another{number}", WRONG).status_code == 429

    assert Bucket.objects.count() == rows


def past_the_probes():
    """A household that has learned of ten taken addresses."""
    prober = Shopper("json", ip=CARRIER)
    for _ in range(10):
        assert prober.identify(EMAIL).status_code == 400
    return prober


def noted(who, act, *args, **kwargs):
    """One answer, what it cost, and in which statements."""
    with CaptureQueriesContext(connection) as queries:
        answer = comparable(act(*args, **kwargs))
    kinds = [query["sql"].split()[0] for query in queries]
    return TIMES.sub("<time>", repr(answer).replace(who, "<who>")), kinds


def walk(who):
    """What a stranger sees of one address, past the probes."""
    prober = Shopper("htmx", ip=CARRIER)
    yield noted(who, prober.identify, who)
    yield noted(who, prober.get, VERIFY)
    time_passes(seconds=61)
    yield noted(who, prober.get, "/register/delivery/")
    yield noted(who, prober.post, RESEND)
    yield noted(who, prober.verify, "000000")


@pytest.mark.parametrize("is_active", [True, False], ids=["active", "shut out"])
def test_past_ten_probes_taken_and_free_addresses_are_one(owner, is_active):  # ENU-06
    User.objects.update(is_active=is_active)
    past_the_probes()

    taken, free = (list(walk(who)) for who in (EMAIL, "new@example.com"))

    assert taken == free
    assert VERIFY in taken[0][0]


def test_past_ten_probes_the_owner_hears_of_it(owner, postbox):  # ENU-06
    past_the_probes().identify(EMAIL)

    assert "you already have an account" in postbox.messages(EMAIL)[0]["text"].lower()


def test_ten_probes_close_no_registration(owner, postbox):  # LIM-12
    past_the_probes()
    neighbour = Shopper(ip=CARRIER)

    neighbour.signs_up("new@example.com")

    assert neighbour.is_signed_in


# Sign-ins that succeed


@pytest.fixture
def twenty_sign_ins(owner):
    """Somebody who knows the password has come in twenty times, each time in a new browser."""
    for _ in range(20):
        assert sign_in(somebody()).status_code == 200


@pytest.mark.usefixtures("twenty_sign_ins")
def test_new_browsers_come_in_twenty_times_an_hour_and_leave_no_more_rows(postbox):  # LIM-10
    before = Session.objects.count(), SecurityEvent.objects.filter(kind="signed_in").count()

    assert sign_in(somebody()).status_code == 429

    after = Session.objects.count(), SecurityEvent.objects.filter(kind="signed_in").count()
    assert after == before
    time_passes(hours=1, seconds=1)
    assert sign_in(somebody()).status_code == 200


@pytest.mark.usefixtures("twenty_sign_ins")
def test_a_code_counts_as_well_and_is_not_used_up_by_the_refusal(postbox):  # LIM-10
    reader = somebody()
    reader.post(CODE, identifier=PHONE)

    assert reader.post(CODE_VERIFY, code=postbox.code(PHONE)).status_code == 429
    assert Challenge.objects.get(purpose="login").verified_at is None


def test_a_trusted_browser_comes_in_as_often_as_it_likes(trusted, monkeypatch):  # LIM-04
    monkeypatch.setattr(conf, "SIGN_INS_PER_ACCOUNT", (Rate(1, 3600),))
    for _ in range(25):
        assert sign_in(trusted).to == HOME
        leaves(trusted)


@pytest.mark.usefixtures("twenty_sign_ins")
def test_the_twenty_tell_nothing_to_whoever_does_not_know_the_password():  # ENU-01
    known, unknown = (sign_in(somebody(), who, WRONG) for who in (EMAIL, "new@example.com"))

    assert comparable(known) == comparable(unknown)


@pytest.mark.usefixtures("twenty_sign_ins")
def test_a_right_password_that_is_refused_does_not_run_hashes_without_end():  # LIM-02, LIM-09
    thief = Shopper("json", ip=CARRIER)

    for _ in range(5):
        assert "That was too often." in words(sign_in(thief))

    assert "too many tries with a password" in words(sign_in(thief))
