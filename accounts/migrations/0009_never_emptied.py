"""Events do not go all at once either (LOG-02)."""

from importlib import import_module

from django.db import migrations

on_postgresql = import_module("accounts.migrations.0007_about").on_postgresql

# Tests empty whole databases: they have a door of their own, as retention has.
NEVER_EMPTIED = """
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
EMPTIED = """
DROP TRIGGER accounts_securityevent_stays ON accounts_securityevent;
DROP FUNCTION accounts_securityevent_stays();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0008_country"),
    ]

    operations = [
        migrations.RunPython(on_postgresql(NEVER_EMPTIED), on_postgresql(EMPTIED)),
    ]
