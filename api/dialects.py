"""The three spaces as tables: of each call the path, the operation, the sentence and the status. Doors render them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from api import errors, shapes
from api.operations import account, registration, signin
from api.operations.base import Caller, Facts

# Of the designs, word for word; no page shows them, and they are translated in no language.
FOUND = "Your account has been successfully verified."
OTP_WRONG = "Invalid or expired OTP. Please request a new one."
EXISTS = {
    "email": "A user with this email already exists.",
    "phone": "A user with this phone number already exists.",
}
REGISTER_BROKEN = "An error occurred during registration. Please try again or contact support."
VERIFY_BROKEN = "An error occurred during verification. Please try again."
BROKEN = "An error occurred. Please try again."
IF_ACCOUNT = "If an account exists, a message is on its way."
TAG_V1, TAG_AUTH, TAG_V2 = "Authentication", "Authentication by phone", "Authentication V2"

Message = str | Callable[[Any, Facts], str]


@dataclass(frozen=True, slots=True)
class Call:
    """One row: how a program asks for an operation in a space, and in which words it is answered."""

    path: str
    name: str
    operation: Callable[[Any, Caller], Facts]
    takes: type[shapes.Shape]
    answers: tuple[type[shapes.Shape], ...]
    summary: str
    message: Message = ""
    detail: str = ""
    methods: tuple[str, ...] = ("POST",)
    status: int = 200
    # By code, or by the name of a missing field; and of what is wrong with a field, by its name.
    sentences: Mapping[str, str] = field(default_factory=dict)
    field_sentences: Mapping[str, str] = field(default_factory=dict)
    broken: str = BROKEN
    # The codes of its refusals, for the document.
    refusals: tuple[str, ...] = ("invalid",)
    needs_bearer: bool = False
    takes_password: bool = False
    # The page that a browser is led to which opens this address.
    page: str = ""
    # Another row at the same address, and the members that tell who means it; and the shapes of both.
    other: "Call | None" = None
    other_by: tuple[str, ...] = ()
    either: tuple[type[shapes.Shape], ...] = ()

    def choose(self, sent: shapes.Shape) -> "Call":
        """The row that is meant by whoever sent this: this one, or the other at its address."""
        if self.other is None or getattr(sent, self.takes.needed[0]):
            return self
        return self.other if any(getattr(sent, name) for name in self.other_by) else self

    def perform(self, sent: shapes.Shape, caller: Caller) -> dict[str, Any]:
        """Do what the row says, and put the answer into its shape. Raises whatever the operation refuses."""
        facts = self.operation(sent, caller)
        said = self.message(sent, facts) if callable(self.message) else self.message
        told = {"message": said, "detail": self.detail, **facts}
        shape = next(each for each in self.answers if each.model_fields.keys() <= told.keys())
        return shape.model_validate(told).model_dump(mode="json")

    def find_problem(self, error: Exception) -> errors.Problem | None:
        """What is told of `error` here; None for what is a fault of ours."""
        return errors.find_problem(
            error, sentences=self.sentences, field_sentences=self.field_sentences
        )


@dataclass(frozen=True, slots=True)
class Space:
    """One dialect: where it is, how it tells refusals, and its rows."""

    name: str
    prefix: str
    title: str
    tag: str
    description: str
    render: errors.Renderer
    # The shapes that `render` makes.
    refusals: tuple[type[shapes.Shape], ...]
    calls: tuple[Call, ...]
    # Whether an attempt may be named by its address alone where the shop allows that at all.
    by_address: bool = True
    problem_type: str = "application/json"
    # Whether programs may listen for what becomes of a code.
    has_events: bool = False


def _registered_message(sent: shapes.RegisterIn, _facts: Facts) -> str:
    """The sentence of design 001 for whoever sends what only it has, else that of 000."""
    if sent.email and (sent.first_name or sent.last_name):
        return "Registration successful. Please check your email to verify your account."
    return "Registration successful. Check email/phone for OTP."


def _email_verified_message(_sent: shapes.VerifyEmailIn, facts: Facts) -> str:
    return "Email already verified" if facts["is_repeated"] else "Email verified successfully"


def _address_verified_message(_sent: shapes.VerifyAddressIn, facts: Facts) -> str:
    if "registration_token" in facts:
        return "OTP verified. Complete your registration."
    return "OTP verified. The address is yours now." if "verified" in facts else ""


LIMITS = ("too_often", "too_soon")
CODES = ("code_wrong", "code_earlier", "code_expired", "code_used_up", "code_closed")

REGISTER = Call(
    path="register",
    name="register",
    operation=registration.register,
    takes=shapes.RegisterIn,
    answers=(shapes.RegisteredOut,),
    summary="Register with an email address or a mobile number",
    message=_registered_message,
    status=201,
    sentences=EXISTS,
    broken=REGISTER_BROKEN,
    refusals=("invalid", "already_registered", "username_taken", "too_often", "channel_down"),
    takes_password=True,
)
VERIFY_OTP = Call(
    path="verify-otp",
    name="verify-otp",
    operation=registration.verify,
    takes=shapes.VerifyOtpIn,
    answers=(shapes.VerifiedOut,),
    summary="Type the code of a registration",
    message=FOUND,
    sentences={
        "user_id": "User ID is required.",
        "not_found": "User not found.",
        "code_": OTP_WRONG,
    },
    broken=VERIFY_BROKEN,
    refusals=("invalid", *CODES, "not_found", "too_often"),
)
RESEND_OTP = Call(
    path="resend-otp",
    name="resend-otp",
    operation=registration.resend,
    takes=shapes.ResendOtpIn,
    answers=(shapes.Said,),
    summary="Send the code of a registration again",
    message="If an account exists, a new OTP has been sent.",
    refusals=("invalid", *LIMITS, "channel_down"),
)
VERIFY_EMAIL = Call(
    path="verify-email",
    name="verify-email",
    operation=registration.verify_email,
    takes=shapes.VerifyEmailIn,
    answers=(shapes.EmailVerifiedOut,),
    summary="Verify an email address by the link that was sent to it",
    message=_email_verified_message,
    methods=("GET", "POST"),
    sentences={
        "token": "Verification token is required",
        "link_expired": "Verification token has expired",
        "link_dead": "Invalid verification token",
        "link_failed": "Verification failed",
    },
    broken=VERIFY_BROKEN,
    refusals=("invalid", "link_dead"),
    page="accounts:verify-email",
)
RESEND_VERIFICATION = Call(
    path="resend-verification",
    name="resend-verification",
    operation=registration.resend_verification,
    takes=shapes.EmailIn,
    answers=(shapes.Said,),
    summary="Send the link of a registration again",
    message="If the email exists, a verification email has been sent.",
    sentences={"email": "Email is required"},
    refusals=("invalid",),
)
OTP_REQUEST = Call(
    path="otp/request",
    name="otp-request-otp",
    operation=signin.request_code,
    takes=shapes.OtpRequestIn,
    answers=(shapes.OtpSentOut,),
    summary="Ask for a code that signs in",
    message="If the email exists, an OTP code has been sent.",
    refusals=("invalid", "too_often", "channel_down"),
)
OTP_VERIFY = Call(
    path="otp/verify",
    name="otp-verify-otp",
    operation=signin.verify_code,
    takes=shapes.OtpVerifyIn,
    answers=(shapes.SignedInOut,),
    summary="Sign in with a code",
    sentences={"code_expired": "OTP code has expired", "code_": "Invalid email or OTP code"},
    field_sentences={"code": "OTP code must be exactly 6 digits"},
    broken=VERIFY_BROKEN,
    refusals=("invalid", *CODES, "too_often"),
)
REGISTER_PHONE = Call(
    path="register/phone",
    name="register-phone",
    operation=registration.register_phone,
    takes=shapes.RegisterPhoneIn,
    answers=(shapes.CodeSentOut,),
    summary="Register with a mobile number, step 1",
    message="OTP sent successfully.",
    detail="Check your phone for the code.",
    sentences=EXISTS,
    broken=REGISTER_BROKEN,
    refusals=("invalid", "already_registered", "too_often", "channel_down"),
)
VERIFY_ADDRESS = Call(
    path="verify-otp",
    name="auth-verify-otp",
    operation=registration.verify_address,
    takes=shapes.VerifyAddressIn,
    answers=(shapes.PhoneVerifiedOut, shapes.SignedInOut, shapes.Said),
    summary="Type the code of a registration, step 2",
    message=_address_verified_message,
    sentences={"code_": OTP_WRONG},
    broken=VERIFY_BROKEN,
    refusals=("invalid", *CODES, "too_often"),
)
COMPLETE = Call(
    path="register/complete",
    name="register-complete",
    operation=registration.complete,
    takes=shapes.CompleteIn,
    answers=(shapes.CompletedOut,),
    summary="Register with a mobile number, step 3",
    broken=REGISTER_BROKEN,
    refusals=("invalid", "invalid_registration_token", "username_taken", "too_often"),
    takes_password=True,
)
REGISTER_EMAIL = Call(
    path="register/email",
    name="register-email",
    operation=registration.register_email,
    takes=shapes.RegisterEmailIn,
    answers=(shapes.CodeSentOut,),
    summary="Register with an email address and a password",
    message="OTP sent successfully.",
    detail="Check your email for the code.",
    sentences=EXISTS,
    broken=REGISTER_BROKEN,
    refusals=("invalid", "already_registered", "username_taken", "too_often", "channel_down"),
    takes_password=True,
)
LOGIN = Call(
    path="login",
    name="auth-login",
    operation=signin.log_in,
    takes=shapes.LoginIn,
    answers=(shapes.SignedInOut,),
    summary="Sign in with a password",
    refusals=("invalid", "invalid_credentials", "password_closed", "too_often"),
    takes_password=True,
)
REFRESH = Call(
    path="token/refresh",
    name="token-refresh",
    operation=signin.refresh,
    takes=shapes.RefreshIn,
    answers=(shapes.TokensOut,),
    summary="Get the next pair of tokens",
    refusals=("invalid", "token_not_valid"),
)
LOGOUT = Call(
    path="logout",
    name="auth-logout",
    operation=signin.log_out,
    takes=shapes.RefreshIn,
    answers=(shapes.Said,),
    summary="Sign the app out",
    message="You are signed out.",
    refusals=("invalid",),
)
RESET = Call(
    path="password-reset",
    name="auth-password-reset",
    operation=signin.request_new_password,
    takes=shapes.ResetIn,
    answers=(shapes.ResetSentOut,),
    summary="Ask for a message that leads to a new password",
    message=IF_ACCOUNT,
    refusals=("invalid", "too_often", "channel_down"),
)
RESET_CONFIRM = Call(
    path="password-reset/confirm",
    name="auth-password-reset-confirm",
    operation=signin.set_new_password,
    takes=shapes.NewPasswordIn,
    answers=(shapes.Said,),
    summary="Choose a new password",
    message="Your password is changed. Sign in with it.",
    refusals=("invalid", "link_dead", *CODES, "too_often"),
    takes_password=True,
)
ME = Call(
    path="me",
    name="auth-me",
    operation=account.me,
    takes=shapes.NothingIn,
    answers=(shapes.UserOut,),
    summary="Who is signed in",
    methods=("GET",),
    refusals=("not_authenticated", "token_not_valid"),
    needs_bearer=True,
)

V1 = Space(
    name="v1",
    prefix="api/v1/auth/",
    title="Storefront API, v1",
    tag=TAG_V1,
    description="Register, verify and sign in with a code.",
    render=errors.render_plain,
    refusals=(shapes.Refusal, shapes.FieldErrors),
    calls=(
        REGISTER,
        VERIFY_OTP,
        RESEND_OTP,
        VERIFY_EMAIL,
        RESEND_VERIFICATION,
        OTP_REQUEST,
        OTP_VERIFY,
    ),
)
AUTH = Space(
    name="auth",
    prefix="api/auth/",
    title="Storefront API, by phone",
    tag=TAG_AUTH,
    description="Register in three steps, sign in with a password, stay signed in with tokens.",
    render=errors.render_with_message,
    refusals=(shapes.RefusalWithMessage, shapes.FieldErrors),
    calls=(
        REGISTER_PHONE,
        VERIFY_ADDRESS,
        COMPLETE,
        REGISTER_EMAIL,
        LOGIN,
        REFRESH,
        LOGOUT,
        RESET,
        RESET_CONFIRM,
        ME,
    ),
)
SPACES = (V1, AUTH)
