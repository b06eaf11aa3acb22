"""Seals all credentials under the first of VAULT_KEYS, also while the site runs (ADM-05)."""

from uuid import UUID

from messaging.credentials import vault
from messaging.models import Provider


def rotate() -> tuple[int, list[str]]:
    """Reseal what is not under the first key; returns how many secrets, and the names of rows that no key opens."""
    rows = Provider.objects.exclude(sealed={}).order_by("name").values_list("pk", flat=True)
    results = [_reseal_row(pk) for pk in rows]
    return sum(count for count, _name in results), [name for _count, name in results if name]


def _reseal_row(pk: UUID) -> tuple[int, str]:
    """Reseal one row; returns how many secrets, and the name of the row if one could not be opened."""
    while row := Provider.objects.filter(pk=pk).first():
        fresh = {field: _resealed(row, field) for field in row.sealed}
        sealed = {field: fresh[field] or old for field, old in row.sealed.items()}
        count = sum(sealed[field] != old for field, old in row.sealed.items())
        if not count or _replace(row, sealed):
            return count, "" if all(fresh.values()) else row.name
    return 0, ""


def _resealed(row: Provider, field: str) -> str | None:
    try:
        return vault.reseal(row.sealed[field], row=row.pk, field=field)
    except vault.Locked:
        return None


def _replace(row: Provider, sealed: dict[str, str]) -> bool:
    """Write only over what was read: whatever staff save meanwhile stands, and is looked at again."""
    return Provider.objects.filter(pk=row.pk, sealed=row.sealed).update(sealed=sealed) == 1
