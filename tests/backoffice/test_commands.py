"""What whoever runs the site does by command reaches the account they mean, and leaves nothing of before open."""

from io import StringIO

import pytest
from django.contrib.auth.management.commands import changepassword
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from accounts import audit
from accounts.models import SecurityEvent, User
from tests.support.people import PASSWORD, Postbox, Shopper, make_shopper
from tests.support.staff import CODE, SECRET, Member, code_of, knock, let_in_staff, make_staff

LOGIN, NAMES, NOT_ME = "/login/", "/account/names/", "/not-me/"
NEW = "another long staff secret"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _password(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", SECRET)
    monkeypatch.setattr(changepassword.Command, "_get_pass", lambda *_args: NEW)


def makes_superuser(username):
    """Run the command as a script does; returns what it says."""
    said = StringIO()
    call_command("createsuperuser", interactive=False, username=username, stdout=said)
    return said.getvalue()


def sets_password(username):
    """Run Django's command, in which somebody types the password; returns what it says."""
    said = StringIO()
    call_command("changepassword", username, stdout=said)
    return said.getvalue()


# Which account


@pytest.mark.parametrize("typed", ["Boss", "BOSS", "\uff22oss"])
def test_the_name_of_a_superuser_is_in_small_letters_and_the_command_says_so(typed):  # IDN-06
    said = makes_superuser(typed)

    assert User.objects.get().username == "boss"
    assert "in small letters: boss (no contact)" in said


def test_a_thief_who_takes_the_name_in_small_letters_is_not_promoted():  # ADM-03
    makes_superuser("Boss")

    make_shopper(Shopper(), "thief@example.com")
    thief = Shopper(ip="198.51.100.66")
    make_shopper(thief, "other@example.com")
    refused = thief.post(NAMES, name="Thief", username="boss")

    assert refused.status_code == 422
    call_command("staff_role", "boss", "Operations")
    (staff,) = User.objects.filter(is_staff=True)
    assert staff.username == "boss"
    assert staff.email is None


@pytest.mark.parametrize("name", ["Boss", "bOSS"])
def test_no_row_differs_from_another_by_capitals_alone(name):  # IDN-06
    makes_superuser("boss")
    make_shopper(Shopper(), "ana@example.com")

    with pytest.raises(IntegrityError):
        User.objects.filter(email="ana@example.com").update(username=name)


@pytest.mark.parametrize("name", ["annie", "ANNIE"])
def test_a_name_in_capitals_is_taken_too(name):  # IDN-06
    make_shopper(Shopper(), "ana@example.com", username="annie")

    assert User.objects.is_username_taken(name)


@pytest.mark.parametrize(
    "command", [("staff_role", "Support"), ("staff_contact", "new@staff.example")]
)
def test_a_command_takes_the_name_as_it_is_spelled_and_says_whose_is_near(command):  # ADM-03
    make_staff("boss")
    (name, value), before = command, SecurityEvent.objects.count()

    with pytest.raises(CommandError, match=r"There is boss \(b•••@staff.example\)"):
        call_command(name, "Boss", value)

    assert SecurityEvent.objects.count() == before
    assert not User.objects.get().groups.exists()


def test_a_command_says_whose_account_it_changed(capsys):
    make_shopper(Shopper(), "ana@example.com", username="annie")

    call_command("staff_role", "annie", "Support")
    call_command("staff_contact", "annie", "+447400123456")

    said = capsys.readouterr().out
    assert "annie (a•••@example.com): Support" in said
    assert "annie go to +44•••56" in said
    assert "ana@example.com" not in said


@pytest.mark.parametrize("typed", ["annie", "Annie"])
def test_no_superuser_takes_the_name_of_somebody(typed):
    make_shopper(Shopper(), "ana@example.com", username="annie")

    with pytest.raises(CommandError, match="taken"):
        makes_superuser(typed)


@pytest.mark.parametrize("typed", ["annie", "Annie"])
def test_no_superuser_takes_a_name_that_a_notice_may_bring_back(typed):  # REC-07
    make_shopper(Shopper(), "ana@example.com", username="annie")
    thief = Shopper(ip="198.51.100.66")
    thief.post(LOGIN, identifier="ana@example.com", password=PASSWORD)
    thief.post(NAMES, name="x", username="mallory")
    link = Postbox().link("ana@example.com")

    with pytest.raises(CommandError, match="kept for somebody"):
        makes_superuser(typed)
    with pytest.raises(IntegrityError):
        make_staff(typed)
    owner = Shopper(ip="203.0.113.9")
    owner.open(link)
    owner.post(NOT_ME)

    assert [user.username for user in User.objects.all()] == ["annie"]
    assert not thief.is_signed_in


@pytest.mark.parametrize("typed", ["b", "boss@staff.example", "the boss"])
def test_a_superuser_has_a_name_that_can_be_typed_at_every_door(typed):
    with pytest.raises(CommandError, match="A username has 3 to 32 characters"):
        makes_superuser(typed)


def test_a_name_that_no_shopper_may_have_is_for_a_superuser():
    makes_superuser("Admin")

    assert User.objects.get().username == "admin"


# A new password


def test_a_code_that_waits_ends_with_the_password_it_was_sent_for():  # ADM-04, REC-06
    make_staff("boss")
    thief = Member(ip="198.51.100.66")
    knock(thief.client)
    code = code_of()

    sets_password("boss")
    thief.client.post(CODE, {"code": code})

    assert not thief.is_signed_in


def test_whoever_was_signed_in_with_the_former_password_is_not_any_more():  # REC-06
    boss, member = make_staff("boss"), Member()
    let_in_staff(member.client)
    assert member.is_signed_in

    said = sets_password("boss")

    assert not member.is_signed_in
    assert not boss.sessions.exists()
    assert "must sign in anew: boss (b•••@staff.example)" in said
    let_in_staff(member.client)
    assert member.is_signed_in


def test_links_in_the_mail_of_a_shopper_end_too():  # REC-05
    ana = make_shopper(Shopper(), "ana@example.com", username="annie")
    thief = Shopper(ip="198.51.100.66")
    thief.post("/password-reset/", identifier="ana@example.com")
    thief.open(Postbox().link("ana@example.com"))

    sets_password("annie")
    thief.post("/password-reset/new/", password="the thief chose this one")

    assert not ana.is_signed_in
    assert User.objects.get().check_password(NEW)


def test_a_password_by_command_is_an_event():  # LOG-01
    boss = make_staff("boss")

    sets_password("boss")

    event = SecurityEvent.objects.get(kind="staff_password_set")
    assert (event.user, event.actor, event.ip) == (boss, audit.pseudonym(boss.pk), None)


def test_a_password_that_was_not_changed_ends_nothing(monkeypatch):
    make_staff("boss")
    member = Member()
    let_in_staff(member.client)
    monkeypatch.setattr(changepassword.Command, "_get_pass", lambda *_args: "short")

    with pytest.raises(CommandError):
        sets_password("boss")

    assert member.is_signed_in
    assert not SecurityEvent.objects.filter(kind="staff_password_set").exists()


def test_whoever_is_no_superuser_any_more_is_told(db, capsys):
    make_staff("boss")
    make_staff("chief")

    call_command("staff_role", "boss", "Support")

    assert "boss is no superuser any more" in capsys.readouterr().out
