"""Seal every provider's credentials under the first of VAULT_KEYS, also while the site runs: manage.py rotate_vault"""

from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from messaging import vault
from messaging.models import Provider


class Command(BaseCommand):
    """Re-seals what is not under the first key yet. Run it again at will; then the older keys can go."""

    help = __doc__

    def handle(self, *args: object, **options: object) -> None:
        """Go through all rows and say how many were sealed anew; exits with 1 when some cannot be opened."""
        if not vault.can_seal():
            raise CommandError("VAULT_KEYS holds no usable key.")
        rows = Provider.objects.exclude(sealed={}).order_by("name").values_list("pk", flat=True)
        passed = [_renew(pk) for pk in rows]
        renewed = sum(count for count, _shut in passed)
        self.stdout.write(f"{renewed} sealed anew")
        shut = [name for _count, name in passed if name]
        if shut:
            raise CommandError(f"No key of VAULT_KEYS opens all credentials of: {', '.join(shut)}")


def _renew(pk: UUID) -> tuple[int, str]:
    """How many secrets of a row were sealed anew, and the row's name if one could not be opened."""
    while row := Provider.objects.filter(pk=pk).first():
        fresh = {field: _renewed(row, field) for field in row.sealed}
        sealed = {field: fresh[field] or old for field, old in row.sealed.items()}
        count = sum(sealed[field] != old for field, old in row.sealed.items())
        if not count or _replace(row, sealed):
            return count, "" if all(fresh.values()) else row.name
    return 0, ""


def _renewed(row: Provider, field: str) -> str | None:
    try:
        return vault.renew(row.sealed[field], row=row.pk, field=field)
    except vault.Locked:
        return None


def _replace(row: Provider, sealed: dict[str, str]) -> bool:
    """Write only over what was read: whatever staff save meanwhile stands, and is looked at again (ADM-05)."""
    return Provider.objects.filter(pk=row.pk, sealed=row.sealed).update(sealed=sealed) == 1
