"""Where providers may be: texts have a way, and nothing of ours talks to where clouds keep credentials."""

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from messaging.models import SMS
from messaging.providers import BACKENDS, transport
from storefront.checks.startup import error, register

# Of a shop's own networks, and of public ones, by the version of IP.
WIDEST_NETWORK = 8
WIDEST_PUBLIC = {4: 24, 6: 48}
OWN_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8 fc00::/7 ::1/128"
    ).split()
]
# Where clouds tell their machines who they are, credentials included (ADM-07): AWS, Google, Azure and most others;
# Alibaba; Azure's second; AWS and Google in IPv6.
NEVER_PROVIDERS = [
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16 fe80::/10 100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254"
    ).split()
]
NAME_A_NETWORK = (
    f"Like 10.1.2.0/24, of /{WIDEST_NETWORK} at the most; public ones of /24, in IPv6 /48, at the most; none with an "
    f"address where clouds keep credentials: {', '.join(map(str, NEVER_PROVIDERS))}."
)


@register
def texts_have_a_way(app_configs, **kwargs):
    """SMS_URL names a backend that carries texts."""
    backend = BACKENDS.get(urlsplit(settings.SMS_URL).scheme)
    if settings.SMS_URL and (backend is None or backend.channel != SMS):
        yield error(
            "E012",
            "SMS_URL names no provider of texts.",
            "Like twilio://?account_sid=AC1&auth_token=...&sender=+15005550006",
        )


@register
def networks_are_networks(app_configs, **kwargs):
    """PROVIDER_NETWORKS lists networks, and neither the whole world nor where clouds keep credentials (ADM-07)."""
    for text in settings.PROVIDER_NETWORKS:
        if not _is_own_network(text):
            yield error(
                "E018",
                f"PROVIDER_NETWORKS holds {text}, which is not a network of the shop's own.",
                NAME_A_NETWORK,
            )


def _is_own_network(text: str) -> bool:
    try:
        (network,) = transport.parse_networks([text])
    except ValueError:
        return False
    if any(map(network.overlaps, _of_version(network.version, NEVER_PROVIDERS))):
        return False
    is_own = any(map(network.subnet_of, _of_version(network.version, OWN_NETWORKS)))
    return network.prefixlen >= (WIDEST_NETWORK if is_own else WIDEST_PUBLIC[network.version])


def _of_version(version: int, networks: list[transport.Network]) -> Iterator[Any]:
    return (network for network in networks if network.version == version)
