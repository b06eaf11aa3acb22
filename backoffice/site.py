"""Django's admin site behind a sign-in of its own: a password, then a code, neither to be tried without end (ADM-04).

What staff change of their own account is in `backoffice.own_account`.

Not in `backoffice.admin`: that package registers itself with the site while the site is being made.
"""

from datetime import timedelta
from functools import partial, wraps
from itertools import chain

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.core.exceptions import BadRequest, ValidationError
from django.db.models.functions import Now
from django.forms import PasswordInput
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from accounts import audit, refusals
from accounts.errors import ChannelDown, TooOften
from accounts.forms import PasswordField
from accounts.identifiers import Identifier
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.sessions.store import STAFF_BACKEND
from accounts.views import negotiation
from accounts.views.base import AccessDenied
from accounts.views.codes import ResendCodeView
from backoffice import burst_alerts, job_states, own_account, staff_auth
from backoffice.code_views import BaseStaffCodeView, sentence
from jobs.models import Job
from jobs.registry import JOBS
from messaging import alerts
from messaging.models import Alert
from ratelimits.engine import refund

# The alerts on the front page.
RECENTLY, MAX_ALERTS = timedelta(days=1), 5

NO_CONTACT = gettext_lazy(
    "The password is right, but there is no contact to send a code to. "
    "Ask whoever runs the site to set one, with manage.py staff_contact."
)


class StaffSignInForm(AdminAuthenticationForm):
    """Name and password, counted before the password is looked at. Lets nobody in: a code is next."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": gettext_lazy(
            "That does not open the staff pages. Check the name and the password."
        ),
    }

    # In the spelling that is hashed (IDN-10), and refused by size before anything is (IDN-09).
    password = PasswordField(
        label=gettext_lazy("Password"),
        widget=PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def clean(self):
        """Count a try, then let Django check; the right password gives the try back."""
        visitor, name = pending.get_visitor(self.request), self.cleaned_data.get("username", "")
        try:
            hits = staff_auth.try_password(name, visitor=visitor)
        except TooOften as refusal:
            raise ValidationError(str(refusal.message)) from None
        try:
            cleaned = super().clean()
        except ValidationError:
            identifier = Identifier.username(name.casefold())
            audit.record(
                "staff_sign_in_failed",
                client=visitor.client,
                identifier=identifier,
                about=staff_auth.browser_tried(hits),
            )
            raise
        refund(*hits)
        return cleaned

    def confirm_login_allowed(self, user):
        """Refuse shoppers, and staff without a contact to send the code to."""
        super().confirm_login_allowed(user)
        if not user.contacts:
            raise ValidationError(NO_CONTACT)


class StaffPasswordView(LoginView):
    """The first step: sends the code and remembers, in a session of nobody, whose it is."""

    template_name = "admin/login.html"
    authentication_form = StaffSignInForm

    def form_valid(self, form):
        request, user = self.request, form.get_user()
        current = pending.get_challenge(request, Purpose.STAFF)
        try:
            challenge = staff_auth.send_code(user, current=current, client=request.session.client)
        except (TooOften, ChannelDown) as refusal:
            client, contact = request.session.client, user.contacts[0]
            refusals.record_limit(refusal, client=client, identifier=contact, user=user)
            form.add_error(None, str(sentence(refusal)))
            return self.form_invalid(form)
        # Whoever was signed in here is not any more, and the time for the code runs from now.
        pending.clear(request)
        request.session.cycle_key()
        begun = pending.Pending(
            typed="",
            destination=negotiation.local_path(self.get_redirect_url()),
        )
        pending.save(request, challenge, begun)
        return redirect("admin:code")


class StaffCodeView(BaseStaffCodeView):
    """The second step: the code, and with it the session in which the admin opens."""

    template_name = "admin/code.html"
    title = gettext_lazy("Enter the code we sent you")
    button = gettext_lazy("Sign in")
    purpose = Purpose.STAFF
    start, page, again = "admin:login", "admin:code", "admin:code_again"
    start_again = gettext_lazy("Start again with name and password")

    def check_access(self):
        """Whoever is inside needs no code."""
        if self.site.has_permission(self.request):
            raise AccessDenied(reverse("admin:index"), "")
        super().check_access()

    def use_code(self, code):
        destination = self.pending.destination
        sign_in = partial(login_staff, self.request)
        staff_auth.sign_in_with_code(self.challenge, code, client=self.client, sign_in=sign_in)
        return self.redirect(url=destination)

    @property
    def began_at(self):
        return self.request.session.row.created_at


class StaffResendCodeView(ResendCodeView, StaffCodeView):
    """Another code for the second step."""


class StaffSite(admin.AdminSite):
    """The admin: Django's, with a second step, an audit, and texts that a row can hold."""

    site_header = site_title = "Storefront"
    index_title = gettext_lazy("Staff pages")

    def get_urls(self):
        """Add the second step and what staff change of their own account; leave out what no page here uses."""
        # Completions of what is typed, and pages of the shop.
        unused = ("autocomplete", "view_on_site")
        code = StaffCodeView.as_view(site=self)
        again = StaffResendCodeView.as_view(site=self)
        return [
            path("login/code/", code, name="code"),
            path("login/code/again/", again, name="code_again"),
            *own_account.urls(self),
            *(page for page in super().get_urls() if getattr(page, "name", "") not in unused),
        ]

    def index(self, request, extra_context=None):
        """Show the recent alerts, and the periodic jobs in trouble, on the front page."""
        recent = Alert.objects.filter(last_at__gt=Now() - RECENTLY).order_by("-last_at")
        may_view = request.user.has_perm("messaging.view_alert")
        news = {
            "alerts": recent[:MAX_ALERTS] if may_view else [],
            "jobs": _jobs_in_trouble(request.user),
        }
        return super().index(request, news | (extra_context or {}))

    @method_decorator(never_cache)
    def login(self, request, extra_context=None):
        """Ask for the name and the password; whoever is signed in has no need to."""
        if request.method == "GET" and self.has_permission(request):
            return redirect("admin:index")
        context = {
            **self.each_context(request),
            "title": _("Sign in to the staff pages"),
            "app_path": request.get_full_path(),
            **(extra_context or {}),
        }
        return StaffPasswordView.as_view(extra_context=context)(request)

    login.takes_password = True

    def audit(self, request, kind, *, about):
        """Record what a member of staff did, and to which row (LOG-01)."""
        audit.record(kind, client=request.session.client, user=request.user, about=about)

    def alert_superusers(self, kind, entry):
        """Trigger the alert `kind` about the row of an entry in the log, and write to every superuser (ADM-01)."""
        alerts.trigger(kind, entry.object_repr)
        burst_alerts.warn_superusers(kind, entry=entry.pk, by=entry.user_id)

    def redirect_to_lookup(self):
        """Let the browser post what was typed to the look-up, as it was posted here."""
        return redirect("lookup", preserve_request=True)

    def admin_view(self, view, cacheable=False):
        """Refuse text that no row can hold (IDN-09)."""
        return super().admin_view(_refuse_nul(view), cacheable)

    def logout(self, request, extra_context=None):
        if request.method == "POST" and request.user.is_authenticated:
            audit.record("signed_out", client=request.session.client, user=request.user)
        return super().logout(request, extra_context)

    def password_change(self, request, extra_context=None):
        """Serve a page of ours: with its limits, its code, its notice and its place in the audit."""
        return own_account.PasswordChangeView.as_view(site=self)(request)

    password_change.takes_password = True


def _jobs_in_trouble(user):
    """Pairs of what a periodic job does and what is wrong with it, for whoever may view jobs.

    Reckoned now, since nobody can sound an alarm while beat and all workers are away (TIM-04).
    """
    if not user.has_perm("jobs.view_job"):
        return []
    rows = Job.objects.in_trouble().filter(name__in=JOBS).order_by("name")
    return [(str(row), job_states.trouble(row)) for row in rows]


def _refuse_nul(view):
    """Refuse an address or a form with a NUL in it: no text of PostgreSQL may have one."""

    @wraps(view)
    def without_nul(request, *args, **kwargs):
        # In a frame of its own, which is gone when the view runs: no report of an error shows what was sent.
        if _has_nul(request):
            raise BadRequest
        return view(request, *args, **kwargs)

    return without_nul


def _has_nul(request):
    sent = [*request.GET.lists(), *request.POST.lists()]
    texts = chain([request.path], *((name, *values) for name, values in sent))
    return any("\0" in text for text in texts)


def login_staff(request, user):
    """Begin the session in which the admin opens, with nothing of what the one before held (SES-01, SES-02).

    In the transaction that proves who they are, as its last act (SES-13).
    """
    pending.clear(request)
    request.session.staff = True
    login(request, user, backend=STAFF_BACKEND)
    request.session.reauthenticated_by, request.session.signed_in = user.primary, True
    pending.trust_browser(request, user, staff_auth.staff_account_key(user))
    pending.write(request)
