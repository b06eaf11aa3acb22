"""The forms of somebody who registers: the identifier, the code, the profile."""

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts import conf, identifiers
from accounts.forms.account import (
    ContactForm,
    NamesForm,
    NewPasswordForm,
    _username,
    _validate_password,
)
from accounts.forms.base import AddressForm, _user_columns
from accounts.forms.fields import PASSWORD_NEEDED, CleanCharField, NameField, PasswordField
from accounts.identifiers import EMAIL, PHONE
from accounts.models import User

MISMATCH = _("Passwords do not match.")


class OtherAddressForm(AddressForm):
    """Another address for a registration in progress; a likely slip of the keys is asked about."""

    # Our own page says that it can show a hint; other clients cannot, and are not asked.
    hints = CleanCharField(required=False, initial="1", widget=forms.HiddenInput)
    keep = CleanCharField(required=False)

    page_fields: tuple[str, ...] = ("identifier", "next", "hints")

    @cached_property
    def suggestion(self) -> str:
        """The address that was probably meant, unless the shopper said to keep the typed one (ux 19)."""
        asked = self.cleaned_data["hints"] and not self.cleaned_data.get("keep")
        if not asked or self.identifier is None or self.identifier.kind != EMAIL:
            return ""
        return identifiers.suggest_address(self.identifier.address)


class IdentifyForm(OtherAddressForm):
    """Step 1 of a registration. Whatever of step 3 comes along is kept."""

    name = NameField(required=False, max_length=conf.NAME_MAX)
    first_name = NameField(required=False, max_length=conf.NAME_MAX)
    last_name = NameField(required=False, max_length=conf.NAME_MAX)
    username = CleanCharField(required=False, max_length=conf.USERNAME_MAX)
    password = PasswordField(required=False)
    password_confirm = PasswordField(required=False)
    password2 = PasswordField(required=False)

    def clean_username(self):
        return _username(self.cleaned_data["username"])

    def clean(self):
        super().clean()
        self._hold_password()

    @property
    def full_name(self) -> str:
        parts = [self.cleaned_data.get("first_name", ""), self.cleaned_data.get("last_name", "")]
        return self.cleaned_data.get("name") or " ".join(part for part in parts if part)

    def _hold_password(self):
        password = self.cleaned_data.get("password")
        for name in ("password_confirm", "password2"):
            again = self.cleaned_data.get(name)
            if again and again != password:
                self.add_error(name, MISMATCH)
        if password and self.identifier:
            known = {"name": self.full_name, "username": self.cleaned_data.get("username", "")}
            _validate_password(self, password, User(**known, **_user_columns(self.identifier)))


class WholeAccountForm(IdentifyForm):
    """All of a registration at once, as programs send it: the address and the password."""

    password = PasswordField(required=True, error_messages={"required": PASSWORD_NEEDED})

    page_fields: tuple[str, ...] = ("identifier", "password")


class TwicePasswordForm(WholeAccountForm):
    """The same, with the password a second time."""

    password_confirm = PasswordField(required=True, error_messages={"required": MISMATCH})

    page_fields = ("identifier", "password", "password_confirm")


class ProfileForm(NamesForm, NewPasswordForm, ContactForm):
    """Step 3. `user` is who has just verified an identifier; the other kind of contact may be added."""

    next = CleanCharField(required=False, widget=forms.HiddenInput)

    optional = ("username", "contact")
    field_order = ("name", "password", "username", "contact", "next")

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, user=user, kind=PHONE if user.email else EMAIL, **kwargs)
        self.fields["password"].label = _("Password")
        self.fields["contact"].required = False
        if user.has_usable_password():
            # Recovered before the profile was complete: another one takes the current one (PWD-06).
            del self.fields["password"]

    @property
    def owner(self):
        """Whoever is verified, under the names that were typed."""
        known = {name: self.cleaned_data.get(name, "") for name in ("name", "username")}
        return User(email=self.user.email, phone=self.user.phone, **known)
