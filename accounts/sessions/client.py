"""Where a request comes from: the client's address and its rough device."""

import ipaddress
import re
from dataclasses import dataclass

from django.http import HttpRequest

from accounts import conf

AGENT_MAX = 200
UNKNOWN_IP = "::"

# Who may be one household in IPv6: the length of a prefix, and how many times the allowance of one it has. A /64 is a
# home, but a /56 or a /48 is what one customer gets, who comes from another /64 with each request (LIM-05).
PREFIXES = ((64, 1), (56, 4), (48, 16))
# How IPv4 reaches servers that speak IPv6 alone (RFC 6052): the last 32 bits are the client's own address.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

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
class ClientInfo:
    """The client of one request: a parsed IP address and the browser's name for itself, cut."""

    ip: str = UNKNOWN_IP
    agent: str = ""
    # Which space of the API the request came through; "" for the pages.
    space: str = ""

    @property
    def networks(self) -> list[tuple[str, int]]:
        """The networks that count as a household, the narrowest first, and how many times the allowance each has."""
        if ":" not in self.ip:
            return [(self.ip, 1)]
        address = ipaddress.IPv6Address(self.ip)
        return [
            (str(ipaddress.IPv6Network((address, length), strict=False)), times)
            for length, times in PREFIXES
        ]

    @property
    def device(self) -> str:
        """The browser and system in words of ours, like "Chrome on Linux", or ""."""
        known = [_first(BROWSERS, self.agent), self.system]
        return " on ".join(word for word in known if word)

    @property
    def system(self) -> str:
        """The system alone, like "Android", or ""."""
        return _first(SYSTEMS, self.agent)


def client_info(request: HttpRequest) -> ClientInfo:
    """Say where `request` comes from, believing only the proxies we run (LIM-06)."""
    agent = re.sub(r"[^\x20-\x7e]", "", request.META.get("HTTP_USER_AGENT", ""))
    return ClientInfo(ip=_client_ip(request.META), agent=agent[:AGENT_MAX])


def _client_ip(meta: dict[str, str]) -> str:
    candidates = [meta.get("REMOTE_ADDR", "")]
    if conf.TRUSTED_PROXY_COUNT:
        # From the right: each of our proxies appends one; what stands further left, the client wrote.
        hops = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
        candidates.insert(0, hops[-conf.TRUSTED_PROXY_COUNT :][0])
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
    if address in NAT64:
        address = ipaddress.IPv4Address(address.packed[-4:])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _first(words: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in words if mark in text), "")
