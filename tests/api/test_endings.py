"""What ends an app's session: everything that ends a browser's."""

import pytest
from django.contrib.auth.hashers import make_password
from django.db.models.functions import Now
from django.urls import reverse

from accounts import conf
from accounts.errors import TokenNotValid
from accounts.flows import deletion, recovery
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, Session, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from api.operations import sessions
from backoffice import roles
from backoffice.support import actions
from tests.support.apps import App
from tests.support.people import PASSWORD, Postbox, Shopper, let_in, make_user
from tests.support.staff import make_staff

pytestmark = [pytest.mark.django_db, pytest.mark.database]

EMAIL = "ana@example.com"
NEW = "another horse battery"
HERE = ClientInfo(ip="198.51.100.20")


@pytest.fixture
def ana(db):
    return make_user(EMAIL)


@pytest.fixture
def laptop(ana):
    """A browser in which Ana is signed in."""
    laptop = Shopper()
    let_in(laptop, ana)
    return laptop


def password_changed(ana, laptop):
    laptop.post(reverse("accounts:password"), current=PASSWORD, password=NEW)


def password_reset(ana, laptop):
    challenge = recovery.begin(parse(EMAIL), visitor=Visitor(HERE))
    recovery.set_password(challenge.link_token, NEW, client=HERE)


def this_was_not_me(ana, laptop):
    notice = Challenge.objects.create_link(Purpose.NOT_ME, parse(EMAIL), ana, life=conf.NOT_ME_TTL)
    recovery.disown(notice.link_token, client=HERE)


def other_devices_signed_out(ana, laptop):
    laptop.post(reverse("accounts:devices-sign-out"))


def signed_out_one_by_one(ana, laptop):
    for session in Session.objects.exclude(pk=laptop.session_key):
        laptop.post(reverse("accounts:device-sign-out", args=[session.name]))


def sessions_ended_by_staff(ana, laptop):
    actions.end_sessions(ana, by=make_staff(), client=HERE)


def deactivated_by_staff(ana, laptop):
    actions.deactivate(ana, by=make_staff(), client=HERE)


def made_staff(ana, laptop):
    roles.set_role(ana, roles.SUPPORT)


def deletion_asked(ana, laptop):
    deletion.request_deletion(ana, client=HERE)


def erased(ana, laptop):
    User.objects.filter(pk=ana.pk).update(deletion_due_at=Now())
    deletion.erase_due()


ENDINGS = [
    password_changed,
    password_reset,
    this_was_not_me,
    other_devices_signed_out,
    signed_out_one_by_one,
    sessions_ended_by_staff,
    deactivated_by_staff,
    made_staff,
    deletion_asked,
    erased,
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
def test_what_ends_browsers_ends_apps(ana, laptop, ending):  # SES-05, SES-06, REG-05, REC-06
    app, bea = App(ana), App(make_user("bea@example.com"))
    assert app.is_signed_in

    ending(ana, laptop)

    assert not Session.objects.filter(pk=app.session.pk).exists()
    assert not app.is_signed_in
    assert bea.is_signed_in


ROWS = {
    "shut out": {"is_active": False},
    "made staff": {"is_staff": True},
    "a new password": {"password": make_password(NEW)},
}


@pytest.mark.parametrize("columns", ROWS.values(), ids=ROWS)
def test_an_account_that_changed_under_an_app_lets_it_in_no_more(ana, columns):  # SES-06
    app = App(ana)
    User.objects.filter(pk=ana.pk).update(**columns)

    assert not app.is_signed_in


def test_a_secret_key_that_was_replaced_ends_no_app(ana, settings):  # KEY-01
    app = App(ana)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one, long enough to be one: 0123456789abcdefghijklmnopqrstuvwxyz"

    assert app.is_signed_in


def test_signing_out_in_a_browser_leaves_the_app_signed_in(ana, laptop):
    app = App(ana)
    laptop.post(reverse("accounts:logout"))

    assert not laptop.is_signed_in
    assert app.is_signed_in


def test_the_link_of_the_notice_of_a_copied_token_ends_everything(ana, laptop):
    app, other = App(ana), App(ana)
    before = app.refreshes()
    app.refreshes()
    with pytest.raises(TokenNotValid):
        sessions.refresh(before.refresh, client=HERE)
    assert not app.is_signed_in
    thief = Shopper()
    thief.open(Postbox().link(EMAIL))
    thief.post(reverse("accounts:not-me"))

    assert not other.is_signed_in
    assert not laptop.is_signed_in
