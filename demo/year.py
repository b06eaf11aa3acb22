"""A year of made-up people, to try the site at size: what they are called, and the SQL that writes them.

Everything follows from a person's number, so that a year of the same size is the same year, and every row is made
where it will stand. Mail goes to domains that are reserved for examples, so that nobody real is ever written to.
"""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, models, transaction

from accounts import codes
from accounts.models import Challenge, SecurityEvent, Session, User
from messaging.models import EMAIL, SMS, OutboxMessage, Receipt

FIRST = """
Ana Maria João Lucía Mateo Sofía Diego Camila Thiago Beatriz Emma Noah Olivia Liam Charlotte Oliver Amelia Jack Grace
Harry Chloé Louis Inès Hugo Zoé Élodie Lukas Mia Finn Hannah Jonas Lena Giulia Lorenzo Chiara Matteo Ingrid Lars Astrid
Søren Freja Mikkel Aino Eero Zofia Jakub Hanna Piotr Tereza Václav Olena Andrii Oksana Taras Elif Mehmet Zeynep Emre
Leila Omar Yasmin Karim Fatima Yusuf Amira Hassan Nour Tariq Priya Arjun Ananya Rohan Diya Vikram Aisha Farhan Wei Mei
Hiroshi Yuki Haruto Sakura Minjun Jiwoo Linh Minh Siti Budi Chinedu Ngozi Amara Kwame Akua Wanjiru Kamau Thandiwe Sipho
Zanele
""".split()
LAST = """
Silva Santos Oliveira García Martínez López Fernández Rodríguez Pérez Torres Smith Jones Taylor Brown Wilson Walker
Murphy Kelly Campbell Stewart Martin Bernard Dubois Lefèvre Moreau Girard Müller Schmidt Weber Wagner Becker Schäfer
Rossi Russo Ferrari Bianchi Hansen Johansen Lindström Nyström Nielsen Jørgensen Virtanen Korhonen Nowak Kowalska Wójcik
Novák Dvořák Kovačić Shevchenko Kovalenko Bondarenko Yılmaz Demir Şahin Çelik Haddad Khoury Mansour Aziz Rahman Hussein
Saleh Farouk Sharma Patel Singh Gupta Reddy Iyer Khan Ahmed Chen Wang Zhang Liu Tanaka Suzuki Sato Watanabe Kim Park Lee
Nguyen Tran Pham Wijaya Santoso Okafor Adeyemi Eze Mensah Owusu Mwangi Otieno Njoroge Dlamini Nkosi Abebe
""".split()
DOMAINS = "example.com example.org example.net mail.example post.example inbox.example".split()
# How a mobile number begins in some countries; six digits follow, the person's number mixed.
PHONES = "+447400 +12022 +4915112 +33612 +919876 +2348031 +5511987 +34612 +254712 +819012".split()
COUNTRIES = "GB US DE FR IN NG BR ES KE JP".split()
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
)
DEVICES = (
    "Safari on iPhone|Chrome on Android|Chrome on Windows|Safari on Mac|Firefox on Windows|Firefox on Linux"
).split("|")
APPS = "My Shop", "Shop for tablets", ""
# Of a hundred moments, how many fall into each hour of the day.
HOURS = [1, 1, 1, 0, 0, 1, 2, 3, 5, 6, 6, 5, 6, 6, 5, 5, 5, 6, 7, 8, 8, 7, 4, 2]

# A number from 0 to 1 that looks like chance, and a moment of a day that looks like people's.
FUNCTIONS = """
CREATE FUNCTION pg_temp.chance(bigint, integer) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (hashint8extended($1, $2) & 16777215) / 16777216.0::float8 $$;
CREATE FUNCTION pg_temp.hour(float8) RETURNS integer LANGUAGE sql IMMUTABLE AS
$$ SELECT (%(hours)s::integer[])
          [1 + floor($1 * 100)::integer] $$;
CREATE TEMP TABLE seed_name AS
SELECT i - 1 AS i, first, first_plain, last, last_plain
FROM unnest(%(first)s::text[], %(first_plain)s::text[], %(last)s::text[], %(last_plain)s::text[])
     WITH ORDINALITY AS names(first, first_plain, last, last_plain, i);
"""

# The shop grows: five times as many join on the last day of the year as on the first, fewer on Sundays.
PEOPLE = """
CREATE TEMP TABLE seed_person ON COMMIT DROP AS
WITH placed AS MATERIALIZED (
    SELECT n, now() - interval '366 days' * (1.25 - 0.25 * sqrt(1 + 24 * (n - chance(n, 1)) / %(total)s)) AS t
    FROM generate_series(%(after)s::bigint + 1, %(until)s) AS n
), rested AS MATERIALIZED (
    SELECT n, t - CASE WHEN extract(isodow FROM t) = 7 AND chance(n, 2) < 0.4 THEN interval '3 days'
                       ELSE interval '0' END AS t
    FROM placed
), timed AS MATERIALIZED (
    SELECT n, date_trunc('day', t) + make_interval(secs => 3600 * (hour(chance(n, 3)) + chance(n, 4))) AS t
    FROM rested
), called AS MATERIALIZED (
    SELECT n, CASE WHEN t > now() - interval '1 minute' THEN t - interval '1 day' ELSE t END AS joined,
           floor(chance(n, 5) * %(names)s)::integer AS f, floor(chance(n, 6) * %(names)s)::integer AS l,
           chance(n, 7) < 0.85 AS by_email
    FROM timed
)
SELECT n, md5(%(salt)s || n)::uuid AS id, joined, by_email, one.first_plain,
       one.first || ' ' || two.last AS name,
       CASE WHEN by_email THEN one.first_plain || '.' || two.last_plain || n || '@'
            || (%(domains)s::text[])[1 + floor(chance(n, 8) * 6)::integer] END AS email,
       CASE WHEN NOT by_email OR chance(n, 9) < 0.1 THEN (%(phones)s::text[])[1 + mod(n, 10)]
            || lpad(mod((n / 10) * 741457 + 3, 1000000)::text, 6, '0') END AS phone,
       1 + floor(chance(n, 10) * 6)::integer AS device,
       '0.0.0.0'::inet + (184549376 + floor(chance(n, 11) * 3500000000)::bigint) AS ip
FROM called JOIN seed_name one ON one.i = f JOIN seed_name two ON two.i = l
"""

# One to nine attempts a person, more of them soon after joining: the registration, perhaps one before it that was
# given up, sign-ins, new passwords, second contacts, and what strangers began and left.
ATTEMPTS = """
CREATE TEMP TABLE seed_attempt ON COMMIT DROP AS
WITH counted AS MATERIALIZED (
    SELECT p.*, j, n * 16 + j AS k, j = 2 AND chance(n, 21) < 0.15 AS given_up
    FROM seed_person p, generate_series(1, 1 + floor(chance(n, 20) * 9)::integer) AS j
), named AS MATERIALIZED (
    SELECT *, j > 1 AND NOT given_up AND chance(k, 22) < 0.2 AS strange, chance(k, 23) AS dice, chance(k, 24) AS fate
    FROM counted
), meant AS MATERIALIZED (
    SELECT *, CASE WHEN j = 1 OR given_up THEN 'register'
                   WHEN strange THEN CASE WHEN dice < 0.6 THEN 'register' ELSE 'login' END
                   WHEN dice < 0.10 THEN 'reset'
                   WHEN dice < 0.15 THEN 'confirm'
                   WHEN dice < 0.30 AND email IS NOT NULL AND phone IS NOT NULL THEN 'contact'
                   ELSE 'login' END AS purpose,
           CASE WHEN j = 1 THEN joined - make_interval(secs => 20 + 160 * chance(k, 25))
                WHEN given_up THEN joined - make_interval(secs => 900 + 90000 * chance(k, 25))
                ELSE joined + (now() - joined) * chance(k, 25) * chance(k, 25) END AS t
    FROM named
), timed AS MATERIALIZED (
    SELECT *, date_trunc('day', t) + make_interval(secs => 3600 * (hour(chance(k, 26)) + chance(k, 27))) AS u
    FROM meant
), sent AS MATERIALIZED (
    SELECT *, CASE WHEN j = 1 OR given_up OR u < joined OR u > now() - interval '5 minutes' THEN t ELSE u END
              AS created_at,
           CASE WHEN j > 1 AND chance(k, 28) < 0.12 THEN 2 ELSE 1 END AS sends,
           CASE WHEN strange THEN 'email' WHEN purpose = 'contact' THEN 'phone'
                WHEN by_email THEN 'email' ELSE 'phone' END AS kind,
           CASE WHEN strange THEN first_plain || '_' || k || '@' || (%(domains)s::text[])[1 + mod(k, 6)]
                WHEN purpose = 'contact' THEN phone WHEN by_email THEN email ELSE phone END AS recipient,
           CASE WHEN chance(k, 31) < 0.7 OR purpose IN ('confirm', 'contact') THEN ''
                WHEN chance(k, 32) < 0.2 THEN 'v1' WHEN chance(k, 32) < 0.4 THEN 'auth' ELSE 'v2' END AS space
    FROM timed
)
SELECT k, n, md5(%(salt)s || 'attempt' || k)::uuid AS id, purpose, kind, recipient, ip, sends, j, created_at, space,
       CASE space WHEN '' THEN device ELSE 1 + mod(device, 2) END AS device,
       CASE WHEN strange OR given_up THEN NULL ELSE md5(%(salt)s || n)::uuid END AS user_id,
       created_at + make_interval(secs => 75 * (sends - 1)) AS sent_at,
       CASE WHEN j = 1 THEN joined
            WHEN NOT strange AND NOT given_up AND fate < 0.76
            THEN least(created_at + make_interval(secs => 75 * (sends - 1) + 15 + 180 * chance(k, 29)), now()) END
       AS verified_at,
       CASE WHEN given_up THEN joined
            WHEN j > 1 AND fate >= 0.76 AND fate < 0.86
            THEN least(created_at + make_interval(secs => 60 + 1200 * chance(k, 29)), now()) END AS cancelled_at,
       CASE WHEN j = 1 THEN 4 WHEN chance(k, 30) < 0.08 THEN 2 WHEN chance(k, 30) < 0.1 THEN 0
            WHEN fate < 0.76 AND NOT strange THEN 4 ELSE 5 END AS tries_left
FROM sent
"""

USERS: dict[str, str] = {
    "id": "id",
    "password": "CASE WHEN chance(n, 40) < 0.7 THEN %(password)s ELSE '!' || md5(n::text) || 'seeded00' END",
    "last_login": "coalesce(came, joined)",
    "name": "CASE WHEN chance(n, 41) < 0.93 THEN name ELSE '' END",
    "username": "CASE WHEN chance(n, 42) < 0.3 THEN first_plain || n END",
    "email": "email",
    "email_key": "email",
    "email_verified_at": "CASE WHEN email IS NOT NULL THEN joined END",
    "phone": "phone",
    "phone_verified_at": "CASE WHEN phone IS NOT NULL THEN joined + (now() - joined) "
    "* CASE WHEN by_email THEN chance(n, 43) ELSE 0 END END",
    "primary": "CASE WHEN by_email THEN 'email' ELSE 'phone' END",
    "is_active": "chance(n, 44) >= 0.01",
    "date_joined": "joined",
    "completed_at": "CASE WHEN chance(n, 41) < 0.93 THEN least(joined + interval '80 seconds', now()) END",
    "deletion_due_at": "CASE WHEN chance(n, 45) < 0.003 THEN now() + chance(n, 46) * interval '14 days' END",
}
# HMAC-SHA-256 as accounts.identifiers.fingerprint has it.
FINGERPRINT_SQL = """left(encode(sha256(%(outer)s::bytea || sha256(
    %(inner)s::bytea || convert_to(recipient, 'UTF8'))), 'hex'), 40)"""
CHALLENGES: dict[str, str] = {
    "id": "id",
    "purpose": "purpose",
    "kind": "kind",
    "recipient": "recipient",
    "fingerprint": FINGERPRINT_SQL,
    "address": "recipient",
    "user_id": "user_id",
    "device": "(%(devices)s::text[])[device]",
    "space": "space",
    # Nobody must work out a code from what this file says.
    "seed": "substr(sha256(%(secret)s::bytea || uuid_send(id)), 1, 20)",
    "key_id": "%(key_id)s",
    "sends": "sends",
    "tries_left": "tries_left",
    "created_at": "created_at",
    "sent_at": "sent_at",
    "expires_at": "sent_at + interval '10 minutes'",
    "link_expires_at": "created_at + CASE purpose WHEN 'reset' THEN interval '1 hour' ELSE interval '1 day' END",
    "verified_at": "verified_at",
    "cancelled_at": "cancelled_at",
}
EVENTS: dict[str, str] = {
    "kind": "what",
    "at": "least(moment, now())",
    "user_id": "user_id",
    "fingerprint": f"CASE WHEN named THEN {FINGERPRINT_SQL} ELSE '' END",
    "identifier_kind": "CASE WHEN named THEN kind ELSE '' END",
    "country": "CASE WHEN named AND kind = 'phone' THEN (%(countries)s::text[])[1 + mod(n, 10)] ELSE '' END",
    "space": "space",
    "ip": "ip",
    "agent": "(%(agents)s::text[])[device]",
}
EVENT_ROWS = """(
    SELECT a.*, what, moment, named
    FROM seed_attempt a CROSS JOIN LATERAL (VALUES
        ('code_sent', created_at, true, true),
        (CASE purpose WHEN 'register' THEN 'registered' WHEN 'login' THEN 'signed_in' WHEN 'reset' THEN 'password_reset'
                      WHEN 'contact' THEN 'contact_added' ELSE 'reauthenticated' END,
         verified_at, true, verified_at IS NOT NULL),
        ('code_wrong', sent_at + interval '12 seconds', true, tries_left < 4),
        ('code_used_up', sent_at + interval '40 seconds', true, tries_left = 0),
        ('profile_completed', verified_at + interval '80 seconds', false, j = 1 AND chance(n, 41) < 0.93),
        ('sign_in_failed', created_at - interval '30 seconds', true, j > 1 AND chance(k, 50) < 0.06),
        ('password_locked', created_at - interval '20 seconds', true, j > 1 AND chance(k, 50) < 0.005)
    ) AS happened(what, moment, named, did)
    WHERE did ORDER BY moment
) AS happened"""
MESSAGES: dict[str, str] = {
    "id": "message",
    "template": "CASE WHEN purpose = 'reset' AND kind = 'email' THEN 'reset' ELSE 'code' END",
    "about_id": "id",
    "part": "sends",
    "channel": "CASE kind WHEN 'email' THEN 'email' ELSE 'sms' END",
    "address": "recipient",
    "status": "status",
    "tries": "CASE status WHEN 'expired' THEN 6 WHEN 'failed' THEN 2 ELSE 1 END",
    "provider_id": "CASE WHEN status <> 'expired' THEN provider END",
    "provider_ref": "CASE WHEN status IN ('sent', 'delivered', 'bounced') THEN md5(message::text) ELSE '' END",
    "error": """CASE status WHEN 'failed' THEN 'refused: 550' WHEN 'expired' THEN 'timed out'
                            ELSE '' END""",
    "created_at": "sent_at",
    "due_at": "sent_at",
    "expires_at": "sent_at + interval '10 minutes'",
    "settled_at": """least(now(), sent_at + CASE status WHEN 'expired' THEN interval '10 minutes'
                                            ELSE make_interval(secs => 0.4 + 3 * chance(k, 62)) END)""",
}
RECEIPTS: dict[str, str] = {
    "key": "encode(sha256(uuid_send(message)), 'hex')",
    "message_id": "message",
    "provider_id": "provider",
    "status": "status",
    "detail": "CASE status WHEN 'bounced' THEN 'bounced 5.1.1' ELSE '' END",
    "at": "least(now(), sent_at + make_interval(secs => 2 + 20 * chance(k, 63)))",
    "received_at": "least(now(), sent_at + make_interval(secs => 4 + 40 * chance(k, 63)))",
}
MESSAGE_ROWS = """
CREATE TEMP TABLE seed_message ON COMMIT DROP AS
SELECT *, md5(id || ':' || sends)::uuid AS message,
       (CASE kind WHEN 'email' THEN %(email_providers)s::uuid[] ELSE %(sms_providers)s::uuid[] END)
       [CASE WHEN chance(k, 60) < 0.85 THEN 1 ELSE 2 END] AS provider,
       CASE WHEN verified_at IS NOT NULL THEN CASE WHEN chance(k, 61) < 0.96 THEN 'delivered' ELSE 'sent' END
            WHEN chance(k, 61) < 0.62 THEN 'delivered' WHEN chance(k, 61) < 0.80 THEN 'bounced'
            WHEN chance(k, 61) < 0.86 THEN 'failed' WHEN chance(k, 61) < 0.90 THEN 'expired' ELSE 'sent' END AS status
FROM seed_attempt WHERE sent_at > now() - %(kept)s::interval ORDER BY sent_at
"""
# Apps that are signed in still. Nobody has their tokens, nor can work them out from what this file says.
SESSIONS: dict[str, str] = {
    "session_key": "left(encode(sha256(%(secret)s::bytea || uuid_send(id)), 'hex'), 40)",
    "session_data": "''",
    "expire_date": "used_at + interval '30 days'",
    "user_id": "user_id",
    "ip": "ip",
    "agent": "(%(agents)s::text[])[device]",
    "created_at": "verified_at",
    "signed_in_at": "verified_at",
    "last_used_at": "used_at",
    "reauthenticated_at": "verified_at",
    "reauthenticated_by": "kind",
    "name": "left(md5('session' || id), 16)",
    "client": "'app'",
    "public_id": "md5('session' || id)::uuid",
    "seed": "substr(sha256(%(secret)s::bytea || uuid_send(id) || 'session'), 1, 20)",
    "generation": "1 + floor((extract(epoch FROM used_at) - extract(epoch FROM verified_at)) / 7200)::integer",
    "rotated_at": "used_at",
    "app": "(%(apps)s::text[])[1 + mod(k, 3)]",
}
APP_SIGN_INS = """(
    SELECT *, verified_at + (now() - verified_at) * chance(k, 70) AS used_at FROM seed_attempt
    WHERE space <> '' AND verified_at > now() - interval '30 days' AND purpose IN ('register', 'login')
    ORDER BY verified_at
) AS app_sign_ins"""
PEOPLE_WITH_LAST_LOGIN = """(
    SELECT p.*, came FROM seed_person p LEFT JOIN (
        SELECT n, max(verified_at) AS came FROM seed_attempt WHERE purpose IN ('register', 'login') GROUP BY n
    ) AS logins USING (n) ORDER BY n
) AS people"""

# What is made here refers to what is made here: to look each reference up would take a third of the time. Only a
# superuser may spare it; for anybody else the references are looked up.
SKIP_REFERENCE_CHECKS = """
SELECT set_config('session_replication_role', 'replica', true) FROM pg_roles WHERE rolname = current_user AND rolsuper
"""

# In this order within one transaction: what is referred to comes first.
STEPS: list[tuple[type[models.Model] | None, Mapping[str, str], str]] = [
    (None, {}, PEOPLE),
    (None, {}, ATTEMPTS),
    (None, {}, MESSAGE_ROWS),
    (User, USERS, PEOPLE_WITH_LAST_LOGIN),
    (Challenge, CHALLENGES, "(SELECT * FROM seed_attempt ORDER BY created_at) AS attempts"),
    (SecurityEvent, EVENTS, EVENT_ROWS),
    (Session, SESSIONS, APP_SIGN_INS),
    (OutboxMessage, MESSAGES, "seed_message"),
    (Receipt, RECEIPTS, "seed_message WHERE status IN ('delivered', 'bounced')"),
]


NAME_COUNT = min(len(FIRST), len(LAST))


def prepare(values: Mapping[str, Any]) -> None:
    """Give this connection what the statements lean on. Once for each connection, outside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_with_schema(FUNCTIONS), values)


def write(after: int, until: int, values: Mapping[str, Any]) -> int:
    """Write the people with the numbers `after` + 1 to `until` and all that is theirs; returns how many rows."""
    written = 0
    with transaction.atomic(), connection.cursor() as cursor:
        # Checked by each statement: a million checks put off to the end of the transaction would fill the memory.
        cursor.execute(
            "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL work_mem = '256MB'; SET LOCAL jit = off"
        )
        cursor.execute(SKIP_REFERENCE_CHECKS)
        for model, columns, source in STEPS:
            statement = _insert(model, columns, source) if model else source
            cursor.execute(_with_schema(statement), {**values, "after": after, "until": until})
            written += cursor.rowcount if model else 0
    return written


def values_for(total: int, *, salt: str, providers: Mapping[str, Sequence[UUID]]) -> dict[str, Any]:
    """What the statements are told: the lists above, how many people there will be, and the keys of this site.

    `providers` has the first and the second of each channel.
    """
    key = hashlib.sha256(b"accounts.identifiers" + settings.FINGERPRINT_KEYS[0]).digest()
    padded = key.ljust(64, b"\0")
    return {
        "total": total,
        "salt": salt,
        "first": FIRST[:NAME_COUNT],
        "first_plain": [_plain(name) for name in FIRST[:NAME_COUNT]],
        "last": LAST[:NAME_COUNT],
        "last_plain": [_plain(name) for name in LAST[:NAME_COUNT]],
        "names": NAME_COUNT,
        "hours": [hour for hour, times in enumerate(HOURS) for _time in range(times)],
        "domains": DOMAINS,
        "phones": PHONES,
        "countries": COUNTRIES,
        "agents": list(AGENTS),
        "devices": list(DEVICES),
        "apps": list(APPS),
        # One hash of a password that nobody knows.
        "password": make_password(secrets.token_urlsafe(32)),
        "secret": secrets.token_bytes(32),
        "key_id": codes.current_key_id(),
        "inner": bytes(byte ^ 0x36 for byte in padded),
        "outer": bytes(byte ^ 0x5C for byte in padded),
        "kept": settings.MESSAGES_KEPT,
        "email_providers": list(providers[EMAIL]),
        "sms_providers": list(providers[SMS]),
    }


def _insert(model: type[models.Model], columns: Mapping[str, str], source: str) -> str:
    """The statement that writes `columns` from `source`, and the model's own default into every other column."""
    others = {
        str(field.column): _literal(field.get_default())
        for field in model._meta.concrete_fields
        if field.column not in columns and not _filled_by_database(field)
    }
    every: dict[str, str] = {**others, **columns}
    quoted = ", ".join(connection.ops.quote_name(name) for name in every)
    return f"INSERT INTO {model._meta.db_table} ({quoted}) SELECT {', '.join(every.values())} FROM {source}"  # noqa: S608


def _filled_by_database(field: models.Field) -> bool:
    return field.primary_key or field.null or field.has_db_default()


def _literal(value: object) -> str:
    return str(value).upper() if isinstance(value, bool | int) else "'" + str(value or "") + "'"


def _with_schema(statement: str) -> str:
    """PostgreSQL looks for a session's own functions only where it is told to."""
    return re.sub(r"(?<![.\w])(chance|hour)\(", r"pg_temp.\1(", statement)


def _plain(name: str) -> str:
    """Spell a name with the letters a to z, as in an address."""
    letters = unicodedata.normalize("NFKD", name.translate(str.maketrans("øı", "oi"))).lower()
    return "".join(letter for letter in letters if "a" <= letter <= "z")
