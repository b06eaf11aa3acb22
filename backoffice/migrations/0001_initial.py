"""The table of the sign-up board, and its index that PostgreSQL alone has."""

from django.db import migrations, models

# The days of the board, so that a span of them is read from the index alone.
TALLY_DAYS = """
CREATE INDEX tally_days ON backoffice_tally (at) INCLUDE (what, channel, country, provider_id, detail, number)
    WHERE span = 'day'
"""


def add_to_postgresql(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TALLY_DAYS, params=None)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('span', models.CharField(choices=[('hour', 'hour'), ('day', 'day')], max_length=4, verbose_name='for each')),
                ('at', models.DateTimeField(verbose_name='from')),
                ('what', models.CharField(choices=[('identified', 'identified'), ('handed', 'message handed over'), ('delivered', 'delivered'), ('verified', 'verified'), ('completed', 'completed'), ('sign_ups', 'sign-ups'), ('handover', 'time to hand-over'), ('proof', 'time to verify'), ('messages', 'messages'), ('refused', 'refusals'), ('counted', 'counted')], max_length=12, verbose_name='what')),
                ('channel', models.CharField(blank=True, choices=[('email', 'email'), ('sms', 'text message')], max_length=8, verbose_name='channel')),
                ('country', models.CharField(blank=True, max_length=2, verbose_name='country')),
                ('provider_id', models.CharField(blank=True, max_length=40, verbose_name='provider')),
                ('detail', models.CharField(blank=True, max_length=40, verbose_name='detail')),
                ('number', models.PositiveIntegerField(verbose_name='number')),
            ],
            options={
                'verbose_name': 'sign-up number',
                'verbose_name_plural': 'sign-up board',
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('span', 'at', 'what', 'channel', 'country', 'provider_id', 'detail'), name='tally_once')],
            },
        ),
        migrations.RunPython(add_to_postgresql, migrations.RunPython.noop),
    ]
