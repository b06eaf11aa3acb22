"""A test message to a member of staff, and what may be shown of the provider's response."""

import uuid
from dataclasses import dataclass

from django import forms
from django.contrib.admin.widgets import AdminRadioSelect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import limits
from messaging import providers
from messaging.models import EMAIL, OutboxMessage
from messaging.outbox import composing
from messaging.providers import transport
from messaging.providers.base import (
    NO_RESPONSE,
    Envelope,
    PermanentFailure,
    ResponseSummary,
    TemporaryFailure,
)
from ratelimits.engine import try_consume

# The first words of such an entry in the history.
MARK = "Test message"

# Faults that whoever runs the site can repair: what to do.
HINTS = {
    providers.LOCKED: gettext_lazy("Not sent: the credentials cannot be opened."),
    transport.NOT_PUBLIC: gettext_lazy(
        "Not called: the server's address is not public. Whoever runs the site can allow its network "
        "with the setting PROVIDER_NETWORKS."
    ),
}


@dataclass(frozen=True, slots=True)
class TestResult:
    """How the test went: what to say of it, the provider's id of the message, and of its response what is safe."""

    handed_over: bool
    summary: str
    message_id: str = ""
    response: ResponseSummary = NO_RESPONSE


class OwnContactForm(forms.Form):
    """A choice of the staff member's own contacts, and nothing else."""

    to = forms.ChoiceField(
        label=gettext_lazy("To"), widget=AdminRadioSelect(attrs={"class": "radiolist"})
    )

    def __init__(self, *args, own, **kwargs):
        super().__init__(*args, initial={"to": own}, **kwargs)
        self.fields["to"].choices = [(own, own)] if own else []


@composing.composes("test")
def _facts(about_id, part):
    return {}


def own_contact(user, channel):
    """The verified address or number of this member of staff for the channel, or an empty text."""
    return (user.email if channel == EMAIL else user.phone) or ""


def may_send(user):
    """Count one test message of this member of staff; False when they have had all of the last minute."""
    return try_consume(*limits.provider_tests(str(user.pk)))


def attempt(row, to):
    """Send the test message through the provider in `row`, now. Returns a TestResult and raises nothing."""
    message = composing.compose(OutboxMessage(template="test", channel=row.channel, address=to))
    try:
        sent = providers.configure(row).send(Envelope(id=uuid.uuid4(), to=to, message=message))
    except TemporaryFailure as failure:
        summary = HINTS.get(str(failure)) or _("Not taken this time: %(fault)s") % {
            "fault": failure
        }
        return TestResult(False, summary, response=failure.response)
    except PermanentFailure as failure:
        summary = _("Refused: %(fault)s") % {"fault": failure}
        return TestResult(False, summary, response=failure.response)
    except Exception as error:
        # A fault in a backend is what a test is for. Its text may quote anything; its name is safe.
        return TestResult(False, _("unexpected: %(fault)s") % {"fault": type(error).__name__})
    return TestResult(True, _("Handed over."), sent.message_id, sent.response)
