"""What must hold after every race and every fault, whatever happened (security.md: I1 to I8)."""

from collections import Counter

# Each statement finds rows that must not exist.
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
    # Codes alone, which end after ten minutes; notices are sent as long as it takes.
    "I5 no code waits when it has ended": """
        SELECT id FROM messaging_outboxmessage
        WHERE template = 'code' AND status IN ('queued', 'sending') AND expires_at < CURRENT_TIMESTAMP""",
    "I7 nobody who was shut out is signed in": """
        SELECT session_key FROM accounts_session JOIN accounts_user ON user_id = id WHERE NOT is_active""",
    "I8 a signed-in session is one sign-in": """
        SELECT 1 WHERE (SELECT count(*) FROM accounts_session WHERE user_id IS NOT NULL)
            <> (SELECT count(*) FROM accounts_securityevent WHERE kind = 'signed_in')""",
    "an attempt ends once": """
        SELECT id FROM accounts_challenge WHERE verified_at IS NOT NULL AND cancelled_at IS NOT NULL""",
}
SENT = "SELECT id FROM messaging_outboxmessage WHERE status = 'sent' AND channel = 'email'"
SESSIONS = "SELECT session_key FROM accounts_session WHERE user_id IS NOT NULL"


def violated(fetch, *, leave_out=()):
    """The names of those that do not hold. `fetch` runs a statement and returns its rows.

    `leave_out` names some by their beginning: I3 holds where nobody signs in by password, I8 where nobody signs out.
    """
    asked = {name: sql for name, sql in INVARIANTS.items() if not name.startswith(tuple(leave_out))}
    return [name for name, statement in asked.items() if fetch(statement)]


def lost_messages(fetch, delivered):
    """I6: the messages that were sent, by what the outbox says, and are not among the ids that were `delivered`."""
    got = " ".join(delivered)
    return [str(pk) for (pk,) in fetch(SENT) if str(pk) not in got and pk.hex not in got]


def strange_sessions(fetch, keys):
    """I8, beside the browsers: signed-in sessions that no browser holds, or that two of them hold.

    `keys` are the session cookies of all browsers there are.
    """
    held = Counter(keys)
    return [key for (key,) in fetch(SESSIONS) if held[key] != 1]
