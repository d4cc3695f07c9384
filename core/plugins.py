"""Plugins: sinks and notifiers, found by entry point, loaded when asked for.

A plugin is one pydantic model: its fields are the configuration of one integration, its
methods do the work, its JSON schema is the form that API, CLI and console show.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, JsonValue, SecretStr

from core.clock import Clock, HostClock
from core.dial import Dialer
from core.errors import Misconfigured, PluginNotInstalled, PluginUnknown
from core.secret_store import SecretGroups

MASK = "**********"

# Beside a field whose text has several lines, in its schema: which kind of document it is.
PEM: dict[str, JsonValue] = {"contentMediaType": "application/x-pem-file"}
JSON: dict[str, JsonValue] = {"contentMediaType": "application/json"}
YAML: dict[str, JsonValue] = {"contentMediaType": "application/yaml"}


class Family(StrEnum):
    """What a plugin is for; the value is its part of an integration's type on the wire."""

    SINK = "secret-store"
    NOTIFIER = "notification-channel"

    @property
    def entry_point_group(self) -> str:
        return "keyturn.sinks" if self is Family.SINK else "keyturn.notifiers"


@dataclass(frozen=True)
class Pace:
    """How fast one lane may send.

    `per_second` is the destination's published limit in calls (None: none is published), and
    `cost` is how many of those calls one send makes, `first_cost` the same for the first one to
    a new place (None: as any other). `concurrency` is how many sends a lane may have under way.
    `send_limit` is the longest that one send can take, in seconds: attempts times timeouts,
    which the plugin's client enforces.
    """

    per_second: float | None = None
    cost: float = 1.0
    concurrency: int = 8
    send_limit: float = 30.0
    first_cost: float | None = None


@dataclass(frozen=True)
class Ports:
    """What the host lends to plugins."""

    clock: Clock = field(default_factory=HostClock)
    network: Dialer | None = None
    file_root: Path | None = None
    ambient_credentials: bool = False
    ambient_vaults: Collection[str] = ()
    service_account: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    secret_groups: SecretGroups | None = None

    @property
    def dialer(self) -> Dialer:
        """How the outside is reached; refused where nothing may be called."""
        if self.network is None:
            raise Misconfigured("Nothing outside can be called from here.")
        return self.network

    def own_folder(self) -> Path:
        """The folder that plugins may write below; refused unless the operator named one."""
        if self.file_root is None:
            raise Misconfigured(
                "This kind writes files on Keyturn's own host, which the operator has not "
                "allowed: set KEYTURN_FILE_ROOT to a folder."
            )
        return self.file_root

    def built_in_store(self) -> SecretGroups:
        """The built-in secret store; refused where there is no database behind it."""
        if self.secret_groups is None:
            raise Misconfigured("The built-in secret store is not to be had here.")
        return self.secret_groups


class Plugin(BaseModel):
    """The base of every sink and notifier. A repr never shows a secret field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    kind: ClassVar[str]
    family: ClassVar[Family]
    provider: ClassVar[str]
    title: ClassVar[str]
    built_in: ClassVar[bool] = False  # Keyturn makes its one integration itself

    @property
    def pace(self) -> Pace:
        """How fast this integration may be sent to."""
        return Pace()

    def quota_key(self, address: str) -> str | None:
        """Whose published limit a send to this lane counts against.

        Integrations whose keys agree share one bucket. None: this lane counts alone.
        """
        return None

    def check(self, ports: Ports) -> str:
        """Really connects; says in a sentence what was found. Raises what a send would."""
        raise NotImplementedError

    def close(self) -> None:
        """Gives back connections; nothing is sent afterwards."""

    def masked(self, given: dict[str, Any]) -> dict[str, Any]:
        """`given` as it came, with every secret value replaced by asterisks."""
        return cast("dict[str, Any]", _mask(given, self.model_dump(by_alias=True)))


def _mask(given: Any, parsed: Any) -> Any:
    if isinstance(parsed, SecretStr):
        return MASK
    if isinstance(given, dict) and isinstance(parsed, dict):
        return {key: _mask(value, parsed.get(key)) for key, value in given.items()}
    if isinstance(given, list) and isinstance(parsed, list):
        return [_mask(g, p) for g, p in zip(given, parsed, strict=True)]
    return given


def kinds(family: Family) -> list[str]:
    """Every kind that is installed, sorted."""
    return sorted(_entry_points(family))


def load(family: Family, kind: str) -> type[Plugin]:
    """The plugin class of this kind.

    PluginUnknown lists the kinds there are; PluginNotInstalled prints the install line.
    """
    known = _entry_points(family)
    if kind not in known:
        raise PluginUnknown(
            f"No {family} plugin is called {kind!r}; there are: {', '.join(sorted(known))}."
        )
    return _load(known[kind])


@cache
def _entry_points(family: Family) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=family.entry_point_group)}


@cache
def _load(point: EntryPoint) -> type[Plugin]:
    try:
        plugin = point.load()
    except ImportError as error:
        raise PluginNotInstalled(
            f"{point.name} needs a client library that is not installed ({error.name}): "
            f"pip install 'keyturn[{','.join(point.extras) or 'all'}]'."
        ) from error
    if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
        raise Misconfigured(f"The entry point {point.name} ({point.value}) is not a Plugin class.")
    return plugin
