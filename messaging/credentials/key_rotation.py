"""Every provider's credentials under the first of VAULT_KEYS, also while the site runs (ADM-05)."""

from uuid import UUID

from messaging.credentials import vault
from messaging.models import Provider


def rotate() -> tuple[int, list[str]]:
    """Seal anew what is not under the first key yet: how many secrets were, and the rows with one that no key opens."""
    rows = Provider.objects.exclude(sealed={}).order_by("name").values_list("pk", flat=True)
    passed = [_renew(pk) for pk in rows]
    return sum(count for count, _shut in passed), [name for _count, name in passed if name]


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
    """Write only over what was read: whatever staff save meanwhile stands, and is looked at again."""
    return Provider.objects.filter(pk=row.pk, sealed=row.sealed).update(sealed=sealed) == 1
