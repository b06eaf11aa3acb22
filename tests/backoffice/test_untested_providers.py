"""A provider that nobody tested carries nothing, so that one wrong row takes nobody's code with it (ADM-05, ADM-07)."""

from contextlib import closing
from datetime import timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command

from accounts.models import SecurityEvent
from backoffice.admin import provider_test
from messaging import providers
from messaging.models import EMAIL, SMS, OutboxMessage, Provider, Readiness, Status
from messaging.outbox import api as outbox
from messaging.providers import transport
from messaging.tasks import sweep
from tests.support.pages import words
from tests.support.people import Postbox, Shopper, make_shopper, time_passes
from tests.support.provider_server import ProviderServer
from tests.support.staff import knock, let_in_staff, make_staff

LIST, BOARD = "/admin/messaging/provider/", "/admin/signups/"
ADD = f"{LIST}add/?kind=postmark"
ANA, BOSS = "ana@example.com", "boss@staff.example"
WAITS = "Messages wait until a test message has gone through one."

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _here(settings):
    """Providers of staff on this machine, no mailbox, and no open lines."""
    settings.PROVIDER_NETWORKS = ["127.0.0.0/8"]
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    settings.MAILBOX = False
    transport._local.__dict__.clear()


@pytest.fixture
def server():
    """Postmark, as it were."""
    with closing(ProviderServer()) as server:
        yield server


@pytest.fixture
def boss(db):
    """The browser of a superuser."""
    make_staff("boss")
    browser = Shopper(ip="192.0.2.66").client
    let_in_staff(browser, "boss")
    return browser


def typed(server, **more):
    """What staff type to enter this server; a secret again, as after any change of the address."""
    return {
        **{"name": "Post", "is_active": "on", "rank": "1", "weight": "1", "message_stream": ""},
        **{"webhook_secret": "", "sender": ""},
        **server.secrets("postmark"),
        **server.options("postmark"),
        **more,
    }


def page_of(row, page="change"):
    """The address of a page of a row."""
    return f"{LIST}{row.pk}/{page}/"


def entered(server, readiness=Readiness.TESTED, **columns):
    """A provider that staff entered earlier."""
    row = Provider(name="Post", kind="postmark", channel=EMAIL, readiness=readiness, **columns)
    row.options = server.options("postmark")
    for field, secret in server.secrets("postmark").items():
        row.set_secret(field, secret)
    row.save()
    return row


def readiness():
    """How far the only provider is."""
    return Provider.objects.get().readiness


def queue_greeting(address=ANA):
    """A message is promised: a test message, whose words need no row."""
    return outbox.queue(
        "test", about_id=Provider.objects.get().pk, channel=EMAIL, address=address,
        lifetime=timedelta(hours=1),
    )  # fmt: skip


def test_a_new_provider_carries_nothing_until_a_test_message_went_through(boss, server):
    boss.post(ADD, typed(server))
    row = Provider.objects.get()
    message = queue_greeting()
    sweep()

    message.refresh_from_db()
    assert (message.status, message.error) == (Status.QUEUED, "no provider is tested")
    assert not server.to(ANA)

    assert "messages go through it now" in words(boss.post(page_of(row, "test"), {"to": BOSS}))
    assert len(server.to(BOSS)) == 1
    time_passes(seconds=3)
    sweep()

    message.refresh_from_db()
    assert (message.status, message.provider_id) == (Status.SENT, row.pk)
    assert len(server.to(ANA)) == 1


def test_a_test_message_that_is_refused_changes_nothing(boss, server):
    row = entered(server, Readiness.UNTESTED)
    server.behave = lambda request: 500

    boss.post(page_of(row, "test"), {"to": BOSS})

    assert readiness() == Readiness.UNTESTED
    assert not outbox.can_send(EMAIL)


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ({"api_url": "http://127.0.0.1:9/"}, Readiness.UNTESTED),
        ({"server_token": "another account"}, Readiness.UNTESTED),
        ({"message_stream": "another"}, Readiness.UNTESTED),
        ({"sender": "hello@other.example"}, Readiness.UNTESTED),
        ({"rank": "7", "weight": "3"}, Readiness.TESTED),
        ({"name": "Night post"}, Readiness.TESTED),
        ({"webhook_secret": "hook:a-password-of-16-or-more"}, Readiness.TESTED),
        ({}, Readiness.TESTED),
    ],
    ids=lambda each: next(iter(each), "nothing") if isinstance(each, dict) else str(each),
)
def test_what_sends_otherwise_than_before_is_untested_again(boss, server, change, after):
    row = entered(server)
    same = {} if "api_url" in change else {"server_token": ""}

    shown = boss.post(page_of(row), typed(server, **same | change), follow=True)

    assert readiness() == after
    assert ("is untested" in words(shown)) is (after == Readiness.UNTESTED)


def test_a_password_that_is_removed_is_a_change_too(boss):
    row = Provider(name="Mail", kind="smtp", channel=EMAIL, readiness=Readiness.TESTED)
    row.options = {"host": "mail.example", "port": "587", "security": "starttls"}
    row.set_secret("password", "canary")
    row.save()
    fields = {"name": "Mail", "is_active": "on", "rank": "1", "weight": "1", **row.options}

    boss.post(page_of(row), {**fields, "clear_password": "on"})

    assert (readiness(), Provider.objects.get().sealed) == (Readiness.UNTESTED, {})


def test_a_test_of_what_was_changed_meanwhile_proves_nothing(boss, server, monkeypatch):
    row, attempt = entered(server, Readiness.UNTESTED), provider_test.attempt

    def attempt_slowly(*asked):
        # A colleague saves while the test message is on its way.
        Provider.objects.update(options={**row.options, "sender": "hello@other.example"})
        return attempt(*asked)

    monkeypatch.setattr(provider_test, "attempt", attempt_slowly)
    shown = words(boss.post(page_of(row, "test"), {"to": BOSS}))

    assert "Send another one" in shown
    assert readiness() == Readiness.UNTESTED


def test_staff_may_do_without_a_test_and_read_what_that_means(boss, server):
    row = entered(server, Readiness.UNTESTED)
    assert "nobody could sign in here to repair it" in words(boss.get(page_of(row, "test")))

    boss.post(page_of(row, "test"), {"waive": "on"})

    assert readiness() == Readiness.WAIVED
    assert outbox.can_send(EMAIL)
    assert LogEntry.objects.get().change_message == "Use without a test allowed."
    assert "in use without a test" in words(boss.get(LIST))


def test_only_what_took_a_message_is_called_working(boss, server):
    entered(server)

    for page in (LIST, BOARD):
        assert "working" not in words(boss.get(page)), page
    queue_greeting()
    sweep()

    assert "working" in words(boss.get(LIST))


def test_where_messages_wait_the_pages_say_so(boss, server):
    row = entered(server, Readiness.UNTESTED)

    assert WAITS in words(boss.get(LIST))
    assert "Post untested" in words(boss.get(LIST))
    assert "Post email untested" in words(boss.get(BOARD))
    assert "This provider is untested" in words(boss.get(page_of(row)))
    row.release(Readiness.TESTED)

    assert WAITS not in words(boss.get(LIST))


def test_shoppers_and_staff_are_promised_no_code_by_an_untested_provider(server):  # ux 68
    make_staff("boss")
    entered(server, Readiness.UNTESTED)

    assert Shopper().identify(ANA).status_code == 503
    told = words(knock(Shopper(ip="192.0.2.66").client))
    assert "We cannot send the code at the moment" in told
    assert not OutboxMessage.objects.exists()


def test_another_provider_goes_on_while_one_is_untested(server):
    entered(server)
    Provider.objects.create(name="New", kind="smtp", channel=EMAIL, rank=0, options={"host": "x"})

    assert [each.name for each in providers.providers_for(EMAIL)] == ["Post"]
    assert outbox.can_send(EMAIL)


def test_what_the_environment_names_needs_no_test(settings):
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    settings.SMS_URL = "twilio://?account_sid=AC1&auth_token=x&sender=+15005550006"

    for channel, name in ((EMAIL, "smtp"), (SMS, "twilio")):
        assert [each.name for each in providers.providers_for(channel)] == [name]
        assert outbox.can_send(channel)


def test_the_mailbox_of_a_developer_stays_whatever_row_is_entered(boss, server, settings):
    settings.MAILBOX = True
    entered(server)

    assert "The development mailbox takes the messages" in words(boss.get(LIST))
    make_shopper(Shopper(), ANA)
    queue_greeting()
    assert Postbox().messages(ANA)
    assert not server.to(ANA)

    settings.MAILBOX = False
    assert [each.name for each in providers.providers_for(EMAIL)] == ["Post"]


# For whoever runs the site


def run(*arguments):
    """Run the command as a script does; returns what it says."""
    said = StringIO()
    call_command("provider", *arguments, stdout=said)
    return said.getvalue()


def test_a_command_takes_a_provider_out_and_puts_it_back(server):
    row = entered(server)
    assert run("list") == "email  Post (postmark): tested\n"

    assert "not in use" in run("out", "Post")
    assert not outbox.can_send(EMAIL)
    assert run("in", "Post") == "email  Post (postmark): tested\n"

    assert outbox.can_send(EMAIL)
    about = SecurityEvent.objects.filter(kind="staff_changed").values_list("about", flat=True)
    assert list(about) == [f"provider {row.pk}"] * 2


def test_the_command_puts_no_untested_one_to_use_unless_asked(server):
    entered(server, Readiness.UNTESTED, is_active=False)

    assert "--untested" in run("in", "Post")
    assert not outbox.can_send(EMAIL)
    assert "Nobody tested it" in run("in", "Post", "--untested")

    assert outbox.can_send(EMAIL)
    assert readiness() == Readiness.WAIVED


def test_the_command_says_which_names_there_are(server):
    entered(server)

    with pytest.raises(CommandError, match="There are: Post"):
        run("out", "Pst")
