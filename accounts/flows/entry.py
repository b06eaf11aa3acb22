"""The moment somebody who has an account is let in, whichever journey brought them here."""

from django.db.models.functions import Now

from accounts import events
from accounts.familiar import Visitor
from accounts.flows import notices
from accounts.identifiers import Identifier
from accounts.models import User


def enter(user: User, name: Identifier, visitor: Visitor, **still: object) -> bool:
    """Note the sign-in, tell the owner of a new device, and undo a deletion that waits; in the caller's transaction.

    `still` are columns that must be as they were. False when the account changed meanwhile (SES-06).
    """
    is_new, undone = not visitor.knows(user), user.deletion_due_at
    account = User.objects.shoppers().filter(pk=user.pk, is_active=True, **still)
    if not account.update(last_login=Now(), deletion_due_at=None):
        return False
    news = [*(["new_device"] if is_new else []), *(["deletion_undone"] if undone else [])]
    events.record("signed_in", *news, origin=visitor.origin, identifier=name, user=user)
    for what in news:
        notices.tell(user, what, origin=visitor.origin, to=notices.primary(user))
    return True
