"""The backend of the web, which waits on the event loop in the process of the API (docs/asyncdb.md).

What is of the web, its time-outs and how it hangs up on silence, is asked first; asyncdb is how it waits.
"""

from types import SimpleNamespace

import psycopg

from asyncdb.postgresql import base as native
from asyncdb.postgresql import connection as lanes
from storefront.web_postgresql import base as web


class Connection(web.Connection, lanes.Connection):
    """A connection with the time-outs of the web."""


class DatabaseWrapper(web.DatabaseWrapper, native.DatabaseWrapper):
    """As the web has it."""

    Database = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})
