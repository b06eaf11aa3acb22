"""The papers for whoever writes a client, made from what is read and answered: docs/ has what these functions make."""

from pathlib import Path

from api.papers import checklist, integration, reference

PAPERS = {
    "API_AUTH.md": reference.make,
    "FRONTEND_INTEGRATION.md": integration.make,
    "SECURITY_CHECKLIST.md": checklist.make,
}


def write(folder: Path) -> list[Path]:
    """Write the papers that are not as they are to be, and return which."""
    stale = find_stale(folder)
    for path in stale:
        path.write_text(PAPERS[path.name]())
    return stale


def find_stale(folder: Path) -> list[Path]:
    """The papers in `folder` that differ from what is true now."""
    return [
        folder / name
        for name, make in PAPERS.items()
        if not (folder / name).exists() or (folder / name).read_text() != make()
    ]
