"""Where a request comes from: the client's address and its rough device."""

import ipaddress
import re
from dataclasses import dataclass

from django.http import HttpRequest

from accounts import policy

AGENT_MAX = 200
UNKNOWN_IP = "::"

# Words of ours only: what a stranger wrote in a header never reaches a message (ABU-04).
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The client of one request: a parsed IP address and the browser's name for itself, cut."""

    ip: str = UNKNOWN_IP
    agent: str = ""

    @property
    def network(self) -> str:
        """The part of the address one household holds: all of IPv4, the /64 of IPv6 (LIM-05)."""
        if ":" not in self.ip:
            return self.ip
        return str(ipaddress.ip_network(f"{self.ip}/64", strict=False))

    @property
    def device(self) -> str:
        """The browser and system in words of ours, like "Chrome on Linux", or ""."""
        known = [_first(BROWSERS, self.agent), _first(SYSTEMS, self.agent)]
        return " on ".join(word for word in known if word)


def of(request: HttpRequest) -> Origin:
    """Say where `request` comes from, believing only the proxies we run (LIM-06)."""
    agent = re.sub(r"[^\x20-\x7e]", "", request.META.get("HTTP_USER_AGENT", ""))
    return Origin(ip=_client_ip(request.META), agent=agent[:AGENT_MAX])


def _client_ip(meta: dict[str, str]) -> str:
    candidates = [meta.get("REMOTE_ADDR", "")]
    if policy.TRUSTED_PROXY_COUNT:
        # From the right: each of our proxies appends one; what stands further left, the client wrote.
        hops = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
        candidates.insert(0, hops[-policy.TRUSTED_PROXY_COUNT :][0])
    return next(filter(None, map(_parsed, candidates)), UNKNOWN_IP)


def _parsed(text: str) -> str:
    text = text.strip()
    # Some proxies add the port: 192.0.2.1:443, [2001:db8::1]:443.
    ported = re.fullmatch(r"([\d.]+|\[.*\]):\d+", text)
    text = (ported[1] if ported else text).strip("[]")
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _first(words: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in words if mark in text), "")
