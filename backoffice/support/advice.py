"""What to tell somebody who waits for a code: one sentence, from what is known."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.errors import clock
from accounts.identifiers import EMAIL
from backoffice.support import challenge_status
from messaging.models import PENDING, Status

ACTIVE, CLOSED, STAFF = "active", "closed", "staff"
# Nothing more will reach this address, or whoever reads it wants nothing.
UNREACHABLE = (Status.BOUNCED, Status.FAILED, Status.COMPLAINED)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an address: the newest attempt, the newest message of it, and what stands in the way."""

    kind: str = EMAIL
    account: str = ""
    state: str = ""
    message: str = ""
    sent_at: datetime | None = None
    ends_at: datetime | None = None
    full_until: datetime | None = None
    is_decoy: bool = False
    can_send: bool = True
    is_country_closed: bool = False
    is_paused: bool = False


# The first that is true is what to say.
CASES = (
    (
        lambda facts: not facts.can_send,
        gettext_lazy(
            "We send no such messages at the moment: no provider is in use, or staff stopped the channel. "
            "Offer the other one."
        ),
    ),
    (
        lambda facts: facts.is_country_closed,
        gettext_lazy(
            "We send no texts to this country at the moment. Offer to use an email address."
        ),
    ),
    (
        lambda facts: facts.account == CLOSED,
        gettext_lazy("The account is deactivated, so no code is sent. Look at the user's page."),
    ),
    (
        lambda facts: facts.account == STAFF,
        gettext_lazy(
            "This address belongs to a staff account, and the shop sends no codes to those. Staff sign in on the "
            "staff pages; to shop, they need a second account with another address."
        ),
    ),
    (
        lambda facts: not facts.state and facts.full_until,
        gettext_lazy("There were too many requests. A code can be asked for again at %(until)s."),
    ),
    (
        lambda facts: not facts.state,
        gettext_lazy(
            "Nobody asked for a code with this address in the last 30 days. "
            "Read it back letter by letter, then ask the caller to request a code."
        ),
    ),
    (
        lambda facts: facts.is_decoy and not facts.account,
        gettext_lazy(
            "There is no account with this address, so no code to sign in was sent. "
            "Offer to register, or look for the address the account has."
        ),
    ),
    (
        lambda facts: facts.state == challenge_status.USED,
        gettext_lazy("The newest code was used: it worked. To sign in again, ask for a new one."),
    ),
    (
        lambda facts: facts.message in UNREACHABLE,
        gettext_lazy(
            "The message came back: this address cannot be reached. "
            "Check it for typing mistakes, or offer the other channel."
        ),
    ),
    (
        lambda facts: facts.full_until,
        gettext_lazy("There were too many requests. A code can be asked for again at %(until)s."),
    ),
    (
        lambda facts: facts.state == challenge_status.USED_UP,
        gettext_lazy("The code was tried too often and works no longer. Ask for a new one."),
    ),
    (
        lambda facts: facts.message in ("", Status.CANCELLED, Status.EXPIRED),
        gettext_lazy(
            "The newest message was never sent. Ask for a new code; if that is not sent either, tell Operations."
        ),
    ),
    (
        lambda facts: facts.state == challenge_status.EXPIRED and facts.message not in PENDING,
        gettext_lazy(
            "The code was sent at %(sent)s and worked until %(ends)s. Ask for a new one, and use it soon."
        ),
    ),
    (
        lambda facts: facts.state == challenge_status.REPLACED,
        gettext_lazy("The newest attempt was withdrawn. Ask for a new code, and use only that."),
    ),
    (
        lambda facts: facts.message in PENDING and facts.is_paused,
        gettext_lazy(
            "The message waits: the provider is paused after failures. It leaves by itself when another try works."
        ),
    ),
    (
        lambda facts: facts.message in PENDING,
        gettext_lazy("The message waits to be sent, and we keep trying. It can take some minutes."),
    ),
    (
        lambda facts: facts.message == Status.DELIVERED,
        gettext_lazy(
            "The message was delivered, and works until %(ends)s. Look among unwanted messages too; "
            "only the newest code counts."
        ),
    ),
    (
        lambda facts: True,
        gettext_lazy(
            "The message was handed over at %(sent)s, and works until %(ends)s. Wait a minute, "
            "look among unwanted messages, then ask for a new code."
        ),
    ),
)


def sentence(facts):
    """Return the sentence that helps first."""
    words = next(words for is_so, words in CASES if is_so(facts))
    return words % {
        "until": _clock(facts.full_until),
        "sent": _clock(facts.sent_at),
        "ends": _clock(facts.ends_at),
    }


def _clock(moment):
    return clock(moment) if moment else _("an unknown time")
