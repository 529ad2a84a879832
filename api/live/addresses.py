"""Whose address a connection counts for, when proxies stand before the server."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any


class Proxies:
    """The addresses, networks, or ``*``, of which ``X-Forwarded-For`` is believed."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._any = False
        self._networks: list[IPv4Network | IPv6Network] = []
        for one in trusted:
            if one.strip() == "*":
                self._any = True
            elif one.strip():
                self._networks.append(ip_network(one.strip(), strict=False))

    def client(self, peer: Any, forwarded_for: str | None) -> str | None:
        """The nearest address that is not a proxy of ours; None when there is none, as for a
        program on the proxy's own machine, or for a local socket."""
        if not self._any and not self._networks:
            return str(peer[0])[:64] if isinstance(peer, tuple) and peer else None
        chain = [str(peer[0])] if isinstance(peer, tuple) and peer else []
        chain = [*(part.strip() for part in (forwarded_for or "").split(",") if part), *chain]
        for address in reversed(chain):
            if not self._trusts(address):
                return address[:64]
        return None

    def _trusts(self, address: str) -> bool:
        if self._any:
            return True
        ip = _parsed(address)
        return ip is not None and any(ip in network for network in self._networks)


@lru_cache(maxsize=1024)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Most connections come from few addresses: those of the proxies."""
    try:
        return ip_address(address)
    except ValueError:
        return None
