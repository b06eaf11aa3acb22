"""Programs that call the API: what they send, and what they read of an answer, whichever door they knock at."""

from dataclasses import dataclass, field

from rest_framework.test import APIClient

HOME_OF_PROGRAMS = "203.0.113.30"
SPACES = {"v1": "/api/v1/auth/", "auth": "/api/auth/"}
# Both under one roof.
V2 = {"v1": "/api/v2/auth/", "auth": "/api/v2/auth/"}


@dataclass
class Told:
    """One answer: its status, its body, and of a refusal the sentence, the code and what is wrong with each field."""

    status: int
    body: object
    headers: dict = field(default_factory=dict)

    @property
    def fields(self):
        """What is wrong with each field, or nothing."""
        if "errors" in self.body:
            return self.body["errors"]
        lists = {name: value for name, value in self.body.items() if isinstance(value, list)}
        return lists if lists == self.body else {}

    @property
    def sentence(self):
        """The one sentence of a refusal."""
        return self.body.get("error") or self.body.get("detail")

    @property
    def code(self):
        return self.body.get("code")

    def __getitem__(self, name):
        return self.body[name]


class Program:
    """One app on one device. `spaces` says where each dialect is: a door may have both under one roof."""

    def __init__(self, *, ip=HOME_OF_PROGRAMS, spaces=None, form="json", client=None, **headers):
        self.client = client or APIClient(REMOTE_ADDR=ip, headers=headers)
        self.spaces, self.form = spaces or SPACES, form
        self.access = ""

    def post(self, space, path, fields=None, **more):
        """Send what a program sends."""
        return self.call("POST", space, path, {**(fields or {}), **more})

    def get(self, space, path, **query):
        """Ask by GET."""
        return self.call("GET", space, path, query)

    def call(self, method, space, path, sent=None, **headers):
        """Send `sent` by `method`, with the access token if there is one."""
        if self.access:
            headers["Authorization"] = f"Bearer {self.access}"
        url = f"{self.spaces[space]}{path}"
        if method == "GET":
            return read(self.client.get(url, sent, headers=headers))
        answer = self.client.generic if isinstance(sent, bytes) else None
        if answer:
            return read(self.client.generic(method, url, sent, headers=headers))
        act = getattr(self.client, method.lower())
        return read(act(url, sent, format=self.form, headers=headers))


def read(response):
    """What a program reads of a response."""
    assert response.cookies == {}
    body = response.json() if response.content else {}
    return Told(response.status_code, body, dict(response.headers))
