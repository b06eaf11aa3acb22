"""The shape of what people type: length, format, normal form. No rules, no queries."""

from accounts.forms.account import (
    ChangePasswordForm,
    ConfirmForm,
    ContactForm,
    NamesForm,
    NewPasswordForm,
    StaffContactForm,
)
from accounts.forms.base import AddressForm, ButtonForm, CodeForm, ShopForm
from accounts.forms.fields import CleanCharField, NameField, PasswordField, RememberField
from accounts.forms.login import ResetForm, SendCodeForm, SignInForm
from accounts.forms.registration import (
    IdentifyForm,
    OtherAddressForm,
    ProfileForm,
    TwicePasswordForm,
    WholeAccountForm,
)

__all__ = [
    "AddressForm",
    "ChangePasswordForm",
    "CodeForm",
    "ConfirmForm",
    "ContactForm",
    "ButtonForm",
    "IdentifyForm",
    "NameField",
    "NamesForm",
    "NewPasswordForm",
    "OtherAddressForm",
    "PasswordField",
    "ProfileForm",
    "ShopForm",
    "RememberField",
    "ResetForm",
    "SendCodeForm",
    "SignInForm",
    "StaffContactForm",
    "TwicePasswordForm",
    "WholeAccountForm",
    "CleanCharField",
]
