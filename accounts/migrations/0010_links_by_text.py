"""Links that staff send by text are found among what works at this moment, like those in emails."""

from importlib import import_module

from django.db import migrations

on_postgresql = import_module("accounts.migrations.0007_about").on_postgresql

LINKS = """
DROP INDEX IF EXISTS challenge_link_works;
CREATE INDEX challenge_link_works ON accounts_challenge (link_expires_at)
    WHERE proved_at IS NULL AND closed_at IS NULL
    AND (purpose = 'not_me' OR (kind = 'email' AND purpose = 'reset'){more});
"""
BY_TEXT_TOO = LINKS.format(more=" OR (purpose = 'reset' AND sends = 0)")
BY_EMAIL_ALONE = LINKS.format(more="")


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0009_never_emptied"),
    ]

    operations = [
        migrations.RunPython(on_postgresql(BY_TEXT_TOO), on_postgresql(BY_EMAIL_ALONE)),
    ]
