"""What the site must not start with. Each check says what is wrong and what to set."""

import sys
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from accounts import policy
from messaging import vault
from messaging.models import SMS
from messaging.providers import KINDS

TAG = "storefront"
KEY_BYTES = 32
LONGEST_CODE_LIFE = 600
CODE_LENGTHS = range(6, 9)
WORST_ODDS = 1e-4
SHORTEST_PASSWORD = 8
PER_PROCESS_CACHES = ("LocMemCache", "DummyCache")


def refuse_unsafe_start() -> None:
    """Run our checks where Django runs none: in a web process. Raises ImproperlyConfigured."""
    errors = [found for found in checks.run_checks(tags=[TAG]) if found.is_serious()]
    if errors:
        raise ImproperlyConfigured(
            "\n".join(f"{error.id}: {error.msg} {error.hint}" for error in errors)
        )


@checks.register(TAG)
def codes_are_strong(app_configs, **kwargs):
    """Codes long enough, short-lived, and few enough guesses (COD-01, COD-04, COD-07)."""
    guesses = sum(rate.times * 86400 / rate.seconds for rate in policy.CODE_GUESSES_PER_ID)
    if policy.CODE_LENGTH not in CODE_LENGTHS:
        yield _weak("E001", "CODE_LENGTH must be 6, 7 or 8.", "Leave it out for 6 digits.")
    if policy.CODE_TTL.total_seconds() > LONGEST_CODE_LIFE:
        yield _weak("E002", "CODE_TTL must be 600 seconds at most.", "ASVS 6.5.5: ten minutes.")
    if guesses / 10**policy.CODE_LENGTH > WORST_ODDS:
        yield _weak(
            "E003", "So many guesses a day make codes guessable.", "Lower CODE_GUESSES_PER_ID."
        )
    if any(len(key) < KEY_BYTES for key in settings.CODE_KEYS) or not settings.CODE_KEYS:
        yield checks.Error(
            "CODE_KEYS needs keys of 32 bytes or more, in hex.", MAKE_A_KEY, id="storefront.E004"
        )


@checks.register(TAG)
def vault_opens(app_configs, **kwargs):
    """Keys for provider credentials that are no keys are worse than none: nothing would open (ADM-05)."""
    if settings.VAULT_KEYS and not vault.can_seal():
        yield checks.Error(
            "VAULT_KEYS holds something that is no Fernet key.",
            MAKE_A_VAULT_KEY,
            id="storefront.E011",
        )


@checks.register(TAG)
def texts_have_a_way(app_configs, **kwargs):
    """SMS_URL names a kind that carries texts."""
    kind = KINDS.get(urlsplit(settings.SMS_URL).scheme)
    if settings.SMS_URL and (kind is None or kind.channel != SMS):
        yield checks.Error(
            "SMS_URL names no provider of texts.",
            "Like twilio://?account_sid=AC1&auth_token=...&sender=+15005550006",
            id="storefront.E012",
        )


@checks.register(TAG)
def passwords_are_long(app_configs, **kwargs):
    """No policy under eight characters (PWD-01)."""
    if policy.PASSWORD_MIN_LENGTH < SHORTEST_PASSWORD:
        yield checks.Error(
            "PASSWORD_MIN_LENGTH must be 8 or more.", "12 is the default.", id="storefront.E005"
        )


@checks.register(TAG)
def switches_are_known(app_configs, **kwargs):
    """A switch has one of its values."""
    if policy.REGISTRATION_DUPLICATE_POLICY not in ("disclose", "private"):
        hint = "Set it to disclose or private."
        yield checks.Error("REGISTRATION_DUPLICATE_POLICY is unknown.", hint, id="storefront.E006")


@checks.register(TAG)
def erasure_finds_everything(app_configs, **kwargs):
    """Messages go before the attempts they tell of, and attempts before the trail that knows whose they were."""
    told = settings.MESSAGES_KEPT + policy.LINK_TTL + policy.NOT_ME_TTL
    if not told <= policy.CHALLENGES_KEPT <= policy.EVENTS_KEPT:
        yield checks.Error(
            "MESSAGES_KEPT, CHALLENGES_KEPT and EVENTS_KEPT leave rows that erasure would not find.",
            "Keep attempts longer than messages, and events at least as long as attempts.",
            id="storefront.E020",
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


MAKE_A_VAULT_KEY = "Make one with: python -c 'import cryptography.fernet as f; print(f.Fernet.generate_key().decode())'"
MAKE_A_KEY = "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"


def _weak(number, message, hint):
    """An error; for demonstrations ALLOW_WEAK_CODES turns it into a warning while DEBUG is on."""
    kind = checks.Warning if policy.ALLOW_WEAK_CODES and settings.DEBUG else checks.Error
    return kind(message, hint, id=f"storefront.{number}")
