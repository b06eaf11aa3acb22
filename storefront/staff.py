"""Django's admin site behind a door of its own: a password, then a code, neither to be tried without end (ADM-04).

Not in `accounts.admin`: that package registers itself with the site while the site is being made.
"""

from datetime import timedelta
from functools import wraps
from itertools import chain

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import BACKEND_SESSION_KEY, login
from django.contrib.auth.views import LoginView
from django.core.exceptions import BadRequest, ValidationError
from django.core.validators import MaxLengthValidator
from django.http import HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from accounts import events, limits, origin, pending, policy, responses
from accounts.errors import ChannelDown, CodeClosed, Refused, TooOften
from accounts.flows import challenge as challenges
from accounts.flows import staff
from accounts.forms import CodeForm
from accounts.identifiers import Identifier
from accounts.models import Purpose
from accounts.views.base import headers_of
from messaging.models import Alert

# The alerts on the front page.
LATELY, MOST_ALERTS = timedelta(days=1), 5

# What the session of somebody who came through this door says about how; the shop's door says something else.
DOOR = "storefront.staff.PasswordAndCode"

NO_CONTACT = gettext_lazy(
    "The password is right, but there is no contact to send a code to. "
    "Whoever runs the site can set one: manage.py staff_contact"
)
CHANNEL_DOWN = gettext_lazy("We cannot send the code at the moment. Try again later.")
SENT_AGAIN = gettext_lazy("We sent you a new code. The earlier one no longer works.")


class StaffSignInForm(AdminAuthenticationForm):
    """Name and password, counted before the password is looked at. Lets nobody in: a code is next."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": gettext_lazy(
            "That does not open the staff pages. Check the name and the password."
        ),
    }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Refused by size before anything is hashed (IDN-09).
        self.fields["password"].validators.append(MaxLengthValidator(policy.PASSWORD_MAX_LENGTH))

    def clean(self):
        """Take a try, then let Django look."""
        come_from, name = origin.of(self.request), self.cleaned_data.get("username", "")
        about = {"origin": come_from, "identifier": Identifier.username(name.casefold())}
        try:
            limits.spend(*limits.staff_logins(name, come_from))
        except TooOften as refusal:
            events.record("staff_sign_in_limited", **about)
            raise ValidationError(str(refusal.message)) from None
        try:
            return super().clean()
        except ValidationError:
            events.record("staff_sign_in_failed", **about)
            raise

    def confirm_login_allowed(self, user):
        """Staff only, and with somewhere to send the code."""
        super().confirm_login_allowed(user)
        if not user.contacts:
            raise ValidationError(NO_CONTACT)


class PasswordStep(LoginView):
    """The first step: sends the code and remembers, in a session of nobody, whose it is."""

    template_name = "admin/login.html"
    authentication_form = StaffSignInForm

    def form_valid(self, form):
        """Send the code."""
        request, user = self.request, form.get_user()
        current = pending.challenge(request, Purpose.STAFF)
        try:
            challenge = staff.send_code(user, current=current, origin=request.session.origin)
        except (TooOften, ChannelDown) as refusal:
            is_down = isinstance(refusal, ChannelDown)
            form.add_error(None, str(CHANNEL_DOWN if is_down else refusal.message))
            return self.form_invalid(form)
        # Whoever was signed in here is not any more, and the time for the code runs from now.
        pending.forget(request)
        request.session.cycle_key()
        begun = pending.Pending(
            typed=user.contacts[0].masked,
            destination=responses.local_path(self.get_redirect_url()),
        )
        pending.put(request, challenge, begun)
        return redirect("admin:code")


@method_decorator([sensitive_post_parameters("code"), never_cache], name="dispatch")
class CodeStep(FormView):
    """The second step: the code, and with it the session in which the admin opens."""

    template_name = "admin/code.html"
    form_class = CodeForm
    site = None  # the admin site it belongs to

    def dispatch(self, request, *args, **kwargs):
        """Only for who typed the right password, a short while ago."""
        if self.site.has_permission(request):
            return redirect("admin:index")
        if self.challenge is None or self._is_late:
            return redirect("admin:login")
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def challenge(self):
        """The attempt that the password began."""
        return pending.challenge(self.request, Purpose.STAFF)

    def form_valid(self, form):
        """Look at the code and open."""
        request, code = self.request, form.cleaned_data["code"]
        destination = pending.of(request).destination
        try:
            user = staff.by_code(self.challenge, code, origin=request.session.origin)
        except Refused as refusal:
            if isinstance(refusal, CodeClosed) and self._is_second_click(code):
                return redirect("admin:index")
            return self.refused(form, refusal)
        let_in(request, user)
        return HttpResponseRedirect(destination or reverse("admin:index"))

    def form_invalid(self, form):
        """Show what is wrong with what was typed."""
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def refused(self, form, refusal):
        """Show the page again with what the flow said."""
        form.refuse(refusal)
        self.challenge.reload()
        context = self.get_context_data(form=form)
        return self.render_to_response(context, status=refusal.status, headers=headers_of(refusal))

    def get_context_data(self, **kwargs):
        """Say where the code went and until when it works."""
        return super().get_context_data(
            **self.site.each_context(self.request),
            title=_("Enter the code we sent you"),
            challenge=self.challenge,
            sent_to=pending.of(self.request).typed,
            **kwargs,
        )

    @property
    def _is_late(self):
        began = self.request.session.row.created_at
        return began < now() - policy.STAFF_CODE_WITHIN

    def _is_second_click(self, code):
        self.challenge.reload()
        return bool(self.challenge.proved_at and self.challenge.accepts(code))


class CodeAgain(CodeStep):
    """POST only: sends the next code, and shows the page of the code."""

    http_method_names = ["post", "options"]

    def post(self, request, *args, **kwargs):
        """Send it, or say when the next one may be asked for."""
        form, begun = CodeForm(), pending.of(request)
        try:
            challenge = challenges.resend(self.challenge, origin=request.session.origin)
        except Refused as refusal:
            context = self.get_context_data(form=form, refusal=_sentence(refusal))
            return self.render_to_response(
                context, status=refusal.status, headers=headers_of(refusal)
            )
        if challenge.pk != self.challenge.pk:
            pending.put(request, challenge, begun)
        self.challenge = challenge
        return self.render_to_response(self.get_context_data(form=form, notice=SENT_AGAIN))


class StaffSite(admin.AdminSite):
    """The admin."""

    site_header = site_title = "Storefront"
    index_title = gettext_lazy("Staff pages")

    def has_permission(self, request):
        """Staff who came through this door; the session of a shopper never opens it, whoever it is (ADM-04)."""
        return super().has_permission(request) and (
            request.session.get(BACKEND_SESSION_KEY) == DOOR
        )

    def get_urls(self):
        """Add the second step; leave out what no page here asks: completions of what is typed, pages of the shop."""
        unasked = ("autocomplete", "view_on_site")
        code, again = CodeStep.as_view(site=self), CodeAgain.as_view(site=self)
        return [
            path("login/code/", code, name="code"),
            path("login/code/again/", again, name="code_again"),
            *(page for page in super().get_urls() if getattr(page, "name", "") not in unasked),
        ]

    def index(self, request, extra_context=None):
        """The front page, with what staff should look at."""
        lately = Alert.objects.filter(last_at__gt=now() - LATELY).order_by("-last_at")
        may_look = request.user.has_perm("messaging.view_alert")
        alerts = {"alerts": lately[:MOST_ALERTS] if may_look else []}
        return super().index(request, alerts | (extra_context or {}))

    @method_decorator(never_cache)
    def login(self, request, extra_context=None):
        """The first step."""
        if request.method == "GET" and self.has_permission(request):
            return redirect("admin:index")
        context = {
            **self.each_context(request),
            "title": _("Sign in to the staff pages"),
            "app_path": request.get_full_path(),
            **(extra_context or {}),
        }
        return PasswordStep.as_view(extra_context=context)(request)

    def note(self, request, kind, *, about):
        """Write down what a member of staff did, and to which row (LOG-01)."""
        events.record(kind, origin=request.session.origin, user=request.user, about=about)

    def look_up(self):
        """Let the browser send what was typed to the look-up, as it sent it here: by POST."""
        return redirect("lookup", preserve_request=True)

    def admin_view(self, view, cacheable=False):
        """As Django has it, for text that a row can hold (IDN-09)."""
        return super().admin_view(_readable(view), cacheable)

    def logout(self, request, extra_context=None):
        """End the session, and note it."""
        if request.method == "POST" and request.user.is_authenticated:
            events.record("signed_out", origin=request.session.origin, user=request.user)
        return super().logout(request, extra_context)

    def password_change(self, request, extra_context=None):
        """The account's own page: with its limits, its notice and its place in the audit."""
        return redirect("accounts:password")


def _readable(view):
    """Refuse an address or a form with a NUL in it: no text of PostgreSQL may have one."""

    @wraps(view)
    def readable(request, *args, **kwargs):
        # Looked at in a frame of its own, which is gone when the view runs: no report of an error shows what was sent.
        if _has_nul(request):
            raise BadRequest
        return view(request, *args, **kwargs)

    return readable


def _has_nul(request):
    sent = [*request.GET.lists(), *request.POST.lists()]
    texts = chain([request.path], *((name, *values) for name, values in sent))
    return any("\0" in text for text in texts)


def let_in(request, user):
    """Begin the session in which the admin opens, with nothing of what the one before held (SES-01, SES-02)."""
    pending.forget(request)
    request.session.staff = True
    login(request, user, backend=DOOR)
    request.session.confirmed = request.session.signed_in = True


def _sentence(refusal):
    return CHANNEL_DOWN if isinstance(refusal, ChannelDown) else refusal.message
