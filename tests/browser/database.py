"""The rows of the site that is driven, for what no page does: time that passes, a receipt, a member of staff."""

import sqlite3


class Database:
    """The SQLite file of a site of our own."""

    def __init__(self, path):
        self._path = path

    def becomes(self, status, to):
        """Write what became of every message to `to`, as a worker or a receipt would."""
        self._write("UPDATE messaging_outboxmessage SET status = ? WHERE address = ?", status, to)

    def ages(self, seconds, to):
        """Let the code sent to `to` have left so much earlier."""
        self._write(
            "UPDATE accounts_challenge SET sent_at = strftime('%Y-%m-%d %H:%M:%f', sent_at, ?) WHERE address = ?",
            f"-{seconds} seconds",
            to,
        )

    def forgets_reauthentication(self, who):
        """Let nobody have said lately who they are in a browser of this shopper's."""
        self._write(
            "UPDATE accounts_session SET reauthenticated_at = NULL"
            " WHERE user_id = (SELECT id FROM accounts_user WHERE email = ?)",
            who,
        )

    def promotes(self, who, username):
        """Make a shopper a member of staff who may do everything."""
        self._write(
            "UPDATE accounts_user SET is_staff = 1, is_superuser = 1, username = ? WHERE email = ?",
            username,
            who,
        )

    def bounces(self, to, why="550 mailbox unavailable"):
        """Let every message to `to` have come back, with what the provider said."""
        self.becomes("bounced", to)
        self._write(
            "INSERT INTO messaging_receipt (key, message_id, provider_id, status, detail, at, received_at)"
            " SELECT 'bounce ' || id, id, provider_id, 'bounced', ?, datetime('now'), datetime('now')"
            " FROM messaging_outboxmessage WHERE address = ?",
            why,
            to,
        )

    def sounds_an_alert(self, kind="many_codes_sent", about="so many"):
        """Let something be wrong."""
        self._write(
            "INSERT OR REPLACE INTO messaging_alert (kind, about, times, first_at, last_at, logged_at)"
            " VALUES (?, ?, 1, datetime('now'), datetime('now'), datetime('now'))",
            kind,
            about,
        )

    def _write(self, statement, *values):
        rows = sqlite3.connect(self._path, timeout=10)
        with rows:
            assert rows.execute(statement, values).rowcount
        rows.close()
