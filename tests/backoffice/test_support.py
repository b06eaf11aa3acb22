"""Staff help: they find a shopper, read what happened, say why no code came, and mend what they may."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.utils.formats import date_format
from django.utils.timezone import localtime, now

from accounts import limits
from accounts.errors import TokenNotValid
from accounts.identifiers import parse
from accounts.models import Challenge, Pool, SecurityEvent, Session, SmsCountry, User
from api.operations import sessions
from backoffice import modeladmin
from backoffice.support import challenge_status, timeline
from backoffice.support.advice import Facts, sentence
from messaging.models import OutboxMessage, Provider, Receipt, Status
from messaging.tasks import sweep
from ratelimits.engine import consume
from ratelimits.models import Bucket
from tests.support.apps import THIEF, App
from tests.support.backoffice import (
    CHALLENGES,
    EVENTS,
    LOOKUP,
    OUTBOX,
    PHONE,
    USERS,
    WHO,
    crawl,
    secrets,
)
from tests.support.pages import Page, words
from tests.support.people import (
    PASSWORD,
    Shopper,
    check_tokens,
    make_shopper,
    make_user,
    time_passes,
    wrong,
)
from tests.support.programs import Program
from tests.support.staff import let_in_staff, make_staff

ACTION_NAMES = [
    "recover",
    "recover-by-text",
    "end-sessions",
    "remove-email",
    "remove-phone",
    "lift-lock",
    "deactivate",
    "reactivate",
]
WINDOWS = [
    "accounts.view_user",
    "accounts.view_challenge",
    "accounts.view_securityevent",
    "messaging.view_outboxmessage",
]
TABLES = (Bucket, Challenge, OutboxMessage, SecurityEvent, Session, User)


@pytest.fixture
def helper(db):
    """The browser of somebody who may look at everything and help, but not deactivate."""
    return _hired("helper", *WINDOWS, "accounts.support_user")


@pytest.fixture
def viewer(db):
    """The browser of somebody who may only look."""
    return _hired("viewer", *WINDOWS)


@pytest.fixture
def registered(ana, postbox):
    """Ana, who came through the front door: her attempts, messages and events stand, too."""
    ana.signs_up(WHO, name="Ana Maria", username="ana.m", contact=PHONE)
    ana.post("/account/contact/", code=postbox.code(PHONE))
    return User.objects.get(username="ana.m")


def _hired(name, *permissions):
    user = make_staff(name)
    User.objects.filter(pk=user.pk).update(is_superuser=False)
    for permission in permissions:
        app, _dot, codename = permission.partition(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return _enters(name)


def _enters(name):
    browser = Shopper(ip="192.0.2.50")
    let_in_staff(browser.client, name)
    return browser


def found(browser, text, window=USERS):
    """The ids that a list shows, or the look-up, when `text` is typed into the list's box."""
    page = browser.client.post(window, {"who": text}, follow=True).content.decode()
    return set(re.findall(rf'href="{window}([^/"]+)/change/', page))


def page_of(browser, user, query=""):
    """What a user's page says."""
    return words(browser.client.get(f"{USERS}{user.pk}/change/{query}"))


def asks_why(browser, who):
    """What the page says about one address."""
    return words(browser.client.post(LOOKUP, {"who": who}))


def rows():
    """Everything that somebody could change."""
    return [list(table.objects.order_by("pk").values()) for table in TABLES]


def entered(name):
    """A provider of email that staff entered."""
    return Provider.objects.create(name=name, kind="smtp", channel="email", is_active=False)


def locked(name=WHO):
    """Five wrong passwords, by a stranger."""
    stranger = Shopper(ip="198.51.100.66")
    for _ in range(5):
        stranger.post("/login/", identifier=name, password="not the password")


# Finding somebody


@pytest.mark.parametrize(
    "text",
    [
        WHO,
        "ANA.MARIA@Example.com ",
        PHONE,
        "+1 (202) 555-0123",
        "001 202 555 0123",
        "ana.m",
        "Ana",
        "ana mar",
    ],
)
def test_a_shopper_is_found_by_what_the_caller_says(staff, shopper, bea, text):  # ADM-02
    make_shopper(bea, "bea@example.com", name="Bea")

    assert found(staff, text) == {str(shopper.pk)}


def test_a_shopper_is_found_by_id(staff, shopper):
    assert found(staff, str(shopper.pk)) == {str(shopper.pk)}


@pytest.mark.parametrize(
    "text",
    ["nobody", "%", "_na", "aria@example.com", "ana.maria@ex", "+1202", "555", "@", "+", "'"],
)
def test_a_search_finds_out_no_contact_bit_by_bit(staff, shopper, text):  # ADM-02
    assert found(staff, text) == set()


def test_attempts_are_found_by_id_and_by_whose_they_are(staff, registered):  # ADM-02
    # The attempt that made the account has its id.
    others = registered.challenges.exclude(pk=registered.pk)
    one = str(others.values_list("pk", flat=True)[0])
    every = {str(pk) for pk in registered.challenges.values_list("pk", flat=True)}

    assert found(staff, one, CHALLENGES) == {one}
    assert found(staff, str(registered.pk), CHALLENGES) == every
    assert found(staff, "ana", CHALLENGES) == set()


def test_messages_are_found_by_id(staff, registered):  # ADM-02
    one = str(OutboxMessage.objects.values_list("pk", flat=True)[0])

    assert found(staff, one, OUTBOX) == {one}
    assert found(staff, "ana", OUTBOX) == set()


def test_events_are_found_by_user_and_by_username(staff, shopper, bea):  # ADM-02, LOG-01
    bea.post("/login/", identifier="ana.m", password="not the password")

    assert found(staff, str(shopper.pk), EVENTS)
    assert len(found(staff, "ana.m", EVENTS)) == 1
    assert found(staff, "ana", EVENTS) == set()


def test_the_list_says_who_is_locked_and_until_when(staff, shopper):  # LIM-01
    locked()

    page = words(staff.client.get(USERS))

    assert re.search(r"Ana Maria ana.m locked until \d\d:\d\d a•••@example.com", page)


def test_the_list_shows_whose_password_is_locked_now(staff, shopper, bea):  # LIM-01
    make_shopper(bea, "bea@example.com", name="Bea")
    locked()
    locked("nobody@example.com")
    page = words(staff.client.get(USERS, {"state": "locked"}))
    assert "Ana Maria" in page
    assert "Bea" not in page

    staff.client.post(f"{USERS}{shopper.pk}/lift-lock/")

    assert "Ana Maria" not in words(staff.client.get(USERS, {"state": "locked"}))


@pytest.mark.parametrize(
    ("columns", "state", "said"),
    [
        ({}, "active", "active"),
        ({"is_active": False}, "closed", "deactivated"),
        ({"deletion_due_at": now()}, "leaving", "deletion pending"),
    ],
    ids=["active", "closed", "leaving"],
)
def test_the_list_is_filtered_by_state(staff, shopper, columns, state, said):
    User.objects.filter(pk=shopper.pk).update(**columns)

    for name in ("active", "closed", "leaving"):
        page = staff.client.get(USERS, {"state": name}).content.decode()
        assert (str(shopper.pk) in page) is (name == state)
    assert f">{said}</span>" in staff.client.get(USERS, {"state": state}).content.decode()


@pytest.mark.parametrize(
    ("how", "shown"), [("email", True), ("phone", False), ("both", False), ("none", False)]
)
def test_the_list_is_filtered_by_what_was_verified(staff, ana, how, shown):
    make_shopper(ana, WHO, name="Ana Maria")
    shopper = User.objects.get(name="Ana Maria")

    page = staff.client.get(USERS, {"verified": how}).content.decode()

    assert (str(shopper.pk) in page) is shown


# Challenges and messages as windows (promises 1.21 to 1.24)


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({}, challenge_status.VALID),
        ({"verified_at": now()}, challenge_status.USED),
        ({"cancelled_at": now()}, challenge_status.REPLACED),
        ({"tries_left": 0}, challenge_status.USED_UP),
        ({"expires_at": now()}, challenge_status.EXPIRED),
        ({"purpose": "not_me", "tries_left": 0, "expires_at": now()}, challenge_status.VALID),
        ({"purpose": "reset", "expires_at": now()}, challenge_status.VALID),
        ({"purpose": "reset", "link_expires_at": now()}, challenge_status.EXPIRED),
        (
            {"purpose": "reset", "kind": "phone", "sends": 0, "expires_at": now()},
            challenge_status.VALID,
        ),
        ({"purpose": "reset", "kind": "phone", "expires_at": now()}, challenge_status.EXPIRED),
    ],
)
def test_an_attempt_has_one_state_in_the_page_and_in_the_filter(
    staff, ana, columns, state
):  # promise 1.23
    ana.identify(WHO)
    Challenge.objects.exclude(purpose="staff").update(**columns)
    challenge = Challenge.objects.get(recipient=WHO)

    assert challenge_status.get_state(challenge) == state
    for name, condition in challenge_status.CONDITIONS.items():
        there = Challenge.objects.filter(condition, pk=challenge.pk).exists()
        assert there is (name == state)
        listed = staff.client.get(CHALLENGES, {"state": name}).content.decode()
        assert (str(challenge.pk) in listed) is (name == state)


def test_an_attempt_says_how_long_it_works(staff, ana):  # promise 1.21
    ana.identify(WHO)

    page = words(staff.client.get(CHALLENGES))

    assert re.search(r"valid registration email 9m 5\ds 0m ago", page)


@pytest.mark.parametrize(
    ("left", "said"),
    [({"seconds": 59}, "0m 59s"), ({"minutes": 9, "seconds": 5}, "9m 5s"), ({"hours": 5}, "5h 0m")],
)
def test_time_left_is_short(left, said):  # promise 1.21
    assert challenge_status.duration(timedelta(**left)) == said


@pytest.mark.parametrize(
    ("gone", "said"),
    [({"minutes": 3}, "3m ago"), ({"hours": 25}, "1d ago"), ({"minutes": 119}, "1h ago")],
)
def test_age_is_short(gone, said):  # promise 1.22
    assert challenge_status.age(timedelta(**gone)) == said


@pytest.mark.parametrize("status", Status)
def test_a_message_has_a_badge(staff, ana, status):  # promise 1.23
    ana.identify(WHO)
    OutboxMessage.objects.filter(address=WHO).update(status=status)

    page = staff.client.get(OUTBOX).content.decode()

    assert re.search(rf'class="badge badge-\w+">{status.label}</span>', page)


# The page of one user


def test_the_timeline_tells_everything_newest_first(staff, registered, postbox):  # LOG-01
    locked()
    Shopper(ip="198.51.100.11").post("/password-reset/", identifier=WHO)
    len(postbox)
    sent = OutboxMessage.objects.filter(template="reset").get()
    post = entered("Post & Co").pk
    OutboxMessage.objects.filter(pk=sent.pk).update(status=Status.BOUNCED, provider_id=post)
    Receipt.objects.create(
        key="r1", message=sent, provider_id=post, status="bounced", detail="no room", at=now()
    )

    page = page_of(staff, registered)

    told = [
        "Link for a new password to a•••@example.com through Post & Co bounced",
        "Post & Co said: bounced: no room",
        "Somebody began: new password with a•••@example.com valid",
        "Too many wrong passwords: paused for a while",
        "A wrong password was typed",
        "Code to +12•••23 through mailbox",
        "The account was created",
        "Code to a•••@example.com through mailbox",
        "Somebody began: registration with a•••@example.com used",
    ]
    places = [page.find(words) for words in told]
    assert -1 not in places, told[places.index(-1)]
    assert places == sorted(places)


def test_the_page_says_in_which_browsers_and_apps_somebody_is_signed_in(staff, shopper):
    app = App(shopper)
    day = timedelta(days=1)
    Session.objects.filter(pk=app.session.pk).update(
        signed_in_at=now() - 40 * day, last_used_at=now() - 2 * day
    )
    ended = App(shopper, name="Ended")
    Session.objects.filter(pk=ended.session.pk).update(expire_date=now() - day)

    page = page_of(staff, shopper)

    began, used = (date_format(localtime(now() - ago * day), "j M Y") for ago in (40, 2))
    told = rf"My Shop app on Android app Last used {used}, \d\d:\d\d · signed in {began}, \d\d:\d\d"
    assert re.search(told + r" · 192\.0\.2\.7", page)
    assert page.count("Last used") == Session.objects.filter(user=shopper).count() - 1 == 2
    assert "Ended" not in page
    assert str(app.session.public_id) not in page


def test_the_page_says_that_somebody_is_signed_in_nowhere(staff, shopper):
    Session.objects.filter(user=shopper).delete()

    assert "The user is signed in nowhere." in page_of(staff, shopper)


def test_the_timeline_says_through_which_space_of_the_api_it_came(staff, db):
    told = Program().post("auth", "register/phone/", phone="+447400123456")
    assert told.status == 200
    user = make_user("bea@example.com", phone="+447400123456")

    page = page_of(staff, user)

    assert "API auth · Sent once, 5 tries left" in page
    assert re.search(r"A code or a link was sent API auth · 203\.0\.113\.30", page)


def test_the_timeline_tells_of_copied_tokens_of_apps(staff, shopper):  # LOG-01
    app, other = App(shopper), App(shopper, name="Shop for tablets")
    before = app.refreshes()
    app.refreshes()
    with pytest.raises(TokenNotValid):
        sessions.refresh(before.refresh, client=THIEF)

    page = page_of(staff, shopper)

    assert "A refresh token was used twice: the app was signed out" in page
    assert "Shop for tablets app on Android" in page
    assert "My Shop app" not in page
    assert str(other.session.public_id) not in page


def test_staff_are_not_told_that_they_did_it():  # LOG-01
    told = [str(words) for words in timeline.WORDS.values()]

    assert not [words for words in told if re.search(r"(?i)\b(you|your|our)\b", words)]


def test_what_came_from_nowhere_names_no_address(helper, shopper):
    helper.client.post(f"{USERS}{shopper.pk}/recover/")

    assert SecurityEvent.objects.filter(kind="code_sent").latest("pk").ip is None
    assert "::" not in page_of(helper, shopper)


def test_the_timeline_tells_of_limits(staff, shopper):  # LOG-01
    answers = [
        Shopper(ip=f"198.51.100.{number}").post("/login/code/", identifier=WHO)
        for number in range(1, 7)
    ]
    assert answers[-1].status_code == 429

    assert "Something was tried too often" in page_of(staff, shopper)


def test_the_timeline_goes_on_with_what_is_older(shopper):
    SecurityEvent.objects.bulk_create(
        SecurityEvent(kind="signed_in", user=shopper, at=now() - timedelta(minutes=number))
        for number in range(1, 250)
    )

    first = timeline.build(shopper)
    second = timeline.build(shopper, timeline.parse_moment(first.older))
    third = timeline.build(shopper, timeline.parse_moment(second.older))

    assert len(first.entries) == len(second.entries) == 100
    assert not third.older
    every = [entry.at for part in (first, second, third) for entry in part.entries]
    assert every == sorted(every, reverse=True)
    happened = SecurityEvent.objects.filter(user=shopper, kind="signed_in").count()
    told = [
        entry
        for part in (first, second, third)
        for entry in part.entries
        if entry.words == "Sign-in"
    ]
    assert len(told) == happened


@pytest.mark.parametrize("before", ["x", "2020-01-01", "0", "2020-01-01T00:00:00+00:00", "9" * 99])
def test_any_moment_may_stand_in_the_address(staff, shopper, before):
    assert staff.client.get(f"{USERS}{shopper.pk}/change/", {"before": before}).status_code == 200


def test_the_timeline_says_nothing_of_others(staff, shopper, bea):
    make_shopper(bea, "bea@example.com", name="Bea")

    assert "b•••@" not in page_of(staff, shopper)


# Mending


def test_recovery_goes_to_the_owner_and_to_nobody_else(helper, shopper, postbox):  # ADM-06
    before = len(postbox)

    answer = helper.client.post(f"{USERS}{shopper.pk}/recover/", follow=True)

    assert "The recovery message is on its way." in words(answer)
    assert len(postbox) == before + 1
    assert postbox.messages()[0]["to"] == WHO
    link = postbox.link(WHO)
    assert link.partition("token=")[2] not in answer.content.decode()
    owner = Shopper()
    owner.post(owner.open(link).request["PATH_INFO"], password="another fine secret")
    shopper.refresh_from_db()
    assert shopper.check_password("another fine secret")


def test_the_recovery_message_does_not_name_the_browser_of_staff(helper, shopper, postbox):
    helper.client.post(
        f"{USERS}{shopper.pk}/recover/",
        headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"},
    )

    assert "Firefox" not in postbox.messages(WHO)[0]["text"]


def test_recovery_is_limited_as_for_everyone(helper, shopper, postbox):  # ABU-01, ADM-06
    for _ in range(3):
        helper.client.post(f"{USERS}{shopper.pk}/recover/")
    before = len(postbox)

    answer = helper.client.post(f"{USERS}{shopper.pk}/recover/", follow=True)

    assert "That was too often" in words(answer)
    assert len(postbox) == before
    assert SecurityEvent.objects.filter(kind="staff_recovery_sent").count() == 3


def test_whoever_has_a_number_alone_is_sent_a_link_by_text(helper, bea, postbox):  # ADM-06
    bea.signs_up(PHONE, name="Bea")
    user = User.objects.get(name="Bea")

    answer = helper.client.post(f"{USERS}{user.pk}/recover-by-text/", follow=True)

    assert "The recovery message is on its way." in words(answer)
    text = postbox.messages(PHONE)[0]["text"]
    assert len(text) <= 160
    link = postbox.link(PHONE)
    assert link.partition("token=")[2] not in answer.content.decode()
    owner = Shopper()
    owner.post(owner.open(link).request["PATH_INFO"], password="another fine secret")
    user.refresh_from_db()
    assert user.check_password("another fine secret")
    # The share of codes that come back is that of sign-ups alone (ENU-08).
    country = SmsCountry.objects.get(code="US")
    assert (country.sent, country.verified) == (1, 1)


def test_a_link_by_text_works_an_hour_and_no_code_with_it(helper, shopper, ana):  # COD-08, REC-03
    helper.client.post(f"{USERS}{shopper.pk}/recover-by-text/")
    sent = Challenge.objects.get(purpose="reset")

    assert not sent.is_current_code(sent.code)
    assert challenge_status.get_state(sent) == challenge_status.VALID
    time_passes(minutes=59)
    sent.refresh_from_db()
    assert challenge_status.get_state(sent) == challenge_status.VALID
    time_passes(minutes=1)
    sent.refresh_from_db()
    assert challenge_status.get_state(sent) == challenge_status.EXPIRED


@pytest.mark.parametrize(
    ("contact", "action"), [(PHONE, "recover"), ("bea@example.com", "recover-by-text")]
)
def test_a_recovery_goes_to_a_contact_the_user_has(helper, bea, contact, action):  # ADM-06
    make_shopper(bea, contact, name="Bea")
    user = User.objects.get(name="Bea")
    url = f"{USERS}{user.pk}/{action}/"

    assert url not in helper.client.get(f"{USERS}{user.pk}/change/").content.decode()
    answer = helper.client.post(url, follow=True)

    assert "The account has changed meanwhile" in words(answer)
    assert not Challenge.objects.filter(purpose="reset").exists()


def test_sessions_end(helper, shopper, ana):  # ADM-06
    assert ana.is_signed_in

    helper.client.post(f"{USERS}{shopper.pk}/end-sessions/")

    assert not ana.is_signed_in
    assert not Session.objects.filter(user=shopper).exists()


def test_apps_are_signed_out_with_the_sessions(helper, shopper):  # ADM-06
    app, other = App(shopper), App(shopper, name="Shop for tablets")
    asked = words(helper.client.get(f"{USERS}{shopper.pk}/end-sessions/"))
    assert "signed out in every browser and app" in asked

    helper.client.post(f"{USERS}{shopper.pk}/end-sessions/")

    assert not app.is_signed_in
    assert not other.is_signed_in
    assert "The user is signed in nowhere." in page_of(helper, shopper)


def test_a_lock_is_lifted_under_each_name(helper, shopper):  # LIM-01
    locked(WHO)
    visitor = Shopper(ip="198.51.100.77")
    visitor.post("/login/", identifier=WHO, password=PASSWORD)
    assert not visitor.is_signed_in
    assert "locked until" in page_of(helper, shopper)

    helper.client.post(f"{USERS}{shopper.pk}/lift-lock/")

    assert "locked until" not in page_of(helper, shopper)
    visitor.post("/login/", identifier=WHO, password=PASSWORD)
    assert visitor.is_signed_in


def test_a_deactivated_shopper_is_out_and_comes_back_when_reactivated(staff, shopper, ana):
    staff.client.post(f"{USERS}{shopper.pk}/deactivate/")

    assert not ana.is_signed_in
    visitor = Shopper(ip="198.51.100.77")
    visitor.post("/login/", identifier=WHO, password=PASSWORD)
    assert not visitor.is_signed_in

    staff.client.post(f"{USERS}{shopper.pk}/reactivate/")

    visitor.post("/login/", identifier=WHO, password=PASSWORD)
    assert visitor.is_signed_in


@pytest.mark.parametrize(
    ("action", "event"),
    [
        ("recover", "staff_recovery_sent"),
        ("recover-by-text", "staff_recovery_sent"),
        ("end-sessions", "staff_ended_sessions"),
        ("remove-email", "staff_removed_contact"),
        ("remove-phone", "staff_removed_contact"),
        ("lift-lock", "staff_lifted_lock"),
        ("deactivate", "staff_deactivated"),
        ("reactivate", "staff_reactivated"),
    ],
)
def test_every_action_asks_first_and_is_written_down(
    staff, shopper, action, event
):  # LOG-01, ADM-06
    if action == "reactivate":
        User.objects.filter(pk=shopper.pk).update(is_active=False)
    url = f"{USERS}{shopper.pk}/{action}/"
    before = rows()

    assert staff.client.get(url).status_code == 200
    asked = [*rows()]
    asked[4] = before[4]  # the session of staff was used
    # The page shows who it is about: that alone is written down.
    (seen,) = [event for event in asked[3] if event not in before[3]]
    assert (seen["kind"], seen["about"]) == ("staff_viewed", f"user {shopper.pk}")
    asked[3] = [event for event in asked[3] if event != seen]
    assert asked == before

    staff.client.post(url)

    happened = SecurityEvent.objects.get(kind=event)
    assert (happened.user_id, happened.ip) == (shopper.pk, None)
    acted = SecurityEvent.objects.get(kind="staff_acted")
    assert (acted.user.username, acted.ip) == ("boss", "192.0.2.50")
    entry = LogEntry.objects.get(object_id=str(shopper.pk))
    assert entry.user.username == "boss"
    assert WHO not in entry.change_message + entry.object_repr
    assert str(timeline.WORDS[event]) in page_of(staff, shopper)


@pytest.mark.parametrize("action", ACTION_NAMES)
def test_who_may_only_look_does_nothing(viewer, shopper, action):  # ADM-03
    before = rows()
    url = f"{USERS}{shopper.pk}/{action}/"

    assert viewer.client.get(url).status_code == 403
    assert (
        viewer.client.post(url, {"password": "x" * 20, "email": "eve@example.com"}).status_code
        == 403
    )

    after = rows()
    after[4] = before[4]
    assert after == before
    assert not LogEntry.objects.exists()
    assert url not in viewer.client.get(f"{USERS}{shopper.pk}/change/").content.decode()


def test_support_deactivates_nobody(helper, shopper):  # ADM-03
    for action in ("deactivate", "reactivate"):
        assert helper.client.post(f"{USERS}{shopper.pk}/{action}/").status_code == 403
    shopper.refresh_from_db()
    assert shopper.is_active


@pytest.mark.parametrize("action", ACTION_NAMES)
def test_support_does_nothing_to_colleagues_or_to_oneself(helper, staff, action):  # ADM-03
    for name in ("boss", "helper"):
        user = User.objects.get(username=name)
        assert helper.client.post(f"{USERS}{user.pk}/{action}/").status_code == 403
    assert (
        staff.client.post(f"{USERS}{User.objects.get(username='boss').pk}/{action}/").status_code
        == 403
    )


@pytest.mark.parametrize("action", ACTION_NAMES)
def test_shoppers_do_nothing_at_all(shopper, ana, action):  # ADM-03, ADM-04
    before = User.objects.filter(pk=shopper.pk).values().get()

    assert ana.client.post(f"{USERS}{shopper.pk}/{action}/").status_code in (302, 403)

    assert User.objects.filter(pk=shopper.pk).values().get() == before
    assert not SecurityEvent.objects.filter(kind__startswith="staff_").exists()


@pytest.mark.parametrize("action", ACTION_NAMES)
def test_an_action_needs_a_form_of_ours(staff, shopper, action):  # WEB-01
    check_tokens(staff.client)

    assert staff.client.post(f"{USERS}{shopper.pk}/{action}/").status_code == 403


def test_an_action_on_nobody_is_no_fault(staff):
    nobody = "00000000-0000-0000-0000-000000000000"
    assert {
        staff.client.post(f"{USERS}{nobody}/{action}/").status_code for action in ACTION_NAMES
    } == {404}


# Why no code?


def test_the_page_tells_of_somebody_who_never_became_a_user(staff, ana, postbox):
    ana.identify(WHO)
    ana.verify(wrong(postbox.code(WHO)))
    OutboxMessage.objects.filter(address=WHO).update(
        status=Status.BOUNCED, provider_id=entered("Post & Co").pk, error="550 no such user"
    )

    page = asks_why(staff, "Ana.Maria@EXAMPLE.com")

    assert "There is no account with this address." in page
    assert "this address cannot be reached" in page
    assert re.search(
        r"Registration valid 0m ago · Sent once, 4 tries left · works for 9m \d+s", page
    )
    assert "Code to a•••@example.com through Post & Co bounced Last error: 550 no such user" in page


def test_the_page_shows_no_address(staff, shopper):  # ADM-01, LOG-03
    answer = staff.client.post(LOOKUP, {"who": WHO})

    assert WHO not in answer.content.decode()
    assert "a•••@example.com" in answer.content.decode()
    assert f"{USERS}{shopper.pk}/change/" in answer.content.decode()


def test_a_look_is_written_down_without_the_address(staff, shopper):  # LOG-01, LOG-03
    staff.client.post(LOOKUP, {"who": WHO})

    event = SecurityEvent.objects.get(kind="staff_looked_up")
    assert event.user.username == "boss"
    assert len(event.fingerprint) == 40


@pytest.mark.parametrize("text", ["", "ana", "@", "12345", "x" * 300, "ana@example.com\x01"])
def test_what_is_no_address_is_said_in_words(staff, text):
    answer = staff.client.post(LOOKUP, {"who": text})

    assert answer.status_code == 200
    assert Page(answer).all("ul", class_="errorlist") or "errorlist" in answer.content.decode()


def test_the_page_tells_which_limits_are_full_and_until_when(staff, shopper):
    for pool in (Pool.RETURN, Pool.OWNER):
        consume(*limits.messages(parse(WHO), pool))
    for bucket in Bucket.objects.filter(name__startswith="messages"):
        bucket.hits = bucket.hits[-13:] * bucket.size
        bucket.save()
    locked()

    page = asks_why(staff, WHO)

    assert re.search(r"messages to this address, in new browsers, full until \d\d:\d\d", page)
    assert re.search(
        r"messages to this address, for trusted browsers and staff, full until \d\d:\d\d", page
    )
    assert re.search(r"passwords tried for the account, full until \d\d:\d\d", page)


def test_the_page_tells_that_a_country_is_closed(staff, shopper):
    SmsCountry.objects.filter(code="*").close()

    page = asks_why(staff, "+1 (202) 555-0123")

    assert "Texts to everywhere: closed by staff" in page
    assert "We send no texts to this country at the moment" in page


def test_who_may_not_see_people_does_not_ask(db, shopper):  # ADM-03
    clerk = _hired("clerk", "accounts.view_challenge", "messaging.view_outboxmessage")

    assert clerk.client.get(LOOKUP).status_code == 403
    assert clerk.client.post(LOOKUP, {"who": WHO}).status_code == 403
    for page in ("/admin/", "/admin/accounts/", CHALLENGES, OUTBOX):
        assert LOOKUP not in clerk.client.get(page).content.decode()


def test_shoppers_do_not_ask(ana, shopper):  # ADM-03
    assert ana.client.post(LOOKUP, {"who": WHO}).status_code in (302, 403)


AT = now()
SENT = {"state": challenge_status.VALID, "sent_at": AT, "ends_at": AT}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"can_send": False}, "no provider is in use"),
        ({"is_country_closed": True}, "no texts to this country"),
        ({"account": "closed"}, "deactivated"),
        ({}, "Nobody asked for a code"),
        ({"full_until": AT}, "too many requests"),
        ({**SENT, "is_decoy": True, "message": "sent"}, "no account with this address"),
        ({**SENT, "state": challenge_status.USED, "message": "bounced"}, "it worked"),
        ({**SENT, "message": "bounced"}, "came back"),
        ({**SENT, "message": "failed"}, "came back"),
        ({**SENT, "message": "delivered", "full_until": AT}, "too many requests"),
        ({**SENT, "state": challenge_status.USED_UP, "message": "delivered"}, "tried too often"),
        ({**SENT, "message": "cancelled"}, "never sent"),
        ({**SENT, "message": "expired"}, "never sent"),
        ({**SENT}, "never sent"),
        ({**SENT, "state": challenge_status.EXPIRED, "message": "delivered"}, "worked until"),
        ({**SENT, "state": challenge_status.REPLACED, "message": "sent"}, "withdrawn"),
        ({**SENT, "message": "queued"}, "waits to be sent"),
        ({**SENT, "message": "queued", "is_paused": True}, "the provider is paused"),
        ({**SENT, "message": "delivered"}, "was delivered"),
        ({**SENT, "message": "sent"}, "was handed over"),
    ],
)
def test_there_is_a_sentence_for_the_caller(facts, said):
    assert said in sentence(Facts(**facts))


# What nobody sees, and what it costs


def test_no_page_of_support_tells_a_secret(helper, shopper, postbox, is_release):  # ADM-01, COD-02
    Shopper(ip="198.51.100.9").identify(
        "stranger@example.com", name="S", password="stranger secret"
    )
    helper.client.post(f"{USERS}{shopper.pk}/recover/")
    len(postbox)

    pages = crawl(helper, narrowed=is_release)
    looked = [helper.client.post(LOOKUP, {"who": who}) for who in (WHO, PHONE)]

    assert {page.status_code for page in pages.values()} == {200}
    shown = "".join(page.content.decode() for page in [*pages.values(), *looked])
    assert f"{USERS}{shopper.pk}/change/" in pages
    assert LOOKUP in pages
    for secret in secrets(postbox):
        assert secret not in shown


@pytest.mark.parametrize(
    "url",
    [USERS, f"{USERS}?q=ana", CHALLENGES, OUTBOX, EVENTS, "page"],
)
def test_a_page_asks_the_database_fourteen_times_at_most(
    helper, shopper, bea, url, django_assert_max_num_queries
):
    make_shopper(bea, "bea@example.com", name="Ana Bea")
    url = f"{USERS}{shopper.pk}/change/" if url == "page" else url
    helper.client.get(url)

    with django_assert_max_num_queries(14):
        assert helper.client.get(url).status_code == 200


@pytest.mark.parametrize("who", [WHO, PHONE])
def test_why_no_code_asks_the_database_fourteen_times_at_most(
    helper, shopper, who, django_assert_max_num_queries
):
    with django_assert_max_num_queries(14):
        assert helper.client.post(LOOKUP, {"who": who}).status_code == 200


@pytest.mark.usefixtures("_contexts_are_noted")
def test_a_search_reads_no_whole_table(staff, shopper, is_release):  # ADM-02
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL plans")
    User.objects.bulk_create(
        User(name=f"Name {number}", username=f"name{number}")
        for number in range(20_000 if is_release else 3_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_user")

    # One crowd for all: it takes seconds to come together.
    for text in ("ana", "Ana Maria", "ana.m", str(shopper.pk)):
        plan = _searched(staff, text).explain()
        assert "Seq Scan" not in plan, (text, plan)


@pytest.mark.parametrize(
    "rows",
    [User.objects.none, lambda: User.objects.order_by("pk").filter(pk__in=[])],
    ids=["none", "of no ids"],
)
def test_a_filter_that_nothing_can_match_counts_nothing_in_a_large_table(db, monkeypatch, rows):
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL plans")
    monkeypatch.setattr(modeladmin, "is_large", lambda model: True)

    assert modeladmin.EstimatedPaginator(rows(), 25).count == 0


def _searched(browser, text):
    answer = browser.client.get(USERS, {"q": text})
    return answer.context["cl"].queryset[:100]


def test_nothing_waits_while_staff_look(staff, shopper):
    sweep()
    before = OutboxMessage.objects.count()

    asks_why(staff, WHO)

    assert OutboxMessage.objects.count() == before
