"""A shopper who becomes staff brings nothing along that a mailbox alone could have won (ADM-04)."""

import pytest
from django.core.management import call_command

from accounts.errors import SignedOut
from accounts.flows import account, contacts, deletion
from accounts.identifiers import parse
from accounts.models import Challenge, Purpose, Session, User
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from backoffice import roles, staff_auth
from tests.support.people import PASSWORD, Shopper, make_shopper, nowhere
from tests.support.staff import code_of, knock, make_staff, sign_in_staff

CAROL = "carol@example.com"
HERE = ClientInfo(ip="203.0.113.7")


@pytest.fixture
def carol(db):
    """A shopper with a username, whom whoever runs the site is about to promote."""
    make_shopper(Shopper(ip="192.0.2.1"), CAROL, name="Carol", username="carol")
    return User.objects.get(username="carol")


def test_a_password_won_by_one_mailbox_opens_no_staff_page(client, carol, postbox):  # ADM-04
    thief = Shopper(ip="198.51.100.66")
    thief.post("/password-reset/", identifier=CAROL)
    page = thief.open(postbox.link(CAROL))
    thief.post(page.request["PATH_INFO"], password="chosen by the thief")
    carol.refresh_from_db()
    assert carol.check_password("chosen by the thief")

    call_command("staff_role", "carol", "Operations", verbosity=0)

    assert knock(client, "carol", "chosen by the thief").status_code == 200
    assert not Challenge.objects.filter(purpose=Purpose.STAFF).exists()
    assert not User.objects.get(username="carol").has_usable_password()


def test_the_password_that_whoever_runs_the_site_sets_opens_them(client, carol):  # ADM-04
    roles.set_role(carol, "Operations")
    carol.set_password("set on the operator's word")
    carol.save()

    assert sign_in_staff(client, "carol", "set on the operator's word").status_code == 302
    assert client.get("/admin/").status_code == 200


def test_another_role_keeps_the_password_of_staff(client, carol):
    roles.set_role(carol, "Operations")
    carol.set_password("set on the operator's word")
    carol.save()
    roles.set_role(carol, "Support")

    assert sign_in_staff(client, "carol", "set on the operator's word").status_code == 302


CHANGES = {
    "rename": lambda user: account.rename(
        user, name="Eve", username=user.username, session=Session(), client=HERE
    ),
    "password": lambda user: account.set_password(
        user,
        new="chosen by the thief",
        session_key="",
        visitor=Visitor(HERE),
        renew_session=nowhere,
    ),
    "contact": lambda user: contacts.add(user, parse("eve@example.com"), client=HERE),
    "primary": lambda user: contacts.make_primary(user, "phone", client=HERE),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("moment", ["promoted", "shut out"])
def test_a_request_that_was_on_its_way_changes_nothing_any_more(carol, change, moment):  # SES-06
    """It was let in as a shopper's; by the time it writes, the account is none."""
    User.objects.filter(pk=carol.pk).update(
        phone="+12025550123", phone_verified_at="2020-01-01T00:00Z"
    )
    carol.refresh_from_db()
    if moment == "promoted":
        roles.set_role(User.objects.get(pk=carol.pk), "Operations")
    else:
        User.objects.filter(pk=carol.pk).update(is_active=False)
    before = User.objects.filter(pk=carol.pk).values().get()

    with pytest.raises(SignedOut):
        change(carol)

    assert User.objects.filter(pk=carol.pk).values().get() == before


def test_no_deletion_is_planned_for_somebody_who_was_just_promoted(carol):  # ADM-04
    roles.set_role(User.objects.get(pk=carol.pk), "Operations")

    deletion.request_deletion(carol, client=HERE)

    assert User.objects.get(pk=carol.pk).deletion_due_at is None


def test_a_body_is_read_before_anybody_asks_who_is_there(carol):  # SES-06
    """A client that dawdles with its body is judged by who it is when the body has come."""
    slow = Shopper("json", ip="192.0.2.1")
    slow.post("/login/", identifier=CAROL, password=PASSWORD)

    class Dawdling:
        """The second half of a request, which takes long enough for a promotion."""

        def __init__(self, body):
            self.body = body

        def read(self, *_size):
            roles.set_role(User.objects.get(pk=carol.pk), "Operations")
            body, self.body = self.body, b""
            return body

        readline = read

    body = b'{"name": "Eve", "username": "carol"}'
    answer = slow.client.generic(
        "POST",
        "/account/names/",
        body,
        content_type="application/json",
        headers={"accept": "application/json"},
        **{"wsgi.input": Dawdling(body)},
    )

    assert answer.status_code == 401
    assert User.objects.get(pk=carol.pk).name == "Carol"


def test_a_new_contact_of_staff_takes_nothing_from_a_colleague(client, db):  # COD-07, ABU-01
    """Whoever works here may type any address; it fills the part of strangers, not the door of its owner."""
    make_staff("boss")
    auditor = make_staff("audi")
    roles.set_role(auditor, "Auditor")
    challenge = staff_auth.begin_change(auditor, "a long staff secret", visitor=Visitor(HERE))
    contact = staff_auth.begin_contact(
        auditor,
        challenge,
        challenge.code,
        contact=parse("boss@staff.example"),
        client=HERE,
    )

    assert contact.pool == "sign-up"
    for _ in range(25):
        Shopper().client.post("/admin/login/code/", {"code": "000000"})
    assert sign_in_staff(client, "boss").status_code == 302
    assert code_of("boss")


def test_the_code_of_staff_tells_its_owner_that_somebody_has_the_password(client, db, postbox):
    make_staff("boss")
    knock(client)
    Shopper().identify("new@example.com")

    assert "Somebody typed your staff password" in postbox.messages("boss@staff.example")[0]["text"]
    assert "nothing happens without the code" in postbox.messages("new@example.com")[0]["text"]
