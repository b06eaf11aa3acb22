"""Backends for an HTTP API: one request, and a response that fails by its status or by the error code in it."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

import requests
from django.utils.timezone import now

from messaging.providers import transport
from messaging.providers.base import (
    Backend,
    Envelope,
    Failure,
    PermanentFailure,
    ResponseSummary,
    SendResult,
    TemporaryFailure,
)

MAX_RETRY_AFTER = timedelta(minutes=10)

# The headers in which providers give the id of a request, for their support.
REQUEST_ID_HEADERS = "X-Request-Id X-Amzn-RequestId Twilio-Request-Id X-MJ-Request-GUID".split()
# Nothing that could be text.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,80}")
NUMERIC_CODE = re.compile(r"[1-9][0-9]{0,5}")

# The failure that a refusal is, and the text that names the fault.
Fault = tuple[type[Failure], str]
CREDENTIALS: Fault = (TemporaryFailure, "credentials refused")
# Our account or our settings are at fault, not this message: another provider may take it.
ACCOUNT: Fault = (TemporaryFailure, "account refused")
BUSY: Fault = (TemporaryFailure, "too many messages")
BROKEN: Fault = (TemporaryFailure, "server trouble")
# Not the provider, perhaps: a page of something in between also says 200.
UNCLEAR: Fault = (TemporaryFailure, "answer not understood")
ADDRESS: Fault = (PermanentFailure, "address refused")
MESSAGE: Fault = (PermanentFailure, "message refused")

BY_STATUS: dict[int, Fault] = {
    401: CREDENTIALS,
    402: ACCOUNT,
    403: CREDENTIALS,
    404: ACCOUNT,
    405: ACCOUNT,
    # Two tries at once under one idempotency key, or too slow a line: nothing is wrong with the message.
    408: (TemporaryFailure, "answered 408"),
    409: (TemporaryFailure, "answered 409"),
    429: BUSY,
}


class HttpBackend(Backend):
    """A provider at the address `api_url`."""

    # What an error code in a response means, where it tells more than the status.
    error_codes: ClassVar[Mapping[str, Fault]] = {}

    def send(self, envelope: Envelope) -> SendResult:
        try:
            return self.submit(envelope)
        except transport.Unreachable as problem:
            raise TemporaryFailure(str(problem)) from None
        except ValueError:
            # A sender that is no address, say. Never its text.
            raise TemporaryFailure("settings not understood") from None

    @abstractmethod
    def submit(self, envelope: Envelope) -> SendResult:
        """Make the request that sends one message. Raises as `send`, Unreachable and ValueError."""

    def ping(self) -> None:
        """Ask for nothing: any response will do but that of a broken server."""
        try:
            response = transport.session().request("HEAD", self.url(""))
        except transport.Unreachable as problem:
            raise TemporaryFailure(str(problem)) from None
        if response.status_code >= requests.codes.server_error:
            raise self.failure(_status_fault(response.status_code), response)

    def url(self, path: str) -> str:
        """The address of `path` in the API."""
        return self.values["api_url"].rstrip("/") + path

    def request(
        self,
        method: str,
        url: str,
        *,
        key: object,
        headers: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> requests.Response:
        """Make a request under an idempotency key. Raises Unreachable, and the failure that a refusal means."""
        headers = {**(headers or {}), "Idempotency-Key": str(key)}
        response = transport.session().request(method, url, headers=headers, **rest)
        self.raise_for_failure(response)
        return response

    def raise_for_failure(self, response: requests.Response) -> None:
        """Raise the failure that a refusal means."""
        fault = self.error_codes.get(self.error_code(response))
        if fault or response.status_code not in range(200, 300):
            raise self.failure(fault or _status_fault(response.status_code), response)

    def accepted(self, message_id: object, response: requests.Response) -> SendResult:
        """The result for a message that got an id. Raises TemporaryFailure without one: a 200 alone is not believed."""
        if not message_id:
            raise self.failure(UNCLEAR, response)
        return SendResult(str(message_id), self.summarize(response))

    @staticmethod
    def json_object(response: requests.Response) -> dict[str, Any]:
        """The JSON object in a response; empty when there is anything else."""
        try:
            body = response.json()
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def error_code(self, response: requests.Response) -> str:
        """The provider's own error code in a response, if there is any."""
        return ""

    def failure(self, fault: Fault, response: requests.Response) -> Failure:
        """Make the failure of this fault."""
        failure, text = fault
        return failure(text, self.summarize(response), _retry_after(response))

    def summarize(self, response: requests.Response) -> ResponseSummary:
        """Take from a response what staff may see (OUT-07)."""
        said = self.error_code(response)
        is_known = said in self.error_codes or NUMERIC_CODE.fullmatch(said)
        request_id = next(filter(None, map(response.headers.get, REQUEST_ID_HEADERS)), "")
        return ResponseSummary(
            status=f"HTTP {response.status_code}",
            error_code=said if is_known else "",
            request_id=request_id if REQUEST_ID.fullmatch(request_id) else "",
        )


def _status_fault(status: int) -> Fault:
    if status in range(300, 400):
        return TemporaryFailure, "redirected"
    if status in range(400, 500):
        return BY_STATUS.get(status, (PermanentFailure, f"refused with {status}"))
    return TemporaryFailure, f"answered {status}"


def _retry_after(response: requests.Response) -> timedelta | None:
    """The wait that the provider asks for, in seconds or until a date."""
    header = response.headers.get("Retry-After", "").strip()
    if header.isascii() and header.isdigit():
        return timedelta(seconds=min(int(header[:9]), MAX_RETRY_AFTER.total_seconds()))
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    until = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(until - _sent_at(response), timedelta(0)), MAX_RETRY_AFTER)


def _sent_at(response: requests.Response) -> datetime:
    """When the provider sent its response, by the clock that its other dates are of, too (TIM-01)."""
    try:
        date = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return now()
    return date if date.tzinfo else date.replace(tzinfo=UTC)
