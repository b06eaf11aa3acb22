"""The shop's steps as the staff pages show them: the page on which a code is typed, and the button for another one."""

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic.base import TemplateResponseMixin

from accounts import conf, refusals
from accounts.errors import ChannelDown, CodeClosed
from accounts.views.base import FORM_TYPES, AccessDenied, BodyUnreadable
from accounts.views.codes import AttemptGone, CodeView, PendingChallengeMixin

CHANNEL_DOWN = gettext_lazy("We cannot send the code at the moment. Try again later.")


class StaffStepMixin:
    """A step with one face, the page, and with what every page of the admin has."""

    site = None  # the admin site it belongs to
    title = ""
    success_url = reverse_lazy("admin:index")

    @method_decorator([sensitive_post_parameters(), never_cache])
    def dispatch(self, request, *args, **kwargs):
        """Keep what is typed out of reports, and the answer out of caches."""
        return super().dispatch(request, *args, **kwargs)

    def check_access(self):
        """Refuse what is no form: the page shows again what was typed, and JSON may hold half a character."""
        super().check_access()
        if self.request.method == "POST" and self.request.content_type not in FORM_TYPES:
            raise BodyUnreadable(415)

    def access_denied_response(self, denial):
        """Lead to where it begins; say so to somebody whose page is about something that is over."""
        if isinstance(denial, AttemptGone):
            messages.warning(self.request, denial.message)
        return redirect(denial.url)

    def record_refusal(self, refusal, identifier=None):
        """Write down a limit that was reached here, as the shop does; password tries have a name of their own."""
        user, client = self.request.user, self.client
        refusals.record_limit(refusal, client=client, identifier=identifier, user=user)

    def get_message(self, refusal):
        """What to say of a refusal in the words of the staff pages."""
        return sentence(refusal)

    def get_context_data(self, **kwargs):
        page = self.site.each_context(self.request)
        return super().get_context_data(**kwargs) | {**page, "title": self.title}

    def get_template_names(self):
        """The whole page, whoever asks: no page of the admin has a card for HTMX."""
        return TemplateResponseMixin.get_template_names(self)

    def render_to_response(self, context, **response_kwargs):
        """As Django has it: an admin page shows its own news, and nobody asks for a part of it."""
        return TemplateResponseMixin.render_to_response(self, context, **response_kwargs)

    def render_or_redirect(self, url, *, message, **context):
        return self.render_to_response(self.get_context_data(notice=message, **context))

    def redirect(self, message="", *, url="", flash=False):
        """Lead on as Django does."""
        self.success_url = url or self.success_url
        if flash:
            messages.success(self.request, message)
        return HttpResponseRedirect(self.get_success_url())


class BaseStaffCodeView(StaffStepMixin, PendingChallengeMixin, CodeView):
    """One box for the code of the attempt that a password began. A subclass says what it is good for."""

    template_name = "admin/account/code.html"
    button: str
    start_again = gettext_lazy("Start again")
    again: str  # the name of the URL that sends another code
    # Whether what waits in the session is what this page is about.
    matches_pending = True

    def check_access(self):
        """Only for who typed the right password, a short while ago."""
        super().check_access()
        if not self.matches_pending or self._is_too_late:
            self.redirect_to_start()

    def get_second_click_denial(self):
        """To the front page of the staff pages."""
        return AccessDenied(reverse("admin:index"), "")

    def use_code(self, code):
        """Hand the code to the flow and return the way on. Whatever it refuses lands on the form."""
        raise NotImplementedError

    def perform(self, form):
        """Use the code; the second of two clicks goes where the first one went.

        Here a form always names its attempt: no program types codes.
        """
        if not self.reference:
            self.redirect_to_newest()
        code = form.cleaned_data["code"]
        try:
            return self.use_code(code)
        except CodeClosed:
            if self.is_second_click(code):
                return self.redirect()
            raise

    @property
    def _is_too_late(self):
        return self.began_at < self.challenge.read_at - conf.STAFF_CODE_WITHIN

    @property
    def began_at(self):
        return self.challenge.created_at

    @property
    def sent_to(self):
        """Where the code went, without what makes it usable."""
        return self.challenge.identifier.masked


def sentence(refusal):
    """Word a refusal for staff, who have no other channel to be sent to."""
    return CHANNEL_DOWN if isinstance(refusal, ChannelDown) else refusal.message
