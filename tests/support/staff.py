"""Members of staff: made as whoever runs the site makes them, and at their door."""

import re

from django.core.management import call_command
from django.utils.timezone import now

from accounts import audit
from accounts.models import User
from backoffice.site import login_staff
from tests.support.people import Postbox, Shopper, in_session

ADMIN, LOGIN = "/admin/", "/admin/login/"
CODE, AGAIN = "/admin/login/code/", "/admin/login/code/again/"
SECRET = "a long staff secret"


class Member(Shopper):
    """A browser of staff: signed in is who sees the admin."""

    @property
    def is_signed_in(self):
        """Whether the admin opens."""
        return self.client.get(ADMIN).status_code == 200


def make_staff(name="boss", password=SECRET, **columns):
    """A member of staff who may do everything, with a verified email address."""
    address = f"{name}@staff.example"
    verified = {"email": address, "email_key": address, "email_verified_at": now()}
    return User.objects.create_superuser(name, password, **{**verified, **columns})


def hires(name, role="Support", password=SECRET):
    """A shopper becomes staff: a role, and a password on the word of whoever runs the site (ADM-04)."""
    call_command("staff_role", name, role)
    user = User.objects.get(username=name)
    user.set_password(password)
    user.save(update_fields=["password"])
    return user


def knock(client, name="boss", password=SECRET, **more):
    """The first step: name and password."""
    return client.post(LOGIN, {"username": name, "password": password, "next": ADMIN, **more})


def type_code(client, code, page=CODE, **more):
    """Open the page of a code and send its form, which names the attempt it is about."""
    named = re.search(r'name="attempt" value="([^"]+)"', client.get(page).content.decode())
    return client.post(page, {"code": code, "attempt": named[1] if named else ""}, **more)


def code_of(name="boss"):
    """The code in the newest message to this member of staff."""
    return Postbox().code(User.objects.get(username=name).contacts[0].address)


def let_in_staff(client, name="boss"):
    """Begin the session of a member of staff in this browser: no password, no code and no message."""
    user = User.objects.get(username=name)

    def sign_in(request):
        login_staff(request, user)
        to = user.contacts[0]
        audit.record("staff_signed_in", client=request.session.client, identifier=to, user=user)

    in_session(client, sign_in)


def sign_in_staff(client, name="boss", password=SECRET):
    """Both steps; returns the last answer, which is the form again if the password was refused."""
    answer = knock(client, name, password)
    if answer.headers.get("Location") != CODE:
        return answer
    return type_code(client, code_of(name))
