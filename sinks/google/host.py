"""The Google identity of Keyturn's own host, where the operator lends it.

That is what Google's library finds there: the file that GOOGLE_APPLICATION_CREDENTIALS names,
workload identity federation among them, or the metadata server of a machine or cluster.
"""

from datetime import UTC
from typing import Any

import google.auth
from google.auth import exceptions
from google.auth.credentials import with_scopes_if_required
from pydantic import SecretStr

from core.errors import DestinationRefused, KeyturnError, Misconfigured, Transient
from core.plugins import Ports
from sinks.deadline import Deadline
from sinks.google.asking import Asking
from sinks.google.identity import SCOPE, Granted

_LENT = (
    "Without a key file this uses the Google identity of Keyturn's own host, which the operator "
    "has not allowed: set KEYTURN_AMBIENT_CREDENTIALS, or give a key file."
)


class HostGrant:
    """Tokens of the host's own identity, which is looked for once."""

    def __init__(self, metadata: frozenset[str]) -> None:
        self._metadata = metadata
        self._credentials: Any = None

    def __call__(self, ports: Ports, deadline: Deadline) -> Granted:
        """Misconfigured if there is none, or if it is not lent."""
        if not ports.ambient_credentials:
            raise Misconfigured(_LENT)
        asking = Asking(ports, deadline, self._metadata)
        failure: KeyturnError
        try:
            if self._credentials is None:
                self._credentials = _found(asking)
            self._credentials.refresh(asking)
        except exceptions.DefaultCredentialsError:
            failure = Misconfigured("Keyturn's host has no Google identity: give a key file.")
        except exceptions.TransportError:
            failure = Transient("The host's metadata server does not answer.")
        except (exceptions.GoogleAuthError, ValueError, KeyError, OSError):
            failure = DestinationRefused("Google does not take the identity of Keyturn's host.")
        else:
            return self._granted(ports)
        finally:
            asking.close()
        raise failure

    def _granted(self, ports: Ports) -> Granted:
        ends = self._credentials.expiry
        left = (ends.replace(tzinfo=UTC) - ports.clock.now()).total_seconds() if ends else 300
        return Granted(SecretStr(self._credentials.token), max(left, 0))


def _found(asking: Asking) -> Any:
    """Scopes are given afterwards: with them the library would ask whose project this is."""
    find: Any = google.auth.default
    scoped: Any = with_scopes_if_required
    found, _ = find(request=asking)
    return scoped(found, [SCOPE])
