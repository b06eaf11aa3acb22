"""The store of sessions in rows of our own: they work without Redis and end one by one."""

import re
import secrets
from datetime import timedelta

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.core import signing
from django.db.models.functions import Now

from accounts import conf
from accounts.models import Challenge, Client, Session
from accounts.models.sessions import session_end
from accounts.sessions.client import ClientInfo
from accounts.sessions.prepared import Compiled

# The session key whose value, the id of a challenge, is also a column: one statement reads both.
CHALLENGE_KEY = "challenge"
# What was typed in each journey in progress, by the id of its challenge, the newest last.
PENDING_KEY = "pending"

# How somebody authenticated, beside EMAIL and PHONE.
PASSWORD = "password"  # noqa: S105  the word, not one
# What the session of somebody who came through the door of the staff pages has where Django keeps the name of a
# backend, as those of shoppers do. It is the name of none: nothing that Django could load lets staff in (ADM-04).
STAFF_BACKEND = "password and code of the staff pages"

# How much later the second of two clicks may come.
MOMENT = timedelta(minutes=1)

OUR_KEY = re.compile(r"[0-9a-f]{40}")


BY_KEY = Compiled(
    lambda key: (
        Session.objects.filter(session_key=key)  # type: ignore[no-redef]
        # No cookie opens what an app holds.
        .filter(client=Client.BROWSER, expire_date__gt=Now())
        .select_related("user", "challenge")
        .annotate(read_at=Now())
    )
)


class SessionStore(DatabaseStore):
    """Django's database store with our row, one statement for each change, and times judged by the database."""

    row: Session | None = None
    # What this request has begun, which its row may not point at yet.
    begun: Challenge | None = None
    client = ClientInfo()
    ended = False
    # Set at the moments when somebody authenticates, by what, and read when the row is written.
    reauthenticated_by = ""
    staff = signed_in = False
    # A new value for the cookie that names the accounts this browser has signed in to; "" leaves it alone.
    trusted_browsers_cookie = ""
    # Whether the row was written: what is left to do is the cookie.
    is_written = False
    _former_key: str | None = None
    # The key of the cookie, where no session has it.
    _lost_key: str | None = None

    @classmethod
    def get_model_class(cls):
        return Session

    def _validate_session_key(self, key):
        """Only keys of our own shape reach the database; a cookie may hold anything (IDN-08)."""
        return bool(key) and OUR_KEY.fullmatch(key) is not None

    def load(self):
        """Read the session with its user and challenge; a row that is too old or gone reads as empty."""
        self.read_row()
        if self.row is None:
            self._lost_key, self._session_key = self.session_key, None
            return {}
        self.staff = bool(self.row.user and self.row.user.is_staff)
        return self.decode(self.row.session_data)

    def read_row(self):
        """Read the row with its user and challenge; what the session holds stays as it is."""
        self.row = BY_KEY.first(self.session_key or "")
        if self.row and self.row.challenge:
            # Of the same statement.
            self.row.challenge.read_at = self.row.read_at

    def encode(self, session_dict):
        """Sign what the row holds. It is a few hundred bytes, which Django would compress for longer than it saves."""
        return signing.dumps(session_dict, salt=self.key_salt, serializer=self.serializer)

    def create(self):
        """Insert the row. The key has 160 random bits and is the primary key: no look-up first."""
        self._session_key = secrets.token_hex(20)
        self.save(must_create=True)
        self.modified = True

    def cycle_key(self):
        """Take a new key; the next save renames the row, and whoever held the old key holds nothing (SES-01)."""
        if self.session_key:
            self._session  # type: ignore[attr-defined]  # noqa: B018  read what is kept before the key changes
            self._former_key = self.session_key
            self._session_key = secrets.token_hex(20)
            self.modified = True

    def has_moved(self):
        """Whether another request with the same cookie has signed in a moment ago, and has the session now."""
        self._session  # type: ignore[attr-defined]  # noqa: B018  read it first
        moved = Session.objects.filter(former_key=self._lost_key, user__isnull=False)
        return bool(self._lost_key) and moved.filter(created_at__gt=Now() - MOMENT).exists()

    def flush(self):
        """End the session: the row goes now, the cookie with the answer."""
        super().flush()
        self.row, self.ended = None, True

    def save(self, must_create=False):
        """Write the row in one statement. Raises UpdateError when somebody ended or renamed it meanwhile."""
        if self.session_key is None:
            return self.create()
        values = self._values(self._get_session(no_load=must_create))  # type: ignore[attr-defined]
        if must_create:
            Session(session_key=self.session_key, **values).save(force_insert=True)
            return None
        former, self._former_key = self._former_key or self.session_key, None
        if former != self.session_key:
            moved = {"session_key": self.session_key, "former_key": former, "created_at": Now()}
            values |= moved
        if values["user_id"] and not self.signed_in:
            values["expire_date"] = session_end(staff=self.staff)
        if not Session.objects.filter(session_key=former).update(**values):
            raise UpdateError
        return None

    def write(self):
        """Write the row, where it matters in the transaction that proves who is there: both stand or fall (SES-13).

        Of two sign-ins with one anonymous session the other one may have taken its row: this one gets a new one. Where
        somebody ended or renamed the session meanwhile, nothing is written, and the answer sets no cookie (COD-11).
        """
        try:
            self.save()
        except UpdateError:
            if not self.signed_in:
                self.modified = False
                return
            self.create()
        self.modified, self.is_written = False, True

    def _values(self, data):
        user_id = data.get(SESSION_KEY)
        idle = conf.STAFF_SESSION_IDLE if self.staff else conf.SESSION_IDLE
        times = {}
        if self.reauthenticated_by:
            times = {"reauthenticated_at": Now(), "reauthenticated_by": self.reauthenticated_by}
        times |= {"signed_in_at": Now()} if self.signed_in else {}
        return times | {
            "session_data": self.encode(data),
            "user_id": user_id,
            "challenge_id": data.get(CHALLENGE_KEY),
            "other_challenges": _other_challenges(data),
            "ip": self.client.ip,
            "agent": self.client.agent,
            "last_used_at": Now(),
            "expire_date": Now() + (idle if user_id else conf.LINK_TTL),
        }


def _other_challenges(data):
    """The ids of the challenges that no column of their own points at: whoever erases one must find what was typed."""
    return " ".join(pk for pk in data.get(PENDING_KEY, {}) if pk != data.get(CHALLENGE_KEY))
