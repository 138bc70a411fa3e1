"""Which addresses an action may connect to on behalf of a request: public ones, and what the operator allowed.

A request that names a host must not become a way into the network the worker stands in (SSRF). The names are resolved
here once, every address is judged, and the caller connects to exactly these addresses, so that a second answer of the
name server changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.actions.outcomes import Permanent, Retryable

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Public by their number, yet they lead to the metadata services of Azure and Oracle Cloud.
_METADATA = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
# IPv6 addresses that mean the IPv4 address in their last bits, and nothing else. Source: RFC 4291, RFC 6052.
_TRANSLATED = (ipaddress.ip_network("::ffff:0:0/96"), ipaddress.ip_network("64:ff9b::/96"))
# These may be led to an IPv4 address as well, on some networks. Source: RFC 4291, RFC 8215.
_EMBEDDING = (ipaddress.ip_network("::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


@dataclass(frozen=True)
class AllowList:
    """Hosts and networks the operator opened, although they are not public."""

    hosts: frozenset[tuple[str, int | None]]
    networks: tuple[IPNetwork, ...]

    @classmethod
    def parse(cls, entries: Sequence[str]) -> AllowList:
        """Read entries such as `db.internal`, `localhost:8080`, `[::1]:80` and `10.0.0.0/8`. Ignores empty ones.

        Raises: Permanent for an entry that is none of these.
        """
        hosts: set[tuple[str, int | None]] = set()
        networks: list[IPNetwork] = []
        for entry in filter(None, (entry.strip().lower() for entry in entries)):
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
                continue
            except ValueError:
                pass
            host, colon, port = entry.rpartition(":")
            if not colon:
                host, port = entry, ""
            if "/" in entry or not host or (colon and not port.isdecimal()):
                raise Permanent(f"PERDURE_HTTP_ALLOW: {entry!r} is not a host, host:port or network")
            hosts.add((normal_host(host), int(port) if port else None))
        return cls(frozenset(hosts), tuple(networks))

    def allows(self, host: str, port: int, address: IPAddress) -> bool:
        """Whether `host`, which resolved to `address`, was opened."""
        if (host, None) in self.hosts or (host, port) in self.hosts:
            return True
        return any(address.version == network.version and address in network for network in self.networks)


def normal_host(host: str) -> str:
    """A host name or address as it is compared: lower case, no brackets, no dot at the end."""
    return host.strip("[]").rstrip(".").lower()


def checked_addresses(host: str, port: int, allowed: AllowList) -> list[str]:
    """The addresses of `host`, all of them fit to be connected to, in the order to try them.

    Raises: Permanent when one of them is not public and was not allowed; Retryable when the name does not resolve.
    """
    name = normal_host(host)
    addresses = [ipaddress.ip_address(text) for text in look_up(name, port)]
    for address in addresses:
        reason = why_refused(address)
        if reason is not None and not allowed.allows(name, port, address):
            raise Permanent(
                f"{host} leads to {address}, {reason}; the operator can open it with PERDURE_HTTP_ALLOW",
                details={"host": host, "address": str(address)},
            )
    return [str(address) for address in addresses]


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises: Retryable when there are none just now, Permanent when it is no name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Retryable(f"the name {host!r} cannot be resolved: {error.strerror}") from error
    except (UnicodeError, ValueError) as error:
        raise Permanent(f"{host[:100]!r} is not a host name") from error
    # In order and once each; some systems answer every address several times.
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def why_refused(address: IPAddress) -> str | None:
    """Why an address is not for actions to reach; None for a public one."""
    reasons = (_why_refused_alone(meant) for meant in _meant(address))
    return next((reason for reason in reasons if reason is not None), None)


def _why_refused_alone(address: IPAddress) -> str | None:
    if address.is_loopback:
        return "which is this machine"
    if address.is_link_local:
        return "a link-local address (cloud metadata is served there)"
    if any(address in network for network in _METADATA if network.version == address.version):
        return "an address of cloud metadata"
    if address.is_multicast:
        return "a multicast address"
    if not address.is_global or address.is_reserved or address.is_unspecified:
        return "a private or reserved address"
    return None


def _meant(address: IPAddress) -> list[IPAddress]:
    """All the addresses that a packet to `address` may end up at."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    last_bits = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _TRANSLATED):
        return [last_bits]
    meant: list[IPAddress | None] = [address, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _EMBEDDING):
        meant.append(last_bits)
    return [found for found in meant if found is not None]
