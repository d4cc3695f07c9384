"""A secret store as docs/sinks/generic/sink.md asks for one, and what may be missing in others."""

from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from tests.support.http_double import Answer, HttpDouble, Request

API_KEY = "canary-api-key"


@dataclass
class Secret:
    """One path: the value, the metadata of the last write that had some, every value so far."""

    value: str = ""
    metadata: dict[str, str] | None = None
    version: int = 0
    values: list[str] = field(default_factory=list)

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


class GenericDouble(HttpDouble):
    """Answers below /v1 to whoever knows the API key; a repeated key gets the first answer."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.secrets: dict[str, Secret] = {}
        self.answered: dict[str, Answer] = {}
        self.denied: set[str] = set()
        self.largest = 100_000
        self.reset()

    def reset(self) -> None:
        """Empty, and with everything that a store may have."""
        self.secrets.clear()
        self.answered.clear()
        self.denied.clear()
        self.has_reading = self.has_etags = self.has_metadata = self.tells_values = True
        self.clear()

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def write(self, path: str, value: str, metadata: dict[str, str] | None = None) -> None:
        """Somebody writes there, not through the API; metadata stay until they are replaced."""
        secret = self.secrets.setdefault(path, Secret())
        secret.value = value
        secret.values.append(value)
        secret.version += 1
        if self.has_metadata:
            secret.metadata = metadata or secret.metadata

    def answer(self, request: Request) -> Answer:
        if request.headers["X-Api-Key"] != API_KEY:
            return self.refusal(HTTPStatus.UNAUTHORIZED)
        path = request.path.removeprefix("/v1/")
        verbs = {"PUT": self._write, "DELETE": self._remove}
        if self.has_reading:
            verbs["GET"] = self._read
        if request.method not in verbs:
            return self.refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        return verbs[request.method](path, request)

    def _read(self, path: str, _: Request) -> Answer:
        secret = self.secrets.get(path)
        if secret is None:
            return self.refusal(HTTPStatus.NOT_FOUND)
        told: dict[str, Any] = {"value": secret.value} if self.tells_values else {}
        if secret.metadata is not None:
            told["metadata"] = secret.metadata
        answer = Answer.of(told)
        tag = {"ETag": secret.etag} if self.has_etags else {}
        return replace(answer, headers={**answer.headers, **tag})

    def _write(self, path: str, request: Request) -> Answer:
        key = f"{path} {request.headers['Idempotency-Key']}"
        if key in self.answered:
            return self.answered[key]
        if path in self.denied:
            return self.refusal(HTTPStatus.CONFLICT)
        if len(request.body) > self.largest:
            return self.refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self._is_stale(path, request):
            return self.refusal(HTTPStatus.PRECONDITION_FAILED)
        self.write(path, request.json()["value"], request.json().get("metadata"))
        self.answered[key] = Answer.of({"version": self.secrets[path].version})
        return self.answered[key]

    def _remove(self, path: str, request: Request) -> Answer:
        if self._is_stale(path, request):
            return self.refusal(HTTPStatus.PRECONDITION_FAILED)
        return Answer(204 if self.secrets.pop(path, None) else 404)

    def _is_stale(self, path: str, request: Request) -> bool:
        secret = self.secrets.get(path)
        wanted = request.headers["If-Match"]
        if not self.has_etags or (wanted is None and request.headers["If-None-Match"] is None):
            return False
        return wanted != (secret.etag if secret else None)
