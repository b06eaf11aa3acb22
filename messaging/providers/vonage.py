"""Text messages through Vonage, once Nexmo. https://developer.vonage.com/en/api/sms"""

from collections.abc import Mapping
from typing import Any, ClassVar

import requests
from django.utils.translation import gettext_lazy as _

from messaging.models import SMS
from messaging.providers.base import Envelope, Field, SendResult
from messaging.providers.http import (
    ACCOUNT,
    ADDRESS,
    BROKEN,
    BUSY,
    CREDENTIALS,
    MESSAGE,
    Fault,
    HttpBackend,
)

# What a text may hold without `type=unicode` (GSM 03.38 and its extension).
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)


class Vonage(HttpBackend):
    """Vonage, which answers 200 whatever happened; the status of the message is in the body."""

    kind, label, channel = "vonage", "Vonage", SMS
    fields = (
        Field("api_key", _("API key")),
        Field("api_secret", _("API secret"), secret=True),
        Field("sender", _("Sender")),
        Field("api_url", _("API address"), default="https://rest.nexmo.com"),
        Field("signature_secret", _("Signature secret"), secret=True, required=False),
    )
    # https://developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms
    error_codes: ClassVar[Mapping[str, Fault]] = {
        "1": BUSY,
        "5": BROKEN,
        **dict.fromkeys("4 14 32".split(), CREDENTIALS),
        **dict.fromkeys("2 8 9 10 11 13 23".split(), ACCOUNT),
        **dict.fromkeys("3 6 7 22 29 33".split(), ADDRESS),
        **dict.fromkeys("12 15".split(), MESSAGE),
    }

    def submit(self, envelope: Envelope) -> SendResult:
        """Send, and accept only a message with status 0."""
        form = self._form(envelope)
        response = self.request("POST", self.url("/sms/json"), key=envelope.id, data=form)
        message = self._message(response)
        is_taken = message.get("status") == "0"
        return self.accepted(message.get("message-id") if is_taken else "", response)

    def error_code(self, response: requests.Response) -> str:
        """The status of the message; of a long text, that of its first part."""
        return str(self._message(response).get("status", ""))

    def _form(self, envelope: Envelope) -> dict[str, str]:
        text = envelope.message.text
        form = {
            "api_key": self.values["api_key"],
            "api_secret": self.values["api_secret"],
            "from": self.values["sender"].removeprefix("+"),
            "to": envelope.to.removeprefix("+"),
            "text": text,
            "type": "text" if GSM.issuperset(text) else "unicode",
            "client-ref": str(envelope.id),
        }
        if self.receipts_url:
            form["callback"] = self.receipts_url
        return form

    def _message(self, response: requests.Response) -> dict[str, Any]:
        try:
            return dict(self.json_object(response)["messages"][0])
        except (KeyError, IndexError, TypeError, ValueError):
            return {}
