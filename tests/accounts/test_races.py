"""Many at once: real threads, each with a connection of its own, on whatever database the tests run on."""

import time
from datetime import timedelta
from urllib.parse import unquote

import pytest

from accounts import conf, limits
from accounts.errors import TooOften
from accounts.flows import challenge as challenges
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, SecurityEvent, Session, User
from accounts.sessions.client import ClientInfo
from messaging.models import OutboxMessage, Status
from messaging.outbox import delivery
from messaging.providers import mailbox
from messaging.tasks import sweep
from ratelimits.engine import Limit
from ratelimits.rates import Rate
from tests.support.pages import words
from tests.support.people import (
    ACCOUNT,
    COMPLETE,
    HOME,
    LINK,
    PASSWORD,
    REGISTER,
    RESEND,
    VERIFY,
    Postbox,
    Shopper,
    time_passes,
    wrong,
)
from tests.support.races import (
    _tab,
    assert_nothing_is_broken,
    at_once,
    crowd,
    refusal_of,
    statuses,
    tabs,
)

CONTACT_VERIFY = "/account/contact/"
CONTACT_RESEND = "/account/contact/resend/"


pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

EMAIL = "ana@example.com"


@pytest.fixture(autouse=True)
def _nothing_is_broken(transactional_db):
    yield
    assert_nothing_is_broken()


@pytest.fixture
def evaluated(monkeypatch):
    """Every code that was really looked at."""
    looked_at, compare = [], Challenge.is_current_code

    def counted(challenge, typed):
        looked_at.append(typed)
        return compare(challenge, typed)

    monkeypatch.setattr(Challenge, "is_current_code", counted)
    return looked_at


@pytest.fixture
def _unlimited_messages(monkeypatch):
    monkeypatch.setattr(conf, "MESSAGES_PER_RECIPIENT", (Rate(1000, 3600),))


# Codes


def test_of_a_hundred_guesses_at_once_five_are_looked_at(ana, postbox, evaluated):  # COD-06, FI-01
    ana.identify(EMAIL)
    guesses = [f"{number:06d}" for number in range(1000) if f"{number:06d}" != postbox.code()]

    answers = at_once(
        *[
            lambda tab=tab, guess=guess: tab.verify(guess)
            for tab, guess in zip(tabs(ana, 100), guesses, strict=False)
        ]
    )

    assert len(evaluated) == conf.CODE_MAX_ATTEMPTS
    assert statuses(answers) == {422, 400}  # 400 is what JSON says
    assert SecurityEvent.objects.filter(kind="code_wrong").count() == conf.CODE_MAX_ATTEMPTS
    assert ana.verify(postbox.code()).status_code == 422
    assert not User.objects.exists()


def test_the_right_code_makes_no_room_for_wrong_ones(ana, postbox, evaluated):  # COD-06
    ana.identify(EMAIL)
    code = postbox.code()
    challenge = Challenge.objects.get()

    at_once(
        *[
            lambda typed=typed: refusal_of(
                challenges.check,
                Challenge.objects.get(pk=challenge.pk),
                typed,
                client=ClientInfo(),
            )
            for typed in [wrong(code), code] * 15
        ]
    )

    assert evaluated.count(wrong(code)) == conf.CODE_MAX_ATTEMPTS
    seen = len(evaluated)
    assert (
        refusal_of(challenges.check, Challenge.objects.get(), code, client=ClientInfo())
        == "CodeUsedUp"
    )
    assert len(evaluated) == seen


def test_fifty_right_codes_at_once_make_one_user(ana, postbox):  # COD-05, COD-11, FI-02
    ana.identify(EMAIL)
    code = postbox.code()

    answers = at_once(*[lambda tab=tab: tab.verify(code) for tab in tabs(ana, 50)])

    assert User.objects.count() == 1
    assert Session.objects.exclude(user=None).count() == 1
    winners = [answer for answer in answers if answer.cookies.get("__Host-session")]
    assert len(winners) == 1
    losers = [answer for answer in answers if answer not in winners]
    assert [words(answer) for answer in losers if not leads_on(answer)] == []
    assert_nothing_is_broken()


def leads_on(answer):
    """Whether the second of two clicks is told that the first one has done it, and led to where that went (COD-11)."""
    if answer.headers["Content-Type"] == "application/json":
        return "Your address is already confirmed." in words(answer)
    # The winner is led there, too, but has nothing to be told.
    led = answer.to or ""
    return COMPLETE in unquote(led) and "__Host-messages" in answer.cookies


def test_the_code_and_the_link_at_once_make_one_user(ana, postbox):  # COD-05, REG-08
    ana.identify(EMAIL)
    code, token = postbox.code(), postbox.link().partition("token=")[2]
    elsewhere = crowd(10)

    answers = at_once(
        *[lambda tab=tab: tab.verify(code) for tab in tabs(ana, 4)],
        *[lambda tab=tab: tab.post(LINK, token=token) for tab in tabs(ana, 10)],
        *[lambda one=one: one.post(LINK, token=token) for one in elsewhere],
    )

    assert max(statuses(answers)) < 500
    assert User.objects.count() == 1
    assert Session.objects.exclude(user=None).count() == 1


def test_two_clicks_end_signed_in_whichever_answer_comes_last(face):  # COD-11, FI-02b
    for number in range(17):
        bea = Shopper(face, ip=f"198.51.100.{number}")
        who = f"bea{number}@example.com"
        bea.identify(who, name="Bea", password=PASSWORD)
        code = Postbox().code(who)
        first, second = tabs(bea, 2, [face])

        def late(tab=second, code=code, pause=number / 600):
            time.sleep(pause)
            return tab.verify(code)

        answers = at_once(lambda tab=first, code=code: tab.verify(code), late)

        for order in (answers, answers[::-1]):
            browser = _tab(bea, "json")
            for answer in order:
                browser.client.cookies.update(answer.cookies)
            assert browser.get(ACCOUNT).status_code == 200, [answer.to for answer in order]
        assert all(answer.status_code in (200, 303, 409) for answer in answers)


def test_fifty_resends_at_once_send_one_message(ana, postbox):  # COD-09, FI-03
    ana.identify(EMAIL)
    time_passes(seconds=61)

    answers = at_once(*[lambda tab=tab: tab.post(RESEND) for tab in tabs(ana, 50)])

    assert sorted(answer.status_code for answer in answers)[1:] == [429] * 49
    assert len(postbox) == 2
    assert ana.verify(postbox.code()).to == COMPLETE


def test_twenty_resends_of_a_used_up_code_begin_one_new_attempt(ana, postbox):  # COD-09, ux 37
    ana.identify(EMAIL)
    time_passes(seconds=61)
    Challenge.objects.update(tries_left=0)

    answers = at_once(*[lambda tab=tab: tab.post(RESEND) for tab in tabs(ana, 20)])

    assert max(statuses(answers)) < 500
    assert len(postbox) == 2
    assert Challenge.objects.live().count() == 1


def test_twenty_tries_of_an_expired_code_bring_one_new_code(ana, postbox):  # ux 36, COD-09
    ana.identify(EMAIL)
    code = postbox.code()
    time_passes(minutes=11)

    answers = at_once(*[lambda tab=tab: tab.verify(code) for tab in tabs(ana, 20)])

    assert max(statuses(answers)) < 500
    assert OutboxMessage.objects.count() == 2
    assert Challenge.objects.get().sends == 2


@pytest.mark.usefixtures("_unlimited_messages")
def test_an_identifier_takes_forty_guesses_of_strangers_a_day_however_many_ask(
    evaluated,
):  # COD-07, LIM-12, I2
    attempts = [
        challenges.issue(Purpose.REGISTER, parse(EMAIL), client=ClientInfo())
        for _number in range(15)
    ]

    answers = at_once(
        *[
            lambda attempt=attempt: refusal_of(
                challenges.check, attempt, wrong(attempt.code), client=ClientInfo()
            )
            for attempt in attempts * 5
        ]
    )

    assert len(evaluated) == 40
    assert answers.count("TooOften") == 35


# People


@pytest.mark.usefixtures("_unlimited_messages")
def test_twenty_browsers_that_verify_one_address_make_one_user(postbox):  # REG-03, FI-05
    people = crowd(20)
    codes = []
    for person in people:
        person.identify(EMAIL)
        codes.append(postbox.code())

    answers = at_once(
        *[
            lambda person=person, code=code: person.verify(code)
            for person, code in zip(people, codes, strict=True)
        ]
    )

    assert User.objects.count() == 1
    assert sorted(answer.status_code for answer in answers) == [303] + [422] * 19
    assert [person.is_signed_in for person in people].count(True) == 1
    assert not Challenge.objects.live().exists()


def test_twenty_people_who_want_one_username_all_get_in(postbox):  # REG-07, FI-05b
    people = crowd(20)
    for number, person in enumerate(people):
        person.identify(
            f"fan{number}@example.com", name="Fan", username="wanted", password=PASSWORD
        )
    codes = [postbox.code(f"fan{number}@example.com") for number in range(20)]

    answers = at_once(
        *[
            lambda person=person, code=code: person.verify(code)
            for person, code in zip(people, codes, strict=True)
        ]
    )

    assert sorted(answer.to for answer in answers) == [HOME] + [COMPLETE] * 19
    assert User.objects.count() == 20
    assert User.objects.filter(username="wanted").count() == 1
    assert all(person.is_signed_in for person in people)


def test_a_profile_is_completed_once(ana, postbox):  # REG-09, ux G
    ana.identify(EMAIL)
    ana.verify(postbox.code())

    answers = at_once(
        *[
            lambda tab=tab, number=number: tab.complete(
                name=f"Ana {number}", username=f"ana{number}", contact="+12025550123"
            )
            for number, tab in enumerate(tabs(ana, 12))
        ]
    )

    assert max(statuses(answers)) < 500
    assert SecurityEvent.objects.filter(kind="profile_completed").count() == 1
    assert Challenge.objects.filter(purpose=Purpose.CONTACT).count() == 1


def test_everything_at_once_breaks_nothing(ana, postbox):  # COD-05, COD-09, LOG-05
    ana.identify(EMAIL)
    code, token = postbox.code(), postbox.link().partition("token=")[2]
    time_passes(seconds=61)

    answers = at_once(
        *[lambda tab=tab: tab.verify(code) for tab in tabs(ana, 5)],
        *[lambda tab=tab: tab.verify(wrong(code)) for tab in tabs(ana, 5)],
        *[lambda tab=tab: tab.post(RESEND) for tab in tabs(ana, 5)],
        *[lambda tab=tab: tab.post(REGISTER, identifier=EMAIL) for tab in tabs(ana, 5)],
        *[lambda tab=tab: tab.post(LINK, token=token) for tab in tabs(ana, 5)],
        *[lambda tab=tab: tab.get(VERIFY) for tab in tabs(ana, 5)],
    )

    assert max(statuses(answers)) < 500
    assert User.objects.count() <= 1


def test_confirming_and_resending_a_second_contact_wait_for_each_other():  # REG-04
    for number in range(4):
        bea, phone = Shopper("json", ip=f"198.51.100.{number}"), f"+120255501{number:02d}"
        bea.signs_up(f"bea{number}@example.com", contact=phone)
        code = Postbox().code(phone)
        time_passes(seconds=61)

        answers = at_once(
            *[
                lambda tab=tab, code=code: tab.post(CONTACT_VERIFY, code=code)
                for tab in tabs(bea, 3)
            ],
            *[lambda tab=tab: tab.post(CONTACT_RESEND) for tab in tabs(bea, 3)],
        )

        assert max(statuses(answers)) < 500


# Limits


@pytest.mark.parametrize("times", [1, 7])
def test_a_limit_lets_exactly_as_many_in_as_it_says(times):  # LIM-07, LIM-09
    limit = Limit("test", "somebody", Rate(times, 3600))

    answers = at_once(*[lambda: refusal_of(limits.enforce, limit)] * 100)

    assert answers.count(None) == times
    assert answers.count("TooOften") == 100 - times


def test_a_window_slides_for_all_at_once():  # LIM-09
    limit = Limit("test", "somebody", Rate(5, 3600))
    for _number in range(5):
        limits.enforce(limit)
    time_passes(minutes=61)

    answers = at_once(*[lambda: refusal_of(limits.enforce, limit)] * 40)

    assert answers.count(None) == 5


def test_what_is_refused_by_one_limit_is_spent_from_none():  # LIM-05
    wide = Limit("wide", "somebody", Rate(50, 3600))
    narrow = Limit("narrow", "somebody", Rate(3, 3600))

    answers = at_once(
        *[lambda: refusal_of(limits.enforce, wide, narrow)] * 20,
        *[lambda: refusal_of(limits.enforce, narrow, wide)] * 20,
    )

    assert answers.count(None) == 3
    for _number in range(47):
        limits.enforce(wide)
    with pytest.raises(TooOften):
        limits.enforce(wide)


# Messages


def queued(count=1):
    """Codes that wait in the outbox, because every nudge was lost."""
    made = [
        challenges.issue(Purpose.REGISTER, parse(f"ana{number}@example.com"), client=ClientInfo())
        for number in range(count)
    ]
    for path in mailbox.files():
        path.unlink()
    OutboxMessage.objects.update(status=Status.QUEUED, tries=0, settled_at=None)
    return made


def test_many_workers_send_one_message_once():  # OUT-02, I6
    queued()
    message = OutboxMessage.objects.get()

    at_once(*[lambda: delivery.deliver(str(message.pk))] * 30)

    message.refresh_from_db()
    assert (len(mailbox.messages()), message.status, message.tries) == (1, Status.SENT, 1)


def test_many_sweepers_send_every_message_once():  # OUT-02
    queued(12)

    at_once(*[sweep] * 8)

    assert sorted(message["to"] for message in mailbox.messages()) == sorted(
        f"ana{number}@example.com" for number in range(12)
    )


def test_a_message_left_behind_is_taken_over_once():  # OUT-02, OUT-03
    queued()
    OutboxMessage.objects.update(status=Status.SENDING, tries=1)
    message = OutboxMessage.objects.get()
    message.lease_until = message.created_at - timedelta(seconds=1)
    message.save(update_fields=["lease_until"])

    at_once(*[sweep] * 10)

    assert len(mailbox.messages()) == 1
    assert OutboxMessage.objects.get().tries == 2
