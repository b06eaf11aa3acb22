"""Whom a command of the staff pages is about."""

from django.core.management.base import CommandError

from accounts.models import User


def find(username: str, **narrowed: bool) -> User:
    """The account with exactly this username, as it is spelled: a near one may be a stranger's. Raises CommandError."""
    people = User.objects.filter(**narrowed)
    found = people.filter(username=username).first()
    if found:
        return found
    near = people.filter(username=username.casefold()).first()
    if near:
        raise CommandError(
            f"No account has exactly that username. There is {shown(near)}: type the username as it is spelled there."
        )
    raise CommandError(
        "No member of staff has that username." if narrowed else "Nobody has that username."
    )


def shown(user: User) -> str:
    """The account in a line for whoever runs the command: they see at once if it is not whom they meant."""
    contact = user.contacts[0].masked if user.contacts else "no contact"
    return f"{user.username} ({contact})"
