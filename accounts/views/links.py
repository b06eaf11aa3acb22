"""The page that an emailed link opens. Opening it changes nothing; its button does (REC-01)."""

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from accounts.errors import LinkDead, LinkNotOpen
from accounts.sessions import opened_links
from accounts.views import negotiation
from accounts.views.base import StepView, parse_request


class LinkTokenView(StepView):
    """A step for whoever holds the token of a link. A subclass says how to `find` its attempt."""

    start: str  # the name of the URL where a new link can be asked for
    # Nobody is led here by a `next` that a stranger wrote.
    is_destination = False

    def get(self, request, *args, **kwargs):
        """Take the token out of the address, then show the step (REC-04); JSON clients keep no history."""
        if "token" not in request.GET:
            return self._show()
        return negotiation.choose_response(
            request,
            page=self._move_token_to_cookie,
            htmx=self._move_token_to_cookie,
            json=self._show,
        )

    def dispatch(self, request, *args, **kwargs):
        """Answer a dead link with one page, whatever it died of (REC-03)."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except LinkDead as refusal:
            return self._dead_link_response(refusal)

    def get_page_url(self):
        """The page of the same link."""
        named = self.request.POST.get("link", "")
        return self.request.path + (f"?{urlencode({'link': named})}" if named else "")

    def find_challenge(self, token):
        """The attempt that `token` speaks of. Raises LinkDead."""
        raise NotImplementedError

    @cached_property
    def challenge(self):
        """The attempt of the link that this page shows. Raises LinkDead."""
        return self.find_challenge(self.token)

    @cached_property
    def token(self):
        """The token: of the link that the page names, or from a client that sends it along. Raises LinkNotOpen."""
        if "token" in self._sent:
            return self._text("token")
        token = opened_links.get_token(self.request, self.link)
        if self.link and not token:
            raise LinkNotOpen
        return token

    @property
    def link(self):
        """The name of the link that the page shows, which its form sends along."""
        return self._text("link")

    def form_invalid(self, form):
        """Show what the flow said; a dead link is a page of its own, not an error of the form."""
        if isinstance(form.refusal, LinkDead):
            raise form.refusal
        return super().form_invalid(form)

    def drop_link(self, response):
        """Drop the link from this browser, with `response`: it has done what it was for."""
        opened_links.drop(self.request, response, self.link)
        return response

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | {"link": self.link}

    @property
    def _sent(self):
        return parse_request(self.request)

    def _text(self, name):
        value = self._sent.get(name, "")
        return value if isinstance(value, str) else ""

    def _show(self):
        self.challenge  # noqa: B018  raises LinkDead
        return super().get(self.request)

    def _move_token_to_cookie(self):
        """Lead on to this page without the token; a link that is dead leaves everything here as it was."""
        message = _("Open the page to go on.")
        try:
            return redirect_with_token(
                self.request,
                self.find_challenge(self.request.GET["token"]),
                self.request.path,
                message=message,
            )
        except LinkDead:
            response = negotiation.redirect_to(self.request, self.request.path, message=message)
            return _without_referrer(response)

    def _dead_link_response(self, refusal):
        context = {
            "heading": refusal.heading,
            "lead": refusal.advice,
            "refusal": refusal.message,
            "start_url": reverse(self.start),
        }
        response = negotiation.page_response(
            self.request, "accounts/dead_link.html", context, status=refusal.status
        )
        return self.drop_link(response)


def redirect_with_token(request, challenge, page, *, message):
    """Lead on to `page` with the token of `challenge` in a cookie: in no address, history or `Referer` (REC-04)."""
    link = challenge.link_name
    opened_links.open_now(request, challenge)
    response = negotiation.redirect_to(request, f"{page}?link={link}", message=message, link=link)
    opened_links.save(request, response, challenge)
    return _without_referrer(response)


def _without_referrer(response):
    # Only here, where the address holds the token: a page under this policy would post its form with
    # "Origin: null", which the CSRF check refuses.
    response["Referrer-Policy"] = "no-referrer"
    return response
