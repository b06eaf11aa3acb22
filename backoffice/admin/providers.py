"""Providers, edited by staff: what may be known is shown, credentials go in and do not come out (ADM-05)."""

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.admin import provider_health, provider_test
from backoffice.admin.provider_form import CLEAR, form_for, secret_state
from backoffice.modeladmin import LargeTableModelAdmin
from backoffice.sensitive import sensitive_view
from messaging import providers, webhooks
from messaging.models import CHANNELS, Breaker, Provider, Readiness
from messaging.outbox import breaker

PLACE = gettext_lazy("Its place among the others")
ACCOUNT = gettext_lazy("The account with the provider")


class ProviderAdmin(LargeTableModelAdmin):
    """The providers of both channels."""

    # What matters on a bad day stands first: a narrow screen shows no more.
    list_display = (
        "name",
        "state",
        "is_active",
        "channel",
        "kind_label",
        "rank",
        "weight",
        "handed_over",
        "failures",
    )
    sortable_by = ("name", "channel", "is_active", "rank", "weight")
    actions = ("deactivate", "activate")

    # The list

    def get_queryset(self, request):
        """The rows and how they fare, in one query."""
        return provider_health.with_health(super().get_queryset(request))

    def get_list_display(self, request):
        """Whoever may change a row has a button for it."""
        name, state, *others = self.list_display
        may = self.has_change_permission(request)
        return (name, state, *(["switch"] if may else []), *others)

    def get_actions(self, request):
        """Ours alone: rows are deleted one by one, each with a page that asks."""
        actions = super().get_actions(request)
        return {name: actions[name] for name in self.actions if name in actions}

    def changelist_view(self, request, extra_context=None):
        """The list; the button of a row posts to it, too."""
        for action, in_use in (("deactivate", False), ("activate", True)):
            if request.method == "POST" and action in request.POST:
                return self._switch(request, request.POST[action], in_use)
        notices = {"notices": provider_health.notices()}
        return super().changelist_view(request, notices | (extra_context or {}))

    def _switch(self, request, pk, in_use):
        row = self.get_object(request, pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        self.set_in_use(request, [row] if row else [], in_use)
        return HttpResponseRedirect(request.get_full_path())

    @admin.action(description=gettext_lazy("Take out of use"), permissions=["change"])
    def deactivate(self, request, queryset):
        self.set_in_use(request, queryset, in_use=False)

    @admin.action(description=gettext_lazy("Put in use"), permissions=["change"])
    def activate(self, request, queryset):
        self.set_in_use(request, queryset, in_use=True)

    def set_in_use(self, request, rows, in_use):
        """Put `rows` in use or out of it, log each that changed, and say how many those are."""
        changed = [row for row in rows if row.switch(in_use)]
        for row in changed:
            self.log_change(request, row, _("Put in use.") if in_use else _("Taken out of use."))
        message = (
            ngettext(
                "%(count)s provider is in use now.",
                "%(count)s providers are in use now.",
                len(changed),
            )
            if in_use
            else ngettext(
                "%(count)s provider is out of use.",
                "%(count)s providers are out of use.",
                len(changed),
            )
        )
        messages.success(request, message % {"count": len(changed)})
        for row in changed if in_use else ():
            self._warn_if_untested(request, row)

    def _warn_if_untested(self, request, row):
        """Say of a provider that staff mean to use that it is still untested, and lead to the test."""
        if row.is_active and row.readiness == Readiness.UNTESTED:
            warning = _(
                "\u201c%(provider)s\u201d is untested: it carries nothing but test messages until one has gone "
                "through it."
            )
            link = format_html(
                '<a href="{}">{}</a>',
                reverse("admin:messaging_provider_test", args=[row.pk]),
                _("Send a test message to me"),
            )
            messages.warning(request, format_html("{} {}", warning % {"provider": row}, link))

    @admin.display(description=gettext_lazy("kind"))
    def kind_label(self, row):
        """What the company calls itself."""
        kind = providers.BACKENDS.get(row.kind)
        return kind.label if kind else row.kind

    @admin.display(description=gettext_lazy("state"))
    def state(self, row):
        return provider_health.state(row, has_sent=bool(row.handed_at))

    @admin.display(
        description=gettext_lazy("last handed over"), empty_value=gettext_lazy("not within a day")
    )
    def handed_over(self, row):
        """When it last took a message."""
        return row.handed_at

    @admin.display(description=gettext_lazy("failures, last hour"))
    def failures(self, row):
        return provider_health.failures(row) or None

    @admin.display(description=gettext_lazy("switch"))
    def switch(self, row):
        """One click for the day on which it matters."""
        action, label = (
            ("deactivate", _("Take out")) if row.is_active else ("activate", _("Put in"))
        )
        return format_html(
            '<button class="button" name="{}" value="{}" aria-label="{}: {}">{}</button>',
            action,
            row.pk,
            label,
            row,
            # On one line, however narrow the column.
            label.replace(" ", "\N{NO-BREAK SPACE}"),
        )

    # The form

    def get_form(self, request, obj=None, **kwargs):
        """The fields of the row's kind, or of the kind that was chosen."""
        return super().get_form(
            request, obj, form=form_for(self._kind(request, obj), obj), **kwargs
        )

    def get_fieldsets(self, request, obj=None):
        """What all providers have, then what this kind asks for."""
        place = (
            PLACE,
            {"fields": ["name", "kind_label", "channel", "is_active", "rank", "weight"]},
        )
        if obj and not self.has_change_permission(request, obj):
            return [place, (ACCOUNT, {"fields": ["account"]})]
        form = form_for(self._kind(request, obj), obj)
        asked = [_with_clear(name, form) for name in _kind_fields(form)]
        receipts = ["receipts_address"] if obj and obj.kind in webhooks.SCHEMES else []
        return [place, (ACCOUNT, {"fields": [*asked, *receipts]})]

    def get_readonly_fields(self, request, obj=None):
        """A row keeps its kind: another kind is another provider."""
        return ("kind_label", "channel", "receipts_address", "account")

    def get_changeform_initial_data(self, request):
        """Nothing: an address somebody sent must not fill in the form."""
        return {}

    def get_object(self, request, object_id, from_field=None):
        """Find a row; while it is being changed nobody re-seals it (ADM-05)."""
        row = super().get_object(request, object_id, from_field)
        if row and request.method == "POST" and connection.in_atomic_block:
            return Provider.objects.select_for_update().filter(pk=row.pk).first()
        return row

    @sensitive_view
    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """Ask for the kind before anything else."""
        if object_id is None and not self._kind(request, None):
            return self._choose_kind(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _kind(self, request, row):
        return providers.BACKENDS.get(row.kind if row else request.GET.get("kind", ""))

    def _choose_kind(self, request):
        if not self.has_add_permission(request):
            raise PermissionDenied
        kinds = sorted(providers.BACKENDS.values(), key=lambda kind: kind.label.casefold())
        groups = [
            (label, [(kind.kind, kind.label) for kind in kinds if kind.channel == channel])
            for channel, label in CHANNELS
        ]
        return self._render(request, "choose", title=_("Which kind of provider?"), groups=groups)

    def save_model(self, request, obj, form, change):
        """Save, and let a provider that was paused try its luck with what was changed."""
        super().save_model(request, obj, form, change)
        breaker.record_success(obj.pk)
        self._warn_if_untested(request, obj)
        # For the entry in the log, which comes next.
        obj.has_new_destination = form.has_new_destination

    def log_addition(self, request, obj, message):
        """Write it down, and let superusers know: whoever carries codes can read them."""
        entry = super().log_addition(request, obj, message)
        self.admin_site.alert_superusers("provider_added", entry)
        return entry

    def log_change(self, request, obj, message):
        """The same of a provider that leads to another server or account now."""
        entry = super().log_change(request, obj, message)
        if getattr(obj, "has_new_destination", False):
            self.admin_site.alert_superusers("provider_changed", entry)
        return entry

    def delete_model(self, request, obj):
        """Delete the row; what it sent stays in the outbox, and its history in the log."""
        Breaker.objects.filter(provider_id=obj.pk).delete()
        super().delete_model(request, obj)

    def construct_change_message(self, request, form, formsets, add=False):
        """Say which fields were changed, and of credentials what became of them."""
        if add:
            return super().construct_change_message(request, form, formsets, add)
        return form.change_message() or []

    @admin.display(description=gettext_lazy("receipts"))
    def receipts_address(self, row):
        """Where the provider reports to."""
        return format_html(
            "{}{}<br>{}",
            settings.SITE_URL,
            row.receipts_path,
            _("Enter this address at the provider, where it asks for a webhook."),
        )

    @admin.display(description=gettext_lazy("settings"))
    def account(self, row):
        """What may be known, for those who may look and not change."""
        kind = providers.BACKENDS.get(row.kind)
        lines = [
            (field.label, _account_value(field, row)) for field in (kind.fields if kind else ())
        ]
        return format_html_join("", "{}: {}<br>", lines)

    # The test message

    def get_urls(self):
        """Add the page of the test message."""
        view = self.admin_site.admin_view(self.test_view)
        mine = path("<uuid:pk>/test/", view, name="messaging_provider_test")
        return [mine, *super().get_urls()]

    @sensitive_view
    def test_view(self, request, pk):
        """Send a test message to the one who asks, and show what the provider answered."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        own = provider_test.own_contact(request.user, row.channel)
        form = provider_test.OwnContactForm(
            request.POST if request.method == "POST" else None, own=own
        )
        result, limited = None, False
        if "waive" in request.POST:
            return self._waive_test(request, row)
        if form.is_valid():
            limited = not provider_test.may_send(request.user)
            result = None if limited else self._send_test(request, row, form.cleaned_data["to"])
        return self._render(
            request,
            "test",
            title=_("Send a test message to me"),
            status=429 if limited else 200,
            **{"original": row, "form": form, "own": own, "result": result, "limited": limited},
        )

    def _send_test(self, request, row, to):
        """Count first, send second: what fails was tried, too. What went through lets messages follow."""
        entry = self.log_change(request, row, f"{provider_test.MARK}.")
        result = provider_test.attempt(row, to)
        entry.change_message = f"{provider_test.MARK}: " + (
            _("handed over.") if result.handed_over else _("not handed over.")
        )
        entry.save(update_fields=["change_message"])
        if result.handed_over and row.release(Readiness.TESTED):
            row.readiness = Readiness.TESTED
            breaker.record_success(row.pk)
        return result

    def _waive_test(self, request, row):
        """Send through a provider that nobody tested: on the word of a member of staff, who read what it means."""
        if row.readiness == Readiness.UNTESTED and row.release(Readiness.WAIVED):
            self.log_change(request, row, _("Use without a test allowed."))
            message = _("\u201c%(provider)s\u201d may be used without a test now.")
            messages.success(request, message % {"provider": row})
        return HttpResponseRedirect(reverse("admin:messaging_provider_changelist"))

    def _render(self, request, name, *, status=200, **context):
        template = f"admin/messaging/provider/{name}.html"
        context |= self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, template, context, status=status)


def _kind_fields(form):
    every = [name for name in form.base_fields if name not in form.Meta.fields]
    return [name for name in every if not name.startswith(CLEAR)]


def _with_clear(name, form):
    """A field, and on the same line the box that removes it, if it has one."""
    return (name, CLEAR + name) if CLEAR + name in form.base_fields else name


def _account_value(field, row):
    if field.secret:
        return secret_state(field, row)
    return row.options.get(field.name) or field.default or "-"
