"""The one table of periodic jobs."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Job',
            fields=[
                ('name', models.CharField(max_length=60, primary_key=True, serialize=False, verbose_name='name')),
                ('is_paused', models.BooleanField(default=False, verbose_name='paused')),
                ('wanted_at', models.DateTimeField(null=True, verbose_name='wanted')),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='next run')),
                ('run_id', models.UUIDField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('began_at', models.DateTimeField(null=True, verbose_name='last run')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('took', models.DurationField(null=True, verbose_name='took')),
                ('result', models.CharField(blank=True, choices=[('succeeded', 'succeeded'), ('failed', 'failed')], max_length=12, verbose_name='result')),
                ('succeeded_at', models.DateTimeField(null=True, verbose_name='last success')),
                ('failures', models.PositiveIntegerField(default=0, verbose_name='failures in a row')),
                ('failed_at', models.DateTimeField(null=True, verbose_name='last failure')),
                ('error', models.CharField(blank=True, max_length=80, verbose_name='last error')),
            ],
            options={
                'verbose_name': 'periodic job',
                'verbose_name_plural': 'periodic jobs',
                'default_permissions': ('view', 'change'),
            },
        ),
    ]
