"""What the audit calls a recipient, on attempts, too: erasure finds those of nobody at a former address."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0010_links_by_text"),
    ]

    operations = [
        migrations.AddField(
            model_name="challenge",
            name="fingerprint",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=40),
        ),
        migrations.AddIndex(
            model_name="challenge",
            index=models.Index(
                condition=models.Q(("user__isnull", True)),
                fields=["fingerprint"],
                name="challenge_of_nobody",
            ),
        ),
    ]
