"""The engine under every journey: a code is sent, sent again, looked at, used up."""

from contextlib import nullcontext
from itertools import cycle, permutations

import pytest
from django.db import IntegrityError
from django.utils.timezone import now

from accounts import conf
from accounts.errors import (
    CodeClosed,
    CodeEarlier,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
    LinkDead,
    TooOften,
    TooSoon,
)
from accounts.flows import challenge as challenges
from accounts.flows import contacts, recovery, registration
from accounts.flows.registration import Profile
from accounts.identifiers import parse
from accounts.models import (
    ANONYMOUS_PURPOSES,
    POOL_BY_PURPOSE,
    Challenge,
    Pool,
    Purpose,
    SecurityEvent,
    Session,
    User,
)
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from messaging.models import OutboxMessage
from ratelimits.rates import parse_rates
from tests.support.people import PASSWORD, RESEND, Postbox, Shopper, nowhere, time_passes, wrong

pytestmark = pytest.mark.database

ANA, BEA, EVE = "ana@example.com", "+447400123456", "eve@example.com"
NOBODY = "+447400123457"
STAFF_PURPOSES = [purpose for purpose in Purpose if POOL_BY_PURPOSE[purpose] == Pool.STAFF]
HERE = ClientInfo(ip="203.0.113.7")


def begin(who=ANA, purpose=Purpose.REGISTER, *, user=None):
    """An attempt at `who`, asked for by `user` or by somebody without an account; its code is on the way."""
    return challenges.issue(purpose, parse(who), client=HERE, user_id=user and user.pk)


def guess(attempt, typed):
    """Try a code as a request would: on a row of its own. Tells what was refused."""
    try:
        challenges.check(Challenge.objects.get(pk=attempt.pk), typed, client=HERE)
    except (CodeWrong, CodeEarlier, CodeUsedUp, CodeExpired, CodeClosed, TooOften) as refusal:
        return type(refusal)
    return None


def verify(attempt, typed, **profile):
    """Type a code and become a shopper."""
    row = Challenge.objects.get(pk=attempt.pk)
    return registration.confirm(
        row, typed, profile=Profile(**profile), visitor=Visitor(HERE), sign_in=nowhere
    )


def again(attempt):
    """Read the post, wait a minute and ask for another code."""
    Postbox().messages()
    time_passes(seconds=conf.CODE_RESEND_COOLDOWN.total_seconds())
    return challenges.resend(Challenge.objects.get(pk=attempt.pk), client=HERE)


@pytest.fixture
def attempt(db):
    """Ana has asked for a code."""
    return begin()


@pytest.fixture
def code(attempt, postbox):
    """What her message says."""
    return postbox.code(ANA)


@pytest.fixture
def generous(monkeypatch):
    """Messages without end, so that other limits can be seen."""
    monkeypatch.setattr(conf, "MESSAGES_PER_RECIPIENT", parse_rates("1000/h"))
    monkeypatch.setattr(conf, "RESENDS_PER_RECIPIENT", parse_rates("1000/h"))
    monkeypatch.setattr(conf, "SMS_PER_PREFIX", parse_rates("1000/h"))


# Time: COD-04


def test_a_code_works_until_its_last_seconds(attempt, code):  # COD-04
    time_passes(seconds=conf.CODE_TTL.total_seconds() - 5)

    assert guess(attempt, code) is None


def test_a_code_dies_on_time(attempt, code):  # COD-04
    time_passes(seconds=conf.CODE_TTL.total_seconds() + 1)

    assert guess(attempt, code) is CodeExpired


def test_the_clock_of_the_web_server_does_not_matter(attempt, code, time_machine):  # COD-04
    time_machine.move_to(now() + conf.CODE_TTL * 3)

    assert guess(attempt, code) is None


def test_guessing_makes_no_code_live_longer(attempt, code):  # COD-04
    time_passes(minutes=9)
    guess(attempt, wrong(code))

    time_passes(minutes=1, seconds=1)

    assert guess(attempt, code) is CodeExpired


def test_an_expired_code_is_replaced_where_it_was_typed(attempt, code, postbox):  # ux 36
    time_passes(minutes=11)

    with pytest.raises(CodeExpired, match="We sent you a new one"):
        verify(attempt, code)

    assert len(postbox) == 2
    assert guess(attempt, postbox.code(ANA)) is None


def test_an_expired_code_is_not_replaced_for_ever(attempt, code, postbox, monkeypatch):  # ux 36
    monkeypatch.setattr(conf, "MESSAGES_PER_RECIPIENT", parse_rates("1/h"))
    time_passes(minutes=11)

    with pytest.raises(CodeExpired, match="Get a new code"):
        verify(attempt, code)

    assert len(postbox) == 1


# Once: COD-05


def test_a_code_works_once(attempt, code):  # COD-05, promise 0.11
    verify(attempt, code)

    with pytest.raises(CodeClosed):
        verify(attempt, code)

    assert User.objects.count() == 1
    assert SecurityEvent.objects.filter(kind="code_replay").count() == 1


def test_a_wrong_code_afterwards_is_no_replay(attempt, code):  # COD-05
    verify(attempt, code)

    assert guess(attempt, wrong(code)) is CodeClosed
    assert not SecurityEvent.objects.filter(kind="code_replay").exists()


@pytest.mark.django_db(transaction=True)
def test_a_user_who_cannot_be_made_leaves_the_code_unused():  # COD-05
    attempt = begin()
    code = Postbox().code(ANA)

    with pytest.raises(CodeClosed):
        verify(attempt, code, name=None)  # NOT NULL
    assert not User.objects.exists()
    assert Challenge.objects.get().verified_at is None

    assert verify(attempt, code, name="Ana").user.name == "Ana"


@pytest.mark.django_db(transaction=True)
def test_what_fails_after_the_user_takes_the_user_back():  # COD-05, promises 0.14, 1.5
    attempt = begin()
    code = Postbox().code(ANA)

    with pytest.raises(CodeClosed):  # the event cannot be written
        registration.confirm(
            attempt,
            code,
            profile=Profile(),
            visitor=Visitor(ClientInfo(agent=None)),
            sign_in=nowhere,
        )

    assert not User.objects.exists()
    assert Challenge.objects.get().verified_at is None


def test_a_resend_that_overtakes_the_proof_wins(attempt, code):  # COD-05, COD-09
    slow = Challenge.objects.get(pk=attempt.pk)
    again(attempt)

    with pytest.raises(CodeClosed):
        registration.confirm(slow, code, profile=Profile(), visitor=Visitor(HERE), sign_in=nowhere)

    assert not User.objects.exists()


# Tries: COD-06


def test_after_five_wrong_codes_the_right_one_is_dead(attempt, code):  # COD-06, ux 37
    answers = [guess(attempt, wrong(code)) for _ in range(5)]

    assert answers == [CodeWrong] * 4 + [CodeUsedUp]
    assert guess(attempt, code) is CodeUsedUp


def test_the_fifth_try_may_be_the_right_one(attempt, code):  # COD-06
    for _ in range(4):
        guess(attempt, wrong(code))

    assert guess(attempt, code) is None


def test_the_sixth_code_is_refused_on_every_face(face, db, postbox):  # COD-06, ux 37
    eve = Shopper(face)
    eve.identify(ANA)
    code = postbox.code(ANA)

    for _ in range(5):
        eve.verify(wrong(code))
    eve.verify(code)

    assert not User.objects.exists()
    assert not eve.is_signed_in


def test_the_tries_that_are_left_are_told_from_two_on(attempt, code):  # ux 34
    said = []
    for _ in range(4):
        with pytest.raises(CodeWrong) as refusal:
            verify(attempt, wrong(code))
        said.append(str(refusal.value))

    assert [sentence.rpartition("You have ")[2] for sentence in said[2:]] == [
        "2 tries left.",
        "1 try left.",
    ]
    assert not any("left" in sentence for sentence in said[:2])


@pytest.mark.django_db(transaction=True)
def test_a_try_stays_counted_when_the_request_crashes():  # COD-06
    attempt = begin()
    code = Postbox().code(ANA)

    for _ in range(5):
        with pytest.raises(IntegrityError):  # the event cannot be written
            challenges.check(attempt, wrong(code), client=ClientInfo(agent=None))

    assert guess(attempt, code) is CodeUsedUp


def test_a_new_code_is_one_click_away_when_the_tries_are_used_up(attempt, code, postbox):  # ux 37
    for _ in range(5):
        guess(attempt, wrong(code))
    time_passes(seconds=61)

    fresh = challenges.resend(attempt, client=HERE)

    assert fresh.pk != attempt.pk
    assert guess(attempt, code) is CodeClosed
    assert guess(fresh, postbox.code(ANA)) is None


def test_starting_over_is_counted_as_a_resend(generous, monkeypatch, attempt, code):  # COD-09
    monkeypatch.setattr(conf, "RESENDS_PER_RECIPIENT", parse_rates("1/h"))
    again(attempt)
    for _ in range(5):
        guess(attempt, wrong(code))

    with pytest.raises(TooOften):
        challenges.resend(Challenge.objects.get(pk=attempt.pk), client=HERE)

    assert Challenge.objects.get().cancelled_at is None  # nothing half-done


def test_the_one_who_starts_over_goes_on_with_the_new_attempt(ana, postbox):  # ux 37
    ana.identify(ANA)
    for _ in range(5):
        ana.verify(wrong(postbox.code(ANA)))
    time_passes(seconds=61)

    ana.post(RESEND)
    ana.verify(postbox.code(ANA))

    assert ana.is_signed_in


# Guesses at one person: COD-07


def guesses(attempts, purpose=Purpose.REGISTER):
    """Five wrong codes for each of so many attempts."""
    answers = []
    for _ in range(attempts):
        attempt = begin(purpose=purpose)
        answers += [guess(attempt, wrong(attempt.code)) for _ in range(5)]
    return answers


def test_forty_guesses_a_day_of_strangers_are_looked_at_and_no_more(generous, db):  # COD-07
    answers = guesses(12)

    assert TooOften not in answers[:40]
    assert set(answers[40:]) == {TooOften}


def test_the_guesses_of_strangers_leave_the_owner_fifty(generous, db):  # COD-07, LIM-12
    guesses(12)

    answers = guesses(12, Purpose.CONFIRM)

    assert TooOften not in answers[:50]
    assert set(answers[50:]) == {TooOften}


@pytest.mark.parametrize(
    "variants",
    [
        [ANA, "Ana@Example.com", "ANA@EXAMPLE.COM", "ana@ｅxample.com", "ana\u200b@example.com"],
        [BEA, "+44 (0)7400 123456", "0044 7400 123456", "+٤٤٧٤٠٠١٢٣٤٥٦", "tel:+447400123456"],
    ],
    ids=["email", "phone"],
)
def test_another_spelling_brings_no_new_guesses(generous, db, variants):  # COD-07
    for spelling in (variants * 2)[:8]:
        attempt = begin(spelling)
        for _ in range(5):
            assert guess(attempt, wrong(attempt.code)) is not TooOften

    attempt = begin(variants[1])
    assert guess(attempt, attempt.code) is TooOften


@pytest.fixture
def exhausted(generous, monkeypatch, db):
    """All of a day's guesses at Ana are gone; a last attempt is open."""
    monkeypatch.setattr(conf, "CODE_GUESSES_PER_ID", parse_rates("6/d"))
    attempt = begin()
    for _ in range(5):
        guess(attempt, wrong(attempt.code))
    return attempt


def test_guesses_come_back_after_a_day(exhausted, postbox):  # COD-07
    time_passes(hours=23, minutes=59)
    assert guess(begin(), postbox.code(ANA)) is TooOften

    time_passes(minutes=1)

    assert guess(begin(), postbox.code(ANA)) is None


@pytest.mark.sample(6)
@pytest.mark.parametrize("purpose", [each for each in Purpose if each not in STAFF_PURPOSES])
@pytest.mark.parametrize("owned", [True, False], ids=["account", "nobody"])
def test_another_purpose_brings_no_new_guesses(exhausted, purpose, owned):  # COD-07, ENU-05
    user = User.objects.register(parse(ANA)) if owned else None
    if POOL_BY_PURPOSE[purpose] == Pool.OWNER:
        # The owner's are their own, and as many (LIM-12).
        for _ in range(conf.CODE_GUESSES_PER_ID[0].times):
            guess(begin(purpose=purpose, user=user), "000000")
    attempt = begin(purpose=purpose, user=user)

    assert guess(attempt, attempt.code) is TooOften


def test_guesses_at_codes_of_staff_are_a_budget_of_their_own(exhausted):  # COD-07
    user = User.objects.register(parse(ANA))
    (rate,) = conf.CODE_GUESSES_PER_ID
    for number, purpose in zip(range(rate.times + 1), cycle(STAFF_PURPOSES)):
        attempt = begin(purpose=purpose, user=user)
        said = guess(attempt, wrong(attempt.code))
        assert said is (CodeWrong if number < rate.times else TooOften)
    assert guess(attempt, attempt.code) is TooOften


def test_a_resend_brings_no_new_guesses(exhausted, postbox):  # COD-07
    time_passes(seconds=61)
    fresh = challenges.resend(exhausted, client=HERE)

    assert guess(fresh, postbox.code(ANA)) is TooOften


def test_guesses_at_one_person_cost_nobody_else_any(exhausted, postbox):  # COD-07
    assert guess(begin(EVE), postbox.code(EVE)) is None


# What a code is bound to: COD-08


@pytest.mark.parametrize("change", [{"recipient": EVE}, {"kind": "phone"}], ids=["who", "channel"])
def test_a_code_verifies_what_it_was_sent_for(attempt, code, change):  # COD-08
    Challenge.objects.filter(pk=attempt.pk).update(**change)

    assert guess(attempt, code) is CodeWrong


@pytest.mark.sample(24)
@pytest.mark.parametrize(("sent", "used"), list(permutations(Purpose, 2)))
def test_a_code_of_one_purpose_is_no_code_of_another(db, sent, used):  # COD-08
    attempt = begin(BEA, purpose=sent, user=User.objects.register(parse(BEA)))
    code = attempt.code
    assert attempt.is_current_code(code)

    Challenge.objects.filter(pk=attempt.pk).update(purpose=used)

    assert guess(attempt, code) is CodeWrong


@pytest.mark.parametrize("purpose", ANONYMOUS_PURPOSES)
def test_no_code_is_right_for_an_address_without_an_account(db, purpose):  # ENU-03
    decoy = begin(purpose=purpose)

    answers = [guess(decoy, typed) for typed in [decoy.code, wrong(decoy.code), decoy.code]]

    assert decoy.is_decoy
    assert answers == [CodeWrong] * 3


def test_no_code_is_right_where_a_link_was_sent(db, postbox):  # REC-03
    by_email = begin(purpose=Purpose.RESET, user=User.objects.register(parse(ANA)))
    by_text = begin(BEA, Purpose.RESET, user=User.objects.register(parse(BEA)))

    answers = [guess(each, each.code) for each in (by_email, by_text)]

    assert answers == [CodeWrong, None]
    assert by_email.code not in postbox.messages(ANA)[0]["text"]


@pytest.mark.parametrize("purpose", ANONYMOUS_PURPOSES)
def test_a_stranger_is_refused_alike_with_and_without_an_account(db, purpose):  # ENU-03
    bea = User.objects.register(parse(BEA))
    known, unknown = begin(BEA, purpose, user=bea), begin(NOBODY, purpose)

    walks = [
        [guess(each, wrong(each.code)) for _ in range(6)] + [guess(again(each), wrong(each.code))]
        for each in (known, unknown)
    ]

    assert walks[0] == walks[1]
    assert walks[0][4:6] == [CodeUsedUp] * 2


@pytest.mark.parametrize("purpose", [each for each in Purpose if each not in ANONYMOUS_PURPOSES])
def test_only_what_anybody_may_begin_can_be_a_decoy(purpose):  # ENU-03
    assert not Challenge(purpose=purpose).is_decoy


def test_a_code_of_one_attempt_is_no_code_of_another(attempt, code):  # COD-08, ux 39
    other = begin()

    assert guess(other, code) is CodeWrong
    assert Challenge.objects.get(pk=other.pk).tries_left == conf.CODE_MAX_ATTEMPTS - 1
    assert Challenge.objects.get(pk=attempt.pk).tries_left == conf.CODE_MAX_ATTEMPTS


def test_two_browsers_may_not_swap_their_codes(ana, bea, postbox):  # COD-08
    ana.identify(ANA)
    bea.identify(EVE)

    ana.verify(postbox.code(EVE))
    bea.verify(postbox.code(ANA))

    assert not User.objects.exists()


def test_who_is_verified_stands_in_the_row_not_in_the_form(ana, postbox):  # COD-08
    ana.identify(ANA)

    ana.post("/register/verify/", code=postbox.code(ANA), email=EVE, identifier=EVE, phone=BEA)

    assert list(User.objects.values_list("email", "phone")) == [(ANA, None)]


@pytest.mark.parametrize(
    ("find", "good_for"),
    [
        (registration.find_link, Purpose.REGISTER),
        (recovery.find_link, Purpose.RESET),
        (recovery.find_notice, Purpose.NOT_ME),
    ],
    ids=["registration", "recovery", "notice"],
)
@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_opens_what_it_was_made_for(db, find, good_for, purpose):  # COD-08, REC-03
    attempt = begin(purpose=purpose, user=User.objects.register(parse(ANA)))

    with nullcontext() if purpose == good_for else pytest.raises(LinkDead):
        assert find(attempt.link_token) == attempt


# Sent again: COD-09


def test_a_resend_brings_a_new_code_and_the_older_one_is_recognised(
    attempt, code, postbox
):  # COD-09, promise 1.7
    again(attempt)

    assert postbox.code(ANA) != code
    assert guess(attempt, code) is CodeEarlier
    assert guess(attempt, postbox.code(ANA)) is None


def test_an_earlier_code_costs_a_try_like_any_other(attempt, code, postbox):  # COD-09
    again(attempt)

    answers = [guess(attempt, code) for _ in range(5)]

    assert answers == [CodeEarlier] * 4 + [CodeUsedUp]
    assert guess(attempt, postbox.code(ANA)) is CodeUsedUp


def test_a_resend_gives_no_tries_back(attempt, code, postbox):  # COD-09
    for _ in range(3):
        guess(attempt, wrong(code))
    again(attempt)

    answers = [guess(attempt, wrong(postbox.code(ANA))) for _ in range(2)]

    assert answers == [CodeWrong, CodeUsedUp]
    assert guess(attempt, postbox.code(ANA)) is CodeUsedUp


def test_a_resend_has_ten_minutes_of_its_own(attempt, code, postbox):  # COD-04, COD-09
    time_passes(minutes=9)
    challenges.resend(Challenge.objects.get(pk=attempt.pk), client=HERE)
    newest = postbox.code(ANA)

    time_passes(minutes=9, seconds=55)

    assert guess(attempt, code) is CodeEarlier
    assert guess(attempt, newest) is None


@pytest.mark.parametrize("seconds", [0, 59])
def test_a_minute_must_pass_before_the_next_code(code, postbox, seconds):  # COD-09
    time_passes(seconds=seconds)

    with pytest.raises(TooSoon):
        challenges.resend(Challenge.objects.get(), client=HERE)

    assert len(postbox) == 1


def test_after_a_minute_the_next_code_may_be_asked_for(code, postbox):  # COD-09
    time_passes(seconds=60)

    challenges.resend(Challenge.objects.get(), client=HERE)

    assert len(postbox) == 2


def test_two_clicks_at_once_send_one_code(code, postbox):  # COD-09, ux 48
    time_passes(minutes=2)
    first, second = Challenge.objects.get(), Challenge.objects.get()

    challenges.resend(first, client=HERE)
    with pytest.raises(TooSoon):
        challenges.resend(second, client=HERE)

    assert len(postbox) == 2


def test_three_resends_an_hour(attempt, postbox):  # COD-09, promise 2.7
    for _ in range(3):
        again(attempt)

    with pytest.raises(TooOften):
        again(attempt)

    assert len(postbox) == 4


def test_a_resend_that_is_refused_leaves_the_code_alone(attempt, code, monkeypatch):  # COD-09
    monkeypatch.setattr(conf, "RESENDS_PER_RECIPIENT", parse_rates("1/h"))
    again(attempt)
    newest = Postbox().code(ANA)

    with pytest.raises(TooOften):
        again(attempt)

    assert guess(attempt, newest) is None


def test_what_is_over_is_not_sent_again(attempt, code, postbox):  # COD-09
    verify(attempt, code)

    with pytest.raises(CodeClosed):
        again(attempt)

    assert len(postbox) == 1


# Others at the same door: REG-03


def test_a_proof_ends_every_other_attempt_at_the_same_address(attempt, code, postbox):  # REG-03
    other = begin()
    others_code = postbox.code(ANA)

    verify(attempt, code)

    assert guess(other, others_code) is CodeClosed
    with pytest.raises(LinkDead):
        registration.find_link(other.link_token)


def test_a_proof_leaves_attempts_at_other_addresses_alone(attempt, code, postbox):  # REG-03
    eves = begin(EVE)

    verify(attempt, code)

    assert guess(eves, postbox.code(EVE)) is None


def test_a_proof_ends_a_contact_that_waits_with_somebody_else(
    attempt, code, postbox
):  # REG-03, REG-04
    eve = User.objects.register(parse(EVE))
    contact = begin(ANA, Purpose.CONTACT, user=eve)
    hers = postbox.code(ANA)
    waiting = contacts.get_pending(eve, str(contact.pk))

    verify(attempt, code)

    with pytest.raises(CodeClosed):
        contacts.confirm(
            eve, waiting, hers, session=Session(), visitor=Visitor(HERE), renew_session=nowhere
        )
    assert User.objects.get(pk=eve.pk).phone is None
    assert contacts.get_pending(eve, str(contact.pk)) is None


def test_the_link_and_the_code_are_one_proof(attempt, code):  # COD-05
    registration.confirm_by_link(
        attempt.link_token, profile=Profile(), visitor=Visitor(HERE), sign_in=nowhere
    )

    assert guess(attempt, code) is CodeClosed


# Messages to one person: ABU-01


def test_five_messages_an_hour_whatever_they_are_for(db, postbox):  # ABU-01, LIM-12
    for purpose in [Purpose.REGISTER, Purpose.CONTACT] * 2:
        begin(purpose=purpose)
    with pytest.raises(TooOften):
        begin(purpose=Purpose.LOGIN)
    # Strangers get four; the owner's five are their own, so that nobody can count when they were asked for.
    for _ in range(5):
        begin(purpose=Purpose.CONFIRM)

    # Codes for staff have a budget of their own.
    for purpose in set(Purpose) - set(STAFF_PURPOSES):
        with pytest.raises(TooOften):
            begin(purpose=purpose)

    assert len(postbox) == 9


def test_ten_messages_a_day_whatever_the_hour(db, postbox):  # ABU-01
    for _ in range(2):
        for _ in range(4):
            begin()
        time_passes(hours=1)

    with pytest.raises(TooOften):
        begin()
    for _ in range(2):
        for _ in range(5):
            begin(purpose=Purpose.CONFIRM)
        time_passes(hours=1)
    with pytest.raises(TooOften):
        begin(purpose=Purpose.CONFIRM)
    time_passes(hours=22)
    begin()

    assert OutboxMessage.objects.count() == 19


def test_a_resend_counts_as_a_message(attempt, monkeypatch, postbox):  # ABU-01
    monkeypatch.setattr(conf, "MESSAGES_PER_RECIPIENT", parse_rates("3/h"))
    again(attempt)

    with pytest.raises(TooOften):
        again(attempt)

    assert len(postbox) == 2


@pytest.mark.parametrize(
    "spelling", ["a.na@example.com", "ana+shop@example.com", "ANA@example.com"]
)
def test_another_spelling_brings_no_new_messages(db, spelling):  # ABU-01
    for _ in range(4):
        begin()

    with pytest.raises(TooOften):
        begin(spelling)


def test_what_is_refused_leaves_no_row(db):  # ABU-01
    for _ in range(4):
        begin()

    with pytest.raises(TooOften):
        begin()

    assert Challenge.objects.count() == OutboxMessage.objects.count() == 4


def test_a_password_typed_before_the_proof_survives_it(attempt, code):
    profile = registration.make_profile(name="Ana", username="", password=PASSWORD)

    user = registration.confirm(
        attempt, code, profile=profile, visitor=Visitor(HERE), sign_in=nowhere
    ).user

    assert user.check_password(PASSWORD)
    assert user.completed_at
