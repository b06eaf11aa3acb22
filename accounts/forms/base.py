"""The form on which the refusal of a flow can land."""

from itertools import chain
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import codes, conf, identifiers
from accounts.errors import Refused
from accounts.forms.fields import NAME_BOX, CleanCharField, PastedTextField, _validation_error
from accounts.identifiers import EMAIL, InvalidIdentifier


class ShopForm(forms.Form):
    """A form on which the refusal of a flow can land. `shown` are the fields on the page; others may come along."""

    page_fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    # What was typed to say who somebody is, read: an Identifier. The field of that name is in `fields`.
    identifier: Any = None
    # What a flow refused; the answer has its status and headers.
    refusal: Refused | None = None
    # No native bubbles: the server words every error (ux 24).
    use_required_attribute = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.page_fields:
            # What is not on the page and did not come along is not there.
            self.fields = {
                name: field
                for name, field in self.fields.items()
                if name in self.page_fields or name in self.data
            }
        for field in self.fields.values():
            field.widget.attrs.setdefault("class", "input")

    def __iter__(self):
        return (self[name] for name in self.page_fields or self.fields)

    @property
    def other_errors(self):
        """What is wrong with fields that came along but are not on the page."""
        listed = {*(self.page_fields or self.fields), "__all__"}
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
        self.refusal = refusal
        field = self.field_for(refusal)
        self.add_error(
            field if field in self.fields else None, ValidationError(str(refusal.message))
        )

    @property
    def status(self):
        """The HTTP status of the answer that shows this form again (ux 67)."""
        return self.refusal.status if self.refusal else 422

    @property
    def headers(self):
        return self.refusal.headers if self.refusal else {}

    def field_for(self, refusal: Refused) -> str | None:
        return refusal.field


class AddressForm(ShopForm):
    """One box for an email address or mobile number, or the fields `email` / `phone`."""

    identifier: Any = CleanCharField(
        label=_("Email address or mobile number"),
        help_text=_(
            "We will send a code of %(n)d digits to it. Texts may cost what your carrier charges."
        )
        % {"n": conf.CODE_LENGTH},
        required=False,
        max_length=320,
        widget=forms.TextInput(attrs=NAME_BOX),
    )
    next = CleanCharField(required=False, widget=forms.HiddenInput)
    email = CleanCharField(required=False, max_length=320)
    phone = CleanCharField(required=False, max_length=64)

    page_fields: tuple[str, ...] = ("identifier", "next")

    def clean(self):
        given = [name for name in ("identifier", "email", "phone") if self.cleaned_data.get(name)]
        if len(given) > 1:
            self.add_error(given[0], _("Enter an email address or a mobile number, not both"))
        elif given:
            self._read_identifier(given[0])
        elif not self.errors:
            self.add_error("identifier", _("Enter your email address or mobile number"))

    def field_for(self, refusal):
        return self.source if refusal.field == "identifier" else refusal.field

    @property
    def source(self) -> str:
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
            self.identifier = read(self.cleaned_data[source])
        except InvalidIdentifier as problem:
            self.add_error(source, _validation_error(problem))


class CodeForm(ShopForm):
    """One code, in one box; pasted with words or spaces, in the digits of any script (ux 25 to 28)."""

    code = PastedTextField(
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
    otp = PastedTextField(required=False)
    username = CleanCharField(required=False, max_length=conf.EMAIL_MAX)

    page_fields = ("code",)

    def clean(self):
        """Pick the digits out; say exactly what is wrong with the shape before a try is spent (ux 35)."""
        source = "otp" if self.cleaned_data.get("otp") else "code"
        typed = self.cleaned_data.get(source) or ""
        if self.errors:
            return
        digits = codes.extract_digits(typed)
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


class ButtonForm(ShopForm):
    """Nothing but a button."""


def _user_columns(identifier):
    return {"email": identifier.address} if identifier.kind == EMAIL else {"phone": identifier.key}
