"""Apps that are signed in: each is one row, and one family of refresh tokens of which the newest alone works."""

import secrets
import unicodedata
import uuid

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts import audit, characters, conf
from accounts.codes import new_seed
from accounts.errors import SignedOut, TokenNotValid
from accounts.flows import challenge as challenges
from accounts.flows import notifications
from accounts.models import Client, Session, User
from accounts.models.sessions import APP_NAME_MAX, app_session_end
from accounts.sessions.client import ClientInfo
from accounts.sessions.prepared import Compiled

# What may stand between the letters and digits of an app's name.
JOINS = " -&'"
# Of a longer name nothing is looked at.
READ_MAX = 200

BY_PUBLIC_ID = Compiled(
    lambda public_id: (
        Session.objects.filter(public_id=public_id)  # type: ignore[no-redef]
        .filter(client=Client.APP, expire_date__gt=Now())
        .select_related("user")
        .annotate(read_at=Now())
    )
)


def begin(user: User, *, by: str, app: str, client: ClientInfo) -> Session:
    """Sign `user` in at an app that calls itself `app`, as the last act of the transaction that proves who they are.

    They authenticated `by` PASSWORD, or by what went to their EMAIL or PHONE. Raises SignedOut for staff, to whom no
    token is ever given (ADM-04).
    """
    if user.is_staff:
        raise SignedOut
    return Session.objects.create(
        session_key=secrets.token_hex(20),
        session_data=user.get_session_auth_hash(),
        # Before the absolute end in any case: the session begins now.
        expire_date=Now() + min(conf.APP_SESSION_IDLE, conf.APP_SESSION_ABSOLUTE),
        user=user,
        ip=client.ip,
        agent=client.agent,
        reauthenticated_at=Now(),
        reauthenticated_by=by,
        client=Client.APP,
        public_id=uuid.uuid4(),
        seed=new_seed(),
        generation=1,
        app=clean_name(app),
    )


def find(public_id: uuid.UUID) -> Session | None:
    """The live session of an app, with its user and the database's time, in one statement; or None."""
    field = Session._meta.get_field("public_id")
    session = BY_PUBLIC_ID.first(field.get_db_prep_value(public_id, connection))
    return session if session and _is_open(session) else None


def rotate(session: Session, generation: int, *, client: ClientInfo) -> Session:
    """Count up the generation of `session`, a row that `find` found, for whoever holds the token of `generation`.

    Of many at once one does; the others, and whoever lost the answer and asks again within REFRESH_GRACE, get the same
    generation. A token from before that is in two hands: the family ends, and its owner hears of it. One that is ahead
    of its row is from before a backup was restored: that family ends, too, but nobody has copied anything.
    Raises TokenNotValid.
    """
    if session.generation == generation:
        if _advance(session, client):
            return session
        # Somebody was first, a moment ago.
        session = _find_again(session)
    if session.generation == generation + 1 and _was_just_rotated(session):
        return session
    if generation > session.generation:
        end(session, client=client)
    else:
        _end_copied(session, client)
    raise TokenNotValid


def end(session: Session, *, client: ClientInfo) -> None:
    """Sign the app of `session` out."""
    with transaction.atomic():
        if Session.objects.filter(pk=session.pk).delete()[0]:
            audit.record("signed_out", client=client, user=session.user)


def clean_name(given: str) -> str:
    """Cut what an app calls itself to a few words of letters and digits.

    Somebody else may have written it: no address and no sign that turns the text around can be in it (ABU-04).
    """
    text = characters.without_invisible(unicodedata.normalize("NFKC", given[:READ_MAX]))
    words = "".join(each if _is_of_name(each) else " " for each in text).split()
    name = " ".join(words)[:APP_NAME_MAX].strip(JOINS)
    return "" if characters.has_tall_stack(name) else name


def _is_of_name(letter: str) -> bool:
    return letter in JOINS or unicodedata.category(letter)[0] in "LNM"


def _is_open(session: Session) -> bool:
    """Whether the user may still come in, and has the password of then (SES-06)."""
    user = session.user
    if user is None or user.is_staff or not user.is_active:
        return False
    return user.is_session_auth_hash(session.session_data)


def _was_just_rotated(session: Session) -> bool:
    since = session.read_at - conf.REFRESH_GRACE
    return session.rotated_at is not None and session.rotated_at > since


def _advance(session: Session, client: ClientInfo) -> bool:
    """Count up, if nobody has done so since the row was read; it idles from now."""
    live = Session.objects.filter(pk=session.pk, expire_date__gt=Now())
    # What is derived from the row must come out the same when it is read again.
    rotated = live.filter(generation=session.generation).update(
        generation=F("generation") + 1,
        rotated_at=session.read_at,
        last_used_at=Now(),
        expire_date=app_session_end(),
        ip=client.ip,
        agent=client.agent,
    )
    if rotated:
        session.generation, session.rotated_at = session.generation + 1, session.read_at
    return bool(rotated)


def _find_again(session: Session) -> Session:
    found = find(session.public_id) if session.public_id else None
    if found is None:
        raise TokenNotValid
    return found


def _end_copied(session: Session, client: ClientInfo) -> None:
    """End a family of which somebody holds a copy; of many who come with an old token one tells the owner."""
    user = session.user
    if user is None:
        return
    with transaction.atomic():
        # The user first, as everywhere.
        challenges.lock_user(user.pk)
        if not Session.objects.filter(pk=session.pk).delete()[0]:
            return
        audit.record("token_replayed", client=client, user=user)
        contacts = notifications.primary_contacts(user)
        notifications.notify(user, "token_replayed", client=client, to=contacts)
