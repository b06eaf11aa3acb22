"""The page that an emailed link opens. Opening it changes nothing; its button does (REC-01)."""

from django.conf import settings
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts import codes, policy, responses
from accounts.errors import LinkDead
from accounts.views.base import Step, posted


class TokenPage(Step):
    """A step for whoever holds the token of a link. A subclass says how to `find` its attempt."""

    start: str  # the name of the URL where a new link can be asked for

    def get(self, request, *args, **kwargs):
        """Take the token out of the address, then show the step (REC-04)."""
        if "token" not in request.GET or responses.wants_json(request):
            self.challenge  # noqa: B018  raises LinkDead
            return super().get(request)
        return carry(
            request, request.GET["token"], request.path, message=_("Open the page to go on.")
        )

    def dispatch(self, request, *args, **kwargs):
        """Answer a dead link with one page, whatever it died of (REC-03)."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except LinkDead as refusal:
            return self.used(self._dead(refusal))

    def find(self, token):
        """The attempt that `token` speaks of. Raises LinkDead."""
        raise NotImplementedError

    @cached_property
    def challenge(self):
        """The attempt of the link that was opened here. Raises LinkDead."""
        return self.find(self.token)

    @cached_property
    def token(self):
        """The token: from the cookie that opening the link left, or from a client that sends it along."""
        sent = posted(self.request) if self.request.method == "POST" else self.request.GET
        token = sent.get("token") or self.request.COOKIES.get(settings.LINK_COOKIE_NAME, "")
        return token if isinstance(token, str) else ""

    def refused(self, form, refusal):
        """Show what the flow said; a dead link is a page of its own, not an error of the form."""
        if isinstance(refusal, LinkDead):
            raise refusal
        return super().refused(form, refusal)

    def used(self, response):
        """Forget the token."""
        response.delete_cookie(settings.LINK_COOKIE_NAME, samesite="Lax")
        return response

    def _dead(self, refusal):
        return responses.show(
            self.request,
            "accounts/dead_link.html",
            status=refusal.status,
            form=None,
            heading=_("This link no longer works"),
            refusal=refusal.message,
            start_url=reverse(self.start),
        )


def carry(request, token, page, *, message):
    """Lead on to `page` with the token in a cookie: in no address, no history, no `Referer` (REC-04)."""
    response = responses.go(request, page, message=message)
    # Only here, where the address holds the token: a page under this policy would post its form with
    # "Origin: null", which the CSRF check refuses.
    response["Referrer-Policy"] = "no-referrer"
    response.set_cookie(
        settings.LINK_COOKIE_NAME,
        token if codes.token_row(token) else "",
        max_age=int(policy.LINK_TTL.total_seconds()),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
