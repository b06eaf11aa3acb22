"""Bring in a new key for the tokens of apps, or take the oldest out: manage.py token_keys new | retire"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import conf
from api import tokens

DAY = 86400


class Command(BaseCommand):
    """Says what TOKEN_KEYS is to be, one restart after the other. It changes nothing: the environment is yours."""

    help = __doc__
    # Without a key the site does not start, and this makes one.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the step."""
        parser.add_argument("step", choices=["new", "retire"])

    def handle(self, *args: Any, step: str, **options: Any) -> None:
        """Write the value for each restart, and how long to wait before it."""
        kept: list[str] = settings.TOKEN_KEYS
        if step == "new":
            self._bring_in(kept)
        else:
            self._take_out(kept)

    def _bring_in(self, kept: list[str]) -> None:
        new = tokens.new_key()
        if not kept:
            self._say("The first key:", [new])
            return
        self._say(
            "1. Restart all processes with this, so that all verify with the new key:", [*kept, new]
        )
        self._say(
            "2. Ten minutes later restart them with this, so that the new key signs:", [new, *kept]
        )
        self.stdout.write("Then see: manage.py token_keys retire")

    def _take_out(self, kept: list[str]) -> None:
        if len(kept) < 2:  # noqa: PLR2004
            raise CommandError("There is no older key to take out.")
        days = int(conf.APP_SESSION_IDLE.total_seconds()) // DAY
        self._say(
            f"When the newest key has signed for {days} days (APP_SESSION_IDLE), restart all processes with this. "
            "Earlier, whoever has not used an app since then must sign in to it again:",
            kept[:-1],
        )

    def _say(self, when: str, keys: list[str]) -> None:
        self.stdout.write(f"{when}\n\nTOKEN_KEYS={','.join(keys)}\n")
