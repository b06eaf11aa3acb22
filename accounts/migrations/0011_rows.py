"""Limits say when they are empty; replays, names of sessions and refusals are columns and rows."""

import accounts.sessions
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_links_by_text'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='bucket',
            name='used_at',
        ),
        migrations.AddField(
            model_name='bucket',
            name='expires_at',
            field=models.DateTimeField(db_index=True, default=django.utils.timezone.now, verbose_name='holds nobody up from'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='challenge',
            name='replays',
            field=models.PositiveSmallIntegerField(default=0, verbose_name='typed again after use'),
        ),
        migrations.AddField(
            model_name='session',
            name='name',
            field=models.CharField(default=accounts.sessions.new_name, editable=False, max_length=16, verbose_name='name'),
        ),
        migrations.CreateModel(
            name='RefusalCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField(verbose_name='minute')),
                ('kind', models.CharField(max_length=40, verbose_name='what')),
                ('channel', models.CharField(blank=True, max_length=8, verbose_name='channel')),
                ('country', models.CharField(blank=True, max_length=2, verbose_name='country')),
                ('number', models.PositiveIntegerField(verbose_name='number')),
            ],
            options={
                'verbose_name': 'count of refusals',
                'verbose_name_plural': 'counts of refusals',
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('minute', 'kind', 'channel', 'country'), name='refusals_counted_once')],
            },
        ),
    ]
