"""The contract of the API, row by row: what is given, what is sent, what is answered. Every door keeps it."""

import re
from dataclasses import dataclass, field
from uuid import UUID

from accounts.models import Challenge, User
from tests.support.people import PASSWORD, Postbox, make_user, time_passes, wrong

ANA, NUMBER = "ana@example.com", "+12025550123"
STRANGER = "new@example.com"
NOBODYS = "00000000-0000-4000-8000-000000000000"
NEW = "an entirely new secret"
OTP_WRONG = "Invalid or expired OTP. Please request a new one."
CODE_WRONG = "Invalid email or OTP code"
WHOLE = {"password": PASSWORD, "password_confirm": PASSWORD}
USER = (
    "id email phone username name first_name last_name role email_verified phone_verified is_active completed "
    "created_at"
)
USER_KEYS = set(USER.split())
SIGNED_IN = {"access", "refresh", "expires_in", "device_token", "user"}


# What a member may hold that nobody should send.
GARBAGE = [
    "",
    " ",
    "x" * 5000,
    "ana\x00@example.com",
    "half \ud800",
    "a\r\nBcc: eve@example.com",
    "' OR 1=1 --",
    "{}",
    "²²²²²²",
    "٤٤٧٤٠٠١٢٣٤٥٦",
    123456,
    10**40,
    -1.5e300,
    True,
    None,
    ["a"],
    {"a": [None]},
]


class Anything:
    """Any value of some kind."""

    def __init__(self, name, fits):
        self.name, self.fits = name, fits

    def __eq__(self, other):
        return bool(self.fits(other))

    __hash__ = None

    def __repr__(self):
        return self.name


def _is_uuid(value):
    return str(UUID(value)) == value


A_UUID = Anything("a UUID", _is_uuid)
A_TOKEN = Anything("a token", lambda value: re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", value))
A_TEXT = Anything("a text", lambda value: isinstance(value, str) and value)
A_USER = Anything("a user", lambda value: set(value) == USER_KEYS)
SENTENCES = Anything("sentences", lambda value: value and all(isinstance(x, str) for x in value))
TOKENS = {
    "access": A_TOKEN,
    "refresh": A_TOKEN,
    "expires_in": 600,
    "device_token": A_TEXT,
    "user": A_USER,
}


@dataclass(frozen=True)
class Row:
    """One line of the contract. `{name}` in what is sent is what `given` returned under that name."""

    name: str
    space: str
    path: str
    sent: dict
    status: int
    answer: dict | None = None  # all of it
    sentence: str = ""
    code: str = ""
    fields: dict | None = None
    given: object = None
    method: str = "POST"
    headers: tuple = ()
    is_bearer: bool = False
    promises: tuple = field(default=())

    def __str__(self):
        return f"{self.space}: {self.name}"


# What is given


def nobody(_program):
    """Nobody is registered."""
    return {}


def ana(_program):
    """Ana has an account, with an address, a number and a username."""
    make_user(ANA, phone=NUMBER, username="ana.shop", name="Ana Maria Lopez")
    return {}


def shut_out(program):
    """Ana's account was closed."""
    ana(program)
    User.objects.update(is_active=False)
    return {}


def of_staff(program):
    """Ana works here."""
    ana(program)
    User.objects.update(is_staff=True)
    return {}


def begun(program):
    """Ana has registered, and typed no code yet."""
    told = program.post("v1", "register/", email=ANA, **WHOLE)
    code = Postbox().code(ANA)
    return {"id": told["user_id"], "code": code, "wrong": wrong(code)}


def begun_by_phone(program):
    """The same with a number, in step 1 of three."""
    told = program.post("auth", "register/phone/", phone=NUMBER)
    code = Postbox().code(NUMBER)
    return {"attempt": told["attempt"], "code": code, "wrong": wrong(code)}


def begun_by_email(program):
    """The same with an address and a password, for the shop of three steps."""
    told = program.post("auth", "register/email/", email=ANA, password=PASSWORD)
    return {"attempt": told["attempt"], "code": Postbox().code(ANA)}


def verified(program):
    """The code was typed."""
    given = begun(program)
    program.post("v1", "verify-otp/", user_id=given["id"], otp=given["code"])
    return given


def number_verified(program):
    """The code of the number was typed: step 3 is left."""
    given = begun_by_phone(program)
    fields = {"phone": NUMBER, "otp": given["code"], "attempt": given["attempt"]}
    told = program.post("auth", "verify-otp/", fields)
    return given | {"token": told["registration_token"]}


def completed(program):
    """All three steps are done."""
    given = number_verified(program)
    fields = {"registration_token": given["token"], "password": PASSWORD}
    told = program.post("auth", "register/complete/", fields)
    return given | {"refresh": told["refresh"]}


def tried_out(program):
    """All tries are spent."""
    given = begun(program)
    for _ in range(5):
        program.post("v1", "verify-otp/", user_id=given["id"], otp=given["wrong"])
    return given


def expired(program):
    """The code is too old."""
    given = begun(program)
    time_passes(minutes=10, seconds=1)
    return given


def resent(program):
    """Another code was sent since."""
    given = begun(program)
    time_passes(seconds=61)
    program.post("v1", "resend-otp/", user_id=given["id"])
    return given


def a_minute_ago(program):
    """The first code was sent a minute ago."""
    given = begun(program)
    time_passes(seconds=61)
    return given


def link(program):
    """Ana has registered, and the link is in her mailbox."""
    return begun(program) | {"token": Postbox().link(ANA).partition("token=")[2]}


def used_link(program):
    """The link was used."""
    given = link(program)
    program.post("v1", "verify-email/", token=given["token"])
    return given


def old_link(program):
    """The link is older than a day."""
    given = link(program)
    time_passes(days=1, seconds=1)
    return given


def closed_link(program):
    """The attempt was cancelled since."""
    given = link(program)
    Challenge.objects.cancel_open()
    return given


def code_asked(program):
    """Ana has an account, and asked for a code."""
    ana(program)
    told = program.post("v1", "otp/request/", email=ANA)
    code = Postbox().code(ANA)
    return {"attempt": told["attempt"], "code": code, "wrong": wrong(code)}


def old_code_asked(program):
    """The same, ten minutes ago."""
    given = code_asked(program)
    time_passes(minutes=10, seconds=1)
    return given


def signed_in(program):
    """Ana's app is signed in."""
    ana(program)
    told = program.post("auth", "login/", email=ANA, password=PASSWORD)
    return {"access": told["access"], "refresh": told["refresh"]}


def signed_out(program):
    """Ana's app was signed out."""
    given = signed_in(program)
    program.post("auth", "logout/", refresh=given["refresh"])
    return given


def locked(program):
    """Somebody tried five passwords."""
    ana(program)
    for _ in range(5):
        program.post("auth", "login/", email=ANA, password="not the password")
    return {}


def reset_asked(program):
    """Ana asked for a new password, by email."""
    ana(program)
    program.post("auth", "password-reset/", email=ANA)
    return {"token": Postbox().link(ANA).partition("token=")[2]}


def reset_texted(program):
    """Ana asked for a new password, by text."""
    ana(program)
    told = program.post("auth", "password-reset/", phone=NUMBER)
    return {"attempt": told["attempt"], "code": Postbox().code(NUMBER)}


# The rows

OF_001 = "Registration successful. Please check your email to verify your account."
OF_000 = "Registration successful. Check email/phone for OTP."
REGISTERED = {
    "message": OF_000,
    "user_id": A_UUID,
    "email": ANA,
    "phone": None,
    "expires_in": 600,
    "resend_in": 60,
}
VERIFIED = {
    **TOKENS,
    "message": "Your account has been successfully verified.",
    "user_id": A_UUID,
    "role": "client",
    "identifying_info": ANA,
}
RESENT = {"message": "If an account exists, a new OTP has been sent."}
LINK_SENT = {"message": "If the email exists, a verification email has been sent."}
OTP_SENT = {
    "message": "If the email exists, an OTP code has been sent.",
    "expires_in": 600,
    "attempt": A_UUID,
}
BY_PHONE = {
    "message": "OTP sent successfully.",
    "detail": "Check your phone for the code.",
    "expires_in": 600,
    "attempt": A_UUID,
}
BY_EMAIL = {**BY_PHONE, "detail": "Check your email for the code."}
NUMBER_VERIFIED = {
    "message": "OTP verified. Complete your registration.",
    "registration_token": A_UUID,
    "phone": NUMBER,
    "expires_in": 600,
}
RESET_SENT = {"message": "If an account exists, a message is on its way.", "attempt": A_UUID}
EMAIL_VERIFIED = {
    "message": "Email verified successfully",
    "user": {"email": ANA, "is_active": True},
}
VERIFIED_BEFORE = {**EMAIL_VERIFIED, "message": "Email already verified"}
EXISTS = "A user with this email already exists."
NUMBER_EXISTS = "A user with this phone number already exists."
MISMATCH = {"password_confirm": ["Passwords do not match."]}
TWO = {"email": SENTENCES, "phone": SENTENCES}

ROWS = [
    # /api/v1/auth/: promises 0.2 to 0.10, 1.1, 1.4
    Row("an address", "v1", "register/", {"email": ANA, **WHOLE}, 201, REGISTERED),
    Row(
        "an address in capitals, with spaces",
        "v1",
        "register/",
        {"email": " ANA@Example.com ", **WHOLE},
        201,
        REGISTERED,
    ),
    Row(
        "the password again under its other name",
        "v1",
        "register/",
        {"email": ANA, "password": PASSWORD, "password2": PASSWORD, "role": "client"},
        201,
        REGISTERED,
    ),
    Row(
        "a number",
        "v1",
        "register/",
        {"phone": NUMBER, **WHOLE},
        201,
        {**REGISTERED, "email": None, "phone": NUMBER},
    ),
    Row(
        "with the names of design 001",
        "v1",
        "register/",
        {"email": ANA, **WHOLE, "first_name": "Ana", "last_name": "Lopez"},
        201,
        {**REGISTERED, "message": OF_001},
    ),
    Row("both", "v1", "register/", {"email": ANA, "phone": NUMBER, **WHOLE}, 400, fields=TWO),
    Row("neither", "v1", "register/", WHOLE, 400, fields=TWO),
    Row(
        "an address that is taken",
        "v1",
        "register/",
        {"email": ANA, **WHOLE},
        400,
        fields={"email": [EXISTS]},
        given=ana,
    ),
    Row(
        "a number that is taken",
        "v1",
        "register/",
        {"phone": NUMBER, **WHOLE},
        400,
        fields={"phone": [NUMBER_EXISTS]},
        given=ana,
    ),
    Row(
        "a username that is taken",
        "v1",
        "register/",
        {"email": STRANGER, **WHOLE, "username": "ana.shop"},
        400,
        fields={"username": SENTENCES},
        given=ana,
    ),
    Row(
        "two passwords",
        "v1",
        "register/",
        {"email": ANA, "password": PASSWORD, "password_confirm": "another"},
        400,
        fields=MISMATCH,
    ),
    Row(
        "two passwords, under the other name",
        "v1",
        "register/",
        {"email": ANA, "password": PASSWORD, "password2": "another"},
        400,
        fields=MISMATCH,
    ),
    Row(
        "one password",
        "v1",
        "register/",
        {"email": ANA, "password": PASSWORD},
        400,
        fields=MISMATCH,
    ),
    Row(
        "a weak password",
        "v1",
        "register/",
        {"email": ANA, "password": "short", "password_confirm": "short"},
        400,
        fields={"password": SENTENCES},
    ),
    Row(
        "another role",
        "v1",
        "register/",
        {"email": ANA, **WHOLE, "role": "admin"},
        400,
        fields={"role": SENTENCES},
    ),
    Row(
        "the right code",
        "v1",
        "verify-otp/",
        {"user_id": "{id}", "otp": "{code}"},
        200,
        VERIFIED,
        given=begun,
    ),
    Row(
        "the right code under its other name",
        "v1",
        "verify-otp/",
        {"user_id": "{id}", "code": "{code}"},
        200,
        VERIFIED,
        given=begun,
    ),
    Row(
        "a code of nobody's",
        "v1",
        "verify-otp/",
        {"otp": "123456"},
        400,
        sentence="User ID is required.",
        code="invalid",
    ),
    Row(
        "a handle of nobody's",
        "v1",
        "verify-otp/",
        {"user_id": NOBODYS, "otp": "123456"},
        404,
        sentence="User not found.",
        code="not_found",
    ),
    Row(
        "no handle at all",
        "v1",
        "verify-otp/",
        {"user_id": "12", "otp": "123456"},
        400,
        fields={"user_id": SENTENCES},
    ),
    Row(
        "a short code",
        "v1",
        "verify-otp/",
        {"user_id": "{id}", "otp": "12345"},
        400,
        fields={"otp": SENTENCES},
        given=begun,
    ),
    *(
        Row(
            f"a code that is {why}",
            "v1",
            "verify-otp/",
            {"user_id": "{id}", "otp": which},
            400,
            sentence=OTP_WRONG,
            code=code,
            given=given,
        )
        for why, which, code, given in (
            ("wrong", "{wrong}", "code_wrong", begun),
            ("used", "{code}", "code_closed", verified),
            ("too old", "{code}", "code_expired", expired),
            ("used up", "{code}", "code_used_up", tried_out),
            ("an earlier one", "{code}", "code_earlier", resent),
        )
    ),
    Row("again", "v1", "resend-otp/", {"email_or_phone": ANA}, 200, RESENT, given=a_minute_ago),
    Row("again, at once", "v1", "resend-otp/", {"email_or_phone": ANA}, 200, RESENT, given=begun),
    Row("again, nobody", "v1", "resend-otp/", {"email_or_phone": NUMBER}, 200, RESENT),
    Row("again, by email", "v1", "resend-otp/", {"email": ANA}, 200, RESENT, given=begun),
    Row("again, by phone", "v1", "resend-otp/", {"phone": NUMBER}, 200, RESENT),
    Row(
        "again, by handle",
        "v1",
        "resend-otp/",
        {"user_id": "{id}"},
        200,
        RESENT,
        given=a_minute_ago,
    ),
    Row("again, by a handle of nobody's", "v1", "resend-otp/", {"user_id": NOBODYS}, 200, RESENT),
    Row(
        "again too soon, by handle",
        "v1",
        "resend-otp/",
        {"user_id": "{id}"},
        429,
        sentence=A_TEXT,
        code="too_soon",
        given=begun,
        headers=("Retry-After",),
    ),
    Row("again, whom?", "v1", "resend-otp/", {}, 400, fields={"email_or_phone": SENTENCES}),
    # Promises 1.6, 1.7
    *(
        Row(
            f"a link by {method}",
            "v1",
            "verify-email/",
            {"token": "{token}"},
            200,
            EMAIL_VERIFIED,
            given=link,
            method=method,
        )
        for method in ("GET", "POST")
    ),
    Row(
        "a link twice",
        "v1",
        "verify-email/",
        {"token": "{token}"},
        200,
        VERIFIED_BEFORE,
        given=used_link,
        method="GET",
    ),
    *(
        Row(
            why,
            "v1",
            "verify-email/",
            sent,
            400,
            sentence=said,
            code=code,
            given=given,
            method="GET",
        )
        for why, sent, said, code, given in (
            ("no link", {}, "Verification token is required", "invalid", nobody),
            (
                "an old link",
                {"token": "{token}"},
                "Verification token has expired",
                "link_dead",
                old_link,
            ),
            ("no link of ours", {"token": "x"}, "Invalid verification token", "link_dead", nobody),
            (
                "a link that was closed",
                {"token": "{token}"},
                "Invalid verification token",
                "link_dead",
                closed_link,
            ),
        )
    ),
    Row(
        "the link again",
        "v1",
        "resend-verification/",
        {"email": ANA},
        200,
        LINK_SENT,
        given=a_minute_ago,
    ),
    Row(
        "the link again, nobody", "v1", "resend-verification/", {"email": STRANGER}, 200, LINK_SENT
    ),
    Row(
        "the link again, verified",
        "v1",
        "resend-verification/",
        {"email": ANA},
        200,
        LINK_SENT,
        given=verified,
    ),
    Row(
        "the link again, whom?",
        "v1",
        "resend-verification/",
        {},
        400,
        sentence="Email is required",
        code="invalid",
    ),
    # Promises 1.9, 1.10
    Row("a code, please", "v1", "otp/request/", {"email": ANA}, 200, OTP_SENT, given=ana),
    Row("a code for a number", "v1", "otp/request/", {"phone": NUMBER}, 200, OTP_SENT, given=ana),
    Row("a code for nobody", "v1", "otp/request/", {"email": STRANGER}, 200, OTP_SENT),
    Row(
        "a code for whoever was shut out",
        "v1",
        "otp/request/",
        {"email": ANA},
        200,
        OTP_SENT,
        given=shut_out,
    ),
    Row("a code, whom?", "v1", "otp/request/", {}, 400, fields={"email": SENTENCES}),
    Row(
        "in with a code",
        "v1",
        "otp/verify/",
        {"email": ANA, "code": "{code}", "attempt": "{attempt}"},
        200,
        TOKENS,
        given=code_asked,
    ),
    Row(
        "in with a code alone",
        "v1",
        "otp/verify/",
        {"email": ANA, "code": "{code}"},
        200,
        TOKENS,
        given=code_asked,
    ),
    *(
        Row(
            why,
            "v1",
            "otp/verify/",
            {"email": ANA, "code": which},
            400,
            sentence=said,
            code=code,
            given=given,
        )
        for why, which, said, code, given in (
            ("in with a wrong code", "{wrong}", CODE_WRONG, "code_wrong", code_asked),
            ("in with a code that nobody asked for", "123456", CODE_WRONG, "code_wrong", ana),
            (
                "in with an old code",
                "{code}",
                "OTP code has expired",
                "code_expired",
                old_code_asked,
            ),
            ("in with a wrong old code", "{wrong}", CODE_WRONG, "code_wrong", old_code_asked),
        )
    ),
    *(
        Row(
            f"in with {typed!r} for a code",
            "v1",
            "otp/verify/",
            {"email": ANA, "code": typed},
            400,
            fields={"code": ["OTP code must be exactly 6 digits"]},
        )
        for typed in ("", "12345", "1234567", "abcdef")
    ),
    # /api/auth/: promises 2.1 to 2.5
    Row("step 1", "auth", "register/phone/", {"phone": NUMBER}, 200, BY_PHONE),
    Row(
        "step 1, no number",
        "auth",
        "register/phone/",
        {"phone": "12"},
        400,
        fields={"phone": SENTENCES},
    ),
    Row("step 1, nothing", "auth", "register/phone/", {}, 400, fields={"phone": SENTENCES}),
    Row(
        "step 1, a number that is taken",
        "auth",
        "register/phone/",
        {"phone": NUMBER},
        400,
        fields={"phone": [NUMBER_EXISTS]},
        given=ana,
    ),
    Row(
        "step 2",
        "auth",
        "verify-otp/",
        {"phone": NUMBER, "otp": "{code}"},
        200,
        NUMBER_VERIFIED,
        given=begun_by_phone,
    ),
    Row(
        "step 2, by attempt",
        "auth",
        "verify-otp/",
        {"phone": NUMBER, "otp": "{code}", "attempt": "{attempt}"},
        200,
        NUMBER_VERIFIED,
        given=begun_by_phone,
    ),
    *(
        Row(
            why,
            "auth",
            "verify-otp/",
            {"phone": NUMBER, "otp": which, **more},
            400,
            sentence=OTP_WRONG,
            code=code,
            given=given,
        )
        for why, which, more, code, given in (
            ("step 2, wrong", "{wrong}", {}, "code_wrong", begun_by_phone),
            (
                "step 2, another attempt",
                "{code}",
                {"attempt": NOBODYS},
                "code_wrong",
                begun_by_phone,
            ),
            ("step 2, twice", "{code}", {}, "code_wrong", number_verified),
            (
                "step 2, twice, by attempt",
                "{code}",
                {"attempt": "{attempt}"},
                "code_used_up",
                number_verified,
            ),
            ("step 2, nobody", "123456", {}, "code_wrong", nobody),
        )
    ),
    Row(
        "step 3",
        "auth",
        "register/complete/",
        {
            "registration_token": "{token}",
            "password": PASSWORD,
            "first_name": "Ana",
            "last_name": "Lopez",
        },
        200,
        {**TOKENS, "email_attempt": None},
        given=number_verified,
    ),
    Row(
        "step 3 with an address",
        "auth",
        "register/complete/",
        {"registration_token": "{token}", "password": PASSWORD, "email": ANA, "name": "Ana"},
        200,
        {**TOKENS, "email_attempt": A_UUID},
        given=number_verified,
    ),
    Row(
        "step 3, a weak password",
        "auth",
        "register/complete/",
        {"registration_token": "{token}", "password": "short"},
        400,
        fields={"password": SENTENCES},
        given=number_verified,
    ),
    *(
        Row(
            why,
            "auth",
            "register/complete/",
            {"registration_token": token, "password": PASSWORD},
            400,
            sentence=A_TEXT,
            code="invalid_registration_token",
            given=given,
        )
        for why, token, given in (
            ("step 3, a token of nobody's", NOBODYS, nobody),
            ("step 3, no token", "", nobody),
            ("step 3 twice", "{token}", completed),
        )
    ),
    Row(
        "by email",
        "auth",
        "register/email/",
        {"email": ANA, "password": PASSWORD},
        200,
        BY_EMAIL,
    ),
    Row(
        "by email, taken",
        "auth",
        "register/email/",
        {"email": ANA, "password": PASSWORD},
        400,
        fields={"email": [EXISTS]},
        given=ana,
    ),
    Row(
        "by email, no password",
        "auth",
        "register/email/",
        {"email": ANA},
        400,
        fields={"password": SENTENCES},
    ),
    Row(
        "by email, the code",
        "auth",
        "verify-otp/",
        {"email": ANA, "otp": "{code}"},
        200,
        TOKENS,
        given=begun_by_email,
    ),
    *(
        Row(
            f"in by {kind}",
            "auth",
            "login/",
            {kind: who, "password": PASSWORD},
            200,
            TOKENS,
            given=ana,
        )
        for kind, who in (
            ("email", ANA),
            ("phone", NUMBER),
            ("username", "ana.shop"),
            ("identifier", ANA),
        )
    ),
    *(
        Row(
            why,
            "auth",
            "login/",
            {"email": ANA, "password": password},
            401,
            sentence=A_TEXT,
            code="invalid_credentials",
            given=given,
        )
        for why, password, given in (
            ("in, nobody", PASSWORD, nobody),
            ("in with another password", "not the password", ana),
            ("in, shut out", PASSWORD, shut_out),
            ("in, of staff", PASSWORD, of_staff),
        )
    ),
    Row(
        "in, the password's way is closed",
        "auth",
        "login/",
        {"email": ANA, "password": PASSWORD},
        429,
        sentence=A_TEXT,
        code="password_closed",
        given=locked,
        headers=("Retry-After",),
    ),
    Row(
        "in, without a password",
        "auth",
        "login/",
        {"email": ANA},
        400,
        fields={"password": SENTENCES},
    ),
    Row(
        "the next tokens",
        "auth",
        "token/refresh/",
        {"refresh": "{refresh}"},
        200,
        {"access": A_TOKEN, "refresh": A_TOKEN, "expires_in": 600},
        given=signed_in,
    ),
    *(
        Row(
            why,
            "auth",
            "token/refresh/",
            {"refresh": token},
            401,
            sentence=A_TEXT,
            code="token_not_valid",
            given=given,
            headers=("WWW-Authenticate",),
        )
        for why, token, given in (
            ("the next tokens, signed out", "{refresh}", signed_out),
            ("the next tokens for no token", "x.y.z", nobody),
            ("the next tokens for an access token", "{access}", signed_in),
        )
    ),
    Row(
        "out",
        "auth",
        "logout/",
        {"refresh": "{refresh}"},
        200,
        {"message": "You are signed out."},
        given=signed_in,
    ),
    Row(
        "out twice",
        "auth",
        "logout/",
        {"refresh": "{refresh}"},
        200,
        {"message": "You are signed out."},
        given=signed_out,
    ),
    Row("out, who?", "auth", "logout/", {}, 400, fields={"refresh": SENTENCES}),
    Row("forgotten", "auth", "password-reset/", {"email": ANA}, 200, RESET_SENT, given=ana),
    Row(
        "forgotten, by phone",
        "auth",
        "password-reset/",
        {"phone": NUMBER},
        200,
        RESET_SENT,
        given=ana,
    ),
    Row("forgotten, nobody", "auth", "password-reset/", {"email": STRANGER}, 200, RESET_SENT),
    Row("forgotten, who?", "auth", "password-reset/", {}, 400, fields={"email": SENTENCES}),
    Row(
        "a new password by the link",
        "auth",
        "password-reset/confirm/",
        {"token": "{token}", "password": NEW},
        200,
        {"message": "Your password is changed. Sign in with it."},
        given=reset_asked,
    ),
    Row(
        "a new password by the code",
        "auth",
        "password-reset/confirm/",
        {"attempt": "{attempt}", "otp": "{code}", "password": NEW},
        200,
        {"message": "Your password is changed. Sign in with it."},
        given=reset_texted,
    ),
    Row(
        "a new password, weak",
        "auth",
        "password-reset/confirm/",
        {"token": "{token}", "password": "short"},
        400,
        fields={"password": SENTENCES},
        given=reset_asked,
    ),
    *(
        Row(
            why,
            "auth",
            "password-reset/confirm/",
            {**sent, "password": NEW},
            400,
            sentence=A_TEXT,
            code="link_dead",
        )
        for why, sent in (
            ("a new password, no link", {}),
            ("a new password, no link of ours", {"token": "x"}),
        )
    ),
    Row(
        "who am I",
        "auth",
        "me/",
        {},
        200,
        {
            "id": A_UUID,
            "email": ANA,
            "phone": NUMBER,
            "username": "ana.shop",
            "name": "Ana Maria Lopez",
            "first_name": "Ana Maria",
            "last_name": "Lopez",
            "role": "client",
            "email_verified": True,
            "phone_verified": True,
            "is_active": True,
            "completed": True,
            "created_at": A_TEXT,
        },
        given=signed_in,
        method="GET",
        is_bearer=True,
    ),
    Row(
        "who am I, nobody",
        "auth",
        "me/",
        {},
        401,
        sentence=A_TEXT,
        code="not_authenticated",
        method="GET",
        headers=("WWW-Authenticate",),
    ),
    Row(
        "who am I, signed out",
        "auth",
        "me/",
        {},
        401,
        sentence=A_TEXT,
        code="token_not_valid",
        given=signed_out,
        method="GET",
        is_bearer=True,
        headers=("WWW-Authenticate",),
    ),
]


DEVICE = {
    "sid": A_UUID,
    "device": A_TEXT,
    "is_app": True,
    "is_current": True,
    "signed_in_at": A_TEXT,
    "last_used_at": A_TEXT,
}
# What new apps alone have.
V2_ONLY = [
    Row(
        "another name",
        "auth",
        "me/",
        {"name": "Ana Lopez"},
        200,
        A_USER,
        given=signed_in,
        method="PATCH",
        is_bearer=True,
    ),
    Row(
        "no name",
        "auth",
        "me/",
        {},
        400,
        fields={"name": SENTENCES},
        given=signed_in,
        method="PATCH",
        is_bearer=True,
    ),
    Row(
        "where am I",
        "auth",
        "devices/",
        {},
        200,
        {"devices": [DEVICE]},
        given=signed_in,
        method="GET",
        is_bearer=True,
    ),
    Row(
        "a device of nobody's",
        "auth",
        f"devices/{NOBODYS}/",
        {},
        404,
        sentence=A_TEXT,
        code="not_found",
        given=signed_in,
        method="DELETE",
        is_bearer=True,
    ),
    *(
        Row(
            f"{method} {path}, nobody",
            "auth",
            path,
            {},
            401,
            sentence=A_TEXT,
            code="not_authenticated",
            method=method,
            headers=("WWW-Authenticate",),
        )
        for method, path in (
            ("PATCH", "me/"),
            ("GET", "devices/"),
            ("DELETE", f"devices/{NOBODYS}/"),
        )
    ),
]


def walk(row, program, *, names_attempt=False):
    """Do what a row says, and say how the answer differs from what it promises. `names_attempt` wherever one may be."""
    given = row.given(program) if row.given else {}
    program.access = given["access"] if row.is_bearer else ""
    sent = {name: value.format(**given) for name, value in row.sent.items()}
    if names_attempt and "attempt" in given and "verify" in row.path:
        sent.setdefault("attempt", given["attempt"])
    told = program.call(row.method, row.space, row.path, sent)
    assert told.status == row.status, told.body
    if row.answer is not None:
        assert told.body == row.answer
    if row.fields is not None:
        assert told.fields == row.fields
    if row.sentence:
        assert (told.sentence, told.code) == (row.sentence, row.code)
    assert set(row.headers) <= set(told.headers)
    return told
