"""Staff find people by names and ids; an address or a number is looked up by POST, which is noted and limited."""

import re
from urllib.parse import quote, urlsplit

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.test import Client

from accounts import conf
from accounts.models import SecurityEvent
from backoffice.modeladmin import is_contact
from messaging.models import OutboxMessage
from tests.pages import Page, words
from tests.people import time_passes
from tests.staff import make_staff, sign_in_staff
from tests.test_support import (
    CHALLENGES,
    EVENTS,
    LOOKUP,
    OUTBOX,
    PHONE,
    USERS,
    WHO,
    shopper,
    staff,
)

__all__ = ["shopper", "staff"]

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
    sign_in_staff(browser, name)
    browser.handler.enforce_csrf_checks = True
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


@pytest.mark.parametrize("window", LISTS)
@pytest.mark.parametrize(
    "text", [WHO, WHO.upper(), WHO[:-3], "ana.maria@", PHONE, "001 202 5550123"]
)
def test_no_address_of_a_list_answers_about_an_address(staff, shopper, window, text):  # ADM-02
    page = staff.client.get(window, {"q": text}).content.decode()

    assert not re.findall(rf'href="{window}[^/"]+/change/', page)
    assert events() == []


@pytest.mark.parametrize("window", LISTS)
@pytest.mark.parametrize("text", [WHO, PHONE, " +1 (202) 555-0123 "])
def test_an_address_typed_into_a_list_is_looked_up_masked_and_written_down(
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


def test_a_search_keeps_what_the_list_was_narrowed_to(staff, shopper, bea):
    bea.signs_up("bea@example.com", name="Ana Bea")

    answer = types(staff.client, f"{USERS}?proved=both&q=bea&p=1", "ana")

    ((url, _status),) = answer.redirect_chain
    assert sorted(urlsplit(url).query.split("&")) == ["proved=both", "q=ana"]
    assert [user.pk for user in answer.context["cl"].result_list] == [shopper.pk]


def test_every_list_that_is_searched_posts(staff, shopper):  # ADM-02
    searched = []
    for model, model_admin in admin.site._registry.items():
        if model_admin.search_fields:
            url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            searched.append(url)
            answer = staff.client.post(url, {"who": WHO})
            assert (answer.status_code, answer.headers["Location"]) == (307, LOOKUP), url

    assert sorted(searched) == sorted(SEARCHED)


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
    monkeypatch.setattr(conf, "STAFF_LOOKUPS", conf.rates("3/h"))
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
    monkeypatch.setattr(conf, "STAFF_LOOKUPS", conf.rates("1/h"))
    statuses = [staff.client.post(LOOKUP, {"who": WHO}).status_code for _ in range(2)]

    time_passes(hours=1, seconds=1)
    sign_in_staff(staff.client)

    assert statuses == [200, 429]
    assert staff.client.post(LOOKUP, {"who": WHO}).status_code == 200


def test_the_usual_limit_is_a_hundred_an_hour():
    assert conf.rates("100/h") == conf.STAFF_LOOKUPS


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
    ],
)
def test_what_looks_like_an_address_or_a_number(text):
    assert is_contact(text)


@pytest.mark.parametrize(
    "text", ["", "ana", "ana.m", "7up", "o'neill", "x-1", "Ana-Maria 2", "+", "%"]
)
def test_what_looks_like_a_name(text):
    assert not is_contact(text)


def test_nothing_completes_what_staff_type(staff, shopper):  # ADM-02
    asked = {"app_label": "accounts", "model_name": "challenge", "field_name": "user", "term": "a"}

    assert staff.client.get("/admin/autocomplete/", asked).status_code == 404
