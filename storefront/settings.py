"""Every setting, read from the environment. A forgotten variable gives a strict site, never an open one."""

from datetime import timedelta

import environ
from csp.constants import NONE, SELF

from accounts import conf
from storefront import BASE_DIR
from storefront.observability import logging as site_logging

env = environ.Env()

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Codes have keys of their own (hex, 32 bytes or more): the first signs, all verify.
CODE_KEYS = [bytes.fromhex(key) for key in env.list("CODE_KEYS")]
# So have fingerprints, by which limits, locks and the audit know people: the first writes, all are looked up.
FINGERPRINT_KEYS = [bytes.fromhex(key) for key in env.list("FINGERPRINT_KEYS")]
# So have the tokens of apps (P-256, PKCS8 in base64): the first signs, all verify. With DEBUG on none is needed.
TOKEN_KEYS = env.list("TOKEN_KEYS", default=[])
# Provider credentials are sealed with the first (Fernet keys); all open them.
VAULT_KEYS = env.list("VAULT_KEYS", default=[])

SITE_NAME = env.str("SITE_NAME", "Storefront")
SITE_URL = env.str("SITE_URL", "http://127.0.0.1:8000" if DEBUG else environ.Env.NOTSET).rstrip("/")
# Whom access tokens are for: other services of the shop compare it.
API_AUDIENCE = env.str("API_AUDIENCE", "") or SITE_URL
# Where the links of messages lead that a program began: to pages of its own. Empty: to those of the shop.
FRONTEND_URL = env.str("FRONTEND_URL", "").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"] if DEBUG else [])

# Applications

INSTALLED_APPS = [
    "backoffice.apps.BackofficeAdminConfig",
    # Before Django's own: its createsuperuser and changepassword are those that are run.
    "backoffice",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "template_partials",
    "crispy_forms",
    "crispy_tailwind",
    "corsheaders",
    "messaging",
    "ratelimits",
    "jobs",
    # After Django's own, of whose signal it takes itself out.
    "accounts",
    "api",
    "demo",
    "storefront",
]

MIDDLEWARE = [
    "storefront.middleware.request_id",
    "storefront.middleware.no_store",
    "storefront.observability.health.answer_probes",
    # Before whatever may answer: a page elsewhere reads no answer without its headers.
    "corsheaders.middleware.CorsMiddleware",
    "storefront.middleware.plain_headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "storefront.middleware.BusyResponseMiddleware",
    "storefront.middleware.limit_body_size",
    "accounts.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.sessions.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

# Around the API on the event loop (storefront/native_handler.py): all but files, cookies and what knows people by them.
NATIVE_MIDDLEWARE = [
    each
    for each in MIDDLEWARE
    if not each.startswith(("whitenoise.", "django_htmx.", "accounts.", "django.contrib."))
    and not each.endswith((".answer_probes", ".CsrfViewMiddleware"))
]

ROOT_URLCONF = "storefront.urls"
WSGI_APPLICATION = "storefront.wsgi.application"
ASGI_APPLICATION = "storefront.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "storefront.context.shop",
            ],
        },
    }
]
FORM_RENDERER = "storefront.widgets.Renderer"
CRISPY_ALLOWED_TEMPLATE_PACKS = "tailwind"
CRISPY_TEMPLATE_PACK = "tailwind"

# Data

(BASE_DIR / "var").mkdir(exist_ok=True)
# The web waits for no database for long (AVL-01); who migrates, sweeps or is called by hand does.
IS_WEB = env.bool("IS_WEB", False)
DATABASES = {"default": env.db("DATABASE_URL", f"sqlite:///{BASE_DIR / 'var' / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: a transaction that will write takes its turn at the start and cannot fail half-way.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 2 if IS_WEB else 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # With a pooler that gives each transaction another connection, nothing may be set on one.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = env.bool("DATABASE_POOLED", False)
    if IS_WEB:
        DATABASES["default"]["ENGINE"] = "storefront.web_postgresql"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", "")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# The web answers /api/v2/ on its event loop, where PostgreSQL and a broker let it (docs/asyncdb.md); API_ASYNC=0
# answers it in threads, as everything else.
API_IS_NATIVE = (
    IS_WEB
    and env.bool("API_ASYNC", True)
    and bool(REDIS_URL)
    and DATABASES["default"]["ENGINE"] == "storefront.web_postgresql"
)
if API_IS_NATIVE:
    DATABASES["default"]["ENGINE"] = "storefront.api_postgresql"
ASYNCDB = {
    "POOL_SIZE": env.int("API_CONNECTIONS", 10),
    # Whoever waited a second for a turn with a password and finds no connection has an answer within two, still.
    "POOL_TIMEOUT": 0.9,
    "THREADS": conf.HASHES_AT_ONCE,
    # Past a pooler, which would lend the connection that listens to others.
    "LISTEN_URL": env.str("DATABASE_DIRECT_URL", ""),
}

# Who is there

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:login"
# The first makes hashes; the others are read, and replaced at the next sign-in (PWD-05).
PASSWORD_HASHERS = [
    "accounts.password_policy.hashers.Argon2id",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
if API_IS_NATIVE:
    PASSWORD_HASHERS = [
        "storefront.in_threads.Argon2id",
        "storefront.in_threads.PBKDF2PasswordHasher",
    ]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": conf.PASSWORD_MIN_LENGTH},
    },
    {"NAME": "accounts.password_policy.validators.BlocklistValidator"},
    {"NAME": "accounts.password_policy.validators.ContextValidator"},
    {
        "NAME": "storefront.in_threads.BreachedValidator"
        if API_IS_NATIVE
        else "accounts.password_policy.validators.BreachedValidator",
        "OPTIONS": {"url": conf.BREACHED_PASSWORDS_URL},
    },
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "name", "email", "phone")},
    },
    {
        "NAME": "accounts.password_policy.validators.CompositionValidator",
        "OPTIONS": {"classes": conf.PASSWORD_COMPOSITION},
    },
]

SESSION_ENGINE = "accounts.sessions.store"
SESSION_COOKIE_NAME = "session" if DEBUG else "__Host-session"
SESSION_COOKIE_AGE = int(conf.SESSION_ABSOLUTE.total_seconds())
SESSION_COOKIE_SECURE = not DEBUG
# Which accounts have signed in here before; and the token of an emailed link that was opened, "-" and its name.
TRUSTED_BROWSERS_COOKIE_NAME = "trusted-browsers" if DEBUG else "__Host-trusted-browsers"
LINK_COOKIE_NAME = "link" if DEBUG else "__Host-link"
CSRF_COOKIE_NAME = "csrftoken" if DEBUG else "__Host-csrftoken"
CSRF_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "storefront.views.csrf_failure"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
MESSAGES_COOKIE_NAME = "messages" if DEBUG else "__Host-messages"
MESSAGE_STORAGE = "accounts.views.negotiation.MessageStorage"

# What a browser may do with our pages, and what we accept from it

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
# Pages of other origins may ask the API, with a token and never with a cookie.
CORS_URLS_REGEX = r"^/(?:api/|\.well-known/jwks\.json$)"
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_ALLOW_CREDENTIALS = False
CORS_EXPOSE_HEADERS = ["Retry-After", "WWW-Authenticate", "X-Request-ID"]
SECURE_SSL_REDIRECT = not DEBUG
SECURE_HSTS_SECONDS = 0 if DEBUG else int(timedelta(days=730).total_seconds())
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if conf.TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# The middleware holds pages to MAX_BODY. Of a body that is too large it is given one byte more than there may be.
DATA_UPLOAD_MAX_MEMORY_SIZE = max(conf.MAX_BODY, conf.MAX_RECEIPTS_BODY) + 1
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50
DATA_UPLOAD_MAX_NUMBER_FILES = 1

# Messages

DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", f"{SITE_NAME} <no-reply@localhost>")
EMAIL_URL = env.str("EMAIL_URL", "")
SMS_URL = env.str("SMS_URL", "")
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = 5
MESSAGES_KEPT = timedelta(seconds=env.int("MESSAGES_KEPT", 30 * 86400))
# Where providers may be besides public addresses, there in the clear, too: a relay of the shop's own.
PROVIDER_NETWORKS = env.list("PROVIDER_NETWORKS", default=[])
# The development mailbox: the one place where a code can be read, and never in production.
MAILBOX = env.bool("MAILBOX", DEBUG)
MAILBOX_DIR = BASE_DIR / "var" / "mailbox"

# Work for later

# Left empty is left out: else a shop would send its messages inside of requests.
_broker = env.str("CELERY_BROKER_URL", "") or REDIS_URL
CELERY_TASK_ALWAYS_EAGER = not _broker
CELERY_BROKER_URL = _broker or "memory://"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 30
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 0.5, "socket_timeout": 2}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# One task at a time is promised to a process: what it holds when it dies is one message.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1

# What beat asks for, and how often, stands beside the jobs: `@periodic` in the apps' `tasks.py`.
CELERY_BEAT_SCHEDULE_FILENAME = str(BASE_DIR / "var" / "beat")

# Prometheus brings it to /metrics. Empty: there is no such page.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")

# Words, numbers, files

FORMAT_MODULE_PATH = "storefront.formats"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

LOGGING = site_logging.config(debug=DEBUG, level=env.str("LOG_LEVEL", "INFO"))
