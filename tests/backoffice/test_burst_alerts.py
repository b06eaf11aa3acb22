"""Staff hear of bursts: locked passwords, codes sent, used codes and tokens that come again (LOG-06)."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils.timezone import now

from accounts import refusals
from accounts.errors import TokenNotValid
from accounts.models import SecurityEvent
from api.operations import sessions
from backoffice import burst_alerts
from backoffice.dashboard.rollups import COUNTED
from backoffice.tasks import alert_on_bursts
from messaging.models import Alert
from ratelimits.rates import Rate
from tests.support.apps import THIEF, App
from tests.support.people import make_user
from tests.support.staff import let_in_staff, make_staff

FEW = Rate(3, 600)


@pytest.fixture(autouse=True)
def _few(db, monkeypatch):
    """Three of anything within ten minutes are many."""
    few = {kind: (alert, FEW) for kind, (alert, _rate) in burst_alerts.BURSTS.items()}
    monkeypatch.setattr(burst_alerts, "BURSTS", few)


def happens(kind, times, ago=timedelta()):
    """Something happened so many times, so long ago."""
    if kind in COUNTED:
        for _time in range(times):
            refusals.count(kind)
        return
    SecurityEvent.objects.bulk_create(
        SecurityEvent(kind=kind, at=now() - ago) for _time in range(times)
    )


@pytest.mark.parametrize(
    ("kind", "alert"),
    [
        ("password_locked", "many_passwords_locked"),
        ("code_sent", "many_codes_sent"),
        ("code_replay", "used_codes_typed_again"),
        ("token_replayed", "refresh_tokens_used_twice"),
        ("limit_hit", "limits_hit_often"),
    ],
)
@pytest.mark.parametrize(("times", "heard"), [(2, 0), (3, 1), (4, 1)])
def test_a_burst_is_heard_from_so_many_on(kind, alert, times, heard):  # LOG-06
    happens(kind, times)

    alert_on_bursts()

    assert Alert.objects.filter(kind=alert).count() == Alert.objects.count() == heard


@pytest.mark.parametrize(("ago", "heard"), [(595, 1), (601, 0)])
def test_what_is_long_ago_is_no_burst(ago, heard):  # LOG-06
    happens("password_locked", 3, timedelta(seconds=ago))

    alert_on_bursts()

    assert Alert.objects.count() == heard


def test_other_things_happen_as_often_as_they_like():  # LOG-06
    happens("signed_in", 50)

    alert_on_bursts()

    assert not Alert.objects.exists()


def test_a_burst_that_goes_on_is_one_row_that_counts(caplog):  # LOG-06
    happens("code_sent", 3)

    for _minute in range(3):
        alert_on_bursts()

    assert Alert.objects.get().times == 3
    assert [line.message for line in caplog.records if "alert" in line.message] == [
        "alert: many_codes_sent 3 or more within 10 min"
    ]


def test_five_wrong_passwords_of_three_people_are_heard(ana):  # LIM-01, LOG-06
    for who in ("a@example.com", "b@example.com", "c@example.com"):
        for _try in range(5):
            ana.post("/login/", identifier=who, password="not the password")

    alert_on_bursts()

    assert Alert.objects.get().kind == "many_passwords_locked"


def test_copied_tokens_of_three_apps_are_heard_and_read_in_words(client):  # LOG-06
    ana = make_user()
    for name in ("One", "Two", "Three"):
        app = App(ana, name=name)
        copied = app.refreshes()
        app.refreshes()
        with pytest.raises(TokenNotValid):
            sessions.refresh(copied.refresh, client=THIEF)
    alert_on_bursts()
    make_staff()
    let_in_staff(client)

    for page in ("/admin/messaging/alert/", "/admin/"):
        assert "refresh tokens used twice" in client.get(page).content.decode().lower()


def test_staff_read_it_in_words(client):  # LOG-06
    happens("code_replay", 3)
    alert_on_bursts()
    make_staff()
    let_in_staff(client)

    page = client.get("/admin/messaging/alert/").content.decode()

    assert "used codes typed again" in page
    assert "3 or more within 10 min" in page


@pytest.mark.parametrize(
    ("ago", "shown"), [(timedelta(hours=23), True), (timedelta(hours=25), False)]
)
def test_the_front_page_of_staff_shows_the_alerts_of_a_day(client, ago, shown):  # LOG-06
    happens("code_replay", 3)
    alert_on_bursts()
    Alert.objects.update(last_at=now() - ago)
    make_staff()
    let_in_staff(client)

    assert ("Used codes typed again" in client.get("/admin/").content.decode()) is shown


def test_whoever_may_not_see_alerts_sees_none(client):  # ADM-03
    happens("code_replay", 3)
    alert_on_bursts()
    make_staff("sam")
    call_command("staff_role", "sam", "Support")
    let_in_staff(client, "sam")

    page = client.get("/admin/").content.decode()

    assert "Why can this person not get in?" in page
    assert "Used codes typed again" not in page
