"""The space for new apps: design 000's three calls, the other two spaces under one roof, and what only it has."""

from dataclasses import replace

from api import errors, shapes
from api.dialects import (
    AUTH,
    SPACES,
    TAG_V2,
    V1,
    VERIFY_ADDRESS,
    VERIFY_OTP,
    Call,
    Space,
)
from api.operations import account

OF_BEARER = ("not_authenticated", "token_not_valid")

# Designs 000 and 002 have one address for two things: whoever names a `user_id` means the former.
VERIFY = replace(
    VERIFY_OTP,
    takes=shapes.VerifyEitherIn,
    either=(VERIFY_OTP.takes, VERIFY_ADDRESS.takes),
    other=VERIFY_ADDRESS,
    other_by=("attempt", "phone", "email"),
)
CHANGE_NAME = Call(
    path="me",
    name="auth-change-name",
    operation=account.change_name,
    takes=shapes.NameIn,
    answers=(shapes.UserOut,),
    summary="Change what the shopper is called",
    methods=("PATCH",),
    refusals=("invalid", *OF_BEARER, "too_often"),
    needs_bearer=True,
)
DEVICES = Call(
    path="devices",
    name="auth-devices",
    operation=account.list_devices,
    takes=shapes.NothingIn,
    answers=(shapes.DevicesOut,),
    summary="Where the shopper is signed in",
    methods=("GET",),
    refusals=OF_BEARER,
    needs_bearer=True,
)
END_DEVICE = Call(
    path="devices/{sid}",
    name="auth-end-device",
    operation=account.end_device,
    takes=shapes.DeviceIn,
    answers=(shapes.Said,),
    summary="Sign one device out",
    message="The device is signed out.",
    methods=("DELETE",),
    refusals=(*OF_BEARER, "not_found"),
    needs_bearer=True,
)

V2 = Space(
    name="v2",
    prefix="api/v2/auth/",
    title="Storefront API, v2",
    tag=TAG_V2,
    description="All that programs may ask for, for new apps: register, sign in, stay signed in.",
    render=errors.render_problem,
    refusals=(shapes.ProblemOut,),
    calls=(
        *(VERIFY if call is VERIFY_OTP else call for call in V1.calls),
        *(call for call in AUTH.calls if call is not VERIFY_ADDRESS),
        CHANGE_NAME,
        DEVICES,
        END_DEVICE,
    ),
    # An attempt is named by its handle: else a stranger could use up its tries.
    by_address=False,
    problem_type=errors.PROBLEM_TYPE,
    has_events=True,
)
EVERY_SPACE = (*SPACES, V2)
