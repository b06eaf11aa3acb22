"""People whose app is signed in: what it holds, and what it does with it."""

from django.db import transaction

from accounts.errors import TokenNotValid
from accounts.sessions.client import ClientInfo
from accounts.sessions.store import PASSWORD
from api.operations import sessions

ANDROID = ClientInfo(ip="192.0.2.7", agent="MyShop/1.2 (Android 14)")
THIEF = ClientInfo(ip="203.0.113.9", agent="curl/8 (Linux)")


class App:
    """One app of somebody, signed in as a flow does it; `tokens` is what it holds now."""

    def __init__(self, user, *, name="My Shop", client=ANDROID, device_token="", by=PASSWORD):
        entry = sessions.AppSignIn(by=by, app=name, client=client, device_token=device_token)
        with transaction.atomic():
            entry(user)
        self.session, self.tokens, self.client = entry.session, entry.tokens, client

    def refreshes(self):
        """Trade the refresh token for the next pair. Returns what it held before."""
        before = self.tokens
        self.tokens = sessions.refresh(before.refresh, client=self.client)
        return before

    @property
    def is_signed_in(self):
        """Whether both of its tokens are good for something; never only one of them."""
        answers = {_works(sessions.authenticate, self.tokens.access)}
        answers.add(_works(sessions.refresh, self.tokens.refresh, client=self.client))
        (answer,) = answers
        return answer


def _works(act, *args, **kwargs):
    try:
        act(*args, **kwargs)
    except TokenNotValid:
        return False
    return True
