"""Programs that fill in every box: told that all went well, and nothing happens."""

import pytest

from accounts import conf
from accounts.models import Challenge, SecurityEvent
from messaging.models import OutboxMessage
from tests.support.people import REGISTER, Shopper

ANA = "ana@example.com"


@pytest.fixture
def trap(monkeypatch):
    """The shop has set the trap."""
    monkeypatch.setattr(conf, "BOT_CHECK", "accounts.honeypot.trap")


def told(answer):
    """What a client sees of an answer, but for its cookies.

    With HTMX a person has the card of the code at once, and a program what it would find at its address.
    """
    leads = {"HX-Push-Url", "HX-Redirect"} & set(answer.headers)
    return answer.status_code, "led on" if leads else (answer.content, answer.to)


def test_a_program_is_told_the_same_and_nothing_happens(db, trap, face):  # ABU-06
    person, program = Shopper(face), Shopper(face, ip="203.0.113.9")

    same = told(person.identify(ANA)) == told(program.identify("bea@example.com", memo="Buy!"))

    assert same
    assert Challenge.objects.get().recipient == ANA
    assert OutboxMessage.objects.count() == 1
    assert not SecurityEvent.objects.exclude(kind="code_sent").exists()


def test_a_person_leaves_the_box_empty(db, trap):  # ABU-06
    assert Shopper().identify(ANA, memo="").status_code == 303
    assert Challenge.objects.exists()


def test_nobody_sees_the_box(db, trap, ana):  # ABU-06
    assert '<input name="memo" hidden' in ana.get(REGISTER).content.decode()


def test_the_trap_is_off_unless_it_is_set(db, ana):  # ABU-06
    assert "memo" not in ana.get(REGISTER).content.decode()
    assert Shopper().identify(ANA, memo="Buy!").status_code == 303
    assert Challenge.objects.exists()


asked = []


def custom(request, posted):
    """A check of the shop's own, which may ask somebody else."""
    asked.append(posted["identifier"])
    return True


def test_a_check_of_the_shops_own_is_asked_no_more_often_than_one_may_register(
    db, monkeypatch, face
):  # LIM-09, ABU-06
    asked.clear()
    monkeypatch.setattr(conf, "BOT_CHECK", "tests.accounts.test_bots.custom")
    (rate,) = conf.REGISTER_PER_IP

    for number in range(rate.times + 3):
        answer = Shopper(face).identify(f"ana{number}@example.com")

    assert answer.status_code == 429
    assert len(asked) == rate.times
    assert not Challenge.objects.exists()
