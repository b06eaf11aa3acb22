"""How a password is kept, and how many hashes are made at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import Argon2PasswordHasher

from accounts import conf

# Where requests are served, they have waited for their turn before (storefront/handler.py).
PATIENCE = 1.0
SLOTS = threading.BoundedSemaphore(conf.HASHES_AT_ONCE)


class HashersBusy(Exception):
    """As many hashes are made as this process may make at once, and none was done within a second (LIM-09)."""


class Argon2id(Argon2PasswordHasher):
    """Argon2id with OWASP's numbers: 19 MiB, so that a crowd of sign-ins does not eat the machine (PWD-05)."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """As Django has it, when there is a slot. Raises HashersBusy."""
        with _slot():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """The same."""
        with _slot():
            return super().verify(password, encoded)


@contextmanager
def _slot() -> Iterator[None]:
    if not SLOTS.acquire(timeout=PATIENCE):
        raise HashersBusy
    try:
        yield
    finally:
        SLOTS.release()
