"""The shape of what people type: length, format, normal form. No rules, no queries."""

import unicodedata
from itertools import chain

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts import codes, conf, identifiers
from accounts.errors import Refused
from accounts.identifiers import EMAIL, PHONE, Identifier, NotTexted, Unreadable
from accounts.models import User

PASSWORD_RULE = _(
    "At least %(n)d characters. A few words in a row are easy to remember and hard to guess."
) % {"n": conf.PASSWORD_MIN_LENGTH}

# A box for the name somebody signs in with, which nothing may correct.
NAME_BOX = {
    "autocomplete": "username",
    "autocapitalize": "none",
    "spellcheck": "false",
    "dir": "auto",
}


class Text(forms.CharField):
    """A line of text. Other JSON types, control characters and lone surrogates are refused (IDN-08)."""

    refused: tuple[str, ...] = ("Cc", "Cs")

    def to_python(self, value):
        """Return the text, or raise ValidationError."""
        if value not in self.empty_values and not self._readable(value):
            raise ValidationError(
                _("Use letters, digits and ordinary signs only"), code="unreadable"
            )
        return super().to_python(value)

    def _readable(self, value):
        if not isinstance(value, str):
            return False
        value = value.strip()
        return value.isprintable() or not any(
            unicodedata.category(letter) in self.refused for letter in value
        )


class Password(Text):
    """A password exactly as typed: not trimmed, not cut, any character a database can keep (PWD-01)."""

    refused = ("Cs",)
    widget = forms.PasswordInput

    def __init__(self, **kwargs):
        super().__init__(strip=False, max_length=conf.PASSWORD_MAX_LENGTH, **kwargs)

    def widget_attrs(self, widget):
        """No maxlength: a browser would cut a longer password without a word (ux 55)."""
        return {}


class RefusableForm(forms.Form):
    """A form on which the refusal of a flow can land. `shown` are the fields on the page; others may come along."""

    shown: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    # What was typed to say who somebody is, read.
    found: Identifier | None = None
    # No native bubbles: the server words every error (ux 24).
    use_required_attribute = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.shown:
            # What is not on the page and did not come along is not there.
            self.fields = {
                name: field
                for name, field in self.fields.items()
                if name in self.shown or name in self.data
            }
        for field in self.fields.values():
            field.widget.attrs.setdefault("class", "input")

    def __iter__(self):
        """Give templates the fields they show."""
        return (self[name] for name in self.shown or self.fields)

    @property
    def other_errors(self):
        """What is wrong with fields that came along but are not on the page."""
        listed = {*(self.shown or self.fields), "__all__"}
        return [text for name, texts in self.errors.items() if name not in listed for text in texts]

    @property
    def not_texted(self):
        """The numbers that were refused because we text none of their kind or country (IDN-05)."""
        errors = chain.from_iterable(self.errors.as_data().values())
        return [
            error.params["number"] for error in errors if error.params and "number" in error.params
        ]

    def refuse(self, refusal: Refused) -> None:
        """Show what a flow refuses as an error of this form, at its field if the form has it."""
        field = self.field_for(refusal)
        self.add_error(
            field if field in self.fields else None, ValidationError(str(refusal.message))
        )

    def field_for(self, refusal: Refused) -> str | None:
        """Name the field a refusal belongs to."""
        return refusal.field


class AddressForm(RefusableForm):
    """One box for an email address or mobile number, or the fields `email` / `phone`."""

    identifier = Text(
        label=_("Email address or mobile number"),
        help_text=_(
            "We will send a %(n)d-digit code to it. Texts may cost what your carrier charges."
        )
        % {"n": conf.CODE_LENGTH},
        required=False,
        max_length=320,
        widget=forms.TextInput(attrs=NAME_BOX),
    )
    next = Text(required=False, widget=forms.HiddenInput)
    email = Text(required=False, max_length=320)
    phone = Text(required=False, max_length=64)

    shown: tuple[str, ...] = ("identifier", "next")

    def clean(self):
        """Read the identifier, whichever field it came in."""
        given = [name for name in ("identifier", "email", "phone") if self.cleaned_data.get(name)]
        if len(given) > 1:
            self.add_error(given[0], _("Enter an email address or a mobile number, not both"))
        elif given:
            self._read_identifier(given[0])
        elif not self.errors:
            self.add_error("identifier", _("Enter your email address or mobile number"))

    def field_for(self, refusal):
        """Answer about the identifier in the field it came in."""
        return self.source if refusal.field == "identifier" else refusal.field

    @property
    def source(self) -> str:
        """The field the identifier came in."""
        return next(
            (name for name in ("email", "phone") if self.cleaned_data.get(name)), "identifier"
        )

    @property
    def typed(self) -> str:
        """The identifier as the shopper typed it, to show back unchanged (ux 18)."""
        return self.cleaned_data[self.source].strip()

    def _read_identifier(self, source):
        read = {"email": identifiers.parse_email, "phone": identifiers.parse_phone}.get(
            source, identifiers.parse
        )
        try:
            self.found = read(self.cleaned_data[source])
        except Unreadable as problem:
            self.add_error(source, _as_error(problem))


class IdentifyForm(AddressForm):
    """Step 1 of a registration. Whatever of step 3 comes along is kept."""

    # Our own page says that it can show a hint; other clients cannot, and are not asked.
    hints = Text(required=False, initial="1", widget=forms.HiddenInput)
    keep = Text(required=False)
    name = Text(required=False, max_length=conf.NAME_MAX)
    first_name = Text(required=False, max_length=conf.NAME_MAX)
    last_name = Text(required=False, max_length=conf.NAME_MAX)
    username = Text(required=False, max_length=conf.USERNAME_MAX)
    password = Password(required=False)
    password_confirm = Password(required=False)
    password2 = Password(required=False)

    shown = ("identifier", "next", "hints")

    def clean_username(self):
        """Bring a username into its one spelling."""
        return _username(self.cleaned_data["username"])

    def clean(self):
        """Read the identifier, and hold the passwords together."""
        super().clean()
        self._hold_password()

    @cached_property
    def suggestion(self) -> str:
        """The address that was probably meant, unless the shopper said to keep the typed one (ux 19)."""
        asked = self.cleaned_data["hints"] and not self.cleaned_data.get("keep")
        if not asked or self.found is None or self.found.kind != EMAIL:
            return ""
        return identifiers.suggestion(self.found.address)

    @property
    def full_name(self) -> str:
        """The name, in one piece."""
        parts = [self.cleaned_data.get("first_name", ""), self.cleaned_data.get("last_name", "")]
        return self.cleaned_data.get("name") or " ".join(part for part in parts if part)

    def _hold_password(self):
        password = self.cleaned_data.get("password")
        for name in ("password_confirm", "password2"):
            again = self.cleaned_data.get(name)
            if again and again != password:
                self.add_error(name, _("Passwords do not match."))
        if password and self.found:
            known = {"name": self.full_name, "username": self.cleaned_data.get("username", "")}
            _judge_password(self, password, User(**known, **_columns(self.found)))


class RememberField(forms.BooleanField):
    """Whether to stay signed in once the browser is closed. Left out is no."""

    def __init__(self):
        super().__init__(
            label=_("Stay signed in on this device"),
            required=False,
            initial=True,
            widget=forms.CheckboxInput(attrs={"class": "check"}),
        )


class SignInForm(RefusableForm):
    """A name of any kind, and the password."""

    identifier = Text(
        label=_("Email address, mobile number or username"),
        required=False,
        max_length=320,
        widget=forms.TextInput(attrs=NAME_BOX),
    )
    password = Password(
        label=_("Password"),
        error_messages={"required": _("Enter your password")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    remember = RememberField()
    next = Text(required=False, widget=forms.HiddenInput)
    email = Text(required=False, max_length=320)
    phone = Text(required=False, max_length=64)
    username = Text(required=False, max_length=320)

    shown = ("identifier", "password", "remember", "next")
    names = ("identifier", "email", "phone", "username")

    def clean(self):
        """Read the name, whichever field it came in; what cannot be read is a name that nobody has (ENU-01)."""
        typed = next(filter(None, map(self.cleaned_data.get, self.names)), "")
        if typed:
            self.found = identifiers.parse_name(typed)
        elif not any(name in self.errors for name in self.names):
            self.add_error("identifier", _("Enter your email address, mobile number or username"))


class SendCodeForm(AddressForm):
    """Where to send a code that signs in."""

    remember = RememberField()
    username = Text(required=False, max_length=320)

    shown = ("identifier", "remember", "next")


class ResetForm(AddressForm):
    """Whose password was forgotten."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["identifier"].help_text = _(
            "We will send you a link by email, or a code by text message."
        )


class CodeForm(RefusableForm):
    """One code, in one box; pasted with words or spaces, in the digits of any script (ux 25 to 28)."""

    code = Text(
        label=_("%(n)d-digit code") % {"n": conf.CODE_LENGTH},
        required=False,
        widget=forms.TextInput(
            attrs={
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "class": "input input-code",
                "dir": "ltr",
                "autofocus": True,
            }
        ),
    )
    otp = Text(required=False)
    username = Text(required=False, max_length=conf.EMAIL_MAX)

    shown = ("code",)

    def clean(self):
        """Pick the digits out; say exactly what is wrong with the shape before a try is spent (ux 35)."""
        source = "otp" if self.cleaned_data.get("otp") else "code"
        typed = self.cleaned_data.get(source) or ""
        if self.errors:
            return
        digits = codes.read(typed)
        problem = self._problem(typed, digits)
        if problem:
            self.add_error(source, problem % {"n": conf.CODE_LENGTH})
        self.cleaned_data["code"] = digits

    def _problem(self, typed, digits):
        if not typed:
            return _("Enter the %(n)d-digit code")
        if len(typed) > conf.CODE_INPUT_MAX or len(digits) > conf.CODE_LENGTH:
            return _("The code you typed is too long. It has %(n)d digits.")
        if not digits:
            return _("The code has %(n)d digits and nothing else. Check what you typed.")
        return (
            _("The code you typed is too short. It has %(n)d digits.")
            if len(digits) < conf.CODE_LENGTH
            else ""
        )


class NamesForm(RefusableForm):
    """What a shopper is called, and the name to sign in with."""

    name = Text(
        label=_("Your name"),
        required=True,
        max_length=conf.NAME_MAX,
        error_messages={"required": _("Enter your name")},
        widget=forms.TextInput(
            attrs={"autocomplete": "name", "spellcheck": "false", "dir": "auto"}
        ),
    )
    username = Text(
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
        """Bring a username into its one spelling."""
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


class ContactForm(RefusableForm):
    """A new email address or mobile number for somebody who is signed in."""

    contact = Text(required=True, max_length=320)

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
        """Read the contact."""
        typed = self.cleaned_data["contact"]
        try:
            self.found = self._read_contact(typed) if typed else None
        except Unreadable as problem:
            raise _as_error(problem) from None
        return typed


class NewPasswordForm(RefusableForm):
    """A new password for `user`, in one box that can be shown (ux 53)."""

    password = Password(
        label=_("New password"),
        required=True,
        error_messages={"required": _("Choose a password")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["password"].help_text = PASSWORD_RULE

    def clean(self):
        """Judge the password against what is known of its owner."""
        password = self.cleaned_data.get("password")
        if password:
            _judge_password(self, password, self.owner)

    @property
    def owner(self):
        """Whose password it will be, as the form says."""
        return self.user


class ChangePasswordForm(NewPasswordForm):
    """The password that was, and the one that will be."""

    current = Password(
        label=_("Current password"),
        required=True,
        error_messages={"required": _("Enter your current password")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    field_order = ("current", "password")


class StaffContactForm(RefusableForm):
    """The password of a member of staff, and where their codes shall go."""

    current = Password(
        label=_("Current password"),
        required=True,
        error_messages={"required": _("Enter your current password")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    contact = Text(
        label=_("New email address or mobile number"),
        help_text=_("We will send a code to it; it counts once you type that code."),
        required=True,
        max_length=320,
        error_messages={"required": _("Enter an email address or mobile number")},
        widget=forms.TextInput(attrs={**NAME_BOX, "autocomplete": "off"}),
    )

    def clean_contact(self):
        """Read the contact."""
        typed = self.cleaned_data["contact"]
        try:
            self.found = identifiers.parse(typed)
        except Unreadable as problem:
            raise _as_error(problem) from None
        return typed


class ConfirmForm(RefusableForm):
    """The password of somebody who is signed in."""

    current = Password(
        label=_("Password"),
        required=True,
        error_messages={"required": _("Enter your password")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    next = Text(required=False, widget=forms.HiddenInput)


class ProfileForm(NamesForm, NewPasswordForm, ContactForm):
    """Step 3. `user` is who has just proven an identifier; the other kind of contact may be added."""

    next = Text(required=False, widget=forms.HiddenInput)

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
        """Whoever is proven, under the names that were typed."""
        known = {name: self.cleaned_data.get(name, "") for name in ("name", "username")}
        return User(email=self.user.email, phone=self.user.phone, **known)


class EmptyForm(RefusableForm):
    """Nothing but a button."""


def _as_error(problem):
    """What could not be read, as an error of its field; a number that is not texted comes along."""
    number = {"number": problem.number} if isinstance(problem, NotTexted) else None
    return ValidationError(str(problem), code=problem.code, params=number)


def _username(text):
    try:
        return identifiers.parse_username(text) if text else ""
    except Unreadable as problem:
        raise ValidationError(str(problem)) from None


def _judge_password(form, password, user):
    try:
        password_validation.validate_password(password, user)
    except ValidationError as problems:
        form.add_error("password", problems)


def _columns(found):
    return {"email": found.address} if found.kind == EMAIL else {"phone": found.key}
