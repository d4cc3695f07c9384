"""The counterparts of the sinks of AWS."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from core.plugins import Ports
from sinks.base import Sink
from tests.conformance.sink_bench import CANARY, DOCS, PATH, ServiceBench
from tests.support.aws_double import AwsDouble, operation
from tests.support.http_double import Request
from tests.support.lending import lent


@dataclass
class AwsBench(ServiceBench):
    """Calls with access keys, only what the documentation's policy allows."""

    kind = "aws/secrets-manager"
    page = "aws-secrets-manager.md"
    keyed = True
    bad_paths = ("", "a b", "a\0b", "schlüssel", "x" * 520)
    credentials = ("canary-secret-key", "canary-session")
    double: AwsDouble = field(default_factory=AwsDouble)

    def start(self) -> None:
        super().start()
        found = re.findall(r"```json\n(.+?)```", (DOCS / self.page).read_text(), re.DOTALL)
        assert found
        statements = json.loads(found[0])["Statement"]
        self._documented = {action.split(":")[1] for it in statements for action in it["Action"]}
        self._for_keys = {it.split(":")[1] for block in found[1:] for it in json.loads(block)}
        self._allowed = self._documented

    def finish(self) -> None:
        called = {operation(request) for request in self.double.requests}
        self.ports = lent()
        super().finish()
        self.double.reset()
        allowed, self._allowed = self._allowed, self._documented
        assert called <= allowed | {"GetCallerIdentity", "AssumeRole"}

    def config(self) -> dict[str, Any]:
        keys = {"access_key_id": "AKIATESTING", "secret_access_key": "canary-secret-key"}
        auth = {"type": "access-key-based", **keys}
        where = {"region": "us-east-1", "endpoint_url": self.double.endpoint_url}
        return {**where, "root_path": "keyturn", "auth_data": auth}

    def allow_keys(self) -> None:
        self._allowed = self._documented | self._for_keys

    def entries(self, path: str = PATH) -> dict[str, str] | None:
        current = self.stored(path)
        return None if current is None else json.loads(current)

    def write_entry(self, path: str, key: str, value: str) -> None:
        self._write(path, json.dumps({**(self.entries(path) or {}), key: value}))

    def versions(self, path: str = PATH) -> list[Any]:
        return [json.loads(text) for text in self.history(path)]

    def history(self, path: str = PATH) -> list[Any]:
        return [version["value"] for version in self.double.versions(f"keyturn/{path}")]

    def stored(self, path: str = PATH) -> str | None:
        name = f"keyturn/{path}"
        secret = self.double._secret(name, "us-east-1")
        current = [v for v in self.double.versions(name) if "AWSCURRENT" in v["stages"]]
        return current[0]["value"] if current and not secret.is_deleted() else None

    def write_foreign(self, path: str = PATH) -> None:
        self._write(path, "foreign")

    def _write(self, path: str, value: str) -> None:
        client = self.double.client()
        if self.history(path):
            client.put_secret_value(SecretId=f"keyturn/{path}", SecretString=value)
        else:
            client.create_secret(Name=f"keyturn/{path}", SecretString=value)
        client.close()

    def deny(self, path: str = PATH) -> None:
        self._writes(times=None, error="AccessDeniedException", path=path)

    def interrupt(self) -> None:
        self._writes(drop=True)

    def lose_written_answer(self) -> None:
        self._writes(lose_answer=True)

    def throttle(self) -> None:
        self.spoil(error="ThrottlingException")

    def fail(self) -> None:
        self.spoil(error="InternalServiceError")

    def refuse_size(self) -> int:
        return 65_537

    def refuse_credentials(self) -> dict[str, Any]:
        self.double.fault("*", times=None, error="UnrecognizedClientException", message=CANARY)
        return {}

    def ending_credentials(self) -> dict[str, Any]:
        self.ports = lent(ambient_credentials=True)
        self.double.fault("CreateSecret", error="ExpiredTokenException", message=CANARY)
        role = "arn:aws:iam::123456789012:role/keyturn"
        auth = {"type": "assumed-role-based", "assumed_role_arn": role}
        return {"auth_data": {**auth, "external_id": "keyturn-1"}}

    def logins(self) -> int:
        return self.double.calls("AssumeRole")

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports

    def _writes(self, *, path: str = PATH, times: int | None = 1, **how: Any) -> None:
        """Spoils the writing of this secret's value, alike for a new one and one that exists."""

        def match(request: Request) -> bool:
            asked = (
                request.json() if operation(request) in {"CreateSecret", "PutSecretValue"} else {}
            )
            return f"keyturn/{path}" in {asked.get("Name"), asked.get("SecretId")}

        self.double.fault("", times=times, **how).match = match


@dataclass
class ParameterStoreBench(AwsBench):
    """The same account, only what this documentation's policy allows."""

    kind = "aws/parameter-store"
    page = "aws-parameter-store.md"
    keyed = False
    bad_paths = ("", "/", "a b", "a:1", "a\0b", "schlüssel", "x" * 1010, "/".join("a" * 15))

    def start(self) -> None:
        super().start()
        client = self.double.client("ssm")
        client.get_parameters(Names=["warm"])  # the double loads a service at its first call
        client.close()
        self.double.reset()

    def history(self, path: str = PATH) -> list[Any]:
        return [it["Value"] for it in self.double.parameter_versions(f"/keyturn/{path}")]

    def stored(self, path: str = PATH) -> str | None:
        return next(reversed(self.history(path)), None)

    def write_foreign(self, path: str = PATH) -> None:
        client = self.double.client("ssm")
        foreign = {"Name": f"/keyturn/{path}", "Value": "foreign", "Type": "SecureString"}
        client.put_parameter(**foreign, Overwrite=bool(self.history(path)))
        client.close()

    def refuse_size(self) -> int:
        return 8_193

    def ending_credentials(self) -> dict[str, Any]:
        config = super().ending_credentials()
        self.double.fault("PutParameter", error="ExpiredTokenException", message=CANARY)
        return config

    def _writes(self, *, path: str = PATH, times: int | None = 1, **how: Any) -> None:
        def match(request: Request) -> bool:
            writes = operation(request) == "PutParameter"
            return writes and request.json()["Name"] == f"/keyturn/{path}"

        self.double.fault("", times=times, **how).match = match
