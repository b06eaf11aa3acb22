"""What all operations share: who calls, the form that reads what was sent, and what a refusal leaves behind."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.contrib.auth.models import AnonymousUser

from accounts import conf, limits, refusals
from accounts.errors import (
    CodeClosed,
    CodeEarlier,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
    Refused,
    SmsStopped,
)
from accounts.flows import sms_budget
from accounts.forms import CodeForm, ShopForm
from accounts.identifiers import EMAIL, PHONE, Identifier
from accounts.models import Purpose, Session
from accounts.sessions.client import ClientInfo
from api import pending
from api.pending import Attempt
from api.shapes import Handle

FormType = TypeVar("FormType", bound=ShopForm)
Facts = dict[str, object]
CODE_REFUSALS = (CodeWrong, CodeEarlier, CodeExpired, CodeUsedUp, CodeClosed)


class FormInvalid(Exception):
    """What was sent is not what the form takes: the sentences for each field."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.errors = dict(errors)


class FieldMissing(Exception):
    """One field is needed and was not sent; the designs have a sentence of its own for it."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class AttemptUnknown(Exception):
    """Nobody was given this handle."""


class LinkExpired(Exception):
    """An emailed link that is too old; said only to whoever holds it."""


class LinkFailed(Exception):
    """An emailed link that stands, and could not be used all the same."""


class RegistrationTokenInvalid(Exception):
    """Not a token that was given after a right code, or used, or too old."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The program that calls: from where, as whom, and whether an attempt may be named by its address alone."""

    client: ClientInfo
    session: Session | None = None
    is_bot: Callable[[], bool] = lambda: False
    by_address: bool = False


def read_form(
    form_class: type[FormType],
    sent: Mapping[str, str | None],
    caller: Caller,
    *,
    names: Iterable[str] = (),
    **more: object,
) -> FormType:
    """The form of a page, if it takes what was sent. What is wrong with who somebody is stands at each of `names`.

    Raises FormInvalid, and TooOften for too many numbers that are not texted.
    """
    # What is empty was not sent: the form asks for it itself.
    data = {name: value for name, value in sent.items() if value}
    form = form_class(data, **more)
    if form.is_valid():
        return form
    with record_refusals(caller):
        for number in form.not_texted:
            sms_budget.record_refused_number(number, client=caller.client)
    errors = {name: [str(text) for text in texts] for name, texts in form.errors.items()}
    problem = errors.pop("identifier", None)
    if problem:
        errors = {**dict.fromkeys(names or ["identifier"], problem), **errors}
    if errors.get(EMAIL) and data.get(PHONE):
        # One of them at a time: it is said at both.
        errors[PHONE] = errors[EMAIL]
    raise FormInvalid(errors)


@contextmanager
def record_refusals(
    caller: Caller, form: ShopForm | None = None, *, about: Identifier | None = None
) -> Iterator[None]:
    """Let staff know of refusals that are not the shopper's doing, and name the field that was sent.

    As on the pages; the transaction that the refusal ended is over.
    """
    try:
        yield
    except Refused as refusal:
        identifier = about or (form.identifier if form else None)
        user = (caller.session and caller.session.user) or AnonymousUser()
        if isinstance(refusal, SmsStopped):
            sms_budget.record_stopped(refusal, client=caller.client)
        refusals.record_limit(refusal, client=caller.client, identifier=identifier, user=user)
        refusal.field = form.field_for(refusal) if form else refusal.field
        raise


def find_attempt(
    caller: Caller,
    handle: Handle | None,
    identifier: Identifier | None,
    *,
    purposes: Iterable[Purpose],
    calls: Iterable[str],
) -> Attempt:
    """The attempt that a program means: by its handle, or where that is allowed the newest one at `identifier`.

    Raises CodeWrong where there is none, as for a wrong code, and TooOften.
    """
    found = None
    if handle is not None:
        found = pending.load(handle, purposes)
        # Of another address than the one that was typed it is none.
        if found and identifier and identifier.key != found.challenge.recipient:
            found = None
    elif identifier and caller.by_address:
        limits.enforce_durably(*limits.nameless_guesses(caller.client))
        found = pending.find_by_address(identifier, purposes, calls)
    if found is None:
        raise wrong_code()
    return found


def read_code(typed: str | None, field: str) -> str:
    """The digits of what was typed. Raises FormInvalid, with what is wrong at `field`; no try is spent."""
    form = CodeForm({"code": typed or ""})  # type: ignore[no-untyped-call]
    if not form.is_valid():
        raise FormInvalid({field: [str(text) for text in next(iter(form.errors.values()))]})
    code: str = form.cleaned_data["code"]
    return code


@contextmanager
def hide_state(attempt: Attempt, typed: str, *, is_hidden: bool) -> Iterator[None]:
    """Let nobody who holds no handle learn what became of an attempt, but that the right code is too old."""
    try:
        yield
    except CODE_REFUSALS as refusal:
        if not is_hidden:
            raise
        if isinstance(refusal, CodeExpired) and attempt.challenge.is_current_code(typed):
            raise
        raise wrong_code() from None


def wrong_code() -> CodeWrong:
    """The refusal of a code, with nothing in it of how many tries are left."""
    return CodeWrong(conf.CODE_MAX_ATTEMPTS)
