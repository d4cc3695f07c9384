"""Follows a token through its rotations: from a file, from Vault, or from Keyturn's API."""

from keyturn_client.bearer_auth import BearerAuth
from keyturn_client.errors import TokenUnavailable
from keyturn_client.source import Origin, TokenSource

__all__ = ["BearerAuth", "Origin", "TokenSource", "TokenUnavailable"]
