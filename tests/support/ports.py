"""Loopback ports."""

import re
import secrets
import socket
import threading
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"

# Below the ranges systems take outgoing ports from (Linux from 32768, macOS from 49152): no client
# can take a server's port between its stop and its start, nor be connected to itself by waiting.
LISTENING = range(20_000, 32_000)
_handed_out: set[int] = set()


def free_port() -> int:
    """A loopback port nobody listens on; never the same one twice in one process."""
    while True:
        port = secrets.choice(LISTENING)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in _handed_out:
            _handed_out.add(port)
            return port


def port_answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether somebody accepts a connection on this port now."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def own_addresses() -> set[str]:
    """Every IPv4 address of this host, as far as it tells."""
    table = Path("/proc/net/fib_trie")
    if not table.exists():
        return set()
    return set(re.findall(r"-- ([\d.]+)\n +/32 host LOCAL", table.read_text()))


def wait_for_port(port: int, within: float = 10.0, host: str = LOOPBACK) -> None:
    """Returns as soon as the port accepts a connection; TimeoutError after `within` seconds."""
    pause = threading.Event()
    deadline = time.monotonic() + within
    while not port_answers(port, host):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"nobody answers on {host}:{port} after {within} s")
        pause.wait(0.01)
