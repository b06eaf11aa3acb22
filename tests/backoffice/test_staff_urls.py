"""Whatever stands in an address of the staff pages, it is answered, and only what a list offers is asked of a table."""

import random
import re
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote as quote_pk
from django.urls import URLPattern
from django.utils.timezone import override

from accounts.models import SecurityEvent, User
from tests.support.backoffice import EVENTS, USERS
from tests.support.staff import make_staff

NASTY = [
    *("\0", "1e22", "-1", "0", "²", "２０２６", "9" * 25, "9" * 5000, "13", "32", "9999", "nan"),
    *("(", "[", "%", "'", "a,b", "../..", "x" * 300, "\U0010ffff", "None", "true", "_5F", "2026"),
    *(
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999-14:00",
        "00000000-0000-0000-0000-000000000000",
    ),
]
EMPTY = ""
OF_DJANGO = "q o p e all _to_field _popup _facets _changelist_filters _source_model".split()
OF_OURS = "before span channel country format kind identifier_kind state verified letter provider term".split()
LOOKUPS = [
    "",
    *"__exact __year __month __day __regex __isnull __in __gt __range __date __contains __year__gt".split(),
]
DRAWS = 30


@pytest.fixture
def lists():
    """Every model that staff have a list of, with its pages."""
    return {
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/": model_admin
        for model, model_admin in admin.site._registry.items()
    }


def _columns(model_admin):
    named = [
        name
        for each in model_admin.list_filter
        for name in (
            each[1].parameter_names(each[0])
            if isinstance(each, tuple)
            else [getattr(each, "parameter_name", each)]
        )
    ]
    return [*named, *(model_admin.sortable_by or ()), "pk", "id", "user"]


def _queries(chance, model_admin):
    """Some questions for a list, whose value or name nobody offered."""
    own = [f"{name}{part}" for name in _columns(model_admin) for part in LOOKUPS]
    for _draw in range(DRAWS):
        names = chance.sample([*OF_DJANGO, *OF_OURS, *own], k=chance.choice([1, 1, 2]))
        yield urlencode({name: chance.choice([*NASTY, EMPTY]) for name in names})


def _rows(chance, url, model_admin):
    """Pages of rows that are not there, and what else such an address may ask."""
    row = model_admin.model._default_manager.order_by("pk").first()
    paths = [page.pattern._route for page in model_admin.get_urls() if isinstance(page, URLPattern)]
    for path in paths:
        for value in chance.sample(NASTY, k=3):
            yield url + path.replace("<path:object_id>", quote(quote_pk(value), safe="")).replace(
                "<uuid:pk>", quote(value, safe="")
            )
        if row:
            query = {chance.choice([*OF_DJANGO, *OF_OURS]): chance.choice([*NASTY, EMPTY])}
            there = path.replace("<path:object_id>", str(quote_pk(row.pk))).replace(
                "<uuid:pk>", str(row.pk)
            )
            yield f"{url}{there}?{urlencode(query)}"


def _others(chance):
    """The pages that are no list."""
    for page in ("", "lookup/", "signups/", "jsi18n/", "autocomplete/", "accounts/", "nothing/"):
        for _draw in range(DRAWS):
            name = chance.choice([*OF_DJANGO, *OF_OURS, "app_label"])
            yield f"/admin/{page}?{urlencode({name: chance.choice([*NASTY, EMPTY])})}"
    for value in NASTY:
        yield f"/admin/r/{chance.randint(1, 20)}/{quote(value, safe='')}/"
        yield f"/admin/{quote(value, safe='')}/"


def _broken(browser, urls):
    """Those that were answered with a fault of ours."""
    browser.raise_request_exception = False
    return {url for url in urls if browser.get(url).status_code >= 500}


def test_no_address_of_the_staff_pages_is_a_fault_of_ours(
    staff, shopper, lists, is_release
):  # IDN-08
    chance = random.Random(11)
    urls = [
        f"{url}?{query}"
        for url, model_admin in lists.items()
        for query in _queries(chance, model_admin)
    ]
    urls += [page for url, model_admin in lists.items() for page in _rows(chance, url, model_admin)]
    urls += _others(chance)

    assert len(urls) > 600
    chosen = urls if is_release else chance.sample(urls, 150)
    assert _broken(staff.client, chosen) == set()


def test_no_form_of_the_staff_pages_is_a_fault_of_ours(staff, shopper, lists):  # IDN-08
    chance, names = (
        random.Random(11),
        "who action index _selected_action _save texts channel provider state".split(),
    )
    staff.client.raise_request_exception = False

    for url in [*lists, "/admin/lookup/", "/admin/signups/", f"{USERS}{shopper.pk}/end-sessions/"]:
        for name in names:
            action = chance.choice([*NASTY, "stop", "deactivate", "delete_selected"])
            fields = {"action": action, name: chance.choice(NASTY)}
            assert staff.client.post(url, fields).status_code < 500, (url, fields)


@pytest.mark.sample(10)
@pytest.mark.parametrize(
    "query",
    [
        *(
            "at_from=1e22",
            "at_from=9999-12-31",
            "at_to=0001-01-01",
            "at_from=2026-13-01",
            "at_from=2026-01-01&at_from=-1",
        ),
        *(
            "at__regex=(",
            "at__year__regex=(",
            "at__year__gt=0",
            "at__range=1",
            "at__date=2026-01-01",
        ),
        *(
            "at__year=2026",
            "at__year=2026&at__month=1",
            "at__gte=2026-01-01",
            "at__gt=2026-01-01",
            "at=2026-01-01",
        ),
        *(
            "kind__regex=(",
            "kind__startswith=s",
            "channel__isnull=1",
            "user=1",
            "user__username=ana.m",
            "id__gt=0",
        ),
        *("kind=%00", "q=%00", "%00=1", "_to_field=password", "_to_field=fingerprint"),
    ],
)
def test_only_the_look_ups_that_a_list_offers_are_look_ups(staff, shopper, query):  # ADM-13, ADM-02
    assert staff.client.get(f"{EVENTS}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("window", "query"),
    [
        *(
            (EVENTS, query)
            for query in ("at_from=2026-01-01", "at_from=&at_to=2026-01-31", "kind=signed_in")
        ),
        *(
            (USERS, query)
            for query in ("is_staff__exact=1", "is_staff=1", "state=active", "verified=both")
        ),
        (EVENTS, "at_from=2026-01-01&at_to=2026-01-31&kind=signed_in"),
        ("/admin/messaging/outboxmessage/", "status__exact=sent"),
        ("/admin/messaging/alert/", "kind=many_codes_sent"),
        ("/admin/accounts/challenge/", "purpose__exact=login&kind__exact=email&state=valid"),
    ],
)
def test_what_a_list_offers_is_answered(staff, shopper, window, query):
    assert staff.client.get(f"{window}?{query}").status_code == 200


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"at_from": "2026-03-29"}, [28, 29, 30]),
        ({"at_to": "2026-03-29"}, [26, 27, 28, 29]),
        ({"at_from": "2026-03-29", "at_to": "2026-03-29"}, [28, 29]),
        ({"at_from": "2026-03-30", "at_to": "2026-03-28"}, []),
    ],
)
def test_a_list_shows_the_days_that_were_chosen_where_the_shop_is(staff, chosen, found):
    # The day on which clocks there change: it begins at 23:00 UTC and ends at 22:00 UTC.
    for day, hour in ((26, 12), (27, 12), (28, 22), (28, 23), (29, 21), (29, 22), (30, 12)):
        at = datetime(2026, 3, day, hour, tzinfo=UTC)
        SecurityEvent.objects.create(kind="signed_in", at=at, about=f"{day} {hour}")

    with override("Europe/Berlin"):
        page = staff.client.get(EVENTS, {**chosen, "kind": "signed_in"}).content.decode()

    assert sorted({int(day) for day in re.findall(r"field-about\">(\d+) \d+<", page)}) == found
    assert 'type="hidden" name="kind" value="signed_in"' in page


@pytest.mark.parametrize(
    "before",
    [
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59.999999-14:00",
        "9999-12-31T23:59:59.999999+00:00",
    ],
)
def test_a_timeline_has_no_ends_of_time(staff, shopper, before):
    page = staff.client.get(f"{USERS}{shopper.pk}/change/", {"before": before})

    assert page.status_code == 200


def test_no_page_tells_whether_a_row_of_the_shop_exists(staff, shopper):  # ADM-02
    for number in range(1, 25):
        for pk in (shopper.pk, "x", "1"):
            assert staff.client.get(f"/admin/r/{number}/{pk}/").status_code == 404


def test_an_address_that_was_refused_is_not_written_down_as_opened(staff, shopper):  # LOG-01
    before = SecurityEvent.objects.filter(kind="staff_viewed").count()

    staff.client.get(f"{USERS}%00/change/")
    staff.client.get(f"{USERS}{shopper.pk}/change/?_to_field=password")
    make_staff("other")

    assert User.objects.filter(username="other").exists()
    assert SecurityEvent.objects.filter(kind="staff_viewed").count() == before
