"""The forms of somebody who is signed in: names, contacts, the password, a confirmation."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import conf, identifiers
from accounts.forms.base import ShopForm
from accounts.forms.fields import (
    NAME_BOX,
    PASSWORD_NEEDED,
    PASSWORD_RULE,
    CleanCharField,
    CurrentPasswordField,
    NameField,
    PasswordField,
    _validation_error,
)
from accounts.identifiers import EMAIL, PHONE, InvalidIdentifier
from accounts.password_policy import validation


class NamesForm(ShopForm):
    """What a shopper is called, and the name to sign in with."""

    name = NameField(
        label=_("Your name"),
        required=True,
        max_length=conf.NAME_MAX,
        error_messages={"required": _("Enter your name")},
        widget=forms.TextInput(
            attrs={"autocomplete": "name", "spellcheck": "false", "dir": "auto"}
        ),
    )
    username = CleanCharField(
        label=_("Username"),
        required=False,
        max_length=conf.USERNAME_MAX,
        help_text=_("A short name to sign in with: letters a to z, digits, dots, dashes."),
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "dir": "ltr",
            }
        ),
    )

    optional: tuple[str, ...] = ("username",)

    def clean_username(self):
        return _username(self.cleaned_data["username"])


# What the box for a contact says and how it behaves: label, hint, what is missing, attributes, reader.
CONTACTS = {
    PHONE: (
        _("Mobile number"),
        _("With country code. We will text a code to it; it counts once you type that code."),
        _("Enter your mobile number"),
        {"type": "tel", "autocomplete": "tel"},
        identifiers.parse_phone,
    ),
    EMAIL: (
        _("Email address"),
        _("We will send a code to it; it counts once you type that code."),
        _("Enter your email address"),
        {
            "type": "email",
            "autocomplete": "email",
            "autocapitalize": "none",
            "spellcheck": "false",
        },
        identifiers.parse_email,
    ),
}


class ContactForm(ShopForm):
    """A new email address or mobile number for somebody who is signed in."""

    contact = CleanCharField(required=True, max_length=320)

    def __init__(self, *args, kind, **kwargs):
        super().__init__(*args, **kwargs)
        self.ask_for(kind)

    def ask_for(self, kind):
        """Word and shape the box for an email address or a mobile number."""
        field = self.fields["contact"]
        field.label, field.help_text, missing, attrs, self._read_contact = CONTACTS[kind]
        field.error_messages = {**field.error_messages, "required": missing}
        field.widget = forms.TextInput(attrs={"class": "input", "dir": "ltr", **attrs})

    def clean_contact(self):
        typed = self.cleaned_data["contact"]
        self.identifier = _parsed(self._read_contact, typed) if typed else None
        return typed


class NewPasswordForm(ShopForm):
    """A new password for `user`, in one box that can be shown (ux 53)."""

    password = PasswordField(
        label=_("New password"),
        required=True,
        error_messages={"required": PASSWORD_NEEDED},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["password"].help_text = PASSWORD_RULE

    def clean(self):
        password = self.cleaned_data.get("password")
        if password:
            _validate_password(self, password, self.owner)

    @property
    def owner(self):
        """Whose password it will be, as the form says."""
        return self.user


class ChangePasswordForm(NewPasswordForm):
    """The password that was, and the one that will be."""

    current = CurrentPasswordField(_("Current password"), _("Enter your current password"))

    field_order = ("current", "password")


class StaffContactForm(ShopForm):
    """The password of a member of staff, and where their codes shall go."""

    current = CurrentPasswordField(_("Current password"), _("Enter your current password"))
    contact = CleanCharField(
        label=_("New email address or mobile number"),
        help_text=_("We will send a code to it; it counts once you type that code."),
        required=True,
        max_length=320,
        error_messages={"required": _("Enter an email address or mobile number")},
        widget=forms.TextInput(attrs={**NAME_BOX, "autocomplete": "off"}),
    )

    def clean_contact(self):
        typed = self.cleaned_data["contact"]
        self.identifier = _parsed(identifiers.parse, typed)
        return typed


class ConfirmForm(ShopForm):
    """The password of somebody who is signed in."""

    current = CurrentPasswordField(_("Password"), _("Enter your password"))
    next = CleanCharField(required=False, widget=forms.HiddenInput)


def _username(text):
    return _parsed(identifiers.parse_username, text) if text else ""


def _parsed(parse, text):
    """What `parse` makes of `text`. Raises ValidationError."""
    try:
        return parse(text)
    except InvalidIdentifier as problem:
        raise _validation_error(problem) from None


def _validate_password(form, password, user):
    try:
        validation.validate_locally(password, user)
    except ValidationError as problems:
        form.add_error("password", problems)
