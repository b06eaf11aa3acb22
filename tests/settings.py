"""The real settings, made fast and sealed off from the machine."""

import os
import tempfile
from pathlib import Path

os.environ["ENV_FILE"] = ""
os.environ.update(
    {
        "DEBUG": "0",
        "SECRET_KEY": "only for tests, long enough to be one: 0123456789abcdefghijklmnopqrstuvwxyz",
        "CODE_KEYS": bytes(range(1, 33)).hex(),
        "FINGERPRINT_KEYS": bytes(range(101, 133)).hex(),
        # A key of P-256 that everybody may know.
        "TOKEN_KEYS": (
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRkdISUpLTE1O"
            "T1BRUlNUVVZXWFlaW1xdXl9gYWJjZGWhRANCAAQoptRGhuiDT2rNKjcOf52l"
            "ZLQuteRJg2hfDR44flbKKzMI-umbNlXW8H1NG_9A7Q9rCG2fGGTO-P0k-yxb7djD"
        ),
        "SITE_URL": "https://shop.example",
        "ALLOWED_HOSTS": "testserver,shop.example",
        "DEFAULT_FROM_EMAIL": "Storefront <hello@shop.example>",
        "MAILBOX": "1",
        "EMAIL_URL": "",
        "SMS_URL": "",
    }
)

from storefront.settings import *  # noqa: E402, F403  the environment above must be set first
from storefront.settings import BASE_DIR, DATABASES, STORAGES  # noqa: E402

# A file, not memory: the tests with threads need a database that threads share.
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "var" / "test.sqlite3"}
else:
    # Whole tables may be emptied in tests, the audit too, which is never done anywhere else (LOG-02).
    DATABASES["default"]["OPTIONS"] = {"options": "-c storefront.emptying=on"}

# Argon2 has tests of its own; everywhere else one hash must not cost 30 ms.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECURE_SSL_REDIRECT = False
STATIC_ROOT = BASE_DIR / "static"
CELERY_TASK_ALWAYS_EAGER = True
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
MAILBOX_DIR = Path(tempfile.mkdtemp(prefix="mailbox-"))
