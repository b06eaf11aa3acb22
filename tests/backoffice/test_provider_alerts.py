"""Whoever adds a provider could read every code: superusers hear of it, whatever carries their messages (ADM-01)."""

from contextlib import closing

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission
from django.utils.timezone import now

from accounts import conf
from accounts.models import User
from messaging.models import Alert, OutboxMessage, Provider, Readiness
from messaging.providers import transport
from messaging.tasks import sweep
from tests.support.people import Postbox, Shopper, make_shopper, time_passes
from tests.support.provider_server import ProviderServer
from tests.support.staff import let_in_staff, make_staff

LIST = "/admin/messaging/provider/"
ADD = f"{LIST}add/?kind=postmark"
TOKEN = "canary-of-the-post"
NUMBER = "+447400123456"


@pytest.fixture(autouse=True)
def _here(settings):
    """Providers of staff on this machine, and no open lines."""
    settings.PROVIDER_NETWORKS = ["127.0.0.0/8"]
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    transport._local.__dict__.clear()


@pytest.fixture
def boss(db):
    """A superuser with both contacts."""
    return make_staff("boss", phone=NUMBER, phone_verified_at=now())


@pytest.fixture
def eve(boss):
    """The browser of somebody in Operations, who may add providers and is no superuser."""
    user = make_staff("eve")
    User.objects.filter(pk=user.pk).update(is_superuser=False)
    codenames = ["view_provider", "add_provider", "change_provider"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    browser = Shopper(ip="192.0.2.66").client
    let_in_staff(browser, "eve")
    OutboxMessage.objects.all().delete()
    return browser


def typed(**more):
    """What she types."""
    return {
        "name": "Night post",
        "is_active": "on",
        "rank": "1",
        "weight": "1",
        "server_token": TOKEN,
        "message_stream": "",
        "api_url": "https://api.postmarkapp.com/",
        "webhook_secret": "",
        "sender": "",
        **more,
    }


def warnings():
    """What was written to whom about it."""
    sent = OutboxMessage.objects.filter(template="warning").order_by("pk")
    return sorted(sent.values_list("channel", "address"))


def change(browser, row, **more):
    """Save the form of a row."""
    return browser.post(
        f"{LIST}{row.pk}/change/", typed(**{"name": row.name, "server_token": "", **more})
    )


def test_a_new_provider_alerts_every_superuser_on_every_contact(eve, boss):
    other = make_staff("root")
    make_staff("gone", is_active=False)
    make_shopper(Shopper(), "ana@example.com")
    OutboxMessage.objects.all().delete()

    eve.post(ADD, typed())

    assert warnings() == sorted([("email", boss.email), ("email", other.email), ("sms", NUMBER)])
    alert = Alert.objects.get()
    assert (alert.kind, alert.about) == ("provider_added", "Night post")


def test_the_message_says_who_and_when_and_which_and_no_secret(eve, boss):
    eve.post(ADD, typed())

    box = Postbox()
    (letter,), (text,) = box.messages(boss.email), box.messages(NUMBER)

    for words in (letter["text"], letter["html"], text["text"]):
        assert "eve" in words
        assert "Night post" in words
        assert TOKEN not in words
        assert "token=" not in words
    assert f"{now():%B} " in letter["text"]
    assert letter["subject"] == "Storefront: A provider was added"
    assert "\u201cNight post\u201d" in letter["text"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("api_url", "http://127.0.0.1:9/"),
        ("message_stream", "another"),
        ("server_token", "another account"),
        ("sender", "hello@other.example"),
    ],
)
def test_another_server_or_account_alerts_too(eve, field, value):
    eve.post(ADD, typed())
    row = Provider.objects.get()
    OutboxMessage.objects.all().delete()

    # A new address asks for the token again (ADM-05).
    again = {"server_token": TOKEN} if field == "api_url" else {}
    change(eve, row, **{**again, field: value})

    assert len(warnings()) == 2
    assert Alert.objects.get(kind="provider_changed").times == 1


def test_its_place_and_its_switch_alert_nobody(eve):
    eve.post(ADD, typed())
    row = Provider.objects.get()
    OutboxMessage.objects.all().delete()

    change(eve, row, rank="7", weight="3")
    eve.post(LIST, {"deactivate": row.pk})
    eve.get(f"{LIST}{row.pk}/change/")
    change(eve, row, rank="not a number")

    assert warnings() == []
    assert not Alert.objects.filter(kind="provider_changed").exists()


@pytest.mark.django_db(transaction=True)
def test_the_provider_it_is_about_does_not_carry_the_warning_while_another_can(eve, boss, settings):
    settings.MAILBOX = False
    User.objects.filter(pk=boss.pk).update(phone=None, phone_verified_at=None)
    with closing(ProviderServer()) as good, closing(ProviderServer()) as bad:
        day = Provider(
            name="Day post", kind="postmark", channel="email", rank=5, readiness=Readiness.TESTED
        )
        day.options = good.options("postmark")
        for field, secret in good.secrets("postmark").items():
            day.set_secret(field, secret)
        day.save()

        options = {**bad.secrets("postmark"), **bad.options("postmark"), "webhook_secret": ""}
        eve.post(ADD, typed(**options))
        Provider.objects.update(readiness=Readiness.TESTED)
        sweep()

        assert Provider.objects.count() == 2
        assert len(good.to(boss.email)) == 1
        assert bad.to(boss.email) == []


@pytest.mark.django_db(transaction=True)
def test_the_only_provider_carries_it_once_it_is_tested(eve, boss, settings):
    settings.MAILBOX = False
    User.objects.filter(pk=boss.pk).update(phone=None, phone_verified_at=None)
    with closing(ProviderServer()) as only:
        eve.post(
            ADD,
            typed(**{**only.secrets("postmark"), **only.options("postmark"), "webhook_secret": ""}),
        )
        sweep()
        assert only.to(boss.email) == []

        Provider.objects.update(readiness=Readiness.TESTED)
        time_passes(seconds=3)
        sweep()

        assert len(only.to(boss.email)) == 1


def test_superusers_are_not_written_to_without_end(eve, boss):  # ABU-02
    (rate,) = conf.CHANGES_PER_ACCOUNT
    eve.post(ADD, typed())
    row = Provider.objects.get()
    for number in range(rate.times + 5):
        change(eve, row, sender=f"s{number}@shop.example")

    channels = [channel for channel, _address in warnings()]
    assert channels.count("email") == rate.times
    assert channels.count("sms") == rate.times
    assert Alert.objects.get(kind="provider_changed").times == rate.times + 5
