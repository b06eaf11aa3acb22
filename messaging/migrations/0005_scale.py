from django.db import migrations

# The filters of the list of messages, each in the list's own order: a status, provider or letter that hardly ever
# occurs is found without reading the others.
INDEXES = {
    "outbox_by_status": "(status, created_at DESC, id DESC)",
    "outbox_by_provider": "(provider, created_at DESC, id DESC)",
    "outbox_by_letter": "(letter, created_at DESC, id DESC)",
    # How each provider fared of late: from the index alone.
    "outbox_by_carrier": "(provider, settled_at) INCLUDE (status, id)",
}


def add(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name, columns in INDEXES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON messaging_outboxmessage {columns}")


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX {name}")


class Migration(migrations.Migration):

    dependencies = [
        ("messaging", "0004_alert"),
    ]

    operations = [migrations.RunPython(add, remove)]
