"""The account: who I am, what happened, what is kept of me, and the ways out."""

import json
from functools import partial

from django.contrib.auth import logout
from django.core.paginator import Paginator
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpResponse
from django.urls import reverse, reverse_lazy
from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit, conf
from accounts.errors import ReauthenticationNeeded
from accounts.flows import account, contacts, deletion, devices, export
from accounts.forms import ButtonForm, ChangePasswordForm, NamesForm, NewPasswordForm
from accounts.models import Purpose
from accounts.sessions import pending
from accounts.sessions.store import PASSWORD
from accounts.views import negotiation
from accounts.views.base import (
    BaseView,
    PageView,
    ProfileCompletedRequiredMixin,
    ReauthenticationRequiredMixin,
    StepView,
)

EVENTS_SHOWN = DEVICES_SHOWN = 50


class AccountView(ProfileCompletedRequiredMixin, PageView):
    """What we know of the shopper."""

    template_name = "accounts/account/overview.html"
    extra_context = {"heading": gettext_lazy("My account")}

    def get_context_data(self, **kwargs):
        user, waiting = self.request.user, pending.find(self.request, Purpose.CONTACT)
        return super().get_context_data(**kwargs) | {
            "waiting": contacts.get_pending(user, waiting),
            "message": _("You are signed in as %(who)s.") % {"who": user.identifier},
        }


class LogoutView(BaseView):
    """The way out: by POST only, and everywhere dead at once (SES-04)."""

    def post(self, request):
        """End the session and let the browser forget what it kept (SES-08)."""
        if request.user.is_authenticated:
            audit.record("signed_out", client=self.client, user=request.user)
        logout(request)
        return redirect_home(request, reverse("home"), _("You are signed out."))


class NamesView(ReauthenticationRequiredMixin, StepView):
    """What the shopper is called, and the name to sign in with, which alone asks for reauthentication (ASVS 6.3.7)."""

    template_name = "accounts/form.html"
    form_class = NamesForm
    heading = gettext_lazy("Your names")
    success_url = reverse_lazy("accounts:account")
    needs_reauthentication = False
    extra_context = {
        "button": gettext_lazy("Save"),
        "button_id": "save-names",
        "back_url": reverse_lazy("accounts:account"),
    }

    def get_initial(self):
        """What they are now, or what was typed before the reauthentication."""
        now_called = {"name": self.request.user.name, "username": self.request.user.username or ""}
        return self.request.session.pop(pending.NAMES_KEY, None) or now_called

    def perform(self, form):
        cleaned, session = form.cleaned_data, self.request.session
        try:
            account.rename(
                self.request.user,
                name=cleaned["name"],
                username=cleaned["username"],
                session=session.row,
                client=self.client,
            )
        except ReauthenticationNeeded:
            session[pending.NAMES_KEY] = cleaned
            self.require_reauthentication()
        return self.redirect_with_message(_("Your names are saved."))


class PasswordView(ReauthenticationRequiredMixin, StepView):
    """Change the password, with the current one; or set one, for whoever has none and is fresh (PWD-06)."""

    takes_password = True
    template_name = "accounts/form.html"
    heading = gettext_lazy("Your password")
    success_url = reverse_lazy("accounts:account")

    @property
    def needs_reauthentication(self):
        """Whoever has a password types it right here."""
        return not self.request.user.has_usable_password()

    def get_form_class(self):
        """With the current password, if there is one."""
        has_password = self.request.user.has_usable_password()
        return ChangePasswordForm if has_password else NewPasswordForm

    def get_form_kwargs(self):
        return {**super().get_form_kwargs(), "user": self.request.user}

    def perform(self, form):
        """Write it; this browser stays signed in, under a new session id (PWD-07)."""
        user, cleaned = self.request.user, form.cleaned_data
        session_key = self.request.session.session_key
        if "current" in cleaned:
            account.change_password(
                user,
                current=cleaned["current"],
                new=cleaned["password"],
                session_key=session_key,
                visitor=self.visitor,
                renew_session=partial(self.renew_session, by=PASSWORD),
            )
        else:
            account.set_password(
                user,
                new=cleaned["password"],
                session_key=session_key,
                visitor=self.visitor,
                renew_session=self.renew_session,
            )
        return self.redirect_with_message(
            _("Your password is saved. Other devices are signed out.")
        )

    def renew_session(self, *, by=""):
        """Stay signed in with the new password under a new session id; who typed the former one, `by` it, is fresh."""
        pending.keep_signed_in(self.request, self.request.user)
        if by:
            pending.record_reauthentication(self.request, by=by)
        else:
            pending.cycle_key(self.request)

    def get_context_data(self, **kwargs):
        """Name the button; let a password manager know whose it is (ux 54)."""
        return super().get_context_data(**kwargs) | {
            "button": _("Save password"),
            "button_id": "save-password",
            "manager_name": self.request.user.identifier,
            "back_url": reverse("accounts:account"),
            "forgot": self.request.user.has_usable_password(),
        }


class DevicesView(ProfileCompletedRequiredMixin, PageView):
    """Where the shopper is signed in."""

    template_name = "accounts/account/devices.html"
    extra_context = {"heading": gettext_lazy("Your devices")}

    def get_context_data(self, **kwargs):
        here = self.request.session.session_key
        pages = Paginator(devices.list_sessions(self.request.user, current_key=here), DEVICES_SHOWN)
        page = pages.get_page(self.request.GET.get("page"))
        return super().get_context_data(**kwargs) | {"devices": page, "here": here}


class DeviceSignOutView(ReauthenticationRequiredMixin):
    """POST only: ends one session, or all but this one."""

    http_method_names = ["post", "options"]
    way_back = "accounts:devices"

    def post(self, request, name=""):
        if name:
            if not devices.end_session(request.user, name, client=self.client):
                raise Http404
            message = _("That device is signed out.")
        else:
            devices.end_other_sessions(
                request.user,
                session_key=request.session.session_key,
                client=self.client,
                renew_session=partial(pending.cycle_key, request),
            )
            message = _("All other devices are signed out.")
        negotiation.flash(request, message)
        return negotiation.redirect_to(request, reverse("accounts:devices"), message=message)


class ActivityView(ProfileCompletedRequiredMixin, PageView):
    """What happened to the account, in plain words."""

    template_name = "accounts/account/activity.html"
    extra_context = {"heading": gettext_lazy("Activity")}

    def get_context_data(self, **kwargs):
        pages = Paginator(self.request.user.events.order_by("-at", "-pk"), EVENTS_SHOWN)
        page = pages.get_page(self.request.GET.get("page"))
        return super().get_context_data(**kwargs) | {"events": page}


class DownloadView(ReauthenticationRequiredMixin, StepView):
    """Everything the shop keeps of the shopper, in one JSON file."""

    template_name = "accounts/form.html"
    form_class = ButtonForm
    heading = gettext_lazy("Download your data")
    extra_context = {
        "lead": gettext_lazy(
            "One file with your account, where you are signed in, the messages we sent you and what happened."
        ),
        "button": gettext_lazy("Download"),
        "button_id": "download",
        "is_file": True,
        "back_url": reverse_lazy("accounts:account"),
    }

    def perform(self, form):
        found = export.download(self.request.user, client=self.client)
        body = json.dumps(found, cls=DjangoJSONEncoder, indent=2)
        response = HttpResponse(body, content_type="application/json")
        name = f"account-{now():%Y-%m-%d}.json"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class DeleteView(ReauthenticationRequiredMixin, StepView):
    """The end of the account, after a time in which signing in undoes it."""

    template_name = "accounts/form.html"
    form_class = ButtonForm
    heading = gettext_lazy("Delete your account")
    success_url = reverse_lazy("home")

    def perform(self, form):
        user = self.request.user
        deletion.request_deletion(user, client=self.client)
        due = date_format(localtime(user.deletion_due_at), "j F Y")
        logout(self.request)
        message = _("Your account will be deleted on %(day)s. Sign in before then to keep it.") % {
            "day": due
        }
        negotiation.flash(self.request, message)
        return redirect_home(self.request, self.get_success_url(), message)

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | {
            "lead": _(
                "This signs you out everywhere. After %(days)d days we erase your account and all we know of you; "
                "until then, signing in keeps it."
            )
            % {"days": conf.DELETION_GRACE.days},
            "button": _("Delete my account"),
            "button_id": "delete-account",
            "danger": True,
            "back_url": reverse("accounts:account"),
        }


def redirect_home(request, url, message):
    """Lead to `url`, the way out, and let the browser forget what it kept (SES-08)."""
    response = negotiation.redirect_to(request, url, message=message)
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response
