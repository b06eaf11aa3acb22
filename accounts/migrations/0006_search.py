from django.db import migrations

# Emails, numbers and usernames have an index for prefixes already: PostgreSQL gets one with every unique text.
# The lists of staff, in their own order; what hardly ever occurs is found without reading the others.
INDEXES = {
    "user_name_prefix": "accounts_user (UPPER(name) text_pattern_ops)",
    "user_newest": "accounts_user (date_joined DESC, id DESC)",
    "user_closed": "accounts_user (date_joined DESC, id DESC) WHERE NOT is_active",
    "user_staff": "accounts_user (date_joined DESC, id DESC) WHERE is_staff",
    "user_unproven": "accounts_user (date_joined DESC, id DESC) WHERE email IS NULL AND phone IS NULL",
    "challenge_by_purpose": "accounts_challenge (purpose, created_at DESC, id DESC)",
    "challenge_tried_out": (
        "accounts_challenge (created_at DESC, id DESC) "
        "WHERE proved_at IS NULL AND closed_at IS NULL AND tries_left = 0 AND purpose <> 'not_me'"
    ),
    "event_by_kind": "accounts_securityevent (kind, at DESC, id DESC)",
}


def add(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name, where in INDEXES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON {where}")


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX {name}")


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0005_tallies"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("support_user", "May help a user: recovery, sessions, locks"),
                    ("deactivate_user", "May deactivate and reactivate a user"),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.RunPython(add, remove),
    ]
