"""What programs send."""

from typing import Annotated, Literal

from pydantic import Field

from accounts import conf
from api.shapes.base import (
    ANA,
    ATTEMPT,
    CODE,
    EMAIL,
    NAME,
    NAMES,
    NEW_PASSWORD,
    PASSWORD,
    PHONE,
    SIX_DIGITS,
    Device,
    Empty,
    Id,
    Names,
    Shape,
    Text,
    text,
)


class RegisterIn(Names):
    """An email address or a mobile number, and the password twice."""

    needed = ("password",)

    email: Text = EMAIL
    phone: Text = PHONE
    password: Text = NEW_PASSWORD
    password_confirm: Text = text("The password again.", PASSWORD)
    password2: Text = text("Another name of `password_confirm`.", PASSWORD)
    role: Annotated[Literal["client"] | None, Empty] = Field(None, examples=["client"])


class VerifyOtpIn(Device):
    """The handle of a registration, and its code."""

    needed = ("user_id", "otp")

    user_id: Id = Field(None, description="What `register/` answered.", examples=[str(ANA)])
    otp: Text = SIX_DIGITS
    code: Text = text("Another name of `otp`.", CODE, conf.CODE_INPUT_MAX)


class ResendOtpIn(Shape):
    """Whose code is to be sent again."""

    email_or_phone: Text = text("The address or number of a registration.", NAMES["email"], 320)
    email: Text = EMAIL
    phone: Text = PHONE
    user_id: Id = Field(None, description="What `register/` answered.", examples=[str(ANA)])


class VerifyEmailIn(Shape):
    """The token of the emailed link."""

    needed = ("token",)

    token: Text = text("What stands behind `token=` in the emailed link.", "Pyuf", 200)
    user_id: Id = Field(
        None,
        description="What `register/` answered. Without it, what was typed there is dropped.",
        examples=[str(ANA)],
    )


class EmailIn(Shape):
    """An email address."""

    needed = ("email",)

    email: Text = EMAIL


class AddressIn(Shape):
    """An email address or a mobile number."""

    email: Text = EMAIL
    phone: Text = PHONE


class OtpRequestIn(AddressIn, Device):
    """Where to send a code that signs in."""


class OtpVerifyIn(AddressIn, Device):
    """A code that signs in."""

    needed = ("code",)

    code: Text = SIX_DIGITS
    attempt: Id = ATTEMPT


class RegisterPhoneIn(Shape):
    """The mobile number of somebody who registers."""

    needed = ("phone",)

    phone: Text = PHONE


class VerifyAddressIn(AddressIn, Device):
    """A number or an address, and the code that was sent to it."""

    needed = ("otp",)

    otp: Text = SIX_DIGITS
    attempt: Id = ATTEMPT


class VerifyEitherIn(VerifyOtpIn, VerifyAddressIn):
    """Either of the two, where they have one address."""

    needed = VerifyOtpIn.needed  # type: ignore[assignment]  # of the one or of the other


class CompleteIn(Names, Device):
    """All else of a registration whose number is verified."""

    needed = ("registration_token", "password")

    registration_token: Id = Field(
        None, description="What `verify-otp/` answered; it works once.", examples=[str(ANA)]
    )
    password: Text = NEW_PASSWORD
    email: Text = text(
        "A second way to reach the shopper; a code of its own goes there.", NAMES["email"], 320
    )


class RegisterEmailIn(Names):
    """An email address and a password."""

    needed = ("email", "password")

    email: Text = EMAIL
    password: Text = NEW_PASSWORD


class LoginIn(Device):
    """A name of any kind, and the password."""

    needed = ("password",)

    email: Text = EMAIL
    phone: Text = PHONE
    username: Text = text("A username.", "ana.shop", 320)
    identifier: Text = text("Any of the three.", NAMES["email"], 320)
    password: Text = text("The password.", PASSWORD)


class RefreshIn(Shape):
    """A refresh token."""

    needed = ("refresh",)

    refresh: Text = text("The newest refresh token of this app.", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln")


class ResetIn(AddressIn):
    """Whose password was forgotten."""


class NewPasswordIn(Shape):
    """The token of the message, or the attempt and the code that was texted; and a new password."""

    needed = ("password",)

    token: Text = text("What stands behind `token=` in the emailed link.", "Pyuf", 200)
    attempt: Id = ATTEMPT
    otp: Text = SIX_DIGITS
    password: Text = NEW_PASSWORD


class NothingIn(Shape):
    """Nothing is sent."""


class NameIn(Shape):
    """What the shopper is called."""

    needed = ("name",)

    name: Text = NAME


class DeviceIn(Shape):
    """One of the shopper's devices."""

    sid: str = Field(description="The `sid` of the list.", examples=[str(ANA)])
