"""Every number and switch of the front door, once. An environment variable of the same name overrides it."""

import os
from datetime import timedelta

import environ

from ratelimits.rates import parse_rate, parse_rates

env = environ.Env()


def _seconds(name: str, default: int) -> timedelta:
    return timedelta(seconds=env.int(name, default))


# Codes: six digits are 19.9 bits, which ASVS 6.5.4 calls sufficient; 10 minutes is its longest life (6.5.5).
CODE_LENGTH = env.int("CODE_LENGTH", 6)
CODE_TTL = _seconds("CODE_TTL", 600)
CODE_MAX_ATTEMPTS = env.int("CODE_MAX_ATTEMPTS", 5)
CODE_RESEND_COOLDOWN = _seconds("CODE_RESEND_COOLDOWN", 60)
CODE_GUESSES_PER_ID = parse_rates(env.str("CODE_GUESSES_PER_ID", "50/d"))
LINK_TTL = _seconds("LINK_TTL", 24 * 3600)
ALLOW_WEAK_CODES = env.bool("ALLOW_WEAK_CODES", False)

# Messages: what one recipient may get, over all purposes, and what one shopper may ask for. Of these, and of the
# guesses above, a fifth is kept for trusted browsers, signed-in owners and staff; resends and resets they have for
# themselves (LIM-12).
MESSAGES_PER_RECIPIENT = parse_rates(env.str("MESSAGES_PER_RECIPIENT", "5/h,10/d"))
RESENDS_PER_RECIPIENT = parse_rates(env.str("RESENDS_PER_RECIPIENT", "3/h"))

# What texts may cost (ABU-02, ABU-05, ABU-08): budgets for all, for one country and for the first eight digits of a
# number, each once for sign-ups, for sign-in and recovery, and for owners. A country in which fewer than one in ten of
# so many codes came back within a day gets none for sign-ups for a day.
SMS_TOTAL = parse_rates(env.str("SMS_TOTAL", "500/h"))
SMS_PER_COUNTRY = parse_rates(env.str("SMS_PER_COUNTRY", "200/h"))
SMS_PER_PREFIX = parse_rates(env.str("SMS_PER_PREFIX", "10/h"))
SMS_BEFORE_JUDGING = env.int("SMS_BEFORE_JUDGING", 50)

# Registration.
REGISTER_PER_IP = parse_rates(env.str("REGISTER_PER_IP", "20/h"))
DUPLICATE_PROBES_PER_IP = parse_rates(env.str("DUPLICATE_PROBES_PER_IP", "10/h"))
# A function that tells programs from people, like accounts.honeypot.trap; empty: nobody is asked (ABU-06).
BOT_CHECK = env.str("BOT_CHECK", "")
REGISTRATION_DUPLICATE_POLICY = env.str("REGISTRATION_DUPLICATE_POLICY", "disclose")

# Signing in: five failures close the password's way for half an hour, and no other way (LIM-01, LIM-03).
LOGIN_FAILURES = parse_rate(env.str("LOGIN_FAILURES", "5/30m"))
LOGIN_FAILURES_PER_IP = parse_rates(env.str("LOGIN_FAILURES_PER_IP", "30/10m"))
# In browsers that the account does not trust yet, by password or code.
SIGN_INS_PER_ACCOUNT = parse_rates(env.str("SIGN_INS_PER_ACCOUNT", "20/h"))
SIGN_INS_PER_BROWSER = parse_rates(env.str("SIGN_INS_PER_BROWSER", "60/h"))
CODES_PER_IP = parse_rates(env.str("CODES_PER_IP", "30/10m"))
# How many usernames one household may find out to be taken or free.
USERNAME_PROBES_PER_IP = parse_rates(env.str("USERNAME_PROBES_PER_IP", "20/m"))
TRUSTED_BROWSER_TTL = _seconds("TRUSTED_BROWSER_TTL", 365 * 86400)

# Recovery, and the account.
RESET_TTL = _seconds("RESET_TTL", 3600)
RESETS_PER_ID = parse_rates(env.str("RESETS_PER_ID", "3/h"))
NOT_ME_TTL = _seconds("NOT_ME_TTL", 3 * 86400)
REAUTH_WINDOW = _seconds("REAUTH_WINDOW", 600)
CHANGES_PER_ACCOUNT = parse_rates(env.str("CHANGES_PER_ACCOUNT", "20/h"))
DELETION_GRACE = _seconds("DELETION_GRACE", 14 * 86400)

# Passwords: length and a blocklist, no class rules unless asked for (ASVS 6.2.1, 6.2.5).
PASSWORD_MIN_LENGTH = env.int("PASSWORD_MIN_LENGTH", 12)
PASSWORD_MAX_LENGTH = env.int("PASSWORD_MAX_LENGTH", 128)
PASSWORD_COMPOSITION = env.list("PASSWORD_COMPOSITION", default=[])
# A range server like https://api.pwnedpasswords.com/range/, asked by five characters of a hash. Empty: nobody is asked.
BREACHED_PASSWORDS_URL = env.str("BREACHED_PASSWORDS_URL", "")

# Sessions, and who is believed about the address of a client.
SESSION_IDLE = _seconds("SESSION_IDLE", 14 * 86400)
SESSION_ABSOLUTE = _seconds("SESSION_ABSOLUTE", 30 * 86400)
# Apps: how long one may stay away, and be signed in at most; and how long the answer to a refresh is given again.
APP_SESSION_IDLE = _seconds("APP_SESSION_IDLE", 30 * 86400)
APP_SESSION_ABSOLUTE = _seconds("APP_SESSION_ABSOLUTE", 180 * 86400)
REFRESH_GRACE = _seconds("REFRESH_GRACE", 30)
# What a right code of a number is good for, in minutes: the rest of the registration (promise 2.8).
AUTH_REGISTRATION_TOKEN_EXPIRY_MINUTES = timedelta(
    minutes=env.int("AUTH_REGISTRATION_TOKEN_EXPIRY_MINUTES", 10)
)
# Whether programs must name an attempt by its handle; else also by its address, whose tries a stranger can use up.
API_NEEDS_ATTEMPT = env.bool("API_NEEDS_ATTEMPT", False)
API_ACCESS_TTL = _seconds("API_ACCESS_TTL", 600)
STAFF_SESSION_IDLE = _seconds("STAFF_SESSION_IDLE", 1800)
STAFF_SESSION_ABSOLUTE = _seconds("STAFF_SESSION_ABSOLUTE", 12 * 3600)
STAFF_LOGINS_PER_IP = parse_rates(env.str("STAFF_LOGINS_PER_IP", "30/10m"))
STAFF_LOGINS_PER_NAME = parse_rates(env.str("STAFF_LOGINS_PER_NAME", "5/30m"))
# How many addresses one member of staff may look up.
STAFF_LOOKUPS = parse_rates(env.str("STAFF_LOOKUPS", "100/h"))
# Codes of the staff pages to one contact, each after a right staff password.
STAFF_MESSAGES = parse_rates(env.str("STAFF_MESSAGES", "20/h,60/d"))
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0)

# Receipts of providers that nothing verifies, and from how many on staff hear of it; a genuine one always passes.
WEBHOOK_FAILURES_PER_IP = parse_rates(env.str("WEBHOOK_FAILURES_PER_IP", "60/10m"))

# From the right password to the code at the staff's door.
STAFF_CODE_WITHIN = _seconds("STAFF_CODE_WITHIN", 1800)

# From how many on staff hear of locked passwords, codes sent, used codes that are typed again, refresh
# tokens used twice, and limits (LOG-06).
ALERT_LOCKS = parse_rate(env.str("ALERT_LOCKS", "20/10m"))
ALERT_CODES = parse_rate(env.str("ALERT_CODES", "2000/10m"))
ALERT_REPLAYS = parse_rate(env.str("ALERT_REPLAYS", "20/10m"))
ALERT_TOKENS = parse_rate(env.str("ALERT_TOKENS", "5/10m"))
ALERT_LIMITS = parse_rate(env.str("ALERT_LIMITS", "2000/10m"))

# How long rows are kept that nobody needs any more (LOG-06). Sessions go when they end; messages: MESSAGES_KEPT.
CHALLENGES_KEPT = _seconds("CHALLENGES_KEPT", 90 * 86400)
EVENTS_KEPT = _seconds("EVENTS_KEPT", 400 * 86400)

# How the site is served: threads of a process for pages, and how many passwords it looks at at once. Of those there are
# two for each core of the machine, split over the processes: more would take memory (19 MiB each) and no less time.
WEB_THREADS = env.int("WEB_THREADS", 4)
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", 1)
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
HASHES_AT_ONCE = env.int("HASHES_AT_ONCE", max(1, 2 * CORES // max(1, WEB_CONCURRENCY)))

# Input: refused by size before any work is done on it (IDN-09).
MAX_BODY = env.int("MAX_BODY", 64 * 1024)
# Providers send receipts by the hundred.
MAX_RECEIPTS_BODY = env.int("MAX_RECEIPTS_BODY", 1024 * 1024)
# Our own text message fits, whole, with a long name of a shop.
CODE_INPUT_MAX = 320
EMAIL_MAX = 254
NAME_MAX = 150
USERNAME_MAX = 32
NEXT_MAX = 512

# Mobile numbers: the region of numbers typed without a country, and the countries we text. Empty: none, all.
PHONE_REGION = env.str("PHONE_REGION", "")
PHONE_COUNTRIES = env.list("PHONE_COUNTRIES", default=[])
