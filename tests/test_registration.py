"""A visitor becomes a shopper: identify, prove, complete, home."""

import pytest

from accounts.models import Challenge, Session, User
from tests.people import ACCOUNT, COMPLETE, HOME, PASSWORD, REGISTER, VERIFY

CHANNELS = {"email": "ana@example.com", "phone": "+12025550123"}


@pytest.mark.parametrize("who", CHANNELS.values(), ids=CHANNELS)
def test_a_visitor_becomes_a_shopper(anyone, postbox, who):  # promises 0.20, 2.1, 2.2, 2.3, 4.4
    assert anyone.identify(who).status_code in (200, 303)
    assert not User.objects.exists()  # REG-01

    anyone.prove(postbox.code(who))
    anyone.complete(name="Ana")

    user = User.objects.get()
    assert (user.name, user.email or user.phone) == ("Ana", who)
    assert user.check_password(PASSWORD)
    assert anyone.is_signed_in


def test_each_step_leads_to_the_next(ana, postbox):
    assert ana.identify("ana@example.com").to == VERIFY
    assert ana.prove(postbox.code()).to == COMPLETE
    assert ana.complete().to == HOME
    assert b"Ana" in ana.get(ACCOUNT).content


def test_the_proof_rotates_the_session_and_leaves_nothing_in_it(ana, postbox):  # SES-01, REG-10
    ana.identify("ana@example.com")
    before = ana.session_key

    ana.prove(postbox.code())

    assert ana.session_key != before
    assert not Session.objects.filter(pk=before).exists()
    kept = Session.objects.get().get_decoded()
    assert set(kept) == {"_auth_user_id", "_auth_user_backend", "_auth_user_hash"}


def test_a_stranger_looking_around_leaves_no_row(ana):  # SES-09
    for url in (HOME, REGISTER, VERIFY, COMPLETE, ACCOUNT, "/verify-email/?token=x"):
        ana.get(url)

    assert not Session.objects.exists()
    assert not Challenge.objects.exists()
