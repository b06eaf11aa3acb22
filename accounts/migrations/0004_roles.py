"""A code at the staff's door, the request's id on events, and events that the database itself keeps as they were."""

from django.db import migrations, models

# Rows may forget a person, whatever columns there will be one day; old ones go through retention's own door (LOG-02).
GUARD = """
CREATE OR REPLACE FUNCTION accounts_securityevent_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF current_setting('storefront.retention', true) = 'on' THEN
            RETURN OLD;
        END IF;
    ELSIF to_jsonb(NEW) - ARRAY['user_id', 'ip', 'agent'] = to_jsonb(OLD) - ARRAY['user_id', 'ip', 'agent']
        AND (NEW.user_id IS NULL OR NEW.user_id IS NOT DISTINCT FROM OLD.user_id)
        AND (NEW.ip IS NULL OR NEW.ip IS NOT DISTINCT FROM OLD.ip)
        AND (NEW.agent = '' OR NEW.agent = OLD.agent) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a security event stands as it was written' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER accounts_securityevent_stands BEFORE UPDATE OR DELETE ON accounts_securityevent
    FOR EACH ROW EXECUTE FUNCTION accounts_securityevent_stands();
"""
NO_GUARD = """
DROP TRIGGER IF EXISTS accounts_securityevent_stands ON accounts_securityevent;
DROP FUNCTION IF EXISTS accounts_securityevent_stands();
"""


def on_postgresql(sql):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(sql, params=None)

    return run


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0003_textcountry"),
    ]

    operations = [
        migrations.AlterField(
            model_name="challenge",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("register", "registration"),
                    ("contact", "new contact"),
                    ("login", "sign-in"),
                    ("confirm", "confirmation of who is there"),
                    ("reset", "new password"),
                    ("not_me", "notice to the owner"),
                    ("staff", "sign-in to the staff pages"),
                ],
                max_length=16,
                verbose_name="purpose",
            ),
        ),
        migrations.AddField(
            model_name="securityevent",
            name="request_id",
            field=models.CharField(blank=True, default="", max_length=64, verbose_name="request"),
            preserve_default=False,
        ),
        migrations.RunPython(on_postgresql(GUARD), on_postgresql(NO_GUARD)),
    ]
