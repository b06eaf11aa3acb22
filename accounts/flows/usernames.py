"""Usernames are public: whether one is taken is always said, and how often somebody may ask is limited."""

from accounts import limits
from accounts.errors import UsernameTaken
from accounts.models import User
from accounts.sessions.client import ClientInfo


def refuse_taken(username: str, *, by: User | None = None, client: ClientInfo) -> None:
    """Refuse a username that is somebody else's, before anything is done for whoever wants it.

    Counted first and for good: to be told that it is free is a probe, too. Raises UsernameTaken, TooOften.
    """
    limits.enforce_durably(*limits.username_probes(client))
    if User.objects.is_username_taken(username, by=by):
        raise UsernameTaken
