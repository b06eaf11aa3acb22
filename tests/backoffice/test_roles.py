"""What each role may do in the admin, and what nobody may: every role at every address (ADM-03)."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db.models.signals import post_migrate
from django.test import Client

from accounts.apps import AccountsConfig
from accounts.models import Challenge, SecurityEvent, SmsCountry, User
from backoffice import roles
from messaging import providers
from messaging.models import Alert, Breaker, Channel, OutboxMessage, Provider
from tests.support.people import make_shopper
from tests.support.staff import SECRET, let_in_staff, make_staff, sign_in_staff

pytestmark = pytest.mark.database

ROLES = ["Support", "Operations", "Auditor"]
VIEW, ADD, CHANGE, DELETE = "view", "add", "change", "delete"

# What may be done where; what is not listed is refused.
MAY = {
    "Support": {
        User: {VIEW},
        Challenge: {VIEW},
        SecurityEvent: {VIEW},
        OutboxMessage: {VIEW},
    },
    "Operations": {
        Provider: {VIEW, ADD, CHANGE, DELETE},
        SmsCountry: {VIEW, ADD, CHANGE},
        Breaker: {VIEW},
        Channel: {VIEW},
        Alert: {VIEW},
        OutboxMessage: {VIEW},
    },
    "Auditor": {
        model: {VIEW}
        for model in (
            *(User, Challenge, SecurityEvent, SmsCountry),
            *(Provider, Breaker, Channel, Alert, OutboxMessage),
        )
    },
}
MODELS = list(MAY["Auditor"]) + [Group]
TABLES = [*MODELS, LogEntry]


def url_of(model, page=""):
    """An address in the admin."""
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/{page}"


@pytest.fixture
def shop(ana, postbox):
    """One row of everything."""
    make_shopper(ana, "ana@example.com", username="ana")
    ana.client.cookies.clear()
    Provider.objects.create(name="Post", kind="smtp", channel="sms", options={}, is_active=False)
    Breaker.objects.create(provider_id=providers.environment_id("mailbox"), failures=1)
    Channel.objects.create(name="email")
    Alert.objects.create(kind="messages_wait", about="x", times=1)
    Group.objects.get_or_create(name="Support")


def hire(role):
    """The browser of somebody with this role."""
    make_staff(role.lower())
    call_command("staff_role", role.lower(), role)
    browser = Client()
    assert sign_in_staff(browser, role.lower(), SECRET).headers["Location"] == "/admin/"
    return browser


@pytest.fixture(params=ROLES)
def role(request):
    """Each role in turn."""
    return request.param


@pytest.fixture
def worker(shop, role):
    """The browser of somebody with this role, where there is one row of everything."""
    return hire(role)


def rows():
    """Everything that a forged request could touch."""
    return {model: list(model.objects.order_by("pk").values()) for model in TABLES}


def test_each_role_sees_what_it_needs_and_nothing_else(worker, role, subtests):  # ADM-03
    for model in MODELS:
        with subtests.test(model.__name__):
            assert_sees(worker, MAY[role].get(model, set()), model)


def assert_sees(worker, may, model):
    """Every page of the rows of `model` that this worker may see opens, and no other."""
    pk = model.objects.values_list("pk", flat=True).first()
    seen = {
        VIEW: {url_of(model), url_of(model, f"{pk}/change/"), url_of(model, f"{pk}/history/")},
        ADD: {url_of(model, "add/")},
        DELETE: {url_of(model, f"{pk}/delete/")},
    }

    for what, urls in seen.items():
        for url in urls:
            assert worker.get(url).status_code == (200 if what in may else 403), url


def test_forged_requests_change_nothing(worker, role, subtests):  # ADM-03
    before = rows()

    for model in MODELS:
        with subtests.test(model.__name__):
            assert_forgeries_are_refused(worker, MAY[role].get(model, set()), model)
            assert rows() == before


def assert_forgeries_are_refused(worker, may, model):
    """Nothing that this worker may not do to the rows of `model` is done."""
    pk = model.objects.values_list("pk", flat=True).first()
    forged = [
        (ADD, "add/", {"name": "eve", "username": "eve", "is_superuser": "on", "code": "ZZ"}),
        (CHANGE, f"{pk}/change/", {"name": "eve", "is_superuser": "on", "is_open": ""}),
        (DELETE, f"{pk}/delete/", {"post": "yes"}),
        (CHANGE, "", {"deactivate": str(pk), "activate": str(pk)}),
        *[
            (CHANGE, "", {"action": action, "_selected_action": [str(pk)], "post": "yes"})
            for action in ("delete_selected", "stop", "allow", "deactivate", "activate", "close")
        ],
        (CHANGE, "", {"form-TOTAL_FORMS": "1", "form-0-is_active": "on", "_save": "Save"}),
    ]

    for what, page, fields in forged:
        if what not in may:
            # A list that has no such action, shown once more, is a refusal, too.
            refused = (403,) if page else (200, 302, 403)
            assert worker.post(url_of(model, page), fields).status_code in refused, (page, fields)


def test_operations_switch_and_remove_a_provider(shop):  # ADM-03
    browser, row = hire("Operations"), Provider.objects.get()

    browser.post(url_of(Provider), {"activate": str(row.pk)})
    assert Provider.objects.get().is_active
    browser.post(url_of(Provider, f"{row.pk}/delete/"), {"post": "yes"})

    assert not Provider.objects.exists()
    assert LogEntry.objects.count() == 2


def test_operations_close_a_country(shop):  # ABU-05
    browser = hire("Operations")

    browser.post(url_of(SmsCountry), {"action": "stop", "_selected_action": ["*"]})

    assert not SmsCountry.objects.get(code="*").is_open


@pytest.mark.parametrize(
    ("role", "sees"), [("Support", 403), ("Operations", 200), ("Auditor", 200)]
)
def test_the_board_is_for_operations_and_auditors(shop, role, sees):
    assert hire(role).get("/admin/signups/").status_code == sees


def test_only_support_may_help_people(db):
    may = {
        role: set(Permission.objects.filter(group__name=role).values_list("codename", flat=True))
        for role in ROLES
    }

    assert "support_user" in may["Support"]
    assert not {"support_user", "deactivate_user"} & (may["Operations"] | may["Auditor"])
    assert "deactivate_user" not in may["Support"]
    assert all(codename.startswith("view_") for codename in may["Auditor"])
    assert {"view_logentry", "view_user", "view_session", "view_bucket"} <= may["Auditor"]
    assert "view_group" not in may["Auditor"]


def test_staff_without_a_role_see_an_empty_admin(shop):
    make_staff("eve")
    User.objects.filter(username="eve").update(is_superuser=False)
    browser = Client()
    let_in_staff(browser, "eve")

    assert browser.get("/admin/").status_code == 200
    for model in MODELS:
        assert browser.get(url_of(model)).status_code == 403


def test_a_shopper_in_a_group_is_no_staff(ana):  # ADM-03
    make_shopper(ana, "ana@example.com")
    User.objects.get().groups.add(Group.objects.get(name="Operations"))

    assert ana.client.get("/admin/").status_code == 302


def migrated():
    """What Django says when all migrations have run."""
    config = AccountsConfig.create("accounts")
    roles.fill_groups(sender=config, using="default", signal=post_migrate)


def test_groups_are_filled_again_and_keep_what_staff_added(db):
    support = Group.objects.get(name="Support")
    whole = set(support.permissions.all())
    extra = Permission.objects.get(codename="view_alert")
    support.permissions.set([extra])

    for _ in range(2):
        migrated()

    assert set(support.permissions.all()) == whole | {extra}
    assert Group.objects.count() == 3
