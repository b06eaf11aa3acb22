"""A shopper comes back: with a password, or with a code. Strangers learn nothing (ENU-01 to ENU-05)."""

from django.db import transaction

from accounts.errors import CodeClosed, SignInWrong
from accounts.flows import challenge as challenges
from accounts.flows import entry, passwords
from accounts.identifiers import EMAIL, Identifier
from accounts.models import Challenge, Purpose, User
from accounts.sessions.trusted_browsers import Visitor


def sign_in_by_password(
    name: Identifier, password: str, *, visitor: Visitor, sign_in: entry.SignIn
) -> User:
    """Sign in whoever has this name and password. Raises SignInWrong, PasswordLocked, TooOften."""
    user = User.objects.shoppers(name).first()
    with passwords.check_at_sign_in(user, password, name=name, visitor=visitor) as right:
        if user is None or not right:
            raise SignInWrong
        with transaction.atomic():
            if not entry.record_sign_in(user, name, visitor, password=user.password):
                raise SignInWrong
            sign_in(user)
    return user


def send_code(
    identifier: Identifier, *, current: Challenge | None = None, visitor: Visitor
) -> Challenge:
    """Send a code that signs in, or go on with `current` while its code is on its way (ux 48).

    For an address without an account, or one of staff or that was shut out, it costs and answers the same, and no code
    leaves (ENU-03). Raises TooOften, ChannelDown.
    """
    if current and current.recipient == identifier.key and challenges.needs_none(current):
        return current
    user = User.objects.shoppers(identifier).filter(is_active=True).first()
    pool = challenges.count_request(visitor, user)
    return challenges.issue(
        Purpose.LOGIN,
        # To the address on the account's row, never to the spelling that was typed (IDN-02).
        (user and user.get_contact(identifier.kind)) or identifier,
        client=visitor.client,
        user_id=user.pk if user else None,
        pool=pool,
    )


def sign_in_by_code(
    challenge: Challenge, typed: str, *, visitor: Visitor, sign_in: entry.SignIn
) -> User:
    """Sign in whoever the right code was sent to. Raises the refusals of `challenges.check`, TooOften."""
    challenges.check(challenge, typed, client=visitor.client)
    user = challenge.owner
    with transaction.atomic():
        # The user first, as everywhere; and only while the contact that got the code is still theirs.
        contact = challenge.identifier
        still = {"email_key": contact.key} if contact.kind == EMAIL else {"phone": contact.key}
        if user is None or not entry.record_sign_in(user, contact, visitor, **still):
            raise CodeClosed
        challenges.use_up(challenge)
        sign_in(user)
    return user
