"""The bench of the example: a cupboard on this machine, and how to look into it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from core.plugins import Ports
from sinks.base import Sink
from tests.conformance.sink_bench import PATH, ServiceBench
from tests.support.http_double import Answer, HttpDouble, Request

API_KEY = "canary-of-the-cupboard"
LARGEST = 65_536


@dataclass
class Shelf:
    """All values that were ever at one path, and the note beside the last."""

    values: list[bytes] = field(default_factory=list)
    note: str = ""

    @property
    def etag(self) -> str:
        return f'"{len(self.values)}"'


class Cupboard(HttpDouble):
    """GET, PUT and DELETE of a value; a PUT without a note leaves the note that is there."""

    def __init__(self) -> None:
        super().__init__()
        self.shelves: dict[str, Shelf] = {}
        self.closed: set[str] = set()

    def write(self, path: str, value: bytes, note: str | None = None) -> None:
        shelf = self.shelves.setdefault(path, Shelf())
        shelf.values.append(value)
        shelf.note = shelf.note if note is None else note

    def answer(self, request: Request) -> Answer:
        path = request.path.strip("/")
        shelf = self.shelves.get(path)
        if request.headers["Authorization"] != f"Bearer {API_KEY}":
            return self.refusal(HTTPStatus.UNAUTHORIZED)
        if request.method == "GET":
            if shelf is None:
                return self.refusal(HTTPStatus.NOT_FOUND)
            return Answer(200, shelf.values[-1], {"Cupboard-Note": shelf.note, "ETag": shelf.etag})
        if refused := self._refused(path, request):
            return self.refusal(refused)
        if request.method == "DELETE":
            self.shelves.pop(path, None)
        else:
            self.write(path, request.body, request.headers["Cupboard-Note"])
        return Answer(204)

    def _refused(self, path: str, request: Request) -> HTTPStatus | None:
        shelf = self.shelves.get(path)
        wanted = request.headers["If-Match"]
        if path in self.closed:
            return HTTPStatus.CONFLICT
        if len(request.body) > LARGEST:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if wanted not in {None, shelf.etag if shelf else None}:
            return HTTPStatus.PRECONDITION_FAILED
        if request.headers["If-None-Match"] and shelf:
            return HTTPStatus.PRECONDITION_FAILED
        return None


@dataclass
class CupboardBench(ServiceBench):
    kind = "custom/cupboard"
    inapplicable: ClassVar[Mapping[str, str]] = {
        "test_credentials_that_end_in_the_middle_of_a_send_are_replaced": "its key is fixed",
        "test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back": (
            "a value and its mark are one call: before it, nothing there is Keyturn's yet"
        ),
    }
    bad_paths = ("", "/", "..", "a/../b", "a\0b")
    retry_after = 7.0
    credentials = (API_KEY,)
    double: Cupboard = field(default_factory=Cupboard)

    def finish(self) -> None:
        super().finish()
        self.double.shelves.clear()
        self.double.closed.clear()

    def config(self) -> dict[str, Any]:
        return {"base_url": self.double.url, "api_key": API_KEY}

    def history(self, path: str = PATH) -> list[Any]:
        shelf = self.double.shelves.get(path)
        return list(shelf.values) if shelf else []

    def stored(self, path: str = PATH) -> str | None:
        latest = self.history(path)[-1:]
        return latest[0].decode() if latest else None

    def write_foreign(self, path: str = PATH) -> None:
        self.double.write(path, b"foreign")

    def deny(self, path: str = PATH) -> None:
        self.double.closed.add(path)

    def interrupt(self) -> None:
        self.double.fault("PUT *", drop=True)

    def lose_written_answer(self) -> None:
        self.double.fault("PUT *", lose_answer=True)

    def throttle(self) -> None:
        self.spoil(status=429, headers={"Retry-After": "7"})

    def fail(self) -> None:
        self.spoil(status=500)

    def refuse_size(self) -> int:
        return LARGEST + 1

    def refuse_credentials(self) -> dict[str, Any]:
        return {"api_key": "canary-revoked"}

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports
