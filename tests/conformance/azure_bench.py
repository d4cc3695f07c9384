"""The counterpart of Azure Key Vault's sink."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.plugins import Ports
from sinks.base import Sink
from tests.conformance.sink_bench import DOCS, PATH, ServiceBench
from tests.support.azure_double import CLIENT, CLIENT_SECRET, TENANT, AzureDouble
from tests.support.lending import lent


def named(path: str) -> str:
    """What the secret at this path is called."""
    return path.replace("/", "--")


@dataclass
class AzureBench(ServiceBench):
    """Logs in with a client secret, with just the role that the documentation gives."""

    kind = "azure/vault"
    page = "azure-key-vault.md"
    inapplicable: ClassVar[Mapping[str, str]] = {
        "test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back": (
            "a value and its tags are one call: before it, nothing there is Keyturn's yet"
        ),
    }
    bad_paths = ("", "/", "..", "a b", "a_b", "a.b", "-a", "a---b", "a\0b", "prüf", "x" * 128)
    retry_after = 7.0
    credentials = (CLIENT_SECRET, "canary-access")
    double: AzureDouble = field(default_factory=AzureDouble)

    def start(self) -> None:
        super().start()
        self.ports = lent(network=self.double.dialer())
        role = re.search(r"```json\n(.+?)```", (DOCS / self.page).read_text(), re.DOTALL)
        assert role
        self._documented = set(json.loads(role[1])["DataActions"])
        self.double.allowed = self._documented

    def finish(self) -> None:
        super().finish()
        self.double.reset()
        self.double.allowed = self._documented
        self.ports = lent(network=self.double.dialer())

    def config(self) -> dict[str, Any]:
        app = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": CLIENT_SECRET}
        auth = {"type": "client-secret", **app}
        trust = {"ca_bundle": self.double.ca_bundle}
        return {"key_vault_name": "kv-main", "auth_data": auth, **trust}

    def elsewhere(self, host: str) -> dict[str, Any]:
        """A vault has the one name, which is resolved anew for every connection."""
        return {}

    def history(self, path: str = PATH) -> list[Any]:
        return [it.value for it in self.double.secrets.get(named(path), [])]

    def stored(self, path: str = PATH) -> str | None:
        return next(reversed(self.history(path)), None)

    def write_foreign(self, path: str = PATH) -> None:
        self.double.write(named(path), "foreign")

    def deny(self, path: str = PATH) -> None:
        self.double.denied.add(named(path))

    def interrupt(self) -> None:
        self.double.fault("PUT *", drop=True)

    def lose_written_answer(self) -> None:
        self.double.fault("PUT *", lose_answer=True)

    def throttle(self) -> None:
        self.spoil(status=429, headers={"Retry-After": "7"})

    def fail(self) -> None:
        self.spoil(status=500)

    def refuse_size(self) -> int:
        return 25_601

    def refuse_credentials(self) -> dict[str, Any]:
        return {"auth_data": {**self.config()["auth_data"], "client_secret": "canary-revoked"}}

    def ending_credentials(self) -> dict[str, Any]:
        self.at_call(5, self.double.expire_tokens)  # challenge and login are four
        return {}

    def logins(self) -> int:
        return len(self.double.seen("POST /*/oauth2/v2.0/token"))

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports
