"""Staff: the second step at their door, and what whoever runs the site decides about them."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts import events
from accounts.errors import CodeClosed
from accounts.flows import challenge as challenges
from accounts.flows import notices
from accounts.identifiers import EMAIL, Identifier
from accounts.models import Challenge, Purpose, User
from accounts.origin import Origin

NAMES = SUPPORT, OPERATIONS, AUDITOR = "Support", "Operations", "Auditor"

# What each role may do, as Django names permissions; those that do not exist are left out.
ROLES = {
    SUPPORT: (
        *("accounts.view_user", "accounts.support_user", "accounts.view_challenge"),
        *("accounts.view_securityevent", "messaging.view_outboxmessage", "messaging.view_receipt"),
    ),
    OPERATIONS: (
        *(f"messaging.{verb}_provider" for verb in ("view", "add", "change", "delete")),
        *(f"accounts.{verb}_textcountry" for verb in ("view", "add", "change")),
        *(
            "messaging.view_channel",
            "messaging.view_breaker",
            "messaging.view_alert",
            "messaging.view_outboxmessage",
        ),
        "accounts.view_tally",
    ),
}
# The apps of which an auditor sees everything, and changes nothing.
AUDITED = ("accounts", "messaging", "admin")


def send_code(user: User, *, current: Challenge | None = None, origin: Origin) -> Challenge:
    """Send the code of the second step to the primary contact, which `user` must have.

    Goes on with `current` while its code is on its way. Raises TooOften, ChannelDown.
    """
    if current and current.user_id == user.pk and current.is_waiting:
        return current
    return challenges.issue(Purpose.STAFF, user.contacts[0], origin=origin, user_id=user.pk)


def by_code(challenge: Challenge, typed: str, *, origin: Origin) -> User:
    """Open the staff pages to whoever typed the password and now the right code (ADM-04).

    Raises the refusals of `challenges.check`; CodeClosed, too, for who is no longer staff or has another contact.
    """
    challenges.check(challenge, typed, origin=origin)
    contact = challenge.identifier
    still = {"email_key": contact.key} if contact.kind == EMAIL else {"phone": contact.key}
    with transaction.atomic():
        # The user first, as everywhere.
        staff = User.objects.filter(is_active=True, is_staff=True, **still)
        account = staff.filter(pk=challenge.user_id or challenges.NOBODY)
        if not account.update(last_login=Now()):
            raise CodeClosed
        challenges.use_up(challenge)
        user = account.get()
        events.record("staff_signed_in", origin=origin, identifier=contact, user=user)
    return user


def set_contact(user: User, contact: Identifier) -> None:
    """Take `contact` as proven and primary, on the word of whoever runs the site. Raises IntegrityError if it is taken.

    The contact that was is told, and whoever is signed in must sign in anew.
    """
    former = user.contact(contact.kind)
    with transaction.atomic():
        columns = User.proven(contact) | {"primary": contact.kind}
        User.objects.filter(pk=user.pk).update(**columns)
        _sign_out(user)
        events.record("staff_contact_set", origin=Origin(), identifier=contact, user=user)
        if former and former.key != contact.key:
            notices.tell(user, "contact_changed", origin=Origin(), to=[former])
    user.refresh_from_db()


def set_role(user: User, role: str) -> None:
    """Make `user` staff with exactly this role, or a shopper again with "". Whoever is signed in must do so anew."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_staff=bool(role), is_superuser=False)
        user.groups.set(Group.objects.filter(name=role))
        user.user_permissions.clear()
        _sign_out(user)
        events.record("staff_role_changed", origin=Origin(), user=user)
    user.refresh_from_db()


def fill_groups(**signal: Any) -> None:
    """Make the groups and give them what their role may do; what staff added stays. After every migration."""
    using = signal.get("using", "default")
    for role in NAMES:
        group, _is_new = Group.objects.using(using).get_or_create(name=role)
        group.permissions.add(*Permission.objects.using(using).filter(_of(role)))


def _of(role: str) -> Q:
    if role == AUDITOR:
        return Q(content_type__app_label__in=AUDITED, codename__startswith="view_")
    wanted = Q(pk__in=[])
    for name in ROLES[role]:
        app, _dot, codename = name.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    return wanted


def _sign_out(user: User) -> None:
    user.sessions.all().delete()
    user.challenges.withdraw()
