"""The page on which staff type a code, whatever it is for, and the button that sends another one."""

from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.timezone import now
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from accounts import conf
from accounts.errors import ChannelDown, CodeClosed, Refused
from accounts.flows import challenge as challenges
from accounts.forms import CodeForm
from accounts.sessions import pending

CHANNEL_DOWN = gettext_lazy("We cannot send the code at the moment. Try again later.")
SENT_AGAIN = gettext_lazy("We sent you a new code. The earlier one no longer works.")
OTHER_PAGE = gettext_lazy(
    "You have begun something else since this page was opened. Use the newest code, or start again."
)


@method_decorator([sensitive_post_parameters("code"), never_cache], name="dispatch")
class CodePage(FormView):
    """One box for the code of the attempt that a password began. A subclass says what it is good for."""

    template_name = "admin/account/code.html"
    form_class = CodeForm
    site = None  # the admin site it belongs to
    title = button = start_again = ""
    purpose = None
    start = page = again = ""  # names of addresses: where it begins, this page, another code
    after = "admin:index"
    # Whether what waits in the session is what this page is about.
    fits = True

    def carry_out(self, code):
        """Hand the code to the flow and return the way on. Whatever it refuses lands on the form."""
        raise NotImplementedError

    def dispatch(self, request, *args, **kwargs):
        """Only for who typed the right password, a short while ago."""
        is_here = self.challenge is not None and self.fits
        if not is_here or self.began_at < now() - conf.STAFF_CODE_WITHIN:
            return redirect(self.start)
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def challenge(self):
        """The attempt that the password began."""
        return pending.challenge(self.request, self.purpose)

    @property
    def began_at(self):
        """When it began."""
        return self.challenge.created_at

    @property
    def sent_to(self):
        """Where the code went, without what makes it usable."""
        return self.challenge.identifier.masked

    def form_valid(self, form):
        """Go on, or show what was refused; a page acts on the attempt it shows."""
        shown, code = str(self.challenge.pk), form.cleaned_data["code"]
        try:
            if self.request.POST.get("attempt", shown) != shown:
                raise Refused(str(OTHER_PAGE), "code")
            return self.carry_out(code)
        except Refused as refusal:
            self.challenge.reload()
            if isinstance(refusal, CodeClosed) and self._is_second_click(code):
                return redirect(self.after)
            form.refuse(refusal)
            return self.show(form, refusal)

    def form_invalid(self, form):
        """Show what is wrong with what was typed."""
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def show(self, form, why, **more):
        """Show the page again, after the flow refused."""
        context = self.get_context_data(form=form, **more)
        return self.render_to_response(context, status=why.status, headers=why.headers)

    def get_context_data(self, **kwargs):
        """Say where the code went and until when it works."""
        return super().get_context_data(
            **self.site.each_context(self.request),
            title=self.title,
            challenge=self.challenge,
            sent_to=self.sent_to,
            step=self,
            **kwargs,
        )

    def _is_second_click(self, code):
        return bool(self.challenge.proved_at and self.challenge.accepts(code))


class Again:
    """POST only: sends the next code, and shows the page of the code."""

    http_method_names = ["post", "options"]

    def post(self, request, *args, **kwargs):
        """Send it, or say when the next one may be asked for."""
        form, begun = CodeForm(), pending.of(request)
        try:
            challenge = challenges.resend(self.challenge, origin=request.session.origin)
        except Refused as refusal:
            return self.show(form, refusal, refusal=sentence(refusal))
        if challenge.pk != self.challenge.pk:
            pending.put(request, challenge, begun)
        self.challenge = challenge
        return self.render_to_response(self.get_context_data(form=form, notice=SENT_AGAIN))


def sentence(refusal):
    """What to say: staff have no other channel to be sent to."""
    return CHANNEL_DOWN if isinstance(refusal, ChannelDown) else refusal.message
