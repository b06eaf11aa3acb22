"""The tests that design 001 lists, with the client that it lists them for (promises 1.27 and 1.28)."""

import time

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import Challenge, SecurityEvent, User
from messaging.models import OutboxMessage
from messaging.outbox import delivery
from messaging.tasks import sweep
from tests.support.people import PASSWORD, Postbox, make_user, time_passes, wrong

# promise 1.27
pytestmark = pytest.mark.django_db

ACTIVE, NEW = "active@example.com", "new@example.com"
BODY = {
    "email": NEW,
    "password": PASSWORD,
    "password_confirm": PASSWORD,
    "first_name": "Test",
    "last_name": "User",
}


@pytest.fixture
def api_client():
    """The client of Django REST framework."""
    return APIClient()


@pytest.fixture
def active_user(db):
    """Somebody who has verified the address."""
    return make_user(ACTIVE, name="Active User")


@pytest.fixture
def inactive_user(db):
    """Somebody whose account was closed."""
    return make_user("inactive@example.com", is_active=False)


@pytest.fixture
def valid_otp(api_client, active_user):
    """A code that was sent, and the attempt it is of."""
    told = api_client.post(reverse("otp-request-otp"), {"email": ACTIVE}, format="json").json()
    return told["attempt"], Postbox().code(ACTIVE)


@pytest.fixture
def email_verification(api_client):
    """The token of a link that was sent."""
    api_client.post(reverse("register"), BODY, format="json")
    return Postbox().link(NEW).partition("token=")[2]


class TestRegistration:
    """Five of them."""

    def test_registers(self, api_client):  # promise 1.1, 1.15
        response = api_client.post(reverse("register"), BODY, format="json")

        assert response.status_code == 201
        assert response.data["email"] == NEW
        assert "user_id" in response.data
        assert response.data["message"] == (
            "Registration successful. Please check your email to verify your account."
        )
        # Nothing is made before the address is verified, so that nobody is locked out of their own.
        assert not User.objects.filter(email=NEW).exists()
        assert list(SecurityEvent.objects.values_list("kind", flat=True)) == ["code_sent"]

    def test_refuses_an_address_that_is_taken(self, api_client, active_user):  # promise 1.4
        response = api_client.post(reverse("register"), {**BODY, "email": ACTIVE}, format="json")

        assert response.status_code == 400
        assert response.data == {"email": ["A user with this email already exists."]}

    def test_refuses_two_different_passwords(self, api_client):  # promise 1.4
        sent = {**BODY, "password_confirm": "something else entirely"}
        response = api_client.post(reverse("register"), sent, format="json")

        assert response.status_code == 400
        assert response.data == {"password_confirm": ["Passwords do not match."]}

    def test_refuses_a_weak_password(self, api_client):  # promise 1.3
        sent = {**BODY, "password": "123", "password_confirm": "123"}
        response = api_client.post(reverse("register"), sent, format="json")

        assert response.status_code == 400
        assert "password" in response.data

    def test_verifies_the_address(self, api_client, email_verification):  # promise 1.6, 1.15
        response = api_client.get(reverse("verify-email"), {"token": email_verification})

        assert response.status_code == 200
        assert response.data["message"] == "Email verified successfully"
        assert response.data["user"] == {"email": NEW, "is_active": True}
        user = User.objects.get(email=NEW)
        assert user.is_active
        assert user.email_verified_at
        assert user.events.filter(kind="registered").exists()


class TestOTP:
    """Six of them."""

    def test_asks_for_a_code(self, api_client, active_user):  # promise 1.9
        response = api_client.post(reverse("otp-request-otp"), {"email": ACTIVE}, format="json")

        assert response.status_code == 200
        assert response.data["expires_in"] == 600
        assert Challenge.objects.get().user == active_user

    def test_says_the_same_of_an_address_of_nobodys(self, api_client, active_user):  # promise 1.9
        asked = {}
        for who in (ACTIVE, "nobody@example.com"):
            told = api_client.post(reverse("otp-request-otp"), {"email": who}, format="json")
            asked[who] = (told.status_code, {**told.data, "attempt": ""})

        assert asked[ACTIVE] == asked["nobody@example.com"]
        assert asked[ACTIVE][1]["message"] == "If the email exists, an OTP code has been sent."

    def test_signs_in_with_the_code(self, api_client, active_user, valid_otp):  # promise 1.10, 1.15
        attempt, code = valid_otp
        sent = {"email": ACTIVE, "code": code, "attempt": attempt}
        response = api_client.post(reverse("otp-verify-otp"), sent, format="json")

        assert response.status_code == 200
        assert {"access", "refresh"} <= set(response.data)
        assert response.data["user"]["email"] == ACTIVE
        assert response.data["user"]["id"] == str(active_user.pk)
        assert active_user.events.filter(kind="signed_in").exists()

    def test_refuses_a_wrong_code(self, api_client, valid_otp):  # promise 1.10, 1.15
        sent = {"email": ACTIVE, "code": wrong(valid_otp[1])}
        response = api_client.post(reverse("otp-verify-otp"), sent, format="json")

        assert response.status_code == 400
        assert response.data["error"] == "Invalid email or OTP code"
        assert SecurityEvent.objects.filter(kind="code_wrong").exists()

    def test_refuses_an_old_code(self, api_client, valid_otp):  # promise 1.10, 1.11
        time_passes(minutes=10, seconds=1)
        sent = {"email": ACTIVE, "code": valid_otp[1]}
        response = api_client.post(reverse("otp-verify-otp"), sent, format="json")

        assert response.status_code == 400
        assert response.data["error"] == "OTP code has expired"

    def test_refuses_a_used_code(self, api_client, valid_otp):  # promise 1.11
        sent = {"email": ACTIVE, "code": valid_otp[1]}
        first = api_client.post(reverse("otp-verify-otp"), sent, format="json")
        second = api_client.post(reverse("otp-verify-otp"), sent, format="json")

        assert (first.status_code, second.status_code) == (200, 400)


class TestJourney:
    """One from the beginning to the end."""

    def test_registers_verifies_and_signs_in_with_a_code(self, api_client):
        api_client.post(reverse("register"), BODY, format="json")
        token = Postbox().link(NEW).partition("token=")[2]
        api_client.get(reverse("verify-email"), {"token": token})
        time_passes(seconds=61)

        api_client.post(reverse("otp-request-otp"), {"email": NEW}, format="json")
        sent = {"email": NEW, "code": Postbox().code(NEW)}
        response = api_client.post(reverse("otp-verify-otp"), sent, format="json")

        assert response.status_code == 200
        access = {"Authorization": f"Bearer {response.data['access']}"}
        assert api_client.get("/api/auth/me/", headers=access).data["email"] == NEW


class TestPerformance:
    """Two of the work behind it."""

    def test_a_code_is_sent_within_five_seconds(self, api_client, active_user):
        begun = time.monotonic()
        api_client.post(reverse("otp-request-otp"), {"email": ACTIVE}, format="json")
        sweep()

        assert time.monotonic() - begun < 5
        assert OutboxMessage.objects.get().status == "sent"

    def test_a_message_about_nobody_any_more_raises_nothing(self, api_client, active_user):
        api_client.post(reverse("otp-request-otp"), {"email": ACTIVE}, format="json")
        active_user.delete()

        sweep()

        assert delivery
        assert not OutboxMessage.objects.filter(status="queued").exists()


# promise 1.28
class TestPassword:
    """What was there already, but for the second factor of an app."""

    def test_signs_in_with_a_password(self, api_client, active_user):
        sent = {"email": ACTIVE, "password": PASSWORD}
        response = api_client.post("/api/auth/login/", sent, format="json")

        assert response.status_code == 200
        assert response.data["user"]["role"] == "client"

    def test_lets_nobody_in_whose_account_is_closed(self, api_client, inactive_user):
        sent = {"email": inactive_user.email, "password": PASSWORD}
        response = api_client.post("/api/auth/login/", sent, format="json")

        assert response.status_code == 401


# promise 1.2, 1.12
@pytest.mark.parametrize(
    ("name", "limit", "path", "sent"),
    [
        ("REGISTER_PER_IP", "3/h", "register", BODY),
        ("CODES_PER_IP", "3/10m", "otp-request-otp", {"email": NEW}),
        ("CODES_PER_IP", "3/10m", "otp-verify-otp", {"email": NEW, "code": "123456"}),
    ],
)
def test_the_rates_of_the_design_can_be_set(api_client, monkeypatch, name, limit, path, sent):
    from ratelimits.rates import parse_rates  # noqa: PLC0415

    monkeypatch.setattr(f"accounts.conf.{name}", parse_rates(limit))

    told = [
        api_client.post(reverse(path), {**sent, "email": f"{n}@example.com"}, format="json")
        for n in range(4)
    ]

    assert [each.status_code == 429 for each in told] == [False, False, False, True]
    assert told[3].data["code"] == "too_often"
    assert int(told[3]["Retry-After"]) > 0
