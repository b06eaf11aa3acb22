"""A test message to a member of staff, and what the provider answered, without what nobody must read there."""

import base64
import json
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from urllib.parse import quote, quote_plus

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.admin.widgets import AdminRadioSelect
from django.utils.html import escape
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from messaging import providers
from messaging.credentials import vault
from messaging.models import EMAIL, OutboxMessage
from messaging.outbox import composing
from messaging.providers import transport
from messaging.providers.base import Envelope, Permanent, Temporary

# The first words of such an entry in the history; entries are what is counted.
MARK = "Test message"
MOST, WITHIN = 5, timedelta(minutes=1)
READ, SHOWN = 10_000, 1_000
HIDDEN = "•••"
# So many characters in a row that stand in a secret are taken for a part of it.
PART = 4
NATIONAL = 7

# Faults that whoever runs the site can mend: what to do.
HINTS = {
    transport.OUTSIDE: gettext_lazy(
        "Not called: the server's address is not public. Whoever runs the site can allow its network "
        "with the setting PROVIDER_NETWORKS."
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went, in words that may be shown."""

    handed_over: bool
    told: str
    id: str = ""
    answer: str = ""


class OwnContactForm(forms.Form):
    """A choice of the staff member's own contacts, and nothing else."""

    to = forms.ChoiceField(
        label=gettext_lazy("To"), widget=AdminRadioSelect(attrs={"class": "radiolist"})
    )

    def __init__(self, *args, own, **kwargs):
        super().__init__(*args, initial={"to": own}, **kwargs)
        self.fields["to"].choices = [(own, own)] if own else []


@composing.writes("test")
def _facts(about_id, part):
    return {}


def own_contact(user, channel):
    """The verified address or number of this member of staff for the channel, or an empty text."""
    return (user.email if channel == EMAIL else user.phone) or ""


def too_often(user):
    """Whether this member of staff has had all test messages of the last minute."""
    lately = LogEntry.objects.filter(
        user_id=user.pk, change_message__startswith=MARK, action_time__gt=now() - WITHIN
    )
    return lately.count() >= MOST


def attempt(row, to):
    """Send the test letter through the provider in `row`, now, and tell what came of it. Raises nothing."""
    letter = composing.compose(OutboxMessage(letter="test", channel=row.channel, address=to))
    secrets = _secrets(row)

    def clean(text):
        return redact(str(text), secrets=secrets, to=to)

    try:
        kind = providers.carrier(row).kind
        if kind is None:
            return Outcome(False, _("Not sent: the credentials cannot be opened."))
        handed = kind.send(Envelope(id=uuid.uuid4(), to=to, letter=letter))
    except Temporary as failure:
        told = HINTS.get(str(failure)) or _("Not taken this time: %(fault)s") % {
            "fault": clean(failure)
        }
        return Outcome(False, told, answer=clean(failure.answer))
    except Permanent as failure:
        told = _("Refused: %(fault)s") % {"fault": clean(failure)}
        return Outcome(False, told, answer=clean(failure.answer))
    except Exception as error:
        # A fault in a kind is what a test is for. Its words may quote anything; its name is safe.
        return Outcome(False, _("unexpected: %(fault)s") % {"fault": type(error).__name__})
    return Outcome(True, _("Handed over."), id=clean(handed.id), answer=clean(handed.answer))


def redact(text, *, secrets, to):
    """Cut `text` to what can be shown, and blank every part of a secret and the recipient, however written."""
    text = _recipient(to).sub(HIDDEN, text[:READ])
    parts = {part for secret in secrets for form in _forms(secret) for part in _parts(form)}
    return _without(text, parts)[:SHOWN]


def _secrets(row):
    try:
        values = row.values
    except vault.Locked:
        return []
    return [values[field] for field in row.sealed if values[field]]


def _forms(value):
    """A value as answers quote it: plain, in an address, in JSON, HTML, hex or a header of basic authentication."""
    raw = value.encode()
    yield from (value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1])
    yield from (escape(value), raw.hex(), raw.hex().upper())
    for before in range(3):
        # Base64 has three faces, by what stands before; the letters at both ends depend on the neighbours.
        bits = 8 * (before + len(raw))
        code = base64.b64encode(bytes(before) + raw).decode()[-(-8 * before // 6) : bits // 6]
        yield from (code, code.replace("+", "-").replace("/", "_"))


def _parts(form):
    size = min(PART, len(form))
    return {form[at : at + size] for at in range(len(form) - size + 1)} - {""}


def _without(text, parts):
    hidden = [False] * len(text)
    for size in {len(part) for part in parts}:
        for at in range(len(text)):
            if text[at : at + size] in parts:
                hidden[at : at + size] = [True] * size
    runs = groupby(zip(text, hidden, strict=True), key=lambda pair: pair[1])
    return "".join(
        HIDDEN if is_hidden else "".join(letter for letter, _hidden in run)
        for is_hidden, run in runs
    )


def _recipient(to):
    ways = [re.escape(form) for form in sorted(_forms(to), key=len, reverse=True) if form]
    if "@" not in to:
        # A number is also quoted without its country, and with anything between the digits.
        ways.append(
            r"(?:[+(]?\d[\d\s().-]{0,20})?"
            + r"[\s().-]{0,3}".join(re.sub(r"\D", "", to)[-NATIONAL:])
        )
    return re.compile("|".join(ways), re.IGNORECASE)
