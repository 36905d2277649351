"""The proxies whose word on who asks is believed."""

from ipaddress import IPv4Network, IPv6Network, ip_network

_EXAMPLE = "give addresses or networks like 127.0.0.1,10.0.0.0/24"
_MAPPED = 96
"""Bits before the IPv4 address in an IPv6 one that stands for it."""


def parse(proxies: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Take addresses and networks, separated by commas, apart.

    Raises
    ------
    ValueError
        None is there, one is malformed, or one is everybody.
    """
    networks = []
    for word in filter(None, (part.strip() for part in proxies.split(","))):
        try:
            network = ip_network(word)
        except ValueError as exc:
            raise ValueError(f"{_EXAMPLE}: {exc}") from None
        if network.prefixlen == 0:
            raise ValueError(f"{word} is everybody, who could then call himself anybody: {_EXAMPLE}")
        networks.append(network)
    if not networks:
        raise ValueError(_EXAMPLE)
    return tuple(networks)


def forwarded_allow_ips(proxies: str) -> list[str]:
    """Return the same as uvicorn wants it.

    A server that listens on ``::`` hears of IPv4 clients in their mapped form.
    """
    found = []
    for network in parse(proxies):
        found.append(str(network))
        if isinstance(network, IPv4Network):
            found.append(f"::ffff:{network.network_address}/{_MAPPED + network.prefixlen}")
    return found
