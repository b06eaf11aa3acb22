"""The shape of what people type: length, format, normal form. No rules, no queries."""

from accounts.forms.account import (
    ChangePasswordForm,
    ConfirmForm,
    ContactForm,
    NamesForm,
    NewPasswordForm,
    StaffContactForm,
)
from accounts.forms.base import AddressForm, CodeForm, EmptyForm, RefusableForm
from accounts.forms.fields import Password, RememberField, Text
from accounts.forms.login import ResetForm, SendCodeForm, SignInForm
from accounts.forms.registration import IdentifyForm, OtherAddressForm, ProfileForm

__all__ = [
    "AddressForm",
    "ChangePasswordForm",
    "CodeForm",
    "ConfirmForm",
    "ContactForm",
    "EmptyForm",
    "IdentifyForm",
    "NamesForm",
    "NewPasswordForm",
    "OtherAddressForm",
    "Password",
    "ProfileForm",
    "RefusableForm",
    "RememberField",
    "ResetForm",
    "SendCodeForm",
    "SignInForm",
    "StaffContactForm",
    "Text",
]
