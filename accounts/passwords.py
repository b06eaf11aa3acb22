"""How a password is kept, and what it must look like besides Django's own validators."""

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

CLASSES = {
    "upper": (str.isupper, _("a capital letter")),
    "lower": (str.islower, _("a small letter")),
    "digit": (str.isdigit, _("a digit")),
    "special": (lambda letter: not letter.isalnum(), _("a special character")),
}


class Argon2id(Argon2PasswordHasher):
    """Argon2id with OWASP's numbers: 19 MiB, so that fifty sign-ins at once do not eat the machine (PWD-05)."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1


class CompositionValidator:
    """Ask for kinds of characters. Off unless PASSWORD_COMPOSITION names some (PWD-02)."""

    def __init__(self, classes=()):
        self.classes = [CLASSES[name] for name in classes]

    def validate(self, password, user=None):
        """Raise ValidationError that names what is missing."""
        missing = [words for test, words in self.classes if not any(map(test, password))]
        if missing:
            raise ValidationError(
                _("Add to the password: %(missing)s") % {"missing": ", ".join(map(str, missing))},
                code="password_composition",
            )

    def get_help_text(self):
        """Say what is asked for, or nothing."""
        if not self.classes:
            return ""
        return _("It must contain: %(classes)s.") % {
            "classes": ", ".join(str(words) for _test, words in self.classes)
        }
