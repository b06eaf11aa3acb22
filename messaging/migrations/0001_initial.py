"""All tables of messaging, and the indexes that PostgreSQL alone has."""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models

# The filters of the list of messages, each in the list's own order: a status, provider or template that hardly ever
# occurs is found without reading the others.
INDEXES = {
    "outbox_by_status": "(status, created_at DESC, id DESC)",
    "outbox_by_provider": "(provider_id, created_at DESC, id DESC)",
    "outbox_by_template": "(template, created_at DESC, id DESC)",
    # How each provider fared of late: from the index alone.
    "outbox_by_outcome": "(provider_id, settled_at) INCLUDE (status, id)",
}


# Whoever settles a message says which row it was about, in the same statement: to programs that wait for its delivery.
NOTIFY = """
CREATE FUNCTION storefront_outbox_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox_settled', NEW.about_id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER outbox_settled AFTER UPDATE OF status ON messaging_outboxmessage FOR EACH ROW
WHEN (NEW.status IS DISTINCT FROM OLD.status AND NEW.status NOT IN ('queued', 'sending'))
EXECUTE FUNCTION storefront_outbox_settled()
"""


def add_to_postgresql(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name, columns in INDEXES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON messaging_outboxmessage {columns}")
        schema_editor.execute(NOTIFY)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Breaker',
            fields=[
                ('provider_id', models.UUIDField(primary_key=True, serialize=False, verbose_name='provider')),
                ('failures', models.PositiveIntegerField(default=0, verbose_name='failures in a row')),
                ('failing_since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='since')),
                ('open_until', models.DateTimeField(null=True, verbose_name='not tried until')),
            ],
            options={
                'verbose_name': 'circuit breaker',
                'verbose_name_plural': 'circuit breakers',
            },
        ),
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('name', models.CharField(choices=[('email', 'email'), ('sms', 'text message')], max_length=8, primary_key=True, serialize=False, verbose_name='channel')),
                ('is_open', models.BooleanField(default=True, verbose_name='in use')),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='switched')),
            ],
            options={
                'verbose_name': 'channel',
                'verbose_name_plural': 'channels',
            },
        ),
        migrations.CreateModel(
            name='Provider',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=40, unique=True, verbose_name='name')),
                ('kind', models.CharField(max_length=20, verbose_name='kind')),
                ('channel', models.CharField(choices=[('email', 'email'), ('sms', 'text message')], max_length=8, verbose_name='channel')),
                ('is_active', models.BooleanField(default=True, verbose_name='in use')),
                ('rank', models.PositiveSmallIntegerField(default=1, help_text='The lowest is tried first, the others when it fails.', verbose_name='rank')),
                ('weight', models.PositiveSmallIntegerField(default=1, help_text='Among providers of one rank: its share of the messages. 0: only when the others fail.', verbose_name='weight')),
                ('options', models.JSONField(default=dict, verbose_name='settings')),
                ('sealed', models.JSONField(default=dict, editable=False)),
                ('readiness', models.CharField(choices=[('untested', 'untested'), ('tested', 'tested'), ('waived', 'in use without a test')], default='untested', editable=False, max_length=8, verbose_name='readiness')),
            ],
            options={
                'verbose_name': 'provider',
                'verbose_name_plural': 'providers',
                'ordering': ['channel', 'rank', 'name'],
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40, verbose_name='what')),
                ('about', models.CharField(blank=True, max_length=80, verbose_name='about')),
                ('times', models.PositiveIntegerField(default=0, verbose_name='times')),
                ('first_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='first')),
                ('last_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='last')),
                ('logged_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name': 'alert',
                'verbose_name_plural': 'alerts',
                'constraints': [models.UniqueConstraint(fields=('kind', 'about'), name='alert_once')],
            },
        ),
        migrations.CreateModel(
            name='OutboxMessage',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('template', models.CharField(max_length=40, verbose_name='template')),
                ('about_id', models.UUIDField()),
                ('part', models.CharField(blank=True, max_length=40)),
                ('channel', models.CharField(choices=[('email', 'email'), ('sms', 'text message')], max_length=8, verbose_name='channel')),
                ('address', models.CharField(max_length=254)),
                ('status', models.CharField(choices=[('queued', 'queued'), ('sending', 'sending'), ('sent', 'handed over'), ('delivered', 'delivered'), ('bounced', 'bounced'), ('complained', 'reported as spam'), ('failed', 'failed'), ('expired', 'expired'), ('cancelled', 'no longer wanted')], default='queued', max_length=12, verbose_name='status')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='tries')),
                ('provider_id', models.UUIDField(null=True, verbose_name='provider')),
                ('provider_ref', models.CharField(blank=True, max_length=200, verbose_name="provider's id")),
                ('error', models.CharField(blank=True, max_length=120, verbose_name='last error')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='queued at')),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='next try')),
                ('lease_until', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(verbose_name='worth sending until')),
                ('settled_at', models.DateTimeField(null=True, verbose_name='settled at')),
            ],
            options={
                'verbose_name': 'message',
                'verbose_name_plural': 'messages',
                'indexes': [models.Index(condition=models.Q(('status__in', ['queued', 'sending'])), fields=['due_at'], name='outbox_unsettled'), models.Index(fields=['-created_at'], name='messaging_o_created_c727f0_idx'), models.Index(fields=['address'], name='messaging_o_address_e1540c_idx'), models.Index(fields=['about_id'], name='messaging_o_about_i_973383_idx'), models.Index(condition=models.Q(('provider_ref', ''), _negated=True), fields=['provider_ref'], name='outbox_provider_ref'), models.Index(fields=['settled_at'], name='messaging_o_settled_3e530e_idx')],
            },
        ),
        migrations.CreateModel(
            name='Receipt',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('provider_id', models.UUIDField(verbose_name='provider')),
                ('status', models.CharField(choices=[('queued', 'queued'), ('sending', 'sending'), ('sent', 'handed over'), ('delivered', 'delivered'), ('bounced', 'bounced'), ('complained', 'reported as spam'), ('failed', 'failed'), ('expired', 'expired'), ('cancelled', 'no longer wanted')], max_length=12, verbose_name='status')),
                ('detail', models.CharField(blank=True, max_length=120, verbose_name='reason')),
                ('at', models.DateTimeField(verbose_name='happened at')),
                ('received_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='received at')),
                ('message', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='receipts', to='messaging.outboxmessage')),
            ],
            options={
                'verbose_name': 'receipt',
                'verbose_name_plural': 'receipts',
            },
        ),
        migrations.RunPython(add_to_postgresql, migrations.RunPython.noop),
    ]
