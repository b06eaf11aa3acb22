"""When a new password is judged: by what it is like at once, by somebody else's list only after something was counted.

Django's own commands ask all validators at once; nobody but whoever runs the site comes through those.
"""

from django.contrib.auth.password_validation import (
    get_default_password_validators,
    validate_password,
)
from django.core.exceptions import ValidationError

from accounts import limits
from accounts.errors import PasswordBreached
from accounts.models import User
from accounts.password_policy.validators import BreachedValidator
from ratelimits.engine import Limit


def validate_locally(password: str, user: User) -> None:
    """Raise ValidationError for a password that is weak by itself, or for this `user`. Asks nobody."""
    alone = [each for each in get_default_password_validators() if not _asks(each)]
    validate_password(password, user, alone)


def refuse_breached(password: str, *counted: Limit) -> None:
    """Refuse a password that was seen in a breach, if there is a server to ask.

    A flow asks before it hashes, outside every transaction, and after a limit: one of its own, or `counted`, which
    is taken only when there is a server. A call to the outside is nothing to be had without end (LIM-09).
    Raises PasswordBreached, TooOften.
    """
    servers = [each for each in get_default_password_validators() if _asks(each)]
    if not password or not servers:
        return
    if counted:
        limits.enforce_durably(*counted)
    try:
        validate_password(password, None, servers)
    except ValidationError:
        raise PasswordBreached from None


def _asks(validator: object) -> bool:
    return isinstance(validator, BreachedValidator) and bool(validator.url)
