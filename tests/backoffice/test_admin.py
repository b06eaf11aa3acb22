"""The admin: windows through which staff see what happens, and nothing that opens an account."""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import call_command

from accounts.models import Challenge, SecurityEvent, Session, User
from messaging.models import OutboxMessage
from ratelimits.models import Bucket
from tests.support.backoffice import PHONE, WHO, crawl, secrets
from tests.support.people import PASSWORD, Shopper, make_shopper, time_passes, wrong
from tests.support.staff import let_in_staff, sign_in_staff

ADMIN, LOGIN = "/admin/", "/admin/login/"
SECRET = "a long staff secret"
WINDOWS = [
    "accounts/user",
    "accounts/challenge",
    "accounts/securityevent",
    "messaging/outboxmessage",
]
TABLES = (Bucket, Challenge, OutboxMessage, SecurityEvent, User)


@pytest.fixture
def shop(ana, postbox):
    """A day in the shop: Ana registered, her second contact waits, she came back twice; a stranger has failed."""
    make_shopper(ana, WHO, name="Ana", username="ana")
    ana.post("/account/contacts/phone/", contact=PHONE)
    ana.post("/account/contact/", code=wrong(postbox.code(PHONE)))
    Shopper(ip="198.51.100.9").identify(
        "stranger@example.com", name="S", password="stranger secret"
    )
    phone = Shopper(ip="198.51.100.10")
    phone.post("/login/", identifier=WHO, password=PASSWORD)
    Shopper(ip="198.51.100.11").post("/password-reset/", identifier=WHO)
    len(postbox)
    return ana


def sign_in(browser, name="boss", password=SECRET):
    """Go through the admin's door: both steps, if the password is right."""
    return sign_in_staff(browser.client, name, password)


def rows():
    """Everything the windows look at."""
    return [list(table.objects.order_by("pk").values()) for table in TABLES]


def test_the_windows_are_there(staff):  # promise 1.24
    registered = {
        f"{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry
    }

    assert registered >= set(WINDOWS)
    front = staff.client.get(ADMIN).content.decode()
    assert all(f"/admin/{window}/" in front for window in WINDOWS)


@pytest.mark.parametrize(
    "role", [pytest.param("", marks=pytest.mark.database), "Support", "Operations", "Auditor"]
)
def test_no_page_of_the_admin_tells_a_secret(
    staff, shop, postbox, role, is_release
):  # ADM-01, ADM-03, COD-02
    if role:
        call_command("staff_role", "boss", role)
        let_in_staff(staff.client)
    pages = crawl(staff, narrowed=is_release and not role)
    answers = [*pages.values()]
    if role != "Operations":
        answers += [staff.client.post("/admin/lookup/", {"who": who}) for who in (WHO, PHONE)]

    assert len(pages) > 20
    assert {page.status_code for page in answers} == {200}
    shown = "".join(page.content.decode() for page in answers)
    for secret in secrets(postbox):
        assert secret not in shown
    if role != "Operations":
        assert "a•••@example.com" in shown
        assert "+12•••23" in shown


HIDDEN = {
    "accounts/challenge": [
        "seed__startswith=a",
        "recipient__startswith=a",
        "address=ana.maria@example.com",
        "key_id__startswith=a",
        "user__password__startswith=md5",
        "user__email__startswith=a",
    ],
    "accounts/user": [
        "password__startswith=md5",
        "email__startswith=a",
        "email_key=ana.maria@example.com",
        "phone__contains=555",
        "sessions__session_key__startswith=a",
        "challenges__seed__startswith=a",
    ],
    "accounts/securityevent": [
        "user__email__startswith=a",
        "user__password__startswith=md5",
        "fingerprint__startswith=a",
    ],
    "messaging/outboxmessage": ["address__startswith=a", "part__startswith=a"],
}


@pytest.mark.parametrize("window", HIDDEN)
def test_filters_answer_no_questions_about_what_is_hidden(staff, shop, window):  # ADM-02
    for query in HIDDEN[window]:
        assert staff.client.get(f"/admin/{window}/?{query}").status_code in (302, 400), query


@pytest.mark.sample(3)
@pytest.mark.parametrize("query", ["o=99", "o=-1.2.3", "p=9999", "e=1", f"q={WHO}", "all="])
def test_lists_take_any_address(staff, shop, query):  # ADM-02
    for window in WINDOWS:
        shown = staff.client.get(f"/admin/{window}/?{query}", follow=True)
        assert shown.status_code == 200
        assert WHO not in shown.content.decode().replace(f'value="{WHO}"', "")


def test_a_search_looks_at_no_address(staff, shop):  # ADM-02
    found = [
        len(re.findall(r'class="field-date_joined', page.content.decode()))
        for page in (
            staff.client.get("/admin/accounts/user/?q=ana.maria"),
            staff.client.get(f"/admin/accounts/user/?q={WHO}"),
            staff.client.get("/admin/accounts/user/?q=ana"),
        )
    ]

    assert found == [0, 0, 1]


def written(about):
    """What the audit says that staff did to a row: what, who, from where, in a request of which id."""
    columns = "kind user__username ip request_id".split()
    return [
        (*told, bool(request))
        for *told, request in SecurityEvent.objects.filter(about=about)
        .order_by("pk")
        .values_list(*columns)
    ]


def test_what_staff_open_and_change_is_written_down(staff, shop):  # LOG-01
    def did(what):
        return (f"staff_{what}", "boss", "192.0.2.50", True)

    ana, group = User.objects.get(username="ana"), Group.objects.get(name="Support")
    staff.client.get(f"/admin/accounts/user/{ana.pk}/change/")
    staff.client.get(f"/admin/auth/group/{group.pk}/change/")
    staff.client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Helpers"})
    staff.client.post("/admin/auth/group/add/", {"name": "Robbers"})
    robbers = Group.objects.get(name="Robbers")
    staff.client.post(f"/admin/auth/group/{robbers.pk}/delete/", {"post": "yes"})
    staff.client.post("/admin/accounts/smscountry/", {"action": "stop", "_selected_action": ["*"]})

    assert written(f"user {ana.pk}") == [did("viewed")]
    assert written(f"group {group.pk}") == [did("viewed"), did("changed")]
    assert written(f"group {robbers.pk}") == [did("added"), did("removed")]
    assert written("smscountry *") == [did("changed")]


def test_what_was_not_there_or_not_allowed_was_not_opened(staff, shop):  # LOG-01
    ana = User.objects.get(username="ana")
    call_command("staff_role", "boss", "Operations")
    let_in_staff(staff.client)

    assert staff.client.get(f"/admin/accounts/user/{ana.pk}/change/").status_code == 403
    staff.client.get(f"/admin/messaging/provider/{ana.pk}/change/")

    assert not SecurityEvent.objects.exclude(about="").exists()


def test_an_event_says_which_row_in_which_request(staff, shop):  # LOG-01
    ana = User.objects.get(username="ana")
    staff.client.get(f"/admin/accounts/user/{ana.pk}/change/")
    told = SecurityEvent.objects.get(kind="staff_viewed")

    page = staff.client.get(f"/admin/accounts/securityevent/{told.pk}/change/").content.decode()

    assert "Staff opened a row" in page
    assert f"user {ana.pk}" in page
    assert told.request_id in page


def forged(window):
    """Requests that a window has no button for."""
    model = next(table for table in TABLES if window.endswith(table._meta.model_name))
    pk = model.objects.values_list("pk", flat=True).first()
    action = {"action": "delete_selected", "_selected_action": [str(pk)], "post": "yes"}
    yield f"/admin/{window}/add/", {"username": "eve", "password": "x", "is_superuser": "on"}
    yield f"/admin/{window}/{pk}/change/", {"is_superuser": "on", "tries_left": "99", "status": "x"}
    yield f"/admin/{window}/{pk}/delete/", {"post": "yes"}
    yield f"/admin/{window}/", action
    yield f"/admin/{window}/", {"form-TOTAL_FORMS": "1", "_save": "Save"}


@pytest.mark.parametrize("window", WINDOWS)
def test_nothing_can_be_done_through_a_window(staff, shop, window):  # ADM-03
    before = rows()

    for url, fields in forged(window):
        assert staff.client.post(url, fields).status_code == 403, url

    assert rows() == before
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_has_no_buttons(staff, shop, window):  # ADM-03
    whole = staff.client.get(f"/admin/{window}/").content.decode()
    first = re.search(rf"/admin/{window}/[^/\"]+/change/", whole).group()

    for shown in (whole, staff.client.get(first).content.decode()):
        assert not re.search(rf'/{window}/(add|[^/]+/delete)/|name="(_save|action)', shown)


def test_staff_choose_nobodys_password(staff, shop):  # ADM-06
    user = User.objects.get(username="ana")

    assert staff.client.get(f"/admin/accounts/user/{user.pk}/password/").status_code != 200
    assert staff.client.post(
        f"/admin/accounts/user/{user.pk}/password/", {"password1": "x" * 20, "password2": "x" * 20}
    ).status_code in (302, 403, 404)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


# The door


@pytest.mark.parametrize("url", [ADMIN, *[f"/admin/{window}/" for window in WINDOWS]])
def test_shoppers_cannot_enter(ana, url):  # ADM-03
    make_shopper(ana, WHO)

    assert ana.client.get(url).headers["Location"] == f"{LOGIN}?next={url}"
    assert ana.client.post(url).status_code in (302, 403)


def test_a_shopper_with_a_password_cannot_sign_in_as_staff(bea):  # ADM-03
    make_shopper(bea, WHO, username="ana")

    sign_in(Shopper(), "ana", PASSWORD)
    refused = sign_in(bea, "ana", PASSWORD)

    assert refused.status_code == 200
    assert bea.client.get(ADMIN).status_code == 302
    assert SecurityEvent.objects.filter(kind="staff_sign_in_failed").count() == 2


@pytest.mark.parametrize("column", ["is_staff", "is_active"])
def test_who_is_no_longer_staff_is_out_at_once(staff, boss, column):  # SES-06
    assert staff.client.get(ADMIN).status_code == 200

    User.objects.filter(pk=boss.pk).update(**{column: False})

    assert staff.client.get(ADMIN).status_code == 302


def test_staff_sign_in(boss):
    browser = Shopper()

    assert sign_in(browser).headers["Location"] == ADMIN

    assert browser.client.get(ADMIN).status_code == 200
    assert SecurityEvent.objects.latest("pk").kind == "staff_signed_in"
    boss.refresh_from_db()
    assert boss.last_login


def test_staff_have_just_verified_who_they_are(staff):  # REC-08
    assert Session.objects.get().is_recently_authenticated


@pytest.mark.parametrize(
    ("gone", "inside"),
    [({"minutes": 29}, True), ({"minutes": 31}, False)],
    ids=["29 min", "31 min"],
)
def test_staff_who_do_nothing_are_out_after_half_an_hour(staff, gone, inside):  # SES-07
    time_passes(**gone)

    assert (staff.client.get(ADMIN).status_code == 200) is inside


@pytest.mark.parametrize(
    ("last", "inside"),
    [({"minutes": 19}, True), ({"minutes": 21}, False)],
    ids=["within", "beyond"],
)
def test_staff_are_out_after_twelve_hours_whatever_they_do(staff, last, inside):  # SES-07
    for _ in range(28):
        time_passes(minutes=25)
        assert staff.client.get(ADMIN).status_code == 200

    time_passes(**last)

    assert (staff.client.get(ADMIN).status_code == 200) is inside


def test_staff_have_short_sessions(boss):  # SES-07
    browser = Shopper()
    sign_in(browser)
    assert browser.client.get(ADMIN).status_code == 200

    time_passes(minutes=31)

    assert browser.client.get(ADMIN).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_a_name_is_locked_after_five_tries(boss):  # LIM-08
    for number in range(5):
        sign_in(Shopper(ip=f"192.0.2.{number}"), ["boss", "BOSS"][number % 2], "wrong")
    right = Shopper(ip="192.0.2.99")

    locked = sign_in(right)

    assert "That was too often. You can try again at" in locked.content.decode()
    assert right.client.get(ADMIN).status_code == 302
    assert SecurityEvent.objects.filter(kind="staff_sign_in_limited").count() == 1
    time_passes(minutes=30, seconds=1)
    assert sign_in(right).headers["Location"] == ADMIN


@pytest.mark.django_db(transaction=True)
def test_a_household_is_locked_after_thirty_tries(boss):  # LIM-05, LIM-08
    browser = Shopper(ip="192.0.2.7")
    for number in range(30):
        sign_in(browser, f"name{number}", "wrong")

    assert "That was too often" in sign_in(browser).content.decode()
    assert browser.client.get(ADMIN).status_code == 302
    assert sign_in(Shopper(ip="192.0.2.8")).headers["Location"] == ADMIN


@pytest.mark.parametrize("away", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_the_door_leads_nowhere_else(boss, away):  # WEB-03
    fields = {"username": "boss", "password": SECRET, "next": away}

    led = Shopper().client.post(LOGIN, fields)

    assert "evil" not in led.headers["Location"]


def test_a_sign_in_brings_nothing_of_the_anonymous_session(boss):  # SES-01, SES-02, REG-10
    browser = Shopper()
    browser.identify("half@example.com", name="Half", password=PASSWORD)
    before = browser.session_key

    sign_in(browser)

    assert browser.session_key != before
    kept = Session.objects.get().get_decoded()
    assert set(kept) == {"_auth_user_id", "_auth_user_backend", "_auth_user_hash"}


@pytest.mark.parametrize("url", [ADMIN, LOGIN, *[f"/admin/{window}/" for window in WINDOWS]])
def test_pages_of_the_admin_are_not_kept(staff, url):  # SES-08, WEB-06
    page = staff.client.get(url)

    assert "no-store" in page.headers["Cache-Control"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_on_nothing_is_no_fault(staff, window):  # IDN-08
    for pk in ("x", "%01", "0", "9" * 40, "../..", "00000000-0000-0000-0000-000000000000"):
        assert staff.client.get(f"/admin/{window}/{pk}/change/").status_code in (302, 404), pk
