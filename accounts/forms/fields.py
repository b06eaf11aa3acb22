"""The fields that shops need and Django lacks: clean text, names, passwords, a box for an identifier."""

import unicodedata

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import characters, conf
from accounts.identifiers import NotTexted

PASSWORD_RULE = _(
    "At least %(n)d characters. A few words in a row are easy to remember and hard to guess."
) % {"n": conf.PASSWORD_MIN_LENGTH}
PASSWORD_NEEDED = _("Choose a password")
NO_TEXT = _("Send this as text, in quotes, not as a number or a list")
UNREADABLE = _("Use letters, digits and ordinary signs only")

# A box for the name somebody signs in with, which nothing may correct.
NAME_BOX = {
    "autocomplete": "username",
    "autocapitalize": "none",
    "spellcheck": "false",
    "dir": "auto",
}


class CleanCharField(forms.CharField):
    """A line of text. Other JSON types, controls, half and no characters are refused (IDN-08, IDN-10)."""

    # Categories: control characters, lone surrogates, and what ends a line or a paragraph.
    refused: tuple[str, ...] = ("Cc", "Cs", "Zl", "Zp")

    def to_python(self, value):
        if value not in self.empty_values and not isinstance(value, str):
            raise ValidationError(NO_TEXT, code="no_text")
        if value not in self.empty_values and not self._readable(value.strip()):
            raise ValidationError(UNREADABLE, code="unreadable")
        return super().to_python(value)

    def _readable(self, value):
        return value.isprintable() or not any(map(self._is_refused, value))

    def _is_refused(self, letter):
        refused = unicodedata.category(letter) in self.refused
        return refused or characters.is_noncharacter(letter)


class PastedTextField(CleanCharField):
    """A message that may be pasted whole, with its lines."""

    def _is_refused(self, letter):
        return letter not in "\t\r\n\u2028" and super()._is_refused(letter)


class NameField(CleanCharField):
    """What somebody is called, in any script: it can be seen, and it leaves the text around it alone (IDN-10)."""

    def validate(self, value):
        """Raise ValidationError for a name that nobody sees, or that spills over."""
        super().validate(value)
        if not value or len(value) > conf.NAME_MAX:
            return
        if not characters.has_visible(value):
            raise ValidationError(
                _("Enter a name with at least one letter or sign"), code="invisible"
            )
        if characters.has_tall_stack(value):
            raise ValidationError(_("Use fewer accents on each letter of the name"), code="stacked")
        if not characters.is_balanced(value):
            raise ValidationError(
                _(
                    "The name has a hidden sign that turns the text around. Type the name again "
                    "instead of pasting it."
                ),
                code="unbalanced",
            )


class PasswordField(CleanCharField):
    """A password as typed, in one spelling: not trimmed, not cut, any character a database keeps (PWD-01, IDN-10)."""

    refused = ("Cs",)
    widget = forms.PasswordInput

    def __init__(self, **kwargs):
        super().__init__(strip=False, max_length=conf.PASSWORD_MAX_LENGTH, **kwargs)

    def to_python(self, value):
        """Return the text in the spelling that is hashed; no length and no rule is asked of another one."""
        text = super().to_python(value)
        # No character has more than four parts, so that what is longer is too long in any spelling; and to spell a
        # body full of marks would take seconds (IDN-09).
        return characters.opaque(text) if len(text) <= 4 * conf.PASSWORD_MAX_LENGTH else text

    def _is_refused(self, letter):
        return unicodedata.category(letter) in self.refused

    def widget_attrs(self, widget):
        """No maxlength: a browser would cut a longer password without a word (ux 55)."""
        return {}


class CurrentPasswordField(PasswordField):
    """The password that somebody has already."""

    def __init__(self, label, required):
        super().__init__(
            label=label,
            error_messages={"required": required},
            widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        )


class RememberField(forms.BooleanField):
    """Whether to stay signed in once the browser is closed. Left out is no."""

    def __init__(self):
        super().__init__(
            label=_("Stay signed in on this device"),
            required=False,
            initial=True,
            widget=forms.CheckboxInput(attrs={"class": "check"}),
        )


def _validation_error(problem):
    """What could not be read, as an error of its field; a number that is not texted comes along."""
    number = {"number": problem.number} if isinstance(problem, NotTexted) else None
    return ValidationError(str(problem), code=problem.code, params=number)
