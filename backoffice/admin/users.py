"""People, as staff see them: who they are, what they verified, all that happened, and what staff may do for them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.db.models.functions import Now
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format, localize
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.errors import Refused, clock
from accounts.identifiers import EMAIL, PHONE
from accounts.models import Client, User
from accounts.sessions.client import client_info
from backoffice.badges import BAD, GOOD, OFF, WAIT, badge, with_subtext
from backoffice.filters import ChoiceFilter, DateFilter
from backoffice.modeladmin import IndexedChangeList, ReadOnlyModelAdmin, id_condition
from backoffice.support import actions, timeline
from backoffice.support.limit_labels import limit_label

STATE_CONDITIONS = {
    "active": (gettext_lazy("active"), Q(is_active=True, deletion_due_at=None)),
    "leaving": (gettext_lazy("deletion pending"), Q(deletion_due_at__isnull=False)),
    "closed": (gettext_lazy("deactivated"), Q(is_active=False)),
}
LOCKED = "locked"
MAX_SESSIONS = 100
VERIFIED_CONDITIONS = {
    "email": (gettext_lazy("email"), Q(email__isnull=False)),
    "phone": (gettext_lazy("mobile number"), Q(phone__isnull=False)),
    "both": (gettext_lazy("both"), Q(email__isnull=False, phone__isnull=False)),
    "none": (gettext_lazy("neither"), Q(email=None, phone=None)),
}


@dataclass(frozen=True, slots=True)
class SupportAction:
    """What staff may do for a user: who may, when it makes sense, what is said before and after."""

    name: str
    label: str
    question: str
    done: str
    run: Callable
    applies_to: Callable
    permission: str = "accounts.support_user"

    @property
    def url_name(self):
        return f"accounts_user_{self.name.replace('-', '_')}"


def _recovery(name, kind, label, question):
    done = gettext_lazy("The recovery message is on its way.")
    send = partial(actions.send_recovery, kind=kind)
    return SupportAction(name, label, question, done, send, partial(_may_recover, kind))


def _may_recover(kind, user):
    return user.is_active and not user.is_staff and user.get_contact(kind)


def _removal(name, kind, label, question):
    done = gettext_lazy("The contact is removed.")
    remove = partial(actions.remove_contact, kind=kind)
    return SupportAction(name, label, question, done, remove, lambda user: len(user.contacts) > 1)


ACTIONS = (
    _recovery(
        "recover",
        EMAIL,
        gettext_lazy("Send recovery email"),
        gettext_lazy(
            "A link for a new password goes to the user's own email address, and to nobody else. "
            "Earlier links stop working."
        ),
    ),
    _recovery(
        "recover-by-text",
        PHONE,
        gettext_lazy("Send recovery text"),
        gettext_lazy(
            "A link for a new password goes to the user's own mobile number, and to nobody else. "
            "Earlier links stop working."
        ),
    ),
    SupportAction(
        "end-sessions",
        gettext_lazy("End sessions"),
        gettext_lazy(
            "The user is signed out in every browser and app. Codes on their way and the links in our notices stop "
            "working."
        ),
        gettext_lazy("All sessions have ended."),
        actions.end_sessions,
        lambda user: True,
    ),
    _removal(
        "remove-email",
        EMAIL,
        gettext_lazy("Remove email address"),
        gettext_lazy(
            "For an address that no longer belongs to the user. It opens nothing from now on, and no link in a notice "
            "brings it back. The user is signed out in every browser and app."
        ),
    ),
    _removal(
        "remove-phone",
        PHONE,
        gettext_lazy("Remove mobile number"),
        gettext_lazy(
            "For a number that no longer belongs to the user. It opens nothing from now on, and no link in a notice "
            "brings it back. The user is signed out in every browser and app."
        ),
    ),
    SupportAction(
        "lift-lock",
        gettext_lazy("Lift lock"),
        gettext_lazy(
            "The user can at once try passwords and codes and ask for messages again, under any of their names."
        ),
        gettext_lazy("The lock is lifted."),
        actions.lift_lock,
        lambda user: user.full_limits,
    ),
    SupportAction(
        "deactivate",
        gettext_lazy("Deactivate"),
        gettext_lazy(
            "The user is signed out everywhere, cannot sign in, and gets no codes until the account is active again."
        ),
        gettext_lazy("The account is deactivated."),
        actions.deactivate,
        lambda user: user.is_active,
        "accounts.deactivate_user",
    ),
    SupportAction(
        "reactivate",
        gettext_lazy("Reactivate"),
        gettext_lazy("The user can sign in again."),
        gettext_lazy("The account is active again."),
        actions.reactivate,
        lambda user: not user.is_active,
        "accounts.deactivate_user",
    ),
)


class ConditionFilter(ChoiceFilter):
    """By one of some conditions, each with its words."""

    conditions = {}

    def lookups(self, request, model_admin):
        return [(name, words) for name, (words, _condition) in self.conditions.items()]

    def narrow(self, queryset, chosen):
        known = self.conditions.get(chosen)
        return queryset.filter(known[1]) if known else queryset.none()


class StateFilter(ConditionFilter):
    """By what became of the account, or whether its password is locked at this moment."""

    title, parameter_name, conditions = gettext_lazy("state"), "state", STATE_CONDITIONS

    def lookups(self, request, model_admin):
        return [*super().lookups(request, model_admin), (LOCKED, gettext_lazy("locked"))]

    def narrow(self, queryset, chosen):
        if chosen == LOCKED:
            return queryset.filter(pk__in=actions.locked_user_ids())
        return super().narrow(queryset, chosen)


class VerifiedFilter(ConditionFilter):
    """By what was verified."""

    title, parameter_name, conditions = gettext_lazy("verified"), "verified", VERIFIED_CONDITIONS


class LockStateChangeList(IndexedChangeList):
    """A list that knows of each user on its page whether the password is locked, for one more query."""

    def get_results(self, request):
        super().get_results(request)
        self.result_list = list(self.result_list)
        locked = actions.locked_until(self.result_list)
        for user in self.result_list:
            user.locked_until = locked.get(user)


@admin.register(User)
class UserAdmin(ReadOnlyModelAdmin):
    """Who registered, and what they verified."""

    list_display = ("who", "state", "verified_email", "verified_phone", "last_login", "date_joined")
    list_filter = (("date_joined", DateFilter), StateFilter, VerifiedFilter, "is_staff")
    ordering = ("-date_joined",)
    sortable_by = ("date_joined",)
    search_fields = ("username",)
    search_help_text = gettext_lazy(
        "The beginning of a name or a username, or an id. An email address or mobile number leads to the look-up "
        "instead, which is recorded."
    )
    fields = (
        "id",
        "name",
        "username",
        "state",
        "masked_email",
        "masked_phone",
        "verified",
        "primary",
        "last_login",
        "date_joined",
        "completed_at",
        "deletion_due_at",
        "is_staff",
    )

    # The list

    def get_changelist(self, request, **kwargs):
        return LockStateChangeList

    def search_condition(self, text):
        """An id, or the beginning of a name or a username; each of them has an index."""
        named = Q(username__startswith=text.casefold()) | Q(name__istartswith=text)
        return id_condition(text, "pk") or named

    @admin.display(description=gettext_lazy("name and username"))
    def who(self, user):
        """What the person is called, and what they call themselves; before they said so, how the id begins."""
        if not user.name and not user.username:
            return f"{str(user.pk)[:8]}…"
        return with_subtext(user, user.username if user.name else "")

    @admin.display(description=gettext_lazy("email, verified"))
    def verified_email(self, user):
        return _verified_contact(self.masked_email(user), user.email_verified_at)

    @admin.display(description=gettext_lazy("mobile number, verified"))
    def verified_phone(self, user):
        return _verified_contact(self.masked_phone(user), user.phone_verified_at)

    @admin.display(description=gettext_lazy("state"))
    def state(self, user):
        return format_html_join(" ", "{}", ([each] for each in _states(user)))

    @admin.display(description=gettext_lazy("email address"))
    def masked_email(self, user):
        contact = user.get_contact(EMAIL)
        return contact.masked if contact else ""

    @admin.display(description=gettext_lazy("mobile number"))
    def masked_phone(self, user):
        contact = user.get_contact(PHONE)
        return contact.masked if contact else ""

    @admin.display(description=gettext_lazy("verified"))
    def verified(self, user):
        verified = (
            (_("email"), user.email_verified_at),
            (_("text message"), user.phone_verified_at),
        )
        lines = [[word, localize(localtime(at))] for word, at in verified if at]
        return format_html_join("", "{}, {}<br>", lines) or None

    # The page of one user

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        """Add where the user is signed in, the timeline, and what this member of staff may do."""
        obj.full_limits = actions.full_limits(obj)
        locks = (obj.full_limits.get(limit) for limit in actions.lock_limits(obj))
        obj.locked_until = max(filter(None, locks), default=None)
        context["full_limits"] = [
            (limit_label(limit), clock(until)) for limit, until in obj.full_limits.items()
        ]
        context["sessions"] = _live_sessions(obj)
        context["timeline"] = timeline.build(
            obj, timeline.parse_moment(request.GET.get("before", ""))
        )
        context["support_actions"] = [
            (action.label, reverse(f"admin:{action.url_name}", args=[obj.pk]))
            for action in ACTIONS
            if _may_run(request, action, obj) and action.applies_to(obj)
        ]
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_urls(self):
        view = self.admin_site.admin_view(self.support_action_view)
        pages = [
            path(f"<uuid:pk>/{action.name}/", view, {"action": action}, name=action.url_name)
            for action in ACTIONS
        ]
        return [*pages, *super().get_urls()]

    def support_action_view(self, request, pk, action):
        """Ask before anything is done, and do it when the question is answered."""
        user = self.get_object(request, str(pk))
        if user is None:
            raise Http404
        if not self.has_view_permission(request, user) or not _may_run(request, action, user):
            raise PermissionDenied
        if request.method == "POST":
            return self._run(request, action, user)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": user,
            "title": action.label,
            "action": action,
        }
        page = TemplateResponse(request, "admin/accounts/user/support_action.html", context)
        return self.audit_view(request, page, pk)

    def _run(self, request, action, user):
        try:
            action.run(user, by=request.user, client=client_info(request))
        except Refused as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, action.done)
        return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[user.pk]))


def _live_sessions(user):
    """The browsers and apps in which the user is signed in, the last used first."""
    live = user.sessions.filter(expire_date__gt=Now()).exclude(client=Client.PENDING)
    return list(live.order_by("-last_used_at")[:MAX_SESSIONS])


def _may_run(request, action, user):
    """Whether this member of staff may: for colleagues only whoever may do everything, and never for oneself."""
    if user.pk == request.user.pk or (user.is_staff and not request.user.is_superuser):
        return False
    return request.user.has_perm(action.permission)


def _states(user):
    if not user.is_active:
        yield badge(OFF, _("deactivated"))
    elif user.deletion_due_at:
        yield badge(WAIT, _("deletion pending"))
    elif not user.locked_until:
        yield badge(GOOD, _("active"))
    if user.locked_until:
        until = date_format(localtime(user.locked_until), "H:i")
        yield badge(BAD, _("locked until %(time)s") % {"time": until})


def _verified_contact(masked, at):
    return with_subtext(masked, localize(localtime(at))) if masked else None
