"""Numbers and switches that keep what they are for: codes nobody guesses, spans that end, rates that limit."""

import math
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from accounts import conf, limits
from ratelimits.rates import Rate
from storefront.checks.startup import error, register

LONGEST_CODE_LIFE = 600
CODE_LENGTHS = range(6, 9)
WORST_ODDS = 1e-4
SHORTEST_PASSWORD = 8
MINUTE, HOUR, DAY = 60, 3600, 86400
KIB = 1024
# The least and the most, as the environment says it: seconds, bytes, times. Past these a promise of ours is broken:
# a reauthentication that never ages, a link that outlives its reason, a session without an end, a trail that is gone
# by morning.
BOUNDS: dict[str, tuple[float, float]] = {
    "CODE_TTL": (MINUTE, math.inf),  # its end is E002, where demonstrations may pass
    "CODE_MAX_ATTEMPTS": (1, 10),  # COD-07
    "CODE_RESEND_COOLDOWN": (30, HOUR),  # ABU-01
    "LINK_TTL": (10 * MINUTE, 3 * DAY),
    "RESET_TTL": (5 * MINUTE, DAY),
    "NOT_ME_TTL": (DAY, 30 * DAY),
    "REAUTH_WINDOW": (MINUTE, HOUR),
    "DELETION_GRACE": (DAY, 90 * DAY),
    "TRUSTED_BROWSER_TTL": (DAY, 400 * DAY),  # no browser keeps a cookie for longer
    "SESSION_IDLE": (5 * MINUTE, 30 * DAY),
    "SESSION_ABSOLUTE": (5 * MINUTE, 90 * DAY),
    "APP_SESSION_IDLE": (HOUR, 90 * DAY),
    "APP_SESSION_ABSOLUTE": (HOUR, 400 * DAY),
    "REFRESH_GRACE": (1, 2 * MINUTE),  # a copied token is one for that long
    "API_ACCESS_TTL": (MINUTE, HOUR),  # what other services go by when a session has ended
    "AUTH_REGISTRATION_TOKEN_EXPIRY_MINUTES": (MINUTE, HOUR),  # of these here seconds
    "STAFF_SESSION_IDLE": (MINUTE, HOUR),
    "STAFF_SESSION_ABSOLUTE": (MINUTE, DAY),
    "STAFF_CODE_WITHIN": (MINUTE, HOUR),
    "PASSWORD_MIN_LENGTH": (-math.inf, 64),  # its beginning is E005, for everybody
    "PASSWORD_MAX_LENGTH": (64, 1024),  # PWD-01: a whole sentence fits, and a hash stays cheap
    "SMS_BEFORE_JUDGING": (10, 100_000),
    "TRUSTED_PROXY_COUNT": (0, 10),  # LIM-06
    "MAX_BODY": (8 * KIB, KIB * KIB),  # IDN-09
    "MAX_RECEIPTS_BODY": (64 * KIB, 16 * KIB * KIB),
    "WEB_THREADS": (1, 64),
    "HASHES_AT_ONCE": (1, 256),  # LIM-09
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
LEAVE_IT_OUT = ".env.example says what it is for; leave it out for the default."


@register
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


@register
def passwords_are_long(app_configs, **kwargs):
    """No policy under eight characters (PWD-01)."""
    if conf.PASSWORD_MIN_LENGTH < SHORTEST_PASSWORD:
        yield error("E005", "PASSWORD_MIN_LENGTH must be 8 or more.", "12 is the default.")


@register
def programs_are_told_by_something(app_configs, **kwargs):
    """BOT_CHECK names a function: registration would fail at every request (ABU-06)."""
    with suppress(ImportError):
        if not conf.BOT_CHECK or callable(import_string(conf.BOT_CHECK)):
            return
    yield error(
        "E034",
        "BOT_CHECK names no function.",
        "Like accounts.honeypot.trap; leave it out to ask nobody.",
    )


@register
def switches_are_known(app_configs, **kwargs):
    """A switch has one of its values."""
    if conf.REGISTRATION_DUPLICATE_POLICY not in ("disclose", "private"):
        hint = "Set it to disclose or private."
        yield error("E006", "REGISTRATION_DUPLICATE_POLICY is unknown.", hint)


@register
def erasure_finds_everything(app_configs, **kwargs):
    """With DEBUG off: messages go before attempts, and those before the trail that says whose they were."""
    if settings.DEBUG:
        return
    told = settings.MESSAGES_KEPT + conf.LINK_TTL + conf.NOT_ME_TTL
    if not told <= conf.CHALLENGES_KEPT <= conf.EVENTS_KEPT:
        yield error(
            "E021",
            "MESSAGES_KEPT, CHALLENGES_KEPT and EVENTS_KEPT leave rows that erasure would not find.",
            "Keep attempts longer than messages, and events at least as long as attempts.",
        )


@register
def numbers_keep_promises(app_configs, **kwargs):
    """With DEBUG off: no span, size or rate that undoes what it is for."""
    if settings.DEBUG:
        return
    for name, (least, most) in BOUNDS.items():
        if not least <= _number(name) <= most:
            told = f"{name} must be between {least} and {most}, and is {_number(name):g}."
            yield error("E019", told, LEAVE_IT_OUT)
    for name, daily in RATES.items():
        if _daily(name) > daily:
            told = f"{name} allows {_daily(name):g} times a day, which is more than {daily}."
            yield error("E020", told, LEAVE_IT_OUT)


def _weak(number, message, hint):
    """An error; for demonstrations ALLOW_WEAK_CODES turns it into a warning while DEBUG is on."""
    kind = checks.Warning if conf.ALLOW_WEAK_CODES and settings.DEBUG else checks.Error
    return kind(message, hint, id=f"storefront.{number}")


def _number(name: str) -> float:
    value = getattr(conf, name, None)
    value = getattr(settings, name) if value is None else value
    return value.total_seconds() if isinstance(value, timedelta) else value


def _daily(name: str) -> float:
    """How often in a day the tightest of some rates lets it happen."""
    rates = getattr(conf, name)
    each = [rates] if isinstance(rates, Rate) else rates
    return min(rate.times * DAY / rate.seconds for rate in each)
