"""A token in a file: bare, in a field of JSON, or in a variable of dotenv."""

import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Any

from keyturn_client.errors import TokenUnavailable
from keyturn_client.whole import LONGEST, whole

_SETTLED = 2_000_000_000  # ns after which a file's times tell one writing from the next
_VARIABLE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SINGLE = re.compile(r"'([^']*)'")


class FileOrigin:
    """A file that somebody replaces. It is read again when its inode, times or size are others."""

    interval = 0.0
    pause = 0.0

    def __init__(
        self, path: str | os.PathLike[str], *, field: str | None, variable: str | None
    ) -> None:
        if field is not None and variable is not None:
            raise ValueError("a file has a field or a variable, not both")
        self._path = Path(path)
        self._field, self._variable = field, variable
        self._seen: tuple[int, ...] | None = None
        self._token = ""

    def fetch(self, *, anew: bool) -> str:
        """The token in the file; what is half written is refused, and read again next time."""
        failure = ""
        try:
            seen = _signature(self._path.stat())
            if not anew and seen == self._seen:
                return self._token
            text, seen = read(self._path)
        except OSError as error:
            failure = error.strerror or type(error).__name__
        if failure:
            self._seen = None
            raise TokenUnavailable(failure)
        self._seen = None
        self._token = whole(self._taken(text))
        # Two writings within one tick of the file system's clock look alike: believed later.
        written = max(seen[-2:])
        self._seen = seen if abs(time.time_ns() - written) > _SETTLED else None
        return self._token

    def _taken(self, text: str) -> str:
        if self._field is not None:
            return field_of(_json(text), self._field)
        if self._variable is not None:
            return variable_of(text, self._variable)
        return text

    def __str__(self) -> str:
        name = self._field or self._variable
        return f"file {self._path}" + (f", {name}" if name else "")


def read(path: str | os.PathLike[str]) -> tuple[str, tuple[int, ...]]:
    """A regular file's text, and the signature of what was read; nothing half read.

    TokenUnavailable if it changes meanwhile, is too long, or is no text; OSError as it comes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise TokenUnavailable("it is not a regular file")
        data = file.read(LONGEST + 1)
        after = os.fstat(descriptor)
    if _signature(before) != _signature(after) or len(data) != after.st_size <= LONGEST:
        raise TokenUnavailable("it is being written")
    if len(data) > LONGEST:
        raise TokenUnavailable(f"it is longer than {LONGEST} bytes")
    try:
        return data.decode(), _signature(after)
    except UnicodeDecodeError:
        pass
    raise TokenUnavailable("it is not text")


def field_of(document: Any, field: str) -> str:
    """A field of a JSON object, which has to be text."""
    value = document.get(field) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise TokenUnavailable(f"it has no field {field!r} with text")
    return value


def variable_of(text: str, name: str) -> str:
    """The last assignment of a variable in a dotenv file."""
    found: str | None = None
    for line in text.splitlines():
        match = _VARIABLE.fullmatch(line)
        if match and match[1] == name:
            found = _unquoted(match[2].strip())
    if found is None:
        raise TokenUnavailable(f"it has no variable {name}")
    return found


def _unquoted(value: str) -> str:
    if double := _DOUBLE.match(value):
        return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), double[1])
    if single := _SINGLE.match(value):
        return single[1]
    if value[:1] in {'"', "'"}:
        raise TokenUnavailable("a quotation does not end")
    return value.split(" #", maxsplit=1)[0].strip()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    raise TokenUnavailable("it is not JSON")


def _signature(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
