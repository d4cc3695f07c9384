"""Everything Keyturn can refuse or fail at, as one tree.

    KeyturnError
    ├── InvalidInput            a field, and what it allows
    ├── Unauthenticated         no good bearer token
    ├── Forbidden               a good token without the permission
    ├── NotFound                also: another tenant's thing
    ├── Conflict                the state does not allow it
    │   └── Stale               somebody else changed it first
    ├── TooLarge                the body is longer than is read
    ├── Throttled               too many failures: come back later
    ├── Unready                 a part that is needed does not answer
    ├── Misconfigured           an operator has to change something
    │   ├── MasterKeyMissing
    │   ├── PluginUnknown
    │   └── PluginNotInstalled
    ├── SealBroken              a sealed value does not open
    └── SendFailed              a sink or notifier could not do its work
        ├── Transient           worth another try
        └── Permanent           a human has to change something
            ├── PlaceRefused        this one path or address
            └── DestinationRefused  the whole store or channel

The message of an error defaults to its docstring. `code` is stable and of low
cardinality: metrics and the API use it. Which HTTP status a code has is said
in `api/errors.py` alone.
"""

from datetime import timedelta
from typing import ClassVar


class KeyturnError(Exception):
    """Keyturn could not do this."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class InvalidInput(KeyturnError):
    """This input is not allowed."""

    code = "invalid_input"

    def __init__(self, field: str, message: str) -> None:
        """`field` is the path of what is wrong; `message` says what is allowed."""
        super().__init__(f"{field}: {message}")
        self.field = field


class Unauthenticated(KeyturnError):
    """This call needs a valid bearer token."""

    code = "unauthenticated"

    def __init__(self, reason: str) -> None:
        super().__init__(f"This call needs a valid bearer token: {reason}.")
        self.reason = reason


class Forbidden(KeyturnError):
    """This token does not have the permission."""

    code = "forbidden"


class NotFound(KeyturnError):
    """There is no such thing here."""

    code = "not_found"

    def __init__(self, what: str, name: object) -> None:
        super().__init__(f"There is no {what} {str(name)!r} here.")


class Conflict(KeyturnError):
    """The present state does not allow this."""

    code = "conflict"


class Stale(Conflict):
    """It was changed since you read it: read it again and repeat your change."""

    code = "stale"


class TooLarge(KeyturnError):
    """The body of this call is too large."""

    code = "too_large"


class Throttled(KeyturnError):
    """Too many logins have failed: come back later."""

    code = "throttled"

    def __init__(self, retry_after: float, message: str | None = None) -> None:
        """`retry_after` is in seconds."""
        super().__init__(message)
        self.retry_after = retry_after


class Unready(KeyturnError):
    """A part that this needs does not answer."""

    code = "unready"


class Misconfigured(KeyturnError):
    """The configuration does not allow Keyturn to work."""

    code = "misconfigured"


class MasterKeyMissing(Misconfigured):
    """No master key that is configured opens what the database holds."""

    code = "master_key_missing"


class PluginUnknown(Misconfigured):
    """No plugin of this kind is installed."""

    code = "plugin_unknown"


class PluginNotInstalled(Misconfigured):
    """The client library of this plugin is not installed."""

    code = "plugin_not_installed"


class SealBroken(KeyturnError):
    """A sealed value does not open: it was moved to another row, or damaged."""

    code = "seal_broken"


class SendFailed(KeyturnError):
    """A destination did not take what was sent."""

    code = "send_failed"


class Transient(SendFailed):
    """The destination did not answer as hoped; the same call may succeed later."""

    code = "transient"

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after: timedelta | None = None,
        throttled: bool = False,
    ) -> None:
        """`retry_after` is what the destination asked for; `throttled` says that it is alive."""
        super().__init__(message)
        self.retry_after = retry_after
        self.throttled = throttled


class Permanent(SendFailed):
    """The destination refused, and will again until something is changed."""

    code = "permanent"


class PlaceRefused(Permanent):
    """The destination refused this path or address; others are not affected."""

    code = "place_refused"


class DestinationRefused(Permanent):
    """The destination refuses everything: credentials, address or permission are wrong."""

    code = "destination_refused"
