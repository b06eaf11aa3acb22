"""Which country a number was of, for the board; rows may forget that, too."""

from importlib import import_module

from django.db import migrations, models

about = import_module("accounts.migrations.0007_about")

FORGETS = about.GUARD.format(
    column=", 'about', 'country'",
    condition="AND (NEW.about = '' OR NEW.about = OLD.about) AND (NEW.country = '' OR NEW.country = OLD.country)",
)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0007_about"),
    ]

    operations = [
        migrations.AddField(
            model_name="securityevent",
            name="country",
            field=models.CharField(blank=True, db_default="", max_length=2, verbose_name="country"),
        ),
        migrations.RunPython(about.on_postgresql(FORGETS), about.on_postgresql(about.FORGETS)),
    ]
