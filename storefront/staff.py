"""Django's admin site behind a sign-in that cannot be tried without end (LIM-08).

Not in `accounts.admin`: that package registers itself with the site while the site is being made.
"""

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.timezone import now

from accounts import events, limits, origin, pending, policy
from accounts.errors import TooOften


class StaffSignInForm(AdminAuthenticationForm):
    """Name and password, counted before the password is looked at."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Refused by size before anything is hashed (IDN-09).
        self.fields["password"].validators.append(MaxLengthValidator(policy.PASSWORD_MAX_LENGTH))

    def clean(self):
        """Take a try, then let Django look."""
        come_from = origin.of(self.request)
        try:
            limits.spend(*limits.staff_logins(self.cleaned_data.get("username", ""), come_from))
        except TooOften as refusal:
            events.record("staff_sign_in_limited", origin=come_from)
            raise ValidationError(str(refusal.message)) from None
        try:
            return super().clean()
        except ValidationError:
            events.record("staff_sign_in_failed", origin=come_from)
            raise

    def confirm_login_allowed(self, user):
        """Let staff in, with nothing of what the anonymous session held, and note it."""
        super().confirm_login_allowed(user)
        pending.forget(self.request)
        self.request.session.staff = self.request.session.confirmed = True
        user.last_login = now()
        user.save(update_fields=["last_login"])
        events.record("staff_signed_in", origin=origin.of(self.request), user=user)


class StaffSite(admin.AdminSite):
    """The admin."""

    login_form = StaffSignInForm
    site_header = site_title = "Storefront"
