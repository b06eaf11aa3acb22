"""The table of the sign-up dashboard, and its index that PostgreSQL alone has."""

from django.db import migrations, models

# The days of the dashboard, so that a period of them is read from the index alone.
ROLLUP_DAYS = """
CREATE INDEX signup_rollup_days ON backoffice_signuprollup (starts_at)
    INCLUDE (measure, channel, country, client, provider_id, detail, count)
    WHERE granularity = 'day'
"""


def add_to_postgresql(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(ROLLUP_DAYS, params=None)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='SignupRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('granularity', models.CharField(choices=[('hour', 'hour'), ('day', 'day')], max_length=4, verbose_name='for each')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('measure', models.CharField(choices=[('identified', 'identified'), ('handed', 'message handed over'), ('delivered', 'delivered'), ('verified', 'verified'), ('completed', 'completed'), ('sign_ups', 'sign-ups'), ('handover', 'time to hand-over'), ('verifying', 'time to verify'), ('messages', 'messages'), ('refused', 'refusals'), ('counted', 'counted')], max_length=12, verbose_name='measure')),
                ('channel', models.CharField(blank=True, choices=[('email', 'email'), ('sms', 'text message')], max_length=8, verbose_name='channel')),
                ('country', models.CharField(blank=True, max_length=2, verbose_name='country')),
                ('client', models.CharField(blank=True, choices=[('page', 'pages'), ('v1', 'API v1'), ('auth', 'API auth'), ('v2', 'API v2')], max_length=8, verbose_name='client')),
                ('provider_id', models.CharField(blank=True, max_length=40, verbose_name='provider')),
                ('detail', models.CharField(blank=True, max_length=40, verbose_name='detail')),
                ('count', models.PositiveIntegerField(verbose_name='count')),
            ],
            options={
                'verbose_name': 'sign-up number',
                'verbose_name_plural': 'sign-up dashboard',
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('granularity', 'starts_at', 'measure', 'channel', 'country', 'client', 'provider_id', 'detail'), name='signup_rollup_once')],
            },
        ),
        migrations.RunPython(add_to_postgresql, migrations.RunPython.noop),
    ]
