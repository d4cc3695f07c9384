"""Whom a channel's TLS trusts: the authorities of one PEM text, or else everybody's usual ones."""

import os
import ssl
import tempfile
import weakref
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH


class Trust:
    """The authorities as a file, since requests wants one.

    Given as text, they are in a file that only this user can read, until `remove` or the
    object's end; removing it twice does nothing.
    """

    def __init__(self, pem: str) -> None:
        self.path = DEFAULT_CA_BUNDLE_PATH
        self._remove: weakref.finalize[..., Trust] | None = None
        if pem:
            descriptor, self.path = tempfile.mkstemp(prefix="keyturn-ca-", suffix=".pem")
            with os.fdopen(descriptor, "w") as file:
                file.write(pem)
            self._remove = weakref.finalize(self, Path(self.path).unlink, missing_ok=True)

    def context(self) -> ssl.SSLContext:
        """TLS that checks name and certificate against these authorities."""
        return ssl.create_default_context(cafile=self.path)

    def remove(self) -> None:
        if self._remove is not None:
            self._remove()
