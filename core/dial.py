"""Which addresses integrations may call. Decides, and opens nothing.

Users say where stores and channels answer, so a name could lead to Keyturn's own host or to a
cloud's metadata service. What counts is the address that a name resolves to when a connection
is made; whoever connects asks here first.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Protocol

from core.addresses import Address, Network
from core.errors import DestinationRefused

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# Where clouds answer their own machines beside the link-local addresses: AWS over IPv6,
# Alibaba, Azure's platform, Oracle.
_METADATA: tuple[Network, ...] = tuple(
    ip_network(it) for it in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
_NAT64 = ip_network("64:ff9b::/96")


class Dialer(Protocol):
    """How plugins reach the outside: every connection goes to an address that was checked.

    Each raises DestinationRefused where the address may not be called, OSError where nothing
    answers.
    """

    def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """A TCP connection, through the operator's proxy if there is one.

        `timeout` is for all of the host's addresses together, each of which gets its share.
        """
        ...

    def pools(self) -> dict[str, Any]:
        """urllib3's pool classes by scheme, for clients that are built on it."""
        ...

    def session(self) -> Any:
        """A requests session: no redirect, cookie, .netrc or proxy of the environment."""
        ...


@dataclass(frozen=True)
class AddressRules:
    """What may be called: all but the host itself, its link, and what the operator excludes."""

    excluded: Sequence[Network] = ()
    allowed: Sequence[Network] = ()

    def demand(self, given: str) -> None:
        """DestinationRefused unless this address may be called."""
        address = _bare(given)
        if _among(address, self.excluded):
            _refuse("in a network that the operator has excluded")
        if _among(address, self.allowed):
            return
        if address.is_loopback or address.is_unspecified:
            _refuse("on Keyturn's own host")
        if address.is_link_local or _among(address, _METADATA):
            _refuse("link-local, where clouds keep their metadata services")
        if address.is_multicast or (address.is_reserved and isinstance(address, IPv4Address)):
            _refuse("one that no store has")


def _refuse(where: str) -> None:
    raise DestinationRefused(
        f"The address is {where}; the operator can allow it by KEYTURN_ALLOWED_NETWORKS."
    )


def _bare(given: str) -> Address:
    """An address without its zone, and IPv4 where IPv6 only carries it."""
    address = ip_address(given.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(address.packed[-4:])
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _among(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
