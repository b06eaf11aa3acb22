"""Guards all outbound calls: encrypted, to public addresses, with a deadline (ADM-07, OUT-05)."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection

CONNECT_SECONDS = 2
TOTAL_SECONDS = 5
# No provider's answer is near that long.
MAX_BYTES = 64 * 1024
# Routers forget a silent connection without a word; ours end before that.
IDLE_SECONDS = 30

Network = IPv4Network | IPv6Network

# IPv4 addresses in the clothes of IPv6 (RFC 6052).
IPV4_TRANSLATED = IPv6Network("64:ff9b::/96")
# All that is given out for servers in public (RFC 4291, 2.4); site-local, 64:ff9b:1::, 100:: and 5f00:: are outside.
UNICAST = IPv6Network("2000::/3")
# What stands in IANA's registries of special purposes: no provider has an address there. Of our own list, since what
# Python calls global differs from version to version.
# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
SPECIAL = [
    ip_network(network)
    for network in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 "
        "198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20"
    ).split()
]

# What Unreachable says of an address that may not be called.
NOT_PUBLIC = "not public, nor in PROVIDER_NETWORKS"


class Unreachable(Exception):
    """There was no answer that may be believed. The text names the fault, never the address or what was sent."""


class _ThreadState(threading.local):
    """The deadline and the session of this thread: the libraries pass no deadline on, so that sockets read it here."""

    deadline: float | None = None
    session: "GuardedSession | None" = None
    used = 0.0


_local = _ThreadState()
# A forked process must not talk on its parent's connections.
os.register_at_fork(after_in_child=lambda: _local.__dict__.clear())


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let this thread wait on our sockets for at most so many seconds, all waits together; then TimeoutError."""
    outer = _local.deadline
    end = time.monotonic() + seconds
    _local.deadline = end if outer is None else min(end, outer)
    try:
        yield
    finally:
        _local.deadline = outer


def remaining_seconds() -> float:
    """The seconds until the deadline. Raises TimeoutError when there are none."""
    if _local.deadline is None:
        return TOTAL_SECONDS
    seconds = _local.deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class _DeadlineSocket(socket.socket):
    """A socket that never waits past the deadline, however the other side drips."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(remaining_seconds())
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(remaining_seconds())
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(remaining_seconds())
        super().sendall(*args, **kwargs)


class _DeadlineTlsSocket(_DeadlineSocket, ssl.SSLSocket):
    """The same, encrypted."""

    def do_handshake(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(min(remaining_seconds(), CONNECT_SECONDS))
        super().do_handshake(*args, **kwargs)


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Certificate and host name are verified, against the roots of the system and those of `requests`."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.sslsocket_class = _DeadlineTlsSocket
    return context


def connect(host: str, port: int, *, plain: bool = False, anywhere: bool = False) -> socket.socket:
    """Open a connection; `plain`: it will not be encrypted; `anywhere`: the operator named the host, not staff.

    Raises Unreachable when the address is not one we talk to, OSError when nobody answers.
    """
    problem: Exception = Unreachable(NOT_PUBLIC)
    with deadline(CONNECT_SECONDS):
        for family, address in _resolve(host, port):
            try:
                # We look at the number and then dial that number: what the name means a moment later is no matter.
                if not anywhere:
                    _check_address(address[0], plain=plain)
                return _dial(family, address)
            except (OSError, Unreachable) as error:
                problem = error
    raise problem


def _resolve(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    """The addresses of a host. The system's resolver knows no deadline, so that it gets a thread to be late in."""
    answer: Future[list[tuple[Any, ...]]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            answer.set_exception(socket.gaierror())

    threading.Thread(target=ask, daemon=True).start()
    return [(found[0], found[4]) for found in answer.result(remaining_seconds())]


def _dial(family: int, address: tuple[Any, ...]) -> socket.socket:
    sock = _DeadlineSocket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(remaining_seconds())
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks that PROVIDER_NETWORKS lists, like 10.1.2.0/24. Raises ValueError."""
    return _networks(tuple(texts))


@lru_cache(maxsize=4)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def _check_address(address: str, *, plain: bool) -> None:
    """Allow public addresses, if encrypted, and the networks of the shop's own. Raises Unreachable for all others."""
    ip = _embedded_ipv4(ip_address(address.partition("%")[0]))
    if any(ip in network for network in parse_networks(settings.PROVIDER_NETWORKS)):
        return
    if any(ip in network for network in SPECIAL) or (ip.version == 6 and ip not in UNICAST):
        raise Unreachable(NOT_PUBLIC)
    if plain:
        raise Unreachable("no encryption")


def _embedded_ipv4(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it does.

    Those of 6to4 and Teredo are not read: relays that nobody runs any more lie between (RFC 7526).
    """
    if isinstance(ip, IPv4Address):
        return ip
    return IPv4Address(int(ip) & 0xFFFFFFFF) if ip in IPV4_TRANSLATED else ip.ipv4_mapped or ip


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port, plain=True)


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Uses our connections, and verifies certificates whatever the caller says."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=tls_context(), **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def cert_verify(self, conn: Any, *_args: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"


class GuardedSession(requests.Session):
    """A session without redirects, cookies, and proxies or passwords of the environment."""

    fixed_arguments: dict[str, Any] = {
        "allow_redirects": False,
        "proxies": None,
        "verify": True,
        "cert": None,
        "stream": True,
        "timeout": TOTAL_SECONDS,
    }

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.update({"User-Agent": "Storefront", "Accept-Encoding": "identity"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Make a request within five seconds in all; the body is cut to 64 KiB. Raises Unreachable."""
        with deadline(TOTAL_SECONDS):
            try:
                return _read(
                    super().request(method, url, *args, **{**kwargs, **self.fixed_arguments})
                )
            # ValueError: an address that cannot even be parsed.
            except (
                requests.RequestException,
                urllib3.exceptions.HTTPError,
                OSError,
                ValueError,
            ) as error:
                raise Unreachable(fault_name(error)) from None

    def get_redirect_target(self, _response: Any) -> None:
        """Never follow a redirect."""


def session() -> GuardedSession:
    """This thread's session: calls to one provider soon after one another share a connection."""
    now = time.monotonic()
    if _local.session and now - _local.used > IDLE_SECONDS:
        _local.session.close()
        _local.session = None
    _local.session, _local.used = _local.session or GuardedSession(), now
    return _local.session


def _read(response: requests.Response) -> requests.Response:
    body = bytearray()
    try:
        for chunk in response.iter_content(8192):
            body += chunk
            if len(body) >= MAX_BYTES:
                break
    finally:
        # Returns the connection for the next call, or ends it when there is more to read.
        response.close()
    response._content = bytes(body[:MAX_BYTES])
    return response


FAULTS: list[tuple[type[Exception], str]] = [
    (ssl.SSLCertVerificationError, "certificate not trusted"),
    (ssl.SSLError, "no encryption"),
    (TimeoutError, "timed out"),
    (requests.Timeout, "timed out"),
    (urllib3.exceptions.TimeoutError, "timed out"),
    (socket.gaierror, "unknown host"),
    (requests.exceptions.InvalidSchema, "address not allowed"),
    (requests.exceptions.InvalidURL, "address not allowed"),
    (requests.exceptions.MissingSchema, "address not allowed"),
    (ConnectionRefusedError, "ConnectionRefusedError"),
    (ConnectionResetError, "ConnectionResetError"),
]


def fault_name(error: BaseException, *, otherwise: str = "no connection") -> str:
    """Name what went wrong, from the kinds of an error and its causes; their texts may quote what was sent."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for error_class, name in FAULTS:
        if any(isinstance(cause, error_class) for cause in causes):
            return name
    return otherwise
