"""Text messages through Termii. https://developers.termii.com/messaging-api"""

from django.utils.translation import gettext_lazy as _

from messaging.models import SMS
from messaging.providers.base import Envelope, Field, Handed
from messaging.providers.http import Http, body


class Termii(Http):
    """Termii, which knows messages by its own ids only."""

    kind, label, channel = "termii", "Termii", SMS
    fields = (
        Field("api_key", _("API key"), secret=True),
        Field("sender", _("Sender")),
        Field("api_url", _("API address"), default="https://v3.api.termii.com"),
        Field("webhook_key", _("Webhook secret key"), secret=True, required=False),
    )

    def hand_over(self, envelope: Envelope) -> Handed:
        """Post a JSON object."""
        response = self.post(
            self.url("/api/sms/send"),
            key=envelope.id,
            json={
                "api_key": self.values["api_key"],
                "to": envelope.to.removeprefix("+"),
                "from": self.values["sender"],
                "sms": envelope.letter.text,
                "type": "plain",
                "channel": "generic",
            },
        )
        return self.handed(body(response).get("message_id"), response)
