"""All tables of accounts, and what PostgreSQL alone has: indexes of lists, and a trail that stands as it was written."""

import accounts.codes
import accounts.models.sessions
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import uuid
from django.conf import settings
from django.db import migrations, models

# Emails, numbers and usernames have an index for prefixes already: PostgreSQL gets one with every unique text.
# The lists of staff, in their own order; what hardly ever occurs is found without reading the others. And what works at
# this moment: a code, or a link.
INDEXES = {
    "user_name_prefix": "accounts_user (UPPER(name) text_pattern_ops)",
    "user_newest": "accounts_user (date_joined DESC, id DESC)",
    "user_closed": "accounts_user (date_joined DESC, id DESC) WHERE NOT is_active",
    "user_staff": "accounts_user (date_joined DESC, id DESC) WHERE is_staff",
    "user_unverified": "accounts_user (date_joined DESC, id DESC) WHERE email IS NULL AND phone IS NULL",
    "challenge_by_purpose": "accounts_challenge (purpose, created_at DESC, id DESC)",
    "challenge_tried_out": (
        "accounts_challenge (created_at DESC, id DESC) "
        "WHERE verified_at IS NULL AND cancelled_at IS NULL AND tries_left = 0 AND purpose <> 'not_me'"
    ),
    "challenge_code_works": (
        "accounts_challenge (expires_at) WHERE verified_at IS NULL AND cancelled_at IS NULL"
    ),
    "challenge_link_works": (
        "accounts_challenge (link_expires_at) WHERE verified_at IS NULL AND cancelled_at IS NULL "
        "AND (purpose = 'not_me' OR (kind = 'email' AND purpose = 'reset') OR (purpose = 'reset' AND sends = 0))"
    ),
    "event_by_kind": "accounts_securityevent (kind, at DESC, id DESC)",
    "event_by_identifier_kind": "accounts_securityevent (identifier_kind, at DESC, id DESC)",
}

# Rows may forget a person, and nothing else; old ones go through retention's own door (LOG-02). Tests empty whole
# databases: they have a door of their own, too.
STANDS = """
CREATE FUNCTION accounts_securityevent_stands() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    forgets CONSTANT text[] := ARRAY['user_id', 'ip', 'agent', 'about', 'country'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF current_setting('storefront.retention', true) = 'on' THEN
            RETURN OLD;
        END IF;
    ELSIF to_jsonb(NEW) - forgets = to_jsonb(OLD) - forgets
        AND (NEW.user_id IS NULL OR NEW.user_id IS NOT DISTINCT FROM OLD.user_id)
        AND (NEW.ip IS NULL OR NEW.ip IS NOT DISTINCT FROM OLD.ip)
        AND (NEW.agent = '' OR NEW.agent = OLD.agent)
        AND (NEW.about = '' OR NEW.about = OLD.about)
        AND (NEW.country = '' OR NEW.country = OLD.country) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a security event stands as it was written' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER accounts_securityevent_stands BEFORE UPDATE OR DELETE ON accounts_securityevent
    FOR EACH ROW EXECUTE FUNCTION accounts_securityevent_stands();
CREATE FUNCTION accounts_securityevent_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('storefront.emptying', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'a security event stands as it was written' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER accounts_securityevent_stays BEFORE TRUNCATE ON accounts_securityevent
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_securityevent_stays();
"""


def add_everywhere(apps, schema_editor):
    apps.get_model("accounts", "SmsCountry").objects.create(code="*")


def add_to_postgresql(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name, where in INDEXES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON {where}")
        schema_editor.execute(STANDS, params=None)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='SmsCountry',
            fields=[
                ('code', models.CharField(max_length=2, primary_key=True, serialize=False, verbose_name='country')),
                ('is_open', models.BooleanField(default=True, verbose_name='texts are sent')),
                ('reason', models.CharField(blank=True, max_length=80, verbose_name='closed because')),
                ('closed_until', models.DateTimeField(null=True, verbose_name='no sign-ups until')),
                ('sent', models.PositiveIntegerField(default=0, verbose_name='codes sent to sign-ups')),
                ('verified', models.PositiveIntegerField(default=0, verbose_name='codes that came back')),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='counted since')),
            ],
            options={
                'verbose_name': 'country',
                'verbose_name_plural': 'countries we text',
            },
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(blank=True, max_length=150, verbose_name='name')),
                ('username', models.CharField(blank=True, max_length=32, null=True, unique=True, verbose_name='username')),
                ('email', models.EmailField(blank=True, max_length=254, null=True, verbose_name='email address')),
                ('email_key', models.CharField(editable=False, max_length=254, null=True, unique=True)),
                ('email_verified_at', models.DateTimeField(editable=False, null=True, verbose_name='email confirmed')),
                ('phone', models.CharField(blank=True, max_length=16, null=True, unique=True, verbose_name='mobile number')),
                ('phone_verified_at', models.DateTimeField(editable=False, null=True, verbose_name='mobile number confirmed')),
                ('primary', models.CharField(choices=[('email', 'email'), ('phone', 'text message')], default='email', max_length=8, verbose_name='messages go to')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('is_staff', models.BooleanField(default=False, verbose_name='staff')),
                ('date_joined', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='joined')),
                ('completed_at', models.DateTimeField(editable=False, null=True, verbose_name='profile completed')),
                ('deletion_due_at', models.DateTimeField(editable=False, null=True, verbose_name='will be deleted')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'permissions': [('support_user', 'May help a user: recovery, sessions, locks'), ('deactivate_user', 'May deactivate and reactivate a user')],
            },
        ),
        migrations.CreateModel(
            name='Challenge',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('purpose', models.CharField(choices=[('register', 'registration'), ('contact', 'new contact'), ('login', 'sign-in'), ('confirm', 'confirmation of who is there'), ('reset', 'new password'), ('not_me', 'notice to the owner'), ('staff', 'sign-in to the staff pages'), ('staff_change', 'change of a staff account'), ('staff_contact', 'new contact of a staff account')], max_length=16, verbose_name='purpose')),
                ('kind', models.CharField(choices=[('email', 'email'), ('phone', 'text message')], max_length=8, verbose_name='sent by')),
                ('recipient', models.CharField(max_length=254, verbose_name='recipient')),
                ('fingerprint', models.CharField(blank=True, db_default='', editable=False, max_length=40)),
                ('address', models.CharField(max_length=254)),
                ('device', models.CharField(blank=True, max_length=60, verbose_name='asked for on')),
                ('pool', models.CharField(choices=[('sign-up', 'sign-ups and new contacts'), ('return', 'sign-in and recovery in other browsers'), ('owner', 'trusted browsers, signed-in owners and staff who help them'), ('staff', 'codes of the staff pages')], db_default='sign-up', default='sign-up', max_length=8)),
                ('space', models.CharField(blank=True, db_default='', editable=False, max_length=8)),
                ('is_private', models.BooleanField(db_default=False, default=False)),
                ('seed', models.BinaryField(default=accounts.codes.new_seed)),
                ('key_id', models.CharField(default=accounts.codes.current_key_id, max_length=8)),
                ('sends', models.PositiveSmallIntegerField(default=1, verbose_name='codes sent')),
                ('tries_left', models.PositiveSmallIntegerField(verbose_name='tries left')),
                ('replays', models.PositiveSmallIntegerField(default=0, verbose_name='typed again after use')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='began')),
                ('sent_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='newest code at')),
                ('expires_at', models.DateTimeField(verbose_name='code works until')),
                ('link_expires_at', models.DateTimeField(verbose_name='link works until')),
                ('verified_at', models.DateTimeField(null=True, verbose_name='verified')),
                ('cancelled_at', models.DateTimeField(null=True, verbose_name='cancelled')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='challenges', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'challenge',
                'verbose_name_plural': 'challenges',
            },
        ),
        migrations.CreateModel(
            name='FormerUsername',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('username', models.CharField(db_index=True, max_length=32, null=True)),
                ('given_up_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='former_usernames', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='RefusalCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField(verbose_name='minute')),
                ('kind', models.CharField(max_length=40, verbose_name='what')),
                ('identifier_kind', models.CharField(blank=True, max_length=8, verbose_name='kind of identifier')),
                ('country', models.CharField(blank=True, max_length=2, verbose_name='country')),
                ('space', models.CharField(blank=True, max_length=8)),
                ('count', models.PositiveIntegerField(verbose_name='number')),
            ],
            options={
                'verbose_name': 'count of refusals',
                'verbose_name_plural': 'counts of refusals',
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('minute', 'kind', 'identifier_kind', 'country', 'space'), name='refusals_counted_once')],
            },
        ),
        migrations.CreateModel(
            name='SecurityEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40, verbose_name='what')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='when')),
                ('fingerprint', models.CharField(blank=True, max_length=40, verbose_name='identifier (keyed hash)')),
                ('identifier_kind', models.CharField(blank=True, max_length=8, verbose_name='kind of identifier')),
                ('country', models.CharField(blank=True, db_default='', max_length=2, verbose_name='country')),
                ('space', models.CharField(blank=True, db_default='', editable=False, max_length=8)),
                ('ip', models.GenericIPAddressField(null=True, verbose_name='IP address')),
                ('agent', models.CharField(blank=True, max_length=200, verbose_name='browser')),
                ('request_id', models.CharField(blank=True, max_length=64, verbose_name='request')),
                ('actor', models.CharField(blank=True, db_default='', max_length=40, verbose_name='staff member (keyed hash)')),
                ('about', models.CharField(blank=True, db_default='', max_length=80, verbose_name='about')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='events', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'security event',
                'verbose_name_plural': 'security events',
            },
        ),
        migrations.CreateModel(
            name='Session',
            fields=[
                ('session_key', models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name='session key')),
                ('session_data', models.TextField(verbose_name='session data')),
                ('expire_date', models.DateTimeField(db_index=True, verbose_name='expire date')),
                ('other_challenges', models.CharField(blank=True, db_default='', editable=False, max_length=200)),
                ('ip', models.GenericIPAddressField(null=True, verbose_name='IP address')),
                ('agent', models.CharField(blank=True, max_length=200, verbose_name='browser')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='began')),
                ('last_used_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='last used')),
                ('signed_in_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='signed in')),
                ('reauthenticated_at', models.DateTimeField(null=True, verbose_name='last reauthentication')),
                ('former_key', models.CharField(blank=True, db_default='', editable=False, max_length=40)),
                ('name', models.CharField(default=accounts.models.sessions.new_name, editable=False, max_length=16, verbose_name='name')),
                ('reauthenticated_by', models.CharField(blank=True, db_default='', max_length=8, verbose_name='reauthenticated by')),
                ('client', models.CharField(choices=[('browser', 'browser'), ('app', 'app'), ('pending', 'app in the middle of a journey')], db_default='browser', default='browser', max_length=8, verbose_name='client')),
                ('public_id', models.UUIDField(editable=False, null=True, unique=True)),
                ('seed', models.BinaryField(max_length=20, null=True)),
                ('generation', models.PositiveIntegerField(db_default=0, default=0)),
                ('rotated_at', models.DateTimeField(null=True, verbose_name='last refresh')),
                ('app', models.CharField(blank=True, db_default='', max_length=40, verbose_name='app')),
                ('challenge', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='sessions', to='accounts.challenge', verbose_name='challenge')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'sessions',
                'indexes': [models.Index(condition=models.Q(('user__isnull', False), models.Q(('former_key', ''), _negated=True)), fields=['former_key'], name='session_by_former_key'), models.Index(condition=models.Q(('user__isnull', True), models.Q(('other_challenges', ''), _negated=True)), fields=['session_key'], name='session_of_several_journeys')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('client', 'app'), _negated=True), models.Q(('public_id__isnull', False), ('seed__isnull', False), ('user__isnull', False)), _connector='OR'), name='session_of_app_has_tokens')],
            },
        ),
        migrations.AddIndex(
            model_name='user',
            index=models.Index(condition=models.Q(('deletion_due_at__isnull', False)), fields=['deletion_due_at'], name='user_deletion_due'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('email__isnull', True), ('email_key__isnull', True)), models.Q(('email__isnull', False), ('email_key__isnull', False), ('email_verified_at__isnull', False)), _connector='OR'), name='user_email_only_when_verified'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('phone__isnull', True), ('phone_verified_at__isnull', False), _connector='OR'), name='user_phone_only_when_verified'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('username', django.db.models.functions.text.Lower('username'))), name='user_username_in_small_letters'),
        ),
        migrations.AddIndex(
            model_name='challenge',
            index=models.Index(fields=['recipient', '-created_at'], name='accounts_ch_recipie_8ecaa1_idx'),
        ),
        migrations.AddIndex(
            model_name='challenge',
            index=models.Index(fields=['-created_at'], name='accounts_ch_created_e33cc6_idx'),
        ),
        migrations.AddIndex(
            model_name='challenge',
            index=models.Index(condition=models.Q(('user__isnull', True)), fields=['fingerprint'], name='challenge_of_nobody'),
        ),
        migrations.AddIndex(
            model_name='securityevent',
            index=models.Index(fields=['user', '-at'], name='accounts_se_user_id_299a2c_idx'),
        ),
        migrations.AddIndex(
            model_name='securityevent',
            index=models.Index(fields=['fingerprint', '-at'], name='accounts_se_fingerp_49288e_idx'),
        ),
        migrations.AddIndex(
            model_name='securityevent',
            index=models.Index(fields=['-at'], name='accounts_se_at_c83949_idx'),
        ),
        migrations.AddIndex(
            model_name='securityevent',
            index=models.Index(condition=models.Q(('about', ''), _negated=True), fields=['about'], name='event_about'),
        ),
        migrations.AddIndex(
            model_name='securityevent',
            index=models.Index(condition=models.Q(('actor', ''), _negated=True), fields=['actor'], name='event_actor'),
        ),
        migrations.RunPython(add_everywhere, migrations.RunPython.noop),
        migrations.RunPython(add_to_postgresql, migrations.RunPython.noop),
    ]
