"""The one table of limits."""

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='Bucket',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=40, verbose_name='limit')),
                ('size', models.PositiveIntegerField(verbose_name='hits allowed')),
                ('period', models.PositiveIntegerField(verbose_name='in seconds')),
                ('hits', models.TextField(blank=True)),
                ('expires_at', models.DateTimeField(db_index=True, verbose_name='holds nobody up from')),
            ],
            options={
                'verbose_name': 'limit',
                'verbose_name_plural': 'limits',
            },
        ),
    ]
