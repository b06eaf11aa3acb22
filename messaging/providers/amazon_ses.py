"""Email through Amazon SES: anymail writes, boto3 signs, our guard carries."""

import logging
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import requests
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from messaging.providers.anymail import SENDER, Anymail, Wire
from messaging.providers.base import WEBHOOK_SECRET, Field, Temporary
from messaging.providers.http import ACCOUNT, Verdict, body

# At DEBUG, botocore logs the whole message and its signature.
logging.getLogger("botocore").setLevel(logging.INFO)


class AmazonSes(Anymail):
    """Amazon SES, by its second API."""

    kind, label = "amazon_ses", "Amazon SES"
    backend = "anymail.backends.amazon_ses.EmailBackend"
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
    codes: ClassVar[Mapping[str, Verdict]] = dict.fromkeys(
        "AccountSuspendedException LimitExceededException MailFromDomainNotVerifiedException "
        "MessageRejected NotFoundException SendingPausedException".split(),
        ACCOUNT,
    )

    def url(self, path: str) -> str:
        """The address of the region, unless another is named."""
        return super().url(path) or self.route.address

    def code(self, response: requests.Response) -> str:
        """The kind of error, which AWS names in a header."""
        kind = response.headers.get("x-amzn-ErrorType") or body(response).get("__type", "")
        return str(kind).partition(":")[0].rpartition("#")[2]

    def mailer(self, wire: Wire) -> Any:
        """The backend with a client that sends over `wire`."""
        route = self.route
        route.wire = wire
        mailer = self.make_backend(configuration_set_name=self.values["configuration_set"] or None)
        mailer.client = route.client
        return mailer

    @property
    def route(self) -> "Route":
        """This thread's client for these settings. Raises Temporary when they make no sense to AWS."""
        names = "access_key_id secret_access_key region api_url".split()
        try:
            return _route(threading.get_ident(), *(self.values[name] for name in names))
        except (ValueError, import_string("botocore.exceptions.BotoCoreError")):
            raise Temporary("region or address not understood") from None


class Route:
    """A boto3 client whose requests leave through our guard instead of botocore's own connections."""

    wire: Wire

    def __init__(self, key: str, secret: str, region: str, api_url: str) -> None:
        session = import_string("boto3.session.Session")
        # Never empty: boto3 would go and look for credentials elsewhere, past our guard.
        self.client = session(key or "-", secret or "-", region_name=region).client(
            "sesv2",
            endpoint_url=api_url or None,
            config=import_string("botocore.config.Config")(
                retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5
            ),
        )
        self.address: str = self.client.meta.endpoint_url
        # What a handler of this event returns stands for the answer; botocore then opens no connection itself.
        self.client.meta.events.register("before-send.sesv2", self._send)

    def _send(self, request: Any, **_more: Any) -> requests.Response:
        return self.wire.request(
            request.method, request.url, data=request.body, headers=dict(request.headers)
        )


@lru_cache(maxsize=16)
def _route(thread: int, key: str, secret: str, region: str, api_url: str) -> Route:
    """Made once: a client reads a description of the whole service."""
    return Route(key, secret, region, api_url)
