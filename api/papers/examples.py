"""Each call as a shell tells it: from top to bottom they are one journey, to be pasted into a fresh shell."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from api.shapes import PASSWORD

NEW_PASSWORD = "an entirely new secret"  # noqa: S105  an example
NEW_EMAIL = 'EMAIL="ana.$RANDOM$RANDOM@example.com"'
NEW_PHONE = 'PHONE="+1$((RANDOM % 2 ? 415 : 312))555$((1000 + RANDOM % 9000))"'
READ_CODE = 'CODE=$(code_for "{}")'
READ_LINK = 'TOKEN=$(link_for "$EMAIL")'


@dataclass(frozen=True)
class Example:
    """What is sent, in words of the shell, and which members of the answer are kept under which name."""

    sent: Mapping[str, str] = field(default_factory=dict)
    keeps: Mapping[str, str] = field(default_factory=dict)
    # What the shell does first: lines of its own, or other calls, by their keys.
    before: tuple[str, ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)
    is_bearer: bool = False
    # Whether the answer goes on for as long as there is something to tell.
    is_stream: bool = False


TOKENS = {"ACCESS": "access", "REFRESH": "refresh"}
TWICE = {"password": PASSWORD, "password_confirm": PASSWORD}
# By the operation's id in its document.
EXAMPLES = {
    "register": Example(
        {"email": "$EMAIL", **TWICE, "name": "Ana Maria Lopez"},
        {"USER_ID": "user_id"},
        (NEW_EMAIL,),
    ),
    "verify_otp": Example(
        {"user_id": "$USER_ID", "otp": "$CODE", "app": "My Shop"},
        TOKENS,
        (READ_CODE.format("$EMAIL"),),
    ),
    "resend_otp": Example({"email_or_phone": "$EMAIL"}),
    "verify_email_by_get": Example(
        {"token": "$TOKEN", "user_id": "$USER_ID"}, before=("register", READ_LINK)
    ),
    "verify_email": Example({"token": "$TOKEN"}),
    "resend_verification": Example({"email": "$EMAIL"}),
    "otp_request_otp": Example({"email": "$EMAIL"}, {"ATTEMPT": "attempt"}),
    "otp_verify_otp": Example(
        {"email": "$EMAIL", "code": "$CODE", "attempt": "$ATTEMPT", "app": "My Shop"},
        TOKENS,
        (READ_CODE.format("$EMAIL"),),
    ),
    "register_phone": Example({"phone": "$PHONE"}, {"ATTEMPT": "attempt"}, (NEW_PHONE,)),
    "verify_address": Example(
        {"phone": "$PHONE", "otp": "$CODE", "attempt": "$ATTEMPT"},
        {"REGISTRATION_TOKEN": "registration_token"},
        (READ_CODE.format("$PHONE"),),
    ),
    "register_complete": Example(
        {
            "registration_token": "$REGISTRATION_TOKEN",
            "password": PASSWORD,
            "name": "Ana Maria Lopez",
            "app": "My Shop",
        },
        TOKENS,
    ),
    "register_email": Example(
        {"email": "$EMAIL", "password": PASSWORD, "name": "Bea Lopez"},
        {"ATTEMPT": "attempt"},
        (NEW_EMAIL,),
    ),
    "login": Example(
        {"identifier": "$PHONE", "password": PASSWORD, "app": "My Shop"},
        {**TOKENS, "DEVICE_TOKEN": "device_token"},
    ),
    "token_refresh": Example({"refresh": "$REFRESH"}, TOKENS),
    "logout": Example({"refresh": "$REFRESH"}),
    "password_reset": Example(
        {"email": "$EMAIL"},
        {"ATTEMPT": "attempt"},
        ("# of the account that a code made", READ_CODE.format("$EMAIL"), "verify_email_address"),
    ),
    "password_reset_confirm": Example(
        {"token": "$TOKEN", "password": NEW_PASSWORD}, before=(READ_LINK,)
    ),
    "me": Example(is_bearer=True, before=("login_again",)),
    "change_name": Example({"name": "Ana Lopez"}, is_bearer=True),
    "devices": Example(is_bearer=True, keeps={"SID": "devices.0.sid"}),
    "end_device": Example(is_bearer=True, path={"sid": "$SID"}),
    "attempt_events": Example(path={"id": "$USER_ID"}, is_stream=True),
    # No calls of their own: steps between those above.
    "verify_email_address": Example(
        {"email": "$EMAIL", "otp": "$CODE", "attempt": "$ATTEMPT"}, TOKENS
    ),
    "login_again": Example({"identifier": "$EMAIL", "password": NEW_PASSWORD}, TOKENS),
}
# Where what is named above only as a step is sent to.
STEPS = {"verify_email_address": "verify_address", "login_again": "login"}
# Where a space has no call of its own for what comes next, it is told with what comes before.
NEXT = {"register_phone": "verify_address"}


@dataclass(frozen=True)
class Address:
    """Where an operation of a document is."""

    method: str
    path: str


def shell(name: str, addresses: Mapping[str, Address]) -> str:
    """The lines that call the operation `name`; the addresses are those of its space."""
    example = EXAMPLES[name]
    lines = []
    for step in example.before:
        lines += [shell(step, addresses)] if step in EXAMPLES else [step]
    lines.append(_curl(addresses[STEPS.get(name, name)], example))
    lines += [f"{kept}=$(field {member})" for kept, member in example.keeps.items()]
    following = NEXT.get(name)
    if following and addresses[following] == addresses.get("verify_otp"):
        lines.append(shell(following, addresses))
    return "\n".join(lines)


def _curl(address: Address, example: Example) -> str:
    path = _filled(address.path, example)
    if example.is_stream:
        return f'curl -sSN "$SHOP{path}"'
    words = ["curl -sS"]
    if address.method == "GET" and example.sent:
        path += "?" + "&".join(f"{name}={value}" for name, value in example.sent.items())
    elif address.method not in ("GET", "POST"):
        words.append(f"-X {address.method}")
    words.append(f'"$SHOP{path}"')
    if example.is_bearer:
        words.append('-H "Authorization: Bearer $ACCESS"')
    if address.method == "GET" or not example.sent:
        return " ".join([*words, "| show"])
    words += ["-H", shlex.quote("Content-Type: application/json"), "-d @- << JSON | show"]
    return "\n".join([" ".join(words), json.dumps(example.sent, indent=2), "JSON"])


def _filled(path: str, example: Example) -> str:
    for name, value in example.path.items():
        path = path.replace(f"{{{name}}}", value)
    return path
