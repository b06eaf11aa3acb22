"""What programs are answered."""

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from api.shapes.base import ANA, NAMES, Shape


class Said(Shape):
    """One sentence."""

    message: str = Field(examples=["You are signed out."])


class UserOut(Shape):
    """Who somebody is."""

    id: UUID = Field(examples=[str(ANA)])
    email: str | None = Field(examples=[NAMES["email"]])
    phone: str | None = Field(examples=[NAMES["phone"]])
    username: str | None = Field(examples=["ana.shop"])
    name: str = Field(examples=["Ana Maria Lopez"])
    first_name: str = Field(description="The name up to its last space.", examples=["Ana Maria"])
    last_name: str = Field(description="The name behind its last space.", examples=["Lopez"])
    role: Literal["client"] = Field(examples=["client"])
    email_verified: bool = Field(examples=[True])
    phone_verified: bool = Field(examples=[True])
    is_active: bool = Field(examples=[True])
    completed: bool = Field(description="Whether name and password are there.", examples=[True])
    created_at: str = Field(description="ISO 8601, UTC.", examples=["2026-12-01T10:00:00Z"])


class TokensOut(Shape):
    """An access token for the next minutes, and a refresh token for the next one."""

    access: str = Field(examples=["eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln"])
    refresh: str = Field(examples=["eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9.e30.c2ln"])
    expires_in: int = Field(description="Seconds the access token works.", examples=[600])


class SignedInOut(TokensOut):
    """Somebody is signed in."""

    device_token: str = Field(
        description="To be kept, and sent at the next sign-in here.", examples=["b3c1.1.sig"]
    )
    user: UserOut


class RegisteredOut(Said):
    """A code is on its way; `user_id` names this registration, and the account once the code was right."""

    user_id: UUID = Field(examples=[str(ANA)])
    email: str | None = Field(examples=[NAMES["email"]])
    phone: str | None = Field(examples=[None])
    expires_in: int = Field(description="Seconds the code works.", examples=[600])
    resend_in: int = Field(description="Seconds until another one may be asked for.", examples=[60])


class VerifiedOut(Said, SignedInOut):
    """The account is made, and its owner signed in."""

    user_id: UUID = Field(examples=[str(ANA)])
    role: Literal["client"] = Field(examples=["client"])
    identifying_info: str = Field(examples=[NAMES["email"]])


class EmailVerified(Shape):
    """Whose address it is."""

    email: str = Field(examples=[NAMES["email"]])
    is_active: bool = Field(examples=[True])


class EmailVerifiedOut(Said):
    """The address is verified."""

    user: EmailVerified


class OtpSentOut(Said):
    """What is said whether or not there is an account."""

    expires_in: int = Field(examples=[600])
    attempt: UUID = Field(description="Names this attempt.", examples=[str(ANA)])


class CodeSentOut(Said):
    """A code is on its way."""

    detail: str = Field(examples=["Check your phone for the code."])
    expires_in: int = Field(examples=[600])
    attempt: UUID = Field(description="Names this attempt.", examples=[str(ANA)])


class PhoneVerifiedOut(Said):
    """The number is verified; the account is not made yet."""

    registration_token: UUID = Field(examples=[str(ANA)])
    phone: str = Field(description="As it was typed.", examples=[NAMES["phone"]])
    expires_in: int = Field(examples=[600])


class CompletedOut(SignedInOut):
    """The account is made, and its owner signed in."""

    email_attempt: UUID | None = Field(
        description="Names the attempt at the email address, whose code is verified by `verify-otp/`.",
        examples=[None],
    )


class ResetSentOut(Said):
    """What is said whether or not there is an account."""

    attempt: UUID = Field(
        description="Names this attempt, for a code that was texted.", examples=[str(ANA)]
    )


class DeviceOut(Shape):
    """One browser or app that is signed in."""

    sid: str = Field(
        description="Names the session, as `sid` in the access token of an app does.",
        examples=[str(ANA)],
    )
    device: str = Field(
        description="In words for people; empty if nothing is known.",
        examples=["My Shop app on Android"],
    )
    is_app: bool = Field(description="Whether it holds tokens.", examples=[True])
    is_current: bool = Field(description="Whether it is the one that asks.", examples=[True])
    signed_in_at: str = Field(description="ISO 8601, UTC.", examples=["2026-12-01T10:00:00Z"])
    last_used_at: str = Field(description="ISO 8601, UTC.", examples=["2026-12-01T10:00:00Z"])


class DevicesOut(Shape):
    """Where somebody is signed in: the device that asks first, then by when they were used last."""

    devices: list[DeviceOut]


class Refusal(Shape):
    """One sentence of the contract, its code, and what a person may be told."""

    error: str = Field(examples=["Invalid or expired OTP. Please request a new one."])
    code: str = Field(examples=["code_wrong"])
    hint: str = Field(examples=["That is not the code we sent. Check it and try again."])


class RefusalWithMessage(Refusal):
    """The same, with the sentence under another name, too."""

    message: str = Field(examples=["Invalid or expired OTP. Please request a new one."])


class FieldErrors(Shape):
    """What is wrong with each field."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "examples": [{"email": ["Enter your email address or mobile number"]}],
        },
    )


class ProblemOut(Shape):
    """RFC 9457."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=["Invalid or expired OTP. Please request a new one."])
    code: str = Field(examples=["code_wrong"])
    hint: str = Field("", examples=["That is not the code we sent. Check it and try again."])
    errors: dict[str, list[str]] = Field(
        {}, description="What is wrong with each field.", examples=[{}]
    )
