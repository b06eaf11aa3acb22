"""Django's ORM on an event loop without threads: PostgreSQL, psycopg 3 and greenlets. docs/asyncdb.md explains it."""

from asyncdb.bridge import in_lane
from asyncdb.pool import PoolFull, close, is_native, run
from asyncdb.threads import ThreadsFull, in_thread, thread_reserved

__all__ = [
    "PoolFull",
    "ThreadsFull",
    "close",
    "in_lane",
    "in_thread",
    "is_native",
    "run",
    "thread_reserved",
]
