"""Staff find people by names and ids; an address or a number is looked up by POST, which is noted and limited."""

import re
from urllib.parse import quote, urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client

from accounts import conf
from accounts.models import SecurityEvent
from backoffice.admin.users import ACTIONS
from backoffice.modeladmin import is_contact
from messaging.models import OutboxMessage, Provider
from ratelimits.rates import parse_rates
from tests.support.backoffice import CHALLENGES, EVENTS, LOOKUP, OUTBOX, PHONE, USERS, WHO
from tests.support.pages import Page, words
from tests.support.people import check_tokens, make_shopper, time_passes
from tests.support.staff import let_in_staff, make_staff

pytestmark = pytest.mark.database

# How a whole number or address may be typed: in full width, with letters that nobody sees, as a link.
SPELLINGS = [
    f"\uff54\uff45\uff4c:{PHONE}",
    f"\uff54\uff45\uff4c\uff1a{PHONE}",
    f" \uff34\uff25\uff2c : {PHONE}",
    f"t\u200be\u2060l:{PHONE}",
    f"TEL:{PHONE}",
    f"sms:{PHONE}",
    f"mailto:{PHONE}",
    "\uff0b" + "".join(chr(ord(digit) + 0xFEE0) for digit in PHONE[1:]),
    "\u200b".join(PHONE),
    " ".join(PHONE),
    ".".join(PHONE),
    f"00{PHONE[1:]}",
    f"\ufeff{PHONE}\u200d",
    f"{PHONE} ext 5",
    f"mailto:{WHO}",
    f"\uff4d\uff41\uff49\uff4c\uff54\uff4f:{WHO}",
    WHO.replace("@", "\uff20"),
    WHO.replace("@", "\ufe6b"),
    f"\u200b{WHO}",
    "\u200b".join(WHO),
]
FIELDS_OF_FORMS = (
    *("permissions", "name", "rank", "weight", "host", "port", "code", "is_open", "who"),
    *(
        "action",
        "_selected_action",
        "index",
        "select_across",
        "_to_field",
        "deactivate",
        "activate",
    ),
)
LISTS = [USERS, CHALLENGES, EVENTS, OUTBOX]
SEARCHED = [*LISTS, "/admin/auth/group/"]


@pytest.fixture
def support(db):
    """The browser of somebody with the role Support, who is not told more than they may see."""
    return _in_role("support", "Support")


@pytest.fixture
def operations(db):
    """The browser of somebody who runs the providers and may see no people."""
    return _in_role("operator", "Operations")


def _in_role(name, role):
    make_staff(name)
    call_command("staff_role", name, role)
    browser = Client(REMOTE_ADDR="192.0.2.60")
    let_in_staff(browser, name)
    check_tokens(browser)
    return browser


def types(browser, window, text):
    """Type into the box of a list, send what its form says, and follow where that leads, as any browser does."""
    forms = Page(browser.get(window)).forms
    form = next(form for form in forms if form.get("id") == "changelist-search")
    (box,) = (name for name in form["fields"] if name not in ("csrfmiddlewaretoken", ""))
    page = urlsplit(window).path
    return browser.post(f"{page}{form['action']}", {**form["fields"], box: text}, follow=True)


def events():
    """What is written down of staff."""
    return list(SecurityEvent.objects.filter(kind__startswith="staff_looked").order_by("pk"))


def test_a_number_is_not_found_digit_by_digit(staff, shopper):  # ADM-02
    digits = PHONE.removeprefix("+")

    for length in range(1, len(digits) + 1):
        for text in (f"+{digits[:length]}", digits[:length], f"00{digits[:length]}"):
            for window in LISTS:
                page = staff.client.get(window, {"q": text})
                assert page.status_code == 200
                assert not re.findall(rf'href="{window}[^/"]+/change/', page.content.decode()), text


@pytest.mark.sample(10)
@pytest.mark.parametrize("window", LISTS)
@pytest.mark.parametrize(
    "text", [WHO, WHO.upper(), WHO[:-3], "ana.maria@", PHONE, "001 202 5550123"]
)
def test_no_address_of_a_list_answers_about_an_address(
    staff, shopper, window, text
):  # ADM-13, ADM-02
    page = staff.client.get(window, {"q": text}).content.decode()

    assert not re.findall(rf'href="{window}[^/"]+/change/', page)
    assert events() == []


@pytest.mark.sample(8)
@pytest.mark.parametrize("text", SPELLINGS, ids=ascii)
def test_no_spelling_of_an_address_is_searched_without_a_trace(  # ADM-13, ADM-02
    support, shopper, text, is_release
):
    for window in LISTS if is_release else [LISTS[len(text) % len(LISTS)]]:
        page = support.get(window, {"q": text}).content.decode()
        assert not re.findall(rf'href="{window}[^/"]+/change/', page), window

        answer = types(support, window, text)
        assert [urlsplit(url).path for url, _status in answer.redirect_chain] == [LOOKUP], window
        assert not urlsplit(answer.redirect_chain[0][0]).query, window


@pytest.mark.usefixtures("_contexts_are_noted")
def test_a_person_is_not_found_in_the_trail_by_a_number_in_full_width(support, shopper):  # LOG-01
    page = support.get(EVENTS, {"q": f"\uff54\uff45\uff4c:{PHONE}"})

    assert not page.context["cl"].result_list


@pytest.mark.sample(5)
@pytest.mark.parametrize("window", LISTS)
@pytest.mark.parametrize("text", [WHO, PHONE, " +1 (202) 555-0123 "])
def test_an_address_typed_into_a_list_is_looked_up_masked_and_written_down(  # ADM-13
    support, shopper, window, text
):
    answer = types(support, window, text)

    assert [(urlsplit(url).path, status) for url, status in answer.redirect_chain] == [
        (LOOKUP, 307)
    ]
    assert quote(text.strip()) not in str(answer.redirect_chain)
    page = answer.content.decode()
    assert f"{USERS}{shopper.pk}/change/" in page
    assert WHO not in page
    assert PHONE not in page
    (noted,) = events()
    assert (noted.user.username, noted.ip) == ("support", "192.0.2.60")
    assert len(noted.fingerprint) == 40


@pytest.mark.parametrize("text", [WHO, PHONE, "nobody@example.com"])
def test_who_may_not_see_people_looks_up_none_in_the_outbox(operations, shopper, text):  # ADM-03
    OutboxMessage.objects.filter(address=WHO).update(status="bounced")

    answer = types(operations, OUTBOX, text)

    assert answer.status_code == 403
    assert events() == []
    assert WHO not in words(answer)


@pytest.mark.parametrize("part", ["ana.maria@ex", "+1202", "12025550"])
def test_a_part_of_an_address_is_no_question(support, shopper, part):  # ADM-02
    answer = types(support, USERS, part)

    assert "errorlist" in answer.content.decode()
    assert "What to tell the caller" not in words(answer)
    assert events() == []


def test_names_and_ids_are_searched_in_the_list_itself(support, shopper):  # ADM-02
    for text in ("Ana", "ana.m", "ana mar", str(shopper.pk)):
        answer = types(support, USERS, text)
        ((url, status),) = answer.redirect_chain
        assert (urlsplit(url).path, status) == (USERS, 302), text
        assert f"{USERS}{shopper.pk}/change/" in answer.content.decode(), text
    assert events() == []


@pytest.mark.usefixtures("_contexts_are_noted")
def test_a_search_keeps_what_the_list_was_narrowed_to(staff, shopper, bea):
    make_shopper(bea, "bea@example.com", name="Ana Bea")

    answer = types(staff.client, f"{USERS}?verified=both&q=bea&p=1", "ana")

    ((url, _status),) = answer.redirect_chain
    assert sorted(urlsplit(url).query.split("&")) == ["q=ana", "verified=both"]
    assert [user.pk for user in answer.context["cl"].result_list] == [shopper.pk]


def test_every_list_that_is_searched_posts(staff, shopper):  # ADM-13, ADM-02
    searched = []
    for model, model_admin in admin.site._registry.items():
        if model_admin.search_fields:
            url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            searched.append(url)
            answer = staff.client.post(url, {"who": WHO})
            assert (answer.status_code, answer.headers["Location"]) == (307, LOOKUP), url

    assert sorted(searched) == sorted(SEARCHED)


@pytest.mark.usefixtures("_contexts_are_noted")
def test_roles_are_still_found_by_name(staff):
    page = staff.client.post("/admin/auth/group/", {"who": "oper"}, follow=True)

    assert [group.name for group in page.context["cl"].result_list] == ["Operations"]


def test_the_look_up_leads_to_all_that_is_written_down(staff, shopper, bea):  # LOG-01
    bea.post("/password-reset/", identifier="stranger@example.com")
    page = staff.client.post(LOOKUP, {"who": "stranger@example.com"})
    link = re.search(rf'href="({EVENTS}\?q=[0-9a-f]{{40}})"', page.content.decode())[1]

    told = words(staff.client.get(link))

    assert "A code or a link was sent" in told
    assert "stranger" not in link


def test_nobody_looks_up_more_than_a_hundred_addresses_an_hour(
    support, staff, shopper, monkeypatch
):
    monkeypatch.setattr(conf, "STAFF_LOOKUPS", parse_rates("3/h"))
    for _ in range(3):
        assert types(support, USERS, WHO).status_code == 200

    refused = types(support, USERS, WHO)
    types(support, USERS, PHONE)

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 3000
    assert str(shopper.pk) not in refused.content.decode()
    assert len(events()) == 3
    told = SecurityEvent.objects.filter(kind="limit_hit")
    assert [event.user.username for event in told] == ["support"]  # once a minute
    assert staff.client.post(LOOKUP, {"who": WHO}).status_code == 200


def test_after_an_hour_there_is_room_again(staff, shopper, monkeypatch):
    monkeypatch.setattr(conf, "STAFF_LOOKUPS", parse_rates("1/h"))
    statuses = [staff.client.post(LOOKUP, {"who": WHO}).status_code for _ in range(2)]

    time_passes(hours=1, seconds=1)
    let_in_staff(staff.client)

    assert statuses == [200, 429]
    assert staff.client.post(LOOKUP, {"who": WHO}).status_code == 200


def test_the_usual_limit_is_a_hundred_an_hour():
    assert parse_rates("100/h") == conf.STAFF_LOOKUPS


@pytest.mark.parametrize(
    "text",
    [
        WHO,
        "ana@",
        "@example",
        "ana\uff20example.com",
        PHONE,
        "12",
        "00 44",
        "(020)",
        "tel:+44",
        "٤٤",
        "+447400123456 ext 7",
        *SPELLINGS,
    ],
)
def test_what_looks_like_an_address_or_a_number(text):
    assert is_contact(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "ana", "ana.m", "7up", "o'neill", "x-1", "Ana-Maria 2", "+", "%"),
        *("tel:", "tel: ana", "ana+7", "\uff41na", "\u200bana", "0" * 39 + "a"),
        "0f8fad5b-d9cb-469f-a165-70867728950e",
    ],
)
def test_what_looks_like_a_name(text):
    assert not is_contact(text)


def test_nothing_completes_what_staff_type(staff, shopper):  # ADM-02
    asked = {"app_label": "accounts", "model_name": "challenge", "field_name": "user", "term": "a"}

    assert staff.client.get("/admin/autocomplete/", asked).status_code == 404


@pytest.mark.parametrize("page", ["change", "history", "end-sessions"])
def test_every_page_that_shows_a_person_is_written_down(support, shopper, page):  # LOG-01
    assert shopper.name in words(support.get(f"{USERS}{shopper.pk}/{page}/"))

    (noted,) = SecurityEvent.objects.filter(kind="staff_viewed")
    assert (noted.user.username, noted.about) == ("support", f"user {shopper.pk}")


def test_every_page_about_one_user_has_its_trace(staff, shopper):  # LOG-01
    shown = 0
    for page in ["change", "history", "delete", *(action.name for action in ACTIONS)]:
        answer = staff.client.get(f"{USERS}{shopper.pk}/{page}/")
        shown += answer.status_code == 200

        assert SecurityEvent.objects.filter(kind="staff_viewed").count() == shown, page

    assert shown >= len(ACTIONS)


def test_the_page_that_asks_before_a_role_is_removed_is_written_down(staff):  # LOG-01
    group = Group.objects.get(name="Support")

    assert staff.client.get(f"/admin/auth/group/{group.pk}/delete/").status_code == 200

    assert SecurityEvent.objects.get(kind="staff_viewed").about == f"group {group.pk}"


def test_nobody_who_is_not_there_is_written_down(staff):
    for page in ("history", "end-sessions"):
        staff.client.get(f"{USERS}0f8fad5b-d9cb-469f-a165-70867728950e/{page}/")

    assert not SecurityEvent.objects.filter(kind="staff_viewed").exists()


# Forms of staff

LONG = "9" * 30


@pytest.mark.parametrize("chosen", [[LONG], ["1", LONG], [f"-{LONG}"], ["x"]], ids=str)
def test_a_permission_that_has_no_number_is_refused(staff, chosen):  # IDN-09
    answer = staff.client.post("/admin/auth/group/add/", {"name": "new", "permissions": chosen})

    assert answer.status_code == 400
    assert not Group.objects.filter(name="new").exists()


def test_a_permission_that_is_none_is_refused_in_words(staff):
    asked = {"name": "new", "permissions": ["999999"]}
    answer = staff.client.post("/admin/auth/group/add/", asked)

    assert answer.status_code == 200
    assert "not one of the available choices" in words(answer)


def test_a_role_is_made_with_its_permissions(staff):
    view = Permission.objects.get(codename="view_user")
    staff.client.post("/admin/auth/group/add/", {"name": "new", "permissions": [view.pk]})

    assert list(Group.objects.get(name="new").permissions.all()) == [view]


def test_every_form_of_staff_refuses_a_number_that_is_too_long(staff, shopper):  # IDN-09
    Provider.objects.create(name="p", kind="smtp", channel="email")
    for model, model_admin in admin.site._registry.items():
        url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        row = model.objects.first()
        sent = dict.fromkeys((*FIELDS_OF_FORMS, *model_admin.list_display), LONG)
        pages = [url, f"{url}add/", f"{url}add/?kind=smtp", f"{url}{LONG}/change/"]
        for page in [*pages, *([f"{url}{row.pk}/change/"] if row else [])]:
            assert staff.client.post(page, sent).status_code < 500, page
