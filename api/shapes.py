"""What programs send and are answered: names, types and examples. The rules are those of the pages' forms."""

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from accounts import conf

Handle = UUID
NAMES = {"email": "ana@example.com", "phone": "+12025550123"}
ANA = UUID("3f2b8a1e-6c1d-4e0f-9a51-0d5b9c7e2a44")
PASSWORD = "correct horse battery"  # noqa: S105  an example
CODE = "123456"
# Of form and query nothing is told from an empty box.
Empty = BeforeValidator(lambda sent: None if sent == "" else sent)
Text = Annotated[str | None, Empty]
Id = Annotated[UUID | None, Empty]


class Shape(BaseModel):
    """What is sent or answered. Of what is sent, `needed` says what an operation or its form does not do without."""

    model_config = ConfigDict(extra="ignore")
    needed: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell which members are needed: their absence is answered by the form, with its own sentence."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        properties = schema.get("properties", {})
        for name in cls.needed:
            properties[name] = _without_null(properties[name])
        if needed := [*schema.get("required", []), *cls.needed]:
            schema["required"] = needed
        return schema

    @property
    def sent(self) -> dict[str, Any]:
        """What was sent, as a form reads it: what was left out is empty."""
        return {name: "" if value is None else value for name, value in self}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a member that is needed."""
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    kinds = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    return {**kept, **(kinds[0] if kinds else {})}


def text(description: str, example: str, length: int | None = None) -> Any:
    """A member that is text, of this length at most before it is trimmed."""
    return Field(None, description=description, examples=[example], max_length=length)


EMAIL = text("An email address.", NAMES["email"], 320)
PHONE = text("A mobile number, with its country code.", NAMES["phone"], 64)
NEW_PASSWORD = text(f"At least {conf.PASSWORD_MIN_LENGTH} characters.", PASSWORD)
SIX_DIGITS = text(
    "The code that was sent; spaces and words around it do no harm.", CODE, conf.CODE_INPUT_MAX
)
APP = text(
    "What the app calls itself; its owner reads it in their list of devices.", "My Shop", 200
)
DEVICE_TOKEN = text("What an earlier sign-in on this device answered as `device_token`.", "")
ATTEMPT = Field(
    None,
    description="The `attempt` that the first call answered. Without it a stranger can use up the tries.",
    examples=[str(ANA)],
)
NAME = text("What the shopper is called, whole.", "Ana Maria Lopez", conf.NAME_MAX)
FIRST_NAME = text("The first part of the name.", "Ana Maria", conf.NAME_MAX)
LAST_NAME = text("The last part of the name.", "Lopez", conf.NAME_MAX)
USERNAME = text("A short name to sign in with.", "ana.shop", conf.USERNAME_MAX)


class Names(Shape):
    """What a shopper may be called."""

    first_name: Text = FIRST_NAME
    last_name: Text = LAST_NAME
    name: Text = NAME
    username: Text = USERNAME


class Device(Shape):
    """Which app it is, and which device."""

    app: Text = APP
    device_token: Text = DEVICE_TOKEN


# What is sent


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


# What is answered


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
