"""Where a shopper is signed in: the list, ending one or all others, and the ends that come by themselves."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import conf
from accounts.models import Client, Session, User
from tests.support.account import (
    CONFIRM,
    CONFIRM_CODE,
    CONTACT,
    DELETE,
    DEVICES,
    EMAIL,
    EMAIL_PAGE,
    LOGIN_CODE,
    LOGIN_VERIFY,
    NAMES,
    NEW,
    OTHER_EMAIL,
    OTHERS_OUT,
    PHONE,
    RESET,
    RESET_NEW,
    copy_of,
    is_refused,
    is_stale,
    joins,
    kinds,
    must_confirm,
    signs_in,
)
from tests.support.apps import App
from tests.support.pages import Page, words
from tests.support.people import (
    ACCOUNT,
    HOME,
    LOGIN,
    PASSWORD,
    Shopper,
    check_tokens,
    let_in,
    time_passes,
)
from tests.support.staff import Member, let_in_staff, make_staff

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605 Version/18.0 Safari/604.1"
ADDRESSES = {"here": "203.0.113.7", "phone": "198.51.100.20", "work": "192.0.2.30"}


@pytest.fixture
def three(request, db):
    """One shopper in three browsers: here, on a phone, and at work."""
    password = getattr(request, "param", PASSWORD)
    agents = {"here": CHROME, "phone": SAFARI, "work": "curl/8"}
    browsers = {
        place: Shopper(ip=ip, **{"user-agent": agents[place]}) for place, ip in ADDRESSES.items()
    }
    user = joins(browsers["here"], password=password)
    for place in ("phone", "work"):
        let_in(browsers[place], user, by="password" if password else user.primary)
    return browsers


def alive(browsers):
    """The places where somebody is still signed in."""
    return {place for place, browser in browsers.items() if browser.is_signed_in}


def name_of(shopper):
    """What the row of this browser is called on pages."""
    return Session.objects.get(pk=shopper.session_key).name


def sign_out_of(name):
    return f"{DEVICES}{name}/sign-out/"


# The list


def test_the_list_says_where_when_and_in_what(three):  # SES-05
    page = Page(three["here"].get(DEVICES))

    titles = [text for text in page._texts["h2"] if text]
    assert sorted(titles) == ["Chrome on Windows", "Safari on iPhone", "Unknown browser"]
    assert set(page.text("bdi").split()) == set(ADDRESSES.values())
    assert len(page.all("time")) == 6
    assert page.text("span").count("This device") == 1


def test_this_browser_comes_first_and_then_the_one_used_last(three):
    Session.objects.filter(ip=ADDRESSES["work"]).update(last_used_at=Now() + timedelta(minutes=1))

    shown = Page(three["here"].get(DEVICES)).text("bdi").split()
    assert shown == [ADDRESSES[place] for place in ("here", "work", "phone")]


def test_an_app_stands_among_them_and_is_signed_out_alone(three):  # SES-05
    app = App(User.objects.get())
    page = Page(three["here"].get(DEVICES))
    assert "My Shop app on Android" in page._texts["h2"]
    assert app.session.ip in page.text("bdi")

    three["here"].post(sign_out_of(app.session.name))

    assert not app.is_signed_in
    assert alive(three) == set(ADDRESSES)
    assert "My Shop app on Android" not in Page(three["here"].get(DEVICES))._texts["h2"]


def test_an_app_that_is_in_the_middle_of_something_is_no_device(three):
    Session.objects.create(
        session_key="ab" * 20, client=Client.PENDING, expire_date=now() + timedelta(hours=1)
    )

    assert len(Page(three["here"].get(DEVICES)).all("h2")) == len(three)


# Two whole pages, and three devices on the third. A list of 6,001 was 6.4 MB and took 1.6 s.
MANY = 100


@pytest.fixture
def crowded(three):
    """So many more sessions of the same shopper."""
    user = User.objects.get()
    Session.objects.bulk_create(
        [
            Session(
                session_key=f"{number:040x}", user=user, ip="192.0.2.200",
                expire_date=now() + timedelta(days=1), last_used_at=now() - timedelta(hours=1),
            )
            for number in range(MANY)
        ]
    )  # fmt: skip
    return three


def test_many_devices_are_pages_of_fifty(crowded):  # SES-05
    first, last = (crowded["here"].get(DEVICES, query_params={"page": page}) for page in ("1", "3"))

    assert len(Page(first).all("li")) == 50
    assert len(first.content) < 100_000
    assert Page(first).text("bdi").split()[0] == ADDRESSES["here"]
    assert ("newer" in Page(first).ids, "older" in Page(first).ids) == (False, True)
    assert len(Page(last).all("li")) == 3
    assert ("newer" in Page(last).ids, "older" in Page(last).ids) == (True, False)
    assert "sign-out-others" in Page(last).ids


def test_every_device_stands_on_one_page(crowded):  # SES-05
    pages = [
        Page(crowded["here"].get(DEVICES, query_params={"page": number})) for number in (1, 2, 3)
    ]

    buttons = {button.get("id") for page in pages for button in page.all("button")}
    assert [len(page.all("li")) for page in pages] == [50, 50, 3]
    assert {f"sign-out-{name}" for name in names_of_others(crowded)} <= buttons


def names_of_others(browsers):
    """What the rows of all other browsers are called."""
    others = Session.objects.exclude(pk=browsers["here"].session_key)
    return others.values_list("name", flat=True)


def test_one_of_many_is_ended_without_reading_the_others(crowded):  # SES-05
    name = name_of(crowded["work"])

    with CaptureQueriesContext(connection) as queries:
        crowded["here"].post(sign_out_of(name))
    asked = [query["sql"] for query in queries if 'FROM "accounts_session"' in query["sql"]]

    assert alive(crowded) == {"here", "phone"}
    assert len(asked) == 2
    assert '"session_key" = ' in asked[0]
    assert name in asked[1]


def test_this_device_has_no_button(three):
    page = Page(three["here"].get(DEVICES))

    buttons = {
        button["id"]
        for button in page.all("button")
        if button.get("id", "").startswith("sign-out-")
    }
    others = {f"sign-out-{name_of(three[place])}" for place in ("phone", "work")}
    assert buttons == {*others, "sign-out-others"}


def test_whoever_is_signed_in_once_has_nothing_to_end(ana):
    joins(ana)

    page = Page(ana.get(DEVICES))

    assert "sign-out-others" not in page.ids
    assert "You are signed in nowhere else." in page.text("p")


def test_no_page_holds_what_would_sign_somebody_in(three):  # SES-05
    keys = list(Session.objects.values_list("pk", flat=True))

    shown = "".join(
        three["here"].get(url).content.decode() for url in (DEVICES, ACCOUNT, "/account/activity/")
    )

    assert len(keys) == 3
    assert not any(key in shown or key[:16] in shown for key in keys)


def test_what_a_browser_calls_itself_is_not_repeated(db):  # ABU-04, WEB-08
    shopper = Shopper(**{"user-agent": "<script>alert(1)</script> Firefox Linux"})
    joins(shopper)

    shown = shopper.get(DEVICES).content.decode()

    assert "Firefox on Linux" in shown
    assert "alert(1)" not in shown


def test_nobody_sees_the_devices_of_somebody_else(three, ana):
    joins(ana, email="bea@example.com")

    assert ADDRESSES["phone"] not in words(ana.get(DEVICES))


def test_a_session_that_is_over_is_not_listed(three):
    Session.objects.filter(ip=ADDRESSES["work"]).update(expire_date=Now())

    assert ADDRESSES["work"] not in words(three["here"].get(DEVICES))


# Ending them


@pytest.mark.parametrize("three", [PASSWORD, None], indirect=True, ids=["password", "no password"])
def test_one_device_is_signed_out(three):  # SES-05
    answer = three["here"].post(sign_out_of(name_of(three["work"])))

    assert answer.to == DEVICES
    assert "That device is signed out." in words(three["here"].get(DEVICES))
    assert alive(three) == {"here", "phone"}
    assert kinds()[-1] == "device_signed_out"


@pytest.mark.parametrize("three", [PASSWORD, None], indirect=True, ids=["password", "no password"])
def test_all_others_are_signed_out(three):  # SES-05
    before, thief = three["here"].session_key, copy_of(three["here"])

    answer = three["here"].post(OTHERS_OUT)

    assert answer.to == DEVICES
    assert alive(three) == {"here"}
    assert three["here"].session_key != before
    assert not thief.is_signed_in
    assert kinds()[-1] == "devices_signed_out"


def test_devices_are_signed_out_with_every_face(anyone, bea):
    joins(anyone)
    signs_in(bea)

    answer = anyone.post(OTHERS_OUT)

    assert answer.to == DEVICES or answer.json()["message"] == "All other devices are signed out."
    assert (anyone.is_signed_in, bea.is_signed_in) == (True, False)


def test_nobody_ends_the_session_of_somebody_else(anyone, bea):  # SES-05
    joins(anyone)
    joins(bea, email="bea@example.com")
    answers = [
        anyone.post(sign_out_of(name))
        for name in (name_of(bea), "0123456789abcdef", "no-such-name")
    ]

    assert bea.is_signed_in
    assert len({(answer.status_code, answer.to, answer.content) for answer in answers}) == 1
    assert "device_signed_out" not in kinds()


def test_ending_the_sessions_of_others_ends_only_ones_own(anyone, bea):  # SES-05
    joins(anyone)
    joins(bea, email="bea@example.com")

    anyone.post(OTHERS_OUT)

    assert bea.is_signed_in


def test_the_key_of_a_session_is_not_its_name(ana, bea):  # SES-05
    joins(ana)
    signs_in(bea)

    ana.post(sign_out_of(bea.session_key))

    assert bea.is_signed_in


def test_a_device_that_is_signed_out_is_no_more(three):
    url = sign_out_of(name_of(three["work"]))

    assert [three["here"].post(url).status_code for _ in range(2)] == [303, 404]
    assert kinds().count("device_signed_out") == 1


def test_signing_this_device_out_by_its_name_ends_it(ana):
    joins(ana)

    ana.post(sign_out_of(name_of(ana)))

    assert not ana.is_signed_in


def test_a_stale_session_signs_nobody_out(anyone, bea):  # SES-05
    joins(anyone)
    signs_in(bea)
    is_stale()

    assert must_confirm(anyone, anyone.post(sign_out_of(name_of(bea))), DEVICES)
    assert must_confirm(anyone, anyone.post(OTHERS_OUT), DEVICES)
    assert bea.is_signed_in


@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_only_the_button_signs_out(ana, bea, method):  # WEB-01
    joins(ana)
    signs_in(bea)

    for url in (OTHERS_OUT, sign_out_of(name_of(bea))):
        assert ana.client.generic(method.upper(), url).status_code == 405
    assert bea.is_signed_in


def test_nobody_presses_the_button_from_elsewhere(ana, bea):  # WEB-01
    joins(ana)
    signs_in(bea)
    check_tokens(ana.client)

    assert ana.post(OTHERS_OUT).status_code == 403
    assert bea.is_signed_in


# Somebody is shut out


def shut_out():
    """As staff would, or a statement by hand."""
    User.objects.update(is_active=False)


@pytest.mark.parametrize("url", [ACCOUNT, NAMES, DEVICES, DELETE, CONTACT, CONFIRM, EMAIL_PAGE])
def test_whoever_is_shut_out_is_a_stranger_at_once(anyone, url):  # SES-06
    joins(anyone)
    shut_out()

    answers = [anyone.get(url), anyone.post(url, name="Eve", current=PASSWORD, contact=OTHER_EMAIL)]

    to = {"page": "Location", "htmx": "HX-Redirect", "json": "none"}[anyone.face]
    expected = 303 if anyone.face == "page" else 401
    assert [answer.status_code for answer in answers] == [expected, expected]
    assert all(answer.headers.get(to, LOGIN).startswith(LOGIN) for answer in answers)
    assert (User.objects.get().name, User.objects.get().deletion_due_at) == ("Ana", None)


def test_whoever_is_shut_out_sees_nothing_of_the_account(ana):  # SES-06
    joins(ana)
    shut_out()

    assert not ana.is_signed_in
    assert not any(fact in ana.get(HOME).content.decode() for fact in (EMAIL, "Ana"))


def test_whoever_is_shut_out_does_not_come_back_with_the_password(anyone):  # SES-06, ENU-01
    joins(Shopper())
    shut_out()

    right, wrong = signs_in(anyone), signs_in(anyone, password=NEW)

    assert is_refused(right)
    assert words(right) == words(wrong)


def test_nor_with_a_code_asked_for_before(anyone, postbox):  # SES-06
    joins(Shopper())
    anyone.post(LOGIN_CODE, identifier=EMAIL)
    code = postbox.code(EMAIL)
    shut_out()

    assert is_refused(anyone.post(LOGIN_VERIFY, code=code))
    assert not anyone.is_signed_in


def test_nor_with_a_code_asked_for_after(anyone, postbox):  # SES-06, ABU-03
    joins(Shopper(), phone=PHONE)
    shut_out()
    before = len(postbox)

    for contact in (EMAIL, PHONE):
        assert anyone.post(LOGIN_CODE, identifier=contact).status_code in (200, 303)
        assert anyone.post(RESET, identifier=contact).status_code in (200, 303)

    assert len(postbox) == before


def test_nor_with_a_new_password(anyone, postbox):  # SES-06, REC-07
    joins(Shopper())
    anyone.post(RESET, identifier=EMAIL)
    link = postbox.link(EMAIL)
    shut_out()

    assert anyone.open(link).status_code == 410
    assert anyone.post(RESET_NEW, password=NEW).status_code == 410
    assert User.objects.get().check_password(PASSWORD)


def test_nor_by_saying_it_was_not_me(anyone, postbox):  # SES-06
    joins(Shopper())
    signs_in(Shopper(ip="198.51.100.9"))
    link = postbox.link(EMAIL)
    shut_out()

    assert anyone.open(link).status_code == 410
    assert anyone.post("/not-me/").status_code == 410


def test_nor_by_registering_again(anyone, postbox, monkeypatch):  # SES-06
    monkeypatch.setattr(conf, "REGISTRATION_DUPLICATE_POLICY", "private")
    joins(Shopper())
    anyone.identify(EMAIL)
    code = postbox.code(EMAIL)
    shut_out()

    assert is_refused(anyone.verify(code))
    assert not anyone.is_signed_in


def test_a_shopper_let_in_again_signs_in(ana):  # SES-06
    joins(ana)
    shut_out()
    User.objects.update(is_active=True)

    signs_in(ana)

    assert ana.is_signed_in


# The ends that come by themselves

SHOPPER = (conf.SESSION_IDLE, conf.SESSION_ABSOLUTE)
STAFF = (conf.STAFF_SESSION_IDLE, conf.STAFF_SESSION_ABSOLUTE)
MINUTE = timedelta(minutes=1)


def works(browser):
    """A member of staff at the door of the admin."""
    make_staff("boss", PASSWORD)
    let_in_staff(browser.client, "boss")


PEOPLE = {"shopper": (Shopper, joins, *SHOPPER), "staff": (Member, works, *STAFF)}


@pytest.fixture(params=PEOPLE.values(), ids=PEOPLE)
def person(request, db):
    """Somebody who is signed in, and after how long the session ends: unused, and whatever happens."""
    kind, signs, idle, whole = request.param
    browser = kind()
    signs(browser)
    assert browser.is_signed_in
    Session.objects.filter(user=None).delete()
    return browser, idle, whole


@pytest.mark.parametrize(
    ("over", "signed_in"), [(-MINUTE, True), (MINUTE, False)], ids=["-1 min", "+1 min"]
)
def test_a_session_nobody_uses_ends(person, over, signed_in):  # SES-07
    browser, idle, _whole = person

    time_passes(seconds=(idle + over).total_seconds())

    assert browser.is_signed_in is signed_in


@pytest.mark.parametrize(
    ("over", "signed_in"), [(-MINUTE, True), (MINUTE, False)], ids=["-1 min", "+1 min"]
)
def test_a_session_in_use_ends_in_the_end(person, over, signed_in):  # SES-07
    browser, _idle, whole = person
    began = whole - timedelta(minutes=8)
    Session.objects.update(
        signed_in_at=F("signed_in_at") - began,
        last_used_at=F("last_used_at") - timedelta(minutes=6),
    )
    assert browser.is_signed_in  # used, and noted

    time_passes(seconds=(timedelta(minutes=8) + over).total_seconds())

    assert browser.is_signed_in is signed_in


# What may be written into a session: of a shopper, a proof of who is there among it; of staff, in the shop as well.
SHOPS = {
    "a new contact": lambda browser: browser.post(EMAIL_PAGE, contact=OTHER_EMAIL),
    "a code": lambda browser: browser.post(CONFIRM_CODE),
    "a proof": lambda browser: browser.post("/account/confirm/", current=PASSWORD),
    "a look": lambda browser: browser.get(ACCOUNT),
}
WORKS = {
    "a sign-up in the shop": lambda browser: browser.identify(OTHER_EMAIL),
    "a change": lambda browser: browser.post(
        "/admin/contact_change/", current=PASSWORD, contact="new@staff.example"
    ),
    "a look": lambda browser: browser.client.get("/admin/"),
}
SAVES = {
    **{f"shopper-{name}": (Shopper, joins, SHOPPER, saves) for name, saves in SHOPS.items()},
    **{f"staff-{name}": (Member, works, STAFF, saves) for name, saves in WORKS.items()},
}


@pytest.mark.parametrize(("kind", "signs", "ends", "saves"), SAVES.values(), ids=SAVES)
def test_whatever_is_written_into_a_session_it_ends_in_the_end(  # SES-07
    db, kind, signs, ends, saves
):
    browser, (_idle, whole) = kind(), ends
    signs(browser)
    Session.objects.update(
        signed_in_at=Now() - whole + MINUTE, last_used_at=Now() - timedelta(minutes=6)
    )

    saves(browser)

    row = Session.objects.get(user__isnull=False)
    assert row.expire_date <= row.signed_in_at + whole
    time_passes(minutes=2)
    assert not browser.is_signed_in


def test_a_cookie_does_not_outlive_its_row(anyone):  # SES-07
    joins(anyone)
    Session.objects.update(expire_date=Now())

    assert anyone.session_key
    assert anyone.get(ACCOUNT).status_code == (303 if anyone.face == "page" else 401)


def test_a_session_that_is_not_to_stay_loses_its_cookie_with_the_browser(ana):  # SES-07
    joins(Shopper())
    ana.post(LOGIN, identifier=EMAIL, password=PASSWORD)
    assert ana.client.cookies["__Host-session"]["max-age"] == ""
    Session.objects.update(last_used_at=Now() - timedelta(minutes=6))

    time_passes(days=13)
    assert ana.is_signed_in
    time_passes(days=14, minutes=1)

    assert not ana.is_signed_in
