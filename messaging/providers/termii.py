"""Text messages through Termii. https://developers.termii.com/messaging-api"""

from django.utils.translation import gettext_lazy as _

from messaging.models import SMS
from messaging.providers.base import Envelope, Field, SendResult
from messaging.providers.http import HttpBackend


class Termii(HttpBackend):
    """Termii, which knows messages by its own ids only."""

    kind, label, channel = "termii", "Termii", SMS
    fields = (
        Field("api_key", _("API key"), secret=True),
        Field("sender", _("Sender")),
        Field("api_url", _("API address"), default="https://v3.api.termii.com"),
        Field("webhook_key", _("Webhook secret key"), secret=True, required=False),
    )

    def submit(self, envelope: Envelope) -> SendResult:
        response = self.request(
            "POST",
            self.url("/api/sms/send"),
            key=envelope.id,
            json={
                "api_key": self.values["api_key"],
                "to": envelope.to.removeprefix("+"),
                "from": self.values["sender"],
                "sms": envelope.message.text,
                "type": "plain",
                "channel": "generic",
            },
        )
        return self.accepted(self.json_object(response).get("message_id"), response)
