"""Cupboard, a plain HTTP store: a value at each path, a note beside it, an ETag over both.

One PUT carries the value and the note, so that no crash comes between a copy and its mark.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import quote

import requests
from pydantic import AfterValidator, Field, SecretStr

from core.errors import DestinationRefused, PlaceRefused, SendFailed, Transient
from core.ids import Mark
from core.plugins import Pace, Ports
from sinks.base import Copy, Held, Removal, Sink, mark_of
from sinks.deadline import Deadline, asked_to_wait
from sinks.endpoint import Address
from sinks.paths import tidied

_CALLS = 3  # look, write, look again
_NOTE = "Cupboard-Note"
_FINGERPRINT = "fingerprint"
_KEY = re.compile(r"[!-~]{1,4096}")

_REFUSALS: dict[int, tuple[type[SendFailed], str]] = {
    401: (DestinationRefused, "The cupboard does not take this api_key."),
    403: (DestinationRefused, "The cupboard does not let this api_key write."),
    409: (PlaceRefused, "The cupboard keeps nothing at this path."),
    412: (Transient, "The secret was changed at the same moment."),
    413: (PlaceRefused, "The cupboard does not take a value of this size."),
}


def _sendable(key: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(key.get_secret_value()):
        raise ValueError("give printable ASCII without spaces")
    return key


class CupboardSink(Sink):
    """Keeps each token as the value at its path."""

    kind: ClassVar[str] = "custom/cupboard"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "Cupboard"

    base_url: Address = Field(description="Where the cupboard answers.")
    api_key: Annotated[SecretStr, AfterValidator(_sendable)] = Field(
        description="A key that may read, write and remove."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    @property
    def pace(self) -> Pace:
        """The cupboard's manual allows 100 calls/s for one key."""
        return Pace(per_second=100, cost=_CALLS, concurrency=8, send_limit=_CALLS * self.timeout)

    def quota_key(self, address: str) -> str | None:
        return self.base_url.split("://", 1)[1].split("/", 1)[0].lower()

    def place(self, path: str) -> str:
        try:
            place = tidied(path)
        except ValueError as error:
            raise PlaceRefused(str(error)) from None
        if not place:
            raise PlaceRefused("a path has at least one part")
        return place

    def check(self, ports: Ports) -> str:
        """Reads `keyturn-check`, and writes nothing."""
        with self._visit("keyturn-check", ports) as visit:
            visit.look()
        return "The cupboard answers and takes the api_key; writing was not tried."

    def put(self, copy: Copy, ports: Ports) -> Held:
        with self._visit(copy.path, ports) as visit:
            seen = visit.look()
            if seen and (not copy.may_follow(seen.mark) or seen.mark == copy.mark):
                return seen.held
            visit.write(copy, seen)
            now = visit.look()
        mark = now.mark if now else None
        if now is None or mark is None or mark.place != copy.mark.place or mark < copy.mark:
            raise Transient("The secret was changed at the same moment.")
        return now.held

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        with self._visit(path, ports) as visit:
            seen = visit.look()
        return seen.held if seen else None

    def remove(self, removal: Removal, ports: Ports) -> None:
        with self._visit(removal.path, ports) as visit:
            seen = visit.look()
            if seen and seen.mark and seen.mark.place == removal.place:
                visit.remove(seen)

    def _visit(self, path: str, ports: Ports) -> "_Visit":
        session = ports.dialer.session()
        session.headers["Authorization"] = f"Bearer {self.api_key.get_secret_value()}"
        deadline = Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout)
        return _Visit(session, f"{self.base_url.rstrip('/')}/{quote(path)}", deadline)


@dataclass(frozen=True)
class _Seen:
    """What is at a path now."""

    mark: Mark | None
    etag: str

    @property
    def held(self) -> Held:
        return Held(self.mark, self.etag.strip('"'))


class _Visit:
    """The calls of one send at one path; each failure is one of Keyturn's errors."""

    def __init__(self, session: requests.Session, url: str, deadline: Deadline) -> None:
        self._session = session
        self._url = url
        self._deadline = deadline

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def look(self) -> _Seen | None:
        answer = self._call("GET")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        etag = answer.headers.get("ETag")
        if not etag:
            raise DestinationRefused("base_url does not answer as a cupboard would.")
        note = _read(answer.headers.get(_NOTE, ""))
        mark = mark_of(note)
        if mark and note.get(_FINGERPRINT) != _fingerprint(answer.content):
            mark = Mark(0, 0, mark.place)  # somebody else's value beside our note
        return _Seen(mark, etag)

    def write(self, copy: Copy, over: _Seen | None) -> None:
        value = copy.text.get_secret_value().encode()
        note = {**copy.metadata(), _FINGERPRINT: _fingerprint(value)}
        condition = {"If-Match": over.etag} if over else {"If-None-Match": "*"}
        self._call("PUT", data=value, headers={_NOTE: json.dumps(note), **condition})

    def remove(self, seen: _Seen) -> None:
        self._call("DELETE", headers={"If-Match": seen.etag})

    def _call(self, method: str, **request: Any) -> requests.Response:
        """The answer, if it is a success or says that nothing is there."""
        self._deadline.start_call()
        failure: SendFailed
        try:
            answer = self._session.request(
                method, self._url, timeout=self._deadline.call, **request
            )
        except OSError as error:  # what requests raises
            failure = Transient(f"The cupboard cannot be reached ({type(error).__name__}).")
        else:
            if answer.status_code in {200, 204, 404}:
                return answer
            failure = _refused(answer)
        raise failure  # outside the handler: the library's error holds the token


def _refused(answer: requests.Response) -> SendFailed:
    status = answer.status_code
    if status in _REFUSALS:
        kind, meaning = _REFUSALS[status]
        return kind(meaning)
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Transient(
            f"The cupboard answers {status}.",
            retry_after=asked_to_wait(answer.headers),
            throttled=status == HTTPStatus.TOO_MANY_REQUESTS,
        )
    return DestinationRefused(f"base_url does not answer as a cupboard would ({status}).")


def _read(note: str) -> dict[str, str]:
    try:
        read = json.loads(note)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _fingerprint(value: bytes) -> str:
    """Tells one value from another, and nothing about it: tokens are random."""
    return hashlib.sha256(value).hexdigest()[:32]
