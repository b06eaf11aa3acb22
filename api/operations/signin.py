"""A program brings a shopper back: by password or code; and out again, or to a new password."""

from accounts import conf
from accounts.errors import LinkDead
from accounts.flows import login, recovery
from accounts.forms import AddressForm, NewPasswordForm, SignInForm
from accounts.forms.fields import NO_TEXT
from accounts.identifiers import EMAIL, PHONE
from accounts.models import Purpose
from accounts.sessions.store import PASSWORD
from api import pending, shapes
from api.operations import sessions
from api.operations.account import signed_in
from api.operations.base import (
    Caller,
    Facts,
    FormInvalid,
    find_attempt,
    hide_state,
    read_code,
    read_form,
    record_refusals,
)
from api.operations.sessions import AppSignIn, get_visitor
from api.pending import Pending

# The calls that begin an attempt, as its row names them.
BY_CODE, NEW_PASSWORD = "code", "new password"  # noqa: S105  names of calls


def log_in(shape: shapes.LoginIn, caller: Caller) -> Facts:
    """Sign the app in with a password. One refusal for all that may be wrong (ENU-01)."""
    names = {name: shape.sent[name] for name in SignInForm.names}
    form = read_form(SignInForm, {**names, "password": shape.password}, caller)
    sign_in = _app_sign_in(shape, caller, by=PASSWORD)
    with record_refusals(caller, form):
        user = login.sign_in_by_password(
            form.identifier,
            form.cleaned_data["password"],
            visitor=get_visitor(caller.client, shape.device_token or ""),
            sign_in=sign_in,
        )
    return signed_in(user, sign_in.tokens)


def request_code(shape: shapes.OtpRequestIn, caller: Caller) -> Facts:
    """Send a code that signs in, to whoever has an account; the answer is the same for all (ENU-03)."""
    form = _address(shape, caller)
    with record_refusals(caller, form):
        visitor = get_visitor(caller.client, shape.device_token or "")
        challenge = login.send_code(form.identifier, visitor=visitor)
    begun = Pending(BY_CODE, by_address=caller.by_address, typed=form.typed)
    pending.save(challenge, begun, client=caller.client)
    return {"expires_in": int(conf.CODE_TTL.total_seconds()), "attempt": challenge.pk}


def verify_code(shape: shapes.OtpVerifyIn, caller: Caller) -> Facts:
    """Sign the app in with a code."""
    form = _address(shape, caller)
    typed = read_code(shape.code, "code")
    attempt = find_attempt(
        caller, shape.attempt, form.identifier, purposes=[Purpose.LOGIN], calls=[BY_CODE]
    )
    sign_in = _app_sign_in(shape, caller, by=attempt.challenge.kind)
    with (
        hide_state(attempt, typed, is_hidden=shape.attempt is None),
        record_refusals(caller, form),
    ):
        user = login.sign_in_by_code(
            attempt.challenge,
            typed,
            visitor=get_visitor(caller.client, shape.device_token or ""),
            sign_in=sign_in,
        )
    return signed_in(user, sign_in.tokens)


def refresh(shape: shapes.RefreshIn, caller: Caller) -> Facts:
    """Give the next pair of tokens for a refresh token."""
    tokens = sessions.refresh(shape.refresh or "", client=caller.client)
    return {
        "access": tokens.access,
        "refresh": tokens.refresh,
        "expires_in": tokens.expires_in,
    }


def log_out(shape: shapes.RefreshIn, caller: Caller) -> Facts:
    """Sign the app out; one that is out already hears the same."""
    if not shape.refresh:
        raise FormInvalid({"refresh": [str(NO_TEXT)]})
    sessions.end(shape.refresh, client=caller.client)
    return {}


def request_new_password(shape: shapes.ResetIn, caller: Caller) -> Facts:
    """Send a link by email or a code by text; the answer is the same for all (ENU-03)."""
    form = _address(shape, caller)
    with record_refusals(caller, form):
        challenge = recovery.begin(form.identifier, visitor=get_visitor(caller.client, ""))
    begun = Pending(NEW_PASSWORD, by_address=caller.by_address, typed=form.typed)
    pending.save(challenge, begun, client=caller.client)
    return {"attempt": challenge.pk}


def set_new_password(shape: shapes.NewPasswordIn, caller: Caller) -> Facts:
    """Set the password, end every session, sign nobody in (REC-06). Raises LinkDead."""
    token = shape.token or _exchange_code(shape, caller)
    challenge = recovery.find_link(token)
    form = read_form(NewPasswordForm, {"password": shape.password}, caller, user=challenge.user)
    with record_refusals(caller, form, about=challenge.identifier):
        recovery.set_password(token, form.cleaned_data["password"], client=caller.client)
    return {}


def _exchange_code(shape: shapes.NewPasswordIn, caller: Caller) -> str:
    """The token of the attempt whose code was texted. Raises LinkDead, and what is said of codes."""
    if shape.attempt is None:
        raise LinkDead
    typed = read_code(shape.otp, "otp")
    attempt = find_attempt(
        caller, shape.attempt, None, purposes=[Purpose.RESET], calls=[NEW_PASSWORD]
    )
    with record_refusals(caller, about=attempt.challenge.identifier):
        return recovery.exchange_code(attempt.challenge, typed, client=caller.client)


def _address(shape: shapes.AddressIn, caller: Caller) -> AddressForm:
    sent = {name: value for name, value in ((EMAIL, shape.email), (PHONE, shape.phone)) if value}
    return read_form(AddressForm, sent, caller, names=[EMAIL])


def _app_sign_in(shape: shapes.Device, caller: Caller, *, by: str) -> AppSignIn:
    return AppSignIn(
        by=by, app=shape.app or "", client=caller.client, device_token=shape.device_token or ""
    )
