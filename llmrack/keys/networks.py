"""Networks that a key may be used from: written by people as addresses or in CIDR form."""

from __future__ import annotations

import functools
import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MOST = 20


class BadNetwork(ValueError):
    """Not a network; the message names the text that is wrong."""


def parse(text: str) -> tuple[str, ...]:
    """What stands in a form, separated by commas, spaces or lines: "10.0.0.7" is "10.0.0.7/32". Raises BadNetwork."""
    parts = text.replace(",", " ").split()
    if len(parts) > MOST:
        raise BadNetwork(f"Give at most {MOST} addresses or networks.")
    return tuple(str(_network(part)) for part in dict.fromkeys(parts))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise BadNetwork(f"{text[:60]} is not an address or network such as 203.0.113.7 or 203.0.113.0/24.") from None


def holds(joined: str, address: str | None) -> bool:
    """Whether `address` is inside one of the networks, which are joined by commas."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return any(ip in network for network in _parsed(joined) if network.version == ip.version)


@functools.lru_cache(maxsize=1000)
def _parsed(joined: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part) for part in joined.split(","))
