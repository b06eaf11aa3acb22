"""The composers of our messages: from the template and the reference that the outbox holds to a context."""

from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import conf
from accounts.identifiers import EMAIL
from accounts.models import (
    ANONYMOUS_PURPOSES,
    TYPED_PURPOSES,
    Challenge,
    Purpose,
    SecurityEvent,
    User,
)
from messaging.models import Provider
from messaging.outbox.composing import Context, composes

# A stranger's typing reaches an address without a shopper's account once in this time.
UNKNOWN_EVERY = timedelta(days=1)
# Notices of new devices that one account gets in an hour; the list of activity has them all.
DEVICE_NOTICES_PER_HOUR = 5

# What happened: the subject, and the sentence.
NEWS = {
    "new_device": (
        gettext_lazy("New sign-in"),
        gettext_lazy("Somebody signed in to your account on a device that is new to us."),
    ),
    "token_replayed": (
        gettext_lazy("An app was signed out to be safe"),
        gettext_lazy(
            "An app in which you were signed in showed us a key that it had replaced. That happens when somebody has "
            "copied the key, or when a connection breaks off at a bad moment. To be safe we signed that app out: sign "
            "in to it again."
        ),
    ),
    "password_changed": (
        gettext_lazy("Your password was changed"),
        gettext_lazy(
            "The password of your account was changed. All other devices were signed out."
        ),
    ),
    "password_set": (
        gettext_lazy("Your account has a password now"),
        gettext_lazy("A password was added to your account."),
    ),
    "password_reset": (
        gettext_lazy("Your password was changed"),
        gettext_lazy("A new password was chosen for your account. Every device was signed out."),
    ),
    "username_changed": (
        gettext_lazy("Your username was changed"),
        gettext_lazy("The name to sign in to your account with was changed."),
    ),
    "contact_added": (
        gettext_lazy("A contact was added to your account"),
        gettext_lazy("A new email address or mobile number was added to your account."),
    ),
    "contact_changed": (
        gettext_lazy("A contact of your account was changed"),
        gettext_lazy(
            "An email address or mobile number of your account was replaced. "
            "All other devices were signed out."
        ),
    ),
    "contact_removed": (
        gettext_lazy("A contact was removed from your account"),
        gettext_lazy(
            "An email address or mobile number was removed from your account. "
            "All other devices were signed out."
        ),
    ),
    "primary_changed": (
        gettext_lazy("Messages go elsewhere now"),
        gettext_lazy("Messages about your account go to another contact of yours from now on."),
    ),
    "disowned": (
        gettext_lazy("A change of your account was taken back"),
        gettext_lazy(
            "Somebody with an earlier contact of this account said that a change was not theirs. "
            "Your contact was removed."
        ),
    ),
    "deletion_asked": (
        gettext_lazy("Your account will be deleted"),
        gettext_lazy("Somebody asked to delete your account. All devices were signed out."),
    ),
    "deletion_undone": (
        gettext_lazy("Your account stays"),
        gettext_lazy("You signed in, so your account will not be deleted."),
    ),
}

# What staff did that superusers hear of: the subject, and the sentence.
WARNINGS = {
    "provider_added": (
        gettext_lazy("A provider was added"),
        gettext_lazy(
            "%(who)s added the provider \u201c%(provider)s\u201d, which carries our messages."
        ),
    ),
    "provider_changed": (
        gettext_lazy("A provider was changed"),
        gettext_lazy(
            "%(who)s changed the server or the account of the provider \u201c%(provider)s\u201d, "
            "which carries our messages."
        ),
    ),
}


@composes("code")
def code(about_id: UUID, part: str) -> Context | None:
    """The context of a code's message, or None when the code is used, replaced or too old (OUT-04)."""
    challenge = _challenge(about_id, part)
    if challenge is None or not Challenge.objects.open().filter(pk=challenge.pk).exists():
        return None
    if challenge.is_decoy:
        return _unknown(challenge)
    owner = _owner(challenge)
    if owner and challenge.purpose != Purpose.REGISTER:
        # Somebody else's address: its owner is told, by email only, and no code leaves (ENU-07, ABU-03).
        return _asked(challenge) | {"template": "claimed"} if challenge.kind == EMAIL else None
    if owner and owner.is_staff:
        return _unknown(challenge)
    account = owner or challenge.owner
    # An account that changed sides meanwhile is none of the other side.
    if account and not (account.is_active and account.is_staff == challenge.is_of_staff):
        return None
    return _asked(challenge) | {
        "code": challenge.code,
        "link": "" if owner else _link(challenge),
        "minutes": _minutes(conf.CODE_TTL),
        "host": urlsplit(settings.SITE_URL).hostname,
        "welcome_back": owner is not None,
        # Whoever asked for it has the password already: to its owner that is news, not noise.
        "knows_password": challenge.purpose in (Purpose.STAFF, Purpose.STAFF_CHANGE),
    }


@composes("reset")
def reset(about_id: UUID, part: str) -> Context | None:
    """The context of the email with which a new password is chosen, or None when it is not wanted any more."""
    challenge = _challenge(about_id, part)
    if challenge is None:
        return None
    if challenge.is_decoy:
        return _unknown(challenge)
    if challenge.shopper is None:
        return None
    return _asked(challenge) | {
        "link": _page("password-reset-new", challenge, frontend="password-reset"),
        # Sent again, it is the same link, and works no longer for it.
        "minutes": max(1, _minutes(challenge.link_life)),
    }


@composes("notice")
def notice(about_id: UUID, what: str) -> Context | None:
    """The context of what happened to an account, and the way to say "this was not me"."""
    sent = Challenge.objects.filter(pk=about_id, purpose=Purpose.NOT_ME).with_link_life().first()
    owner = sent.owner if sent else None
    if sent is None or owner is None or not owner.is_active:
        return None
    if what == "new_device" and _is_notice_over_limit(sent, owner):
        return None
    title, sentence = NEWS[what]
    # A link that was ended, or never began, does not take the news along.
    has_link = sent.cancelled_at is None and sent.link_life > timedelta()
    return {
        "title": title,
        "sentence": sentence,
        "advice": _advice(what, owner),
        "at": sent.created_at,
        "device": sent.device,
        "link": _page("not-me", sent) if has_link and sent.shopper else "",
    }


@composes("warning")
def warning(about_id: UUID, what: str) -> Context | None:
    """The context of what staff did to a provider, for superusers; not through that provider, if another can."""
    entry = LogEntry.objects.filter(pk=about_id.int).select_related("user").first()
    if entry is None:
        return None
    title, sentence = WARNINGS[what]
    row = Provider.objects.filter(pk=str(entry.object_id)).first()
    names = {"who": entry.user.get_username(), "provider": entry.object_repr}
    return {
        "title": title,
        "sentence": sentence % names,
        "at": entry.action_time,
        "device": "",
        "avoid_provider": row.pk if row else None,
        **names,
    }


def _challenge(about_id: UUID, part: str) -> Challenge | None:
    """The attempt a message speaks of, if it is still the newest message of it."""
    return Challenge.objects.live().filter(pk=about_id, sends=part).with_link_life().first()


def _asked(challenge: Challenge) -> Context:
    return {"requested_at": challenge.sent_at, "device": challenge.device}


def _owner(challenge: Challenge) -> User | None:
    """Whose account the identifier of an attempt already opens, if it is not the one that asks."""
    if challenge.purpose not in (Purpose.REGISTER, *TYPED_PURPOSES):
        return None
    found = User.objects.for_identifier(challenge.identifier).first()
    return None if found is None or found.pk == challenge.user_id else found


def _unknown(challenge: Challenge) -> Context | None:
    """Word to an email address without an account, or of staff, once a day; never to numbers (ABU-03).

    Nor to somebody shut out. To staff it says where they sign in, and that who also shops needs another address.
    """
    if challenge.kind != EMAIL or challenge.sends > 1:
        return None
    account = User.objects.for_identifier(challenge.identifier).first()
    if account and not (account.is_staff and account.is_active):
        return None
    if _was_written_to(
        challenge, [*ANONYMOUS_PURPOSES, Purpose.REGISTER] if account else ANONYMOUS_PURPOSES
    ):
        return None
    if account:
        return _asked(challenge) | {"template": "staff"}
    link = f"{settings.SITE_URL}{reverse('accounts:register')}"
    return _asked(challenge) | {"template": "unknown", "link": link}


def _was_written_to(challenge: Challenge, purposes: Iterable[Purpose]) -> bool:
    """Whether an attempt for one of these purposes reached the address lately."""
    others = Challenge.objects.filter(
        recipient=challenge.recipient, user=None, purpose__in=purposes
    )
    recent = others.filter(
        created_at__gt=Now() - UNKNOWN_EVERY, created_at__lte=challenge.created_at
    )
    return recent.exclude(pk=challenge.pk).exists()


def _is_notice_over_limit(sent: Challenge, owner: User) -> bool:
    """Whether the hour up to this notice had as many new devices as anybody wants to read of."""
    hour = SecurityEvent.objects.filter(
        user=owner,
        kind="new_device",
        at__gt=sent.created_at - timedelta(hours=1),
        at__lte=sent.created_at,
    )
    return hour.count() > DEVICE_NOTICES_PER_HOUR


def _advice(what: str, user: User) -> str:
    if user.is_staff:
        # No link of a mailbox changes anything here.
        return _("If this was not you, tell whoever runs the site at once.")
    if what != "deletion_asked" or user.deletion_due_at is None:
        return ""
    day = date_format(localtime(user.deletion_due_at), "j F Y")
    return _("Sign in before %(day)s to keep it.") % {"day": day}


def _link(challenge: Challenge) -> str:
    if challenge.kind != EMAIL or challenge.purpose != Purpose.REGISTER:
        return ""
    return _page("verify-email", challenge, frontend="verify-email")


def _page(name: str, challenge: Challenge, *, frontend: str = "") -> str:
    """The address of the page `name` with the token; for what a program began `frontend`, where the shop has one."""
    query = urlencode({"token": challenge.link_token})
    if frontend and challenge.space and settings.FRONTEND_URL:
        return f"{settings.FRONTEND_URL}/{frontend}?{query}"
    return f"{settings.SITE_URL}{reverse(f'accounts:{name}')}?{query}"


def _minutes(span: timedelta) -> int:
    return round(span.total_seconds() / 60)
