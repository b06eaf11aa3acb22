"""Email through Amazon SES: anymail writes the request, boto3 signs it, our guarded session sends it."""

import logging
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import requests
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from messaging.providers.anymail import SENDER, AnymailBackend, MessageSession
from messaging.providers.base import WEBHOOK_SECRET, Field, TemporaryFailure
from messaging.providers.http import ACCOUNT, Fault

# At DEBUG, botocore logs the whole message and its signature.
logging.getLogger("botocore").setLevel(logging.INFO)


class AmazonSes(AnymailBackend):
    """Amazon SES, by its second API."""

    kind, label = "amazon_ses", "Amazon SES"
    email_backend = "anymail.backends.amazon_ses.EmailBackend"
    fields = (
        Field("access_key_id", _("Access key id")),
        Field("secret_access_key", _("Secret access key"), secret=True),
        Field("region", _("Region")),
        Field("configuration_set", _("Configuration set"), required=False),
        Field("api_url", _("API address"), required=False),
        WEBHOOK_SECRET,
        SENDER,
    )
    # MessageRejected is what SES says of a sender that is not verified.
    error_codes: ClassVar[Mapping[str, Fault]] = dict.fromkeys(
        "AccountSuspendedException LimitExceededException MailFromDomainNotVerifiedException "
        "MessageRejected NotFoundException SendingPausedException".split(),
        ACCOUNT,
    )

    def url(self, path: str) -> str:
        """The address of the region, unless another is named."""
        return super().url(path) or self.client.address

    def error_code(self, response: requests.Response) -> str:
        """The type of the error, which AWS names in a header."""
        name = response.headers.get("x-amzn-ErrorType") or self.json_object(response).get(
            "__type", ""
        )
        return str(name).partition(":")[0].rpartition("#")[2]

    def connection(self, session: MessageSession) -> Any:
        self.client.session = session
        configuration_set = self.values["configuration_set"] or None
        connection = self.email_backend_class(configuration_set_name=configuration_set)
        connection.client = self.client.boto3_client
        return connection

    @property
    def client(self) -> "SesClient":
        """This thread's client for these settings. Raises TemporaryFailure when they make no sense to AWS."""
        names = "access_key_id secret_access_key region api_url".split()
        try:
            return _client(threading.get_ident(), *(self.values[name] for name in names))
        except (ValueError, import_string("botocore.exceptions.BotoCoreError")):
            raise TemporaryFailure("region or address not understood") from None


class SesClient:
    """A boto3 client whose requests leave through our guarded session instead of botocore's own connections."""

    session: MessageSession

    def __init__(self, key: str, secret: str, region: str, api_url: str) -> None:
        make_session = import_string("boto3.session.Session")
        # Never empty: boto3 would go and look for credentials elsewhere, past our guard.
        self.boto3_client = make_session(key or "-", secret or "-", region_name=region).client(
            "sesv2",
            endpoint_url=api_url or None,
            config=import_string("botocore.config.Config")(
                retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5
            ),
        )
        self.address: str = self.boto3_client.meta.endpoint_url
        # What a handler of this event returns stands for the response; botocore then opens no connection itself.
        self.boto3_client.meta.events.register("before-send.sesv2", self._send)

    def _send(self, request: Any, **_more: Any) -> requests.Response:
        return self.session.request(
            request.method, request.url, data=request.body, headers=dict(request.headers)
        )


@lru_cache(maxsize=16)
def _client(thread: int, key: str, secret: str, region: str, api_url: str) -> SesClient:
    # Made once: a client reads a description of the whole service.
    return SesClient(key, secret, region, api_url)
