"""Providers with an HTTP API: one request, and an answer that is judged by its status and the code in it."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

import requests
from django.utils.timezone import now

from messaging.providers import transport
from messaging.providers.base import Envelope, Failure, Handed, Kind, Permanent, Temporary

LONGEST_WAIT = timedelta(minutes=10)

Verdict = tuple[type[Failure], str]
CREDENTIALS: Verdict = (Temporary, "credentials refused")
# Our account or our settings are at fault, not this message: another provider may take it.
ACCOUNT: Verdict = (Temporary, "account refused")
BUSY: Verdict = (Temporary, "too many messages")
# Not the provider, perhaps: a page of something in between also says 200.
UNCLEAR: Verdict = (Temporary, "answer not understood")
ADDRESS: Verdict = (Permanent, "address refused")

BY_STATUS: dict[int, Verdict] = {
    401: CREDENTIALS,
    402: ACCOUNT,
    403: CREDENTIALS,
    404: ACCOUNT,
    405: ACCOUNT,
    # Two tries at once under one idempotency key, or too slow a line: nothing is wrong with the message.
    408: (Temporary, "answered 408"),
    409: (Temporary, "answered 409"),
    429: BUSY,
}


class Http(Kind):
    """A provider at the address `api_url`."""

    # What a code in an answer means, where it tells more than the status.
    codes: ClassVar[Mapping[str, Verdict]] = {}

    def send(self, envelope: Envelope) -> Handed:
        """Hand one over within five seconds. Raises Temporary or Permanent."""
        try:
            return self.hand_over(envelope)
        except transport.Unreachable as problem:
            raise Temporary(str(problem)) from None
        except ValueError:
            # A sender that is no address, say. Never its text.
            raise Temporary("settings not understood") from None

    @abstractmethod
    def hand_over(self, envelope: Envelope) -> Handed:
        """The same; may also raise outbound.Unreachable."""

    def reach(self) -> None:
        """Ask for nothing; any answer will do but that of a broken server."""
        try:
            response = transport.session().request("HEAD", self.url(""))
        except transport.Unreachable as problem:
            raise Temporary(str(problem)) from None
        if response.status_code >= requests.codes.server_error:
            raise Temporary(f"answered {response.status_code}", answer=self.quote(response))

    def url(self, path: str) -> str:
        """An address of the API."""
        return self.values["api_url"].rstrip("/") + path

    def post(self, url: str, *, key: object, **request: Any) -> requests.Response:
        """Ask under an idempotency key and return what was not refused. Raises as `send`, and Unreachable."""
        return self.request("POST", url, key=key, **request)

    def request(
        self,
        method: str,
        url: str,
        *,
        key: object,
        headers: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> requests.Response:
        """The same by any method."""
        headers = {**(headers or {}), "Idempotency-Key": str(key)}
        response = transport.session().request(method, url, headers=headers, **rest)
        self.judge(response)
        return response

    def judge(self, response: requests.Response) -> None:
        """Raise what a refusal means."""
        verdict = self.codes.get(self.code(response)) or _by_status(response.status_code)
        if verdict:
            raise self.failure(verdict, response)

    def handed(self, taken: object, response: requests.Response) -> Handed:
        """A message that the provider took under an id; whoever says 200 without one is not believed."""
        if not taken:
            raise self.failure(UNCLEAR, response)
        return Handed(str(taken), self.quote(response))

    def code(self, response: requests.Response) -> str:
        """The provider's own code in its answer, if it has any."""
        return ""

    def failure(self, verdict: Verdict, response: requests.Response) -> Failure:
        """Make the failure that a verdict names."""
        kind, words = verdict
        if issubclass(kind, Temporary):
            return kind(words, answer=self.quote(response), wait=_wait(response))
        return kind(words, answer=self.quote(response))

    def quote(self, response: requests.Response) -> str:
        """What the provider said, for staff."""
        return self.hush(f"HTTP {response.status_code}\n{response.text}")


def body(response: requests.Response) -> dict[str, Any]:
    """The answer's JSON object; empty when it is anything else."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _by_status(status: int) -> Verdict | None:
    if status in range(200, 300):
        return None
    if status in range(300, 400):
        return Temporary, "redirected"
    if status in range(400, 500):
        return BY_STATUS.get(status, (Permanent, f"refused with {status}"))
    return Temporary, f"answered {status}"


def _wait(response: requests.Response) -> timedelta | None:
    """How long it asks us to stay away, in seconds or until a date."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return timedelta(seconds=min(int(asked[:9]), LONGEST_WAIT.total_seconds()))
    try:
        date = parsedate_to_datetime(asked)
    except ValueError:
        return None
    until = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(until - now(), timedelta(0)), LONGEST_WAIT)
