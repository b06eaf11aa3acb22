"""What a flow may refuse, each with its sentence. The class is for code, the message for people."""

import math
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.identifiers import Identifier

# What a page and a program are told alike that ask for what cannot be served.
OTHER_METHOD = gettext_lazy("This address answers other requests than the one that was sent.")
TOO_LARGE = gettext_lazy("What was sent is larger than this site accepts.")


class Refused(Exception):
    """A flow says no. `field` names the form field it belongs to, `status` the HTTP answer (ux 67)."""

    status = 422
    field: str | None = None
    message: str | Promise = gettext_lazy("That did not work. Try again.")

    def __init__(self, message: str = "", field: str | None = None) -> None:
        super().__init__(message)
        self.message = message or self.message
        self.field = field or self.field

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the answer has: when to try again, if a limit was reached."""
        return {}


class CodeWrong(Refused):
    """Looked at, and not the code we sent."""

    field = "code"

    def __init__(self, tries_left: int) -> None:
        text = _("That is not the code we sent. Check it and try again.")
        if tries_left <= 2:
            left = ngettext("You have %(n)d try left.", "You have %(n)d tries left.", tries_left)
            text = f"{text} {left % {'n': tries_left}}"
        super().__init__(text)


class CodeEarlier(Refused):
    """A code of this very attempt that a newer one has replaced."""

    field = "code"

    def __init__(self, newest_sent_at: datetime) -> None:
        super().__init__(
            _("That is an earlier code. Use the newest one, sent at %(time)s.")
            % {"time": clock(newest_sent_at)}
        )


class CodeUsedUp(Refused):
    """Out of tries: even the right code is dead now."""

    field = "code"
    message = gettext_lazy("That code was tried too often and no longer works. Get a new code.")


class CodeExpired(Refused):
    """Too old; `renewed` says whether a new one is on its way."""

    field = "code"

    def __init__(self, *, renewed: bool) -> None:
        new = _("The code has expired. We sent you a new one.")
        super().__init__(new if renewed else _("The code has expired. Get a new code."))


class CodeClosed(Refused):
    """Used, replaced or cancelled: this attempt is over."""

    field = "code"
    message = gettext_lazy(
        "This code has already been used or replaced. Start again to get a new one."
    )


class LinkDead(Refused):
    """An emailed link that is used, expired, or never was."""

    status = 410
    heading = gettext_lazy("This link no longer works")
    message = gettext_lazy("This link no longer works. It was used already, or it is too old.")
    advice = gettext_lazy(
        "This link has been used or is too old. Nothing is lost: start again and we send you a new one."
    )


class LinkNotOpen(LinkDead):
    """A page names an emailed link that this browser does not hold, or no longer; nothing is spent."""

    status = 409
    heading = gettext_lazy("Open the link again")
    message = gettext_lazy(
        "This page no longer has its link, perhaps because you signed in or out in the meantime. "
        "Open the link in our message again."
    )
    advice = message


class TooOften(Refused):
    """A limit was reached until `room_at`. The page shows the time, `Retry-After` whole minutes (LIM-08).

    Both run from `asked_at`, the time of the database when it said no (TIM-01).
    """

    status = 429

    def __init__(self, room_at: datetime, *, asked_at: datetime) -> None:
        seconds = (room_at - asked_at).total_seconds()
        self.retry_after = 60 * max(1, math.ceil(seconds / 60))
        super().__init__(
            self.sentence() % {"time": clock(asked_at + timedelta(seconds=self.retry_after))}
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}

    @staticmethod
    def sentence() -> str:
        return _("That was too often. You can try again at %(time)s.")


class TooSoon(TooOften):
    """The cool-down between two codes."""

    @staticmethod
    def sentence() -> str:
        return _("A message was sent a moment ago. You can ask for another one at %(time)s.")


class AlreadyRegistered(Refused):
    """Someone has an account with this address; said only under the `disclose` policy."""

    field = "identifier"

    def __init__(self, kind: str) -> None:
        super().__init__(
            _("There is already an account with this email address.")
            if kind == "email"
            else _("There is already an account with this mobile number.")
        )


class UsernameTaken(Refused):
    """Usernames are public, so this is always said."""

    field = "username"
    message = gettext_lazy("That username is taken. Choose another one.")


class SignInWrong(Refused):
    """The name and the password do not belong together: one sentence, whatever the reason (ENU-01)."""

    message = gettext_lazy("That does not match an account. Check both, or get a code instead.")


class PasswordWrong(Refused):
    """Somebody who is signed in typed another password than theirs."""

    field = "current"
    message = gettext_lazy("That is not your password. Check it and try again.")


class PasswordBreached(Refused):
    """Somebody else's list has the password (PWD-03)."""

    field = "password"
    message = gettext_lazy("That password has been seen in a data breach. Choose another one.")


class ReauthenticationNeeded(Refused):
    """Whoever is signed in must reauthenticate first (REC-08)."""

    status = 403
    message = gettext_lazy("Confirm that it is you first.")


class StaffPasswordLocked(TooOften):
    """Too many tries with a staff password; they have an event of their own."""


class PasswordLocked(TooOften):
    """Too many tries with a password. It closes this way in and no other; a code has caps of its own (LIM-03)."""

    @staticmethod
    def sentence() -> str:
        return _(
            "There were too many tries with a password. You can use one again at %(time)s, or get a code now."
        )


class SignedOut(Refused):
    """The account was shut out, erased or made one of staff while the request was on its way."""

    status = 403
    message = gettext_lazy("You are signed out. Sign in again to go on.")


class TokenNotValid(Refused):
    """A token of an app that is forged, too old, replaced, or of a session that has ended: it is never said which."""

    status = 401
    message = gettext_lazy("This token is no longer valid. Sign in again.")


class ContactKept(Refused):
    """A contact that cannot be changed so: it is the only one, or it is the account's already."""

    field = "contact"
    message = gettext_lazy("This is your only contact. Add another one before you remove it.")


class ChannelDown(Refused):
    """No provider can carry this kind of message (ux 68)."""

    status = 503
    field = "identifier"

    def __init__(self, kind: str) -> None:
        super().__init__(
            _("We cannot send texts at the moment. Use your email address instead.")
            if kind == "phone"
            else _("We cannot send emails at the moment. Use your mobile number instead.")
        )


class SmsStopped(ChannelDown):
    """No text to `scope`: a budget is spent, staff closed it, or hardly any code came back (ABU-02, ABU-05)."""

    def __init__(self, scope: str, to: Identifier) -> None:
        super().__init__("phone")
        self.scope, self.to = scope, to


def clock(moment: datetime) -> str:
    """Write a time of day as the pages do, with its zone."""
    return date_format(localtime(moment), "H:i e")
