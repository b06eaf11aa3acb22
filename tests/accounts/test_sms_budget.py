"""What texts may cost: budgets, switches for staff, and a guard against codes that nobody types."""

import pytest

from accounts import conf
from accounts.models import EVERYWHERE, Challenge, SecurityEvent, SmsCountry
from messaging.models import Alert, OutboxMessage
from ratelimits.rates import Rate
from tests.support.people import Postbox, Shopper
from tests.support.staff import let_in_staff, make_staff

BRITISH, AMERICAN = "+447400123456", "+12025550123"
SORRY = "We cannot send texts at the moment. Use your email address instead."


def stranger(number):
    """A browser nobody has seen, from an address of its own."""
    return Shopper(ip=f"198.51.{number // 250}.{number % 250 + 1}")


def asks_for_a_code(number, who):
    """Somebody begins to register with `who`."""
    return stranger(number).identify(who)


def sent():
    """How many texts were promised."""
    return OutboxMessage.objects.filter(channel="sms").count()


@pytest.fixture
def few(monkeypatch):
    """Budgets small enough to fill: `few(all=, country=, prefix=)` texts an hour."""

    def few(**budgets):
        names = {"all": "SMS_TOTAL", "country": "SMS_PER_COUNTRY", "prefix": "SMS_PER_PREFIX"}
        for scope, times in budgets.items():
            monkeypatch.setattr(conf, names[scope], (Rate(times, 3600),))

    return few


@pytest.fixture
def boss(db, client):
    """A member of staff at work in the admin."""
    make_staff()
    let_in_staff(client)
    return client


# Budgets: ABU-02


def test_adjacent_numbers_share_a_budget(db):  # ABU-02
    answers = [asks_for_a_code(n, f"+4474001234{n:02d}").status_code for n in range(12)]

    assert answers == [303] * 10 + [503] * 2
    assert sent() == 10


def test_many_adjacent_numbers_cost_ten_texts(db, is_release):  # ABU-02
    for n in range(200 if is_release else 20):
        asks_for_a_code(n, f"+447400123{400 + n}")

    assert sent() == 10


def test_other_numbers_go_on(db):  # ABU-02
    for n in range(11):
        asks_for_a_code(n, f"+4474001234{n:02d}")

    assert asks_for_a_code(20, "+447500123456").status_code == 303
    assert asks_for_a_code(21, "ana@example.com").status_code == 303


@pytest.mark.parametrize(
    ("budget", "other", "goes_on"),
    [("country", "+447500123456", False), ("country", AMERICAN, True), ("all", AMERICAN, False)],
)
def test_a_budget_is_for_its_scope(db, few, budget, other, goes_on):  # ABU-02
    few(**{budget: 2})

    answers = [asks_for_a_code(n, f"+4474001{n}3456").status_code for n in range(1, 4)]

    assert answers == [303, 303, 503]
    assert (asks_for_a_code(9, other).status_code == 303) is goes_on
    assert asks_for_a_code(10, "ana@example.com").status_code == 303


def test_who_is_refused_is_told_what_to_do_and_keeps_what_they_typed(db, few):  # ABU-02, ux 68
    few(prefix=1)
    asks_for_a_code(1, BRITISH)

    page = asks_for_a_code(2, "+447400123457").content.decode()

    assert SORRY in page
    assert "+447400123457" in page


def test_a_full_budget_is_an_event_and_an_alert(db, few):  # ABU-02
    few(prefix=1)
    for n in range(4):
        asks_for_a_code(n, f"+44740012345{n}")

    alert = Alert.objects.get()
    assert (alert.kind, alert.about, alert.times) == (
        "sms_stopped",
        "texts by prefix sign-up GB",
        3,
    )
    assert SecurityEvent.objects.filter(kind="sms_stopped").count() == 3


def test_staff_hear_of_it_once_an_hour(db, few, caplog):  # ABU-02
    few(prefix=1)
    for n in range(4):
        asks_for_a_code(n, f"+44740012345{n}")

    assert [record.levelname for record in caplog.records if "alert" in record.message] == ["ERROR"]


def test_a_refused_text_costs_the_recipient_nothing(db, few):  # ABU-01, ABU-02
    few(prefix=1)
    asks_for_a_code(1, "+447400123450")

    for n in range(2, 10):
        assert asks_for_a_code(n, BRITISH).status_code == 503
    few(prefix=20)

    assert asks_for_a_code(11, BRITISH).status_code == 303


def test_asking_again_counts(db, few, ana):  # ABU-02
    few(prefix=1)
    ana.identify(BRITISH)
    Challenge.objects.update(sent_at="2026-01-01T00:00:00Z")

    assert ana.post("/register/resend/").status_code == 503
    assert sent() == 1
    assert Challenge.objects.get().sends == 1


def test_a_number_without_an_account_costs_as_much_and_nothing_is_sent(db, few):  # ABU-03, ENU-08
    few(prefix=1)

    answers = [
        stranger(n).post("/login/code/", identifier=f"+44740012345{n}").status_code
        for n in range(4)
    ]

    assert answers == [303] + [503] * 3
    assert not any(message["channel"] == "sms" for message in Postbox().messages())
    # Sign-ups have a budget and a share of their own.
    assert asks_for_a_code(9, BRITISH).status_code == 303
    assert SmsCountry.objects.get(code="GB").sent == 1


# The guard: ABU-05


def test_a_country_from_which_no_code_comes_back_is_closed(db):  # ABU-05
    SmsCountry.objects.create(code="GB", sent=49, verified=0)

    assert asks_for_a_code(1, BRITISH).status_code == 303
    assert asks_for_a_code(2, "+447500123456").status_code == 503
    assert asks_for_a_code(3, AMERICAN).status_code == 303

    closed = SmsCountry.objects.with_state().get(code="GB")
    assert (closed.is_open, closed.is_paused) == (True, True)
    assert Alert.objects.get().about == "GB"


@pytest.mark.parametrize(("verified", "status"), [(4, 503), (5, 303)], ids=["8 %", "10 %"])
def test_one_in_ten_is_enough(db, verified, status):  # ABU-05
    SmsCountry.objects.create(code="GB", sent=50, verified=verified)

    assert asks_for_a_code(1, BRITISH).status_code == status


def test_every_day_is_counted_anew(db):  # ABU-05
    SmsCountry.objects.create(code="GB", sent=80, verified=0, since="2026-01-01T00:00:00Z")

    assert asks_for_a_code(1, BRITISH).status_code == 303
    assert SmsCountry.objects.get(code="GB").sent == 1


def test_a_code_that_is_typed_counts_for_its_country(ana, postbox):  # ABU-05
    ana.identify(BRITISH)
    ana.verify(postbox.code(BRITISH))

    country = SmsCountry.objects.get(code="GB")
    assert (country.sent, country.verified, country.share) == (1, 1, 100)


def test_a_closed_country_stays_closed_on_the_next_day(db):  # ABU-05
    SmsCountry.objects.create(code="GB", is_open=False, since="2026-01-01T00:00:00Z")

    assert asks_for_a_code(1, BRITISH).status_code == 503


# The switch: in the admin


def test_staff_close_a_country_and_open_it_again(boss):
    asks_for_a_code(1, BRITISH)
    act = {"_selected_action": "GB"}

    boss.post("/admin/accounts/smscountry/", {**act, "action": "stop"})
    assert asks_for_a_code(2, "+447500123456").status_code == 503
    assert asks_for_a_code(3, AMERICAN).status_code == 303

    boss.post("/admin/accounts/smscountry/", {**act, "action": "allow"})
    assert asks_for_a_code(4, "+447500123456").status_code == 303


def test_one_switch_stops_all_texts(boss):
    SmsCountry.objects.get_or_create(code=EVERYWHERE)
    page = boss.get("/admin/accounts/smscountry/*/change/")
    assert page.status_code in (200, 302)

    boss.post("/admin/accounts/smscountry/", {"_selected_action": "*", "action": "stop"})

    assert asks_for_a_code(1, BRITISH).status_code == 503
    assert asks_for_a_code(2, AMERICAN).status_code == 503
    assert asks_for_a_code(3, "ana@example.com").status_code == 303


def test_staff_may_close_a_country_nobody_has_texted(boss):
    boss.post("/admin/accounts/smscountry/add/", {"code": "GB"})

    country = SmsCountry.objects.get(code="GB")
    assert (country.is_open, country.reason) == (False, "closed by staff")
    assert asks_for_a_code(1, BRITISH).status_code == 503


def test_the_switch_is_on_the_page_of_a_country(boss):
    SmsCountry.objects.create(code="GB", is_open=False, sent=60)

    boss.post("/admin/accounts/smscountry/GB/change/", {"is_open": "on"})

    country = SmsCountry.objects.get(code="GB")
    assert (country.is_open, country.sent) == (True, 0)


def test_no_country_can_be_deleted(boss):
    SmsCountry.objects.create(code="GB", is_open=False)

    assert boss.post("/admin/accounts/smscountry/GB/delete/", {"post": "yes"}).status_code == 403
    assert SmsCountry.objects.filter(code="GB").exists()
