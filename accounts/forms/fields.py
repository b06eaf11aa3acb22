"""The fields that shops need and Django lacks: clean text, passwords as typed, a box for an identifier."""

import unicodedata

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import conf
from accounts.identifiers import NotTexted

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


class CleanCharField(forms.CharField):
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


class PasswordField(CleanCharField):
    """A password exactly as typed: not trimmed, not cut, any character a database can keep (PWD-01)."""

    refused = ("Cs",)
    widget = forms.PasswordInput

    def __init__(self, **kwargs):
        super().__init__(strip=False, max_length=conf.PASSWORD_MAX_LENGTH, **kwargs)

    def widget_attrs(self, widget):
        """No maxlength: a browser would cut a longer password without a word (ux 55)."""
        return {}


class RememberField(forms.BooleanField):
    """Whether to stay signed in once the browser is closed. Left out is no."""

    def __init__(self):
        super().__init__(
            label=_("Stay signed in on this device"),
            required=False,
            initial=True,
            widget=forms.CheckboxInput(attrs={"class": "check"}),
        )


def _as_error(problem):
    """What could not be read, as an error of its field; a number that is not texted comes along."""
    number = {"number": problem.number} if isinstance(problem, NotTexted) else None
    return ValidationError(str(problem), code=problem.code, params=number)
