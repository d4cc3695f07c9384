"""What a test lends to plugins: its own clock or folder, and this machine to be called."""

from typing import Any

from core.dial import LOOPBACK, AddressRules
from core.plugins import Ports
from services.outbound import GuardedDialer

NETWORK = GuardedDialer(AddressRules(allowed=LOOPBACK))


def lent(**ports: Any) -> Ports:
    """Ports with which the doubles on this machine can be called."""
    return Ports(**{"network": NETWORK, **ports})
