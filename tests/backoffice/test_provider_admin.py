"""Staff edit providers: several for each channel, with credentials that go in and never come out."""

import io
import json
import re
import threading
import uuid
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import Request, urlopen

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts.models import Session, User
from backoffice.admin.provider_form import ProviderForm
from messaging.credentials import vault
from messaging.models import Breaker, OutboxMessage, Provider, Readiness, Receipt, Status
from messaging.outbox import breaker
from messaging.providers import BACKENDS
from messaging.providers.base import (
    Backend,
    Field,
    PermanentFailure,
    ResponseSummary,
    SendResult,
    TemporaryFailure,
)
from tests.support.backoffice import crawl
from tests.support.pages import Page, words
from tests.support.people import Shopper, check_tokens, time_passes
from tests.support.staff import let_in_staff, make_staff

LIST = "/admin/messaging/provider/"
ADD = f"{LIST}add/?kind=pigeon"
KEY, HOOK, NEWER = "canary-Key+/8471?&", "hooky-canary-5523", "canary-NEWER-9961"
SECRETS = (KEY, HOOK, NEWER)
LETTERS = {"email": "ana.boss@example.com", "sms": "+12025550177"}


class Pigeon(Backend):
    """A kind of our own for these tests: it carries an email over HTTP, to a server on this machine."""

    kind, label, channel = "pigeon", "Pigeon Post", "email"
    fields = (
        Field("api_key", "API key", secret=True, help="From the loft."),
        Field("api_url", "API address", default="https://api.pigeon.example"),
        Field("region", "Region", default="eu", choices=("eu", "us")),
        Field("webhook_key", "Webhook key", secret=True, required=False),
        Field("sender", "Sender", required=False),
    )

    def send(self, envelope):
        """Post the message, and raise or return as the server answers."""
        body = json.dumps({"to": envelope.to, "text": envelope.message.text}).encode()
        headers = {"Authorization": self.values.get("api_key", "")}
        with urlopen(Request(self.values["api_url"], body, headers)) as answer:  # noqa: S310
            said = json.load(answer)
        response = ResponseSummary("HTTP 200", said["code"], said["request"])
        if failure := {"later": TemporaryFailure, "never": PermanentFailure}.get(said["say"]):
            raise failure(said["fault"], response=response)
        return SendResult(said["id"], response)

    def ping(self):
        """Nobody asks."""


class Crow(Pigeon):
    """The same for text messages, without secrets."""

    kind, label, channel = "crow", "Crow", "sms"
    fields = (Pigeon.fields[1],)


class Loft:
    """The server: what it was told, and what it answers."""

    def __init__(self):
        self.letters = []
        self.answers = {
            "say": "taken",
            "id": "PIGEON-1",
            "fault": "",
            "code": "",
            "request": "req-8",
        }


@pytest.fixture(autouse=True)
def _vault(settings, monkeypatch):
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    for kind in (Pigeon, Crow):
        monkeypatch.setitem(BACKENDS, kind.kind, kind)


@pytest.fixture
def loft(settings):
    """A running server, whose address is `url`."""
    loft = Loft()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            loft.letters.append({**sent, "key": self.headers["Authorization"]})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(loft.answers).encode())

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    loft.url = f"http://127.0.0.1:{server.server_port}/"
    settings.PROVIDER_NETWORKS = ["127.0.0.0/8"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield loft
    server.shutdown()
    server.server_close()


@pytest.fixture
def boss(db):
    """A member of staff who may do everything, with a verified email address."""
    return User.objects.create_superuser(
        "boss",
        "a long staff secret",
        email=LETTERS["email"],
        email_key=LETTERS["email"],
        email_verified_at=now(),
    )


@pytest.fixture
def staff(boss):
    """The browser of that member of staff."""
    return enters("boss")


def enters(name):
    """A browser in which this member of staff signed in."""
    browser = Shopper(ip="192.0.2.50")
    let_in_staff(browser.client, name)
    return browser.client


def hire(name, *permissions):
    """A member of staff who may do so much and no more; returns their browser."""
    user = make_staff(name)
    user.is_superuser = False
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return enters(name)


def typed(**more):
    """What staff type into the form of a pigeon."""
    return {
        "name": "Main loft",
        "is_active": "on",
        "rank": "1",
        "weight": "1",
        "api_key": KEY,
        "api_url": "https://api.pigeon.example",
        "region": "eu",
        "webhook_key": HOOK,
        "sender": "",
        **more,
    }


def pigeon(name="Main loft", *, secrets=True, **more):
    """A provider that staff entered earlier."""
    columns = {
        "kind": "pigeon",
        "channel": "email",
        "options": {"api_url": "https://api.pigeon.example", "region": "eu"},
        "readiness": Readiness.TESTED,
    }
    row = Provider(name=name, **columns | more)
    if secrets:
        row.set_secret("api_key", KEY)
        row.set_secret("webhook_key", HOOK)
    row.save()
    return row


def page_of(row, page="change"):
    """The address of a page of a row."""
    return f"{LIST}{row.pk}/{page}/"


def edit(client, row, **more):
    """Type into the form of a row, secrets left empty, and save."""
    return client.post(page_of(row), typed(**{"api_key": "", "webhook_key": "", **more}))


def test_staff_add_a_provider(staff):  # promise 0.18, ADM-05
    saved = staff.post(ADD, typed(rank="2", weight="7"))

    assert saved.headers["Location"] == LIST
    row = Provider.objects.get()
    assert (row.name, row.kind, row.channel) == ("Main loft", "pigeon", "email")
    assert (row.rank, row.weight, row.is_active) == (2, 7, True)
    assert row.values == {
        "api_key": KEY,
        "api_url": "https://api.pigeon.example",
        "region": "eu",
        "webhook_key": HOOK,
        "sender": "",
    }
    assert set(row.sealed) == {"api_key", "webhook_key"}


def test_no_plain_secret_reaches_the_database(staff):  # ADM-05
    staff.post(ADD, typed())

    stored = json.dumps(list(Provider.objects.values()), default=str)
    assert not any(secret in stored for secret in SECRETS)


def test_a_new_provider_begins_with_its_kind(staff):
    page = Page(staff.get(f"{LIST}add/"))

    links = {link.get("href") for link in page.all("a")}
    assert {f"?kind={kind}" for kind in BACKENDS} <= links
    assert (
        page.html.index("Pigeon Post") < page.html.index("Text message") < page.html.index("Crow")
    )


@pytest.mark.parametrize("query", ["", "?kind=", "?kind=dodo", "?kind=%01", "?name=Eve"])
def test_without_a_known_kind_there_is_no_form(staff, query):
    for answer in (staff.get(f"{LIST}add/{query}"), staff.post(f"{LIST}add/{query}", typed())):
        assert answer.status_code == 200
        assert "Which kind of provider?" in words(answer)
    assert not Provider.objects.exists()


def test_the_form_asks_for_what_the_kind_declares_and_for_nothing_else(staff):  # promise 0.18
    page = Page(staff.get(ADD))

    asked = "name is_active rank weight api_key api_url webhook_key sender".split()
    assert set(page.inputs) == {*asked, "_save", "_continue", "_addanother"}
    assert [choice["name"] for choice in page.all("select")] == ["region"]
    assert page.inputs["api_url"]["value"] == "https://api.pigeon.example"
    assert "From the loft." in page.html


@pytest.mark.parametrize("kind", BACKENDS)
def test_every_kind_has_its_form(staff, kind):
    shown = Page(staff.get(f"{LIST}add/?kind={kind}"))
    names = [field.name for field in BACKENDS[kind].fields]

    asked = {*shown.inputs, *(choice["name"] for choice in shown.all("select"))}
    assert asked >= set(names)
    assert not set(names) & {"name", "kind", "channel", "is_active", "rank", "weight"}
    secret = [field.name for field in BACKENDS[kind].fields if field.secret]
    assert all(shown.inputs[name]["type"] == "password" for name in secret)


def test_an_address_that_somebody_sent_fills_in_nothing(staff):
    shown = staff.get(f"{ADD}&api_url=https://evil.example&name=Eve&api_key={KEY}")

    assert "evil.example" not in re.sub(r'href="[^"]*"|action="[^"]*"', "", words(shown))
    assert Page(shown).inputs["api_url"]["value"] == "https://api.pigeon.example"


# Credentials


@pytest.mark.parametrize("fault", [{"rank": "x"}, {"name": ""}, {"api_url": "http://x.example"}])
def test_a_form_with_a_mistake_forgets_the_secrets(staff, fault):  # ADM-05
    shown = staff.post(ADD, typed(**fault))

    assert shown.status_code == 200
    assert not Provider.objects.exists()
    inputs = Page(shown).inputs
    assert "value" not in inputs["api_key"]
    assert inputs["api_key"]["autocomplete"] == "new-password"
    assert not any(secret in shown.content.decode() for secret in SECRETS)


def test_a_secret_is_shown_as_a_date(staff):  # ADM-05
    shown = Page(staff.get(page_of(pigeon())))

    assert re.search(
        r"From the loft\. Set on \d+ \w+ \d{4}, \d\d:\d\d\. Leave empty to keep it\.", shown.html
    )
    assert "value" not in shown.inputs["api_key"]


def test_an_empty_secret_stays(staff):  # ADM-05
    row = pigeon()

    edit(staff, row, rank="3")

    after = Provider.objects.get()
    assert (after.rank, after.sealed) == (3, row.sealed)
    assert after.values["api_key"] == KEY


def test_a_typed_secret_replaces_the_old_one(staff):  # ADM-05
    row = pigeon()

    edit(staff, row, api_key=f"  {NEWER}\t")

    values = Provider.objects.get().values
    assert (values["api_key"], values["webhook_key"]) == (NEWER, HOOK)


def test_an_optional_secret_can_be_removed_and_a_required_one_cannot(staff):
    row = pigeon()

    edit(staff, row, clear_webhook_key="on", clear_api_key="on")

    assert set(Provider.objects.get().sealed) == {"api_key"}


def test_to_remove_and_to_replace_is_a_contradiction(staff):
    row = pigeon()

    shown = edit(staff, row, clear_webhook_key="on", webhook_key=NEWER)

    assert "not both" in words(shown)
    assert Provider.objects.get().sealed == row.sealed


def test_a_required_secret_is_required_once(staff):
    shown = staff.post(ADD, typed(api_key=""))

    assert not Provider.objects.exists()
    assert (
        "field-api_key" in re.search(r'class="form-row errors ([^"]*)"', shown.content.decode())[1]
    )


def test_without_a_key_the_form_says_which_setting_is_missing(staff, settings):  # ADM-05
    settings.VAULT_KEYS = []

    shown = staff.post(ADD, typed())

    assert "the setting VAULT_KEYS holds no usable key" in words(shown)
    assert not Provider.objects.exists()


def test_without_a_key_the_site_is_up_and_the_rest_can_be_edited(staff, settings):  # ADM-05
    row = pigeon()
    settings.VAULT_KEYS = []

    assert "credentials cannot be opened" in words(staff.get(LIST))
    assert "No key in the setting VAULT_KEYS opens it." in words(staff.get(page_of(row)))
    assert edit(staff, row, rank="5").headers["Location"] == LIST
    assert "the credentials cannot be opened" in words(try_it(staff, row))
    after = Provider.objects.get()
    assert (after.rank, after.sealed) == (5, row.sealed)


def test_secrets_do_not_follow_to_another_server(staff):  # ADM-05
    row = pigeon()

    shown = edit(staff, row, api_url="https://evil.example")

    assert "it would go to another server now" in words(shown)
    assert Provider.objects.get().options == row.options
    again = edit(staff, row, api_url="https://evil.example", api_key=NEWER, clear_webhook_key="on")
    assert again.headers["Location"] == LIST


@pytest.mark.parametrize(
    "url",
    ["http://api.example", "ftp://api.example", "api.example", "https://", "javascript:alert(1)",
     "https://me:word@api.example", "https://api.example/\nx"],
)  # fmt: skip
def test_an_api_address_is_https(staff, url):  # ADM-07
    shown = staff.post(ADD, typed(api_url=url))

    assert not Provider.objects.exists()
    assert "Enter " in Page(shown).text("li")


@pytest.mark.parametrize(
    "fields", [{"name": "a\nb"}, {"sender": "a\r\nBcc: x@y.example"}, {"api_key": "a\nb"}]
)
def test_no_field_takes_a_second_line(staff, fields):  # LOG-04
    shown = staff.post(ADD, typed(**fields))

    assert "Enter it on one line" in words(shown)
    assert not Provider.objects.exists()


@pytest.mark.parametrize("port", ["0", "65536", "x", "²", "-1", "5" * 5000])
def test_a_port_is_a_number_of_a_port(staff, port):
    staff.post(f"{LIST}add/?kind=smtp", typed(host="smtp.example.com", port=port, security="tls"))

    assert not Provider.objects.exists()


def test_kind_and_channel_stay(staff):
    row = pigeon()

    edit(staff, row, kind="crow", channel="sms", sealed="{}", id="7", options="{}")
    staff.post(f"{page_of(row)}?kind=crow", typed(api_key="", webhook_key=""))

    after = Provider.objects.get()
    assert (after.kind, after.channel, after.sealed) == ("pigeon", "email", row.sealed)


def test_a_kind_that_is_gone_can_still_be_taken_out_and_deleted(staff):
    row = pigeon(kind="dodo")

    assert "this kind is no longer known" in words(staff.get(LIST))
    edit(staff, row, is_active="")
    after = Provider.objects.get()
    assert (after.is_active, after.sealed) == (False, row.sealed)
    staff.post(page_of(row, "delete"), {"post": "yes"})
    assert not Provider.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_rotation_in_the_middle_of_an_edit_loses_nothing(staff, settings, monkeypatch):  # ADM-05
    row, newer = pigeon(), Fernet.generate_key().decode()
    settings.VAULT_KEYS = [newer, *settings.VAULT_KEYS]
    rotation, save = threading.Thread(target=rotates), ProviderForm.save

    def interrupted(form, commit=True):
        rotation.start()
        # Long enough for the command to read the row, and to write it if nothing stopped it.
        rotation.join(timeout=1)
        return save(form, commit)

    monkeypatch.setattr(ProviderForm, "save", interrupted)
    assert edit(staff, row, rank="6", webhook_key=NEWER).headers["Location"] == LIST
    rotation.join()

    settings.VAULT_KEYS = [newer]
    after = Provider.objects.get()
    assert after.rank == 6
    assert (after.values["api_key"], after.values["webhook_key"]) == (KEY, NEWER)


def rotates():
    """The command, in a process of its own as far as the database can tell."""
    try:
        call_command("rotate_vault", stdout=io.StringIO())
    finally:
        connection.close()


# The history


def test_the_history_says_what_was_changed_and_never_the_value(staff):  # ADM-01
    row = pigeon()

    edit(staff, row, api_key=NEWER, clear_webhook_key="on", sender="me@shop.example", rank="4")

    assert LogEntry.objects.get().get_change_message() == (
        "Rank was changed. API key was replaced. Webhook key was removed. Sender was changed."
    )


def test_deleting_asks_first_and_keeps_the_history(staff):
    staff.post(ADD, typed())
    row = Provider.objects.get()
    sent(row)
    breaker.record_failure(row.pk)

    assert "Are you sure" in words(staff.get(page_of(row, "delete")))
    assert Provider.objects.exists()
    staff.post(page_of(row, "delete"), {"post": "yes"})

    assert not Provider.objects.exists()
    assert not Breaker.objects.exists()
    assert [entry.action_flag for entry in LogEntry.objects.order_by("pk")] == [1, 3]
    # Besides the warning to superusers that there is a provider.
    assert OutboxMessage.objects.exclude(template="warning").get().provider_id == row.pk
    assert "Main loft (deleted)" in words(staff.get("/admin/messaging/outboxmessage/"))


# Nothing comes out


def test_no_page_and_no_row_tells_a_secret_whatever_staff_do(  # ADM-01, ADM-05
    staff, loft, caplog, is_release
):
    loft.answers["answer"] = f"bad key {KEY}"
    staff.post(ADD, typed(name="", api_key=NEWER))
    staff.post(ADD, typed(api_url=loft.url))
    main = Provider.objects.get()
    edit(staff, main, api_url=loft.url, webhook_key=NEWER)
    try_it(staff, main)
    gone = pigeon("Gone")
    staff.post(page_of(gone, "delete"), {"post": "yes"})

    pages = crawl(Browser(staff), narrowed=is_release) | {ADD: staff.get(ADD)}
    pages[""] = try_it(staff, main)

    addresses = "".join(pages)
    assert {page_of(main), page_of(main, "test"), page_of(main, "history"), ADD} <= set(pages)
    assert addresses.count("provider") > (15 if is_release else 5)
    shown = "".join(page.content.decode() for page in pages.values())
    kept = json.dumps(list(LogEntry.objects.values()), default=str) + caplog.text
    kept += "".join(str(session.get_decoded()) for session in Session.objects.all())
    kept += str(staff.cookies) + repr(main) + str(vars(main))
    for secret in SECRETS:
        assert secret not in shown
        assert secret not in kept
    assert not any(token in shown for token in main.sealed.values())


class Browser:
    """What `crawl` wants."""

    def __init__(self, client):
        self.client = client


@pytest.mark.parametrize(
    "query",
    ["sealed__contains=gAAAA", "sealed__api_key__startswith=gAA", "options__sender=x",
     "sealed__has_key=api_key", "name__startswith=M", "id__startswith=a", "kind=pigeon"],
)  # fmt: skip
def test_filters_answer_no_questions(staff, query):  # ADM-02
    pigeon()

    assert staff.get(f"{LIST}?{query}").status_code in (302, 400)


@pytest.mark.sample(9)
@pytest.mark.parametrize("order", range(-12, 13))
def test_no_order_tells_anything(staff, order):  # ADM-02
    pigeon()

    assert staff.get(f"{LIST}?o={order}", follow=True).status_code == 200


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("page", ["add", "change"])
def test_a_page_of_an_error_tells_no_secret(
    staff, settings, monkeypatch, caplog, debug, page
):  # ADM-01
    settings.DEBUG = debug
    row = pigeon()
    staff.raise_request_exception = False
    monkeypatch.setattr(vault, "seal", broken)

    url = ADD if page == "add" else page_of(row)
    shown = staff.post(url, typed(name="Other", api_key=NEWER, webhook_key=NEWER))

    assert shown.status_code == 500
    told = shown.content.decode() + caplog.text
    assert not any(secret in told for secret in SECRETS)
    assert ("RuntimeError" in shown.content.decode()) is debug


def broken(value, *, row, field):
    """A vault with a fault."""
    here = f"{value} for {field}"
    raise RuntimeError(len(here))


# Who may


@pytest.mark.parametrize("page", ["change", "test", "history", "delete"])
def test_staff_without_permission_see_nothing(boss, page):  # ADM-03
    eve, row = hire("eve", "view_outboxmessage"), pigeon()

    assert eve.get(page_of(row, page)).status_code == 403
    assert eve.get(LIST).status_code == 403
    assert eve.get(f"{LIST}add/").status_code == 403


def test_staff_who_may_look_see_what_is_no_secret_and_change_nothing(boss):  # ADM-03
    eve, row = hire("eve", "view_provider"), pigeon()

    shown = eve.get(page_of(row))

    assert "https://api.pigeon.example" in words(shown)
    assert re.search(r"API key: Set on \d+ ", words(shown))
    assert not {"name", "api_key", "rank", "_save"} & set(Page(shown).inputs)
    assert "test/" not in shown.content.decode()
    assert "deactivate" not in eve.get(LIST).content.decode()
    for url, fields in forged(row):
        assert eve.post(url, fields).status_code == 403 or url == LIST
    assert list(Provider.objects.values("is_active", "sealed", "rank")) == [
        {"is_active": True, "sealed": row.sealed, "rank": 1}
    ]
    assert not LogEntry.objects.exists()


def forged(row):
    """Requests that somebody who may only look has no button for."""
    yield page_of(row), typed(api_key=NEWER)
    yield ADD, typed(name="Eve")
    yield f"{LIST}add/", {}
    yield page_of(row, "delete"), {"post": "yes"}
    yield page_of(row, "test"), {"to": LETTERS["email"]}
    yield LIST, {"deactivate": str(row.pk)}
    yield LIST, {"action": "deactivate", "_selected_action": [str(row.pk)], "index": "0"}


def test_staff_who_may_change_do_just_that(boss):  # ADM-03
    bea, row = hire("bea", "change_provider", "view_provider"), pigeon()

    assert edit(bea, row, rank="9").headers["Location"] == LIST
    assert bea.post(ADD, typed(name="Other")).status_code == 403
    assert bea.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("page", ["change", "test", "delete"])
def test_strangers_are_led_to_the_door(db, ana, page):  # ADM-03
    row = pigeon()

    assert "/admin/login/" in ana.client.get(page_of(row, page)).headers["Location"]
    assert "/admin/login/" in ana.client.post(page_of(row, page), {}).headers["Location"]


# The list


def sent(row, status=Status.SENT, **more):
    """A message that went through a provider."""
    expires = now() + timedelta(hours=1)
    columns = {"settled_at": now(), "expires_at": expires} | more
    return OutboxMessage.objects.create(
        template="code", about_id=uuid.uuid4(), channel=row.channel, address="a@b.example", status=status,
        provider_id=row.pk, **columns,
    )  # fmt: skip


def test_the_list_says_how_each_provider_fares(staff):
    well, tired = pigeon("Well"), pigeon("Tired", rank=2)
    pigeon("Resting", rank=3, is_active=False)
    for status in (Status.SENT, Status.DELIVERED, Status.BOUNCED, Status.FAILED):
        sent(well, status)
    sent(well, Status.FAILED, settled_at=now() - timedelta(hours=2))
    for _ in range(3):
        breaker.record_failure(tired.pk)

    shown = words(staff.get(LIST))

    assert "50 % of 4" in shown
    assert re.search(r"paused until \d\d:\d\d", shown)
    assert "working" in shown
    assert "not in use" in shown


def test_the_list_costs_the_same_for_one_and_for_many(staff):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            staff.get(LIST)
        return len(asked)

    pigeon("0")
    few = queries()
    for number in range(1, 9):
        row = pigeon(str(number))
        sent(row)
        breaker.record_failure(row.pk)

    assert queries() == few


def test_one_click_takes_a_provider_out_and_one_brings_it_back(staff):
    row = pigeon()

    for action, in_use, told in (
        ("deactivate", False, "1 provider is out of use."),
        ("activate", True, "1 provider is in use now."),
    ):
        assert f'name="{action}" value="{row.pk}"' in staff.get(LIST).content.decode()
        shown = staff.post(LIST, {action: str(row.pk)}, follow=True)
        assert told in words(shown)
        assert Provider.objects.get().is_active is in_use
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        "Taken out of use.",
        "Put in use.",
    ]


def test_a_second_click_changes_nothing(staff):
    row = pigeon()

    for _ in range(2):
        staff.post(LIST, {"deactivate": str(row.pk)})

    assert Provider.objects.get().is_active is False
    assert LogEntry.objects.count() == 1


def test_several_are_taken_out_at_once(staff):
    rows = [pigeon(name) for name in ("One", "Two", "Three")]
    chosen = [str(row.pk) for row in rows[:2]]

    staff.post(LIST, {"action": "deactivate", "_selected_action": chosen, "index": "0"})

    in_use = Provider.objects.filter(is_active=True).values_list("name", flat=True)
    assert list(in_use) == ["Three"]


def test_taking_out_the_last_one_warns(staff, settings):
    settings.MAILBOX = False
    row = pigeon()

    shown = staff.post(LIST, {"deactivate": str(row.pk)}, follow=True)

    assert "No provider is in use for this channel: email. Nothing can be sent." in words(shown)


@pytest.mark.parametrize("pk", ["", "x", "%01", "00000000-0000-0000-0000-000000000000"])
def test_a_button_for_nobody_does_nothing(staff, pk):
    row = pigeon()

    assert staff.post(LIST, {"deactivate": pk}).status_code == 302
    assert staff.get(f"{LIST}{pk}/test/").status_code in (302, 404)
    assert Provider.objects.get().is_active == row.is_active


def test_nobody_deletes_in_bulk(staff):
    row = pigeon()

    staff.post(
        LIST, {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    )

    assert Provider.objects.exists()


def test_a_provider_that_was_paused_is_tried_again_after_an_edit(staff):
    row = pigeon()
    for _ in range(3):
        breaker.record_failure(row.pk, retry_after=timedelta(hours=5))

    edit(staff, row, api_key=NEWER)

    assert breaker.failing() == {}


# The test message


def try_it(client, row, to=LETTERS["email"]):
    """Press the button."""
    return client.post(page_of(row, "test"), {"to": to})


def loft_row(loft, **more):
    """A provider whose server is the loft."""
    row = pigeon(**more)
    row.options["api_url"] = loft.url
    row.save()
    return row


def test_staff_send_themselves_a_test_message(staff, loft):
    row = loft_row(loft, is_active=False)
    opened = staff.get(page_of(row, "test"))
    assert LETTERS["email"] in words(opened)
    assert not loft.letters

    shown = words(try_it(staff, row))

    assert "Handed over." in shown
    assert "Its id of the message PIGEON-1" in shown
    assert "Status HTTP 200" in shown
    assert "Its id of the request req-8" in shown
    assert "Error code" not in shown
    (letter,) = loft.letters
    assert (letter["to"], letter["key"]) == (LETTERS["email"], KEY)
    assert "This is a test message of Storefront." in letter["text"]
    assert LogEntry.objects.get().change_message == "Test message: handed over."
    assert not OutboxMessage.objects.exists()


def test_a_test_message_says_which_setting_opens_a_network_of_the_shop_s_own(
    staff, loft, settings
):  # ADM-07
    row = pigeon(kind="postmark", options={"api_url": loft.url}, secrets=False)
    settings.PROVIDER_NETWORKS = []

    shown = words(try_it(staff, row))

    assert "PROVIDER_NETWORKS" in shown
    assert "is not public" in shown
    assert not loft.letters


def test_the_change_page_leads_to_the_test(staff):
    row = pigeon()

    links = [link.get("href") for link in Page(staff.get(page_of(row))).all("a")]

    assert page_of(row, "test") in links


@pytest.mark.parametrize(
    "to", ["eve@example.com", "", "+12025550177", f"{LETTERS['email']},eve@example.com"]
)
def test_a_test_message_goes_to_no_stranger(staff, loft, to):
    shown = try_it(staff, loft_row(loft), to)

    assert shown.status_code == 200
    assert not loft.letters
    assert not LogEntry.objects.exists()


def test_a_text_message_goes_to_the_verified_number(staff, boss, loft):
    row = Provider.objects.create(
        name="Crows", kind="crow", channel="sms", options={"api_url": loft.url}
    )
    assert "your account has none" in words(staff.get(page_of(row, "test")))
    assert "your account has none" in words(try_it(staff, row, LETTERS["sms"]))

    User.objects.filter(pk=boss.pk).update(phone=LETTERS["sms"], phone_verified_at=now())

    assert "Handed over." in words(try_it(staff, row, LETTERS["sms"]))
    assert [letter["to"] for letter in loft.letters] == [LETTERS["sms"]]


@pytest.mark.parametrize(
    ("say", "told"), [("later", "Not taken this time: bad key"), ("never", "Refused: bad key")]
)
def test_a_refusal_is_shown_as_it_is(staff, loft, say, told):
    loft.answers |= {"say": say, "fault": "bad key", "code": "20003"}

    shown = words(try_it(staff, loft_row(loft)))

    assert told in shown
    assert "Error code 20003" in shown
    assert "Its id of the request req-8" in shown
    assert LogEntry.objects.get().change_message == "Test message: not handed over."


def test_a_kind_with_a_fault_is_no_fault_of_the_page(staff, loft):
    loft.answers = {"nothing": f"of use, {KEY}"}

    shown = try_it(staff, loft_row(loft))

    assert shown.status_code == 200
    assert "unexpected: KeyError" in words(shown)


def test_staff_send_five_a_minute_and_no_more(staff, loft):
    row, other = loft_row(loft), loft_row(loft, name="Other")
    for number in range(5):
        assert try_it(staff, [row, other][number % 2]).status_code == 200

    shown = try_it(staff, row)

    assert shown.status_code == 429
    assert "That was too often" in words(shown)
    assert len(loft.letters) == 5
    time_passes(seconds=61)
    assert try_it(staff, row).status_code == 200


def test_a_test_message_needs_the_token_of_the_form(staff, loft):  # WEB-01
    row = loft_row(loft)
    check_tokens(staff)

    assert try_it(staff, row).status_code == 403
    assert not loft.letters


# Receipts and breakers


def test_the_page_of_a_message_tells_what_the_provider_said_later(staff):
    row = pigeon()
    message = sent(row, Status.BOUNCED)
    for number, (status, detail) in enumerate([("delivered", ""), ("bounced", "mailbox full")]):
        Receipt.objects.create(
            key=str(number), message=message, provider_id=row.pk, status=status, detail=detail,
            at=now() + timedelta(seconds=number),
        )  # fmt: skip

    shown = words(staff.get(f"/admin/messaging/outboxmessage/{message.pk}/change/"))

    assert shown.index("delivered") < shown.index("mailbox full")
    assert message.address not in shown


def test_breakers_are_a_window(staff, settings):  # ADM-03
    settings.MAILBOX = False
    main = pigeon("main")
    breaker.record_failure(main.pk)
    page = f"/admin/messaging/breaker/{main.pk}"

    assert "main" in words(staff.get("/admin/messaging/breaker/"))
    assert "main" in words(staff.get(f"{page}/change/"))
    assert staff.post(f"{page}/change/", {"failures": 0}).status_code == 403
    assert staff.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert staff.get("/admin/messaging/breaker/?open_until__isnull=1").status_code in (302, 400)
    assert Breaker.objects.get().failures == 1
