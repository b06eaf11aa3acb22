"""A database in trouble: which of its failures are nobody's mistake, and what can be done without (AVL-01)."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error, InterfaceError, OperationalError

logger = logging.getLogger(__name__)

# Of PostgreSQL: the connection failed, read-only, connections or the disk used up, a lock or a statement that took too
# long, a shutdown, the system. Everything else, a deadlock too, is told as an error.
SQLSTATES = ("08", "25006", "53", "55P03", "57", "58")
SQLITE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
# The lower byte; the upper ones tell more.
PRIMARY_CODE = 0xFF


def is_outage(error: BaseException | None) -> bool:
    """Whether `error` says that the database is in trouble, so that the same may work in a moment."""
    if not isinstance(error, Error):
        return False
    if sqlstate := get_sqlstate(error):
        return sqlstate.startswith(SQLSTATES)
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    if code is not None:
        return code & PRIMARY_CODE in SQLITE_CODES
    # A connection that cannot be made, or has broken, has no code.
    return isinstance(error, OperationalError | InterfaceError)


def get_sqlstate(error: BaseException | None) -> str:
    """The code that PostgreSQL gave the failure, or ""."""
    return getattr(getattr(error, "__cause__", None), "sqlstate", None) or ""


@contextmanager
def left_out_in_outage(what: str) -> Iterator[None]:
    """Do without the block if the database is in trouble: a courtesy takes no answer along. Raises other errors."""
    try:
        yield
    except Error as error:
        if not is_outage(error):
            raise
        fields = {"error": type(error).__name__, "sqlstate": get_sqlstate(error)}
        logger.warning("left out: %s", what, extra={"fields": fields})
