"""The counterpart of the sink for Google Secret Manager."""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.plugins import Ports
from sinks.base import Sink
from sinks.google.identity import GoogleService
from sinks.google.secret_manager import GoogleSecretManagerSink
from tests.conformance.sink_bench import DOCS, PATH, ServiceBench
from tests.support.google_double import PROJECT, GoogleDouble, key_file, pem
from tests.support.http_double import Request


@dataclass
class GoogleBench(ServiceBench):
    """A service account that may do what the documentation's role says, and nothing else."""

    kind = "gcp/gsm"
    page = "google-secret-manager.md"
    bad_paths = ("", "/", "a//b", "a____b", "a.b", "a b", "a\0b", "schlüssel", "x" * 250)
    retry_after = 7.0
    credentials = (pem().splitlines()[3], "ya29.")
    double: GoogleDouble = field(default_factory=GoogleDouble)
    host: str = "127.0.0.1"
    parent: ClassVar[str] = f"projects/{PROJECT}"

    def start(self) -> None:
        super().start()
        found = re.search(r"```yaml\n(title:.+?)```", (DOCS / self.page).read_text(), re.DOTALL)
        assert found
        self._documented = set(re.findall(r"- (secretmanager\.\S+)", found[1]))
        self.double.allowed = set(self._documented)

    def finish(self) -> None:
        super().finish()
        self.double.reset()
        self.double.allowed = set(self._documented)
        self.host = "127.0.0.1"

    def config(self) -> dict[str, Any]:
        auth = {"type": "key-file", "key_file_content": key_file()}
        return {"project_id": PROJECT, "root_path": "keyturn", "auth_data": auth}

    def sink(self, **changed: Any) -> Sink:
        """The sink itself, but for where Google is."""
        at = self.double.service

        class Doubled(GoogleSecretManagerSink):
            _google: ClassVar[GoogleService] = GoogleService(
                api=at.api.replace("127.0.0.1", self.host),
                regional=at.regional.replace("127.0.0.1", self.host),
                tokens=at.tokens.replace("127.0.0.1", self.host),
                metadata=frozenset({"metadata.example.com"}),
            )

        made = Doubled.model_validate({**self.config(), **changed})
        self.made.append(made)
        return made

    def elsewhere(self, host: str) -> dict[str, Any]:
        self.host = host
        return {}

    def name(self, path: str = PATH) -> str:
        return f"{self.parent}/secrets/keyturn__{path.replace('/', '__')}"

    def annotations(self, path: str = PATH) -> dict[str, str]:
        return self.double.secrets[self.name(path)].annotations

    def history(self, path: str = PATH) -> list[Any]:
        secret = self.double.secrets.get(self.name(path))
        return [version.data.decode() for version in secret.versions] if secret else []

    def stored(self, path: str = PATH) -> str | None:
        return next(reversed(self.history(path)), None)

    def write_foreign(self, path: str = PATH) -> None:
        self.double.write(self.name(path), "foreign")

    def deny(self, path: str = PATH) -> None:
        self.double.denied.add(f"keyturn__{path.replace('/', '__')}")

    def interrupt(self) -> None:
        self.double.fault("POST *:addVersion", drop=True)

    def lose_written_answer(self) -> None:
        self.double.fault("POST *:addVersion", lose_answer=True)

    def throttle(self) -> None:
        self.double.fault("*/secrets/*", status=429, headers={"Retry-After": "7"})

    def fail(self) -> None:
        self.spoil(status=500)

    def refuse_size(self) -> int:
        return 65_537

    def refuse_credentials(self) -> dict[str, Any]:
        deleted = key_file("canary-deleted@keyturn-tests.iam.gserviceaccount.com")
        return {"auth_data": {"type": "key-file", "key_file_content": deleted}}

    def ending_credentials(self) -> dict[str, Any]:
        self.at_call(3, self.double.tokens.clear)
        return {}

    def logins(self) -> int:
        return len(self.double.seen("POST /token"))

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports

    def order_of_calls(self) -> list[str]:
        """The calls of Secret Manager so far, by verb and what they are about."""
        return [_short(it) for it in self.double.requests if it.path.startswith("/v1/")]


def _short(request: Request) -> str:
    return f"{request.method} {request.path.rpartition('/')[2].replace('keyturn__app__key', 'it')}"
