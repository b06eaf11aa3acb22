"""The moment somebody who has an account is let in, whichever journey brought them here."""

from collections.abc import Callable

from django.db.models.functions import Now

from accounts import audit, limits
from accounts.flows import notifications
from accounts.identifiers import Identifier
from accounts.models import User
from accounts.sessions.trusted_browsers import Visitor
from ratelimits.engine import consume

# Signs a user in at the browser that asks. A flow calls it last in its transaction: nobody is verified without a
# session, and no session outlives what ended the others meanwhile (SES-13).
SignIn = Callable[[User], None]
# Gives the session of the browser that asks a new key, in the same way.
RenewSession = Callable[[], None]


def record_sign_in(user: User, name: Identifier, visitor: Visitor, **still: object) -> bool:
    """Note the sign-in, tell the owner of a new device, and undo a deletion that waits; in the caller's transaction.

    `still` are columns that must be as they were. False when the account changed meanwhile (SES-06). Raises TooOften
    when too many browsers that the account does not trust have come in lately: each leaves a session and messages.
    """
    is_new, undone = not visitor.trusted_browser_id(user), user.deletion_due_at
    account = User.objects.shoppers().filter(pk=user.pk, is_active=True, **still)
    if not account.update(last_login=Now(), deletion_due_at=None):
        return False
    if is_new:
        # After the user, as everywhere; and all of it is undone when there is no room.
        limits.enforce(*limits.sign_ins(str(user.pk)))
    news = [*(["new_device"] if is_new else []), *(["deletion_undone"] if undone else [])]
    audit.record("signed_in", *news, client=visitor.client, identifier=name, user=user)
    for what in news:
        to = notifications.primary_contacts(user)
        if what == "deletion_undone" and not _counts_as_change(user):
            to = notifications.email_contacts(user)
        notifications.notify(user, what, client=visitor.client, to=to)
    return True


def _counts_as_change(user: User) -> bool:
    """Whether there was room to count one more change: who comes in is never refused for it, only not texted."""
    changes = limits.changes(str(user.pk))
    return len(consume(*changes)) == len(changes)
