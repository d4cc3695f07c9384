"""Whose address a call came from, where proxies stand between."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_ONE_CUSTOMER = 64  # bits of an IPv6 address: whoever has one has them all


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks or addresses separated by commas; ValueError if one is neither."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def is_trusted(address: str | None, trusted: Sequence[Network]) -> bool:
    """Whether it is the address of one of these proxies."""
    parsed = _parse(address or "")
    return parsed is not None and any(parsed in network for network in trusted)


def client_of(peer: str | None, forwarded: str, trusted: Sequence[Network]) -> str | None:
    """The nearest address that is no proxy of ours.

    `forwarded` is X-Forwarded-For: each proxy appended whom it was called by, and only what our
    own ones appended is true. So it is read from the right, as far as the proxies are trusted.
    """
    if not is_trusted(peer, trusted):
        return peer
    client = peer
    for part in reversed(forwarded.split(",")):
        hop = _parse(part)
        if hop is None:
            return client
        client = str(hop)
        if not is_trusted(client, trusted):
            return client
    return client


def as_one(address: str) -> str:
    """What all addresses of one customer have in common: an IPv6 network of 64 bits."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _ONE_CUSTOMER), strict=False))
    return str(parsed or address)


def _parse(text: str) -> Address | None:
    """An address, with or without a port, IPv4 also where it is written as IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
