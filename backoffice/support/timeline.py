"""All that happened around one person, newest first, in words for staff."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from django.db.models import Prefetch
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.identifiers import EMAIL, PHONE, Identifier, fingerprints
from accounts.models import EVENT_WORDS, Challenge, Purpose, SecurityEvent
from backoffice.badges import status_badge
from backoffice.models import CLIENTS
from backoffice.provider_names import NAME, ProviderNames
from backoffice.support import challenge_status
from messaging.models import OutboxMessage, Receipt

PAGE_SIZE = 100
# What is said of a space of the API; of the pages nothing.
SPACES = dict(CLIENTS)

# Where the shopper is told "you", and what no shopper is told at all.
WORDS = EVENT_WORDS | {
    "registered": gettext_lazy("The account was created"),
    "profile_completed": gettext_lazy("The profile was completed"),
    "profile_changed": gettext_lazy("Names were changed"),
    "username_changed": gettext_lazy("The username was changed"),
    "sign_in_failed": gettext_lazy("A wrong password was typed"),
    "password_changed": gettext_lazy("The password was changed"),
    "code_sent": gettext_lazy("A code or a link was sent"),
    "reauthenticated": gettext_lazy("Somebody confirmed who they are"),
    "token_replayed": gettext_lazy("A refresh token was used twice: the app was signed out"),
    "data_downloaded": gettext_lazy("The data was downloaded"),
    "duplicate_registration": gettext_lazy("Somebody tried to register a taken address"),
    "number_refused": gettext_lazy("A number that is not texted was refused"),
    "sms_stopped": gettext_lazy("A text was refused: a budget is spent, or a country closed"),
    "erased": gettext_lazy("An account was erased"),
    "staff_sign_in_failed": gettext_lazy("Sign-in to the staff pages failed"),
    "staff_sign_in_limited": gettext_lazy("Too many tries to sign in to the staff pages"),
    "staff_recovery_sent": gettext_lazy("Staff sent a recovery message"),
    "staff_ended_sessions": gettext_lazy("Staff ended all sessions"),
    "staff_lifted_lock": gettext_lazy("Staff lifted the lock of the password"),
    "staff_removed_contact": gettext_lazy("Staff removed a contact"),
    "staff_deactivated": gettext_lazy("Staff deactivated the account"),
    "staff_reactivated": gettext_lazy("Staff activated the account again"),
    "staff_acted": gettext_lazy("Staff acted for a shopper"),
    "staff_role_changed": gettext_lazy("The role on the staff pages was changed"),
    "staff_looked_up": gettext_lazy("Staff looked an address up"),
    "staff_viewed": gettext_lazy("Staff opened a row"),
    "staff_added": gettext_lazy("Staff added a row"),
    "staff_changed": gettext_lazy("Staff changed a row"),
    "staff_removed": gettext_lazy("Staff removed a row"),
    "keys_rotated": gettext_lazy("Credentials were sealed under a new key"),
}
TEMPLATES = {
    "code": gettext_lazy("Code"),
    "reset": gettext_lazy("Link for a new password"),
    "notice": gettext_lazy("Notice of a change"),
    "warning": gettext_lazy("Warning to superusers"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: when, what, its state, and more about it, one line each."""

    at: datetime
    words: str
    badge: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of entries, and the moment before which the next page begins, if there is one."""

    entries: list[Entry]
    older: str = ""


def build(user, before=None):
    """Return what happened to `user` and to their contacts, from `before` back."""
    until = before or Now()
    challenges, names = list(_challenges(user, until)), ProviderNames()
    sent = messages(challenges).filter(created_at__lt=until)[: PAGE_SIZE + 1]
    entries = [
        # Of what happened at the very same moment the effect stands before its cause.
        *map(_event_entry, _events(user, until)),
        *(message_entry(message, names) for message in sent),
        *map(_challenge_entry, challenges),
    ]
    return _page(sorted(entries, key=lambda entry: entry.at, reverse=True))


def parse_moment(text):
    """Return the moment in the address of a page, or None."""
    try:
        moment = datetime.fromisoformat(text)
        # At the ends of time there is no such moment here.
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def messages(challenges: Iterable[Challenge]):
    """What was sent about these attempts, newest first, with what the providers said later."""
    sent = OutboxMessage.objects.filter(about_id__in=[row.pk for row in challenges])
    said = Receipt.objects.annotate(provider_name=NAME).order_by("at", "received_at")
    named = sent.annotate(provider_name=NAME).order_by("-created_at")
    return named.prefetch_related(Prefetch("receipts", said))


def message_entry(message, names):
    """One message, with the names of providers: what, to whom, through whom, how it went."""
    kind = EMAIL if message.channel == "email" else PHONE
    words = _("%(message)s to %(address)s through %(provider)s")
    facts = {
        "message": TEMPLATES.get(message.template, message.template),
        "address": Identifier(kind, message.address, message.address).masked,
        "provider": names.name_for(
            message.provider_id, known=message.provider_name, nobody=_("nobody yet")
        ),
    }
    details = [_("Last error: %(error)s") % {"error": message.error}] if message.error else []
    details += [_receipt_line(receipt, names) for receipt in message.receipts.all()]
    return Entry(message.created_at, words % facts, status_badge(message.status), tuple(details))


def _receipt_line(receipt, names):
    facts = {
        "at": f"{receipt.at:%Y-%m-%d %H:%M:%S}",
        "provider": names.name_for(receipt.provider_id, known=receipt.provider_name),
        "what": receipt.summary,
    }
    return _("%(at)s UTC, %(provider)s said: %(what)s") % facts


def _page(entries):
    if len(entries) <= PAGE_SIZE:
        return Timeline(entries)
    last = entries[PAGE_SIZE - 1].at
    # What happened at the very same moment stays on one page.
    shown = [entry for entry in entries if entry.at >= last]
    return Timeline(shown, last.isoformat() if len(shown) < len(entries) else "")


def _events(user, until):
    """By user, and by what the user is called: two questions, an index for each."""
    names = [contact.key for contact in user.contacts] + [user.username or ""]
    prints = [each for name in names if name for each in fingerprints(name)]
    past = SecurityEvent.objects.filter(at__lt=until).order_by("-at", "-pk")
    own, others = past.filter(user=user), past.filter(user=None, fingerprint__in=prints)
    return chain(own[: PAGE_SIZE + 1], others[: PAGE_SIZE + 1])


def _challenges(user, until):
    keys = [contact.key for contact in user.contacts]
    past = Challenge.objects.with_read_at().filter(created_at__lt=until).order_by("-created_at")
    own, others = past.filter(user=user), past.filter(user=None, recipient__in=keys)
    return chain(own[: PAGE_SIZE + 1], others[: PAGE_SIZE + 1])


def _event_entry(event):
    client = SPACES.get(event.space, "")
    about = [str(part) for part in (event.about, client, event.device, event.ip) if part]
    details = (" · ".join(about),) if about else ()
    return Entry(event.at, str(WORDS.get(event.kind, event.words)), details=details)


def _challenge_entry(challenge):
    words = (
        _("A notice was written for %(address)s")
        if challenge.purpose == Purpose.NOT_ME
        else _("Somebody began: %(purpose)s with %(address)s")
    )
    facts = {
        "purpose": challenge.get_purpose_display(),
        "address": challenge.identifier.masked,
    }
    about = [SPACES.get(challenge.space, ""), challenge_status.spent(challenge)]
    details = (" · ".join(str(part) for part in about if part),) if any(about) else ()
    return Entry(
        challenge.created_at, words % facts, challenge_status.state_badge(challenge), details
    )
