"""Apps that are signed in: the tokens they get, refresh, present and give back."""

from dataclasses import dataclass

from accounts import conf, outages
from accounts.errors import TokenNotValid
from accounts.flows import app_sessions
from accounts.models import Session, User
from accounts.sessions import trusted_browsers
from accounts.sessions.client import ClientInfo
from accounts.sessions.trusted_browsers import Visitor
from api import tokens


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an app gets: `access` for `expires_in` seconds, `refresh` for one more pair, and after a sign-in
    `device_token`, by which the account knows the app when it comes again.
    """

    access: str
    refresh: str
    device_token: str
    expires_in: int


class AppSignIn:
    """What a flow calls as `sign_in` (accounts.flows.entry.SignIn): makes the app's session in the transaction that
    proves, as pending.sign_in does for browsers. A flow that begins its transaction anew calls it again.
    """

    def __init__(self, *, by: str, app: str, client: ClientInfo, device_token: str = "") -> None:
        self._by, self._app, self._client = by, app, client
        self._device_token = device_token
        self._session: Session | None = None
        self._trust = ""

    def __call__(self, user: User) -> None:
        """Sign `user` in. Raises SignedOut for staff."""
        session = app_sessions.begin(user, by=self._by, app=self._app, client=self._client)
        self._session, self._trust = session, _add_trust(session, user, self._device_token)

    @property
    def session(self) -> Session:
        """The session that was made. Raises LookupError before the flow has signed anybody in."""
        if self._session is None:
            raise LookupError("Nobody has signed in yet.")
        return self._session

    @property
    def tokens(self) -> Tokens:
        """The tokens of the session, once the flow has ended. Raises LookupError before that."""
        return _tokens(self.session, self._trust)


def get_visitor(client: ClientInfo, device_token: str) -> Visitor:
    """Whoever calls: an app brings what it got as `device_token` where a browser has a cookie."""
    return Visitor(client, device_token)


def refresh(refresh_token: str, *, client: ClientInfo) -> Tokens:
    """Give the next tokens for a refresh token, in at most three statements. Raises TokenNotValid."""
    session = app_sessions.find(tokens.refresh_session_id(refresh_token))
    if session is None:
        raise TokenNotValid
    generation = tokens.read_refresh(refresh_token, session)
    return _tokens(app_sessions.rotate(session, generation, client=client))


def end(refresh_token: str, *, client: ClientInfo) -> None:
    """Sign out the app that holds this refresh token, or one from before it; a dead token is no error."""
    try:
        session = app_sessions.find(tokens.refresh_session_id(refresh_token))
        if session is None:
            return
        tokens.read_refresh(refresh_token, session)
    except TokenNotValid:
        return
    app_sessions.end(session, client=client)


def authenticate(access_token: str) -> Session:
    """The session of whoever brings an access token, with its user, in one statement. Raises TokenNotValid."""
    access = tokens.read_access(access_token)
    session = app_sessions.find(access.session_id)
    if session is None or str(session.user_id) != access.user_id:
        raise TokenNotValid
    if not access.is_current(session.read_at):
        raise TokenNotValid
    if session.is_touch_due:
        with outages.left_out_in_outage("an app's session was used"):
            session.touch()
    return session


def _tokens(session: Session, device_token: str = "") -> Tokens:
    return Tokens(
        access=tokens.mint_access(session),
        refresh=tokens.mint_refresh(session),
        device_token=device_token,
        expires_in=int(conf.API_ACCESS_TTL.total_seconds()),
    )


def _add_trust(session: Session, user: User, device_token: str) -> str:
    """The device token with one for the account of `user` in front."""
    return trusted_browsers.add(
        device_token,
        owner=str(user.pk),
        password=user.password,
        former=user.former_password,
        at=lambda: session.signed_in_at,
    )
