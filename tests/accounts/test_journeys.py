"""Several journeys in one browser: each tab acts on the attempt it shows, whatever was begun since."""

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from accounts import conf
from accounts.flows import deletion
from accounts.identifiers import parse
from accounts.models import Challenge, Session, User
from accounts.sessions import pending
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    CHANGE,
    COMPLETE,
    HOME,
    LOGIN,
    LOGOUT,
    PASSWORD,
    REGISTER,
    RESEND,
    VERIFY,
    Shopper,
    check_tokens,
    time_passes,
    wrong,
)

CODE, CODE_VERIFY, CODE_RESEND = "/login/code/", "/login/code/verify/", "/login/code/resend/"
RESET, RESET_VERIFY, RESET_RESEND = (
    "/password-reset/",
    "/password-reset/verify/",
    "/password-reset/resend/",
)
CONFIRM, CONFIRM_CODE = "/account/confirm/", "/account/confirm/code/"
CONTACT, CONTACT_RESEND = "/account/contact/", "/account/contact/resend/"
EMAIL_PAGE, PHONE_PAGE = "/account/contacts/email/", "/account/contacts/phone/"
AA, BB, CC, PHONE = "aa@example.com", "bb@example.com", "cc@example.com", "+12025550123"
OTHER_PAGE = "You have started something else since you opened that page"
LOST = "If your code was accepted a moment ago"

pytestmark = pytest.mark.django_db


def account(email=CC, phone=PHONE):
    """An account with these contacts, both verified."""
    user = User.objects.register(
        parse(email), name="Cara", completed_at=Now(), password=make_password(PASSWORD)
    )
    User.objects.filter(pk=user.pk).update(**User.verified_columns(parse(phone)))
    return user


def tab(shopper, url, **fields):
    """Begin a journey; the page it leads to stays open."""
    return shopper.get(shopper.post(url, fields).page)


def form_of(page, name="code-form"):
    """Where a form of this page goes, and what it sends along by itself."""
    (form,) = [form for form in Page(page).forms if form.get("id") == name]
    hidden = [each for each in form["fields"] if each != "code"]
    return form["action"], {each: form["fields"][each] for each in hidden}


def submit(page, shopper, form="code-form", **typed):
    """Press the button of this tab, whatever else was begun since."""
    action, fields = form_of(page, form)
    return shopper.post(action, {**fields, **typed})


def tries_of(who):
    return Challenge.objects.filter(recipient=who).latest("created_at").tries_left


# Each tab its own


@pytest.mark.parametrize("face", ["page", "htmx"])
@pytest.mark.parametrize("mine", [AA, BB])
def test_of_two_sign_ups_each_tab_takes_its_own_code(postbox, face, mine):  # REC-09, DESIGN idea 6
    shopper = Shopper(face)
    tabs = {who: tab(shopper, REGISTER, identifier=who) for who in (AA, BB)}

    assert submit(tabs[mine], shopper, code=postbox.code(mine)).to == COMPLETE

    assert User.objects.get().email == mine


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_a_wrong_code_costs_the_attempt_of_its_tab_a_try(postbox, face):  # REC-09, DESIGN idea 6
    shopper = Shopper(face)
    first = tab(shopper, REGISTER, identifier=AA)
    tab(shopper, REGISTER, identifier=BB)

    refused = submit(first, shopper, code=postbox.code(BB))

    assert (refused.status_code, AA in words(refused)) == (422, True)
    assert (tries_of(AA), tries_of(BB)) == (conf.CODE_MAX_ATTEMPTS - 1, conf.CODE_MAX_ATTEMPTS)
    assert submit(refused, shopper, code=postbox.code(AA)).to == COMPLETE


JOURNEYS = {
    "sign-up": (REGISTER, {"identifier": BB}, BB, COMPLETE),
    "sign-in": (CODE, {"identifier": CC}, CC, HOME),
    "new password": (RESET, {"identifier": PHONE}, PHONE, "/password-reset/new/"),
}


@pytest.mark.parametrize("first", JOURNEYS)
@pytest.mark.parametrize("second", JOURNEYS)
def test_a_journey_in_another_tab_leaves_a_code_as_it_was(ana, postbox, first, second):  # REC-09
    account()
    url, fields, who, end = JOURNEYS[first]
    page = tab(ana, url, **fields)
    code = postbox.code(who)

    url, fields, _who, _end = JOURNEYS[second]
    tab(ana, url, **({"identifier": AA} if first == second == "sign-up" else fields))

    assert submit(page, ana, code=code).to.partition("?")[0] == end


def test_a_reload_and_back_show_the_attempt_of_the_tab(ana):  # REC-09, COD-11
    first = ana.identify(AA).page
    second = ana.identify(BB).page

    for page, who in ((first, AA), (second, BB), (first, AA)):
        assert who in Page(ana.get(page)).text("bdi")
    # Whoever comes by the bare address is shown the newest.
    assert BB in Page(ana.get(VERIFY)).text("bdi")


def test_the_links_of_a_page_lead_to_the_same_attempt(ana, postbox):  # REC-09
    first = tab(ana, REGISTER, identifier=AA)
    tab(ana, REGISTER, identifier=BB)
    (back,), (change,) = (Page(first).all("a", id=each) for each in ("back", "change-identifier"))

    began = Page(ana.get(back["href"]))
    changing = Page(ana.get(change["href"]))

    for page in (began, changing):
        assert page.inputs["identifier"]["value"] == AA
    (way_back,) = changing.all("a", id="back")
    assert AA in words(ana.get(way_back["href"]))
    # The same address once more sends no second code (ux 48).
    sent = len(postbox)
    again = ana.post(REGISTER, began.forms[0]["fields"])
    assert (again.page, len(postbox)) == (way_back["href"], sent)


def test_a_new_code_is_for_the_tab_that_asks(ana, postbox):  # REC-09, COD-09
    first = tab(ana, REGISTER, identifier=AA)
    tab(ana, REGISTER, identifier=BB)
    time_passes(minutes=3)

    again = ana.get(submit(first, ana, form="resend-form").page)

    assert AA in words(again)
    assert [Challenge.objects.get(recipient=who).sends for who in (AA, BB)] == [2, 1]
    assert submit(again, ana, code=postbox.code(AA)).to == COMPLETE


def test_another_address_takes_the_place_of_its_own_attempt(ana, postbox):  # REC-09, ux 49
    first = tab(ana, REGISTER, identifier=AA)
    second = tab(ana, REGISTER, identifier=BB)
    code = postbox.code(AA)
    (change,) = Page(first).all("a", id="change-identifier")
    fields = Page(ana.get(change["href"])).forms[0]["fields"]

    changed = ana.get(ana.post(CHANGE, {**fields, "identifier": CC}).page)

    refused = submit(first, ana, code=code)
    assert refused.status_code == 303
    assert OTHER_PAGE in words(ana.get(refused.page))
    assert submit(second, ana, code=wrong(postbox.code(BB))).status_code == 422
    assert submit(changed, ana, code=postbox.code(CC)).to == COMPLETE


@pytest.mark.parametrize("face", ["page", "htmx"])
def test_used_up_tries_are_replaced_in_their_own_tab(postbox, face):  # REC-09, ux 37
    shopper = Shopper(face)
    first = tab(shopper, REGISTER, identifier=AA)
    code = postbox.code(AA)
    tab(shopper, REGISTER, identifier=BB)
    for _try in range(conf.CODE_MAX_ATTEMPTS):
        first = submit(first, shopper, code=wrong(code))
    time_passes(minutes=3)

    replaced = submit(first, shopper, form="resend-form")
    # In place the browser is told what a reload shall ask for.
    page = replaced.page or replaced.headers["HX-Replace-Url"]

    assert AA in words(shopper.get(page))
    assert submit(shopper.get(page), shopper, code=postbox.code(AA)).to == COMPLETE


def test_the_line_of_the_message_is_about_its_own(ana, postbox):  # REC-09, ux 51
    first = tab(ana, REGISTER, identifier=AA)
    tab(ana, REGISTER, identifier=PHONE)
    (line,) = [each for each in Page(first).all("span") if "hx-get" in each]
    len(postbox)
    time_passes(seconds=5)

    ana.face = "htmx"

    assert "Handed to your mail provider." in words(ana.get(line["hx-get"]))
    assert ana.get(line["hx-get"].replace("attempt=", "attempt=x")).status_code == 286


def test_an_address_and_a_number_are_confirmed_in_two_tabs(ana, postbox):  # REC-09, REG-04
    ana.signs_up(AA)
    address = tab(ana, EMAIL_PAGE, contact=BB)
    number = tab(ana, PHONE_PAGE, contact=PHONE)

    assert submit(address, ana, code=wrong(postbox.code(BB))).status_code == 422
    assert tries_of(PHONE) == conf.CODE_MAX_ATTEMPTS
    assert submit(number, ana, code=postbox.code(PHONE)).to == ACCOUNT

    # The other one died with this change, and says so (REC-05).
    assert submit(address, ana, code=postbox.code(BB)).to == ACCOUNT
    assert (User.objects.get().email, User.objects.get().phone) == (AA, PHONE)


def test_a_new_contact_leaves_the_code_of_a_confirmation_as_it_was(ana, postbox):  # REC-09, REC-08
    ana.signs_up(AA)
    page = tab(ana, CONFIRM_CODE)
    code = postbox.code(AA)
    ana.post(PHONE_PAGE, contact=PHONE)

    assert submit(page, ana, code=code).to == ACCOUNT


def test_a_link_is_known_in_any_tab_of_the_browser_that_began(ana, postbox):  # REG-08, REC-09
    ana.identify(AA, name="Ana", password=PASSWORD)
    link = postbox.link(AA)
    ana.identify(BB)

    ana.open(link)
    ana.post("/verify-email/")

    assert User.objects.get(email=AA).name == "Ana"


# What this browser does not hold


FORMS = [VERIFY, RESEND, CHANGE, CODE_VERIFY, CODE_RESEND, RESET_VERIFY, RESET_RESEND]


@pytest.mark.sample(16)
@pytest.mark.parametrize(
    "named", ["0" * 16, "x", "a;b\r\n=", "é" * 900, "\ud800", ["A" * 16], {"a": 1}, 1]
)
@pytest.mark.parametrize("url", FORMS)
def test_a_form_about_an_attempt_that_is_not_here_spends_nothing(postbox, url, named):  # IDN-08
    account()
    client = Shopper("json")
    for url_of, fields, _who, _end in JOURNEYS.values():
        client.post(url_of, fields)
    before = list(Challenge.objects.order_by("pk").values())
    time_passes(minutes=3)

    refused = client.post(url, attempt=named, code="123456", identifier=AA)

    assert refused.status_code == 409
    assert OTHER_PAGE in words(refused)
    after = Challenge.objects.order_by("pk").values("tries_left", "sends", "cancelled_at")
    assert list(after) == [
        {name: row[name] for name in ("tries_left", "sends", "cancelled_at")} for row in before
    ]


def test_another_browser_gains_nothing_from_the_name_of_an_attempt(ana, bea, postbox):  # COD-08
    page = tab(ana, REGISTER, identifier=AA)
    tab(bea, REGISTER, identifier=BB)

    refused = submit(page, bea, code=postbox.code(AA))

    assert refused.to == VERIFY
    assert OTHER_PAGE in words(bea.get(refused.page))
    assert tries_of(AA) == tries_of(BB) == conf.CODE_MAX_ATTEMPTS


def test_an_attempt_of_another_journey_is_none_of_this_one(ana, postbox):  # COD-08
    account()
    page = tab(ana, CODE, identifier=CC)
    tab(ana, REGISTER, identifier=AA)
    _action, fields = form_of(page)

    assert ana.post(VERIFY, {**fields, "code": postbox.code(CC)}).to == VERIFY

    assert tries_of(CC) == tries_of(AA) == conf.CODE_MAX_ATTEMPTS


def test_who_names_no_attempt_means_the_newest(postbox):  # promise 4.3, REC-09
    account()
    client = Shopper("json")
    client.identify(AA)
    client.identify(BB)
    client.post(CODE, identifier=CC)

    assert client.verify(postbox.code(BB)).status_code == 200
    assert User.objects.filter(email=BB).exists()


def test_a_page_names_its_attempt_and_not_its_row(ana):  # WEB-05
    page = tab(ana, REGISTER, identifier=AA)

    attempt = Challenge.objects.get()
    assert form_of(page)[1]["attempt"] == attempt.reference
    assert str(attempt.pk) not in page.content.decode()


# How many


def test_five_journeys_live_beside_each_other(ana, postbox):  # REC-09
    people = [f"fan{number}@example.com" for number in range(pending.JOURNEYS_MAX + 1)]
    tabs = [tab(ana, REGISTER, identifier=who) for who in people]

    gone = submit(tabs[0], ana, code=postbox.code(people[0]))

    assert OTHER_PAGE in words(ana.get(gone.page))
    for page, who in zip(tabs[1:], people[1:], strict=True):
        assert submit(page, ana, code=wrong(postbox.code(who))).status_code == 422
    assert len(Session.objects.get().get_decoded()["pending"]) == pending.JOURNEYS_MAX
    assert submit(tabs[1], ana, code=postbox.code(people[1])).to == COMPLETE


def test_the_newest_is_read_with_the_session_and_another_one_with_one_statement(ana):  # DESIGN
    first, second = ana.identify(AA).page, ana.identify(BB).page
    asked = {}

    for page in (first, second):
        with CaptureQueriesContext(connection) as queries:
            ana.get(page)
        asked[page] = len([each for each in queries if "outbox" not in each["sql"]])

    assert asked == {second: 1, first: 2}


def test_who_is_erased_is_erased_from_the_tabs_behind(ana):  # LOG-07, REC-09
    account(AA)
    ana.post(CODE, identifier=AA)
    ana.identify(BB)
    User.objects.update(deletion_due_at=Now())

    deletion.erase_due()

    assert not Session.objects.exists()


# Signing in


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("face", ["page", "htmx"])
def test_a_tab_left_behind_by_a_sign_in_is_led_on(postbox, face, checked):  # REC-09, ux 42
    account()
    shopper = Shopper(face)
    page = tab(shopper, REGISTER, identifier=AA)
    shopper.post(LOGIN, identifier=CC, password=PASSWORD)
    if checked:
        check_tokens(shopper.client)

    led = submit(page, shopper, code=postbox.code(AA))

    assert led.to == HOME
    assert "You are already signed in." in words(shopper.client.get(HOME))
    assert tries_of(AA) == conf.CODE_MAX_ATTEMPTS
    assert "pending" not in Session.objects.get(user__isnull=False).get_decoded()


def test_the_profile_is_completed_of_the_account_that_the_page_shows(ana, postbox):  # REC-09
    submit(tab(ana, REGISTER, identifier=AA), ana, code=postbox.code(AA))
    shown = Page(ana.get(COMPLETE)).forms
    (fields,) = [form["fields"] for form in shown if form.get("action") == COMPLETE]
    ana.post(LOGOUT)
    submit(tab(ana, REGISTER, identifier=BB), ana, code=postbox.code(BB))

    refused = ana.post(COMPLETE, {**fields, "name": "Ana", "password": PASSWORD})

    assert refused.to == COMPLETE
    assert "You have signed in with another account" in words(ana.get(COMPLETE))
    assert not User.objects.exclude(completed_at=None).exists()
    assert ana.complete().status_code == 303


@pytest.mark.parametrize("face", ["page", "htmx", "json"])
@pytest.mark.parametrize("url", [VERIFY, CODE_VERIFY])
def test_who_lost_the_answer_is_one_click_from_another_code(postbox, face, url):  # SES-13, COD-11
    account()
    shopper = Shopper(face)
    who = {VERIFY: AA, CODE_VERIFY: CC}[url]
    page = tab(Shopper(), {VERIFY: REGISTER, CODE_VERIFY: CODE}[url], identifier=who)
    _action, fields = form_of(page)
    code = postbox.code(who)

    lost = shopper.post(url, {**fields, "code": code})

    assert (lost.status_code, LOST in words(lost)) == (409, True)
    assert tries_of(who) == conf.CODE_MAX_ATTEMPTS
    if face != "json":
        (form,) = [form for form in Page(lost).forms if form["action"] == CODE]
        assert form["fields"]["identifier"] == who
