"""What the site must not start with. Each check says what is wrong and what to set."""

import base64
import ipaddress
import math
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from celery import signals
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from accounts import conf, limits
from messaging.credentials import vault
from messaging.models import SMS
from messaging.providers import BACKENDS, transport
from ratelimits.rates import Rate

TAG = "storefront"
KEY_BYTES = 32
LONGEST_CODE_LIFE = 600
CODE_LENGTHS = range(6, 9)
WORST_ODDS = 1e-4
SHORTEST_PASSWORD = 8
PER_PROCESS_CACHES = ("LocMemCache", "DummyCache")
# What Django asks of a SECRET_KEY (security.W009), and of all other keys in bytes.
SECRET_LENGTH, TOKEN_LENGTH, DIFFERENT = 50, 32, 5
# Of a shop's own networks, and of public ones, by the version of IP.
WIDEST_NETWORK = 8
WIDEST_PUBLIC = {4: 24, 6: 48}
OWN_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8 fc00::/7 ::1/128"
    ).split()
]
# Where clouds tell their machines who they are, credentials included (ADM-07): AWS, Google, Azure and most others;
# Alibaba; Azure's second; AWS and Google in IPv6.
NEVER_PROVIDERS = [
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16 fe80::/10 100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254"
    ).split()
]
# Kinds of EMAIL_URL that send; all others print, keep or forget.
SENDING = ("smtp", "smtps", "smtp+tls", "smtp+ssl")

MINUTE, HOUR, DAY = 60, 3600, 86400
KIB = 1024
# The least and the most, as the environment says it: seconds, bytes, times. Past these a promise of ours is broken:
# a proof that never ages, a link that outlives its reason, a session without an end, a trail that is gone by morning.
BOUNDS: dict[str, tuple[float, float]] = {
    "CODE_TTL": (MINUTE, math.inf),  # its end is E002, where demonstrations may pass
    "CODE_MAX_ATTEMPTS": (1, 10),  # COD-07
    "CODE_RESEND_COOLDOWN": (30, HOUR),  # ABU-01
    "LINK_TTL": (10 * MINUTE, 3 * DAY),
    "RESET_TTL": (5 * MINUTE, DAY),
    "NOT_ME_TTL": (DAY, 30 * DAY),
    "REAUTH_WINDOW": (MINUTE, HOUR),
    "DELETION_GRACE": (DAY, 90 * DAY),
    "FAMILIAR_TTL": (DAY, 400 * DAY),  # no browser keeps a cookie for longer
    "SESSION_IDLE": (5 * MINUTE, 30 * DAY),
    "SESSION_ABSOLUTE": (5 * MINUTE, 90 * DAY),
    "STAFF_SESSION_IDLE": (MINUTE, HOUR),
    "STAFF_SESSION_ABSOLUTE": (MINUTE, DAY),
    "STAFF_CODE_WITHIN": (MINUTE, HOUR),
    "PASSWORD_MIN_LENGTH": (-math.inf, 64),  # its beginning is E005, for everybody
    "PASSWORD_MAX_LENGTH": (64, 1024),  # PWD-01: a whole sentence fits, and a hash stays cheap
    "TEXTS_BEFORE_JUDGING": (10, 100_000),
    "TRUSTED_PROXY_COUNT": (0, 10),  # LIM-06
    "MAX_BODY": (8 * KIB, KIB * KIB),  # IDN-09
    "MAX_RECEIPTS_BODY": (64 * KIB, 16 * KIB * KIB),
    "CHALLENGES_KEPT": (2 * DAY, 1000 * DAY),
    "EVENTS_KEPT": (30 * DAY, 4000 * DAY),  # LOG-06
    "MESSAGES_KEPT": (DAY, 400 * DAY),
}
# How often in a day, at the most, the tightest of the rates may let it happen. What texts cost, and from how many on
# staff are alerted, is the shop's own affair.
RATES: dict[str, float] = {
    "LOGIN_FAILURES": 1_000,  # LIM-01
    "LOGIN_FAILURES_PER_IP": 50_000,  # LIM-05
    "CODES_PER_IP": 50_000,
    "REGISTER_PER_IP": 50_000,
    "DUPLICATE_PROBES_PER_IP": 1_000,  # ENU-06
    "MESSAGES_PER_RECIPIENT": 100,  # ABU-01
    "RESENDS_PER_RECIPIENT": 500,
    "RESETS_PER_ID": 500,
    "CHANGES_PER_ACCOUNT": 5_000,
    "SIGN_INS_PER_ACCOUNT": 5_000,
    "SIGN_INS_PER_BROWSER": 5_000,
    "USERNAME_PROBES_PER_IP": 50_000,
    "STAFF_MESSAGES": 1_000,
    "STAFF_LOOKUPS": 10_000,  # LOG-01
    "STAFF_LOGINS_PER_NAME": 1_000,  # LIM-08
    "STAFF_LOGINS_PER_IP": 50_000,
    "WEBHOOK_FAILURES_PER_IP": 50_000,
}


def refuse_unsafe_start() -> None:
    """Run our checks where Django runs none: in a web process. Raises ImproperlyConfigured."""
    errors = [found for found in checks.run_checks(tags=[TAG]) if found.is_serious()]
    if errors:
        raise ImproperlyConfigured(
            "\n".join(f"{error.id}: {error.msg} {error.hint}" for error in errors)
        )


@signals.celeryd_init.connect
@signals.beat_init.connect
def refuse_unsafe_worker(**_signal) -> None:
    """The same in a worker and in beat, before the first task."""
    try:
        refuse_unsafe_start()
    except ImproperlyConfigured as problem:
        # Of what a receiver raises Celery makes a line in the log, and goes on; an exit it lets through.
        raise SystemExit(str(problem)) from None


@checks.register(TAG)
def codes_are_strong(app_configs, **kwargs):
    """Codes long enough, short-lived, and few enough guesses (COD-01, COD-04, COD-07)."""
    rates = conf.CODE_GUESSES_PER_ID
    # Those of strangers, and those of the owner's own browsers.
    every = [*rates, *map(limits.part_of_strangers, rates)]
    guesses = sum(rate.times * 86400 / rate.seconds for rate in every)
    if conf.CODE_LENGTH not in CODE_LENGTHS:
        yield _weak("E001", "CODE_LENGTH must be 6, 7 or 8.", "Leave it out for 6 digits.")
    if conf.CODE_TTL.total_seconds() > LONGEST_CODE_LIFE:
        yield _weak("E002", "CODE_TTL must be 600 seconds at most.", "ASVS 6.5.5: ten minutes.")
    if guesses / 10**conf.CODE_LENGTH > WORST_ODDS:
        yield _weak(
            "E003", "So many guesses a day make codes guessable.", "Lower CODE_GUESSES_PER_ID."
        )


@checks.register(TAG)
def keys_are_keys(app_configs, **kwargs):
    """Long and random enough, and each for one purpose: who learns one must not have another (COD-03, KEY-01)."""
    for name, number in (("CODE_KEYS", "E004"), ("FINGERPRINT_KEYS", "E013")):
        keys = getattr(settings, name)
        if not keys or any(len(key) < KEY_BYTES or _is_plain(key) for key in keys):
            told = f"{name} needs random keys of {KEY_BYTES} bytes or more, in hex."
            yield checks.Error(told, MAKE_A_KEY, id=f"storefront.{number}")
    for one, other in _same_keys():
        told = f"{one} and {other} hold the same key."
        yield checks.Error(told, "Make one for each purpose.", id="storefront.E014")


@checks.register(TAG)
def vault_opens(app_configs, **kwargs):
    """Keys for provider credentials that are no keys are worse than none: nothing would open (ADM-05)."""
    if settings.VAULT_KEYS and not vault.can_seal():
        yield checks.Error(
            "VAULT_KEYS holds something that is not a Fernet key.",
            MAKE_A_VAULT_KEY,
            id="storefront.E011",
        )


@checks.register(TAG)
def vault_keys_are_random(app_configs, **kwargs):
    """Not somebody's pattern in the shape of a key (ADM-05)."""
    keys = {spelled for text in settings.VAULT_KEYS for spelled in _spellings(text)}
    if any(map(_is_plain, keys)):
        yield checks.Error("VAULT_KEYS holds a plain key.", MAKE_A_VAULT_KEY, id="storefront.E033")


@checks.register(TAG)
def programs_are_told_by_something(app_configs, **kwargs):
    """BOT_CHECK names a function: registration would fail at every request (ABU-06)."""
    with suppress(ImportError):
        if not conf.BOT_CHECK or callable(import_string(conf.BOT_CHECK)):
            return
    yield checks.Error(
        "BOT_CHECK names no function.",
        "Like accounts.honeypot.trap; leave it out to ask nobody.",
        id="storefront.E034",
    )


@checks.register(TAG)
def texts_have_a_way(app_configs, **kwargs):
    """SMS_URL names a kind that carries texts."""
    kind = BACKENDS.get(urlsplit(settings.SMS_URL).scheme)
    if settings.SMS_URL and (kind is None or kind.channel != SMS):
        yield checks.Error(
            "SMS_URL names no provider of texts.",
            "Like twilio://?account_sid=AC1&auth_token=...&sender=+15005550006",
            id="storefront.E012",
        )


@checks.register(TAG)
def passwords_are_long(app_configs, **kwargs):
    """No policy under eight characters (PWD-01)."""
    if conf.PASSWORD_MIN_LENGTH < SHORTEST_PASSWORD:
        yield checks.Error(
            "PASSWORD_MIN_LENGTH must be 8 or more.", "12 is the default.", id="storefront.E005"
        )


@checks.register(TAG)
def switches_are_known(app_configs, **kwargs):
    """A switch has one of its values."""
    if conf.REGISTRATION_DUPLICATE_POLICY not in ("disclose", "private"):
        hint = "Set it to disclose or private."
        yield checks.Error("REGISTRATION_DUPLICATE_POLICY is unknown.", hint, id="storefront.E006")


@checks.register(TAG)
def erasure_finds_everything(app_configs, **kwargs):
    """With DEBUG off: messages go before attempts, and those before the trail that says whose they were."""
    if settings.DEBUG:
        return
    told = settings.MESSAGES_KEPT + conf.LINK_TTL + conf.NOT_ME_TTL
    if not told <= conf.CHALLENGES_KEPT <= conf.EVENTS_KEPT:
        yield checks.Error(
            "MESSAGES_KEPT, CHALLENGES_KEPT and EVENTS_KEPT leave rows that erasure would not find.",
            "Keep attempts longer than messages, and events at least as long as attempts.",
            id="storefront.E021",
        )


@checks.register(TAG)
def production_is_whole(app_configs, **kwargs):
    """With DEBUG off: no mailbox, a shared cache, a way for mail, https (LIM-07)."""
    if settings.DEBUG or "pytest" in sys.modules:
        return
    if settings.MAILBOX:
        yield checks.Error(
            "The mailbox shows codes.", "Leave MAILBOX out when DEBUG is off.", id="storefront.E007"
        )
    if settings.CACHES["default"]["BACKEND"].endswith(PER_PROCESS_CACHES):
        yield checks.Error("The cache is one per process.", "Set REDIS_URL.", id="storefront.E008")
    if not settings.EMAIL_URL:
        yield checks.Error(
            "No mail can leave.", "Set EMAIL_URL, like smtp://host:587.", id="storefront.E009"
        )
    if not settings.SITE_URL.startswith("https://"):
        yield checks.Error(
            "SITE_URL must start with https://.", "Links in emails use it.", id="storefront.E010"
        )


@checks.register(TAG)
def production_reaches_people(app_configs, **kwargs):
    """With DEBUG off: mail that leaves, links that lead to the shop, rows that all processes share."""
    if settings.DEBUG:
        return
    if settings.EMAIL_URL and not _is_mail_server(settings.EMAIL_URL):
        told = "EMAIL_URL names no mail server: nothing would be sent."
        yield checks.Error(told, f"One of: {', '.join(SENDING)}.", id="storefront.E030")
    if not _is_origin(settings.SITE_URL):
        told = "SITE_URL must be a scheme and a host, and nothing else."
        yield checks.Error(told, "Like https://shop.example.", id="storefront.E031")
    if _is_in_memory(settings.DATABASES["default"]):
        told = "DATABASE_URL names a database in memory: every connection has one of its own."
        yield checks.Error(told, "Like postgres://user@host/name.", id="storefront.E032")


@checks.register(TAG)
def production_is_closed(app_configs, **kwargs):
    """With DEBUG off: nothing that a stranger may guess or choose (COD-03, ADM-07)."""
    if settings.DEBUG:
        return
    if any(map(_is_weak_secret, [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])):
        told = "SECRET_KEY, or one of SECRET_KEY_FALLBACKS, is too short or too simple."
        yield checks.Error(told, MAKE_IT_LONGER, id="storefront.E015")
    if any(map(_is_anybody, settings.ALLOWED_HOSTS)):
        told = "ALLOWED_HOSTS lets anybody choose the host."
        yield checks.Error(told, "Name the hosts, like shop.example.", id="storefront.E016")
    token = settings.METRICS_TOKEN
    if token and (len(token) < TOKEN_LENGTH or _is_plain(token)):
        told = f"METRICS_TOKEN needs {TOKEN_LENGTH} random characters or more."
        yield checks.Error(
            told, "Or leave it out: /metrics then answers nobody.", id="storefront.E017"
        )


@checks.register(TAG)
def networks_are_networks(app_configs, **kwargs):
    """PROVIDER_NETWORKS lists networks, and neither the whole world nor where clouds keep credentials (ADM-07)."""
    for text in settings.PROVIDER_NETWORKS:
        if not _is_own_network(text):
            yield checks.Error(
                f"PROVIDER_NETWORKS holds {text}, which is not a network of the shop's own.",
                NAME_A_NETWORK,
                id="storefront.E018",
            )


@checks.register(TAG)
def numbers_keep_promises(app_configs, **kwargs):
    """With DEBUG off: no span, size or rate that undoes what it is for."""
    if settings.DEBUG:
        return
    for name, (least, most) in BOUNDS.items():
        if not least <= _number(name) <= most:
            told = f"{name} must be between {least} and {most}, and is {_number(name):g}."
            yield checks.Error(told, LEAVE_IT_OUT, id="storefront.E019")
    for name, daily in RATES.items():
        if _daily(name) > daily:
            told = f"{name} allows {_daily(name):g} times a day, which is more than {daily}."
            yield checks.Error(told, LEAVE_IT_OUT, id="storefront.E020")


NAME_A_NETWORK = (
    f"Like 10.1.2.0/24, of /{WIDEST_NETWORK} at the most; public ones of /24, in IPv6 /48, at the most; none with an "
    f"address where clouds keep credentials: {', '.join(map(str, NEVER_PROVIDERS))}."
)
LEAVE_IT_OUT = ".env.example says what it is for; leave it out for the default."
MAKE_IT_LONGER = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
MAKE_A_VAULT_KEY = "Make one with: python -c 'import cryptography.fernet as f; print(f.Fernet.generate_key().decode())'"
MAKE_A_KEY = "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"


def _weak(number, message, hint):
    """An error; for demonstrations ALLOW_WEAK_CODES turns it into a warning while DEBUG is on."""
    kind = checks.Warning if conf.ALLOW_WEAK_CODES and settings.DEBUG else checks.Error
    return kind(message, hint, id=f"storefront.{number}")


def _is_plain(key: str | bytes) -> bool:
    """Whether a key is made of too few signs, or at least half of it only repeats what came before."""
    spans = range(1, (len(key) + 1) // 2 + 1)
    return len(set(key)) < DIFFERENT or any(key[span:] == key[:-span] for span in spans)


def _is_weak_secret(secret: str) -> bool:
    return len(secret) < SECRET_LENGTH or _is_plain(secret) or secret.startswith("django-insecure-")


def _is_anybody(host: str) -> bool:
    """Whether a pattern of hosts matches what others may have: `*`, or all that ends with one label, like .com."""
    return host == "*" or (host.startswith(".") and "." not in host.strip("."))


def _is_mail_server(url: str) -> bool:
    address = urlsplit(url)
    return address.scheme in SENDING and bool(address.hostname)


def _is_origin(url: str) -> bool:
    """Whether an address is nothing but scheme, host and port: every link begins with it."""
    return bool(re.fullmatch(r"https?://[^\s/?#@\\:][^\s/?#@\\]*", url))


def _is_in_memory(database: dict[str, Any]) -> bool:
    name = str(database["NAME"])
    return database["ENGINE"].endswith("sqlite3") and (":memory:" in name or "mode=memory" in name)


def _is_own_network(text: str) -> bool:
    try:
        (network,) = transport.parse_networks([text])
    except ValueError:
        return False
    if any(map(network.overlaps, _of_version(network.version, NEVER_PROVIDERS))):
        return False
    is_own = any(map(network.subnet_of, _of_version(network.version, OWN_NETWORKS)))
    return network.prefixlen >= (WIDEST_NETWORK if is_own else WIDEST_PUBLIC[network.version])


def _of_version(version: int, networks: list[transport.Network]) -> Iterator[Any]:
    return (network for network in networks if network.version == version)


def _same_keys() -> Iterator[tuple[str, str]]:
    """The names of each two settings that share a key, in whatever spelling."""
    owners: dict[bytes, str] = {}
    for name, key in _every_key():
        if owners.setdefault(key, name) != name:
            yield owners[key], name


def _every_key() -> Iterator[tuple[str, bytes]]:
    for name in ("CODE_KEYS", "FINGERPRINT_KEYS"):
        yield from ((name, key) for key in getattr(settings, name))
    for name, texts in (
        ("VAULT_KEYS", settings.VAULT_KEYS),
        ("SECRET_KEY", [settings.SECRET_KEY]),
        ("SECRET_KEY_FALLBACKS", settings.SECRET_KEY_FALLBACKS),
    ):
        yield from ((name, key) for text in texts for key in _spellings(text))


def _spellings(text: str) -> set[bytes]:
    """The bytes that a key given as text may stand for."""
    meant = {text.encode()}
    with suppress(ValueError):
        meant.add(bytes.fromhex(text))
    with suppress(ValueError):
        meant.add(base64.urlsafe_b64decode(text))
    return meant


def _number(name: str) -> float:
    value = getattr(conf, name, None)
    value = getattr(settings, name) if value is None else value
    return value.total_seconds() if isinstance(value, timedelta) else value


def _daily(name: str) -> float:
    """How often in a day the tightest of some rates lets it happen."""
    rates = getattr(conf, name)
    each = [rates] if isinstance(rates, Rate) else rates
    return min(rate.times * DAY / rate.seconds for rate in each)
