"""Which row staff looked at or changed; rows may forget that, too."""

from django.db import migrations, models

# As 0004_roles has it, but for what may be forgotten.
GUARD = """
CREATE OR REPLACE FUNCTION accounts_securityevent_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF current_setting('storefront.retention', true) = 'on' THEN
            RETURN OLD;
        END IF;
    ELSIF to_jsonb(NEW) - ARRAY['user_id', 'ip', 'agent'{column}] = to_jsonb(OLD) - ARRAY['user_id', 'ip', 'agent'{column}]
        AND (NEW.user_id IS NULL OR NEW.user_id IS NOT DISTINCT FROM OLD.user_id)
        AND (NEW.ip IS NULL OR NEW.ip IS NOT DISTINCT FROM OLD.ip)
        AND (NEW.agent = '' OR NEW.agent = OLD.agent)
        {condition} THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a security event stands as it was written' USING ERRCODE = 'insufficient_privilege';
END
$$
"""
FORGETS = GUARD.format(
    column=", 'about'", condition="AND (NEW.about = '' OR NEW.about = OLD.about)"
)
FORGETS_LESS = GUARD.format(column="", condition="")
# The audit trail of one channel, in the list's own order: the one that hardly ever occurs is found at once. The days of
# the board, so that a span of them is read from the index alone. And what works at this moment: a code, or a link.
INDEXES = """
CREATE INDEX event_by_channel ON accounts_securityevent (channel, at DESC, id DESC);
CREATE INDEX tally_days ON accounts_tally (at) INCLUDE (what, channel, country, provider, detail, number)
    WHERE span = 'day';
CREATE INDEX challenge_code_works ON accounts_challenge (expires_at) WHERE proved_at IS NULL AND closed_at IS NULL;
CREATE INDEX challenge_link_works ON accounts_challenge (link_expires_at)
    WHERE proved_at IS NULL AND closed_at IS NULL
    AND (purpose = 'not_me' OR (kind = 'email' AND purpose = 'reset'));
"""
NO_INDEXES = """
DROP INDEX IF EXISTS event_by_channel, tally_days, challenge_code_works, challenge_link_works
"""


def on_postgresql(sql):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(sql, params=None)

    return run


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0006_search"),
    ]

    operations = [
        migrations.AddField(
            model_name="securityevent",
            name="about",
            field=models.CharField(blank=True, db_default="", max_length=80, verbose_name="about"),
        ),
        migrations.AddIndex(
            model_name="securityevent",
            index=models.Index(
                condition=models.Q(("about", ""), _negated=True),
                fields=["about"],
                name="event_about",
            ),
        ),
        migrations.RunPython(on_postgresql(FORGETS), on_postgresql(FORGETS_LESS)),
        migrations.RunPython(on_postgresql(INDEXES), on_postgresql(NO_INDEXES)),
    ]
