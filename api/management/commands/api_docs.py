"""Write the papers of the API into docs/ from what it reads and answers: manage.py api_docs [--check]"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from api import papers


class Command(BaseCommand):
    """Says which papers it wrote."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Write, or only look."""
        parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        """Write what is stale."""
        folder = settings.BASE_DIR / "docs"
        if check:
            stale = papers.find_stale(folder)
            if stale:
                names = ", ".join(path.name for path in stale)
                raise CommandError(f"Stale: {names}. Write them with manage.py api_docs.")
            return
        for path in papers.write(folder):
            self.stdout.write(f"Wrote docs/{path.name}")
