"""The form of a provider: what all have, and the fields that its kind declares. Secrets go in and do not come out."""

from anymail.exceptions import AnymailError
from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from messaging.credentials import vault
from messaging.models import Provider, Readiness
from messaging.providers.smtp import parse_sender

CLEAR = "clear_"
MAX_LENGTH, MAX_SECRET_LENGTH = 500, 4_000
# Where the credentials are sent. Whoever changes it must know them, or could have them sent to a server of their own.
DESTINATIONS = frozenset({"host", "api_url"})
# For what a provider reports later. Every other field says where messages go, with which credentials or as whom.
FOR_RECEIPTS = frozenset({"webhook_key", "webhook_secret", "signature_secret"})

one_line = RegexValidator(
    r"\A[^\x00-\x1f\x7f]*\Z", gettext_lazy("Enter it on one line, without control characters.")
)


def port(value):
    """A number that a server can listen on."""
    if not (value.isascii() and value.isdecimal() and 0 < int(value[:6]) < 2**16):
        raise ValidationError(_("Enter a number from 1 to 65535."))


def api_url(value):
    """An https address without a name and password in it; for a relay of the shop's own, http too."""
    schemes = ["http", "https"] if settings.PROVIDER_NETWORKS else ["https"]
    try:
        URLValidator(schemes=schemes)(value)
    except ValidationError:
        raise ValidationError(_("Enter an address that begins with https://.")) from None
    if "@" in value:
        raise ValidationError(_("Enter the address without a user name or password."))


def sender(value):
    """An address that mail can leave from; texts leave from a number or a word, which have no @."""
    try:
        if "@" in value:
            parse_sender(value)
    except (AnymailError, ValueError):
        raise ValidationError(
            _('Enter one address, like hello@shop.example or "Ben & Co" <hello@shop.example>.')
        ) from None


# By the names that kinds give their fields: what has a form, of its own or because it steers where a credential goes.
VALIDATORS = {
    "port": port,
    "api_url": api_url,
    "sender": sender,
    "host": RegexValidator(
        r"\A[A-Za-z0-9_.:-]+\Z", gettext_lazy("Enter the name of a server, like smtp.example.com.")
    ),
    # RFC 7617: the first colon ends the name. So long because guesses are counted, not prevented.
    "webhook_secret": RegexValidator(
        r"\A[!-9;-~]+:[!-~]{16,}\Z",
        gettext_lazy("Enter a name, a colon and a password of 16 characters or more."),
    ),
    "region": RegexValidator(
        r"\A[a-z0-9-]+\Z", gettext_lazy("Enter the name of a region, like eu-west-1.")
    ),
}


class ProviderForm(forms.ModelForm):
    """What every provider has. `form_for` adds the fields of one kind."""

    kind = None

    class Meta:
        model = Provider
        fields = ("name", "is_active", "rank", "weight")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            # The name is written into the log.
            self.fields["name"].validators.append(one_line)
        if self.kind:
            self.instance.kind, self.instance.channel = self.kind.kind, self.kind.channel

    def clean(self):
        """Check that what was typed can be stored, and that what was not typed may stay."""
        for field in self._stored_fields():
            if field.secret and field.name not in self.errors:
                self._check(field)
        return super().clean()

    def save(self, commit=True):
        """Store what was typed in the row, secrets sealed."""
        for field in self._stored_fields():
            self._store(field)
        if self.sends_otherwise:
            self.instance.readiness = Readiness.UNTESTED
        return super().save(commit)

    @property
    def has_new_destination(self):
        """Whether messages go to another server or another account now, as far as a form can tell."""
        return bool(self._changed_fields())

    @property
    def sends_otherwise(self):
        """The same, but for what concerns receipts alone: whether the provider must be tested anew."""
        return bool(self._changed_fields() - FOR_RECEIPTS)

    def change_message(self):
        """Say which fields were changed, for the history, and never their values."""
        return " ".join(self._change_text(name) for name in self.changed_data)

    def _changed_fields(self):
        changed = {name.removeprefix(CLEAR) for name in self.changed_data}
        return changed & {field.name for field in self._stored_fields()}

    def _stored_fields(self):
        return self.kind.fields if self.kind else ()

    def _check(self, field):
        typed, cleared = self._typed(field), self.cleaned_data.get(CLEAR + field.name)
        if typed and cleared:
            self.add_error(field.name, _("Enter a new one or remove the old one, not both."))
        elif typed and not vault.can_seal():
            self.add_error(
                field.name,
                _("This cannot be kept: the setting VAULT_KEYS holds no usable key."),
            )
        elif self._would_be_sent_elsewhere(field) and not typed and not cleared:
            self.add_error(field.name, _("Enter it again: it would go to another server now."))

    def _would_be_sent_elsewhere(self, field):
        return field.name in self.instance.sealed and DESTINATIONS & set(self.changed_data)

    def _store(self, field):
        row, typed = self.instance, self._typed(field)
        if not field.secret:
            row.options[field.name] = typed
        elif typed:
            row.set_secret(field.name, typed)
        elif self.cleaned_data.get(CLEAR + field.name):
            row.sealed.pop(field.name, None)

    def _typed(self, field):
        return self.cleaned_data.get(field.name, "")

    def _change_text(self, name):
        secrets = {field.name: field for field in self._stored_fields() if field.secret}
        if name.startswith(CLEAR):
            return _("%(field)s was removed.") % {"field": secrets[name.removeprefix(CLEAR)].label}
        change = _("%(field)s was replaced.") if name in secrets else _("%(field)s was changed.")
        return change % {"field": self.fields[name].label}


def form_for(kind, row=None):
    """Make the form for a provider of this kind: a new one, or the one in `row`. Without a kind, only what all have."""
    row = row or Provider()
    fields = {}
    for field in kind.fields if kind else ():
        fields[field.name] = _secret(field, row) if field.secret else _open(field, row)
        if field.secret and not field.required and field.name in row.sealed:
            fields[CLEAR + field.name] = _clear(field)
    return type(ProviderForm)("ProviderForm", (ProviderForm,), {"kind": kind, **fields})


def secret_state(field, row):
    """Say whether a secret is set and since when, and nothing else of it."""
    token = row.sealed.get(field.name)
    if token is None:
        return _("Not set.")
    try:
        vault.unseal(token, row=row.pk, field=field.name)
    except vault.Locked:
        return _("No key in the setting VAULT_KEYS opens it. Enter it again.")
    moment = date_format(localtime(vault.sealed_at(token)), "j F Y, H:i")
    return _("Set on %(moment)s.") % {"moment": moment}


def _clear(field):
    label = _("Remove it")
    box = forms.CheckboxInput(attrs={"aria-label": f"{label}: {field.label}"})
    return forms.BooleanField(label=label, required=False, widget=box)


def _secret(field, row):
    is_set = field.name in row.sealed
    words = (
        [field.help, secret_state(field, row), _("Leave empty to keep it.")]
        if is_set
        else [field.help]
    )
    return forms.CharField(
        label=field.label,
        required=field.required and not is_set,
        max_length=MAX_SECRET_LENGTH,
        validators=_validators(field),
        help_text=_joined(words),
        # No value is ever written into it, not even what was just typed.
        widget=forms.PasswordInput(
            render_value=False, attrs={"class": "vTextField", "autocomplete": "new-password"}
        ),
    )


def _open(field, row):
    common = {
        "label": field.label,
        "required": field.required,
        "initial": row.options.get(field.name) or field.default,
        "help_text": _joined([field.help]),
    }
    if field.choices and not (settings.PROVIDER_NETWORKS and field.name in DESTINATIONS):
        choices = field.choices if field.required else ("", *field.choices)
        return forms.ChoiceField(choices=[(choice, choice) for choice in choices], **common)
    return forms.CharField(
        max_length=MAX_LENGTH,
        validators=_validators(field),
        widget=AdminTextInputWidget(attrs={"autocomplete": "off"}),
        **common,
    )


def _validators(field):
    return [one_line, *filter(None, [VALIDATORS.get(field.name)])]


def _joined(words):
    return " ".join(str(word) for word in words if word)
