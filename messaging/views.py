"""The development mailbox as a page and as JSON. It exists only where settings.MAILBOX is on."""

import base64
import hashlib
import re

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from messaging.providers import mailbox


class MailboxRequiredMixin(View):
    """404 where the mailbox is off, as in production."""

    def dispatch(self, request, *args, **kwargs):
        if not settings.MAILBOX:
            raise Http404
        return super().dispatch(request, *args, **kwargs)


class MailboxView(MailboxRequiredMixin, TemplateView):
    """The kept messages, newest first; `?to=` shows those to one address."""

    template_name = "messaging/mailbox.html"

    def get(self, request, *args, **kwargs):
        """Show the messages to people, or give them to tests as JSON."""
        # An address in a query string often carries its + unescaped, which reads as a space.
        to = request.GET.get("to", "").strip()
        kept = mailbox.messages(f"+{to}" if to.isdecimal() else to)
        if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
            return JsonResponse({"messages": kept})
        for message in kept:
            message["sent_at"] = parse_datetime(message["sent_at"])
            message["has_html"] = bool(message["html"])
        return self.render_to_response({"heading": _("Mailbox"), "messages": kept, "to": to})


class MailboxHtmlView(MailboxRequiredMixin):
    """The HTML part of one email, alone and harmless, with the styles it was sent with."""

    def get(self, request, message_id):
        """Show the part; its own style block is allowed by hash, nothing else is."""
        found = next((kept for kept in mailbox.messages() if kept["id"] == message_id), None)
        if found is None:
            raise Http404
        response = HttpResponse(found["html"])
        response["Content-Security-Policy"] = (
            f"default-src 'none'; style-src {_hashes(found['html'])}; sandbox"
        )
        response["X-Frame-Options"] = "SAMEORIGIN"
        response._csp_exempt = True
        return response


def _hashes(html):
    blocks = re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL)
    digests = [
        base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() for block in blocks
    ]
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
