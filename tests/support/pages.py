"""Answers read as a person or a browser would read them."""

import json
import re
from html import unescape
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input", "link", "meta", "path", "circle"}
# The name of an attempt, in an address or a form.
ATTEMPT = re.compile(r'(?<=attempt=)\w{16}|(?<=name="attempt" value=")\w{16}')


class Page(HTMLParser):
    """The elements of one answer, in order; each is its tag and its attributes."""

    def __init__(self, response):
        super().__init__()
        self.html = response.content.decode()
        self.elements = []
        self.forms = []
        self._open = []
        self._texts = {}
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        """Note the element, and the form it stands in."""
        element = {"tag": tag, **dict(attrs)}
        self.elements.append(element)
        if tag == "form":
            self.forms.append({**element, "fields": {}})
        if tag in ("input", "textarea", "select") and element.get("name") and self.forms:
            self.forms[-1]["fields"][element["name"]] = element.get("value", "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        """Leave the element."""
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        """Keep the words of the element they stand in."""
        if self._open:
            self._texts.setdefault(self._open[-1], []).append(" ".join(data.split()))

    def all(self, tag, **attributes):
        """The elements with this tag and these attributes."""
        return [
            element
            for element in self.elements
            if element["tag"] == tag
            and all(element.get(name.strip("_")) == value for name, value in attributes.items())
        ]

    def text(self, tag):
        """The words inside the elements with this tag."""
        return " ".join(filter(None, self._texts.get(tag, []))).strip()

    @property
    def ids(self):
        """Every id, in order."""
        return [element["id"] for element in self.elements if "id" in element]

    @property
    def inputs(self):
        """The fields a person sees, by name."""
        return {
            element["name"]: element
            for element in self.all("input")
            if "name" in element and element.get("type") != "hidden"
        }


def words(response):
    """What the answer says, whatever its face."""
    text = response.content.decode()
    if response.headers["Content-Type"].startswith("application/json"):
        said = json.loads(text)
        return " ".join([said["message"], *sum(said.get("errors", {}).values(), [])])
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


def comparable(response):
    """Everything a stranger can compare between two answers, without what differs every time."""
    body = re.sub(r'(csrfmiddlewaretoken" value=")[^"]*', r"\1", response.content.decode())
    body = ATTEMPT.sub("<attempt>", body)
    cookies = {
        name: {**dict(cookie), "value": "", "expires": ""}
        for name, cookie in response.cookies.items()
    }
    headers = {
        name: ATTEMPT.sub("<attempt>", value)
        for name, value in response.headers.items()
        if name != "X-Request-ID"
    }
    return response.status_code, headers, cookies, body
