"""What became of the newest message of an attempt, in words for the browser that began it (ux 51)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.identifiers import EMAIL, PHONE
from accounts.models import Challenge, Purpose
from messaging.models import Status
from messaging.outbox import api as outbox

# So soon after sending nobody asks the database: what else could it say?
JUST_NOW = timedelta(seconds=2)
DELAYED_AFTER = timedelta(seconds=10)
ASKED_FOR = timedelta(seconds=60)

ON_ITS_WAY, DELAYED, SENT, DELIVERED, BOUNCED, OVER = (
    "queued delayed sent delivered bounced over".split()
)
STATES = {
    Status.QUEUED: ON_ITS_WAY,
    Status.SENDING: ON_ITS_WAY,
    Status.SENT: SENT,
    Status.DELIVERED: DELIVERED,
    Status.BOUNCED: BOUNCED,
    Status.FAILED: BOUNCED,
}
WORDS = {
    (ON_ITS_WAY, EMAIL): gettext_lazy("Your email is on its way."),
    (ON_ITS_WAY, PHONE): gettext_lazy("Your text message is on its way."),
    (DELAYED, EMAIL): gettext_lazy("This takes longer than usual. We keep trying."),
    (DELAYED, PHONE): gettext_lazy("This takes longer than usual. We keep trying."),
    (SENT, EMAIL): gettext_lazy("Handed to your mail provider."),
    (SENT, PHONE): gettext_lazy("Handed to your phone company."),
    (DELIVERED, EMAIL): gettext_lazy("Delivered. Look in your inbox."),
    (DELIVERED, PHONE): gettext_lazy("Delivered to your phone."),
    (BOUNCED, EMAIL): gettext_lazy("It came back: this address cannot be reached."),
    (BOUNCED, PHONE): gettext_lazy("It came back: this number cannot be reached."),
    (OVER, EMAIL): gettext_lazy("If nothing arrives, ask for a new code."),
    (OVER, PHONE): gettext_lazy("If nothing arrives, ask for a new code."),
}

# The journeys that have a line, and where it is asked for. Sign-in and a new password have none: anybody begins
# them for any address, and what becomes of the message would tell who has an account (ENU-01, ENU-03).
ASKED_AT = {
    Purpose.REGISTER: "accounts:register-delivery",
    Purpose.CONTACT: "accounts:contact-delivery",
    Purpose.CONFIRM: "accounts:confirm-delivery",
}


@dataclass(frozen=True, slots=True)
class Fix:
    """What helps when a message came back: a sentence that leads somewhere."""

    words: str
    url: str


@dataclass(frozen=True, slots=True)
class Line:
    """What is said; where the page asks for news of it, "" when there will be none; what helps."""

    state: str
    words: str | Promise
    url: str = ""
    fix: Fix | None = None


def status_line(challenge: Challenge | None) -> Line | None:
    """Say what became of the newest message of an attempt, or None where nothing may be told."""
    if challenge is None or not _may_show(challenge):
        return None
    age = challenge.read_at - challenge.sent_at
    state = _state(challenge, age)
    return Line(
        state=state,
        words=WORDS[state, challenge.kind],
        url=_url(challenge, state) if age < ASKED_FOR else "",
        fix=FIXES[Purpose(challenge.purpose)](challenge) if state == BOUNCED else None,
    )


def _may_show(challenge: Challenge) -> bool:
    if challenge.verified_at or challenge.cancelled_at:
        return False
    # A number of somebody else's account gets no message at all (ENU-07).
    silent = challenge.purpose == Purpose.CONTACT and challenge.kind == PHONE
    return challenge.purpose in ASKED_AT and not silent


def _state(challenge: Challenge, age: timedelta) -> str:
    if age < JUST_NOW:
        return ON_ITS_WAY
    status = outbox.status_of(challenge.pk, str(challenge.sends))
    state = STATES.get(status, OVER) if status else OVER
    if challenge.is_private:
        # A closed account gets no message: a stranger who saw it leave, or arrive, would know all others from it.
        return BOUNCED if state == BOUNCED else ON_ITS_WAY
    return DELAYED if state == ON_ITS_WAY and age > DELAYED_AFTER else state


def _url(challenge: Challenge, state: str) -> str:
    """Where to ask for news of what may still change; with what is known, so that the same is not said twice."""
    if state not in (ON_ITS_WAY, DELAYED, SENT):
        return ""
    page = reverse(ASKED_AT[Purpose(challenge.purpose)])
    return f"{page}?attempt={challenge.reference}&seen={state}"


def _other_identifier(challenge: Challenge) -> Fix:
    """Another address, or the other channel where there is one (ux 50)."""
    url = f"{reverse('accounts:register-change')}?attempt={challenge.reference}"
    if challenge.kind == PHONE:
        if outbox.can_send(outbox.EMAIL):
            return Fix(_("Check the number or use your email address."), url)
        return Fix(_("Check the number."), url)
    if outbox.can_send(outbox.SMS):
        return Fix(_("Check the address or use your mobile number."), url)
    return Fix(_("Check the address."), url)


def _other_contact(challenge: Challenge) -> Fix:
    return Fix(_("Check the address."), reverse("accounts:contact", args=[challenge.kind]))


def _password(challenge: Challenge) -> Fix | None:
    """The password instead, for whoever has one."""
    owner = challenge.owner
    if owner is None or not owner.has_usable_password():
        return None
    return Fix(_("Use your password."), reverse("accounts:confirm"))


FIXES: dict[Purpose, Callable[[Challenge], Fix | None]] = {
    Purpose.REGISTER: _other_identifier,
    Purpose.CONTACT: _other_contact,
    Purpose.CONFIRM: _password,
}
