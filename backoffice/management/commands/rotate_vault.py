"""Seal every provider's credentials under the first of VAULT_KEYS, also while the site runs: manage.py rotate_vault"""

from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from accounts.sessions.client import ClientInfo
from messaging import alerts
from messaging.credentials import key_rotation, vault


class Command(BaseCommand):
    """Re-seals what is not under the first key yet. Run it again at will; then the older keys can go."""

    help = __doc__

    def handle(self, *args: object, **options: object) -> None:
        """Go through all rows, say how many were sealed anew and let staff know; exits with 1 when some stay shut."""
        if not vault.can_seal():
            raise CommandError("VAULT_KEYS holds no usable key.")
        renewed, shut = key_rotation.rotate()
        if renewed:
            # Whoever did not expect it should hear of it (LOG-01, LOG-06).
            audit.record("keys_rotated", client=ClientInfo())
            alerts.trigger("keys_rotated")
        self.stdout.write(f"{renewed} sealed anew")
        if shut:
            raise CommandError(f"No key of VAULT_KEYS opens all credentials of: {', '.join(shut)}")
