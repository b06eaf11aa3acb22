"""What leaves the event loop of the API's process for a while: hashes, and the look-up of breached passwords."""

from django.contrib.auth import hashers as django_hashers

import asyncdb
from accounts.password_policy import hashers, validators


class Argon2id(hashers.Argon2id):
    """The shop's hasher, in a thread."""

    def encode(self, password: str, salt: str) -> str:
        """As the shop has it. Raises HashersBusy."""
        return _hashed(super().encode, password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """The same."""
        return _hashed(super().verify, password, encoded)


class PBKDF2PasswordHasher(django_hashers.PBKDF2PasswordHasher):
    """Django's own, for hashes that were made before."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """As Django has it. Raises HashersBusy."""
        return _hashed(super().encode, password, salt, iterations)


class BreachedValidator(validators.BreachedValidator):
    """The look-up, in a thread. What is written of it is written on the loop."""

    def look_up(self, url):
        """As the shop has it; where no thread is free, nothing is known."""
        try:
            return asyncdb.in_thread(super().look_up, url)
        except asyncdb.ThreadsFull:
            return None


def _hashed(function, *args):
    try:
        return asyncdb.in_thread(function, *args)
    except asyncdb.ThreadsFull:
        raise hashers.HashersBusy from None
