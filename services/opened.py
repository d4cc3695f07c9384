"""Plugins made from integrations' sealed configurations, kept open in a bounded cache."""

import json
import threading
from collections import OrderedDict
from typing import Any
from uuid import UUID

from core.errors import Misconfigured
from core.plugins import Plugin, load
from core.secret_manifests import KIND
from models import Integration
from services.keys import Keyring

_KEPT = 256


class Opened:
    """One plugin object per integration and version of its configuration.

    A changed configuration makes a new object; the old one lives until its last send is over.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._plugins: OrderedDict[UUID, tuple[int, Plugin]] = OrderedDict()
        self._lock = threading.Lock()

    def plugin(self, integration: Integration) -> Plugin:
        """The plugin that does this integration's work."""
        with self._lock:
            kept = self._plugins.get(integration.id)
            if kept is not None and kept[0] == integration.version:
                self._plugins.move_to_end(integration.id)
                return kept[1]
        made = load(integration.family, integration.kind).model_validate(self.config(integration))
        with self._lock:
            self._plugins[integration.id] = (integration.version, made)
            self._plugins.move_to_end(integration.id)
            if len(self._plugins) > _KEPT:
                self._plugins.popitem(last=False)
        return made

    def config(self, integration: Integration) -> dict[str, Any]:
        """The configuration as it was given, secrets included: never to be shown."""
        if integration.kind == KIND:
            return {"tenant": str(integration.tenant_id)}
        if not integration.sealed:
            raise Misconfigured(
                f"The credentials of {integration.fqn} were lost with the master key: "
                "apply the integration again."
            )
        opened = self._keyring.open(
            "integrations", integration.tenant_id, integration.id, integration.sealed
        )
        config: dict[str, Any] = json.loads(opened)
        return config

    def close(self) -> None:
        with self._lock:
            for _, plugin in self._plugins.values():
                plugin.close()
            self._plugins.clear()
