"""Email through ZeptoMail (Zoho), which anymail does not speak. https://www.zoho.com/zeptomail/help/api/email-sending.html"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import requests
from anymail.backends.base_requests import AnymailRequestsBackend, RequestsPayload
from anymail.exceptions import AnymailRequestsAPIError
from anymail.message import AnymailRecipientStatus
from anymail.utils import EmailAddress
from django.utils.translation import gettext_lazy as _

from messaging.providers.anymail import SENDER, AnymailBackend
from messaging.providers.base import Field
from messaging.providers.http import ACCOUNT, CREDENTIALS, Fault


class ZeptoMail(AnymailBackend):
    kind, label = "zeptomail", "ZeptoMail"
    email_backend = "messaging.providers.zeptomail.EmailBackend"
    backend_arguments = ("token", "api_url")
    fields = (
        Field("token", _("Send mail token"), secret=True),
        Field("api_url", _("API address"), default="https://api.zeptomail.com/v1.1/"),
        Field("webhook_key", _("Webhook authentication key"), secret=True, required=False),
        SENDER,
    )
    # https://www.zoho.com/zeptomail/help/api/error-codes.html
    error_codes: ClassVar[Mapping[str, Fault]] = {
        **dict.fromkeys(
            "LE_101 LE_102 SERR_156 SM_111 SM_128 SM_133 SMI_115 AE_101".split(), ACCOUNT
        ),
        "SERR_157": CREDENTIALS,
    }

    def error_code(self, response: requests.Response) -> str:
        try:
            return str(self.json_object(response)["error"]["details"][0]["code"])
        except (KeyError, IndexError, TypeError):
            return ""


class EmailBackend(AnymailRequestsBackend):
    """An anymail backend for ZeptoMail."""

    esp_name = "ZeptoMail"

    def __init__(self, token: str, api_url: str, **kwargs: Any) -> None:
        self.token = token
        super().__init__(api_url.rstrip("/") + "/", **kwargs)

    def build_message_payload(self, message: Any, defaults: Any) -> "Payload":
        return Payload(message, defaults, self)

    def parse_recipient_status(
        self, response: requests.Response, payload: "Payload", message: Any
    ) -> dict[str, AnymailRecipientStatus]:
        """One id for the request; its receipts carry the same."""
        answer = self.deserialize_json_response(response, payload, message)
        try:
            status = AnymailRecipientStatus(message_id=answer["request_id"], status="queued")
        except (KeyError, TypeError):
            raise AnymailRequestsAPIError(response=response, backend=self) from None
        return {to["email_address"]["address"]: status for to in payload.data["to"]}


class Payload(RequestsPayload):
    def __init__(self, message: Any, defaults: Any, backend: EmailBackend) -> None:
        headers = {
            "Authorization": f"Zoho-enczapikey {backend.token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        super().__init__(message, defaults, backend, headers=headers)

    def get_api_endpoint(self) -> str:
        return "email"

    def init_payload(self) -> None:
        self.data: dict[str, Any] = {}

    def serialize_data(self) -> str:
        return json.dumps(self.data)

    def set_from_email(self, email: EmailAddress) -> None:
        self.data["from"] = self._address(email)

    def set_recipients(self, recipient_type: str, emails: list[EmailAddress]) -> None:
        self.data[recipient_type] = [{"email_address": self._address(email)} for email in emails]

    def set_reply_to(self, emails: list[EmailAddress]) -> None:
        self.data["reply_to"] = [self._address(email) for email in emails]

    def set_subject(self, subject: str) -> None:
        self.data["subject"] = subject

    def set_extra_headers(self, headers: Mapping[str, str]) -> None:
        self.data["mime_headers"] = dict(headers)

    def set_text_body(self, body: str) -> None:
        self.data["textbody"] = body

    def set_html_body(self, body: str) -> None:
        self.data["htmlbody"] = body

    def set_metadata(self, metadata: Mapping[str, str]) -> None:
        self.data["client_reference"] = metadata["message"]

    def _address(self, email: EmailAddress) -> dict[str, str]:
        return email.as_dict(name="name", email="address", idna_encode=self.backend.idna_encode)
