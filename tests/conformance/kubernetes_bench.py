"""The counterpart of the sink of Kubernetes."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from core.plugins import Ports
from sinks.base import Sink
from sinks.kubernetes.names import DEFAULT_KEY
from tests.conformance.sink_bench import DOCS, PATH, ServiceBench
from tests.support.http_double import Request
from tests.support.kubernetes_double import KubernetesDouble
from tests.support.lending import lent

TOKEN = "canary-service-account-1"
RENEWED = "canary-service-account-2"
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


@dataclass
class KubernetesBench(ServiceBench):
    """Calls with a service account's token, only what the documentation's Role allows."""

    kind = "kubernetes/secret"
    page = "kubernetes.md"
    keyed = True
    inapplicable: ClassVar[Mapping[str, str]] = {
        "test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back": (
            "a value and its mark are one call: before it, nothing there is Keyturn's yet"
        ),
    }
    bad_paths = ("", "/", "..", "a/b/c", "Upper/key", "a b", "a_b", "a\0b", "x" * 64 + "/key")
    retry_after = 7.0
    credentials = (TOKEN, RENEWED)
    double: KubernetesDouble = field(default_factory=KubernetesDouble)
    pods: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        super().start()
        self.double.tokens = {TOKEN}
        blocks = (DOCS / self.page).read_text().split("```yaml\n")[1:]
        documents = [it for block in blocks for it in yaml.safe_load_all(block.split("```")[0])]
        self.double.rules = next(it["rules"] for it in documents if it.get("kind") == "Role")

    def finish(self) -> None:
        super().finish()
        self.double.reset()
        self.double.tokens = {TOKEN}
        self.ports = lent()
        self.pods.close()
        for name in (HOST, PORT):
            os.environ.pop(name, None)

    def config(self) -> dict[str, Any]:
        where = {"server": self.double.url, "ca_bundle": self.double.ca_pem}
        return {**where, "auth_data": {"type": "token", "token": TOKEN}}

    def elsewhere(self, host: str) -> dict[str, Any]:
        return {"server": self.double.url.replace("127.0.0.1", host)}

    def history(self, path: str = PATH) -> list[Any]:
        return [it.get(DEFAULT_KEY) for it in self.double.written.get(_at(path), [])]

    def stored(self, path: str = PATH) -> str | None:
        return (self.entries(path) or {}).get(DEFAULT_KEY)

    def write_foreign(self, path: str = PATH) -> None:
        self.write_entry(path, DEFAULT_KEY, "foreign")

    def entries(self, path: str = PATH) -> dict[str, str] | None:
        return self.double.values(*_at(path))

    def write_entry(self, path: str, key: str, value: str) -> None:
        self.double.write(*_at(path), values={key: value})

    def versions(self, path: str = PATH) -> list[Any]:
        return list(self.double.written.get(_at(path), []))

    def deny(self, path: str = PATH) -> None:
        self.double.denied.add(_at(path))

    def interrupt(self) -> None:
        self.double.fault(_writes, drop=True)

    def lose_written_answer(self) -> None:
        self.double.fault(_writes, lose_answer=True)

    def throttle(self) -> None:
        self.spoil(status=429, headers={"Retry-After": "7"})

    def fail(self) -> None:
        self.spoil(status=500)

    def refuse_size(self) -> int:
        return 1_048_577

    def refuse_credentials(self) -> dict[str, Any]:
        return {"auth_data": {"type": "token", "token": "canary-revoked"}}

    def in_cluster(self) -> dict[str, Any]:
        """A configuration for Keyturn in a pod of this cluster, whose files are here."""
        made = tempfile.TemporaryDirectory(prefix="pod-")
        self.pods.callback(made.cleanup)
        folder = Path(made.name)
        (folder / "token").write_text(f"{TOKEN}\n")
        (folder / "ca.crt").write_text(self.double.ca_pem)
        os.environ.update({HOST: "127.0.0.1", PORT: str(self.double.port)})
        self.ports = lent(ambient_credentials=True, service_account=folder)
        return {"server": None, "ca_bundle": None, "auth_data": {"type": "in-cluster"}}

    def renew(self) -> None:
        """The pod's token is replaced by another."""
        (self.ports.service_account / "token").write_text(RENEWED)
        self.double.tokens = {RENEWED}

    def ending_credentials(self) -> dict[str, Any]:
        config = self.in_cluster()
        self.at_call(2, self.renew)
        return config

    def logins(self) -> int:
        return len({request.headers["Authorization"] for request in self.double.requests})

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports


def _at(path: str) -> tuple[str, str]:
    namespace, _, name = path.rpartition("/")
    return namespace or "default", name


def _writes(request: Request) -> bool:
    return request.method in {"POST", "PATCH"}
