"""A hasher that counts what it computes: work that a stranger could measure."""

from django.contrib.auth.hashers import MD5PasswordHasher


class Counted(MD5PasswordHasher):
    """Counts what it computes."""

    computed = 0

    def encode(self, password, salt):
        """Compute one."""
        Counted.computed += 1
        return super().encode(password, salt)
