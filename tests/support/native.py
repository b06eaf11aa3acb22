"""Programs at the door on the event loop: each request is one ASGI scope, on a loop of its own or beside others."""

import asyncio
import io
import json
from urllib.parse import urlencode, urlsplit

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse

from storefront.native_handler import ProgramsHandler
from tests.support.lanes import on_loop
from tests.support.programs import HOME_OF_PROGRAMS, V2, Program


class NativeClient:
    """What `APIClient` is, through the handler of the loop."""

    def __init__(self, ip=HOME_OF_PROGRAMS, **headers):
        self.ip, self.headers = ip, headers

    def get(self, url, query=None, *, headers=None):
        """Ask by GET."""
        return self.generic("GET", f"{url}?{urlencode(query or {})}", headers=headers)

    def post(self, url, sent=None, *, format="json", headers=None):
        """Send JSON."""
        return self.generic("POST", url, json.dumps(sent), headers=headers)

    def patch(self, url, sent=None, *, format="json", headers=None):
        """The same."""
        return self.generic("PATCH", url, json.dumps(sent), headers=headers)

    def delete(self, url, sent=None, *, format="json", headers=None):
        """Send nothing."""
        return self.generic("DELETE", url, headers=headers)

    def generic(self, method, url, body=b"", content_type="application/json", *, headers=None):
        """Send whatever it is."""
        return on_loop(
            lambda: self.ask(ProgramsHandler(), method, url, body, content_type, headers)
        )

    async def ask(
        self,
        handler,
        method,
        url,
        body=b"",
        content_type="application/json",
        headers=None,
        gone_after=3600,
    ):
        """Send one request on the running loop; hang up after so many seconds. Returns None for no answer."""
        told = {"Content-Type": content_type, **self.headers, **(headers or {})}
        scope = self.scope(method, url, told)
        content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        waiting, sent = [{"type": "http.request", "body": content}], []

        async def receive():
            if waiting:
                return waiting.pop()
            await asyncio.sleep(gone_after)
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        await handler(scope, receive, send)
        return _response(sent) if sent else None

    def scope(self, method, url, headers):
        """What a server makes of a head."""
        parts = urlsplit(url)
        return {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [
                (b"host", b"shop.example"),
                *((name.lower().encode(), value.encode()) for name, value in headers.items()),
            ],
            "client": (self.ip, 50000),
            "server": ("shop.example", 443),
            "scheme": "https",
        }


def _response(sent):
    start, *parts = sent
    response = HttpResponse(
        b"".join(each.get("body", b"") for each in parts), status=start["status"]
    )
    response.headers = {}
    for name, value in start["headers"]:
        if name.lower() == b"set-cookie":
            response.cookies.load(value.decode())
        response.headers[name.decode()] = value.decode("latin-1")
    response.json = lambda: json.loads(response.content)
    return response


def native_program(**headers):
    """A program at the door on the loop."""
    return Program(spaces=V2, client=NativeClient(**headers))


def native_request(scope):
    """The request that Django makes of a scope."""
    return ASGIRequest(scope, io.BytesIO())
