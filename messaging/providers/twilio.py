"""Text messages through Twilio. https://www.twilio.com/docs/messaging/api/message-resource"""

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

import requests
from django.utils.translation import gettext_lazy as _

from messaging.models import SMS
from messaging.providers.base import Envelope, Field, SendResult
from messaging.providers.http import ACCOUNT, ADDRESS, BUSY, CREDENTIALS, Fault, HttpBackend


class Twilio(HttpBackend):
    """Twilio; the sender is a number, a name or a messaging service."""

    kind, label, channel = "twilio", "Twilio", SMS
    fields = (
        Field("account_sid", _("Account SID")),
        Field("auth_token", _("Auth token"), secret=True),
        Field("sender", _("Sender"), help=_("A number, a name, or a messaging service (MG…).")),
        Field("api_url", _("API address"), default="https://api.twilio.com"),
    )
    # https://www.twilio.com/docs/api/errors
    error_codes: ClassVar[Mapping[str, Fault]] = {
        # No such number, a landline, unreachable, or somebody who answered STOP.
        **dict.fromkeys(
            "21211 21214 21217 21265 21421 21610 21612 21614 30003 30005 30006".split(), ADDRESS
        ),
        **dict.fromkeys("20003 20005 20006".split(), CREDENTIALS),
        **dict.fromkeys("14107 20429 21611 30001 30022 63038".split(), BUSY),
        # The sender, the country or the trial account.
        **dict.fromkeys(
            "21212 21408 21603 21606 21608 21609 21659 21660 21701 21702 21703 21704 30002".split(),
            ACCOUNT,
        ),
    }

    def submit(self, envelope: Envelope) -> SendResult:
        sid = self.values["account_sid"]
        response = self.request(
            "POST",
            self.url(f"/2010-04-01/Accounts/{quote(sid, safe='')}/Messages.json"),
            key=envelope.id,
            data=self._form(envelope),
            auth=(sid, self.values["auth_token"]),
        )
        return self.accepted(self.json_object(response).get("sid"), response)

    def error_code(self, response: requests.Response) -> str:
        return str(self.json_object(response).get("code") or "")

    def _form(self, envelope: Envelope) -> dict[str, str]:
        sender = self.values["sender"]
        form = {
            "To": envelope.to,
            "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
            "Body": envelope.message.text,
        }
        if self.receipts_url:
            form["StatusCallback"] = f"{self.receipts_url}?message={envelope.id}"
        return form
