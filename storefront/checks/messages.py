"""Settings that stand in every message: with what can never work, each of them would fail."""

from urllib.parse import urlsplit

from anymail.exceptions import AnymailError
from django.conf import settings
from django.core import checks
from django.template.loader import render_to_string

from accounts import conf
from messaging.providers.smtp import parse_sender
from messaging.providers.vonage import GSM
from storefront.checks.startup import TAG, error, register

# What one part of a text holds: septets of the GSM alphabet, whose extension takes two each, or units of UTF-16.
GSM_PART, OTHER_PART = 160, 70
GSM_EXTENSION = "^{}\\[~]|€"


@register
def mail_has_a_sender(app_configs, **kwargs):
    """DEFAULT_FROM_EMAIL is one address, in the form that mail has."""
    try:
        parse_sender(settings.DEFAULT_FROM_EMAIL)
    except (AnymailError, ValueError):
        told = "DEFAULT_FROM_EMAIL is not one email address: every mail would fail."
        hint = 'Like "Ben, Jerry & Co" <hello@shop.example>: a name with other signs than letters has quotes.'
        yield error("E035", told, hint)


@register
def the_shop_has_a_name(app_configs, **kwargs):
    """SITE_NAME is one line that somebody sees."""
    if not settings.SITE_NAME.strip() or not settings.SITE_NAME.isprintable():
        told = "SITE_NAME must be one line of text."
        yield error("E036", told, "Like Storefront: it stands in every message and on every page.")


@register
def texts_have_one_part(app_configs, **kwargs):
    """A text of two parts costs twice, and arrives in two on some phones (ux 82)."""
    context = {
        "site_name": settings.SITE_NAME,
        "code": "0" * conf.CODE_LENGTH,
        "minutes": int(conf.CODE_TTL.total_seconds() // 60),
        "host": urlsplit(settings.SITE_URL).hostname,
    }
    text = render_to_string("messaging/code/sms.txt", context).strip()
    if not _is_one_part(text):
        told = "With this SITE_NAME every text with a code has two parts, and costs twice."
        strange = "".join(sorted(set(settings.SITE_NAME) - GSM))
        hint = f"Write it without {strange}." if strange else "Choose a shorter one."
        yield checks.Warning(told, hint, id=f"{TAG}.W001")


def _is_one_part(text: str) -> bool:
    if GSM.issuperset(text):
        return len(text) + sum(map(text.count, GSM_EXTENSION)) <= GSM_PART
    return len(text.encode("utf-16-le")) // 2 <= OTHER_PART
