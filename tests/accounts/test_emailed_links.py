"""Emailed links in one browser: each tab acts on the link it shows, and nothing is left for the next person."""

from urllib.parse import quote

import pytest
from django.contrib.auth.hashers import make_password
from django.db.models.functions import Now

from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, User
from accounts.views import negotiation
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    HOME,
    LINK,
    LOGIN,
    LOGOUT,
    PASSWORD,
    REGISTER,
    Shopper,
    link_cookies,
    make_shopper,
    time_passes,
)

RESET, NEW_PASSWORD, NOT_ME = "/password-reset/", "/password-reset/new/", "/not-me/"
RESET_VERIFY = "/password-reset/verify/"
AA, BB, PHONE = "aa@example.com", "bb@example.com", "+12025550123"
CHOSEN = "another good password"
NOT_OPEN = "Open the link in our message again"


def account(email=AA, phone=""):
    """An account with these contacts, all verified."""
    user = User.objects.register(
        parse(email), name="Ana", completed_at=Now(), password=make_password(PASSWORD)
    )
    if phone:
        User.objects.filter(pk=user.pk).update(**User.verified_columns(parse(phone)))
    return user


def reset_link(postbox, email=AA):
    """The link that somebody asked for on another device."""
    Shopper(ip="192.0.2.44").post(RESET, identifier=email)
    return postbox.link(email)


def sign_up_link(postbox, email=AA):
    """The same, for a new account."""
    Shopper(ip="192.0.2.44").identify(email)
    return postbox.link(email)


def notice_link(postbox, email=AA):
    """The link of the notice that a sign-in in a new browser brought."""
    Shopper(ip="192.0.2.45").post(LOGIN, identifier=email, password=PASSWORD)
    return postbox.link(email)


def form_of(answer):
    """Where the form on this page goes, and its hidden fields."""
    form = next(form for form in Page(answer).forms if "link" in form["fields"])
    return form["action"], form["fields"]


def submit(tab, shopper, **typed):
    """Press the button of this tab, whatever else was opened since."""
    action, fields = form_of(tab)
    return shopper.post(action, {**fields, **typed})


def opens(who, password):
    """Whether this password opens the account."""
    shopper = Shopper(ip="198.51.100.9")
    shopper.post(LOGIN, identifier=who, password=password)
    return shopper.is_signed_in


# A tab acts on the link it shows


def test_of_two_reset_links_each_tab_sets_the_password_of_its_own_account(ana, postbox):
    account(AA)
    account(BB)
    tab = ana.open(reset_link(postbox, AA))
    ana.open(reset_link(postbox, BB))

    saved = submit(tab, ana, password=CHOSEN)

    assert saved.to == LOGIN
    assert (opens(AA, CHOSEN), opens(BB, CHOSEN)) == (True, False)
    assert opens(BB, PASSWORD)


def test_of_two_sign_up_links_each_tab_verifies_the_address_it_shows(ana, postbox):
    first = ana.open(sign_up_link(postbox, AA))
    ana.open(sign_up_link(postbox, BB))
    assert "a•••@example.com" in words(first)

    submit(first, ana)

    assert User.objects.get().email == AA


def test_of_two_notices_each_tab_secures_its_own_account(ana, postbox):
    account(AA)
    account(BB)
    first = ana.open(notice_link(postbox, AA))
    ana.open(notice_link(postbox, BB))

    submit(first, ana)

    assert (opens(AA, PASSWORD), opens(BB, PASSWORD)) == (False, True)


def test_a_new_password_after_the_notice_is_for_the_account_of_the_notice(ana, postbox):
    account(AA)
    account(BB)
    notice = ana.open(notice_link(postbox, AA))
    chosen = ana.get(submit(notice, ana).to)
    ana.open(reset_link(postbox, BB))

    submit(chosen, ana, password=CHOSEN)

    assert (opens(AA, CHOSEN), opens(BB, CHOSEN)) == (True, False)


def test_a_new_password_after_a_texted_code_is_for_the_account_of_the_code(ana, postbox):
    account(AA, PHONE)
    account(BB)
    ana.post(RESET, identifier=PHONE)
    chosen = ana.get(ana.post(RESET_VERIFY, code=postbox.code(PHONE)).to)
    ana.open(reset_link(postbox, BB))

    submit(chosen, ana, password=CHOSEN)

    assert (opens(AA, CHOSEN), opens(BB, CHOSEN)) == (True, False)


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("page", "link_of"), [(NEW_PASSWORD, reset_link), (NOT_ME, notice_link), (LINK, sign_up_link)]
)
@pytest.mark.parametrize("dead", ["A" * 46, "", "x"], ids=["invented", "missing", "short"])
def test_a_dead_link_opened_beside_a_live_one_changes_nothing(ana, postbox, page, link_of, dead):
    if page != LINK:
        account(AA)
    tab = ana.open(link_of(postbox))
    before = link_cookies(ana)

    gone = ana.open(f"{page}?token={dead}")

    assert (gone.status_code, "This link no longer works" in words(gone)) == (410, True)
    assert link_cookies(ana) == before
    assert submit(tab, ana, password=CHOSEN).status_code == 303


@pytest.mark.sample(5)
@pytest.mark.parametrize("face", ["page", "htmx"])
@pytest.mark.parametrize("named", ["0" * 16, "", "__Host-session", "a;b\r\n=", "é" * 900])
def test_a_form_whose_link_this_browser_does_not_hold_spends_nothing(face, named, db, postbox):
    account(AA)
    ana = Shopper(face)
    link = reset_link(postbox)
    ana.open(link)

    refused = ana.post(NEW_PASSWORD, link=named, password=CHOSEN)

    assert refused.status_code == (409 if named else 410)
    assert (NOT_OPEN in words(refused)) is bool(named)
    assert opens(AA, PASSWORD)
    ana.open(link)
    assert ana.post(NEW_PASSWORD, password=CHOSEN).to == LOGIN


def test_another_browser_gains_nothing_from_the_name_of_a_link(ana, bea, postbox):
    account(AA)
    shown = ana.open(reset_link(postbox))
    _action, fields = form_of(shown)

    refused = bea.post(NEW_PASSWORD, fields, password=CHOSEN)

    assert refused.status_code == 409
    assert opens(AA, PASSWORD)


def test_a_page_names_its_link_and_never_its_token(ana, postbox):
    account(AA)
    link = reset_link(postbox)

    shown = ana.open(link)

    token = link.partition("=")[2]
    assert form_of(shown)[1]["link"] == ana.link
    assert token not in shown.content.decode()
    assert ana.link not in (token[:16], str(Challenge.objects.get(purpose=Purpose.RESET).pk))


def test_a_refused_password_keeps_the_tab_on_its_link(ana, postbox):
    account(AA)
    account(BB)
    tab = ana.open(reset_link(postbox, AA))
    ana.open(reset_link(postbox, BB))

    again = submit(tab, ana, password="short")

    assert again.status_code == 422
    assert submit(again, ana, password=CHOSEN).to == LOGIN
    assert (opens(AA, CHOSEN), opens(BB, CHOSEN)) == (True, False)


def test_json_names_the_link_in_its_answer(db, postbox):
    account(AA, PHONE)
    client = Shopper("json")
    client.post(RESET, identifier=PHONE)

    verified = client.post(RESET_VERIFY, code=postbox.code(PHONE)).json()
    saved = client.post(NEW_PASSWORD, link=verified["link"], password=CHOSEN)

    assert saved.status_code == 200
    assert opens(AA, CHOSEN)


@pytest.mark.parametrize("link", [None, 1, ["A" * 16], {"a": 1}], ids=str)
def test_a_name_that_is_no_text_names_no_link(db, link):  # IDN-08
    assert Shopper("json").post(NEW_PASSWORD, link=link, password=CHOSEN).status_code in (400, 410)


# How many, how long


@pytest.mark.parametrize(("count", "kept"), [(5, 5), (6, 5)])
def test_five_links_are_open_beside_each_other(ana, postbox, count, kept):
    for number in range(count):
        ana.open(sign_up_link(postbox, f"fan{number}@example.com"))

    assert len(link_cookies(ana)) == kept
    assert any(ana.link in name for name in link_cookies(ana))


def test_of_six_links_the_one_opened_first_goes(ana, postbox):
    cookies = []
    for number in range(5):
        bea = Shopper()
        bea.open(sign_up_link(postbox, f"fan{number}@example.com"))
        cookies += [(name, cookie.value) for name, cookie in link_cookies(bea).items()]
    # In the order a browser sends them (RFC 6265 5.4).
    sent = "; ".join(f"{name}={value}" for name, value in cookies)

    opened = ana.client.get(sign_up_link(postbox, "fan5@example.com"), headers={"Cookie": sent})

    gone = [name for name, cookie in opened.cookies.items() if not cookie.value]
    assert gone == [cookies[0][0]]


def test_a_link_opened_late_is_kept_for_what_is_left_of_it(ana, postbox):  # REC-10
    account(AA)
    link = reset_link(postbox)
    time_passes(minutes=50)

    ana.open(link)

    (cookie,) = link_cookies(ana).values()
    assert 590 < cookie["max-age"] <= 600


# The next person at this browser


def signs_in(browser):
    """With a password."""
    browser.post(LOGIN, identifier=BB, password=PASSWORD)


def signs_up(browser):
    """Step 2 signs in."""
    browser.signs_up("new@example.com")


def signs_out(browser):
    """Without having signed in, which is the same button's page."""
    browser.post(LOGOUT)


@pytest.mark.sample(5)
@pytest.mark.parametrize("moment", [signs_in, signs_up, signs_out])
@pytest.mark.parametrize(
    ("page", "link_of"), [(NEW_PASSWORD, reset_link), (NOT_ME, notice_link), (LINK, sign_up_link)]
)
def test_the_next_person_finds_no_link_of_the_one_before(
    ana, postbox, moment, page, link_of
):  # REC-10
    if page != LINK:
        account(AA)
    account(BB)
    shown = ana.open(link_of(postbox))
    Shopper(ip="192.0.2.46").post(RESET, identifier=BB)

    moment(ana)

    assert not link_cookies(ana)
    asked = [
        ana.get(f"{page}?link={form_of(shown)[1]['link']}"),
        submit(shown, ana, password=CHOSEN),
    ]
    assert [answer.status_code for answer in asked] == [409, 409]
    assert not opens(AA, CHOSEN)


@pytest.mark.parametrize("way", ["account/delete", "logout"])
def test_who_leaves_takes_the_links_along(ana, postbox, way):  # REC-10
    make_shopper(ana, BB)
    account(AA)
    shown = ana.open(reset_link(postbox, AA))
    assert link_cookies(ana)

    ana.post(f"/{way}/")

    assert not link_cookies(ana)
    assert submit(shown, ana, password=CHOSEN).status_code == 409


def test_a_password_that_is_changed_forgets_the_links_too(ana, postbox):
    make_shopper(ana, BB)
    account(AA)
    ana.open(reset_link(postbox, AA))

    ana.post("/account/password/", current=PASSWORD, password=CHOSEN)

    assert not link_cookies(ana)


def test_a_link_that_was_forgotten_is_not_spent(ana, postbox):
    account(AA)
    account(BB)
    link = reset_link(postbox, AA)
    ana.open(link)
    signs_in(ana)
    ana.post(LOGOUT)

    ana.open(link)

    assert ana.post(NEW_PASSWORD, password=CHOSEN).to == LOGIN


# A stranger's `next`


@pytest.mark.parametrize("page", [LINK, NEW_PASSWORD, NOT_ME])
@pytest.mark.parametrize("query", ["?token=" + "A" * 46, "?link=" + "0" * 16, "", "#token=x"])
def test_no_next_leads_to_an_emailed_link(page, query):  # WEB-03
    assert negotiation.local_path(page + query) == ""


@pytest.mark.parametrize("path", ["/?token=x", "/account/?a=b&token=", f"{ACCOUNT}?token"])
def test_no_next_carries_a_token(path):  # WEB-03
    assert negotiation.local_path(path) == ""


@pytest.mark.parametrize(
    "path", [HOME, ACCOUNT, f"{ACCOUNT}?page=2", "/account/#tokens", "/?" + "a&" * 60]
)
def test_other_pages_are_still_destinations(path):  # WEB-03
    assert negotiation.local_path(path) == path


def test_a_strangers_link_as_next_opens_nothing(ana, postbox):
    account(AA)
    theirs = sign_up_link(postbox, "eve@example.com")

    ana.get(f"{REGISTER}?next={quote(theirs)}")
    signed_in = ana.post(LOGIN, identifier=AA, password=PASSWORD, next=theirs)

    assert signed_in.to == HOME
    assert not link_cookies(ana)


def test_a_password_that_is_set_in_one_tab_leaves_the_link_of_another_open(db, postbox):  # REC-04
    for name in ("aa@example.com", "bb@example.com"):
        make_shopper(Shopper(ip="192.0.2.1"), name)
    browser = Shopper(ip="192.0.2.2")
    pages = {}
    for name in ("aa@example.com", "bb@example.com"):
        browser.post("/password-reset/", identifier=name)
        pages[name] = browser.get(postbox.link(name)).headers["Location"]

    for name, page in pages.items():
        answer = browser.post(
            page, password=f"a new one for {name}", link=page.partition("link=")[2]
        )
        assert answer.to == "/login/", name

    for name in pages:
        assert User.objects.get(email=name).check_password(f"a new one for {name}")
