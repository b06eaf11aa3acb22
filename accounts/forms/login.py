"""The forms of somebody who comes back: sign-in, a code instead, a new password."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import identifiers
from accounts.forms.base import AddressForm, ShopForm
from accounts.forms.fields import NAME_BOX, CleanCharField, CurrentPasswordField, RememberField


class SignInForm(ShopForm):
    """A name of any kind, and the password."""

    identifier: Any = CleanCharField(
        label=_("Email address, mobile number or username"),
        required=False,
        max_length=320,
        widget=forms.TextInput(attrs=NAME_BOX),
    )
    password = CurrentPasswordField(_("Password"), _("Enter your password"))
    remember = RememberField()
    next = CleanCharField(required=False, widget=forms.HiddenInput)
    email = CleanCharField(required=False, max_length=320)
    phone = CleanCharField(required=False, max_length=64)
    username = CleanCharField(required=False, max_length=320)

    page_fields = ("identifier", "password", "remember", "next")
    names = ("identifier", "email", "phone", "username")

    def clean(self):
        """Read the name, whichever field it came in; what cannot be read is a name that nobody has (ENU-01)."""
        typed = next(filter(None, map(self.cleaned_data.get, self.names)), "")
        if typed:
            self.identifier = identifiers.parse_sign_in_name(typed)
        elif not any(name in self.errors for name in self.names):
            self.add_error("identifier", _("Enter your email address, mobile number or username"))


class SendCodeForm(AddressForm):
    """Where to send a code that signs in."""

    remember = RememberField()
    username = CleanCharField(required=False, max_length=320)

    page_fields = ("identifier", "remember", "next")


class ResetForm(AddressForm):
    """Whose password was forgotten."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["identifier"].help_text = _(
            "We will send you a link by email, or a code by text message."
        )
