"""A program registers a shopper: by address and password at once, or the number first and the rest behind its code."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import cast

from accounts import conf, limits
from accounts.errors import CodeClosed, LinkDead, Refused
from accounts.flows import challenge as challenges
from accounts.flows import contacts, registration
from accounts.flows.registration import Profile
from accounts.forms import AddressForm, IdentifyForm, TwicePasswordForm, WholeAccountForm
from accounts.identifiers import EMAIL, PHONE, Identifier
from accounts.models import Challenge, Purpose, User
from api import pending, shapes
from api.operations.account import signed_in
from api.operations.base import (
    AttemptUnknown,
    Caller,
    Facts,
    FieldMissing,
    LinkExpired,
    LinkFailed,
    RegistrationTokenInvalid,
    find_attempt,
    hide_state,
    read_code,
    read_form,
    record_refusals,
)
from api.operations.sessions import AppSignIn, get_visitor
from api.pending import Attempt, Pending

# The calls that begin an attempt, as its row names them.
REGISTER, BY_EMAIL, BY_PHONE, SECOND_CONTACT = "register", "email", "phone", "second contact"


def register(shape: shapes.RegisterIn, caller: Caller) -> Facts:
    """Send a code to whoever registers; nothing is created before it is typed (REG-01)."""
    form = read_form(TwicePasswordForm, _typed_twice(shape), caller, names=[EMAIL, PHONE])
    challenge = _begin(form, caller, REGISTER)
    return {
        "user_id": challenge.pk,
        "email": form.identifier.key if form.identifier.kind == EMAIL else None,
        "phone": form.identifier.key if form.identifier.kind == PHONE else None,
        "expires_in": _seconds(conf.CODE_TTL),
        "resend_in": _seconds(conf.CODE_RESEND_COOLDOWN),
    }


def register_email(shape: shapes.RegisterEmailIn, caller: Caller) -> Facts:
    """The same with the password once, by email."""
    challenge = _begin(
        read_form(WholeAccountForm, shape.sent, caller, names=[EMAIL]), caller, BY_EMAIL
    )
    return _code_sent(challenge)


def register_phone(shape: shapes.RegisterPhoneIn, caller: Caller) -> Facts:
    """Send a code to a number; the rest is asked for once it is verified."""
    form = read_form(IdentifyForm, shape.sent, caller, names=[PHONE])
    return _code_sent(_begin(form, caller, BY_PHONE))


def verify(shape: shapes.VerifyOtpIn, caller: Caller) -> Facts:
    """Make the user of the right code, under the id that was told, and sign the app in."""
    if shape.user_id is None:
        raise FieldMissing("user_id")
    typed = read_code(shape.otp or shape.code, "otp")
    attempt = pending.load(shape.user_id, [Purpose.REGISTER])
    if attempt is None:
        raise AttemptUnknown
    facts = _confirm(attempt, typed, shape, caller)
    user: Facts = facts["user"]  # type: ignore[assignment]  # as `describe` makes it
    info = user[attempt.challenge.kind] or user[EMAIL] or user[PHONE]
    return {**facts, "user_id": user["id"], "role": user["role"], "identifying_info": info}


def verify_address(shape: shapes.VerifyAddressIn, caller: Caller) -> Facts:
    """The code of a number gives a registration token; that of an address, with a password known, the account."""
    identifier = _identifier(shape, caller, is_needed=shape.attempt is None)
    typed = read_code(shape.otp, "otp")
    attempt = find_attempt(
        caller,
        shape.attempt,
        identifier,
        purposes=[Purpose.REGISTER, Purpose.CONTACT],
        calls=[BY_EMAIL, BY_PHONE],
    )
    with hide_state(attempt, typed, is_hidden=shape.attempt is None):
        if attempt.challenge.purpose == Purpose.CONTACT:
            return _add_contact(attempt, typed, caller)
        if attempt.pending.call != BY_PHONE:
            return _confirm(attempt, typed, shape, caller)
        with record_refusals(caller, about=attempt.challenge.identifier):
            registration.confirm_early(attempt.challenge, typed, client=caller.client)
    return {
        "registration_token": pending.give_token(
            attempt, conf.AUTH_REGISTRATION_TOKEN_EXPIRY_MINUTES
        ),
        "phone": shape.phone or attempt.pending.typed,
        "expires_in": _seconds(conf.AUTH_REGISTRATION_TOKEN_EXPIRY_MINUTES),
    }


def complete(shape: shapes.CompleteIn, caller: Caller) -> Facts:
    """Make the user of a registration token, with a password, and sign the app in."""
    token = shape.registration_token
    attempt = pending.find_by_token(token) if token else None
    if attempt is None or not attempt.challenge.is_standing:
        raise RegistrationTokenInvalid
    address = {attempt.challenge.kind: attempt.challenge.address}
    form = read_form(WholeAccountForm, {**shape.sent, EMAIL: "", **address}, caller)
    email = _identifier(shapes.AddressIn(email=shape.email), caller, is_needed=False)
    sign_in = AppSignIn(
        by=attempt.challenge.kind,
        app=shape.app or "",
        client=caller.client,
        device_token=shape.device_token or "",
    )
    try:
        with record_refusals(caller, form):
            registered = registration.finish(
                attempt.challenge,
                name=form.full_name,
                username=form.cleaned_data.get("username", ""),
                password=form.cleaned_data["password"],
                visitor=get_visitor(caller.client, shape.device_token or ""),
                sign_in=_settling(sign_in, attempt),
            )
    except CodeClosed:
        raise RegistrationTokenInvalid from None
    waiting = _begin_contact(registered.user, email, caller) if email else None
    return {**signed_in(registered.user, sign_in.tokens), "email_attempt": waiting}


def resend(shape: shapes.ResendOtpIn, caller: Caller) -> Facts:
    """Send the next code. Only whoever holds the handle is told that it is too soon, or too often."""
    if shape.user_id is not None:
        attempt = pending.load(shape.user_id, [Purpose.REGISTER])
        if attempt is not None:
            with suppress(CodeClosed), record_refusals(caller, about=attempt.challenge.identifier):
                _resend(attempt, caller)
        return {}
    sent = {"identifier": shape.email_or_phone, EMAIL: shape.email, PHONE: shape.phone}
    form = read_form(AddressForm, sent, caller, names=["email_or_phone"])
    _resend_by_address(form.identifier, caller)
    return {}


def resend_verification(shape: shapes.EmailIn, caller: Caller) -> Facts:
    """Send the link, and the code beside it, once more."""
    if not shape.email:
        raise FieldMissing(EMAIL)
    _resend_by_address(read_form(AddressForm, shape.sent, caller).identifier, caller)
    return {}


def verify_email(shape: shapes.VerifyEmailIn, caller: Caller) -> Facts:
    """Make the user of an emailed link; what was typed is theirs only where the handle comes along (REG-08)."""
    if not shape.token:
        raise FieldMissing("token")
    attempt = pending.load(shape.user_id, [Purpose.REGISTER]) if shape.user_id else None
    try:
        challenge = registration.find_link(shape.token)
        is_mine = attempt is not None and attempt.challenge.pk == challenge.pk
        registration.confirm_by_link(
            shape.token,
            profile=_profile(attempt) if attempt and is_mine else Profile(),
            visitor=get_visitor(caller.client, ""),
            # Whoever opens the link may be another program than the one that registers.
            sign_in=None,
        )
        pending.settle_all(challenge)
    except LinkDead:
        return _verified_before(shape.token)
    return {"user": {EMAIL: challenge.address, "is_active": True}, "is_repeated": False}


def _verified_before(token: str) -> Facts:
    """The answer for a link that was used. Raises LinkDead, LinkExpired, LinkFailed."""
    challenge = Challenge.objects.filter(purpose=Purpose.REGISTER).find_by_token(token)
    if challenge is None:
        raise LinkDead
    if challenge.verified_at:
        return {"user": {EMAIL: challenge.address, "is_active": True}, "is_repeated": True}
    if challenge.cancelled_at:
        raise LinkDead
    raise LinkExpired if challenge.link_life.total_seconds() <= 0 else LinkFailed


def _begin(form: IdentifyForm, caller: Caller, call: str) -> Challenge:
    with record_refusals(caller, form):
        challenge = registration.begin(
            form.identifier,
            username=form.cleaned_data.get("username", ""),
            password=form.cleaned_data.get("password", ""),
            is_bot=caller.is_bot,
            client=caller.client,
        )
    if challenge is None:
        # A program is told the same as a person, and nothing was sent (ABU-06).
        return Challenge()
    profile = registration.make_profile(
        name=form.full_name,
        username=form.cleaned_data.get("username", ""),
        password=form.cleaned_data.get("password", ""),
        has_more_steps=False,
    )
    begun = Pending(call, by_address=caller.by_address, typed=form.typed, profile=profile)
    pending.save(challenge, begun, client=caller.client)
    return challenge


def _confirm(attempt: Attempt, typed: str, shape: shapes.Device, caller: Caller) -> Facts:
    sign_in = AppSignIn(
        by=attempt.challenge.kind,
        app=shape.app or "",
        client=caller.client,
        device_token=shape.device_token or "",
    )
    with record_refusals(caller, about=attempt.challenge.identifier):
        registered = registration.confirm(
            attempt.challenge,
            typed,
            profile=_profile(attempt),
            visitor=get_visitor(caller.client, shape.device_token or ""),
            sign_in=_settling(sign_in, attempt),
        )
    return signed_in(registered.user, sign_in.tokens)


def _profile(attempt: Attempt) -> Profile:
    """What was typed, for an account with the id that was told when the attempt began."""
    return replace(attempt.pending.profile, id=attempt.handle)


def _settling(sign_in: AppSignIn, attempt: Attempt) -> registration.entry.SignIn:
    """Sign the app in, and forget what was typed, in one transaction."""

    def act(user: User) -> None:
        sign_in(user)
        pending.settle(attempt)

    return act


def _begin_contact(user: User, contact: Identifier, caller: Caller) -> object:
    """Send a code to a second contact; None where that is refused: the account is made all the same."""
    try:
        with record_refusals(caller, about=contact):
            challenge = contacts.add(user, contact, client=caller.client)
    except Refused:
        return None
    # Never by its address: a stranger's, mistyped here, must not become a way into this account.
    begun = Pending(SECOND_CONTACT, typed=contact.address)
    pending.save(challenge, begun, client=caller.client)
    return challenge.pk


def _add_contact(attempt: Attempt, typed: str, caller: Caller) -> Facts:
    """Put the second contact on the account; the app that is signed in stays so."""
    challenge = attempt.challenge
    user = challenge.shopper
    if user is None:
        raise CodeClosed
    with record_refusals(caller, about=challenge.identifier):
        contacts.confirm(
            user,
            challenge,
            typed,
            session=attempt.row,
            visitor=get_visitor(caller.client, ""),
            renew_session=partial(pending.settle, attempt),
        )
    return {"verified": challenge.address}


def _resend(attempt: Attempt, caller: Caller) -> None:
    challenge = challenges.resend(attempt.challenge, client=caller.client)
    if challenge.pk != attempt.challenge.pk:
        pending.move(attempt, challenge)


def _resend_by_address(identifier: Identifier, caller: Caller) -> None:
    """Send the next code of the newest attempt there is; whatever stands in the way is told to nobody (ENU-03)."""
    with suppress(Refused), record_refusals(caller, about=identifier):
        limits.enforce_durably(*limits.code_requests(caller.client))
        attempt = pending.find_newest(identifier, [Purpose.REGISTER])
        if attempt:
            _resend(attempt, caller)


def _identifier(shape: shapes.AddressIn, caller: Caller, *, is_needed: bool) -> Identifier | None:
    if not (is_needed or shape.email or shape.phone):
        return None
    sent = {EMAIL: shape.email, PHONE: shape.phone}
    form = read_form(AddressForm, sent, caller, names=[EMAIL, PHONE])
    return cast(Identifier, form.identifier)


def _typed_twice(shape: shapes.RegisterIn) -> dict[str, str]:
    """What was sent, with the one of the two repetitions that differs from the password, if one does."""
    sent = {name: value for name, value in shape.sent.items() if value}
    again = [sent.pop(name, "") for name in ("password_confirm", "password2")]
    given = [each for each in again if each]
    other = [each for each in given if each != sent.get("password")]
    return {**sent, "password_confirm": next(iter([*other, *given]), "")}


def _code_sent(challenge: Challenge) -> Facts:
    return {"expires_in": _seconds(conf.CODE_TTL), "attempt": challenge.pk}


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
