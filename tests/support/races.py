"""Many at once: real threads, each with a connection of its own, and what must stand afterwards."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, connections

from accounts.errors import Refused
from tests.support.people import Shopper

# Rendering a hundred pages at once only warms the machine.
MOSTLY_JSON = ["page", "htmx", *["json"] * 18]

# Each statement finds rows that must not exist, whatever happened at once.
INVARIANTS = {
    "I1 a user has one verified registration and one event of it": """
        SELECT id FROM accounts_user person
        WHERE (SELECT count(*) FROM accounts_challenge WHERE purpose = 'register' AND verified_at IS NOT NULL
               AND recipient IN (person.email_key, person.phone)) <> 1
           OR (SELECT count(*) FROM accounts_securityevent
               WHERE kind = 'registered' AND user_id = person.id) <> 1""",
    "I1 a verified registration has a user": """
        SELECT id FROM accounts_challenge proof
        WHERE purpose = 'register' AND verified_at IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM accounts_user WHERE proof.recipient IN (email_key, phone))""",
    "I2 nobody has more tries than there are": """
        SELECT id FROM accounts_challenge WHERE tries_left < 0 OR tries_left > 5""",
    "I3 a used code is one success": """
        SELECT 1 WHERE (SELECT count(*) FROM accounts_challenge WHERE verified_at IS NOT NULL)
            <> (SELECT count(*) FROM accounts_securityevent WHERE kind IN ('signed_in', 'contact_added'))""",
    "I4 an email address is one person's": """
        SELECT email_key FROM accounts_user WHERE email_key IS NOT NULL GROUP BY email_key HAVING count(*) > 1""",
    "I4 a mobile number is one person's": """
        SELECT phone FROM accounts_user WHERE phone IS NOT NULL GROUP BY phone HAVING count(*) > 1""",
    "I7 nobody who was shut out is signed in": """
        SELECT session_key FROM accounts_session JOIN accounts_user ON user_id = id WHERE NOT is_active""",
    "I8 a signed-in session is one sign-in": """
        SELECT 1 WHERE (SELECT count(*) FROM accounts_session WHERE user_id IS NOT NULL)
            <> (SELECT count(*) FROM accounts_securityevent WHERE kind = 'signed_in')""",
    "an attempt ends once": """
        SELECT id FROM accounts_challenge WHERE verified_at IS NOT NULL AND cancelled_at IS NOT NULL""",
}


def at_once(*acts):
    """Do all of it at the same moment; returns what each came to, in order."""
    start = threading.Barrier(len(acts), timeout=30)

    def run(act):
        try:
            connection.ensure_connection()
            start.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [done.result() for done in [pool.submit(run, act) for act in acts]]


def refusal_of(act, *args, **kwargs):
    """What `act` was refused with, or None."""
    try:
        act(*args, **kwargs)
    except Refused as refusal:
        return type(refusal).__name__
    return None


def tabs(shopper, count, faces=MOSTLY_JSON, **client):
    """The same browser, `count` times: every tab has the cookies as they are now. `client` may say its address."""
    return [_tab(shopper, faces[number % len(faces)], **client) for number in range(count)]


def _tab(shopper, face, **client):
    tab = Shopper(face, **client)
    tab.link = shopper.link
    tab.client.cookies.load(
        {name: morsel.value for name, morsel in shopper.client.cookies.items() if morsel.value}
    )
    return _in_a_hurry(tab)


def crowd(count):
    """Strangers, each at home somewhere else."""
    return [_in_a_hurry(Shopper(ip=f"198.51.100.{number + 1}")) for number in range(count)]


def _in_a_hurry(shopper):
    """Let a crash be an answer, 500."""
    shopper.client.raise_request_exception = False
    return shopper


def statuses(responses):
    return {response.status_code for response in responses}


def assert_nothing_is_broken():
    with connection.cursor() as cursor:
        for name, statement in INVARIANTS.items():
            cursor.execute(statement)
            assert not cursor.fetchall(), name
