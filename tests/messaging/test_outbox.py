"""What was promised is sent: once, in time, to the right place, whatever breaks on the way."""

import pickle
import re
import socket
import uuid
from contextlib import contextmanager
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from django.db.models import F
from django.db.models.functions import Now
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads

from accounts import conf
from accounts.errors import ChannelDown
from accounts.flows import challenge as challenges
from accounts.flows import registration
from accounts.flows.registration import Profile
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, SecurityEvent, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from messaging import providers
from messaging.models import EMAIL, MAX_TRIES, SMS, OutboxMessage, Status
from messaging.outbox import api as outbox
from messaging.providers import mailbox
from messaging.providers.mailbox import EmailMailbox, SmsMailbox
from messaging.providers.smtp import Smtp
from messaging.tasks import deliver, sweep
from storefront import celery_app
from tests.support.people import Shopper, nowhere, time_passes

pytestmark = pytest.mark.database

ANA, BEA = "ana@example.com", "+447400123456"
HERE = ClientInfo(ip="203.0.113.7")


class PostOffice:
    """A mail server that keeps what it gets; `answers` are its words to the next recipients."""

    def __init__(self, *answers):
        self.answers, self.mails = list(answers), []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mails.append(envelope)
        return "250 kept"


@pytest.fixture
def port(settings):
    """Where our mail goes; nobody listens there yet."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    settings.EMAIL_URL = f"smtp://127.0.0.1:{number}"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", number
    return number


@contextmanager
def open_office(port, *answers):
    """A mail server on `port`, for a while."""
    office = PostOffice(*answers)
    server = Controller(office, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield office
    finally:
        server.stop()


@pytest.fixture
def message(db):
    """Ana's code waits in the outbox."""
    challenges.issue(Purpose.REGISTER, parse(ANA), client=HERE)
    return OutboxMessage.objects.get()


def fresh(message):
    """The row as it stands now."""
    return OutboxMessage.objects.get(pk=message.pk)


def claim(message):
    """A worker takes the row, if it may."""
    return OutboxMessage.objects.filter(pk=message.pk).claim()


def statuses():
    """How all messages ended, oldest first."""
    return list(OutboxMessage.objects.order_by("created_at").values_list("status", flat=True))


def again():
    """Ask for the next code of the one attempt there is."""
    time_passes(minutes=1)
    return challenges.resend(Challenge.objects.get(), client=HERE)


# The promise


def test_a_promise_is_kept_with_what_it_is_about(message):  # OUT-01, promise 1.5
    assert message.status == Status.QUEUED
    assert (message.about_id, message.part) == (Challenge.objects.get().pk, "1")


def test_a_row_holds_no_words(message):  # COD-02
    kept = " ".join(str(value) for value in OutboxMessage.objects.values_list().get())

    assert Challenge.objects.get().code not in kept


@pytest.mark.django_db(transaction=True)
def test_a_message_leaves_as_soon_as_the_answer_does():  # OUT-01
    Shopper().identify(ANA)

    assert OutboxMessage.objects.get().status == Status.SENT
    assert len(mailbox.messages(ANA)) == 1


def test_a_lost_hint_is_found_by_the_sweeper(message):  # OUT-02, OUT-03
    sweep()

    assert fresh(message).status == Status.SENT
    assert len(mailbox.messages(ANA)) == 1


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_a_message_is_sent_once_however_often_it_is_asked_for(message, tries):  # OUT-03
    for _ in range(tries):
        deliver(str(message.pk))
        sweep()

    assert len(mailbox.messages()) == 1
    assert fresh(message).tries == 1


# Not any more: OUT-04


def test_an_expired_code_is_not_sent(message):  # OUT-04
    time_passes(seconds=conf.CODE_TTL.total_seconds() + 1)

    sweep()

    assert fresh(message).status == Status.EXPIRED
    assert mailbox.messages() == []


def test_a_used_code_is_not_sent(message):  # OUT-04
    attempt = Challenge.objects.get()
    registration.confirm_by_link(
        attempt.link_token, profile=Profile(), visitor=Visitor(HERE), sign_in=nowhere
    )

    sweep()

    assert fresh(message).status == Status.CANCELLED
    assert mailbox.messages() == []


def test_a_withdrawn_code_is_not_sent(message):  # OUT-04
    Challenge.objects.get().cancel()

    sweep()

    assert fresh(message).status == Status.CANCELLED


def test_a_code_without_tries_is_not_sent(message):  # OUT-04
    Challenge.objects.update(tries_left=0)

    sweep()

    assert fresh(message).status == Status.CANCELLED


def test_only_the_newest_code_goes_out(message):  # OUT-04
    again()
    again()

    sweep()

    assert statuses() == [Status.CANCELLED, Status.CANCELLED, Status.SENT]
    assert [Challenge.objects.get().code in kept["subject"] for kept in mailbox.messages()] == [
        True
    ]


@pytest.mark.parametrize("fate", ["deleted", "switched off"])
def test_a_message_to_somebody_who_left_is_not_sent(db, fate):  # OUT-04
    owner = User.objects.register(parse(ANA))
    challenges.issue(Purpose.REGISTER, parse(ANA), client=HERE, user_id=owner.pk)

    owner.delete() if fate == "deleted" else User.objects.update(is_active=False)
    sweep()

    assert statuses() == [Status.CANCELLED]
    assert mailbox.messages() == []


# Who sends it: OUT-02


def test_two_workers_cannot_claim_one_message(message):  # OUT-02
    claims = [claim(message), claim(message)]

    assert [bool(taken) for taken in claims] == [True, False]
    assert fresh(message).tries == 1


def test_a_message_that_is_being_sent_is_left_alone(message):  # OUT-02
    claim(message)

    deliver(str(message.pk))
    sweep()

    assert mailbox.messages() == []
    assert fresh(message).status == Status.SENDING


@pytest.mark.parametrize(("seconds", "sent"), [(-1, 0), (1, 1)], ids=["just before", "just after"])
def test_a_worker_that_died_is_replaced_when_its_lease_ends(message, seconds, sent):  # OUT-02
    claim(message)
    OutboxMessage.objects.update(lease_until=F("lease_until") - timedelta(seconds=30 + seconds))

    sweep()

    assert len(mailbox.messages()) == sent


def test_a_lease_is_short(message):  # OUT-02
    claim(message)

    assert OutboxMessage.objects.filter(lease_until__lte=Now() + timedelta(seconds=30)).exists()


def test_a_worker_that_overslept_writes_over_nobody(message):  # OUT-02, OUT-03
    late = claim(message)
    OutboxMessage.objects.update(lease_until=Now() - timedelta(seconds=1))
    sweep()

    late.settle(Status.FAILED, error="overslept")
    late.postpone(timedelta(0), error="overslept")

    assert (fresh(message).status, fresh(message).error) == (Status.SENT, "")


def test_a_worker_that_overslept_does_not_settle_for_the_next_one(message):  # OUT-02, OUT-03
    late = claim(message)
    OutboxMessage.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert claim(message)

    late.settle(Status.FAILED, error="overslept")
    late.postpone(timedelta(0), error="overslept")

    assert (fresh(message).status, fresh(message).error, fresh(message).tries) == (
        Status.SENDING,
        "",
        2,
    )


def test_the_second_worker_sends_the_same_code_under_the_same_id(message):  # OUT-03
    sweep()
    OutboxMessage.objects.update(
        status=Status.SENDING, lease_until=Now()
    )  # it died before it wrote that down

    sweep()

    first, second = mailbox.messages()
    assert first["subject"] == second["subject"]
    assert first["headers"]["Message-ID"] == second["headers"]["Message-ID"]


# Hints may be wrong: OUT-06


@pytest.mark.parametrize(
    "bogus",
    ["", "1", "not an id", "'; DROP TABLE", "\x00", str(uuid.UUID(int=0)), "1" * 10_000, "{}"],
    ids=ascii,
)
def test_a_hint_that_names_nothing_does_nothing(message, bogus):  # OUT-06
    deliver(bogus)

    assert fresh(message).status == Status.QUEUED
    assert mailbox.messages() == []


@pytest.mark.parametrize("bogus", [None, 7, {}, [], ["x"]], ids=repr)
def test_a_hint_that_is_no_text_harms_nobody(message, bogus):  # OUT-06
    deliver.apply((bogus,))
    sweep()

    assert fresh(message).status == Status.SENT


@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED, Status.EXPIRED, Status.CANCELLED])
def test_what_is_settled_stays_settled(message, status):  # OUT-06
    OutboxMessage.objects.update(status=status)

    deliver(str(message.pk))
    sweep()

    assert fresh(message).status == status
    assert mailbox.messages() == []


def test_a_pickle_in_the_queue_is_not_opened():  # OUT-06
    body = pickle.dumps(((), {}))

    with pytest.raises(ContentDisallowed):
        loads(
            body, "application/x-python-serialize", "binary", accept=celery_app.conf.accept_content
        )


def test_a_hint_is_an_id_and_nothing_else():  # OUT-06, COD-02
    assert (celery_app.conf.task_serializer, set(celery_app.conf.accept_content)) == (
        "json",
        {"json"},
    )
    assert deliver.ignore_result


# Real mail: OUT-05, ux 79, ux 80


def test_mail_is_handed_over_with_both_parts_and_our_headers(port, message):  # ux 79, ux 80
    with open_office(port) as office:
        sweep()

    (mail,) = office.mails
    assert mail.rcpt_tos == [ANA]
    assert b"Auto-Submitted: auto-generated" in mail.content
    assert f"Message-ID: <{message.pk}@shop.example>".encode() in mail.content
    assert mail.content.count(b"Content-Type: text/") == 2
    assert (fresh(message).status, fresh(message).provider_id) == (
        Status.SENT,
        providers.environment_id("smtp"),
    )


def test_the_sender_is_the_shop(port, message):  # ux 80
    with open_office(port) as office:
        sweep()

    assert office.mails[0].mail_from == "hello@shop.example"


def test_an_address_that_does_not_exist_is_not_tried_again(port, message):  # OUT-05
    with open_office(port, f"550 no such user {ANA}") as office:
        sweep()
        time_passes(minutes=5)
        sweep()

    assert office.mails == []
    assert (fresh(message).status, fresh(message).tries) == (Status.FAILED, 1)


def test_an_address_that_is_busy_is_tried_again(port, message):  # OUT-05
    with open_office(port, f"450 greylisted {ANA}") as office:
        sweep()
        assert fresh(message).status == Status.QUEUED

        time_passes(minutes=1)
        sweep()

    assert len(office.mails) == 1
    assert (fresh(message).status, fresh(message).tries) == (Status.SENT, 2)


def test_mail_waits_for_a_server_that_is_down(port, message):  # OUT-05
    sweep()

    assert (fresh(message).status, fresh(message).tries) == (Status.QUEUED, 1)
    assert OutboxMessage.objects.filter(due_at__gt=Now() + timedelta(milliseconds=500)).exists()
    assert not OutboxMessage.objects.due().exists()


def test_mail_goes_out_when_the_server_is_back(port, message):  # OUT-03, OUT-05
    sweep()
    time_passes(seconds=5)

    with open_office(port) as office:
        sweep()

    assert len(office.mails) == 1
    assert fresh(message).status == Status.SENT


def test_every_try_waits_longer_a_share_of_the_age(port, message):  # OUT-05, promise 1.16
    waits = []

    for _ in range(5):
        sweep()
        row = OutboxMessage.objects.annotate(wait=F("due_at") - Now()).get()
        waits.append(row.wait.total_seconds())
        time_passes(seconds=75)

    for wait, meant in zip(waits, [1, 4.7, 9.4, 14.1, 18.8], strict=True):
        assert 0.7 * meant < wait < 1.3 * meant


def test_after_enough_tries_we_give_up(port, message):  # OUT-03
    OutboxMessage.objects.update(tries=MAX_TRIES - 3)

    for _ in range(5):
        sweep()
        OutboxMessage.objects.update(due_at=Now())

    assert (fresh(message).status, fresh(message).tries) == (Status.FAILED, MAX_TRIES)


@pytest.mark.parametrize(
    "answer",
    [f"550 {ANA} unknown", f"450 {ANA} busy", f"421 go away {ANA}", f"552 {ANA} full"],
    ids=lambda answer: answer[:3],
)
def test_what_went_wrong_is_told_without_the_address(
    port, message, caplog, answer
):  # OUT-07, LOG-03
    code = Challenge.objects.get().code

    with open_office(port, answer):
        sweep()

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("messaging")]
    told = " ".join([fresh(message).error, *ours])
    assert fresh(message).error
    assert ours
    assert not re.search(rf"ana|{code}", told)


def test_a_down_server_is_told_without_the_address(port, message, caplog):  # OUT-07
    sweep()

    assert fresh(message).error == "smtp: ConnectionRefusedError"
    assert ANA not in caplog.text


# Which way: ux 68


@pytest.mark.parametrize(
    ("channel", "email_url", "box", "backends"),
    [
        (EMAIL, "smtp://mail.example", True, [Smtp]),
        (EMAIL, "smtp://mail.example", False, [Smtp]),
        (EMAIL, "", True, [EmailMailbox]),
        (EMAIL, "", False, []),
        (SMS, "smtp://mail.example", True, [SmsMailbox]),
        (SMS, "smtp://mail.example", False, []),
    ],
)
def test_the_environment_names_the_provider(db, settings, channel, email_url, box, backends):
    settings.EMAIL_URL, settings.MAILBOX = email_url, box

    assert [type(provider.backend) for provider in providers.providers_for(channel)] == backends
    assert outbox.can_send(channel) is bool(backends)


@pytest.mark.parametrize(
    ("who", "said"),
    [(ANA, "cannot send emails"), (BEA, "cannot send texts")],
    ids=["email", "phone"],
)
def test_when_nothing_carries_it_the_shopper_is_told(anyone, settings, who, said):  # ux 68, ux 67
    settings.MAILBOX = False

    answer = anyone.identify(who)

    assert answer.status_code == 503
    assert said in answer.content.decode()


def test_when_nothing_carries_it_nothing_is_half_made(db, settings):  # ux 68
    settings.MAILBOX = False

    with pytest.raises(ChannelDown):
        challenges.issue(Purpose.REGISTER, parse(ANA), client=HERE)

    assert not Challenge.objects.exists()
    assert not OutboxMessage.objects.exists()
    assert not SecurityEvent.objects.exists()


def test_a_shopper_may_try_again_when_it_is_carried(ana, postbox, settings):  # ux 68
    settings.MAILBOX = False
    ana.identify(ANA)

    settings.MAILBOX = True
    ana.identify(ANA)

    assert len(postbox) == 1


def test_the_mailbox_keeps_the_newest_and_no_more(message, monkeypatch):  # promise 2.11
    monkeypatch.setattr(mailbox, "MAX_FILES", 3)

    for _ in range(5):
        OutboxMessage.objects.update(status=Status.QUEUED)
        sweep()
        newest = mailbox.messages()[0]

    assert len(mailbox.messages()) == 3
    assert mailbox.messages()[0] == newest
