"""Benches: for each sink a real counterpart that can be looked into, and made to misbehave.

The suite in `test_sinks.py` and `test_sinks_in_trouble.py` runs every case on every registered
sink but for the few in `INAPPLICABLE`, each with its reason.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.plugins import Family, Ports
from sinks.base import Sink
from tests.conformance.built_in_bench import BuiltInBench
from tests.conformance.generic_bench import GenericBench
from tests.conformance.sink_bench import CANARY, PATH, Bench, ServiceBench
from tests.support.aws_double import AwsDouble, operation
from tests.support.http_double import Request
from tests.support.vault_double import VaultDouble

DOCS = Path(__file__).parents[2] / "docs" / "sinks"

_NO_SERVICE = "a folder is no service: nothing answers, late or never"
_NO_CREDENTIALS = "a folder is written in the name of Keyturn's own process, without credentials"
INAPPLICABLE: Mapping[str, Mapping[str, str]] = {
    "custom/file": {
        "test_wrong_credentials_are_the_destination_s_problem": _NO_CREDENTIALS,
        "test_credentials_that_end_in_the_middle_of_a_send_are_replaced": _NO_CREDENTIALS,
        "test_a_throttled_send_is_tried_again_when_the_store_says": _NO_SERVICE,
        "test_a_store_out_of_order_is_tried_again": _NO_SERVICE,
        "test_a_store_that_hangs_is_tried_again": _NO_SERVICE,
        "test_a_connection_that_is_reset_is_tried_again": _NO_SERVICE,
        "test_an_answer_that_was_lost_leaves_one_version_after_the_repeat": _NO_SERVICE,
        "test_a_send_cut_off_at_any_call_is_finished_by_its_repeat": _NO_SERVICE,
        "test_an_update_cut_off_at_any_call_is_finished_by_its_repeat": _NO_SERVICE,
        "test_a_store_that_trickles_does_not_stretch_a_send_beyond_its_limit": _NO_SERVICE,
        "test_a_value_that_is_too_large_is_that_place_s_problem": "a file may be of any size",
    },
    "custom/generic": {
        "test_credentials_that_end_in_the_middle_of_a_send_are_replaced": "its headers are fixed",
        "test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back": (
            "a value and its mark are one call: before it, nothing there is Keyturn's yet"
        ),
    },
    "custom/secret-groups": dict.fromkeys(
        (
            "test_wrong_credentials_are_the_destination_s_problem",
            "test_credentials_that_end_in_the_middle_of_a_send_are_replaced",
            "test_a_throttled_send_is_tried_again_when_the_store_says",
            "test_a_store_out_of_order_is_tried_again",
            "test_a_store_that_hangs_is_tried_again",
            "test_a_connection_that_is_reset_is_tried_again",
            "test_an_answer_that_was_lost_leaves_one_version_after_the_repeat",
            "test_a_send_cut_off_at_any_call_is_finished_by_its_repeat",
            "test_an_update_cut_off_at_any_call_is_finished_by_its_repeat",
            "test_a_store_that_trickles_does_not_stretch_a_send_beyond_its_limit",
            "test_a_value_that_is_too_large_is_that_place_s_problem",
        ),
        "it is Keyturn's own database: no service is called, no credentials are needed",
    )
    | {
        "test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back": (
            "value and mark are one commit: an adoption that failed has not begun"
        )
    },
}


@dataclass
class FileBench(Bench):
    kind = "custom/file"
    page = "file.md"
    bad_paths = ("", "..", "a/../b", ".hidden", "a\0b")
    folder: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory)

    def start(self) -> None:
        self.ports = Ports(file_root=Path(self.folder.name))

    def stop(self) -> None:
        self.folder.cleanup()

    def finish(self) -> None:
        super().finish()
        self.folder.cleanup()
        self.folder = TemporaryDirectory()
        self.start()

    def config(self) -> dict[str, Any]:
        return {"root_path": "keyturn"}

    def _file(self, path: str) -> Path:
        return Path(self.folder.name) / "keyturn" / path

    def history(self, path: str = PATH) -> list[Any]:
        file = self._file(path)
        if not file.exists():
            return []
        return [(file.read_text(), file.stat().st_ino, file.stat().st_mtime_ns)]

    def stored(self, path: str = PATH) -> str | None:
        file = self._file(path)
        return file.read_text().removesuffix("\n") if file.exists() else None

    def write_foreign(self, path: str = PATH) -> None:
        self._file(path).parent.mkdir(parents=True, exist_ok=True)
        self._file(path).write_text("foreign\n")

    def deny(self, path: str = PATH) -> None:
        self._file(path).parent.parent.mkdir(parents=True, exist_ok=True)
        self._file(path).parent.write_text("a file where the folder has to be")

    def interrupt(self) -> None:
        self._draft().mkdir(parents=True)

    def mend(self) -> None:
        self._draft().rmdir()

    def _draft(self) -> Path:
        return self._file(PATH).with_name(".key.draft")

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(), Ports()


@dataclass
class VaultBench(ServiceBench):
    """Logs in by AppRole, with just the policy that the documentation gives."""

    kind = "hashicorp/vault"
    page = "hashicorp-vault.md"
    bad_paths = ("", "/", "..", "a/../b", "a/./b", "a\0b")
    retry_after = 7.0
    credentials = ("canary-secret-id", "hvs.")
    double: VaultDouble = field(default_factory=VaultDouble)

    def start(self) -> None:
        super().start()
        policy = (DOCS / self.page).read_text()
        rules = re.findall(r'path "([^"]+)" {\s*capabilities = (\[[^\]]+\])', policy)
        self.double.policies["keyturn"] = {path: json.loads(can) for path, can in rules}
        self._documented = dict(self.double.policies["keyturn"])
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

    def history(self, path: str = PATH) -> list[Any]:
        return [data for _, data in self.double.versions(f"keyturn/{path}")]

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
            **self._documented,
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


@dataclass
class AwsBench(ServiceBench):
    """Calls with access keys, only what the documentation's policy allows."""

    kind = "aws/secrets-manager"
    page = "aws-secrets-manager.md"
    bad_paths = ("", "a b", "a\0b", "schlüssel", "x" * 520)
    credentials = ("canary-secret-key", "canary-session")
    double: AwsDouble = field(default_factory=AwsDouble)

    def start(self) -> None:
        super().start()
        found = re.search(r"```json\n(.+?)```", (DOCS / self.page).read_text(), re.DOTALL)
        assert found
        statements = json.loads(found[1])["Statement"]
        self._documented = {action.split(":")[1] for it in statements for action in it["Action"]}

    def finish(self) -> None:
        called = {operation(request) for request in self.double.requests}
        self.ports = Ports()
        super().finish()
        self.double.reset()
        assert called <= self._documented | {"GetCallerIdentity", "AssumeRole"}

    def config(self) -> dict[str, Any]:
        keys = {"access_key_id": "AKIATESTING", "secret_access_key": "canary-secret-key"}
        auth = {"type": "access-key-based", **keys}
        where = {"region": "us-east-1", "endpoint_url": self.double.endpoint_url}
        return {**where, "root_path": "keyturn", "auth_data": auth}

    def history(self, path: str = PATH) -> list[Any]:
        return [version["value"] for version in self.double.versions(f"keyturn/{path}")]

    def stored(self, path: str = PATH) -> str | None:
        name = f"keyturn/{path}"
        secret = self.double._secret(name, "us-east-1")
        current = [v for v in self.double.versions(name) if "AWSCURRENT" in v["stages"]]
        return current[0]["value"] if current and not secret.is_deleted() else None

    def write_foreign(self, path: str = PATH) -> None:
        client = self.double.client()
        if self.history(path):
            client.put_secret_value(SecretId=f"keyturn/{path}", SecretString="foreign")
        else:
            client.create_secret(Name=f"keyturn/{path}", SecretString="foreign")
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
        self.ports = Ports(ambient_credentials=True)
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


BENCHES: Mapping[str, type[Bench]] = {
    bench.kind: bench
    for bench in (
        FileBench,
        BuiltInBench,
        VaultBench,
        AwsBench,
        ParameterStoreBench,
        GenericBench,
    )
}


def registered() -> list[str]:
    """Every kind of sink that is installed, but for those of the tests themselves."""
    points = entry_points(group=Family.SINK.entry_point_group)
    return sorted(it.name for it in points if it.dist and it.dist.name != "keyturn-test-plugins")
