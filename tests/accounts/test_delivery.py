"""What became of the message, told on the code's page: to whoever asked for it, while it may change; to nobody else."""

import re
import uuid
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from accounts.models import Challenge, Session, User
from messaging.models import OutboxMessage, Status
from messaging.outbox import api as outbox
from messaging.tasks import sweep
from tests.support.pages import Page, comparable, words
from tests.support.people import (
    CHANGE,
    FACES,
    LOGIN,
    PASSWORD,
    RESEND,
    VERIFY,
    Shopper,
    make_shopper,
    time_passes,
)

NEWS = "/register/verify/delivery/"
CONTACT, CONTACT_NEWS = "/account/contact/", "/account/contact/delivery/"
CONFIRM, CONFIRM_NEWS = "/account/confirm/", "/account/confirm/verify/delivery/"
CONFIRM_CODE, CONFIRM_VERIFY = "/account/confirm/code/", "/account/confirm/verify/"
MY_EMAIL, MY_PHONE = "/account/contacts/email/", "/account/contacts/phone/"
EMAIL, PHONE = "ana@example.com", "+12025550123"
NEW_EMAIL, NEW_PHONE = "new@example.com", "+12025550177"
STOP = 286
SOMEBODY = uuid.uuid4()

ON_ITS_WAY = {EMAIL: "Your email is on its way.", PHONE: "Your text message is on its way."}
SENT = {EMAIL: "Handed to your mail provider.", PHONE: "Handed to your phone company."}
DELIVERED = {EMAIL: "Delivered. Look in your inbox.", PHONE: "Delivered to your phone."}
BOUNCED = {
    EMAIL: "It came back: this address cannot be reached.",
    PHONE: "It came back: this number cannot be reached.",
}
OVER = dict.fromkeys([EMAIL, PHONE], "If nothing arrives, ask for a new code.")
LATE = "This takes longer than usual. We keep trying."
SENTENCES = {
    "queued": ("queued", ON_ITS_WAY),
    "sending": ("queued", ON_ITS_WAY),
    "sent": ("sent", SENT),
    "delivered": ("delivered", DELIVERED),
    "bounced": ("bounced", BOUNCED),
    "failed": ("bounced", BOUNCED),
    "complained": ("over", OVER),
    "expired": ("over", OVER),
    "cancelled": ("over", OVER),
}
MAY_CHANGE = ["queued", "sending", "sent"]
OTHERS = [status for status in SENTENCES if status not in MAY_CHANGE]


def becomes(status, **which):
    """What a worker or a receipt writes."""
    assert OutboxMessage.objects.filter(**which).update(status=status)


def asks(who, *, face="page", **more):
    """Somebody whose code left three seconds ago."""
    shopper = Shopper(face, **more)
    shopper.identify(who)
    time_passes(seconds=3)
    return shopper


def news(shopper, url=NEWS, **seen):
    """One more look at the line."""
    return shopper.get(f"{url}?{urlencode(seen)}")


def the_line(answer):
    """The line of a page, whole, or None."""
    found = re.search(r'<p id="delivery".*?</p>', answer.content.decode(), re.DOTALL)
    return found and found.group()


def said(answer):
    """What the line of a page says."""
    return " ".join(re.sub("<[^>]*>", " ", the_line(answer)).split())


def polls(answer):
    """Whether a page or a line goes on asking."""
    return b"every 2s" in answer.content


# The words


@pytest.mark.sample(9)
@pytest.mark.parametrize("who", [EMAIL, PHONE], ids=["email", "phone"])
@pytest.mark.parametrize("status", SENTENCES)
def test_every_state_has_its_words_in_every_face(db, status, who):  # ux 51
    state, sentences = SENTENCES[status]
    page, htmx, json = (asks(who, face=face) for face in FACES)
    becomes(status)

    assert said(page.get(VERIFY)).startswith(sentences[who])
    assert words(news(htmx)).startswith(sentences[who])
    told = news(json)
    assert told.status_code == 200
    assert told.json() == {"success": True, "delivery": state, "message": sentences[who]}


def test_the_line_is_polite_and_stays_where_it_is(db):  # ux 51
    line = the_line(asks(EMAIL).get(VERIFY))
    piece = news(asks(NEW_EMAIL, face="htmx"))

    assert 'role="status"' in line
    assert 'hx-target="this"' in line
    assert 'hx-trigger="every 2s"' in line
    assert not re.search("aria-live|autofocus|hx-push-url|tabindex", line)
    assert not re.search("<p|role=|<title|autofocus", piece.content.decode())
    assert not {"HX-Push-Url", "HX-Redirect", "HX-Trigger"} & set(piece.headers)


@pytest.mark.parametrize("status", ["queued", "sending"])
@pytest.mark.parametrize(("seconds", "sentence"), [(9, ON_ITS_WAY[EMAIL]), (11, LATE)])
def test_after_ten_seconds_it_takes_longer_than_usual(db, status, seconds, sentence):
    ana = Shopper()
    ana.identify(EMAIL)
    time_passes(seconds=seconds)
    becomes(status)

    assert said(ana.get(VERIFY)) == sentence


def test_a_new_code_begins_anew(db):
    ana = asks(EMAIL, face="htmx")
    becomes("bounced")
    time_passes(seconds=61)
    shown = ana.post(RESEND)
    assert said(shown) == ON_ITS_WAY[EMAIL]
    assert polls(shown)
    time_passes(seconds=3)

    assert words(news(ana)) == ON_ITS_WAY[EMAIL]  # the older one came back, not this one
    becomes("delivered", part="2")
    assert words(news(ana)) == DELIVERED[EMAIL]


def test_the_newest_message_about_a_thing_counts(db):
    how = {"channel": outbox.EMAIL, "address": EMAIL, "lifetime": timedelta(minutes=10)}
    assert outbox.status_of(uuid.uuid4(), "1") is None
    older = outbox.queue("code", about_id=SOMEBODY, part="1", **how)
    becomes("bounced")
    time_passes(seconds=1)
    outbox.queue("code", about_id=SOMEBODY, part="1", **how)

    assert outbox.status_of(SOMEBODY, "1") == Status.QUEUED
    assert OutboxMessage.objects.get(pk=older.pk).status == Status.BOUNCED


# What helps when it came back


@pytest.mark.sample(5)
@pytest.mark.every_face
@pytest.mark.parametrize(
    ("who", "words_of_fix"),
    [
        (EMAIL, "Check the address or use your mobile number."),
        (PHONE, "Check the number or use your email address."),
    ],
    ids=["email", "phone"],
)
@pytest.mark.parametrize("status", ["bounced", "failed"])
def test_a_message_that_came_back_leads_to_another_address(anyone, status, who, words_of_fix):
    anyone.identify(who)
    time_passes(seconds=3)
    becomes(status)
    answer = anyone.get(VERIFY if anyone.face == "page" else NEWS)

    if anyone.face == "json":
        assert answer.json()["message"] == BOUNCED[who]
        return
    (fix,) = Page(answer).all("a", id="fix-delivery")
    assert fix["href"].partition("?")[0] == CHANGE
    assert words_of_fix in words(answer)
    assert anyone.get(CHANGE).status_code == 200


@pytest.mark.parametrize(
    ("who", "one_way"),
    [(EMAIL, "EMAIL_URL"), (PHONE, "SMS_URL")],
    ids=["email", "phone"],
)
def test_no_channel_is_offered_that_does_not_work(ana, settings, who, one_way):  # ux 50
    settings.MAILBOX = False
    setattr(settings, one_way, "smtp://127.0.0.1:9")
    ana.identify(who)
    time_passes(seconds=3)
    becomes("bounced")

    line = said(ana.get(VERIFY))

    assert line.startswith(BOUNCED[who])
    assert re.search(r"Check the (address|number)\.$", line)


def test_a_new_contact_that_came_back_is_typed_again(ana, postbox):
    make_shopper(ana, PHONE)
    ana.post(MY_EMAIL, contact=NEW_EMAIL)
    time_passes(seconds=3)
    becomes("bounced", address=NEW_EMAIL)

    page = ana.get(CONTACT)

    assert said(page) == f"{BOUNCED[EMAIL]} Check the address."
    assert Page(page).all("a", id="fix-delivery", href=MY_EMAIL)
    assert ana.get(MY_EMAIL).status_code == 200


@pytest.mark.parametrize("has_password", [True, False])
def test_a_proof_that_came_back_leads_to_the_password_of_whoever_has_one(
    ana, postbox, has_password
):
    verifies_again(ana)
    if not has_password:
        User.objects.update(password="!")
        Session.objects.update(session_data=_resigned(ana))
    becomes("bounced", **_newest())

    page = ana.get(CONFIRM_VERIFY)

    assert said(page) == BOUNCED[EMAIL] + (" Use your password." if has_password else "")
    assert bool(Page(page).all("a", id="fix-delivery", href=CONFIRM)) is has_password


def _resigned(shopper):
    """The session after the password is gone: it is bound to it."""
    session = shopper.client.session
    session["_auth_user_hash"] = User.objects.get().get_session_auth_hash()
    return session.encode(dict(session.items()))


def _newest():
    challenge = Challenge.objects.filter(purpose="confirm").latest("created_at")
    return {"about_id": challenge.pk, "part": str(challenge.sends)}


def verifies_again(shopper):
    """All done long ago; the code that proves who is there left three seconds ago."""
    make_shopper(shopper, EMAIL)
    time_passes(minutes=10, seconds=1)
    Session.objects.update(
        reauthenticated_at=F("reauthenticated_at") - timedelta(minutes=10, seconds=1)
    )
    assert shopper.post(CONFIRM_CODE).status_code in (200, 303)
    time_passes(seconds=3)


# When the asking ends


@pytest.mark.parametrize("status", SENTENCES)
def test_what_cannot_change_any_more_is_not_asked_for(db, status):  # ux 51
    ana = asks(EMAIL, face="htmx")
    becomes(status)

    answer, page = news(ana), asks(NEW_EMAIL).get(VERIFY)

    assert answer.status_code == (200 if status in MAY_CHANGE else STOP)
    assert polls(answer) is (status in MAY_CHANGE)
    assert words(answer)
    assert polls(page)


@pytest.mark.parametrize("status", OTHERS)
def test_a_page_that_opens_with_the_end_asks_nothing(db, status):  # ux 51
    ana = asks(EMAIL)
    becomes(status)

    assert not polls(ana.get(VERIFY))


@pytest.mark.parametrize("status", MAY_CHANGE)
@pytest.mark.parametrize(("seconds", "goes_on"), [(55, True), (60, False), (61, False)], ids=str)
def test_after_a_minute_nobody_asks(db, status, seconds, goes_on):  # ux 51
    ana, bea = asks(EMAIL, face="htmx"), Shopper()
    bea.identify(NEW_EMAIL)
    becomes(status)
    Challenge.objects.update(sent_at=Now() - timedelta(seconds=seconds))

    answer, page = news(ana), bea.get(VERIFY)

    assert answer.status_code == (200 if goes_on else STOP)
    assert polls(answer) is polls(page) is goes_on
    assert words(answer) == said(page) == (SENT[EMAIL] if status == "sent" else LATE)


def test_words_that_are_there_are_not_put_there_again(db):  # ux 51, WCAG 4.1.3
    ana = asks(EMAIL, face="htmx")

    same = news(ana, seen="queued")
    becomes("sent")
    other, again = news(ana, seen="queued"), news(ana, seen="sent")
    time_passes(seconds=60)
    end = news(ana, seen="sent")

    assert (same.status_code, same.content) == (204, b"")
    assert (other.status_code, words(other)) == (200, SENT[EMAIL])
    assert re.search(NEWS + r"\?attempt=\w+&amp;seen=sent", other.content.decode())
    assert again.status_code == 204
    assert (end.status_code, end.headers["HX-Reswap"], end.content) == (STOP, "none", b"")


# Whose line it is


def assert_silent(shopper, url, page):
    """Nothing is told, whatever the face."""
    answer = news(shopper, url)
    assert (answer.status_code, answer.content) == {
        "page": (303, b""),
        "htmx": (STOP, b""),
        "json": (409, answer.content),
    }[shopper.face]
    if shopper.face == "page":
        assert answer.headers["Location"] == page
    assert "delivery" not in answer.content.decode()
    assert not answer.cookies


@pytest.mark.parametrize(
    ("url", "page"),
    [(NEWS, VERIFY), (CONTACT_NEWS, CONTACT), (CONFIRM_NEWS, CONFIRM_VERIFY)],
)
def test_another_browser_is_told_nothing(ana, anyone, postbox, url, page):  # COD-08
    ana.signs_up(EMAIL, contact=PHONE)
    asks(NEW_EMAIL)

    assert_silent(anyone, url, page)


def test_a_line_of_one_journey_is_none_of_another(anyone, postbox):  # COD-08
    anyone.identify(EMAIL)

    assert_silent(anyone, CONTACT_NEWS, CONTACT)
    assert_silent(anyone, CONFIRM_NEWS, CONFIRM_VERIFY)


def test_a_code_that_was_right_has_no_line_left(anyone, postbox):
    anyone.identify(EMAIL)
    anyone.verify(postbox.code())

    assert_silent(anyone, NEWS, VERIFY)


def test_an_attempt_that_was_withdrawn_has_no_line_left(anyone):
    anyone.identify(EMAIL)
    Challenge.objects.update(cancelled_at=Now())

    assert_silent(anyone, NEWS, VERIFY)


def test_another_address_has_a_line_of_its_own(db):  # ux 49
    ana = asks(EMAIL, face="htmx")
    ana.post(CHANGE, identifier=PHONE)
    time_passes(seconds=3)
    becomes("bounced", address=EMAIL)
    becomes("delivered", address=PHONE)

    assert words(news(ana)) == DELIVERED[PHONE]


def test_whoever_signed_out_is_told_nothing(anyone, postbox):
    verifies_again(anyone)
    User.objects.update(is_active=False)

    assert_silent(anyone, CONFIRM_NEWS, CONFIRM_VERIFY)


@pytest.mark.every_face
def test_an_account_has_lines_too(anyone, postbox):
    verifies_again(anyone)
    anyone.post(CONFIRM, current=PASSWORD)
    anyone.post(MY_EMAIL, contact=NEW_EMAIL)
    time_passes(seconds=3)
    becomes("delivered", address=NEW_EMAIL)

    told = {
        "page": lambda: said(anyone.get(CONTACT)),
        "htmx": lambda: words(news(anyone, CONTACT_NEWS)),
        "json": lambda: words(news(anyone, CONTACT_NEWS)),
    }[anyone.face]()

    assert told == DELIVERED[EMAIL]


# What it costs


def statements(act, *args, **kwargs):
    """What the database was asked."""
    with CaptureQueriesContext(connection) as queries:
        act(*args, **kwargs)
    return [query["sql"].split()[0] for query in queries]


@pytest.mark.sample(9)
@pytest.mark.every_face
@pytest.mark.parametrize("status", SENTENCES)
def test_asking_reads_little_and_writes_nothing(anyone, status):
    anyone.identify(EMAIL)
    time_passes(seconds=3)
    becomes(status)
    before = list(Session.objects.values())

    asked = statements(news, anyone)

    # What helps may be the other channel, if there is one.
    reads = 3 if status in ("bounced", "failed") else 2
    assert asked == ["SELECT"] * (0 if anyone.face == "page" else reads)
    assert list(Session.objects.values()) == before
    assert not news(anyone).cookies


@pytest.mark.parametrize("url", [CONTACT_NEWS, CONFIRM_NEWS])
@pytest.mark.parametrize("status", ["sent", "bounced"])
def test_an_account_reads_little_and_writes_nothing(bea, postbox, url, status):
    bea.face = "htmx"
    verifies_again(bea)
    if url == CONTACT_NEWS:
        bea.post(CONFIRM, current=PASSWORD)
        bea.post(MY_EMAIL, contact=NEW_EMAIL)
        time_passes(seconds=3)
    becomes(status)
    before = list(Session.objects.values())

    asked = statements(news, bea, url)

    assert set(asked) == {"SELECT"}
    assert len(asked) <= 3
    assert list(Session.objects.values()) == before


def test_a_page_for_a_fresh_code_asks_nothing_for_its_line(ana):
    ana.identify(EMAIL)
    becomes("delivered")

    fresh = statements(ana.get, VERIFY)
    assert said(ana.get(VERIFY)) == ON_ITS_WAY[EMAIL]
    time_passes(seconds=2)
    later = statements(ana.get, VERIFY)

    assert len(later) == len(fresh) + 1
    assert said(ana.get(VERIFY)) == DELIVERED[EMAIL]


def test_json_pays_nothing_for_a_line_it_does_not_show(db):
    ana = asks(EMAIL, face="json")

    assert statements(ana.get, VERIFY) == ["SELECT"]


@pytest.mark.parametrize("url", [NEWS, CONTACT_NEWS, CONFIRM_NEWS])
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_line_is_only_read(anyone, url, method):
    answer = getattr(anyone.client, method)(url, headers=anyone._headers())

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.every_face
@pytest.mark.parametrize("status", ["sent", "delivered"])
def test_no_cache_keeps_a_line(anyone, status):  # SES-08, ux 70
    anyone.identify(EMAIL)
    time_passes(seconds=3)
    becomes(status)

    for answer in (news(anyone), news(anyone, seen=status), news(Shopper(anyone.face))):
        assert "no-store" in answer.headers["Cache-Control"]
        assert {"Accept", "HX-Request", "Cookie"} <= set(answer.headers["Vary"].split(", "))


# Strangers


TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+-]+|\d\d:\d\d(:\d\d)? UTC|(?<='Content-Length': )'\d+'")


def looks(shopper, who, url, page):
    """What a stranger sees of a line in its first minute, and the work it costs, without what they typed."""
    for seconds in (0, 3, 9, 50):
        time_passes(seconds=seconds)
        for act in (lambda: shopper.get(page), lambda: news(shopper, url)):
            with CaptureQueriesContext(connection) as queries:
                answer = repr(comparable(act()))
            yield TIMES.sub("<time>", answer.replace(who, "<who>")), len(queries)


def nothing_happens():
    """No worker runs."""


def receipts():
    """Workers and providers do what they can: what left also arrives."""
    sweep()
    OutboxMessage.objects.filter(status=Status.SENT).update(status=Status.DELIVERED)


WEATHER = {"queued": nothing_happens, "sent": sweep, "delivered": receipts}


@pytest.mark.sample(9)
@pytest.mark.parametrize("journey", ["/login/code/", "/password-reset/"])
@pytest.mark.parametrize("who", [EMAIL, PHONE, NEW_EMAIL, NEW_PHONE])
@pytest.mark.parametrize("weather", WEATHER.values(), ids=WEATHER)
def test_where_anybody_may_begin_there_is_no_line(
    anyone, owner, journey, who, weather
):  # ENU-01, ENU-03
    anyone.post(journey, identifier=who)
    time_passes(seconds=3)
    weather()

    page = anyone.get(f"{journey}verify/")

    assert page.status_code == 200
    assert b"delivery" not in page.content
    for url, where in ((NEWS, VERIFY), (CONTACT_NEWS, CONTACT), (CONFIRM_NEWS, CONFIRM_VERIFY)):
        assert_silent(anyone, url, where)


@pytest.mark.sample(5)
@pytest.mark.parametrize("active", [True, False], ids=["open", "closed"])
@pytest.mark.parametrize(
    ("taken", "free"), [(EMAIL, NEW_EMAIL), (PHONE, NEW_PHONE)], ids=["email", "phone"]
)
@pytest.mark.parametrize("weather", WEATHER.values(), ids=WEATHER)
def test_a_stranger_cannot_tell_a_taken_address_by_its_line(
    owner, private, face, taken, free, active, weather
):  # ENU-06
    User.objects.update(is_active=active)
    seen = []
    for who, ip in ((taken, "198.51.100.1"), (free, "198.51.100.2")):
        stranger = Shopper(face, ip=ip)
        stranger.identify(who)
        weather()
        seen.append(list(looks(stranger, who, NEWS, VERIFY)))

    assert seen[0] == seen[1]
    assert "on its way" in seen[0][3 if face != "page" else 2][0]


@pytest.mark.every_face
@pytest.mark.parametrize(
    ("taken", "free"), [(EMAIL, NEW_EMAIL), (PHONE, NEW_PHONE)], ids=["email", "phone"]
)
def test_a_message_that_came_back_is_told_even_where_nobody_may_learn_anything(
    private, anyone, taken, free
):
    anyone.identify(free)
    time_passes(seconds=3)
    becomes("bounced")

    told = said(anyone.get(VERIFY)) if anyone.face == "page" else words(news(anyone))
    assert told.startswith(BOUNCED[taken])


@pytest.mark.parametrize("weather", WEATHER.values(), ids=WEATHER)
def test_a_new_contact_tells_nothing_of_whose_it_is(postbox, owner, face, weather):  # ENU-07
    seen = {}
    for kind, taken, free in (("email", EMAIL, NEW_EMAIL), ("phone", PHONE, NEW_PHONE)):
        mine = {"email": "+12025550{}", "phone": "bea{}@example.com"}[kind]
        for number, who in enumerate((taken, free)):
            bea = Shopper(face, ip=f"198.51.100.{number + 1}")
            make_shopper(bea, mine.format(180 + number))
            assert bea.post(f"/account/contacts/{kind}/", contact=who).status_code in (200, 303)
            weather()
            seen[who] = list(looks(bea, who, CONTACT_NEWS, CONTACT))

    assert seen[EMAIL] == seen[NEW_EMAIL]
    assert seen[PHONE] == seen[NEW_PHONE]
    if face == "page":
        assert not any('id="delivery"' in answer for answer, _cost in seen[PHONE])
        assert any('id="delivery"' in answer for answer, _cost in seen[EMAIL])


@pytest.mark.parametrize("status", SENTENCES)
def test_a_text_to_a_new_contact_has_no_line(anyone, postbox, status):  # ENU-07
    make_shopper(anyone, EMAIL)
    anyone.post(MY_PHONE, contact=PHONE)
    time_passes(seconds=3)
    becomes(status, address=PHONE)

    assert b'"delivery"' not in anyone.get(CONTACT).content
    assert_silent(anyone, CONTACT_NEWS, CONTACT)


def test_the_address_of_a_line_is_no_place_to_come_back_to(ana, postbox):  # WEB-03
    make_shopper(Shopper(), EMAIL)

    entered = ana.post(LOGIN, identifier=EMAIL, password=PASSWORD, next=NEWS)

    assert entered.status_code == 303
    assert ana.get(NEWS).headers["Location"] == VERIFY
    assert ana.get(VERIFY).status_code == 303
