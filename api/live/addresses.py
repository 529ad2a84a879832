"""Whose address a connection counts for, when proxies stand before the server."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any


class Proxies:
    """The addresses, networks, or ``*``, of which ``X-Forwarded-For`` is believed."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._all = False
        self._networks: list[IPv4Network | IPv6Network] = []
        for one in trusted:
            if one.strip() == "*":
                self._all = True
            elif one.strip():
                self._networks.append(ip_network(one.strip(), strict=False))

    @property
    def any(self) -> bool:
        """Whether any proxy is trusted; if none is, what ``X-Forwarded-For`` says is nothing."""
        return self._all or bool(self._networks)

    def client(self, peer: Any, forwarded_for: str) -> str | None:
        """The nearest address that is not a proxy of ours; None when there is none, as for a
        program on the proxy's own machine, or for a local socket. Several lines of
        ``X-Forwarded-For`` are one, joined by commas (RFC 9110 section 5.3)."""
        if not self.any:
            return str(peer[0])[:64] if isinstance(peer, tuple) and peer else None
        chain = [str(peer[0])] if isinstance(peer, tuple) and peer else []
        chain = [*(part.strip() for part in forwarded_for.split(",") if part), *chain]
        for address in reversed(chain):
            if not self._trusts(address):
                return address[:64]
        return None

    def _trusts(self, address: str) -> bool:
        if self._all:
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
