"""One answer, three faces: a page, an HTMX fragment, or JSON; and how a step leads on to the next one."""

from urllib.parse import parse_qs

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.urls import Resolver404, resolve
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.generic.base import TemplateResponseMixin
from django_htmx.http import HttpResponseClientRedirect, push_url, replace_url

from accounts import conf, outages
from accounts.sessions.middleware import get_user

# JSON validation errors answer 400, as the designs promise; pages and fragments answer 422.
UNPROCESSABLE, BAD_REQUEST = 422, 400
UNAVAILABLE, RETRY_SECONDS = 503, 5
# The notice of a page that leaves the news to the next one.
LEAVE_NEWS = ""


class MessageStorage(CookieStorage):
    """Django's, in a cookie that no other host of our domain can plant (SES-03)."""

    cookie_name = settings.MESSAGES_COOKIE_NAME


class NegotiatedResponseMixin(TemplateResponseMixin):
    """Django's mixin, with three faces: a page, the page's card for HTMX, or JSON. Views never ask which.

    Pages read the context. JSON clients read one sentence of it, the first there is of `refusal`, the errors of `form`,
    `notice`, `message` and `heading`; the errors of `form` come along by field.
    """

    def render_to_response(self, context, **response_kwargs):
        """As Django has it, `status` and `headers` among the keywords."""
        if wants_json(self.request):
            response = _json_page(context, **response_kwargs)
        else:
            if context.get("notice") != LEAVE_NEWS:
                context = {"notice": _news(self.request), **context}
            context = {**context, **_fragment_context(self.request)}
            response = super().render_to_response(context, **response_kwargs)
        return _finish(response)

    def get_template_names(self):
        """As Django has it; for HTMX, the card of each."""
        names = super().get_template_names()
        return [f"{name}#card" for name in names] if _wants_fragment(self.request) else names

    def render_or_redirect(self, url, *, message, **context):
        """Show the page with news: in place for HTMX, by way of `url` for a page, so that a reload repeats nothing."""
        if _wants_fragment(self.request):
            response = self.render_to_response(self.get_context_data(notice=message, **context))
            # What a reload asks for.
            return replace_url(response, url)
        flash(self.request, message)
        return redirect_to(self.request, url, message=message)


def page_response(request, template_name, context, **response_kwargs):
    """A page that no view of its own shows."""
    view = NegotiatedResponseMixin()
    view.request, view.template_name = request, template_name
    return view.render_to_response(context, **response_kwargs)


def choose_response(request, *, page, htmx, json):
    """The answer of one of three functions, for the few addresses that do more than show a page or lead on."""
    if wants_json(request):
        return _finish(json())
    return _finish(htmx() if request.htmx else page())


def redirect_to(request, url, *, message, leaves_journey=False, **facts):
    """Lead on to `url`; JSON clients read `message` and `facts` instead.

    HTMX is answered a form with the card of the page at `url`, unless that `leaves_journey`: then it loads the page.
    """
    if wants_json(request):
        return _finish(_json(200, message, facts))
    if request.htmx:
        card = None if leaves_journey else _next_card(request, url)
        # A plain 302 would be followed by the XHR and pasted into the card.
        return _finish(card or HttpResponseClientRedirect(url))
    return _finish(_see_other(url))


def deny(request, url, *, message, status=409):
    """Send somebody who may not be here to where they should go on, and say why."""
    if wants_json(request):
        return _finish(_json(status, message))
    flash(request, message)
    if request.htmx:
        response = HttpResponseClientRedirect(url)
        response.status_code = status
        return _finish(response)
    return _finish(_see_other(url))


def flash(request, message):
    """Leave a sentence for the next page to say once; JSON clients have it in their answer."""
    if not wants_json(request):
        messages.info(request, message)


def error_response(request, status, *, heading, explanation, headers=None, **context):
    """Answer a request that cannot be served at all, with a sentence and a way on."""
    context = {
        "heading": heading,
        "explanation": explanation,
        "message": f"{heading}. {explanation}",
        "action_url": "/",
        "action_label": _("Go to the front page"),
        **context,
    }
    response = page_response(request, "refused.html", context, status=status, headers=headers)
    # Middleware answers with it, too, where Django renders nothing.
    return response if getattr(response, "is_rendered", True) else response.render()


def unavailable_response(request, *, heading, explanation):
    """503, and when and where to try again: the page looks at no session, so that it asks no database."""
    request.user = AnonymousUser()
    page = _page_before(request)
    way_on = {"action_url": page, "action_label": _("Try again")} if page else {}
    return error_response(
        request,
        UNAVAILABLE,
        heading=heading,
        explanation=explanation,
        headers={"Retry-After": str(RETRY_SECONDS)},
        notice=LEAVE_NEWS,
        **way_on,
    )


def _page_before(request):
    """The page of ours that whoever asks has in front of them or has asked for, or ""."""
    # Who is refused before the middleware that sets it has no htmx.
    htmx = getattr(request, "htmx", None)
    if htmx:
        return local_path(htmx.current_url_abs_path or "")
    return local_path(request.path if request.method == "POST" else request.get_full_path())


def wants_json(request):
    """Whether the client speaks JSON: it sends it, or asks for it before HTML."""
    if request.content_type == "application/json":
        return True
    accept = request.META.get("HTTP_ACCEPT", "")
    # Every browser, without reading the whole list.
    if not accept or accept.startswith("text/html,"):
        return False
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def local_path(path):
    """Return `path` if it leads to a page of ours, else "" (WEB-03).

    One slash at the start, no backslash or control character, a page that answers GET, and neither the sign-out
    nor an emailed link: whoever wrote the address must not choose whose link is open here.
    """
    if not path.startswith("/") or path.startswith("//") or len(path) > conf.NEXT_MAX:
        return ""
    if "\\" in path or not path.isascii() or not path.isprintable():
        return ""
    page, _mark, query = path.partition("#")[0].partition("?")
    match = _resolve(page)
    leads_to_page = match and _answers_get(match)
    return path if leads_to_page and "token" not in parse_qs(query, keep_blank_values=True) else ""


def _next_card(request, url):
    """What the page at `url` answers HTMX in this very request; None where only loading it will do.

    The step is done by now. Whatever becomes of the card, the answer must not look as if it were not.
    """
    path, _mark, query = url.partition("?")
    match = _resolve(path)
    if request.method != "POST" or not _wants_fragment(request) or not _has_card(match):
        return None
    with outages.left_out_in_outage("the card of the next page"):
        following = _following_request(request, match, path, query)
        response = match.func(following, *match.args, **match.kwargs)
        if "HX-Redirect" in response:
            # Whoever may not be there is led on from there; the form itself was no mistake.
            response.status_code = 200
            return response
        # Now, while it may still be left out.
        return push_url(response.render(), url)
    return None


def _following_request(request, match, path, query):
    """The GET with which the browser would ask for the next page: its session, user, cookies and news are at hand."""
    following = type(request).__new__(type(request))
    asked = {"method": "GET", "path": path, "path_info": path, "GET": QueryDict(query)}
    vars(following).update(vars(request), **asked, content_type="", resolver_match=match)
    following.POST = QueryDict()
    if request.user.is_authenticated and not request.session.signed_in:
        # The step has changed rows that were read before it.
        request.session.read_row()
        following.user = get_user(following)
    return following


def _has_card(match):
    page = getattr(match and match.func, "view_class", None)
    return page is not None and issubclass(page, NegotiatedResponseMixin)


def _resolve(path):
    try:
        return resolve(path)
    except Resolver404:
        return None


def _answers_get(match):
    if "admin" in match.app_names:
        return match.url_name != "logout"
    page = getattr(match.func, "view_class", None)
    if page is None or not hasattr(page, "get"):
        return False
    return "get" in page.http_method_names and getattr(page, "is_destination", True)


def _news(request):
    """What the step before left to be said, once. Unasked, Django would clear the cookie on every page."""
    left = messages.get_messages(request)
    # By an earlier request, or by the step that this page is the next of.
    if MessageStorage.cookie_name not in request.COOKIES and not getattr(left, "added_new", False):
        return ""
    return " ".join(str(message) for message in left)


def _wants_fragment(request):
    # A host that is none of ours is refused before the middleware that sets it.
    htmx = getattr(request, "htmx", None)
    return htmx and not htmx.boosted and not htmx.history_restore_request


def _fragment_context(request):
    """Whether only the card is asked for, and whether somebody signed in or out, which the header around it shows."""
    session = getattr(request, "session", None)
    changed = session is not None and (session.signed_in or session.ended)
    return {"fragment": _wants_fragment(request), "header_changed": changed}


def _json_page(context, status=200, headers=None):
    form = context.get("form")
    said = [context.get(name) for name in ("notice", "message", "heading")]
    message = context.get("refusal") or _sentence(form) or next(filter(None, said), "")
    errors = _errors(form)
    response = _json(status, message, {"errors": errors} if errors else {})
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def _json(status, message, facts=None):
    body = {"success": status < BAD_REQUEST, "message": str(message), **(facts or {})}
    return JsonResponse(body, status=BAD_REQUEST if status == UNPROCESSABLE else status)


def _errors(form):
    if form is None:
        return None
    return {name: list(texts) for name, texts in form.errors.items() if name != "__all__"}


def _sentence(form):
    if form is None or not form.errors:
        return ""
    return next(iter(form.errors.values()))[0]


def _see_other(url):
    response = HttpResponseRedirect(url)
    # 303: the browser asks for the next page with GET, whatever brought it here (RFC 9110 15.4.4).
    response.status_code = 303
    return response


def _finish(response: HttpResponse):
    patch_vary_headers(response, ["Accept", "HX-Request", "Cookie"])
    return response
