"""The roles of staff: what each may do, and who has which."""

from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.flows import challenge as challenges
from accounts.models import User
from accounts.sessions.client import ClientInfo

ROLE_NAMES = SUPPORT, OPERATIONS, AUDITOR = "Support", "Operations", "Auditor"

# What each role may do, as Django names permissions; those that do not exist are left out.
ROLES = {
    SUPPORT: (
        *("accounts.view_user", "accounts.support_user", "accounts.view_challenge"),
        *("accounts.view_securityevent", "messaging.view_outboxmessage", "messaging.view_receipt"),
    ),
    OPERATIONS: (
        *(f"messaging.{verb}_provider" for verb in ("view", "add", "change", "delete")),
        *(f"accounts.{verb}_smscountry" for verb in ("view", "add", "change")),
        *(
            "messaging.view_channel",
            "messaging.view_breaker",
            "messaging.view_alert",
            "messaging.view_outboxmessage",
        ),
        "backoffice.view_signuprollup",
        *("jobs.view_job", "jobs.change_job"),
    ),
}
# The apps of which an auditor sees everything, and changes nothing.
AUDITED = ("accounts", "backoffice", "jobs", "messaging", "ratelimits", "admin")

TWO_ACCOUNTS = _(
    "A staff account opens the staff pages and nothing else. If you work here and shop here, you need two accounts, "
    "with two addresses."
)


def set_role(user: User, role: str) -> None:
    """Make `user` staff with exactly this role, or a shopper again with "".

    Whatever the account had on the other side ends: sessions, attempts, links, and a deletion that waits. A shopper
    who becomes staff has no password until whoever runs the site sets one: that of the shop may be had by a mailbox
    alone, which is the second step here (ADM-04).
    """
    with transaction.atomic():
        challenges.lock_user(user.pk)
        account = User.objects.filter(pk=user.pk)
        if role:
            account.filter(is_staff=False).update(password=make_password(None))
        account.update(is_staff=bool(role), is_superuser=False, deletion_due_at=None)
        user.groups.set(Group.objects.filter(name=role))
        user.user_permissions.clear()
        challenges.end_everything(user, with_notices=True)
        # Also the first and the last of what happened to the account of a member of staff.
        audit.record("staff_role_changed", client=ClientInfo(), user=user, by=user)
    user.refresh_from_db()


def fill_groups(**signal: Any) -> None:
    """Make the groups and give them what their role may do; what staff added stays. After every migration."""
    using = signal.get("using", "default")
    for role in ROLE_NAMES:
        group, _is_new = Group.objects.using(using).get_or_create(name=role)
        group.permissions.add(*Permission.objects.using(using).filter(_permissions_of(role)))


def _permissions_of(role: str) -> Q:
    if role == AUDITOR:
        return Q(content_type__app_label__in=AUDITED, codename__startswith="view_")
    wanted = Q(pk__in=[])
    for name in ROLES[role]:
        app, _dot, codename = name.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    return wanted
