"""The counterpart of Vault's sink."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from core.plugins import Ports
from sinks.base import Sink
from tests.conformance.sink_bench import DOCS, PATH, ServiceBench
from tests.support.http_double import Request
from tests.support.vault_double import VaultDouble


@dataclass
class VaultBench(ServiceBench):
    """Logs in by AppRole, with just the policy that the documentation gives."""

    kind = "hashicorp/vault"
    page = "hashicorp-vault.md"
    keyed = True
    bad_paths = ("", "/", "..", "a/../b", "a/./b", "a\0b")
    retry_after = 7.0
    credentials = ("canary-secret-id", "hvs.")
    double: VaultDouble = field(default_factory=VaultDouble)

    def start(self) -> None:
        super().start()
        policy = (DOCS / self.page).read_text()
        rules = re.findall(r'path "([^"]+)" {\s*capabilities = (\[[^\]]+\])', policy)
        whole, keys = rules[:2], rules[2:]
        self.double.policies["keyturn"] = {path: json.loads(can) for path, can in whole}
        self._documented = dict(self.double.policies["keyturn"])
        self._for_keys = {path: json.loads(can) for path, can in keys}
        self.double.add_approle("keyturn", "canary-secret-id", policies=["keyturn"], ttl=1200)

    def finish(self) -> None:
        super().finish()
        self.double._stores.clear()
        self.double.expire_tokens()
        self.double.sealed = False
        self.double.policies["keyturn"] = dict(self._documented)

    def config(self) -> dict[str, Any]:
        role = {"type": "approle", "role_id": "keyturn", "secret_id": "canary-secret-id"}
        where = {"vault_url": self.double.url, "kv_mount_path": "secret", "root_path": "keyturn"}
        return {**where, "auth_data": role}

    def allow_keys(self) -> None:
        self.double.policies["keyturn"] = {**self._documented, **self._for_keys}

    def entries(self, path: str = PATH) -> dict[str, str] | None:
        return next(reversed(self.versions(path)), None)

    def write_entry(self, path: str, key: str, value: str) -> None:
        body = json.dumps({"data": {**(self.entries(path) or {}), key: value}}).encode()
        request = Request("POST", "", {}, {}, body)  # type: ignore[arg-type]
        self.double._store("").write_data(f"keyturn/{path}", request)

    def versions(self, path: str = PATH) -> list[Any]:
        return self.history(path)

    def history(self, path: str = PATH) -> list[Any]:
        return [data for _, data in self.double.versions(f"keyturn/{path}")]

    def document(self, path: str = PATH) -> Any:
        return self.history(path)[-1]

    def stored(self, path: str = PATH) -> str | None:
        latest = self.history(path)[-1:]
        assert latest in ([], [None]) or latest[0].keys() == {"token"}
        return latest[0]["token"] if latest and latest[0] else None

    def write_foreign(self, path: str = PATH) -> None:
        body = json.dumps({"data": {"token": "foreign"}}).encode()
        request = Request("POST", "", {}, {}, body)  # type: ignore[arg-type]
        self.double._store("").write_data(f"keyturn/{path}", request)

    def deny(self, path: str = PATH) -> None:
        self.double.policies["keyturn"] = {
            **self.double.policies["keyturn"],
            f"secret/data/keyturn/{path}": (),
        }

    def interrupt(self) -> None:
        self.double.fault("POST /v1/secret/data/*", drop=True)

    def lose_written_answer(self) -> None:
        self.double.fault("POST /v1/secret/data/*", lose_answer=True)

    def throttle(self) -> None:
        self.spoil(status=429, headers={"Retry-After": "7"})

    def fail(self) -> None:
        self.spoil(status=500)

    def refuse_size(self) -> int:
        self.double.fault(lambda request: len(request.body) > 100_000, status=413)
        return 100_001

    def refuse_credentials(self) -> dict[str, Any]:
        return {"auth_data": {"type": "token", "token": "canary-revoked"}}

    def ending_credentials(self) -> dict[str, Any]:
        self.at_call(3, self.double.expire_tokens)  # the first is the login
        return {}

    def logins(self) -> int:
        return len(self.double.seen("POST /v1/auth/approle/login"))

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports
